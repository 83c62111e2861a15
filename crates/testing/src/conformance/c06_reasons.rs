//! C6: reasons are typed, and every connection has one outcome.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use torsade_core::{
    Address, ConnectError, Disconnect, Endpoint, EndpointError, Factory, IoFailure, Limit,
    Listener, Peer, Timeout, factory,
};
use torsade_deferred::Failure;

use super::filters::{
    a_connect_resolves_when_its_filters_are_ready, a_connect_whose_handshake_fails_is_rejected,
    a_filter_may_say_whose_connection_it_is, a_handshake_has_a_deadline,
    a_handshake_that_fails_is_told_to_the_factory, a_protocol_is_built_when_its_filters_are_ready,
    an_error_of_a_filter_comes_after_the_data, what_filters_found_out_is_known,
    who_waits_for_filters_is_told,
};
use super::harness::{Harness, Stage};
use super::probe::{Log, Probe};
use super::tools::{Dropped, accepted, act, in_both_roles, keep, open};
use super::{Cell, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![6:
    a_reason_is_told_as_it_was_given,
    every_reason_says_in_words_who_is_to_blame,
    a_reset_is_the_peers,
    a_refused_connection_builds_no_protocol_and_is_closed,
    a_panic_in_build_is_told_to_the_factory,
    a_factory_is_told_its_beginning_and_end,
    connect_resolves_after_connection_made,
    connect_that_is_refused_is_rejected_and_its_protocol_dropped,
    connect_tries_the_next_address,
    connect_to_nowhere_is_rejected,
    connect_that_is_cancelled_drops_its_protocol,
    a_protocol_is_built_when_its_filters_are_ready,
    a_filter_may_say_whose_connection_it_is, what_filters_found_out_is_known, who_waits_for_filters_is_told,
    a_handshake_that_fails_is_told_to_the_factory,
    a_handshake_has_a_deadline,
    a_connect_whose_handshake_fails_is_rejected,
    a_connect_resolves_when_its_filters_are_ready,
    an_error_of_a_filter_comes_after_the_data,
];

/// "A closed enum by blame": what is given to `fail` is what everybody is told.
fn a_reason_is_told_as_it_was_given(stage: Stage) {
    for given in all_reasons() {
        let (mut h, log) = (stage.harness(), Log::default());
        let told = Rc::new(RefCell::new(None));
        let seat = Rc::clone(&told);
        let a = Probe::new("a", &log).lost(move |_, _, reason| {
            seat.replace(Some(reason.clone()));
        });
        let (_, transport) = accepted(&mut *h, &log, a);
        let reason = given.clone();
        act(&mut *h, &transport, move |_, t| t.fail(reason));
        assert_eq!(*told.borrow(), Some(given.clone()));
        log.expect(&[&format!("a lost: {given}")]);
    }
}

/// The same in words: each says something of its own.
fn every_reason_says_in_words_who_is_to_blame(stage: Stage) {
    keep(&stage.harness());
    let wanted = [
        "closed here",
        "closed by the peer",
        "reset by the peer",
        "aborted here",
        "timed out: the peer took no output before the close",
        "timed out: still open when the reactor had to stop",
        "timed out: the peer was silent",
        "limit passed: output piled up on the connection",
        "limit passed: output piled up over all connections, here the most",
        "limit passed: too much input left unread",
        "limit passed: the peer sent too long a message",
        "the peer broke the protocol: no greeting",
        "the application failed: no database",
        "a callback panicked: boom",
        "the reactor is gone",
        "input/output error: ",
    ];
    for (reason, wanted) in all_reasons().iter().zip(wanted) {
        assert!(reason.to_string().starts_with(wanted), "{reason}");
        let is_clean = matches!(reason, Disconnect::Closed | Disconnect::PeerClosed);
        assert_eq!(reason.is_clean(), is_clean, "{reason}");
    }
    assert_eq!(all_reasons().len(), wanted.len());
}

fn all_reasons() -> Vec<Disconnect> {
    let failure = IoFailure::from(&io::Error::from(io::ErrorKind::OutOfMemory));
    vec![
        Disconnect::Closed,
        Disconnect::PeerClosed,
        Disconnect::Reset,
        Disconnect::Aborted,
        Disconnect::TimedOut(Timeout::Flush),
        Disconnect::TimedOut(Timeout::Stop),
        Disconnect::TimedOut(Timeout::Idle),
        Disconnect::LimitPassed(Limit::WriteBuffer),
        Disconnect::LimitPassed(Limit::TotalWriteBuffer),
        Disconnect::LimitPassed(Limit::Unread),
        Disconnect::LimitPassed(Limit::Message),
        Disconnect::protocol("no greeting"),
        Disconnect::application("no database"),
        Disconnect::Panicked(torsade_deferred::Panic::from_payload(Box::new("boom"))),
        Disconnect::ReactorGone,
        Disconnect::Io(failure),
    ]
}

/// "Reset", whether it was read or met by a write.
fn a_reset_is_the_peers(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, _) = open(h, role, Probe::new("a", &log));
        h.reset(end);
        h.settle();
        log.expect(&["a made", "a lost: reset by the peer"]);
        let (end, transport) = open(h, role, Probe::new("b", &log));
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        transport.pause_reading();
        h.settle();
        h.reset(end);
        h.settle();
        log.expect(&["b made", "b pause", "b lost: reset by the peer"]);
    });
}

