//! C5: half-close.

use super::filters::{
    a_filter_may_end_a_side_without_ending_the_wires, an_end_that_a_filter_does_not_believe_is_none,
};
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, accepted, act, bytes, in_both_roles, open, same};
use super::{Cell, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![5:
    the_peer_ends_first_and_we_go_on_writing,
    we_end_first_and_go_on_reading,
    both_sides_end_at_once,
    close_write_flushes_and_drops_what_comes_after,
    the_end_comes_after_the_data,
    the_end_is_held_while_data_is_held,
    the_end_is_told_once,
    the_default_flushes_and_closes,
    the_unfinished_rest_is_readable_at_the_end,
    the_rest_is_nowhere_else,
    a_throttled_connection_is_told_the_end_when_it_drains,
    a_filter_may_end_a_side_without_ending_the_wires,
    an_end_that_a_filter_does_not_believe_is_none,
];

/// "Half-close works on every stream transport": our half outlives the peer's.
fn the_peer_ends_first_and_we_go_on_writing(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log).eof(|_, _| ()));
        h.finish(end);
        h.settle();
        log.expect(&["a made", "a eof"]);
        for part in ["one ", "two ", "three"] {
            act(h, &transport, move |_, t| t.write(part));
        }
        assert_eq!(
            (h.received(end), h.seen(end)),
            (b"one two three".to_vec(), Seen::Open)
        );
        act(h, &transport, |_, t| t.close_write());
        assert_eq!(h.seen(end), Seen::Ended);
        log.expect(&["a lost: closed by the peer"]);
    });
}

/// The other way round: the peer's half outlives ours.
fn we_end_first_and_go_on_reading(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).made(|_, t| {
            t.write("question");
            t.close_write();
        });
        let (end, transport) = open(h, role, a);
        h.settle();
        assert_eq!(
            (h.received(end), h.seen(end)),
            (b"question".to_vec(), Seen::Ended)
        );
        assert!(transport.is_open() && !transport.wants_output());
        h.send(end, b"answer");
        h.settle();
        log.expect(&["a made", "a data answer"]);
        h.finish(end);
        h.settle();
        log.expect(&["a eof", "a lost: closed by the peer"]);
    });
}

/// The same when neither knew of the other.
fn both_sides_end_at_once(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log).eof(|_, _| ()));
        h.send(end, b"x");
        h.finish(end);
        transport.write("y");
        transport.close_write();
        h.settle();
        log.expect(&["a made", "a data x", "a eof", "a lost: closed by the peer"]);
        assert_eq!((h.received(end), h.seen(end)), (b"y".to_vec(), Seen::Ended));
    });
}

/// The end goes behind what was written; what is written after it does not go.
fn close_write_flushes_and_drops_what_comes_after(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        let reply = bytes(h.flood());
        h.stop_reading(end);
        transport.write(&reply);
        transport.close_write();
        transport.close_write();
        transport.write("late");
        h.settle();
        h.read_again(end);
        transport.write("later");
        h.settle();
        same(&h.received(end), &reply);
        assert_eq!(h.seen(end), Seen::Ended);
        assert_eq!(transport.bytes_dropped(), 9);
        log.expect(&["a made", "a pause", "a resume"]);
    });
}

/// "`eof_received` is called [..] after the data."
fn the_end_comes_after_the_data(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_connection_bytes = 1);
    let log = Log::default();
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.pause_reading();
    h.settle();
    h.send(end, b"123");
    h.finish(end);
    h.settle();
    transport.resume_reading();
    h.settle();
    log.expect(&[
        "a data 1",
        "a data 2",
        "a data 3",
        "a eof",
        "a lost: closed by the peer",
    ]);
}

/// "Held when data is held": by a pause, and by a continuation that holds input.
fn the_end_is_held_while_data_is_held(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (held, result) = tools::deferred::<()>();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        transport.pause_reading();
        transport.hold(result, |me, _, _| me.note("answered"));
        h.settle();
        h.finish(end);
        h.settle();
        log.expect(&["a made"]);
        transport.resume_reading();
        h.settle();
        log.expect(&[]);
        tools::resolve(&held, ());
        h.settle();
        log.expect(&["a answered", "a eof", "a lost: closed by the peer"]);
    });
}

/// "Hang-up and error are facts, reported once" (C2), also to who stays open for long after.
fn the_end_is_told_once(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log).eof(|_, _| ()));
        h.finish(end);
        h.settle();
        transport.pause_reading();
        h.settle();
        transport.resume_reading();
        act(h, &transport, |_, t| t.write("x"));
        log.expect(&["a made", "a eof"]);
        transport.close();
        h.settle();
        log.expect(&["a lost: closed by the peer"]);
    });
}

/// "Its default is `close`", which flushes.
fn the_default_flushes_and_closes(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        let reply = bytes(h.flood());
        transport.throttle_input(false);
        h.stop_reading(end);
        transport.write(&reply);
        h.settle();
        h.finish(end);
        h.settle();
        log.expect(&["a made", "a pause", "a eof"]);
        h.read_again(end);
        h.settle();
        same(&h.received(end), &reply);
        log.expect(&["a resume", "a lost: closed by the peer"]);
    });
}

/// "The unfinished rest is readable there (`with_unread`), then dropped."
fn the_unfinished_rest_is_readable_at_the_end(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log)
            .data(|_, t, data| t.unread(data.len() - 1))
            .eof(|me, t| {
                let rest = t.with_unread(|rest| String::from_utf8_lossy(rest).into_owned());
                me.note(&format!("rest {rest}"));
                t.call(|me, t| {
                    let len = t.with_unread(<[u8]>::len);
                    me.note(&format!("later {len}"));
                    t.close();
                });
            });
        let (end, _) = open(h, role, a);
        h.send(end, b"xyz");
        h.settle();
        h.finish(end);
        h.settle();
        log.expect(&[
            "a made",
            "a data xyz",
            "a eof",
            "a rest yz",
            "a later 0",
            "a lost: closed by the peer",
        ]);
    });
}

/// The same: it is that connection's rest, in that callback.
fn the_rest_is_nowhere_else(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let look = |t: &torsade_core::Transport<Probe>| t.with_unread(<[u8]>::len);
    let a = Probe::new("a", &log)
        .data(move |me, t, data| {
            t.unread(data.len());
            me.note(&format!("{}", look(t)));
        })
        .eof(move |me, t| {
            me.note(&format!("{} {}", look(t), look(&other)));
            t.close();
        })
        .lost(move |me, t, _| me.note(&format!("{}", look(t))));
    let (end, transport) = accepted(&mut *h, &log, a);
    h.send(end, b"xyz");
    h.settle();
    assert_eq!(look(&transport), 0);
    h.finish(end);
    h.settle();
    log.expect(&[
        "a data xyz",
        "a 0",
        "a eof",
        "a 3 0",
        "a lost: closed by the peer",
        "a 0",
    ]);
}

/// "Called where data would have been: held when data is held", by the throttle too (C7).
fn a_throttled_connection_is_told_the_end_when_it_drains(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    h.finish(end);
    h.settle();
    log.expect(&["a pause"]);
    h.read_again(end);
    h.settle();
    log.expect(&["a resume", "a eof", "a lost: closed by the peer"]);
}
