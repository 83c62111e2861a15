//! C12: accepting, as far as the engine decides it. What only a system can be short of, descriptors
//! above all, is tested with the reactor.

use torsade_core::{Disconnect, Factory, Limit, Limits, Listener, Peer, WhenFull};

use super::harness::{Harness, Stage};
use super::probe::{Log, Probe};
use super::{Cell, Role, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![12:
    past_the_most_connections_those_who_come_are_closed,
    a_place_that_comes_free_is_given_to_the_next,
    those_who_come_wait_if_that_is_the_policy,
    they_are_let_in_in_the_order_in_which_they_came,
    who_waits_is_turned_away_when_the_listener_closes,
    connections_that_we_ask_for_count_and_are_not_refused,
    a_listener_survives_its_factory,
];

/// Numbers the protocols it builds, and notes whom it did not get.
struct Counting {
    log: Log,
    names: std::slice::Iter<'static, &'static str>,
    fails: bool,
}

impl Factory for Counting {
    type Protocol = Probe;

    fn build(&mut self, _: &Peer) -> Option<Probe> {
        let name = self.names.next()?;
        assert!(*name != "bad", "no protocol today");
        Some(Probe::new(name, &self.log))
    }

    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        let loopback = peer.remote().is_local();
        self.log.note(format!("failed {loopback}: {reason}"));
        assert!(!self.fails, "no patience today");
    }
}

#[track_caller]
fn listen(h: &dyn Harness, log: &Log, names: &'static [&'static str], fails: bool) -> Listener {
    let counting = Counting {
        log: log.clone(),
        names: names.iter(),
        fails,
    };
    match h.net().listen(h.anywhere(), counting) {
        Ok(listener) => listener,
        Err(error) => panic!("a harness must be able to listen on loopback: {error}"),
    }
}

const NAMES: &[&str] = &["a", "b", "c", "d"];

fn at_most(stage: Stage, most: usize, policy: WhenFull) -> Box<dyn Harness> {
    stage.with(|limits: &mut Limits| {
        limits.max_connections = most;
        limits.when_full = policy;
    })
}

fn refused() -> String {
    let reason = Disconnect::LimitPassed(Limit::Connections);
    format!("failed true: {reason}")
}

/// "Shed ([..] accept, close) [..], by policy, also for `max_connections`", and C6: "one that a
/// listener fails to make builds no protocol and tells the factory (`failed(peer, reason)`)".
fn past_the_most_connections_those_who_come_are_closed(stage: Stage) {
    let (mut h, log) = (at_most(stage, 2, WhenFull::Shed), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    let ends = [(); 4].map(|()| h.dial(&listener));
    h.settle();
    log.expect(&["a made", "b made", &refused(), &refused()]);
    let seen = ends.map(|end| h.seen(end));
    assert_eq!(seen, [Seen::Open, Seen::Open, Seen::Ended, Seen::Ended]);
    let net = h.net();
    assert_eq!((net.connections(), net.accepted(), net.shed()), (2, 2, 2));
    assert!(listener.is_open());
}

/// The same: a limit, not an end.
fn a_place_that_comes_free_is_given_to_the_next(stage: Stage) {
    let (mut h, log) = (at_most(stage, 1, WhenFull::Shed), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    let first = h.dial(&listener);
    h.settle();
    h.finish(first);
    h.settle();
    h.dial(&listener);
    h.dial(&listener);
    h.settle();
    let lost = "a lost: closed by the peer";
    log.expect(&["a made", "a eof", lost, "b made", &refused()]);
}

/// "Or wait, by policy": they are connected, as far as they know, and what they send is kept.
fn those_who_come_wait_if_that_is_the_policy(stage: Stage) {
    let (mut h, log) = (at_most(stage, 1, WhenFull::Wait), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    let first = h.dial(&listener);
    h.settle();
    let second = h.dial(&listener);
    h.settle();
    h.send(second, b"x");
    h.settle();
    log.expect(&["a made"]);
    assert_eq!((h.seen(second), h.net().shed()), (Seen::Open, 0));
    // As soon as there is a place, and not when some time has passed.
    h.finish(first);
    h.settle();
    let lost = "a lost: closed by the peer";
    log.expect(&["a eof", lost, "b made", "b data x"]);
    assert_eq!(h.net().accepted(), 2);
}

/// The same: several wait, and a place is for one.
fn they_are_let_in_in_the_order_in_which_they_came(stage: Stage) {
    let (mut h, log) = (at_most(stage, 1, WhenFull::Wait), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    let mut ends = Vec::new();
    for number in 0..3 {
        let end = h.dial(&listener);
        h.send(end, format!("{number}").as_bytes());
        h.settle();
        ends.push(end);
    }
    log.expect(&["a made", "a data 0"]);
    for (end, [lost, made, data]) in ends.into_iter().zip([
        ["a lost: reset by the peer", "b made", "b data 1"],
        ["b lost: reset by the peer", "c made", "c data 2"],
    ]) {
        h.reset(end);
        h.settle();
        log.expect(&[lost, made, data]);
    }
}

/// A client that waits is not left hanging by the end of what it waits for.
fn who_waits_is_turned_away_when_the_listener_closes(stage: Stage) {
    let (mut h, log) = (at_most(stage, 1, WhenFull::Wait), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    h.dial(&listener);
    h.settle();
    let waits = h.dial(&listener);
    h.settle();
    listener.close();
    h.settle();
    assert_eq!(h.seen(waits), Seen::Reset);
    log.expect(&["a made"]);
}

/// What is counted is what there is; only who comes by himself can be told to go.
fn connections_that_we_ask_for_count_and_are_not_refused(stage: Stage) {
    let (mut h, log) = (at_most(stage, 2, WhenFull::Shed), Log::default());
    let listener = listen(&*h, &log, NAMES, false);
    h.dial(&listener);
    h.settle();
    for name in ["one", "two"] {
        h.open(Role::Connecting, Probe::new(name, &log));
    }
    h.dial(&listener);
    h.settle();
    log.expect(&["a made", "one made", "two made", &refused()]);
    assert_eq!(h.net().connections(), 3);
}

/// "No accept error kills a listener", and no panic (C8): "that [..] accept is lost".
fn a_listener_survives_its_factory(stage: Stage) {
    let (mut h, log) = (at_most(stage, 1, WhenFull::Shed), Log::default());
    let listener = listen(&*h, &log, &["bad", "a", "b"], true);
    h.expect_panic("panic in a factory's build: no protocol today");
    h.expect_panic("panic in a factory's failed: no patience today");
    h.dial(&listener);
    h.settle();
    log.expect(&["failed true: a callback panicked: no protocol today"]);
    let end = h.dial(&listener);
    h.settle();
    log.expect(&["a made"]);
    h.expect_panic("panic in a factory's failed: no patience today");
    h.dial(&listener);
    h.settle();
    log.expect(&[&refused()]);
    h.reset(end);
    h.settle();
    h.dial(&listener);
    h.settle();
    log.expect(&["a lost: reset by the peer", "b made"]);
}
