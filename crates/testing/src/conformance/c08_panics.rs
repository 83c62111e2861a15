//! C8: one rule for errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use torsade_core::{Address, Disconnect, Factory, Net, Peer, Transport};
use torsade_deferred::Deferred;

use super::filters::in_a_filter;
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, Bomb, Dropped, accepted, act, deferred, keep, open};
use super::{Cell, End, Harness, Role, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![8:
    in_connection_made,
    in_data_received,
    in_eof_received,
    in_pause_writing,
    in_resume_writing,
    in_stopping,
    in_connection_lost,
    in_connection_lost_at_a_shutdown,
    in_a_factorys_other_methods,
    in_a_call,
    in_a_then,
    in_a_timer_of_the_connection,
    in_the_redelivery_of_unread_input,
    in_a_free_timer,
    in_a_posted_call,
    in_a_free_continuation,
    in_the_drop_of_a_timers_closure,
    in_the_drop_of_closures_at_the_loss,
    in_the_drop_of_a_protocol,
    in_the_drop_of_a_switched_protocol,
    in_the_drop_of_shared_bytes,
    in_the_drop_of_what_a_shutdown_leaves,
    nothing_of_the_callback_is_sent,
    a_panic_after_an_abort_is_the_reason,
    a_panic_after_a_close_is_the_reason,
    a_panic_after_the_socket_is_gone_is_the_reason,
    nothing_is_called_after_a_panic_but_the_loss,
    an_unexpected_panic_fails_the_test,
    in_a_filter,
];

/// A connection that notices nothing: it echoes before and after.
struct Neighbour(End);

impl Neighbour {
    fn new(h: &mut dyn Harness) -> Self {
        let echo = Probe::new("neighbour", &Log::default()).data(|_, t, data| t.write(data));
        Self(open(h, Role::Accepted, echo).0)
    }

    #[track_caller]
    fn check(&self, h: &mut dyn Harness) {
        h.send(self.0, b"unharmed");
        h.settle();
        assert_eq!(h.received(self.0), b"unharmed", "the neighbour's echo");
    }
}

/// "A panic in a callback is caught and logged with the connection; that connection is aborted
/// and still gets `connection_lost(Panicked)`; nobody else notices."
fn panics_in(
    stage: Stage,
    place: &str,
    change: impl Fn(Probe) -> Probe,
    provoke: impl Fn(&mut dyn Harness, End, &Transport<Probe>),
) {
    for role in Role::ALL {
        let (mut h, log) = (stage.harness(), Log::default());
        let neighbour = Neighbour::new(&mut *h);
        h.expect_panic(&format!("panic in {place} of connection "));
        let (end, transport) = open(&mut *h, role, change(Probe::new("a", &log)));
        provoke(&mut *h, end, &transport);
        h.settle();
        h.read_again(end);
        let lines = log.take();
        let lost: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("a lost"))
            .collect();
        assert_eq!(lost, ["a lost: a callback panicked: boom"], "{lines:?}");
        assert!(lines.last() == lost.first().copied(), "{lines:?}");
        assert_eq!(h.seen(end), h.aborted());
        neighbour.check(&mut *h);
    }
}

/// The rule, in `connection_made`.
fn in_connection_made(stage: Stage) {
    panics_in(
        stage,
        "connection_made",
        |a| a.made(|_, _| panic!("boom")),
        |_, _, _| (),
    );
}

/// The rule, in `data_received`.
fn in_data_received(stage: Stage) {
    let change = |a: Probe| a.data(|_, _, _| panic!("boom"));
    panics_in(stage, "data_received", change, |h, end, _| {
        h.send(end, b"x")
    });
}

/// The rule, in `eof_received`.
fn in_eof_received(stage: Stage) {
    let change = |a: Probe| a.eof(|_, _| panic!("boom"));
    panics_in(stage, "eof_received", change, |h, end, _| h.finish(end));
}

/// The rule, in `pause_writing`; what was written before is dropped, as an abort does.
fn in_pause_writing(stage: Stage) {
    let change = |a: Probe| a.paused(|_, _| panic!("boom"));
    panics_in(stage, "pause_writing", change, |h, end, t| {
        h.stop_reading(end);
        t.write(vec![0; h.flood()]);
    });
}

/// The rule, in `resume_writing`.
fn in_resume_writing(stage: Stage) {
    let change = |a: Probe| a.resumed(|_, _| panic!("boom"));
    panics_in(stage, "resume_writing", change, |_, _, t| {
        t.write([0; 70_000])
    });
}

/// The rule, in a `call`.
fn in_a_call(stage: Stage) {
    panics_in(
        stage,
        "a continuation",
        |a| a,
        |_, _, t| t.call(|_, _| panic!("boom")),
    );
}

