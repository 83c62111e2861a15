//! C1: nobody calls you back while you are running.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{self, accepted, act, deferred, keep, resolve};
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![1:
    a_write_to_another_never_nests,
    a_borrow_may_be_held_across_every_method,
    continuations_come_before_facts,
    the_peers_end_waits_behind_continuations,
    loss_waits_behind_continuations,
    a_budget_defers_and_drops_nothing,
    calls_run_in_the_order_they_were_made,
    results_run_in_the_order_they_came,
    all_that_is_queued_runs_in_one_order,
    results_come_before_facts,
    continuations_never_nest,
    using_an_engine_inside_a_callback_panics,
    engines_of_one_thread_share_the_queue,
    outside_of_turns_the_queue_runs_before_the_call_returns,
    values_dropped_by_us_may_use_the_connection,
];

/// "So callbacks never nest, on any connection": what a write to another connection leads to
/// waits until the writer has returned.
fn a_write_to_another_never_nests(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let room = Rc::new(RefCell::new(vec![other]));
    let a = Probe::new("a", &log).data(move |me, _, _| {
        let room = room.borrow_mut();
        room.iter().for_each(|member| member.write([7; 100_000]));
        me.note("wrote");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "a wrote", "b pause", "b resume"]);
}

/// "A `RefCell` borrow held across our methods cannot conflict."
fn a_borrow_may_be_held_across_every_method(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let shared = Rc::new(RefCell::new(0));
    let count = || {
        let shared = Rc::clone(&shared);
        move || *shared.borrow_mut() += 1
    };
    let (pause, resume, lose) = (count(), count(), count());
    let a = Probe::new("a", &log)
        .paused(move |_, _| pause())
        .resumed(move |_, _| resume())
        .lost(move |_, _, _| lose());
    let (_, transport) = accepted(&mut *h, &log, a);
    let held = Rc::clone(&shared);
    let nobody = h.closed_door();
    act(&mut *h, &transport, move |_, t| {
        let count = || {
            let shared = Rc::clone(&held);
            move || *shared.borrow_mut() += 1
        };
        let borrow = held.borrow_mut();
        t.write([1; 70_000]);
        t.write_parts(&[b"a", b"b"]);
        t.write_bytes(Bytes::from_static(&[0; 5000]));
        t.set_write_limits(0, 0);
        t.set_write_limits(10_000_000, 10_000_000);
        let counts = (count(), count(), count(), count(), count(), count());
        t.flushed().finish(move |_| counts.0());
        t.closed().finish(move |_| counts.1());
        t.call(move |_, _| counts.2());
        t.then(Deferred::<(), ()>::succeed(()), move |_, _, _| counts.3());
        t.hold(Deferred::<(), ()>::succeed(()), move |_, _, _| counts.4());
        t.call_later(Duration::ZERO, move |_, _| counts.5());
        let counts = (count(), count(), count(), count(), count());
        let (resolver, result) = Deferred::<(), ()>::new();
        result.finish(move |_| counts.0());
        resolver.resolve(());
        let (resolver, result) = Deferred::<(), ()>::new();
        result.finish(move |_| counts.1());
        drop(resolver);
        let (resolver, result) = Deferred::<(), ()>::new();
        resolver.on_cancel(move || counts.2());
        result.cancel();
        let net = t.net();
        let refused = net.connect(nobody, Probe::new("c", &Log::default()));
        refused.finish(move |_| counts.3());
        net.call_later(Duration::ZERO, move |_| counts.4());
        t.pause_reading();
        t.resume_reading();
        t.throttle_input(false);
        t.call_later(Duration::ZERO, |_, _| ()).cancel();
        t.close();
        t.abort();
        drop(borrow);
    });
    h.settle();
    // All but the timer of the connection, which ended with it.
    assert_eq!(*shared.borrow(), 13, "calls that borrowed in their turn");
}

