//! C4: closing.

use std::time::Duration;

use torsade_core::{Disconnect, Timeout};
use torsade_deferred::Failure;

use super::filters::what_a_filter_adds_at_the_end_is_sent;
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, accepted, act, bytes, in_both_roles, open, reason, same};
use super::{Cell, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![4:
    close_flushes_and_ends_the_stream,
    nothing_is_delivered_after_close_in_the_same_chunk,
    nothing_is_delivered_after_close_that_comes_later,
    a_close_cannot_be_resumed_from,
    writes_after_close_are_dropped_and_counted,
    continuations_and_timers_go_on_until_the_loss,
    closing_with_unread_input_does_not_destroy_the_reply,
    a_flush_without_progress_is_aborted_at_its_deadline,
    a_flush_with_progress_gets_another_deadline,
    progress_in_the_kernel_is_progress,
    a_half_close_from_both_sides_has_the_same_deadline,
    abort_drops_the_buffers_and_resets,
    fail_flushes_and_keeps_its_reason,
    flushed_means_handed_to_the_kernel,
    flushed_is_rejected_if_the_bytes_never_go,
    flushed_after_the_bytes_were_dropped_is_rejected,
    closed_tells_the_reason,
    endings_may_be_repeated_and_mixed,
    close_is_possible_in_every_callback,
    the_reason_is_the_peers_if_it_ended_first,
    what_a_filter_adds_at_the_end_is_sent,
];

/// "`close`: [..] what was written is flushed, the end is sent, and `connection_lost` is
/// delivered."
fn close_flushes_and_ends_the_stream(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        let reply = bytes(h.flood());
        h.stop_reading(end);
        transport.write(&reply);
        transport.close();
        h.settle();
        assert_eq!(h.seen(end), Seen::Open);
        h.read_again(end);
        h.settle();
        same(&h.received(end), &reply);
        assert_eq!(h.seen(end), Seen::Ended);
        let lines = log.take();
        assert_eq!(
            lines.last().map(String::as_str),
            Some("a lost: closed here")
        );
    });
}

/// "No more input is delivered, not even the rest of this chunk."
fn nothing_is_delivered_after_close_in_the_same_chunk(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, data| {
        t.unread(data.len() - 1);
        t.close();
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"xyz");
    h.finish(end);
    h.settle();
    log.expect(&["a data xyz", "a lost: closed here"]);
}

/// The same for what arrives while the flush goes on, the peer's end included.
fn nothing_is_delivered_after_close_that_comes_later(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        h.settle();
        transport.close();
        h.send(end, b"late");
        h.settle();
        h.finish(end);
        h.read_again(end);
        h.settle();
        log.expect(&["a made", "a pause", "a resume", "a lost: closed here"]);
    });
}

/// By R11: resuming does not turn reading on again.
fn a_close_cannot_be_resumed_from(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    transport.pause_reading();
    h.settle();
    h.send(end, b"held");
    h.settle();
    transport.close();
    transport.resume_reading();
    transport.throttle_input(false);
    h.settle();
    assert!(!transport.wants_input() && !transport.is_open());
    h.read_again(end);
    h.settle();
    log.expect(&["a pause", "a resume", "a lost: closed here"]);
}

/// "Writes after it are dropped and counted."
fn writes_after_close_are_dropped_and_counted(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).lost(|_, t, _| t.write("12345"));
        let (end, transport) = open(h, role, a);
        let before = h.net().dropped_writes();
        act(h, &transport, |_, t| {
            t.write("kept");
            t.close();
            t.write("1");
            t.write_parts(&[&b"22"[..], b"", b"333"]);
            t.write_bytes(bytes::Bytes::from_static(&[4; 4000]));
            t.write("");
        });
        transport.write("55");
        h.settle();
        assert_eq!(h.received(end), b"kept");
        assert_eq!(transport.bytes_dropped(), 1 + 5 + 4000 + 5 + 2);
        assert_eq!(h.net().dropped_writes() - before, 5);
    });
}

