//! The memory reactor: whole programs, with the test as everybody else.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    ConnectError, Disconnect, Limits, ListenError, Net, Peer, Protocol, ToEndpoint, Transport,
    WhenFull, factory,
};
use torsade_deferred::{Deferred, Failure};
use torsade_testing::{MemoryReactor, StringTransport, Xor};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// What was noted since this was last asked.
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Notes its life and sends back what it gets.
struct Echo(&'static str, Log);

impl Echo {
    fn note(&self, what: &str) {
        self.1.note(format!("{} {what}", self.0));
    }
}

impl Protocol for Echo {
    fn connection_made(&mut self, _: &Transport<Self>) {
        self.note("made");
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.note(&format!("data {}", data.escape_ascii()));
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.note(&format!("lost: {reason}"));
    }
}

const DOOR: &str = "127.0.0.1:8007";

fn serve(net: &Net, name: &'static str, log: &Log) -> torsade_core::Listener {
    let log = log.clone();
    net.listen(DOOR, factory(move |_| Echo(name, log.clone())))
        .unwrap()
}

fn at_most(connections: usize, policy: WhenFull) -> MemoryReactor {
    let mut limits = Limits::default();
    limits.max_connections = connections;
    limits.when_full = policy;
    MemoryReactor::with_limits(limits)
}

/// What a connect came to.
struct Outcome(Rc<RefCell<Option<Connected>>>);

type Connected = Result<Transport<Echo>, Failure<ConnectError>>;

fn watch(attempt: Deferred<Transport<Echo>, ConnectError>) -> Outcome {
    let place = Rc::new(RefCell::new(None));
    let seat = Rc::clone(&place);
    attempt.finish(move |result| *seat.borrow_mut() = Some(result));
    Outcome(place)
}

impl Outcome {
    fn text(&self, reactor: &MemoryReactor) -> String {
        reactor.settle();
        match &*self.0.borrow() {
            None => "waits".into(),
            Some(Ok(_)) => "made".into(),
            Some(Err(error)) => error.to_string(),
        }
    }

    fn transport(self) -> Transport<Echo> {
        self.0.take().unwrap().unwrap()
    }
}

#[test]
fn who_comes_too_many_is_shed() {
    let (reactor, log) = (at_most(1, WhenFull::Shed), Log::default());
    serve(reactor.net(), "server", &log);
    let mut first = reactor.dial(DOOR);
    let second = reactor.dial(DOOR);
    assert!(!first.has_ended() && second.has_ended());
    assert_eq!((reactor.net().accepted(), reactor.net().shed()), (1, 1));
    first.end();
    assert!(!reactor.dial(DOOR).has_ended());
    let lost = "server lost: closed by the peer";
    assert_eq!(log.take(), ["server made", lost, "server made"]);
}

#[test]
fn who_comes_too_many_waits_if_that_is_the_policy() {
    let (reactor, log) = (at_most(1, WhenFull::Wait), Log::default());
    let listener = serve(reactor.net(), "server", &log);
    let mut first = reactor.dial(DOOR);
    let mut second = reactor.dial(DOOR);
    second.feed("hi");
    assert_eq!((second.take_sent(), second.has_ended()), (vec![], false));
    first.reset();
    assert_eq!(second.take_sent(), b"hi");
    // Who still waits when the listener closes is turned away.
    let third = reactor.dial(DOOR);
    listener.close();
    assert!(third.has_reset() && !second.has_reset());
}

#[test]
fn filters_lie_between_the_far_end_and_the_protocol() {
    let (reactor, log) = (MemoryReactor::new(), Log::default());
    let notes = log.clone();
    let filtered = DOOR.to_endpoint().unwrap().filter(|_| Xor::new(7));
    let build = factory(move |_: &Peer| Echo("server", notes.clone()));
    reactor.net().listen(filtered.clone(), build).unwrap();
    let mut far = reactor.dial(DOOR);
    let wire = Xor::scrambled(7, 0, b"hello");
    far.feed(&wire);
    assert_eq!(far.take_sent(), wire);
    assert_eq!(log.take(), ["server made", "server data hello"]);

    let client = Echo("client", log.clone());
    let connecting = watch(reactor.net().connect(filtered, client));
    let mut far = reactor.next_connect().succeed();
    far.feed(&wire);
    assert_eq!(far.take_sent(), wire);
    assert_eq!(connecting.text(&reactor), "made");
    assert_eq!(log.take(), ["client made", "client data hello"]);
}

#[test]
fn a_connect_waits_for_the_test() {
    let (mut reactor, log) = (MemoryReactor::new(), Log::default());
    let connecting = watch(
        reactor
            .net()
            .connect("192.0.2.1:80", Echo("client", log.clone())),
    );
    assert_eq!(connecting.text(&reactor), "waits");
    let pending = reactor.next_connect();
    assert_eq!(pending.address().to_string(), "192.0.2.1:80");
    reactor.advance(Duration::from_secs(1));
    assert!(pending.is_waiting() && log.take().is_empty());

    let mut far = pending.succeed();
    let transport = connecting.transport();
    assert_eq!(transport.peer(), far.peer());
    far.feed("x");
    assert_eq!(far.take_sent(), b"x");
    far.end();
    assert!(far.has_ended() && reactor.pending_connects().is_empty());
    let lost = "client lost: closed by the peer";
    assert_eq!(log.take(), ["client made", "client data x", lost]);
}

#[test]
fn a_connect_that_fails_goes_on_to_the_next_address() {
    let (reactor, log) = (MemoryReactor::new(), Log::default());
    let both: [SocketAddr; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| (ip, 80).into());
    let connecting = watch(
        reactor
            .net()
            .connect(&both[..], Echo("client", log.clone())),
    );
    reactor
        .next_connect()
        .fail(io::ErrorKind::NetworkUnreachable);
    assert_eq!(connecting.text(&reactor), "waits");
    assert_eq!(*reactor.next_connect().address(), both[1]);
    reactor
        .next_connect()
        .fail(io::ErrorKind::ConnectionRefused);
    let failed = connecting.0.take().unwrap().map(drop);
    let Err(Failure::Error(error @ ConnectError::Failed { .. })) = failed else {
        panic!("{failed:?}");
    };
    let told = format!(
        "cannot connect to {}: network unreachable; {}: connection refused",
        both[0], both[1]
    );
    assert_eq!(error.to_string(), told);
    assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
    assert_eq!(reactor.connects(), both);
    assert_eq!(log.take(), [""; 0]);
}

#[test]
fn a_connect_that_is_over_waits_no_more() {
    let (mut reactor, log) = (MemoryReactor::new(), Log::default());
    let quiet = || Echo("client", log.clone());
    let late = watch(reactor.net().connect(DOOR, quiet()));
    let cancelled = reactor.net().connect(DOOR, quiet());
    assert_eq!(reactor.pending_connects().len(), 2);
    cancelled.cancel();
    assert_eq!(reactor.pending_connects().len(), 1);
    let pending = reactor.next_connect();
    reactor.advance(reactor.net().limits().connect_timeout);
    assert!(!pending.is_waiting());
    assert!(
        late.text(&reactor).contains("time"),
        "{}",
        late.text(&reactor)
    );
    let succeed = std::panic::AssertUnwindSafe(|| pending.succeed());
    let payload = std::panic::catch_unwind(succeed).unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("does not wait any more"), "{text}");
}

