//! C2: the life cycle.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Transport};

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, Dropped, accepted, act, in_both_roles, keep, open, reason};
use super::{Cell, End, Harness, Role, cells};

pub(super) const CELLS: &[Cell] = cells![2:
    made_first_and_lost_last_when_the_peer_ends,
    made_first_and_lost_last_when_the_peer_resets,
    made_first_and_lost_last_when_we_close,
    made_first_and_lost_last_when_we_abort,
    made_first_and_lost_last_when_we_fail,
    made_first_and_lost_last_when_we_panic,
    made_first_and_lost_last_when_the_reactor_stops,
    made_first_and_lost_last_when_the_reactor_goes,
    reading_starts_after_connection_made,
    a_pause_in_connection_made_stops_delivery_from_the_first_byte,
    the_peers_end_is_a_fact_that_waits_for_a_paused_reader,
    a_reset_is_a_fact_that_waits_for_a_paused_reader,
    a_write_to_a_dead_peer_is_noticed_though_reading_is_paused,
    what_arrived_is_delivered_before_a_failed_send_is_told,
    a_failed_send_of_ours_delivers_the_early_reply,
    the_loss_comes_after_the_last_byte_was_handed_over,
    losses_come_at_the_end_of_a_turn,
    nothing_of_the_protocol_outlives_its_loss,
];

/// What a connection is doing when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    PendingOutput,
    UnreadInput,
    Paused,
    PeerEnded,
    WeEnded,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Idle,
        Self::PendingOutput,
        Self::UnreadInput,
        Self::Paused,
        Self::PeerEnded,
        Self::WeEnded,
    ];
}

fn in_state(h: &mut dyn Harness, log: &Log, role: Role, state: State) -> (End, Transport<Probe>) {
    let a = Probe::new("a", log)
        .data(move |_, t, data| {
            if state == State::UnreadInput {
                t.unread(data.len());
            }
        })
        .eof(move |_, t| {
            if state != State::PeerEnded {
                t.close();
            }
        });
    let (end, transport) = open(h, role, a);
    match state {
        State::Idle => {}
        State::PendingOutput => {
            h.stop_reading(end);
            transport.write(vec![1; h.flood()]);
        }
        State::UnreadInput => h.send(end, b"rest"),
        State::Paused => {
            transport.pause_reading();
            h.settle();
            h.send(end, b"held");
        }
        State::PeerEnded => h.finish(end),
        State::WeEnded => transport.close_write(),
    }
    h.settle();
    (end, transport)
}

/// For every state and role: end it, let go of everything that holds it, and look at its life.
fn lives_once(
    stage: Stage,
    states: &[State],
    reasons: &[&str],
    end_it: impl Fn(&mut dyn Harness, End, &Transport<Probe>),
) {
    for &state in states {
        for role in Role::ALL {
            let (mut h, log) = (stage.harness(), Log::default());
            let (end, transport) = in_state(&mut *h, &log, role, state);
            end_it(&mut *h, end, &transport);
            h.settle();
            h.read_again(end);
            transport.resume_reading();
            h.settle();
            h.advance(Duration::from_secs(1));
            check_life(&log.take(), reasons, &format!("{state:?}, {role:?}"));
            h.shut_down();
            log.expect(&[]);
        }
    }
}

#[track_caller]
fn check_life(lines: &[String], reasons: &[&str], case: &str) {
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines.first().map(String::as_str), Some("a made"), "{case}");
    assert_eq!(count("a made"), 1, "{case}: {lines:?}");
    assert_eq!(count("a lost"), 1, "{case}: {lines:?}");
    let last = lines.last().map_or("", String::as_str);
    let reason = last.strip_prefix("a lost: ").unwrap_or("(not last)");
    assert!(reasons.contains(&reason), "{case}: {lines:?}");
}

const OPEN_AT_THE_PEER: [State; 5] = [
    State::Idle,
    State::PendingOutput,
    State::UnreadInput,
    State::Paused,
    State::WeEnded,
];

/// "`connection_made` first, once; `connection_lost` last, once": the peer ends its side.
fn made_first_and_lost_last_when_the_peer_ends(stage: Stage) {
    lives_once(
        stage,
        &OPEN_AT_THE_PEER,
        &["closed by the peer"],
        |h, end, _| h.finish(end),
    );
}

/// The same when the peer resets.
fn made_first_and_lost_last_when_the_peer_resets(stage: Stage) {
    lives_once(
        stage,
        &OPEN_AT_THE_PEER,
        &["reset by the peer"],
        |h, end, _| h.reset(end),
    );
}

/// The same when we close.
fn made_first_and_lost_last_when_we_close(stage: Stage) {
    let reasons = ["closed here", "closed by the peer"];
    lives_once(stage, &State::ALL, &reasons, |_, _, t| t.close());
}

/// The same when we abort.
fn made_first_and_lost_last_when_we_abort(stage: Stage) {
    lives_once(stage, &State::ALL, &["aborted here"], |_, _, t| t.abort());
}

/// The same when we give up.
fn made_first_and_lost_last_when_we_fail(stage: Stage) {
    let reasons = ["the application failed: no more"];
    lives_once(stage, &State::ALL, &reasons, |_, _, t| {
        t.fail(reason("no more"))
    });
}

/// The same when our code panics.
fn made_first_and_lost_last_when_we_panic(stage: Stage) {
    let reasons = ["a callback panicked: boom"];
    lives_once(stage, &State::ALL, &reasons, |h, _, t| {
        h.expect_panic("boom");
        t.call(|_, _| panic!("boom"));
    });
}

