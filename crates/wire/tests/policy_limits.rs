//! Limits of connections: who is refused, and that every count comes down again.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use torsade_core::{Address, Disconnect, Factory, Peer, Protocol, Transport, factory};
use torsade_testing::StringTransport;
use torsade_wire::LimitConnections;

/// One of the addresses that are kept for documents.
fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

fn peer(ip: impl Into<IpAddr>) -> Peer {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 8007));
    Peer::new(SocketAddr::new(ip.into(), 50_000), local)
}

struct Fragile;

impl Protocol for Fragile {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        match data {
            b"panic" => panic!("as asked"),
            b"switch" => transport.switch(Other),
            _ => {}
        }
    }
}

struct Other;

impl Protocol for Other {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

fn fragile() -> impl Factory<Protocol = Fragile> {
    factory(|_: &Peer| Fragile)
}

#[test]
fn the_total_and_each_peer_have_their_limit() {
    let mut limited = LimitConnections::new(fragile(), 3, 2);
    let counts = limited.counts();
    let mut build = |last| limited.build(&peer(ip(last)));
    let _first = build(1).unwrap();
    let second = build(1).unwrap();
    assert!(build(1).is_none());
    let _third = build(2).unwrap();
    assert!(build(3).is_none());
    assert_eq!(
        (counts.total(), counts.peers(), counts.refused()),
        (3, 2, 2)
    );
    assert_eq!(counts.of(ip(1).into()), 2);
    assert_eq!(counts.of(ip(3).into()), 0);
    drop(second); // never made
    assert!(build(3).is_some());
}

#[test]
fn an_address_is_the_same_one_within_ipv6() {
    let mut limited = LimitConnections::new(fragile(), 9, 1);
    let _one = limited.build(&peer(ip(1))).unwrap();
    assert!(limited.build(&peer(ip(1).to_ipv6_mapped())).is_none());
    assert_eq!(limited.counts().of(ip(1).to_ipv6_mapped().into()), 1);
}

#[test]
fn a_connection_counts_until_it_is_lost() {
    let mut limited = LimitConnections::new(fragile(), 9, 9);
    let counts = limited.counts();
    let mut serve = || {
        let peer = peer(ip(1));
        let protocol = limited.build(&peer).unwrap();
        StringTransport::builder()
            .peer(peer)
            .window(0)
            .serve(protocol)
    };
    let mut t = serve();
    t.connection().write("x");
    t.connection().close();
    assert_eq!(counts.total(), 1); // it is being flushed
    t.set_window(1);
    assert_eq!((counts.total(), counts.peers()), (0, 0));

    let mut t = serve();
    t.expect_panic("as asked");
    t.feed(b"panic");
    assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    assert_eq!(counts.total(), 0);

    let t = serve();
    assert_eq!(counts.total(), 1);
    drop(t); // the reactor goes
    assert_eq!((counts.total(), counts.peers()), (0, 0));
}

#[test]
fn a_protocol_that_is_switched_away_does_not_take_its_place_along() {
    let mut limited = LimitConnections::new(fragile(), 9, 9);
    let counts = limited.counts();
    let protocol = limited.build(&peer(ip(1))).unwrap();
    let mut t = StringTransport::serve(protocol);
    t.feed(b"switch");
    assert_eq!(counts.total(), 1);
    t.end();
    assert_eq!(counts.total(), 0);
}

#[test]
fn a_factory_that_refuses_or_panics_takes_no_place() {
    let mut limited = LimitConnections::new(factory(|_: &Peer| None::<Fragile>), 1, 1);
    let counts = limited.counts();
    for _ in 0..3 {
        assert!(limited.build(&peer(ip(1))).is_none());
    }
    assert_eq!((counts.total(), counts.refused()), (0, 0));

    let panics = |_: &Peer| -> Fragile { panic!("as asked") };
    let mut limited = LimitConnections::new(factory(panics), 1, 1);
    let counts = limited.counts();
    let peer = peer(ip(1));
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| limited.build(&peer).is_some()));
    panic::set_hook(hook);
    assert!(outcome.is_err());
    assert_eq!((counts.total(), counts.peers()), (0, 0));
}

#[test]
fn factories_may_count_together() {
    let mut one = LimitConnections::new(fragile(), 2, 2);
    let mut two = LimitConnections::new(fragile(), 2, 2).counted_by(&one.counts());
    let _first = one.build(&peer(ip(1))).unwrap();
    let _second = two.build(&peer(ip(2))).unwrap();
    assert!(one.build(&peer(ip(3))).is_none());
    assert_eq!(two.counts().refused(), 1);
}

#[test]
fn the_factory_inside_is_told_what_it_would_be() {
    type Told = Rc<RefCell<Vec<String>>>;
    struct Teller(Told);
    impl Factory for Teller {
        type Protocol = Fragile;
        fn build(&mut self, _: &Peer) -> Option<Fragile> {
            None
        }
        fn started(&mut self, address: &Address) {
            self.0.borrow_mut().push(format!("started {address}"));
        }
        fn stopped(&mut self) {
            self.0.borrow_mut().push("stopped".into());
        }
        fn failed(&mut self, _: &Peer, reason: &Disconnect) {
            self.0.borrow_mut().push(format!("failed: {reason}"));
        }
    }
    let told = Told::default();
    let mut limited = LimitConnections::new(Teller(Rc::clone(&told)), 1, 1);
    limited.started(&"127.0.0.1:8007".parse().unwrap());
    limited.failed(&peer(ip(1)), &Disconnect::Reset);
    limited.stopped();
    let told = told.borrow();
    assert_eq!(
        *told,
        [
            "started 127.0.0.1:8007",
            "failed: reset by the peer",
            "stopped"
        ]
    );
}