/// "Continuations and timers go on until the loss", and no longer.
fn continuations_and_timers_go_on_until_the_loss(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    transport.close();
    h.settle();
    let (held, result) = tools::deferred::<()>();
    transport.then(result, |me, _, _| me.note("then"));
    transport.call(|me, _| me.note("call"));
    transport.call_later(Duration::from_secs(1), |me, _| me.note("timer"));
    transport.call_later(Duration::from_secs(3), |me, _| me.note("late timer"));
    h.settle();
    tools::resolve(&held, ());
    h.advance(Duration::from_secs(2));
    log.expect(&["a pause", "a call", "a then", "a timer"]);
    h.read_again(end);
    h.settle();
    transport.call(|me, _| me.note("late call"));
    h.advance(Duration::from_secs(2));
    log.expect(&["a resume", "a lost: closed here"]);
}

/// "Closing a socket with unread input makes the kernel reset it and destroy the reply on its
/// way", so it is not simply closed.
fn closing_with_unread_input_does_not_destroy_the_reply(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let reply = bytes(h.flood());
        let written = reply.clone();
        let a = Probe::new("a", &log).data(move |_, t, _| {
            t.pause_reading();
            t.write(&written);
            t.close();
        });
        let (end, _) = open(h, role, a);
        h.stop_reading(end);
        h.send(end, b"question");
        h.settle();
        h.send(end, &[b'.'; 1000]);
        h.settle();
        h.read_again(end);
        h.settle();
        same(&h.received(end), &reply);
        assert_eq!(h.seen(end), Seen::Ended);
        let lines = log.take();
        assert_eq!(
            lines.last().map(String::as_str),
            Some("a lost: closed here")
        );
    });
}

/// "The flush has a deadline without progress (120 s). [..] Past it: abort."
fn a_flush_without_progress_is_aborted_at_its_deadline(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        h.settle();
        transport.close();
        h.settle();
        h.advance(Duration::from_millis(119_999));
        log.expect(&["a made", "a pause"]);
        h.advance(Duration::from_millis(1));
        let reason = Disconnect::TimedOut(Timeout::Flush);
        log.expect(&[&format!("a lost: {reason}")]);
        h.read_again(end);
        h.settle();
        assert_eq!(h.seen(end), h.aborted());
    });
}

/// "Without progress": what the peer took meanwhile buys it another 120 s.
fn a_flush_with_progress_gets_another_deadline(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    transport.close();
    h.settle();
    h.advance(Duration::from_secs(100));
    h.read_some(end);
    h.advance(Duration::from_secs(139));
    log.expect(&["a pause"]);
    h.advance(Duration::from_secs(1));
    log.expect(&[&format!("a lost: {}", Disconnect::TimedOut(Timeout::Flush))]);
}

/// "Progress is counted in the outbox or, asked once when it strikes and where the system tells,
/// in the kernel's send queue."
fn progress_in_the_kernel_is_progress(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    transport.close();
    h.settle();
    let sent = transport.bytes_sent();
    h.advance(Duration::from_secs(100));
    h.sip(end);
    h.advance(Duration::from_secs(139));
    assert_eq!(transport.bytes_sent(), sent);
    log.expect(&["a pause"]);
    h.advance(Duration::from_secs(1));
    log.expect(&[&format!("a lost: {}", Disconnect::TimedOut(Timeout::Flush))]);
}

/// The same where the close is that of both halves, in either order.
fn a_half_close_from_both_sides_has_the_same_deadline(stage: Stage) {
    for we_first in [true, false] {
        let (mut h, log) = (stage.harness(), Log::default());
        let a = Probe::new("a", &log).eof(|_, t| t.close_write());
        let (end, transport) = accepted(&mut *h, &log, a);
        transport.throttle_input(false);
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        if we_first {
            transport.close_write();
        }
        h.settle();
        h.finish(end);
        h.settle();
        log.expect(&["a pause", "a eof"]);
        h.advance(Duration::from_millis(119_999));
        log.expect(&[]);
        h.advance(Duration::from_millis(1));
        log.expect(&[&format!("a lost: {}", Disconnect::TimedOut(Timeout::Flush))]);
    }
}

