//! C9: time.

use std::cell::{Cell as Flag, RefCell};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Net, Timer};

use super::filters::a_filter_is_woken_at_its_time;
use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, act};
use super::{Cell, Harness, cells};
use crate::Clock;

pub(super) const CELLS: &[Cell] = cells![9:
    timers_never_fire_early,
    equal_deadlines_fire_in_the_order_they_were_set,
    a_zero_delay_waits_for_input,
    a_timer_that_sets_itself_again_does_not_starve_input,
    a_deadline_counts_from_the_end_of_a_long_turn,
    the_time_is_the_same_in_a_whole_turn,
    a_timer_can_be_cancelled_reset_and_delayed,
    a_cancel_by_an_earlier_timer_of_the_same_instant_counts,
    a_reset_by_an_earlier_timer_of_the_same_instant_counts,
    a_delay_by_an_earlier_timer_of_the_same_instant_counts,
    input_that_waited_comes_before_the_timer_due_with_it,
    input_that_a_budget_left_over_comes_before_the_timer,
    input_that_never_comes_keeps_no_timer,
    a_timer_far_away_is_never,
    timers_of_a_connection_end_with_it_and_free_ones_do_not,
    a_million_cancelled_timers_leave_nothing,
    a_filter_is_woken_at_its_time,
];

const MS: Duration = Duration::from_millis(1);

fn note(log: &Log, line: &'static str) -> impl FnOnce(&Net) + use<> {
    let log = log.clone();
    move |_| log.note(line)
}

/// "Timers never fire early", of a connection or free.
fn timers_never_fire_early(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    h.net().call_later(100 * MS, note(&log, "free"));
    transport.call_later(100 * MS, |me, _| me.note("timer"));
    // Something else happens just before.
    h.net()
        .call_later(100 * MS - Duration::from_nanos(1), note(&log, "turn"));
    h.advance(100 * MS - Duration::from_nanos(1));
    log.expect(&["turn"]);
    h.advance(Duration::from_nanos(1));
    log.expect(&["free", "a timer"]);
    h.advance(Duration::from_secs(1));
    log.expect(&[]);
}

/// "Equal deadlines fire in the order they were set", however far apart the settings were.
fn equal_deadlines_fire_in_the_order_they_were_set(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let net = h.net();
    net.call_later(30 * MS, note(&log, "first"));
    net.call_later(40 * MS, note(&log, "last"));
    net.call_later(30 * MS, note(&log, "second"));
    h.advance(10 * MS);
    net.call_later(20 * MS, note(&log, "third"));
    net.call_later(19 * MS, note(&log, "zeroth"));
    net.call_later(20 * MS, note(&log, "fourth"));
    h.advance(100 * MS);
    log.expect(&["zeroth", "first", "second", "third", "fourth", "last"]);
}