#[test]
fn a_client_and_a_server_run_against_each_other() {
    let log = Log::default();
    let (server, client) = (MemoryReactor::new(), MemoryReactor::new());
    serve(server.net(), "server", &log);
    let waits = watch(client.net().connect(DOOR, Echo("one", log.clone())));
    assert_eq!(waits.text(&client), "waits");
    client.join();
    let one = waits.transport();
    assert_eq!(log.take(), ["one made", "server made"]);
    let two = watch(client.net().connect(DOOR, Echo("two", log.clone())));
    assert_eq!(two.text(&client), "made");
    assert_eq!(log.take(), ["two made", "server made"]);
    one.write("a");
    // Both echo: they would go on for ever.
    one.close();
    client.settle();
    let heard = ["one lost: closed here", "server data a"];
    assert_eq!(log.take()[..2], heard);
    let nobody = watch(client.net().connect("127.0.0.1:9", Echo("x", log.clone())));
    client.settle();
    assert!(nobody.text(&client).contains("refused"));
}

#[test]
fn a_reactor_reaches_its_own_listeners() {
    let (reactor, log) = (MemoryReactor::new(), Log::default());
    let every = "0.0.0.0:8007";
    let notes = log.clone();
    let build = factory(move |peer: &Peer| {
        notes.note(format!("from {}", peer.remote().ip().unwrap()));
        Some(Echo("server", notes.clone()))
    });
    reactor.net().listen(every, build).unwrap();
    let connecting = watch(reactor.net().connect(DOOR, Echo("client", log.clone())));
    reactor.next_connect().join();
    let transport = connecting.transport();
    assert_eq!(transport.peer().remote().to_string(), DOOR);
    transport.abort();
    reactor.settle();
    let lost = [
        "client lost: aborted here",
        "server lost: reset by the peer",
    ];
    let made = ["client made", "from 127.0.0.1", "server made"];
    assert_eq!(log.take(), [&made[..], &lost[..]].concat());
    assert_eq!(reactor.net().connections(), 0);
}

