//! What kernels do to connections, as the simulated ones do it.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    ConnectError, Connection, Disconnect, Limits, Net, Protocol, Transport, WhenFull, factory,
};
use torsade_deferred::Failure;
use torsade_testing::Clock;
use torsade_testing::sim::{Cuts, Links, Sim};

const SECOND: Duration = Duration::from_secs(1);

/// Everything that happened to a protocol, in order.
type Log = Rc<RefCell<Vec<String>>>;

/// Notes what happens, and keeps its connection where the test can reach it.
struct Noting {
    log: Log,
    seat: Rc<RefCell<Option<Connection>>>,
    received: Rc<RefCell<Vec<u8>>>,
}

/// What the test holds of it.
#[derive(Clone, Default)]
struct Seat {
    log: Log,
    connection: Rc<RefCell<Option<Connection>>>,
    received: Rc<RefCell<Vec<u8>>>,
}

impl Seat {
    fn protocol(&self) -> Noting {
        Noting {
            log: Rc::clone(&self.log),
            seat: Rc::clone(&self.connection),
            received: Rc::clone(&self.received),
        }
    }

    fn connection(&self) -> Connection {
        self.connection.borrow().clone().unwrap()
    }

    fn lines(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    fn pieces(&self) -> Vec<usize> {
        let lines = self.lines();
        let pieces = lines.iter().filter_map(|line| line.strip_prefix("data "));
        pieces.map(|len| len.parse().unwrap()).collect()
    }
}

impl Protocol for Noting {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.seat.replace(Some(transport.connection()));
        self.log.borrow_mut().push("made".into());
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.received.borrow_mut().extend_from_slice(data);
        self.log.borrow_mut().push(format!("data {}", data.len()));
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.log.borrow_mut().push("eof".into());
        transport.write("bye");
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.borrow_mut().push(format!("lost: {reason}"));
    }
}

/// A server and a client, each with one connection, made.
fn pair(net: &mut Sim) -> (Seat, Seat) {
    let (server, client) = (Seat::default(), Seat::default());
    let seat = server.clone();
    let listening = net.host("server").net();
    listening
        .listen("0.0.0.0:7", factory(move |_| seat.protocol()))
        .unwrap();
    let connecting = net.host("client").net();
    connecting.connect("server:7", client.protocol()).detach();
    net.settle();
    assert_eq!(
        (server.lines(), client.lines()),
        (vec!["made".into()], vec!["made".into()])
    );
    (server, client)
}

fn connect(net: &Sim, to: &str) -> torsade_deferred::Deferred<(), ConnectError> {
    let client = Seat::default();
    let connecting = net.host("client").net();
    connecting.connect(to, client.protocol()).map(drop)
}

fn refused_with(result: Option<Result<(), Failure<ConnectError>>>) -> Option<ErrorKind> {
    match result? {
        Err(Failure::Error(error @ ConnectError::Failed { .. })) => Some(error.kind()),
        _ => None,
    }
}

#[test]
fn segments_are_cut_anywhere_and_stay_in_order() {
    let mut sizes = Vec::new();
    for seed in 0..20 {
        let mut net = Sim::new(seed);
        let (server, client) = pair(&mut net);
        let sent: Vec<u8> = (0..10_000_u32).map(|number| number as u8).collect();
        client.connection().write(&sent);
        net.settle();
        assert_eq!(*server.received.borrow(), sent);
        sizes.extend(server.pieces());
    }
    sizes.sort_unstable();
    sizes.dedup();
    assert!(sizes.len() > 50, "{sizes:?}");
}

#[test]
fn cuts_can_be_chosen() {
    for (cuts, pieces) in [
        (Cuts::Whole, vec![1460, 1460, 80]),
        (Cuts::Bytewise, vec![1; 3000]),
    ] {
        let mut net = Sim::new(1);
        let mut links = Links::default();
        links.cuts = cuts;
        // Each segment at a time of its own.
        links.bandwidth = Some(1_000_000);
        net.links(links);
        let (server, client) = pair(&mut net);
        client.connection().write(vec![7; 3000]);
        net.settle();
        assert_eq!(server.pieces(), pieces);
        let segments = net
            .trace()
            .to_string()
            .matches("server  #1 <- client: \"")
            .count();
        assert_eq!(segments, pieces.len());
    }
}

#[test]
fn latency_and_bandwidth_take_their_time() {
    let mut net = Sim::new(1);
    let mut links = Links::default();
    links.latency = 2 * SECOND;
    links.jitter = Duration::ZERO;
    links.bandwidth = Some(1000);
    net.link("server", "client", links);
    let (server, client) = pair(&mut net);
    let begin = net.now();
    client.connection().write(vec![0; 5000]);
    let received = Rc::clone(&server.received);
    net.run_until(|| received.borrow().len() == 5000);
    assert_eq!(net.now() - begin, 7 * SECOND);
}

