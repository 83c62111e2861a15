//! Unix sockets on the fakes: whole programs, their names and what they pass.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::RefCell;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Address, Adopted, ConnectError, EndpointError, ListenError, Net, Protocol, ToEndpoint,
    Transport, UnixAddress, UnixListen, factory,
};
use torsade_deferred::{Deferred, Failure};
use torsade_testing::MemoryReactor;
use torsade_testing::sim::{Links, Sim};

/// Answers with how many descriptors came, and what it is called.
struct Counts;

impl Protocol for Counts {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.receive_descriptors(true);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let came = transport.take_descriptors().len();
        let here = transport.peer().local();
        transport.write(format!("{} bytes, {came} to {here};", data.len()));
    }
}

/// Sends two descriptors, and keeps what it hears.
struct Sends(Rc<RefCell<String>>);

impl Protocol for Sends {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let (one, other) = std::io::pipe().unwrap();
        let pipe: [OwnedFd; 2] = [one.into(), other.into()];
        transport.write_with_descriptors("abc", pipe).unwrap();
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let heard = std::str::from_utf8(data).unwrap();
        let (remote, local) = (transport.peer().remote(), transport.peer().local());
        *self.0.borrow_mut() += &format!("{heard} from {remote} to {local}");
        transport.close();
    }
}

/// The program: a server and a client of it, at the same place.
fn play(net: &Net, at: &UnixAddress) -> Rc<RefCell<String>> {
    net.listen(at, factory(|_| Counts)).unwrap();
    let heard = Rc::default();
    net.connect(at, Sends(Rc::clone(&heard))).detach();
    heard
}

fn places() -> [UnixAddress; 2] {
    [
        UnixAddress::path("/run/counts"),
        UnixAddress::abstract_name("counts"),
    ]
}

#[test]
fn a_whole_program_runs_on_the_memory_reactor() {
    for at in places() {
        let reactor = MemoryReactor::new();
        reactor.join();
        let heard = play(reactor.net(), &at);
        reactor.settle();
        let expected = format!("3 bytes, 2 to {at}; from {at} to unix:");
        assert_eq!(*heard.borrow(), expected);
        assert_eq!(reactor.net().connections(), 0);
    }
}

#[test]
fn a_whole_program_runs_on_a_simulated_host() {
    for at in places() {
        let mut simulation = Sim::new(7);
        simulation.links(Links::ideal());
        let host = simulation.host("a");
        let heard = play(&host.net(), &at);
        simulation.settle();
        let expected = format!("3 bytes, 2 to {at}; from {at} to unix:");
        assert_eq!(*heard.borrow(), expected);
        assert_eq!(host.net().connections(), 0);
    }
}

#[test]
fn a_simulated_socket_is_of_its_host() {
    let mut simulation = Sim::new(7);
    let (here, there) = (simulation.host("a"), simulation.host("b"));
    let at = UnixAddress::path("/run/counts");
    here.net().listen(&at, factory(|_| Counts)).unwrap();
    let refused = here.net().listen(&at, factory(|_| Counts));
    let Err(ListenError::System { error, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    // The first of the names and the first port are two places.
    here.net().listen("[::1]:1", factory(|_| Counts)).unwrap();
    let attempt = there.net().connect(&at, Counts);
    simulation.settle();
    let refused = attempt.try_take().unwrap();
    assert!(
        matches!(&refused, Err(failure) if format!("{failure}").contains("refused")),
        "{refused:?}"
    );
    there.net().listen(&at, factory(|_| Counts)).unwrap();
}

#[test]
fn a_memory_reactor_takes_options_and_refuses_what_no_system_could_have() {
    let reactor = MemoryReactor::new();
    let at = UnixListen::at("/run/a").mode(0o600).replace_stale();
    let listener = reactor
        .net()
        .listen(at.clone(), factory(|_| Counts))
        .unwrap();
    assert_eq!(
        listener.address().unix(),
        Some(&UnixAddress::path("/run/a"))
    );
    let again = reactor.net().listen(at, factory(|_| Counts));
    assert!(matches!(again, Err(ListenError::System { .. })));
    let mut client = reactor.dial(UnixAddress::path("/run/a"));
    assert_eq!(*client.peer().remote(), Address::from(UnixAddress::Unnamed));
    client.feed("x");
    assert_eq!(client.take_sent(), b"1 bytes, 0 to unix:/run/a;");
    listener.close();

    let long = UnixAddress::path("x".repeat(300));
    let refused = reactor.net().listen(long, factory(|_| Counts));
    assert!(matches!(
        refused,
        Err(ListenError::Endpoint(EndpointError::UnixName { .. }))
    ));
    // Sockets of the system have no place on a network that is made up.
    let (one, _other) = std::io::pipe().unwrap();
    let refused = reactor.net().listen(Adopted::new(one), factory(|_| Counts));
    assert!(matches!(refused, Err(ListenError::System { error, .. })
        if error.kind() == ErrorKind::Unsupported));
}

fn connect_with_timeout(reactor: &MemoryReactor, milliseconds: u64) -> Attempt {
    let there = UnixAddress::path("/run/a").to_endpoint().unwrap();
    let there = there.timeout(Duration::from_millis(milliseconds));
    reactor.net().connect(there, Counts)
}

type Attempt = Deferred<Transport<Counts>, ConnectError>;

#[test]
fn who_finds_a_full_queue_tries_again_after_waits_that_double() {
    let mut reactor = MemoryReactor::new();
    let attempt = connect_with_timeout(&reactor, 10_000);
    for wait in [1, 2, 4, 8, 16, 32, 64, 64] {
        reactor.next_connect().fail(ErrorKind::WouldBlock);
        reactor.advance(Duration::from_millis(wait) - Duration::from_micros(1));
        assert!(reactor.pending_connects().is_empty());
        reactor.advance(Duration::from_micros(1));
        assert_eq!(reactor.pending_connects().len(), 1, "after {wait} ms");
    }
    let far = reactor.next_connect().succeed();
    assert!(attempt.try_take().unwrap().is_ok());
    drop(far);
    // Nobody is left who would try again.
    reactor.advance(Duration::from_secs(10));
    assert!(reactor.pending_connects().is_empty());
}

#[test]
fn a_wait_for_room_ends_with_its_connect() {
    let mut reactor = MemoryReactor::new();
    let attempt = connect_with_timeout(&reactor, 2);
    reactor.next_connect().fail(ErrorKind::WouldBlock);
    reactor.advance(Duration::from_millis(1));
    reactor.next_connect().fail(ErrorKind::WouldBlock);
    reactor.advance(Duration::from_millis(1));
    let Err(Failure::Error(ConnectError::TimedOut { attempts })) =
        attempt.try_take().unwrap().map(drop)
    else {
        panic!("it goes on");
    };
    assert_eq!(attempts.len(), 1);

    let attempt = connect_with_timeout(&reactor, 100);
    reactor.next_connect().fail(ErrorKind::WouldBlock);
    attempt.cancel();
    reactor.advance(Duration::from_secs(1));
    assert!(reactor.pending_connects().is_empty());
}

#[test]
fn other_trouble_of_a_unix_socket_and_the_same_of_another_is_not_waited_for() {
    let reactor = MemoryReactor::new();
    let attempt = connect_with_timeout(&reactor, 100);
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert!(attempt.try_take().unwrap().is_err());
    let attempt = reactor.net().connect("127.0.0.1:1", Counts);
    reactor.next_connect().fail(ErrorKind::WouldBlock);
    assert!(attempt.try_take().unwrap().is_err());
}