/// Sends so much and counts what comes back.
struct Sender(usize, usize);

impl Protocol for Sender {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(vec![7; self.0]);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.1 += data.len();
        if self.1 == self.0 {
            transport.close();
        }
    }
}

#[test]
fn joined_ends_carry_every_byte_through_small_queues() {
    struct Quiet;
    impl Protocol for Quiet {
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            assert!(data.len() <= 100, "{}", data.len());
            transport.write(data);
        }
    }
    let server = MemoryReactor::new();
    let client = MemoryReactor::new().queue(1000).segment(100);
    server.net().listen(DOOR, factory(|_| Quiet)).unwrap();
    client.join();
    let sender = client.net().connect(DOOR, Sender(200_000, 0));
    client.settle();
    let transport = sender.try_take().unwrap().unwrap();
    assert_eq!(transport.bytes_received(), 200_000);
    assert_eq!(client.net().connections() + server.net().connections(), 0);
}

#[test]
fn a_server_that_does_not_read_fills_the_queues() {
    struct Deaf;
    impl Protocol for Deaf {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.pause_reading();
        }
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    let reactor = MemoryReactor::new().queue(10_000);
    reactor.net().listen(DOOR, factory(|_| Deaf)).unwrap();
    reactor.join();
    let sender = reactor.net().connect(DOOR, Sender(100_000, 0));
    reactor.settle();
    let transport = sender.try_take().unwrap().unwrap();
    assert_eq!(transport.buffered(), 80_000);
}

#[test]
fn who_joins_a_full_server_is_turned_away() {
    let (server, log) = (at_most(0, WhenFull::Shed), Log::default());
    serve(server.net(), "server", &log);
    let client = MemoryReactor::new();
    client.join();
    let connecting = watch(client.net().connect(DOOR, Echo("client", log.clone())));
    assert_eq!(connecting.text(&client), "made");
    let lost = "client lost: closed by the peer";
    assert_eq!(log.take(), ["client made", lost]);
}

#[test]
fn a_server_that_goes_is_seen_by_its_clients() {
    let log = Log::default();
    let (server, client) = (MemoryReactor::new(), MemoryReactor::new());
    serve(server.net(), "server", &log);
    client.join();
    let connecting = watch(client.net().connect(DOOR, Echo("client", log.clone())));
    assert_eq!(connecting.text(&client), "made");
    log.take();
    drop(server);
    client.settle();
    let lost = [
        "server lost: the reactor is gone",
        "client lost: reset by the peer",
    ];
    assert_eq!(log.take(), lost);
    // The address is free.
    serve(client.net(), "client", &log).close();
}