/// The same when the reactor stops, after asking everybody to.
fn made_first_and_lost_last_when_the_reactor_stops(stage: Stage) {
    let reasons = ["closed here", "closed by the peer"];
    lives_once(stage, &State::ALL, &reasons, |h, _, _| h.net().stop());
}

/// "Also at shutdown, also when it was paused."
fn made_first_and_lost_last_when_the_reactor_goes(stage: Stage) {
    lives_once(stage, &State::ALL, &["the reactor is gone"], |h, _, _| {
        h.shut_down()
    });
}

/// "Reading starts after `connection_made` returned."
fn reading_starts_after_connection_made(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).made(|me, t| {
            t.call(|me, _| me.note("settled in"));
            me.note("returns");
        });
        let (end, _) = open(h, role, a);
        h.send(end, b"x");
        h.settle();
        log.expect(&["a made", "a returns", "a settled in", "a data x"]);
    });
}

/// The same, by R35: who pauses there is given nothing.
fn a_pause_in_connection_made_stops_delivery_from_the_first_byte(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(
            h,
            role,
            Probe::new("a", &log).made(|_, t| t.pause_reading()),
        );
        h.send(end, b"x");
        h.settle();
        log.expect(&["a made"]);
        transport.resume_reading();
        act(h, &transport, |_, t| t.resume_reading());
        log.expect(&["a data x"]);
    });
}

/// "Hang-up and error are facts, reported once": a paused reader gets the data, then the end.
fn the_peers_end_is_a_fact_that_waits_for_a_paused_reader(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        transport.pause_reading();
        h.settle();
        h.send(end, b"last words");
        h.finish(end);
        h.settle();
        log.expect(&["a made"]);
        transport.resume_reading();
        h.settle();
        log.expect(&["a data last words", "a eof", "a lost: closed by the peer"]);
    });
}

/// The same for a reset: "after a reset, bytes that had arrived are still readable".
fn a_reset_is_a_fact_that_waits_for_a_paused_reader(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        transport.pause_reading();
        h.settle();
        h.send(end, b"last words");
        h.reset(end);
        h.settle();
        log.expect(&["a made"]);
        transport.resume_reading();
        h.settle();
        log.expect(&["a data last words", "a lost: reset by the peer"]);
    });
}

/// By R37: who writes learns of it even so.
fn a_write_to_a_dead_peer_is_noticed_though_reading_is_paused(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        transport.pause_reading();
        h.settle();
        h.reset(end);
        h.settle();
        log.expect(&["a made"]);
        act(h, &transport, |_, t| t.write("are you there?"));
        log.expect(&["a lost: reset by the peer"]);
    });
}

/// "If input is wanted, what the kernel still holds is read and delivered first, also after a
/// send failed."
fn what_arrived_is_delivered_before_a_failed_send_is_told(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        h.send(end, b"last words");
        h.reset(end);
        transport.write("not for you");
        h.settle();
        log.expect(&["a made", "a data last words", "a lost: reset by the peer"]);
    });
}

/// "The early \"413\" reply": a peer that has had enough of a long request answers and is gone.
fn a_failed_send_of_ours_delivers_the_early_reply(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = open(&mut *h, Role::Connecting, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![1; h.flood()]);
    h.settle();
    h.send(end, b"413");
    h.reset(end);
    h.settle();
    log.expect(&[
        "a made",
        "a pause",
        "a data 413",
        "a lost: reset by the peer",
    ]);
}

/// "The loss comes after the last byte went to the kernel."
fn the_loss_comes_after_the_last_byte_was_handed_over(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).lost(|me, t, _| {
            me.note(&format!("sent {}, left {}", t.bytes_sent(), t.buffered()));
        });
        let (end, transport) = open(h, role, a);
        let flood = tools::bytes(h.flood());
        h.stop_reading(end);
        transport.write(&flood);
        transport.close();
        h.settle();
        assert!(!log.take().iter().any(|line| line.starts_with("a lost")));
        h.read_again(end);
        h.settle();
        let told = format!("a sent {}, left 0", flood.len());
        log.expect(&["a resume", "a lost: closed here", &told]);
        tools::same(&h.received(end), &flood);
    });
}

/// "Losses are delivered at the end of a turn", after all that was queued in it.
fn losses_come_at_the_end_of_a_turn(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |me, t, _| {
        other.abort();
        t.call(|me, t| {
            me.note("call");
            t.call(|me, _| me.note("another"));
        });
        me.note("returns");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&[
        "a data x",
        "a returns",
        "a call",
        "a another",
        "b lost: aborted here",
    ]);
}

/// By R7: when the loss was told, the protocol is dropped, and all that it owned.
fn nothing_of_the_protocol_outlives_its_loss(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let owned = Dropped(log.clone(), "a's own");
    let waiting = Dropped(log.clone(), "a closure");
    let timer = Dropped(log.clone(), "a timer");
    let seat = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&seat);
    let a = Probe::new("a", &log).data(move |_, t, _| {
        keep(&owned);
        kept.replace(Some(t.clone()));
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    let (never, result) = tools::deferred::<()>();
    transport.then(result, move |_, _, _| keep(&waiting));
    transport.call_later(Duration::from_secs(9), move |_, _| keep(&timer));
    h.send(end, b"x");
    h.settle();
    h.finish(end);
    h.settle();
    let mut lines = log.take();
    assert_eq!(lines[..2], ["a data x", "a eof"]);
    assert_eq!(lines.pop().as_deref(), Some("a's own"), "{lines:?}");
    assert_eq!(lines.pop().as_deref(), Some("a lost: closed by the peer"));
    lines[2..].sort();
    assert_eq!(lines[2..], ["a closure", "a timer"]);
    assert_eq!(
        transport.closed().try_take().ok(),
        Some(Ok(Disconnect::PeerClosed))
    );
    keep(&never);
}