/// The rule, in a `then`.
fn in_a_then(stage: Stage) {
    panics_in(
        stage,
        "a continuation",
        |a| a,
        |_, _, t| {
            t.then(Deferred::<(), ()>::succeed(()), |_, _, _| panic!("boom"));
        },
    );
}

/// The rule, in a `call_later`.
fn in_a_timer_of_the_connection(stage: Stage) {
    panics_in(
        stage,
        "a continuation",
        |a| a,
        |h, _, t| {
            t.call_later(Duration::from_secs(1), |_, _| panic!("boom"));
            h.advance(Duration::from_secs(1));
        },
    );
}

/// The rule, when input left unread is delivered again.
fn in_the_redelivery_of_unread_input(stage: Stage) {
    let change = |a: Probe| {
        a.data(|_, t, data| {
            assert!(data.len() == 2, "boom");
            t.unread(1);
            t.pause_reading();
            t.call(|_, t| t.resume_reading());
        })
    };
    panics_in(stage, "data_received", change, |h, end, _| {
        h.send(end, b"xy")
    });
}

/// The rule, in `stopping`: the others are told all the same.
fn in_stopping(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let fragile = Probe::new("a", &log).stopping(|_, _| panic!("boom"));
    accepted(&mut *h, &log, fragile);
    accepted(&mut *h, &log, Probe::new("b", &log));
    h.expect_panic("panic in stopping of connection ");
    h.net().stop();
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(
        lines,
        [
            "a lost: a callback panicked: boom",
            "a stopping",
            "b lost: closed here",
            "b stopping"
        ]
    );
}

/// The rule, in `connection_lost`: it was the last callback, and the others get theirs.
fn in_connection_lost(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let a = Probe::new("a", &log).lost(|_, _, _| panic!("boom"));
    let (_, fragile) = accepted(&mut *h, &log, a);
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    h.expect_panic("panic in connection_lost of connection ");
    fragile.close();
    other.close();
    h.settle();
    log.expect(&["a lost: closed here", "b lost: closed here"]);
    assert!(fragile.closed().try_take().is_ok());
    neighbour.check(&mut *h);
}

/// The same by R42: when all are lost at once, everybody is told.
fn in_connection_lost_at_a_shutdown(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for name in ["a", "b", "c"] {
        let bomb = (name != "b").then(|| Bomb("bang"));
        let a = Probe::new(name, &log)
            .data(move |_, _, _| keep(&bomb))
            .lost(|_, _, _| panic!("boom"));
        accepted(&mut *h, &log, a);
        h.expect_panic("panic in connection_lost of connection ");
        if name != "b" {
            h.expect_panic("panic in the drop of a protocol: bang");
        }
    }
    h.shut_down();
    let mut lines = log.take();
    lines.sort();
    let gone = ["a", "b", "c"].map(|name| format!("{name} lost: the reactor is gone"));
    assert_eq!(lines, gone);
}

/// A factory whose every method panics.
struct Grumpy;

impl Factory for Grumpy {
    type Protocol = Probe;

    fn build(&mut self, _: &Peer) -> Option<Probe> {
        panic!("build")
    }

    fn started(&mut self, _: &Address) {
        panic!("started")
    }

    fn stopped(&mut self) {
        panic!("stopped")
    }

    fn failed(&mut self, _: &Peer, _: &Disconnect) {
        panic!("failed")
    }
}

/// "A [..] listener survives", and who listens, dials or closes notices nothing.
fn in_a_factorys_other_methods(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    for text in ["started", "build", "failed", "build", "failed", "stopped"] {
        h.expect_panic(text);
    }
    let net = h.net();
    let (notes, here) = (log.clone(), h.anywhere());
    h.net()
        .call_later(Duration::ZERO, move |net| match net.listen(here, Grumpy) {
            Ok(listener) => notes.note(format!("listening {}", listener.is_open())),
            Err(error) => notes.note(error.to_string()),
        });
    h.settle();
    log.expect(&["listening true"]);
    // Once more, with the handle in reach.
    h.expect_panic("started");
    let Ok(listener) = net.listen(h.anywhere(), Grumpy) else {
        panic!("a harness must be able to listen on loopback");
    };
    for _ in 0..2 {
        let end = h.dial(&listener);
        h.settle();
        assert_eq!(h.seen(end), Seen::Ended);
    }
    listener.close();
    h.settle();
    neighbour.check(&mut *h);
    // The first listener is closed with the rest.
    h.expect_panic("stopped");
    h.shut_down();
}