/// "A zero delay waits for I/O": what lies there already comes first.
fn a_zero_delay_waits_for_input(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_connection_bytes = 1);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, t, data| {
        if data == b"1" {
            t.call_later(Duration::ZERO, |me, _| me.note("timer"));
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.settle();
    h.send(end, b"12");
    h.settle();
    transport.resume_reading();
    h.settle();
    log.expect(&["a data 1", "a data 2", "a timer"]);
}

/// The same, again and again: by R52 and C10, nobody starves.
fn a_timer_that_sets_itself_again_does_not_starve_input(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let seen = Rc::new(Flag::new(false));
    let flag = Rc::clone(&seen);
    let a = Probe::new("a", &log).data(move |_, _, _| flag.set(true));
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.settle();
    fn again(net: &Net, seen: Rc<Flag<bool>>, left: u32) {
        if !seen.get() {
            assert!(left > 0, "input starves behind a timer");
            net.call_later(Duration::ZERO, move |net| again(net, seen, left - 1));
        }
    }
    h.send(end, b"x");
    h.settle();
    transport.resume_reading();
    again(&h.net(), seen, 10_000);
    h.settle();
    log.expect(&["a data x"]);
}

/// "Also when set late in a long turn (their deadline counts from the time at its end)."
fn a_deadline_counts_from_the_end_of_a_long_turn(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let a = Probe::new("a", &log).data(|_, t, _| {
        // Who asks for the time fixes it for the turn.
        t.net().now();
        t.call_later(50 * MS, |me, _| me.note("timer"));
        Clock::stall(1000 * MS);
    });
    let (end, _) = accepted(&mut *h, &log, a);
    h.send(end, b"x");
    h.settle();
    log.expect(&["a data x"]);
    h.advance(49 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["a timer"]);
}

/// "Time is the engine's, [..] passed in by the driver": one time for all callbacks of a turn.
fn the_time_is_the_same_in_a_whole_turn(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let times = Rc::new(RefCell::new(Vec::new()));
    let note = Rc::clone(&times);
    let a = Probe::new("a", &log).data(move |_, t, _| {
        note.borrow_mut().push(t.net().now());
        Clock::stall(5 * MS);
        note.borrow_mut().push(t.net().now());
    });
    let (end, _) = accepted(&mut *h, &log, a);
    let before = h.net().now();
    h.send(end, b"x");
    h.settle();
    assert_eq!(*times.borrow(), [before, before]);
    assert_eq!(h.net().now() - before, 5 * MS);
}

/// "Set, cancel and reset", by R53 and R54.
fn a_timer_can_be_cancelled_reset_and_delayed(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let set = |name: &'static str| transport.call_later(100 * MS, move |me, _| me.note(name));
    let (cancelled, later, sooner, delayed) = (
        set("cancelled"),
        set("later"),
        set("sooner"),
        set("delayed"),
    );
    h.advance(60 * MS);
    assert!(cancelled.cancel() && !cancelled.is_active());
    assert!(!cancelled.cancel() && !cancelled.reset(MS) && !cancelled.delay(MS));
    // From now, from now, from what was planned: due at 160, 70 and 150.
    assert!(later.reset(100 * MS) && sooner.reset(10 * MS) && delayed.delay(50 * MS));
    h.advance(9 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["a sooner"]);
    assert!(!sooner.is_active() && !sooner.cancel());
    h.advance(79 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["a delayed"]);
    h.advance(9 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["a later"]);
}

/// What the first of two timers of one instant does to the second.
fn two_of_one_instant(h: &mut dyn Harness, log: &Log, change: impl Fn(&Timer) + 'static) {
    let second = Rc::new(RefCell::new(None::<Timer>));
    let (seat, first) = (Rc::clone(&second), log.clone());
    let net = h.net();
    net.call_later(100 * MS, move |_| {
        first.note("first");
        if let Some(second) = &*seat.borrow() {
            change(second);
        }
    });
    second.replace(Some(net.call_later(100 * MS, note(log, "second"))));
    h.advance(100 * MS);
}

/// A timer that an earlier one of the same instant cancels does not fire.
fn a_cancel_by_an_earlier_timer_of_the_same_instant_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    two_of_one_instant(&mut *h, &log, |timer| assert!(timer.cancel()));
    h.advance(1000 * MS);
    log.expect(&["first"]);
}

/// One that is reset is not early: "timers never fire early".
fn a_reset_by_an_earlier_timer_of_the_same_instant_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    two_of_one_instant(&mut *h, &log, |timer| assert!(timer.reset(50 * MS)));
    log.expect(&["first"]);
    h.advance(49 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["second"]);
}

/// Neither is one that is delayed.
fn a_delay_by_an_earlier_timer_of_the_same_instant_counts(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    two_of_one_instant(&mut *h, &log, |timer| assert!(timer.delay(50 * MS)));
    log.expect(&["first"]);
    h.advance(49 * MS);
    log.expect(&[]);
    h.advance(MS);
    log.expect(&["second"]);
}