/// "While some are queued for a connection, no new fact reaches it."
fn continuations_come_before_facts(stage: Stage) {
    let mut h = stage.with(|limits| {
        limits.turn_connection_bytes = 1;
        limits.turn_continuations = 1;
    });
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, data| {
        if data == b"1" {
            t.call(|me, _| me.note("first"));
            t.call(|me, _| me.note("second"));
            t.call(|me, _| me.note("third"));
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.send(end, b"12");
    h.settle();
    transport.resume_reading();
    h.settle();
    log.expect(&["a data 1", "a first", "a second", "a third", "a data 2"]);
}

/// The same, where the fact is the peer's end.
fn the_peers_end_waits_behind_continuations(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 1);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| {
        for _ in 0..3 {
            t.call(|me, _| me.note("call"));
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.send(end, b"x");
    h.finish(end);
    h.settle();
    transport.resume_reading();
    h.settle();
    log.expect(&[
        "a data x",
        "a call",
        "a call",
        "a call",
        "a eof",
        "a lost: closed by the peer",
    ]);
}

/// "Its loss waits behind them, over several turns if the budget says so."
fn loss_waits_behind_continuations(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 2);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, _| {
        for _ in 0..5 {
            t.call(|me, _| me.note("call"));
        }
        t.abort();
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&[
        "a data x",
        "a call",
        "a call",
        "a call",
        "a call",
        "a call",
        "a lost: aborted here",
    ]);
}

/// "A budget defers, it never drops."
fn a_budget_defers_and_drops_nothing(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 3);
    let log = Log::default();
    let answers = |_: &mut Probe, t: &torsade_core::Transport<Probe>, _: &[u8]| {
        for number in 0..10 {
            t.call(move |me, t| {
                me.note(&format!("call {number}"));
                let later = Deferred::<_, ()>::succeed(number).map(|number| number + 1);
                t.then(later, |me, _, result| {
                    me.note(&format!("then {}", result.unwrap_or_default()));
                });
            });
        }
    };
    let (first, _) = accepted(&mut *h, &log, Probe::new("a", &log).data(answers));
    let (second, _) = accepted(&mut *h, &log, Probe::new("b", &log).data(answers));
    h.send(first, b"x");
    h.send(second, b"x");
    h.settle();
    let lines = log.take();
    for name in ["a", "b"] {
        for (what, from) in [("call", 0), ("then", 1)] {
            let start = format!("{name} {what} ");
            let got: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with(&start))
                .collect();
            let wanted: Vec<_> = (from..from + 10).map(|n| format!("{start}{n}")).collect();
            assert_eq!(got, wanted.iter().collect::<Vec<_>>());
        }
    }
}

/// "Queued and runs after the current callback returned, in order": calls.
fn calls_run_in_the_order_they_were_made(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|me, t, _| {
        t.call(|me, t| {
            me.note("first");
            t.call(|me, _| me.note("third"));
        });
        t.call(|me, _| me.note("second"));
        me.note("returns");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "a returns", "a first", "a second", "a third"]);
}

