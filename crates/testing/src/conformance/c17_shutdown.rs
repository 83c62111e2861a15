//! C17: shutdown, as far as the engine does it.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use torsade_core::{Disconnect, ListenError, Listener, Timeout, factory};
use torsade_deferred::{Deferred, Failure};

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{Dropped, accepted, act, deferred, in_both_roles, keep, open, resolve};
use super::{Cell, Role, Seen, cells};

pub(super) const CELLS: &[Cell] = cells![17:
    stop_returns_at_once_and_then_everybody_is_told,
    stopping_may_say_goodbye_and_closes_by_default,
    what_is_still_open_at_the_deadline_is_aborted,
    stopping_waits_behind_continuations,
    after_a_stop_it_can_be_used_again,
    stop_closes_the_listeners,
    stop_gives_up_attempts_to_connect,
    dropping_the_reactor_tells_the_losses,
    dropping_the_reactor_drops_timers_and_posted_calls,
    nothing_begins_on_what_is_gone,
    user_code_at_the_end_may_use_everything,
    hooks_come_before_everything_else_and_are_waited_for,
    hooks_are_called_in_order_and_once,
    a_stop_does_not_wait_for_ever_for_a_hook,
    hooks_that_fail_do_not_keep_the_stop,
    a_hook_may_add_another,
    those_who_wait_at_the_listeners_are_let_in_and_told,
    what_is_left_at_the_end_of_a_stop_is_dropped,
    posted_calls_that_are_left_at_the_end_of_a_stop_are_dropped,
    what_callbacks_begin_during_a_stop_is_given_up,
];

/// "`stop`: [..] `stopping` on every connection", and by R57 never inside the call.
fn stop_returns_at_once_and_then_everybody_is_told(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|me, t, _| {
        t.net().stop();
        t.net().stop();
        me.note("returns");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    let (_, paused) = open(&mut *h, Role::Connecting, Probe::new("b", &log));
    paused.pause_reading();
    h.settle();
    log.take();
    h.send(end, b"x");
    h.settle();
    let lines = log.take();
    assert_eq!(lines[..2], ["a data x", "a returns"]);
    let mut rest = lines[2..].to_vec();
    rest.sort();
    let wanted = [
        "a lost: closed here",
        "a stopping",
        "b lost: closed here",
        "b stopping",
    ];
    assert_eq!(rest, wanted);
    h.settle();
    log.expect(&[]);
}

/// "(A callback; default `close` [..])": output still leaves.
fn stopping_may_say_goodbye_and_closes_by_default(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let a = Probe::new("a", &log).stopping(|_, t| {
            t.write("going down");
            t.call_later(Duration::from_secs(4), |_, t| {
                t.write(", good night");
                t.close();
            });
        });
        let (end, _) = open(h, role, a);
        h.net().stop();
        h.settle();
        h.send(end, b"x");
        h.settle();
        log.expect(&["a made", "a stopping", "a data x"]);
        h.advance(Duration::from_secs(4));
        log.expect(&["a lost: closed here"]);
        assert_eq!(h.received(end), b"going down, good night");
        assert_eq!(h.seen(end), Seen::Ended);
    });
}

/// "A deadline (5 s), abort, every loss."
fn what_is_still_open_at_the_deadline_is_aborted(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    accepted(&mut *h, &log, Probe::new("a", &log).stopping(|_, _| ()));
    let (end, stuck) = accepted(&mut *h, &log, Probe::new("b", &log));
    h.stop_reading(end);
    stuck.write(vec![0; h.flood()]);
    h.settle();
    log.expect(&["b pause"]);
    h.net().stop();
    h.settle();
    h.advance(Duration::from_millis(4_999));
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["a stopping", "b stopping"]);
    h.advance(Duration::from_millis(1));
    let reason = Disconnect::TimedOut(Timeout::Stop);
    let mut lines = log.take();
    lines.sort();
    assert_eq!(
        lines,
        [format!("a lost: {reason}"), format!("b lost: {reason}")]
    );
}

/// "Whatever would call you is queued [..], in order" (C1): `stopping` is no exception.
fn stopping_waits_behind_continuations(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 1);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| {
        for _ in 0..3 {
            t.call(|me, _| me.note("call"));
        }
        t.net().stop();
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&[
        "a data x",
        "a call",
        "a call",
        "a call",
        "a stopping",
        "a lost: closed here",
    ]);
}