#[track_caller]
fn listen(h: &dyn Harness, factory: impl Factory) -> Listener {
    match h.net().listen(h.anywhere(), factory) {
        Ok(listener) => listener,
        Err(error) => panic!("a harness must be able to listen on loopback: {error}"),
    }
}

/// By R47: "refuses: the socket is closed and nothing else happens", and the listener goes on.
fn a_refused_connection_builds_no_protocol_and_is_closed(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (notes, mut asked) = (log.clone(), 0);
    let listener = listen(
        &*h,
        factory(move |_: &Peer| {
            asked += 1;
            (asked > 1).then(|| Probe::new("a", &notes))
        }),
    );
    let end = h.dial(&listener);
    h.settle();
    assert_eq!(h.seen(end), Seen::Ended);
    log.expect(&[]);
    h.dial(&listener);
    h.settle();
    log.expect(&["a made"]);
}

/// A factory that notes what it is told, and panics when it builds its first protocol.
struct Fragile {
    log: Log,
    built: bool,
}

impl Factory for Fragile {
    type Protocol = Probe;

    fn build(&mut self, _: &Peer) -> Option<Probe> {
        assert!(
            std::mem::replace(&mut self.built, true),
            "no protocol today"
        );
        Some(Probe::new("a", &self.log))
    }

    fn started(&mut self, address: &Address) {
        self.log
            .note(format!("started {}", address.port() != Some(0)));
    }

    fn stopped(&mut self) {
        self.log.note("stopped");
    }

    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        let loopback = peer.remote().is_local();
        self.log.note(format!("failed {loopback}: {reason}"));
    }
}

/// "One that a listener fails to make builds no protocol and tells the factory
/// (`failed(peer, reason)`)", and the listener survives (C8).
fn a_panic_in_build_is_told_to_the_factory(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let fragile = Fragile {
        log: log.clone(),
        built: false,
    };
    let listener = listen(&*h, fragile);
    h.settle();
    log.expect(&["started true"]);
    h.expect_panic("panic in a factory's build: no protocol today");
    let end = h.dial(&listener);
    h.settle();
    log.expect(&["failed true: a callback panicked: no protocol today"]);
    assert_eq!(h.seen(end), Seen::Ended);
    h.dial(&listener);
    h.settle();
    log.expect(&["a made"]);
}

