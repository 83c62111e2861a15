//! What is left at the end of a test, and where it was made.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Protocol, Transport, factory};
use torsade_deferred::{Deferred, Resolver};
use torsade_testing::sim::Sim;
use torsade_testing::{Leaks, MemoryReactor, Pump, StringTransport};

const SECOND: Duration = Duration::from_secs(1);

struct Quiet;
impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// What the check of this test says: its lines, without what is in front.
fn left(test: impl FnOnce()) -> Vec<String> {
    let checked = AssertUnwindSafe(|| {
        let _leaks = Leaks::check();
        test();
    });
    let Err(payload) = catch_unwind(checked) else {
        return Vec::new();
    };
    let text = payload.downcast_ref::<String>().unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("the test left something behind:"),
        "{text}"
    );
    lines.map(|line| line.trim().to_owned()).collect()
}

/// A place in this file: so many lines below where this is called.
#[track_caller]
fn below(lines: u32) -> String {
    let here = Location::caller();
    format!("{}:{}:", here.file(), here.line() + lines)
}

fn assert_left(left: &[String], expected: &[(&str, &str)]) {
    assert_eq!(left.len(), expected.len(), "{left:?}");
    for (line, (begin, place)) in left.iter().zip(expected) {
        let wanted = format!("{begin} {place}");
        assert!(line.starts_with(&wanted), "{line}, not {wanted}");
    }
}

const ACCEPTED: &str = "a connection is open that was accepted by the listener of";
const MADE: &str = "a connection is open that was made at";
const TIMER: &str = "a timer is armed that was set at";
const DEFERRED: &str = "a Deferred has no result that was made at";

#[test]
fn nothing_left_is_nothing_said() {
    let mut kept = None;
    let left = left(|| {
        let (resolver, answer) = Deferred::<(), ()>::new();
        resolver.resolve(());
        kept = Some(answer); // it has its result
        let mut t = StringTransport::serve(Quiet);
        let (resolver, answer) = Deferred::<(), ()>::new();
        t.net().call_later(SECOND, move |_| resolver.resolve(()));
        answer.finish(|_| ());
        t.advance(SECOND);
        t.end();
        let (gone, answer) = Deferred::<(), ()>::new();
        drop(gone);
        answer.finish(|_| ());
    });
    assert_eq!(left, [] as [String; 0]);
}

#[test]
fn a_connection_of_every_kind_is_left_with_its_place() {
    let mut places = Vec::new();
    let found = left(|| {
        places.push((ACCEPTED, below(1)));
        let _accepted = StringTransport::serve(Quiet);
        places.push((MADE, below(1)));
        let _made = StringTransport::builder().connect(Quiet);
    });
    let expected: Vec<_> = places
        .iter()
        .map(|(what, at)| (*what, at.as_str()))
        .collect();
    assert_left(&found, &expected);

    let mut places = Vec::new();
    let found = left(|| {
        let reactor = MemoryReactor::new();
        places.push((ACCEPTED, below(1)));
        let listening = reactor.net().listen("127.0.0.1:7", factory(|_| Quiet));
        let _far = reactor.dial(listening.unwrap().address());
        places.push((MADE, below(1)));
        reactor.net().connect("192.0.2.1:7", Quiet).detach();
        let _far = reactor.next_connect().succeed();
    });
    let expected: Vec<_> = places
        .iter()
        .map(|(what, at)| (*what, at.as_str()))
        .collect();
    assert_left(&found, &expected);
}