/// "A reactor can be run again."
fn after_a_stop_it_can_be_used_again(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for name in ["a", "b"] {
        let echo = Probe::new(name, &log).data(|_, t, data| t.write(data));
        let (end, _) = accepted(&mut *h, &log, echo);
        h.send(end, b"x");
        h.settle();
        assert_eq!(h.received(end), b"x");
        h.net().stop();
        h.settle();
        h.advance(Duration::from_secs(10));
        let told = ["data x", "stopping", "lost: closed here"];
        log.expect(
            &told
                .map(|what| format!("{name} {what}"))
                .each_ref()
                .map(String::as_str),
        );
    }
}

/// "Close the listeners": what they made lives on until it is told.
fn stop_closes_the_listeners(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let notes = log.clone();
    let made = factory(move |_: &torsade_core::Peer| Probe::new("a", &notes).stopping(|_, _| ()));
    let Ok(listener) = h.net().listen(h.anywhere(), made) else {
        panic!("a harness must be able to listen on loopback");
    };
    h.dial(&listener);
    h.settle();
    log.expect(&["a made"]);
    h.net().stop();
    h.settle();
    assert!(!listener.is_open());
    log.expect(&["a stopping"]);
}

/// The same for attempts to connect, which have one outcome each (C6).
fn stop_gives_up_attempts_to_connect(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (address, _) = h.door();
    let (notes, owned) = (log.clone(), Dropped(log.clone(), "dropped"));
    let a = Probe::new("a", &log).made(move |_, _| keep(&owned));
    let b = Probe::new("b", &log).stopping(|_, _| ());
    let (_, other) = accepted(&mut *h, &log, b);
    other.call(move |_, t| {
        let connecting = t.net().connect(address, a);
        connecting.finish(move |result| {
            notes.note(format!(
                "abandoned {}",
                matches!(result, Err(Failure::Abandoned))
            ));
        });
        t.net().stop();
    });
    h.settle();
    let mut lines = log.take();
    lines.sort();
    assert_eq!(lines, ["abandoned true", "b stopping", "dropped"]);
}

/// "Dropping a reactor delivers the losses too", once, whatever its connections were doing.
fn dropping_the_reactor_tells_the_losses(stage: Stage) {
    in_both_roles(stage, |h, role| {
        let log = Log::default();
        let (end, stuck) = open(h, role, Probe::new("a", &log));
        let (_, closing) = open(h, role, Probe::new("b", &log));
        h.stop_reading(end);
        stuck.write(vec![0; h.flood()]);
        h.settle();
        log.take();
        let (never, result) = deferred::<()>();
        stuck.then(result, |me, _, _| me.note("runs"));
        closing.close();
        h.shut_down();
        let mut lines = log.take();
        lines.sort();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0], "a lost: the reactor is gone");
        assert!(lines[1].starts_with("b lost: "), "{lines:?}");
        assert_eq!(h.net().connections(), 0);
        keep(&never);
    });
}