/// By R45: once each, whoever closes the listener and how often.
fn a_factory_is_told_its_beginning_and_end(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let fragile = Fragile {
        log: log.clone(),
        built: true,
    };
    let listener = listen(&*h, fragile);
    h.dial(&listener);
    h.settle();
    listener.close();
    listener.close();
    h.settle();
    assert!(!listener.is_open());
    log.expect(&["started true", "a made", "stopped"]);
    h.shut_down();
    log.expect(&["a lost: the reactor is gone"]);
}

/// "Every connection that a listener or `connect` began has exactly one outcome": made.
fn connect_resolves_after_connection_made(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (address, end) = h.door();
    let notes = log.clone();
    let a = Probe::new("a", &log).made(|_, t| t.call(|me, _| me.note("call")));
    h.net()
        .connect(address, a)
        .finish(move |result| match result {
            Ok(transport) => {
                notes.note("connected");
                transport.write("hello");
            }
            Err(failure) => notes.note(format!("{failure}")),
        });
    h.settle();
    let mut lines = log.take();
    assert_eq!(lines.remove(0), "a made");
    lines.sort();
    assert_eq!(lines, ["a call", "connected"]);
    assert_eq!(h.received(end), b"hello");
}

/// "For `connect` the Deferred is rejected and the protocol dropped unmade."
fn connect_that_is_refused_is_rejected_and_its_protocol_dropped(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let nobody = h.closed_door();
    let (notes, owned) = (log.clone(), Dropped(log.clone(), "dropped"));
    let a = Probe::new("a", &log).made(move |_, _| keep(&owned));
    h.net().connect(&nobody, a).finish(move |result| {
        let refused = matches!(
            result,
            Err(Failure::Error(ConnectError::Failed { attempts }))
                if attempts.len() == 1 && attempts[0].place == nobody
        );
        notes.note(format!("refused {refused}"));
    });
    log.expect(&[]);
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["dropped", "refused true"]);
}

/// The same with several addresses: they are tried in order, and one outcome is told.
fn connect_tries_the_next_address(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let nobody = h.closed_door();
    let (address, end) = h.door();
    let notes = log.clone();
    let places = Endpoint::new([nobody.clone(), nobody, address]);
    h.net()
        .connect(places, Probe::new("a", &log))
        .finish(move |result| notes.note(format!("connected {}", result.is_ok())));
    h.settle();
    log.expect(&["a made", "connected true"]);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x"]);
}

/// The same for texts that are no address.
fn connect_to_nowhere_is_rejected(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for (text, is_the_port) in [("127.0.0.1", true), ("no where:1", false)] {
        let (notes, owned) = (log.clone(), Dropped(log.clone(), "dropped"));
        let a = Probe::new("a", &log).made(move |_, _| keep(&owned));
        h.net().connect(text, a).finish(move |result| {
            let right = match result {
                Err(Failure::Error(ConnectError::Endpoint(EndpointError::Port { .. }))) => {
                    is_the_port
                }
                Err(Failure::Error(ConnectError::Endpoint(EndpointError::Name { .. }))) => {
                    !is_the_port
                }
                _ => false,
            };
            notes.note(format!("rejected {right}"));
        });
        h.settle();
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines, ["dropped", "rejected true"]);
    }
}

/// The same when nobody wants it any more.
fn connect_that_is_cancelled_drops_its_protocol(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (address, _) = h.door();
    let before = h.net().connections();
    let (notes, owned) = (log.clone(), Dropped(log.clone(), "dropped"));
    let a = Probe::new("a", &log).made(move |_, _| keep(&owned));
    let connecting = h.net().connect(address, a);
    let canceller = connecting.canceller();
    connecting.finish(move |result| {
        notes.note(format!(
            "cancelled {}",
            matches!(result, Err(Failure::Cancelled))
        ));
    });
    canceller.cancel();
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["cancelled true", "dropped"]);
    assert_eq!(h.net().connections(), before);
}
