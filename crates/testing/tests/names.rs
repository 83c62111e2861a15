//! Names and racing: what `connect` makes of places, on virtual time.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    AttemptError, ConnectError, Disconnect, Endpoint, EndpointError, Family, Filter, Limits,
    ListenError, Place, Protocol, ResolveError, Sides, ToEndpoint, Transport, factory,
};
use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_testing::MemoryReactor;
use torsade_testing::sim::Sim;

const DELAY: Duration = Duration::from_millis(250);

struct Quiet;
impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

type Connecting = Deferred<Transport<Quiet>, ConnectError>;

fn ips(text: &str) -> Vec<IpAddr> {
    text.split(' ').map(|ip| ip.parse().unwrap()).collect()
}

/// A reactor on which `www` is a host with two addresses of each family.
fn reactor() -> MemoryReactor {
    let reactor = MemoryReactor::new();
    reactor.name("www", ips("fd00::1 fd00::2 10.0.0.1 10.0.0.2"));
    reactor
}

fn pending(reactor: &MemoryReactor) -> Vec<String> {
    let pending = reactor.pending_connects();
    pending.iter().map(|it| it.address().to_string()).collect()
}

fn tried(reactor: &MemoryReactor) -> Vec<String> {
    let tried = reactor.connects();
    tried.iter().map(ToString::to_string).collect()
}