#[test]
fn jitter_stays_in_its_bounds_and_lets_nothing_overtake() {
    for seed in 0..10 {
        let mut net = Sim::new(seed);
        let mut links = Links::default();
        links.latency = SECOND;
        links.jitter = SECOND;
        net.links(links);
        let (server, client) = pair(&mut net);
        let begin = net.now();
        client.connection().write("a");
        net.advance(SECOND / 100);
        client.connection().write("b");
        let received = Rc::clone(&server.received);
        net.run_until(|| received.borrow().len() == 2);
        assert_eq!(*server.received.borrow(), b"ab");
        let took = net.now() - begin;
        assert!(
            took >= SECOND && took <= 2 * SECOND + SECOND / 100,
            "{took:?}"
        );
    }
}

#[test]
fn both_queues_are_finite() {
    let mut net = Sim::new(1);
    let mut links = Links::ideal();
    links.send_buffer = 3000;
    links.receive_buffer = 2000;
    net.links(links);
    let (server, client) = pair(&mut net);
    server.connection().pause_reading();
    client.connection().write(vec![0; 10_000]);
    net.settle();
    // Some of it fills the peer's queue, and more the sender's: the rest waits in the program.
    assert_eq!(client.connection().bytes_sent(), 5000);
    assert_eq!(server.pieces(), []);
    server.connection().resume_reading();
    net.settle();
    assert_eq!(server.received.borrow().len(), 10_000);
}

#[test]
fn nobody_listens_so_it_is_refused() {
    let mut net = Sim::new(1);
    net.host("server");
    let connecting = connect(&net, "server:7");
    net.settle();
    assert_eq!(
        refused_with(connecting.try_take().ok()),
        Some(ErrorKind::ConnectionRefused)
    );
}

#[test]
fn nobody_is_there_so_it_times_out() {
    let mut net = Sim::new(1);
    let connecting = connect(&net, "10.9.9.9:7");
    net.advance(29 * SECOND);
    assert!(!connecting.is_settled());
    net.advance(SECOND);
    let timed_out = connecting.try_take().unwrap().unwrap_err();
    assert!(matches!(
        timed_out,
        Failure::Error(ConnectError::TimedOut { .. })
    ));
}

#[test]
fn a_name_that_no_host_has_is_an_error_at_once() {
    let mut net = Sim::new(1);
    let connecting = connect(&net, "elsewhere:7");
    net.settle();
    assert_eq!(net.now(), torsade_core::Time::ZERO);
    let error = refused_with(Some(connecting.try_take().unwrap()));
    assert_eq!(error, Some(ErrorKind::NotFound));
}

#[test]
fn addresses_of_others_are_not_listened_on() {
    let net = Sim::new(1);
    net.host("other");
    let server = net.host("server").net();
    let wanted = [
        ("10.0.0.1:7", false),
        ("10.0.0.2:7", true),
        ("[fd00::1]:7", false),
        ("[fd00::2]:7", true),
        ("127.0.0.1:7", true),
        ("0.0.0.0:7", false),
    ];
    for (at, works) in wanted {
        let listening = server.listen(at, factory(|_| Seat::default().protocol()));
        assert_eq!(listening.is_ok(), works, "{at}");
    }
}

#[test]
fn each_end_can_be_ended_by_itself() {
    let mut net = Sim::new(1);
    net.links(Links::ideal());
    let (server, client) = pair(&mut net);
    client.connection().close_write();
    net.settle();
    assert_eq!(
        server.lines()[1..],
        [
            "eof".to_owned(),
            format!("lost: {}", Disconnect::PeerClosed)
        ]
    );
    // The other direction was open still.
    assert_eq!(*client.received.borrow(), b"bye");
    assert_eq!(
        client.lines()[2..],
        [
            "eof".to_owned(),
            format!("lost: {}", Disconnect::PeerClosed)
        ]
    );
}

#[test]
fn a_close_flushes_and_an_abort_resets() {
    let mut net = Sim::new(1);
    let (server, client) = pair(&mut net);
    client.connection().write("last words");
    client.connection().close();
    net.settle();
    assert_eq!(*server.received.borrow(), b"last words");
    assert_eq!(
        server.lines().last().unwrap(),
        &format!("lost: {}", Disconnect::PeerClosed)
    );

    let mut net = Sim::new(1);
    let (server, client) = pair(&mut net);
    client.connection().abort();
    net.settle();
    assert_eq!(
        server.lines().last().unwrap(),
        &format!("lost: {}", Disconnect::Reset)
    );
}

#[test]
fn data_stays_readable_after_a_reset() {
    let mut net = Sim::new(1);
    let (server, client) = pair(&mut net);
    server.connection().pause_reading();
    client.connection().write("before");
    net.settle();
    client.connection().abort();
    net.settle();
    assert_eq!(server.pieces(), []);
    server.connection().resume_reading();
    net.settle();
    assert_eq!(*server.received.borrow(), b"before");
    assert_eq!(
        server.lines().last().unwrap(),
        &format!("lost: {}", Disconnect::Reset)
    );
}