#[test]
fn the_ends_of_a_network_are_named_by_their_hosts() {
    let found = left(|| {
        let mut net = Sim::new(1);
        let server = net.host("server").net();
        server.listen("0.0.0.0:7", factory(|_| Quiet)).unwrap();
        for _ in 0..2 {
            net.host("ann").net().connect("server:7", Quiet).detach();
        }
        net.host("bob").net().call_later(SECOND, |_| ());
        net.settle();
    });
    let here = format!("{}:", file!());
    let expected = [
        (format!("2 times: ann: {MADE}"), here.as_str()),
        (format!("bob: {TIMER}"), here.as_str()),
        (format!("2 times: server: {ACCEPTED}"), here.as_str()),
    ];
    let expected = expected.each_ref().map(|(what, at)| (what.as_str(), *at));
    assert_left(&found, &expected);

    // What a host that is down has had is lost, and what it made before it came back is not its.
    let found = left(|| {
        let mut net = Sim::new(1);
        net.host("server")
            .net()
            .listen("0.0.0.0:7", factory(|_| Quiet))
            .unwrap();
        net.host("ann").net().connect("server:7", Quiet).detach();
        net.settle();
        net.kill("server").heal();
        net.settle();
        let server = net.host("server").net();
        server.listen("0.0.0.0:7", factory(|_| Quiet)).unwrap();
        net.host("bob").net().connect("server:7", Quiet).detach();
        net.settle();
        net.kill("ann").stays();
        net.settle();
    });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("bob: a connection"), "{found:?}");
    assert!(found[1].starts_with("server: a connection"), "{found:?}");
}

#[test]
fn timers_and_deferreds_are_left_with_their_places() {
    let mut places = Vec::new();
    let held: RefCell<Vec<Resolver<(), ()>>> = RefCell::default();
    let found = left(|| {
        let reactor = MemoryReactor::new();
        places.push((DEFERRED, below(1)));
        let (resolver, answer) = Deferred::new();
        held.borrow_mut().push(resolver);
        answer.finish(|_| ());
        places.push((DEFERRED, below(1)));
        let _waiting = reactor.net().connect("192.0.2.1:7", Quiet);
        // Though somebody listens, who may need it.
        let listening = reactor.net().listen("127.0.0.1:7", factory(|_| Quiet));
        assert!(listening.is_ok());
        places.push((TIMER, below(1)));
        reactor.net().call_later(SECOND, |_| ());
    });
    let expected: Vec<_> = places
        .iter()
        .map(|(what, at)| (*what, at.as_str()))
        .collect();
    let mut found = found;
    found.sort_by_key(|line| line.starts_with(TIMER));
    assert_left(&found, &expected);
    drop(held);
}

#[test]
fn a_deferred_that_goes_with_its_reactor_is_left_too() {
    // What is kept by a listener's factory goes when the reactor does.
    let found = left(|| {
        let reactor = MemoryReactor::new();
        let (resolver, answer) = Deferred::<(), ()>::new();
        let kept = Rc::new(RefCell::new(Some(resolver)));
        answer.finish(|_| ());
        let factory = factory(move |_| kept.borrow().is_none().then_some(Quiet));
        reactor.net().listen("127.0.0.1:7", factory).unwrap();
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(DEFERRED), "{found:?}");
}

#[test]
fn what_may_stay_may_and_must() {
    {
        let _leaks = Leaks::check().stays(ACCEPTED).stays(MADE);
        let _pump = Pump::new(Quiet, Quiet);
    }
    let found = catch_unwind(|| {
        let _leaks = Leaks::check().stays("a connection").stays(TIMER);
        let _pump = Pump::new(Quiet, Quiet);
    });
    let payload = found.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("a connection is open that"), "{text}");
    assert!(
        text.contains("expected to stay, and has not: a timer"),
        "{text}"
    );
}

#[test]
fn it_must_be_there_first_and_go_last() {
    let early = catch_unwind(|| {
        let _t = StringTransport::serve(Quiet);
        let _leaks = Leaks::check();
    });
    let text = early.unwrap_err();
    let text = text.downcast_ref::<&str>().unwrap();
    assert!(text.contains("before the first fake is made"), "{text}");
    let mut outlives = None;
    let found = left(|| outlives = Some(MemoryReactor::new()));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("a fake is still there"), "{found:?}");
}