fn error(connecting: Connecting) -> ConnectError {
    match connecting.try_take().unwrap().map(drop) {
        Err(Failure::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn attempts_start_one_after_the_other_with_the_families_by_turns() {
    let mut reactor = reactor();
    let connecting = reactor.net().connect("www:80", Quiet);
    assert_eq!(pending(&reactor), ["[fd00::1]:80"]);
    reactor.advance(DELAY - Duration::from_millis(1));
    assert_eq!(pending(&reactor).len(), 1);
    reactor.advance(Duration::from_millis(1));
    assert_eq!(pending(&reactor), ["[fd00::1]:80", "10.0.0.1:80"]);
    reactor.advance(DELAY);
    reactor.advance(DELAY);
    let all = ["[fd00::1]:80", "10.0.0.1:80", "[fd00::2]:80", "10.0.0.2:80"];
    assert_eq!(pending(&reactor), all);
    reactor.advance(10 * DELAY);
    assert_eq!(tried(&reactor), all, "each once");
    connecting.cancel();
    assert_eq!(pending(&reactor), [""; 0]);
}

#[test]
fn the_next_attempt_does_not_wait_when_one_fails() {
    let mut reactor = reactor();
    let connecting = reactor.net().connect("www:80", Quiet);
    let start = reactor.net().now();
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert_eq!(pending(&reactor), ["10.0.0.1:80"]);
    assert_eq!(reactor.net().now(), start);
    // And its own delay begins with it.
    reactor.advance(DELAY - Duration::from_millis(1));
    assert_eq!(pending(&reactor).len(), 1);
    reactor.advance(Duration::from_millis(1));
    assert_eq!(pending(&reactor).len(), 2);
    connecting.cancel();
}

#[test]
fn the_winner_ends_the_others_and_there_is_one_outcome() {
    let mut reactor = reactor();
    let connecting = reactor.net().connect("www:80", Quiet);
    reactor.advance(DELAY);
    let [first, second] = reactor.pending_connects().try_into().unwrap();
    let server = second.succeed();
    assert!(!first.is_waiting());
    let transport = connecting.try_take().unwrap().unwrap();
    assert_eq!(transport.peer().remote().to_string(), "10.0.0.1:80");
    reactor.advance(Duration::from_secs(60));
    assert_eq!(tried(&reactor).len(), 2, "nothing is tried after the end");
    assert_eq!(reactor.net().connections(), 1);
    drop(server);
}

#[test]
fn when_all_fail_all_are_told_of() {
    let reactor = reactor();
    let connecting = reactor.net().connect("www:80", Quiet);
    for kind in [
        ErrorKind::NetworkUnreachable,
        ErrorKind::ConnectionRefused,
        ErrorKind::HostUnreachable,
        ErrorKind::ConnectionReset,
    ] {
        reactor.next_connect().fail(kind);
    }
    let error = error(connecting);
    assert_eq!(error.attempts().len(), 4);
    assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
    assert_eq!(
        error.to_string(),
        "cannot connect to [fd00::1]:80: network unreachable; 10.0.0.1:80: connection refused; \
         [fd00::2]:80: host unreachable; 10.0.0.2:80: connection reset"
    );
}

#[test]
fn one_timeout_is_for_look_ups_and_all_attempts() {
    let mut reactor = reactor();
    let to = Endpoint::host("www", 80).timeout(Duration::from_secs(1));
    let connecting = reactor.net().connect(to, Quiet);
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    reactor.advance(Duration::from_millis(999));
    assert!(!connecting.is_settled());
    reactor.advance(Duration::from_millis(1));
    let error = error(connecting);
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    assert_eq!(error.attempts().len(), 4);
    let unanswered = |it: &&_| matches!(it, AttemptError::Unanswered);
    let errors: Vec<_> = error.attempts().iter().map(|it| &it.error).collect();
    assert_eq!(errors.iter().copied().filter(unanswered).count(), 3);
    assert_eq!(pending(&reactor), [""; 0]);
}

#[test]
fn an_endpoint_paces_its_own_attempts() {
    let mut reactor = reactor();
    let to = Endpoint::host("www", 80);
    let hasty = to.clone().attempt_delay(Duration::from_millis(10));
    let connecting = reactor.net().connect(hasty, Quiet);
    assert_eq!(pending(&reactor).len(), 1);
    reactor.advance(Duration::from_millis(30));
    assert_eq!(pending(&reactor).len(), 4);
    connecting.cancel();
    let patient = to.attempt_delay(Duration::MAX);
    let connecting = reactor.net().connect(patient, Quiet);
    reactor.advance(Duration::from_secs(29));
    assert_eq!(pending(&reactor).len(), 1);
    connecting.cancel();
}

#[test]
fn a_family_is_chosen_in_so_many_words_or_by_the_address_to_connect_from() {
    let reactor = reactor();
    let refuse_all = |to: Endpoint| {
        let before = tried(&reactor).len();
        let connecting = reactor.net().connect(to, Quiet);
        while let Some(next) = reactor.pending_connects().pop() {
            next.fail(ErrorKind::ConnectionRefused);
        }
        (tried(&reactor)[before..].to_vec(), error(connecting))
    };
    let www = || Endpoint::host("www", 80);
    assert_eq!(
        refuse_all(www().family(Family::V4)).0,
        ["10.0.0.1:80", "10.0.0.2:80"]
    );
    assert_eq!(
        refuse_all(www().family(Family::V6)).0,
        ["[fd00::1]:80", "[fd00::2]:80"]
    );
    let from: SocketAddr = "10.9.9.9:0".parse().unwrap();
    assert_eq!(
        refuse_all(www().bind(from)).0,
        ["10.0.0.1:80", "10.0.0.2:80"]
    );

    let four = "10.0.0.1:80".to_endpoint().unwrap().family(Family::V6);
    let (tried, error) = refuse_all(four);
    assert!(tried.is_empty());
    assert!(matches!(error.attempts()[0].error, AttemptError::Family));

    let connecting = reactor.net().connect(www().bind(from), Quiet);
    let next = reactor.next_connect();
    assert_eq!(next.local().unwrap().to_string(), "10.9.9.9:0");
    connecting.cancel();
}

/// Look-ups that the test answers.
#[derive(Clone, Default)]
struct Desk(Rc<RefCell<Vec<Question>>>, Rc<Cell<u32>>);
type Question = (String, Resolver<Vec<IpAddr>, ResolveError>);

impl Desk {
    fn at(reactor: &MemoryReactor) -> Self {
        let this = Self::default();
        let desk = this.clone();
        reactor.net().set_resolver(move |_, name| {
            let (resolver, answer) = Deferred::new();
            let cancelled = desk.1.clone();
            resolver.on_cancel(move || cancelled.set(cancelled.get() + 1));
            desk.0.borrow_mut().push((name.to_owned(), resolver));
            answer
        });
        this
    }

    fn asked(&self) -> Vec<String> {
        self.0.borrow().iter().map(|it| it.0.clone()).collect()
    }

    fn answer(&self, found: Result<Vec<IpAddr>, ResolveError>) {
        let (_, resolver) = self.0.borrow_mut().remove(0);
        resolver.settle(found.map_err(Failure::Error));
    }
}

#[test]
fn a_name_without_an_answer_does_not_keep_other_places_waiting() {
    let mut reactor = MemoryReactor::new();
    let desk = Desk::at(&reactor);
    let spare: SocketAddr = "10.0.0.9:80".parse().unwrap();
    let places = [
        Endpoint::host("www", 80).places()[0].clone(),
        Place::from(spare),
    ];
    let connecting = reactor.net().connect(Endpoint::new(places), Quiet);
    reactor.settle();
    assert_eq!(desk.asked(), ["www"]);
    assert_eq!(pending(&reactor), [""; 0], "the first place is preferred");
    reactor.advance(DELAY);
    assert_eq!(pending(&reactor), ["10.0.0.9:80"]);
    desk.answer(Ok(ips("10.0.0.1")));
    assert_eq!(pending(&reactor), ["10.0.0.9:80", "10.0.0.1:80"]);
    let server = reactor.pending_connects().pop().unwrap().succeed();
    assert!(connecting.try_take().unwrap().is_ok());
    assert_eq!(pending(&reactor), [""; 0]);
    drop(server);
}

#[test]
fn cancelling_leaves_nothing_behind_in_any_state() {
    let mut reactor = MemoryReactor::new();
    let desk = Desk::at(&reactor);
    // Before the resolver was asked.
    reactor.net().connect("www:80", Quiet).cancel();
    reactor.settle();
    assert!(desk.asked().is_empty());
    // While it is looking.
    let connecting = reactor.net().connect("www:80", Quiet);
    reactor.settle();
    assert_eq!(desk.asked(), ["www"]);
    connecting.cancel();
    reactor.settle();
    assert_eq!(desk.1.get(), 1, "the look-up was told");
    desk.answer(Ok(ips("10.0.0.1"))); // too late
    assert_eq!(tried(&reactor), [""; 0]);
    // Between two attempts, with one under way.
    let connecting = reactor.net().connect("www:80", Quiet);
    reactor.settle();
    desk.answer(Ok(ips("10.0.0.1 10.0.0.2")));
    assert_eq!(pending(&reactor), ["10.0.0.1:80"]);
    connecting.cancel();
    reactor.advance(Duration::from_secs(60));
    assert_eq!(tried(&reactor), ["10.0.0.1:80"]);
    assert_eq!(reactor.net().connections(), 0);
}

#[test]
fn who_asks_for_the_same_name_shares_the_answer() {
    let mut reactor = MemoryReactor::new();
    let desk = Desk::at(&reactor);
    let [one, two, three] = [(); 3].map(|()| reactor.net().resolve("www"));
    reactor.settle();
    assert_eq!(desk.asked(), ["www"]);
    two.cancel();
    reactor.settle();
    assert_eq!(desk.1.get(), 0, "others wait still");
    desk.answer(Ok(ips("10.0.0.1")));
    reactor.settle();
    assert_eq!(one.try_take().unwrap().unwrap(), ips("10.0.0.1"));
    assert_eq!(three.try_take().unwrap().unwrap(), ips("10.0.0.1"));
    // And one without an answer times out for who waits, and is forgotten.
    let lost = reactor.net().resolve("www");
    reactor.settle();
    assert_eq!(desk.asked().len(), 1);
    reactor.advance(reactor.net().limits().lookup_timeout);
    let Err(Failure::Error(error)) = lost.try_take().unwrap() else {
        panic!("an answer");
    };
    assert!(matches!(error, ResolveError::TimedOut { .. }));
    assert_eq!(desk.1.get(), 1);
}

#[test]
fn a_resolver_that_fails_or_panics_is_an_error_of_the_attempt() {
    let mut reactor = MemoryReactor::new();
    let connecting = reactor.net().connect("nobody:80", Quiet);
    reactor.settle();
    let not_found = error(connecting);
    assert_eq!(
        not_found.to_string(),
        "cannot connect to nobody:80: no address is known for \"nobody\""
    );
    assert_eq!(not_found.kind(), ErrorKind::NotFound);
    reactor.net().set_resolver(|_, _| panic!("no server"));
    reactor.expect_panic("panic in a resolver of names: no server");
    let connecting = reactor.net().connect("www:80", Quiet);
    reactor.settle();
    assert!(error(connecting).to_string().contains("no server"));
}

#[test]
fn a_resolver_is_called_in_a_turn_and_not_by_who_asks() {
    let reactor = MemoryReactor::new();
    let (calls, busy) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (count, is_busy) = (calls.clone(), busy.clone());
    reactor.net().set_resolver(move |net, _| {
        assert!(net.is_in_turn() && !is_busy.get());
        count.set(count.get() + 1);
        Deferred::succeed(ips("10.0.0.1"))
    });
    busy.set(true);
    let asked = reactor.net().resolve("www");
    busy.set(false);
    assert_eq!(calls.get(), 0);
    reactor.settle();
    assert_eq!(calls.get(), 1);
    assert!(asked.try_take().unwrap().is_ok());
}

#[test]
fn look_ups_and_addresses_are_bounded() {
    let mut limits = Limits::default();
    limits.lookups = 2;
    limits.lookup_addresses = 3;
    let reactor = MemoryReactor::with_limits(limits);
    let desk = Desk::at(&reactor);
    let (a, b) = (reactor.net().resolve("a"), reactor.net().resolve("b"));
    let c = reactor.net().resolve("c").try_take().unwrap();
    assert!(matches!(c, Err(Failure::Error(ResolveError::Full))));
    reactor.settle();
    desk.answer(Ok(ips("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4")));
    reactor.settle();
    assert_eq!(a.try_take().unwrap().unwrap().len(), 3);
    b.cancel();
    let again = reactor.net().resolve("c");
    assert!(!again.is_settled());
    again.cancel();
}

#[test]
fn texts_are_places_or_say_what_is_wrong_with_them() {
    let shown = |text: &str| match text.to_endpoint() {
        Ok(endpoint) => endpoint
            .places()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => format!("! {error}"),
    };
    for (text, expected) in [
        ("example.org:80", "example.org:80"),
        ("example.org.:80", "example.org.:80"),
        ("_dmarc.example.org:80", "_dmarc.example.org:80"),
        ("LOCALHOST:80", "127.0.0.1:80 [::1]:80"),
        ("a.localhost.:80", "127.0.0.1:80 [::1]:80"),
        ("[fe80::1%7]:80", "[fe80::1%7]:80"),
        ("[fe80::1%lo]:80", "[fe80::1%lo]:80"),
    ] {
        assert_eq!(shown(text), expected);
    }
    let long = format!("{}:80", "a.".repeat(128));
    let label = format!("{}.org:80", "a".repeat(64));
    for text in [
        "",
        ":80",
        "a..b:80",
        ".:80",
        "a b:80",
        "[a]:80",
        "[::1%]:80",
        "bücher.de:80",
        "1.2.3:80",
        "127.1:80",
        "0x7f.0x1:80",
        "::1:80",
        "tcp:example.org:80",
        "example.org:http",
        &long,
        &label,
        "a\0b:80",
        "a\n:80",
    ] {
        assert!(shown(text).starts_with("! "), "{text:?}: {}", shown(text));
    }
    assert!(shown("tcp:example.org:80").contains("description of an endpoint"));
    assert!(shown("bücher.de:80").contains("xn--"));
    assert!(("example.org", 80).to_endpoint().is_ok());
    assert!(("exa mple.org", 80).to_endpoint().is_err());
    assert_eq!(("::1", 80).to_endpoint().unwrap().places().len(), 1);
    // What is made by hand is checked when it is used.
    let reactor = MemoryReactor::new();
    let odd = error(reactor.net().connect(Endpoint::host("a b", 80), Quiet));
    assert!(odd.to_string().contains("' '"), "{odd}");
    let zone = error(reactor.net().connect("[fe80::1%nic9]:80", Quiet));
    assert!(zone.to_string().contains("no interface \"nic9\""), "{zone}");
    let names = ["127.0.0.1", "localhost"].map(|name| reactor.net().resolve(name));
    assert!(names.into_iter().all(|it| it.try_take().unwrap().is_ok()));
    let odd = reactor.net().resolve("a/b").try_take().unwrap();
    assert!(matches!(
        odd,
        Err(Failure::Error(ResolveError::Name(
            EndpointError::Name { .. }
        )))
    ));
}

#[test]
fn one_listens_at_addresses_only() {
    let reactor = reactor();
    let refused = reactor.net().listen("www:80", factory(|_| Quiet));
    let Err(error @ ListenError::Name { .. }) = refused.map(drop) else {
        panic!("listening");
    };
    assert!(error.to_string().contains("0.0.0.0:80"), "{error}");
    assert!(
        reactor
            .net()
            .listen("localhost:80", factory(|_| Quiet))
            .is_ok()
    );
}

/// Breaks the connection as soon as the first byte comes.
struct Broken;
impl Filter for Broken {
    fn is_ready(&self) -> bool {
        false
    }
    fn decode(&mut self, _: &mut [u8], _: &mut Sides<'_>) -> Result<usize, Disconnect> {
        Err(Disconnect::protocol("no handshake"))
    }
    fn encode(&mut self, _: &[&[u8]], _: &mut Sides<'_>) -> Result<(), Disconnect> {
        Ok(())
    }
}

#[test]
fn a_handshake_that_fails_is_the_outcome_and_nothing_else_is_tried() {
    let reactor = reactor();
    let to = Endpoint::host("www", 80).filter(|_| Broken);
    let connecting = reactor.net().connect(to, Quiet);
    let mut server = reactor.next_connect().succeed();
    server.feed("hello");
    assert!(matches!(error(connecting), ConnectError::Handshake { .. }));
    assert_eq!(tried(&reactor).len(), 1);
}

fn dual_stack(net: &Sim) -> IpAddr {
    let server = net.host("server");
    for at in ["0.0.0.0:7", "[::]:7"] {
        server.net().listen(at, factory(|_| Quiet)).unwrap();
    }
    server.ipv6_address()
}

#[test]
fn simulated_one_broken_family_costs_no_more_than_the_delay() {
    let mut net = Sim::new(1);
    let (six, four) = (dual_stack(&net), net.host("server").address());
    let nowhere = ["fd00::ffff", "10.9.9.9"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let latency = Duration::from_millis(40);
    for (name, addresses) in [
        ("whole", [six, four]),
        ("no-six", [nowhere[0], four]),
        ("no-four", [nowhere[1], six]),
    ] {
        net.name(name, addresses);
        let connecting = net.host("ann").net().connect((name, 7), Quiet);
        net.advance(DELAY + latency);
        let transport = connecting.try_take().unwrap().unwrap();
        let works = match name {
            "no-six" => four,
            _ => six,
        };
        assert_eq!(transport.peer().remote().ip(), Some(works), "{name}");
        transport.abort();
    }
    net.advance(Duration::from_secs(60));
    assert_eq!(net.host("server").net().connections(), 0, "losers are gone");
}

#[test]
fn simulated_look_ups_are_slow_fail_or_stay_unanswered() {
    let mut net = Sim::new(1);
    dual_stack(&net);
    let ann = net.host("ann").net();
    let slow = net.slow_lookups("ann", Duration::from_secs(3));
    let connecting = ann.connect("server:7", Quiet);
    net.advance(Duration::from_millis(2999));
    assert!(!connecting.is_settled());
    net.advance(Duration::from_millis(100));
    assert!(connecting.try_take().unwrap().is_ok());
    drop(slow);

    let failing = net.fail_lookups("ann");
    let connecting = ann.connect("server:7", Quiet);
    net.advance(Duration::from_millis(1));
    assert!(
        error(connecting)
            .to_string()
            .contains("the name server cannot tell")
    );
    drop(failing);

    let silent = net.silence_lookups("ann");
    let late = ann.connect("server:7", Quiet);
    net.advance(Duration::from_secs(29));
    assert!(!late.is_settled());
    net.advance(Duration::from_secs(1));
    assert!(matches!(error(late), ConnectError::TimedOut { .. }));
    let soon = ann.connect("server:7", Quiet);
    net.advance(Duration::from_secs(4));
    drop(silent);
    net.advance(Duration::from_secs(2));
    assert!(soon.try_take().unwrap().is_ok());
    // A host that is killed while it asks has no answers later.
    let silent = net.silence_lookups("eve");
    let lost = net.host("eve").net().connect("server:7", Quiet);
    net.advance(Duration::from_secs(1));
    net.kill("eve").heal();
    net.advance(Duration::from_millis(1));
    // Its new program asks for another name, and gets no old answer.
    let bob = net.host("bob").address();
    let other = net.host("eve").net().resolve("bob");
    net.advance(Duration::from_secs(1));
    drop(silent);
    net.advance(Duration::from_secs(60));
    assert_eq!(other.try_take().unwrap().unwrap(), [bob]);
    assert!(matches!(
        lost.try_take().unwrap().map(drop),
        Err(Failure::Abandoned)
    ));
}
