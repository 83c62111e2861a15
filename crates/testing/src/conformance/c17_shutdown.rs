//! C17: shutdown, as far as the engine does it.

use std::time::Duration;

use torsade_core::{Disconnect, ListenError, Timeout, factory};
use torsade_deferred::Failure;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{Dropped, accepted, act, deferred, in_both_roles, keep, open};
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
    let Ok(listener) = h.net().listen("127.0.0.1:0", made) else {
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
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
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
    let wanted = [
        "abandoned true",
        "b lost: closed here",
        "b stopping",
        "dropped",
    ];
    assert_eq!(lines, wanted);
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
    let (noted, calls) = std::sync::mpsc::channel::<()>();
    let posted = h
        .net()
        .remote()
        .post(move |_| noted.send(()).unwrap_or_default());
    assert!(posted.is_ok());
    h.shut_down();
    log.expect(&["timer dropped"]);
    assert_eq!(
        calls.try_recv(),
        Err(std::sync::mpsc::TryRecvError::Disconnected)
    );
}

/// "An error (not a hang) when the reactor is gone" (C11), for everything that could be begun.
fn nothing_begins_on_what_is_gone(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (net, nobody) = (h.net(), h.closed_door());
    h.shut_down();
    log.expect(&["a lost: the reactor is gone"]);
    assert!(!net.is_alive());
    let listened = net.listen(
        "127.0.0.1:0",
        factory(|_: &torsade_core::Peer| None::<Probe>),
    );
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
        net.connect(nobody, Probe::new("c", &Log::default()))
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