/// "Queued and runs after the current callback returned, in order": results, in the order in
/// which they came and not in which they were waited for, whoever waits for them.
fn results_run_in_the_order_they_came(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |me, t, _| {
        let (one, first) = deferred::<()>();
        let (two, second) = deferred::<()>();
        let (three, third) = deferred::<()>();
        t.then(first, |me, _, _| me.note("first"));
        other.then(second, |me, _, _| me.note("second"));
        let free = me.clone_log();
        third.finish(move |_| free.note("third"));
        resolve(&three, ());
        resolve(&two, ());
        resolve(&one, ());
        me.note("returns");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x", "a returns", "third", "b second", "a first"]);
}

/// "Queued and runs after the current callback returned, in order": calls and results of several
/// connections, free results and the callbacks of flow control, in the order in which they were
/// queued and in no other.
fn all_that_is_queued_runs_in_one_order(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |me, t, _| {
        let (one, first) = deferred::<()>();
        let (two, second) = deferred::<()>();
        let (three, third) = deferred::<()>();
        t.then(first, |me, _, _| me.note("result 6"));
        other.then(second, |me, _, _| me.note("result 2"));
        let free = me.clone_log();
        third.finish(move |_| free.note("free result 4"));
        t.call(|me, _| me.note("call 1"));
        resolve(&two, ());
        other.call(|me, _| me.note("call 3"));
        resolve(&three, ());
        other.write([0; 100_000]);
        resolve(&one, ());
        t.call(|me, _| me.note("call 7"));
        me.note("returns");
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    let mut lines = log.take();
    // When it resumes is the other end's affair.
    lines.retain(|line| line != "b resume");
    let wanted = [
        "a data x",
        "a returns",
        "a call 1",
        "b result 2",
        "b call 3",
        "free result 4",
        "b pause",
        "a result 6",
        "a call 7",
    ];
    assert_eq!(lines, wanted);
}

/// "While some are queued for a connection, no new fact reaches it": a result that is there counts,
/// though the budget has not let it run.
fn results_come_before_facts(stage: Stage) {
    let mut h = stage.with(|limits| {
        limits.turn_connection_bytes = 1;
        limits.turn_continuations = 1;
    });
    let log = Log::default();
    let a = Probe::new("a", &log).data(|me, t, data| {
        if data == b"1" {
            let (resolver, later) = deferred::<()>();
            t.then(later, |me, _, _| me.note("result"));
            for _ in 0..5 {
                let free = me.clone_log();
                Deferred::<_, ()>::succeed(()).finish(move |_| free.note("free"));
            }
            resolve(&resolver, ());
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.send(end, b"12");
    h.settle();
    transport.resume_reading();
    h.settle();
    let mut lines = log.take();
    lines.retain(|line| line != "free");
    assert_eq!(lines, ["a data 1", "a result", "a data 2"]);
}

/// "Whatever would call you is queued": continuations do not begin inside others either.
fn continuations_never_nest(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|me, t, _| {
        let (held, result) = deferred::<()>();
        let log = me.clone_log();
        t.then(result, move |me, _, _| {
            log.inside("then", || me.note("then"));
        });
        let log = me.clone_log();
        t.call(move |me, t| {
            log.inside("call", || {
                me.note("call begins");
                resolve(&held, ());
                t.set_write_limits(0, 0);
                t.write("x");
                me.note("call ends");
            });
        });
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    let mut lines = log.take();
    assert_eq!(lines.remove(0), "a data x");
    assert_eq!(lines[..2], ["a call begins", "a call ends"]);
    lines.sort();
    assert_eq!(
        lines,
        [
            "a call begins",
            "a call ends",
            "a pause",
            "a resume",
            "a then"
        ]
    );
}

/// "Running, turning or dropping a reactor, and every method of a test transport" inside a
/// callback would nest: it panics and says so, and only that connection suffers.
fn using_an_engine_inside_a_callback_panics(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let echo = Probe::new("b", &log).data(|_, t, data| t.write(data));
    let (neighbour, _) = accepted(&mut *h, &log, echo);
    let a = Probe::new("a", &log).data(move |_, _, _| {
        let mut inner = stage.harness();
        inner.open(super::Role::Accepted, Probe::new("c", &Log::default()));
        inner.settle();
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.expect_panic("inside a callback of this thread");
    h.send(end, b"x");
    h.settle();
    let lines = log.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[1].contains("inside a callback of this thread"),
        "{lines:?}"
    );
    h.send(neighbour, b"still here");
    h.settle();
    assert_eq!(h.received(neighbour), b"still here");
}

/// "The run-to-completion queue": what one engine of a thread settles for another wakes it.
fn engines_of_one_thread_share_the_queue(stage: Stage) {
    let (mut one, mut two, log) = (stage.harness(), stage.harness(), Log::default());
    let (held, result) = deferred::<&str>();
    let (_, waiting) = accepted(&mut *two, &log, Probe::new("b", &log));
    waiting.then(result, |me, t, result| {
        me.note(result.unwrap_or("nothing"));
        t.write("seen");
    });
    let a = Probe::new("a", &log).data(move |me, _, _| {
        resolve(&held, "an answer");
        me.note("returns");
    });
    let (end, _) = accepted(&mut *one, &log, a);
    one.send(end, b"x");
    one.settle();
    two.settle();
    log.expect(&["a data x", "a returns", "b an answer"]);
    assert_eq!(waiting.bytes_sent(), 4);
}

/// "Resolving, cancelling, dropping or combining Deferreds there (the queue runs before the call
/// returns)."
fn outside_of_turns_the_queue_runs_before_the_call_returns(stage: Stage) {
    let (h, log) = (stage.harness(), Log::default());
    let note = |line: &'static str| {
        let log = log.clone();
        move || log.note(line)
    };
    let (resolved, dropped, cancelled) = (note("resolved"), note("dropped"), note("cancelled"));
    let (resolver, result) = Deferred::<(), ()>::new();
    result.finish(move |_| resolved());
    resolver.resolve(());
    log.expect(&["resolved"]);
    let (resolver, result) = Deferred::<(), ()>::new();
    result.finish(move |_| dropped());
    drop(resolver);
    log.expect(&["dropped"]);
    let (resolver, result) = Deferred::<(), ()>::new();
    resolver.on_cancel(cancelled);
    result.cancel();
    log.expect(&["cancelled"]);
    let combined = note("combined");
    Deferred::<(), ()>::succeed(())
        .map(move |()| combined())
        .detach();
    log.expect(&["combined"]);
    drop(h);
}

/// "A value that you pass by value may be dropped inside the call [..] with nothing of ours
/// borrowed", and none is borrowed when we drop it later.
fn values_dropped_by_us_may_use_the_connection(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let used = Rc::new(RefCell::new(0));
    let (count, on) = (Rc::clone(&used), transport.clone());
    tools::on_drop_of_users(move || {
        *count.borrow_mut() += 1;
        use_everything(&on);
    });
    let (never, waited_for) = deferred::<()>();
    act(&mut *h, &transport, |_, t| {
        t.write_bytes(Bytes::from_owner(tools::User([0; 2000])));
        let user = tools::user();
        t.call_later(Duration::from_secs(1), move |_, _| keep(&user))
            .cancel();
        let user = tools::user();
        let net = t.net();
        net.call_later(Duration::from_secs(1), move |_| keep(&user))
            .cancel();
        let user = tools::user();
        t.call(move |_, _| keep(&user));
        let user = tools::user();
        t.then(waited_for, move |_, _, _| keep(&user));
    });
    assert_eq!(*used.borrow(), 4, "all but the one that still waits");
    act(&mut *h, &transport, |_, t| {
        t.close_write();
        t.write_bytes(Bytes::from_owner(tools::User([0; 2000])));
        t.close();
    });
    h.settle();
    assert_eq!(*used.borrow(), 6, "and the one that waited for nothing");
    let user = tools::user();
    transport.call(move |_, _| keep(&user));
    let user = tools::user();
    transport.then(Deferred::<(), ()>::new().1, move |_, _, _| keep(&user));
    assert_eq!(*used.borrow(), 8, "and those that came too late");
    tools::on_drop_of_users(|| ());
    drop(h);
    keep(&(log, never));
}

fn use_everything(t: &torsade_core::Transport<Probe>) {
    t.write("x");
    t.set_write_limits(t.buffered(), t.buffered());
    t.set_write_limits(1 << 20, 1 << 20);
    t.call(|_, _| ());
    t.call_later(Duration::ZERO, |_, _| ()).cancel();
    t.net().call_later(Duration::ZERO, |_| ()).cancel();
    t.flushed().finish(|_| ());
    t.closed().finish(|_| ());
    keep(&t.net().free_timers());
}