#[test]
fn unread_input_at_a_close_resets_unless_the_socket_lingers() {
    for (lingering, reason) in [(0, Disconnect::Reset), (1, Disconnect::PeerClosed)] {
        let mut net = Sim::new(1);
        let mut limits = Limits::default();
        limits.lingering = lingering;
        net.host_with("server", limits);
        let (server, client) = pair(&mut net);
        server.connection().pause_reading();
        client.connection().write("unread");
        net.settle();
        server.connection().close();
        net.settle();
        assert_eq!(client.lines().last().unwrap(), &format!("lost: {reason}"));
    }
}

/// Goes on sending after the peer's end: to who only half-closed, that would be right.
struct Ticker(Rc<Cell<u32>>, Rc<RefCell<Option<Disconnect>>>);

impl Protocol for Ticker {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.0.set(self.0.get() + 1);
        transport.write("tick");
        transport.call_later(SECOND, |me, transport| me.eof_received(transport));
    }
    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.1.replace(Some(reason.clone()));
    }
}

#[test]
fn who_sends_to_one_that_hung_up_is_reset_after_the_first_send() {
    let mut net = Sim::new(1);
    let mut limits = Limits::default();
    limits.lingering = 0;
    let server = net.host_with("server", limits).net();
    server
        .listen("0.0.0.0:7", factory(|_| Seat::default().protocol()))
        .unwrap();
    let (ticks, lost) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(None)));
    let ticker = Ticker(Rc::clone(&ticks), Rc::clone(&lost));
    net.host("client")
        .net()
        .connect("server:7", ticker)
        .detach();
    net.settle();
    let hung_up = net.kill("server");
    net.advance(3 * SECOND);
    assert_eq!((ticks.get(), lost.take()), (2, Some(Disconnect::Reset)));
    drop(hung_up);
}

#[test]
fn a_full_queue_of_a_listener_makes_clients_wait() {
    let mut net = Sim::new(1);
    let mut limits = Limits::default();
    limits.max_connections = 1;
    limits.when_full = WhenFull::Wait;
    limits.backlog = 1;
    let server = net.host_with("server", limits).net();
    let listener = server
        .listen("0.0.0.0:7", factory(|_| Seat::default().protocol()))
        .unwrap();
    let connecting = [(); 3].map(|()| connect(&net, "server:7"));
    net.advance(SECOND / 2);
    // One is served, one waits in the queue, and for one there is no place.
    let settled = connecting.iter().filter(|it| it.is_settled()).count();
    assert_eq!((settled, server.connections()), (2, 1));
    listener.close();
    net.settle();
    assert!(connecting.iter().all(|it| it.is_settled()));
    for result in connecting {
        result.detach();
    }
    net.expect_unhandled("refused");
}

#[test]
fn a_slow_callback_is_slow_for_its_host_only() {
    struct Slow;
    impl Protocol for Slow {
        fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
            Clock::stall(10 * SECOND);
            transport.write("at last");
        }
    }
    let mut net = Sim::new(1);
    net.links(Links::ideal());
    let server = net.host("server").net();
    server.listen("0.0.0.0:7", factory(|_| Slow)).unwrap();
    let client = Seat::default();
    net.host("client")
        .net()
        .connect("server:7", client.protocol())
        .detach();
    net.settle();
    client.connection().write("x");
    let rang = Rc::new(Cell::new(None));
    let (bell, other) = (Rc::clone(&rang), net.host("other").net());
    other.call_later(SECOND, move |net| bell.set(Some(net.now())));
    net.advance(SECOND);
    assert!(rang.get().is_some(), "another host's time passes");
    assert!(server.now() - net.now() >= 9 * SECOND);
    client.connection().write("y");
    net.advance(2 * SECOND);
    // The second one is read when the first callback has returned.
    assert_eq!(*client.received.borrow(), b"at last");
    net.advance(30 * SECOND);
    assert_eq!(*client.received.borrow(), b"at lastat last");
}

#[test]
fn programs_on_one_host_reach_each_other_by_loopback() {
    let mut net = Sim::new(1);
    let here: Net = net.host("host").net();
    let seat = Seat::default();
    let server = seat.clone();
    here.listen("localhost:7", factory(move |_| server.protocol()))
        .unwrap();
    let client = Seat::default();
    here.connect("127.0.0.1:7", client.protocol()).detach();
    net.settle();
    client.connection().write("hello");
    net.settle();
    assert_eq!(*seat.received.borrow(), b"hello");
    assert!(seat.connection().peer().remote().is_local());
    assert_eq!(net.now(), torsade_core::Time::ZERO);
}

#[test]
fn kernels_forget_connections_that_are_over() {
    let mut net = Sim::new(1);
    for _ in 0..3 {
        let (server, client) = pair_again(&mut net);
        client.connection().close();
        net.settle();
        net.advance(10 * SECOND);
        assert!(!server.connection().is_open());
    }
    assert_eq!(net.ends(), 0);
}

fn pair_again(net: &mut Sim) -> (Seat, Seat) {
    let (server, client) = (Seat::default(), Seat::default());
    let seat = server.clone();
    let listener = net
        .host("server")
        .net()
        .listen("0.0.0.0:7", factory(move |_| seat.protocol()))
        .unwrap();
    net.host("client")
        .net()
        .connect("server:7", client.protocol())
        .detach();
    net.settle();
    listener.close();
    (server, client)
}