/// "Then free timers and posted calls are dropped", unrun.
fn dropping_the_reactor_drops_timers_and_posted_calls(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let owned = Dropped(log.clone(), "timer dropped");
    let notes = log.clone();
    h.net().call_later(Duration::ZERO, move |_| {
        notes.note("timer runs");
        keep(&owned);
    });
    let (noted, calls) = mpsc::channel::<()>();
    let posted = h
        .net()
        .remote()
        .post(move |_| noted.send(()).unwrap_or_default());
    assert!(posted.is_ok());
    h.shut_down();
    log.expect(&["timer dropped"]);
    assert_eq!(calls.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// "An error (not a hang) when the reactor is gone" (C11), for everything that could be begun.
fn nothing_begins_on_what_is_gone(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (net, nobody, anywhere) = (h.net(), h.closed_door(), h.anywhere());
    h.shut_down();
    log.expect(&["a lost: the reactor is gone"]);
    assert!(!net.is_alive());
    let listened = net.listen(anywhere, factory(|_: &torsade_core::Peer| None::<Probe>));
    assert!(matches!(listened, Err(ListenError::Gone(_))));
    let owned = Dropped(log.clone(), "protocol dropped");
    let late = Probe::new("b", &log).made(move |_, _| keep(&owned));
    let refused = net.connect(nobody, late).try_take();
    assert!(matches!(refused, Ok(Err(_))));
    log.expect(&["protocol dropped"]);
    let owned = Dropped(log.clone(), "timer dropped");
    let timer = net.call_later(Duration::ZERO, move |_| keep(&owned));
    assert!(!timer.is_active());
    log.expect(&["timer dropped"]);
    transport.write("too late");
    transport.close();
    transport.call(|me, _| me.note("runs"));
    net.stop();
    assert_eq!((transport.bytes_dropped(), transport.is_open()), (8, false));
    log.expect(&[]);
}

/// C1 at the end: `connection_lost` may use what is going, with nothing borrowed.
fn user_code_at_the_end_may_use_everything(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let nobody = h.closed_door();
    let a = Probe::new("a", &log).lost(move |me, t, _| {
        let net = t.net();
        other.write("bye");
        other.close();
        other.call(|me, _| me.note("hears of it"));
        let _ = net.remote().post(|_| ());
        net.call_later(Duration::ZERO, |_| ());
        net.connect(&nobody, Probe::new("c", &Log::default()))
            .finish(|_| ());
        net.stop();
        me.note("done");
    });
    let (_, transport) = accepted(&mut *h, &log, a);
    act(&mut *h, &transport, |_, _| ());
    h.shut_down();
    let lines = log.take();
    assert!(lines.contains(&"a done".into()), "{lines:?}");
    let lost = lines
        .iter()
        .filter(|line| line.starts_with("b lost"))
        .count();
    assert_eq!(lost, 1, "{lines:?}");
}

/// "`before` hooks (awaited)": everything else waits for them, and goes on as usual meanwhile.
fn hooks_come_before_everything_else_and_are_waited_for(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (held, waited) = deferred::<()>();
    let notes = log.clone();
    h.net().before_stop(move || {
        notes.note("hook");
        waited.map_err(|()| "never")
    });
    let (end, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.net().stop();
    h.settle();
    h.net().stop();
    h.send(end, b"x");
    h.settle();
    h.advance(Duration::from_secs(29));
    log.expect(&["hook", "a data x"]);
    assert!(transport.is_open());
    resolve(&held, ());
    h.settle();
    log.expect(&["a stopping", "a lost: closed here"]);
}

/// Once each: a reactor that is run again has none left.
fn hooks_are_called_in_order_and_once(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for name in ["first", "second"] {
        let notes = log.clone();
        h.net().before_stop(move || {
            notes.note(name);
            Deferred::<(), Infallible>::succeed(())
        });
    }
    accepted(&mut *h, &log, Probe::new("a", &log));
    for lines in [
        &["first", "second", "a stopping", "a lost: closed here"][..],
        &[],
    ] {
        h.net().stop();
        h.settle();
        log.expect(lines);
    }
}

/// "Every number is a field of `Limits`": the patience with hooks is one. Whoever works for them
/// is told that nobody waits any longer.
fn a_stop_does_not_wait_for_ever_for_a_hook(stage: Stage) {
    let mut h = stage.with(|limits| limits.before_stop_timeout = Duration::from_secs(2));
    let log = Log::default();
    let (held, never) = deferred::<()>();
    if let Some(resolver) = &*held.borrow() {
        let notes = log.clone();
        resolver.on_cancel(move || notes.note("cancelled"));
    }
    h.net().before_stop(move || never.map_err(|()| "never"));
    accepted(&mut *h, &log, Probe::new("a", &log));
    h.net().stop();
    h.settle();
    h.advance(Duration::from_millis(1_999));
    log.expect(&[]);
    h.advance(Duration::from_millis(1));
    log.expect(&["cancelled", "a stopping", "a lost: closed here"]);
}

/// An error or a panic of a hook is reported, and the stop goes on.
fn hooks_that_fail_do_not_keep_the_stop(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    h.expect_panic("the registry is closed today");
    h.expect_panic("panic in a hook before the stop: no stop today");
    h.net()
        .before_stop(|| Deferred::fail("the registry is closed today"));
    h.net()
        .before_stop(|| -> Deferred<(), Infallible> { panic!("no stop today") });
    let (resolver, abandoned) = Deferred::<(), Infallible>::new();
    h.net().before_stop(move || {
        drop(resolver);
        abandoned
    });
    accepted(&mut *h, &log, Probe::new("a", &log));
    h.net().stop();
    h.settle();
    log.expect(&["a stopping", "a lost: closed here"]);
}

/// Also from within a hook, and while others are being waited for.
fn a_hook_may_add_another(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (held, waited) = deferred::<()>();
    let (net, notes) = (h.net(), log.clone());
    h.net().before_stop(move || {
        notes.note("outer");
        net.before_stop(move || {
            notes.note("inner");
            waited.map_err(|()| "never")
        });
        Deferred::<(), Infallible>::succeed(())
    });
    accepted(&mut *h, &log, Probe::new("a", &log));
    h.net().stop();
    h.settle();
    log.expect(&["outer", "inner"]);
    let notes = log.clone();
    h.net().before_stop(move || {
        notes.note("late");
        Deferred::<(), Infallible>::succeed(())
    });
    h.settle();
    log.expect(&["late"]);
    resolve(&held, ());
    h.settle();
    log.expect(&["a stopping", "a lost: closed here"]);
}

/// "Accept what is queued and close the listeners": for those clients they are connected, and a
/// closed listener would reset them without a word.
fn those_who_wait_at_the_listeners_are_let_in_and_told(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_accepts = 1);
    let log = Log::default();
    let notes = log.clone();
    let made = factory(move |_: &torsade_core::Peer| {
        Probe::new("a", &notes).stopping(|_, t| {
            t.write("going down");
            t.close();
        })
    });
    let Ok(listener) = h.net().listen(h.anywhere(), made) else {
        panic!("a harness must be able to listen on loopback");
    };
    let ends = [(); 3].map(|()| h.dial(&listener));
    h.net().stop();
    h.settle();
    assert!(!listener.is_open());
    for end in ends {
        assert_eq!(h.received(end), b"going down");
        assert_eq!(h.seen(end), Seen::Ended);
    }
    let mut lines = log.take();
    lines.sort();
    let wanted = [["a lost: closed here"; 3], ["a made"; 3], ["a stopping"; 3]];
    assert_eq!(lines, wanted.concat());
}

/// "Then free timers and posted calls are dropped, Deferreds end `Abandoned`".
fn what_is_left_at_the_end_of_a_stop_is_dropped(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let net = h.net();
    let owned = Dropped(log.clone(), "timer dropped");
    let (resolver, waits) = Deferred::<(), Infallible>::new();
    let notes = log.clone();
    waits.finish(move |result| notes.note(format!("{result:?}")));
    net.call_later(Duration::from_secs(3600), move |_| {
        keep(&owned);
        resolver.resolve(());
    });
    let (end, _) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.finish(end);
    net.stop();
    h.settle();
    let lines = log.take();
    assert!(lines.contains(&"timer dropped".into()), "{lines:?}");
    assert!(lines.contains(&"Err(Abandoned)".into()), "{lines:?}");
    assert_eq!(net.free_timers().len(), 0);

    // "A reactor can be run again": what is begun now is not.
    let notes = log.clone();
    net.call_later(Duration::from_secs(1), move |_| notes.note("timer runs"));
    h.settle();
    h.advance(Duration::from_secs(1));
    log.expect(&["timer runs"]);
}

/// The same for a call that is posted in the last callback of all.
fn posted_calls_that_are_left_at_the_end_of_a_stop_are_dropped(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (noted, calls) = mpsc::channel::<()>();
    let (noted, notes) = (Rc::new(std::cell::Cell::new(Some(noted))), log.clone());
    let made = factory(move |_: &torsade_core::Peer| {
        let noted = Rc::clone(&noted);
        Probe::new("a", &notes).lost(move |_, t, _| {
            if let Some(noted) = noted.take() {
                let posted = t.net().remote().post(move |_| noted.send(()).unwrap_or(()));
                assert!(posted.is_ok());
            }
        })
    });
    let Ok(listener) = h.net().listen(h.anywhere(), made) else {
        panic!("a harness must be able to listen on loopback");
    };
    h.dial(&listener);
    h.settle();
    h.net().stop();
    h.settle();
    log.expect(&["a made", "a stopping", "a lost: closed here"]);
    assert_eq!(calls.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// The same for listeners and attempts to connect: whoever begins one in his last callback would
/// keep a program going that has ended.
fn what_callbacks_begin_during_a_stop_is_given_up(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (address, _) = h.door();
    let begun: Rc<std::cell::Cell<Option<Listener>>> = Rc::default();
    let (place, notes, here) = (Rc::clone(&begun), log.clone(), h.anywhere());
    let a = Probe::new("a", &log).lost(move |_, t, _| {
        let nobody = factory(|_: &torsade_core::Peer| None::<Probe>);
        place.set(t.net().listen(&here, nobody).ok());
        let connecting = t.net().connect(&address, Probe::new("b", &notes));
        let notes = notes.clone();
        connecting.finish(move |result| {
            let abandoned = matches!(result, Err(Failure::Abandoned));
            notes.note(format!("abandoned {abandoned}"));
        });
    });
    accepted(&mut *h, &log, a);
    h.net().stop();
    h.settle();
    log.expect(&["a stopping", "a lost: closed here", "abandoned true"]);
    assert!(begun.take().is_some_and(|listener| !listener.is_open()));
}