/// Something outside of connections panics: it is logged, and nobody notices.
fn panics_free(stage: Stage, place: &str, provoke: impl Fn(&mut dyn Harness, &Net, &Log)) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    h.expect_panic(&format!("panic in {place}: boom"));
    let net = h.net();
    provoke(&mut *h, &net, &log);
    h.settle();
    log.expect(&["after it"]);
    neighbour.check(&mut *h);
}

/// "In a free timer [..] it is logged."
fn in_a_free_timer(stage: Stage) {
    panics_free(stage, "a timer", |h, net, log| {
        let log = log.clone();
        net.call_later(Duration::from_secs(1), |_| panic!("boom"));
        net.call_later(Duration::from_secs(1), move |_| log.note("after it"));
        h.advance(Duration::from_secs(1));
    });
}

/// "In a [..] posted call it is logged."
fn in_a_posted_call(stage: Stage) {
    panics_free(stage, "a posted call", |h, net, log| {
        let remote = net.remote();
        assert!(remote.post(|_| panic!("boom")).is_ok());
        h.settle();
        log.note("after it");
    });
}

/// "A panic in a combinator rejects with `Panicked`", and one in a `finish` is reported.
fn in_a_free_continuation(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let a = Probe::new("a", &log).data(|_, t, _| {
        let broken = Deferred::<u8, ()>::succeed(1).map(|_| -> u8 { panic!("boom") });
        t.then(broken, |me, _, result| me.note(&format!("{result:?}")));
        Deferred::<u8, ()>::succeed(1).finish(|_| panic!("bang"));
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.expect_panic("bang");
    h.send(end, b"x");
    h.settle();
    let lines = log.take();
    assert!(
        lines.len() == 2 && lines[1].starts_with("a Err(Panicked("),
        "{lines:?}"
    );
    neighbour.check(&mut *h);
}

/// "In a `Drop` it is caught like the rest": of a closure whose timer is cancelled in a callback,
/// which is that callback's panic.
fn in_the_drop_of_a_timers_closure(stage: Stage) {
    panics_in(
        stage,
        "data_received",
        |a| {
            a.data(|_, t, _| {
                let bomb = Bomb("boom");
                t.call_later(Duration::from_secs(1), move |_, _| keep(&bomb))
                    .cancel();
            })
        },
        |h, end, _| h.send(end, b"x"),
    );
}

/// The same at the loss, for each of them: the others are dropped, and what they waited for is
/// cancelled.
fn in_the_drop_of_closures_at_the_loss(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let mut held = Vec::new();
    for number in 0..4 {
        let (resolver, result) = deferred::<()>();
        let notes = log.clone();
        if let Some(resolver) = resolver.borrow().as_ref() {
            resolver.on_cancel(move || notes.note("cancelled"));
        }
        held.push(resolver);
        let bomb = (number % 2 == 0).then(|| Bomb("boom"));
        let plain = Dropped(log.clone(), "dropped");
        transport.then(result, move |_, _, _| keep(&(bomb, plain)));
    }
    let bomb = Bomb("boom");
    transport.call_later(Duration::from_secs(1), move |_, _| keep(&bomb));
    for _ in 0..3 {
        h.expect_panic("panic in the drop of a continuation of connection ");
    }
    transport.close();
    h.settle();
    let mut lines = log.take();
    lines.sort();
    let mut wanted = vec!["a lost: closed here"];
    wanted.extend(["cancelled"; 4]);
    wanted.extend(["dropped"; 4]);
    assert_eq!(lines, wanted);
    neighbour.check(&mut *h);
    keep(&held);
}

/// The same for the protocol itself, when its connection is over.
fn in_the_drop_of_a_protocol(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let bomb = Bomb("boom");
    let a = Probe::new("a", &log).data(move |_, _, _| keep(&bomb));
    let (_, transport) = accepted(&mut *h, &log, a);
    let free = log.clone();
    transport
        .closed()
        .finish(move |reason| free.note(format!("{reason:?}")));
    h.expect_panic("panic in the drop of a protocol: boom");
    transport.close();
    h.settle();
    log.expect(&["a lost: closed here", "Ok(Closed)"]);
    neighbour.check(&mut *h);
}

/// The same when another takes its place: that one's connection is aborted.
fn in_the_drop_of_a_switched_protocol(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let bomb = Bomb("boom");
    let next = Probe::new("b", &log);
    let a = Probe::new("a", &log).data(move |_, _, _| keep(&bomb));
    let (_, transport) = accepted(&mut *h, &log, a);
    h.expect_panic("panic in the drop of a switched protocol of connection ");
    transport.switch(next);
    h.settle();
    log.expect(&["b made", "b lost: a callback panicked: boom"]);
    neighbour.check(&mut *h);
}

/// The same for shared bytes that were sent, each for itself.
fn in_the_drop_of_shared_bytes(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let neighbour = Neighbour::new(&mut *h);
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    tools::on_drop_of_users(|| panic!("boom"));
    for _ in 0..3 {
        h.expect_panic("panic in dropping bytes that were sent: boom");
    }
    act(&mut *h, &transport, |_, t| {
        t.write_bytes(Bytes::from_owner(tools::user()));
        t.write_bytes(Bytes::from_owner(tools::user()));
    });
    assert_eq!(h.received(end).len(), 4000);
    h.stop_reading(end);
    transport.write(vec![0; h.flood()]);
    transport.write_bytes(Bytes::from_owner(tools::user()));
    h.settle();
    transport.abort();
    h.settle();
    tools::on_drop_of_users(|| ());
    log.expect(&["a pause", "a lost: aborted here"]);
    neighbour.check(&mut *h);
}

/// The same for timers and posted calls that nobody will run any more.
fn in_the_drop_of_what_a_shutdown_leaves(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let net = h.net();
    for _ in 0..2 {
        let (bomb, plain) = (Bomb("boom"), Dropped(log.clone(), "timer dropped"));
        net.call_later(Duration::from_secs(1), move |_| keep(&(bomb, plain)));
        h.expect_panic("boom");
        let bomb = Bomb("boom");
        assert!(net.remote().post(move |_| keep(&bomb)).is_ok());
        h.expect_panic("boom");
    }
    h.shut_down();
    log.expect(&["timer dropped", "timer dropped"]);
    assert!(!net.is_alive());
}

/// "That connection is aborted": what the callback wrote before is dropped with the rest (C4), be it
/// what it was given, something of its own, or both: each is sent in another way when all is well.
fn nothing_of_the_callback_is_sent(stage: Stage) {
    for (given, own) in [(true, false), (false, true), (true, true)] {
        let (mut h, log) = (stage.harness(), Log::default());
        let a = Probe::new("a", &log).data(move |_, t, data| {
            t.write(if given { data } else { &[] });
            t.write(if own { "more" } else { "" });
            panic!("boom");
        });
        let (end, transport) = accepted(&mut *h, &log, a);
        h.expect_panic("panic in data_received");
        h.send(end, b"x");
        h.settle();
        log.expect(&["a data x", "a lost: a callback panicked: boom"]);
        assert_eq!((h.received(end), h.seen(end)), (Vec::new(), h.aborted()));
        assert_eq!((transport.bytes_sent(), transport.buffered()), (0, 0));
    }
}

/// By R17: "abort, then raise: the raised error is the reason".
fn a_panic_after_an_abort_is_the_reason(stage: Stage) {
    panics_in(
        stage,
        "data_received",
        |a| {
            a.data(|_, t, _| {
                t.abort();
                panic!("boom");
            })
        },
        |h, end, _| h.send(end, b"x"),
    );
}

/// The same after a close, which is a close no more: nothing is flushed.
fn a_panic_after_a_close_is_the_reason(stage: Stage) {
    panics_in(
        stage,
        "a continuation",
        |a| {
            a.data(|_, t, _| {
                t.close();
                t.call(|_, _| panic!("boom"));
            })
        },
        |h, end, t| {
            h.stop_reading(end);
            t.write(vec![0; h.flood()]);
            t.throttle_input(false);
            h.send(end, b"x");
        },
    );
}

/// The same when the close was complete, and only the loss has not been told.
fn a_panic_after_the_socket_is_gone_is_the_reason(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 1);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| {
        t.call(|me, _| me.note("call"));
        t.call(|_, _| panic!("boom"));
        t.close();
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.expect_panic("panic in a continuation of connection ");
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "a call", "a lost: a callback panicked: boom"]);
}

/// "That connection is aborted and still gets `connection_lost`": no data, no end, no `stopping`.
fn nothing_is_called_after_a_panic_but_the_loss(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_connection_bytes = 1);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| {
        t.unread(1);
        panic!("boom");
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.settle();
    h.send(end, b"xyz");
    h.finish(end);
    h.settle();
    h.expect_panic("panic in data_received");
    transport.resume_reading();
    h.settle();
    h.net().stop();
    h.settle();
    log.expect(&["a data x", "a lost: a callback panicked: boom"]);
}

/// "In the testing kit every caught panic fails the test unless it said `expect_panic`."
fn an_unexpected_panic_fails_the_test(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    transport.call(|_, _| panic!("boom"));
    h.settle();
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(h))) else {
        panic!("nobody complained");
    };
    let complaint = payload.downcast_ref::<String>().map_or("", String::as_str);
    assert!(complaint.contains("panic in a continuation"), "{complaint}");
    assert!(complaint.contains("boom"), "{complaint}");
}