/// "A connection's input that was waiting is delivered before its timer that came due with it
/// [..] (or a stall of ours kills live peers)."
fn input_that_waited_comes_before_the_timer_due_with_it(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (alive, patient) = accepted(&mut *h, &log, Probe::new("a", &log));
    patient.pause_reading();
    patient.call_later(10_000 * MS, |me, _| me.note("is dead"));
    h.settle();
    h.send(alive, b"I live");
    h.settle();
    let slow = Probe::new("b", &log).data(move |_, _, _| {
        Clock::stall(11_000 * MS);
        patient.resume_reading();
    });
    let (end, _) = accepted(&mut *h, &log, slow);
    h.send(end, b"x");
    h.settle();
    log.expect(&["b data x", "a data I live", "a is dead"]);
}

/// "Also when a budget left some over."
fn input_that_a_budget_left_over_comes_before_the_timer(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 2);
    let log = Log::default();
    let (_, other) = accepted(&mut *h, &log, Probe::new("b", &log));
    let a = Probe::new("a", &log).data(move |_, t, data| {
        // One byte at a time. Letting go is the other's work, and uses the budget up.
        t.unread(data.len() - 1);
        t.pause_reading();
        let resume = t.clone();
        other.call(move |_, _| resume.resume_reading());
        if data.len() == 4 {
            Clock::stall(5000 * MS);
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.call_later(1000 * MS, |me, _| me.note("timer"));
    h.settle();
    h.send(end, b"1234");
    h.settle();
    log.expect(&[
        "a data 1234",
        "a data 234",
        "a data 34",
        "a data 4",
        "a timer",
    ]);
}

/// The same, when what looked like more input was all there is: the last read took just what a
/// turn allows.
fn input_that_never_comes_keeps_no_timer(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_connection_bytes = 4);
    let log = Log::default();
    let a = Probe::new("a", &log).data(|_, _, data| {
        if data == b"5678" {
            Clock::stall(50 * MS);
        }
    });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.call_later(10 * MS, |me, _| me.note("timer"));
    h.settle();
    h.send(end, b"12345678");
    h.settle();
    log.expect(&["a data 1234", "a data 5678", "a timer"]);
}

/// A duration beyond the clock is merely never, and harms no other.
fn a_timer_far_away_is_never(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    h.advance(MS);
    let far = h.net().call_later(Duration::MAX, note(&log, "never"));
    h.net().call_later(MS, note(&log, "soon"));
    h.settle();
    assert!(far.delay(Duration::MAX) && far.is_active());
    h.advance(Duration::from_secs(1_000_000));
    log.expect(&["soon"]);
    assert!(far.cancel());
}

/// By C16 and C17: timers of a connection end with it; free ones live as long as the reactor.
fn timers_of_a_connection_end_with_it_and_free_ones_do_not(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let own = transport.call_later(5 * MS, |me, _| me.note("own"));
    let free = transport.net().call_later(5 * MS, note(&log, "free"));
    act(&mut *h, &transport, |_, t| t.close());
    assert!(!own.is_active() && !own.cancel() && free.is_active());
    h.advance(5 * MS);
    log.expect(&["a lost: closed here", "free"]);
    let late = h.net().call_later(5 * MS, note(&log, "late"));
    h.shut_down();
    assert!(!late.is_active());
    log.expect(&[]);
}

/// "A million cancelled timers hold no memory": here, that none is left and the next one fires.
fn a_million_cancelled_timers_leave_nothing(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let net = h.net();
    let idle = Rc::new(());
    for _ in 0..1_000_000 {
        let held = Rc::clone(&idle);
        net.call_later(60_000 * MS, move |_| drop(held)).cancel();
    }
    assert_eq!((Rc::strong_count(&idle), net.free_timers().len()), (1, 0));
    net.call_later(MS, note(&log, "fires"));
    h.advance(MS);
    log.expect(&["fires"]);
}