#[test]
fn an_address_has_one_listener() {
    let log = Log::default();
    let (one, other) = (MemoryReactor::new(), MemoryReactor::new());
    let listener = serve(one.net(), "server", &log);
    for taken in [DOOR, "0.0.0.0:8007"] {
        let again = other.net().listen(taken, factory(|_| None::<Echo>));
        let Err(ListenError::System { error, .. }) = again else {
            panic!("{again:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
    listener.close();
    assert!(one.listening().is_empty());
    serve(other.net(), "server", &log);
    let any = [&one, &other].map(|reactor| {
        let build = factory(|_| None::<Echo>);
        let listener = reactor.net().listen("127.0.0.1:0", build).unwrap();
        listener.address()
    });
    assert_ne!(any[0], any[1]);
    assert_eq!(other.listening(), [DOOR.parse().unwrap(), any[1].clone()]);
}

#[test]
#[should_panic(expected = "nobody listens on 127.0.0.1:8007")]
fn nobody_is_dialled_where_nobody_listens() {
    MemoryReactor::new().dial(DOOR);
}

#[test]
fn a_stop_is_seen_through() {
    let (mut reactor, log) = (MemoryReactor::new(), Log::default());
    serve(reactor.net(), "server", &log);
    let far = reactor.dial(DOOR);
    let (resolver, saved) = Deferred::<(), String>::new();
    reactor.net().before_stop(|| saved);
    let remote = reactor.net().remote();
    remote.post(Net::stop).unwrap();
    assert!(!reactor.has_stopped() && !far.has_ended());
    resolver.resolve(());
    assert!(reactor.has_stopped() && far.has_ended());
    reactor.advance(Duration::ZERO);
    assert_eq!(log.take(), ["server made", "server lost: closed here"]);
}

/// What dropping this complains about.
fn complaint(reactor: MemoryReactor) -> String {
    let drop_it = std::panic::AssertUnwindSafe(|| drop(reactor));
    match std::panic::catch_unwind(drop_it) {
        Ok(()) => "none".into(),
        Err(payload) => payload.downcast_ref::<String>().unwrap().clone(),
    }
}

#[test]
fn what_no_assertion_saw_fails_the_test() {
    let reactor = MemoryReactor::new();
    reactor.net().remote().post(|_| panic!("so")).unwrap();
    assert!(complaint(reactor).contains("so"));

    let reactor = MemoryReactor::new();
    let call = |_: &Net| Deferred::<(), _>::fail("nobody looked").detach();
    reactor.net().call_later(Duration::ZERO, call);
    assert!(complaint(reactor).contains("nobody looked"));

    let mut reactor = MemoryReactor::new();
    reactor.expect_panic("so");
    reactor.expect_unhandled("nobody looked");
    reactor.net().remote().post(|_| panic!("so")).unwrap();
    reactor.net().remote().post(call).unwrap();
    assert_eq!(complaint(reactor), "none");
}

#[test]
fn a_timer_is_left_over_when_nobody_is_left_to_need_it() {
    let armed = || {
        let reactor = MemoryReactor::new();
        reactor.net().call_later(Duration::from_secs(1), |_| ());
        reactor
    };
    let told = complaint(armed());
    assert!(told.contains("tests/memory_reactor.rs:"), "{told}");

    let (listening, log) = (armed(), Log::default());
    serve(listening.net(), "server", &log);
    assert_eq!(complaint(listening), "none");

    let connecting = armed();
    let attempt = watch(connecting.net().connect(DOOR, Echo("client", log)));
    assert_eq!(attempt.text(&connecting), "waits");
    assert_eq!(complaint(connecting), "none");
}

#[test]
fn a_programs_own_connect_is_not_taken_for_the_transport() {
    let log = Log::default();
    let notes = log.clone();
    let own = Rc::new(RefCell::new(None));
    let place = own.clone();
    let mut t = StringTransport::builder().connect_with(move |net| {
        let attempt = net.connect(DOOR, Echo("own", notes.clone()));
        *place.borrow_mut() = Some(watch(attempt));
        Echo("client", notes)
    });
    t.feed("x");
    assert_eq!(t.take_sent(), b"x");
    assert_eq!(log.take(), ["client made", "client data x"]);
    let own = own.take().unwrap();
    assert!(matches!(*own.0.borrow(), Some(Err(_))));
}

#[test]
#[should_panic(expected = "Limits::max_connections is 0")]
fn a_string_transport_that_may_not_be_says_so() {
    let mut limits = Limits::default();
    limits.max_connections = 0;
    StringTransport::builder()
        .limits(limits)
        .serve(Echo("server", Log::default()));
}