/// "`abort`: buffers dropped, reset."
fn abort_drops_the_buffers_and_resets(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, transport) = open(h, role, Probe::new("a", &log));
        let before = h.net().buffered();
        h.stop_reading(end);
        transport.write(vec![0; h.flood()]);
        h.settle();
        transport.abort();
        h.settle();
        log.expect(&["a made", "a pause", "a lost: aborted here"]);
        assert_eq!((transport.buffered(), h.net().buffered()), (0, before));
        h.read_again(end);
        h.settle();
        assert_eq!(h.seen(end), h.aborted());
        assert!(h.received(end).len() < h.flood());
    });
}

/// "`fail(error)`: `close` with that reason, so that an error reply still leaves."
fn fail_flushes_and_keeps_its_reason(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).data(|_, t, data| {
            t.unread(data.len());
            t.write("what?");
            t.fail(Disconnect::protocol("no greeting"));
            t.write("more");
        });
        let (end, _) = open(h, role, a);
        h.send(end, b"x");
        h.settle();
        log.expect(&[
            "a made",
            "a data x",
            "a lost: the peer broke the protocol: no greeting",
        ]);
        assert_eq!(h.received(end), b"what?");
        assert_eq!(h.seen(end), Seen::Ended);
    });
}

/// "`flushed()` means handed to the kernel": everything written before, and nothing after.
fn flushed_means_handed_to_the_kernel(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    assert_eq!(transport.flushed().try_take().ok(), Some(Ok(())));
    h.stop_reading(end);
    let flood = h.flood() as u64;
    act(&mut *h, &transport, move |_, t| {
        t.set_write_limits(usize::MAX, usize::MAX);
        t.write(vec![0; flood as usize]);
        t.then(t.flushed(), move |me, t, result| {
            let sent = t.bytes_sent();
            me.note(&format!("first {} {}", result.is_ok(), sent >= flood));
        });
        t.write("more");
        t.then(t.flushed(), |me, t, result| {
            me.note(&format!("second {} {}", result.is_ok(), t.buffered()));
        });
    });
    log.expect(&[]);
    transport.close();
    h.read_again(end);
    h.settle();
    log.expect(&[
        "a first true true",
        "a second true 0",
        "a lost: closed here",
    ]);
}

/// The same: if they are dropped, it never was, and the reason is told.
fn flushed_is_rejected_if_the_bytes_never_go(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    let free = log.clone();
    transport
        .flushed()
        .finish(move |result| free.note(format!("{result:?}")));
    h.settle();
    transport.abort();
    h.settle();
    log.expect(&["a pause", "a lost: aborted here", "Err(Error(Aborted))"]);
}

/// The same for who asks only when they have been dropped.
fn flushed_after_the_bytes_were_dropped_is_rejected(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).lost(|me, t, _| {
        let free = me.clone_log();
        t.flushed()
            .finish(move |result| free.note(format!("early {result:?}")));
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    h.settle();
    transport.abort();
    h.settle();
    let aborted = Some(Err(Failure::Error(Disconnect::Aborted)));
    assert_eq!(transport.flushed().try_take().ok(), aborted);
    log.expect(&[
        "a pause",
        "a lost: aborted here",
        "early Err(Error(Aborted))",
    ]);
}

/// "`closed() -> Deferred`", with the reason, before and after the loss.
fn closed_tells_the_reason(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (_, transport) = open(h, role, Probe::new("a", &log));
        let free = log.clone();
        transport
            .closed()
            .finish(move |result| free.note(format!("{result:?}")));
        h.settle();
        log.expect(&["a made"]);
        transport.fail(reason("enough"));
        h.settle();
        let told = r#"Ok(Application("enough"))"#;
        log.expect(&["a lost: the application failed: enough", told]);
        assert_eq!(
            transport.closed().try_take().ok(),
            Some(Ok(reason("enough")))
        );
    });
}

/// By R15: in any order, without harm. The first reason stands, unless an abrupt end overtakes
/// the flush.
fn endings_may_be_repeated_and_mixed(stage: Stage) {
    let close: fn(&torsade_core::Connection) = |c| c.close();
    let abort: fn(&torsade_core::Connection) = |c| c.abort();
    let fail: fn(&torsade_core::Connection) = |c| c.fail(reason("enough"));
    let half: fn(&torsade_core::Connection) = |c| c.close_write();
    let cases = [
        ([close, close, fail], "closed here"),
        ([fail, close, fail], "the application failed: enough"),
        ([close, abort, close], "aborted here"),
        ([abort, close, fail], "aborted here"),
        ([abort, abort, half], "aborted here"),
        ([half, half, close], "closed here"),
        ([half, close, abort], "aborted here"),
        ([close, half, close], "closed here"),
    ];
    for (endings, told) in cases {
        for everywhere in [false, true] {
            let (mut h, log) = (stage.harness(), Log::default());
            let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
            act(&mut *h, &transport, move |_, t| {
                t.write("x");
                endings.iter().for_each(|end| end(t));
            });
            if everywhere {
                endings.iter().for_each(|end| end(&transport));
                h.settle();
            }
            log.expect(&[&format!("a lost: {told}")]);
        }
    }
}

/// By C1 and R16: from every callback, and the loss comes after it returned.
fn close_is_possible_in_every_callback(stage: Stage) {
    type Change = fn(Probe) -> Probe;
    let cases: [(Change, &[&str]); 5] = [
        (
            |a| a.made(|me, t| close_aloud(me, t)),
            &["a made", "a closes"],
        ),
        (
            |a| a.data(|me, t, _| close_aloud(me, t)),
            &["a made", "a data x", "a closes"],
        ),
        (
            |a| a.eof(|me, t| close_aloud(me, t)),
            &["a made", "a data x", "a eof", "a closes"],
        ),
        (
            |a| {
                a.data(|_, t, _| t.write([0; 70_000]))
                    .paused(|me, t| close_aloud(me, t))
            },
            &["a made", "a data x", "a pause", "a closes", "a resume"],
        ),
        (
            |a| {
                a.data(|_, t, _| t.write([0; 70_000]))
                    .resumed(|me, t| close_aloud(me, t))
            },
            &["a made", "a data x", "a pause", "a resume", "a closes"],
        ),
    ];
    for (change, before) in cases {
        let (mut h, log) = (stage.harness(), Log::default());
        let (end, _) = open(
            &mut *h,
            super::Role::Accepted,
            change(Probe::new("a", &log)),
        );
        h.send(end, b"x");
        h.settle();
        h.finish(end);
        h.settle();
        let mut lines = log.take();
        let last = lines.pop().unwrap_or_default();
        assert_eq!(lines, before);
        assert!(last.starts_with("a lost: closed"), "{last}");
    }
}

fn close_aloud(me: &Probe, t: &torsade_core::Transport<Probe>) {
    t.close();
    me.note("closes");
}

/// "Closed here or by the peer": who ended first is to blame.
fn the_reason_is_the_peers_if_it_ended_first(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).eof(|_, t| {
            t.write("bye");
            t.close();
        });
        let (end, _) = open(h, role, a);
        h.finish(end);
        h.settle();
        log.expect(&["a made", "a eof", "a lost: closed by the peer"]);
        assert_eq!(h.received(end), b"bye");
        assert_eq!(h.seen(end), Seen::Ended);
    });
}
