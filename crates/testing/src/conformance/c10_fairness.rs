//! C10: fairness.

use std::cell::Cell as Flag;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Net, Transport};
use torsade_deferred::Deferred;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, bytes};
use super::{Cell, Harness, cells};

pub(super) const CELLS: &[Cell] = cells![10:
    a_self_requeueing_call_starves_nobody,
    a_self_requeueing_deferred_starves_nobody,
    a_self_requeueing_call_keeps_nobody_from_input_left_over,
    a_self_requeueing_posted_call_starves_nobody,
    two_that_write_to_each_other_starve_nobody,
    bytes_of_one_connection_in_a_turn_are_bounded,
    posted_calls_in_a_turn_are_bounded,
];

/// Ends when another connection got its input and its timer; gives up after very many rounds.
#[derive(Clone)]
struct UntilServed {
    input: Rc<Flag<bool>>,
    timer: Rc<Flag<bool>>,
    left: Rc<Flag<u32>>,
}

impl UntilServed {
    fn new(h: &mut dyn Harness, log: &Log) -> Self {
        let this = Self {
            input: Rc::default(),
            timer: Rc::default(),
            left: Rc::new(Flag::new(5_000)),
        };
        let (input, timer) = (Rc::clone(&this.input), Rc::clone(&this.timer));
        let patient = Probe::new("patient", log).data(move |_, t, _| {
            input.set(true);
            let timer = Rc::clone(&timer);
            t.call_later(Duration::ZERO, move |_, _| timer.set(true));
        });
        let (end, transport) = accepted(h, log, patient);
        transport.pause_reading();
        h.settle();
        h.send(end, b"me too");
        h.settle();
        transport.resume_reading();
        this
    }

    fn goes_on(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0 && !(self.input.get() && self.timer.get())
    }

    #[track_caller]
    fn check(&self) {
        assert!(self.input.get(), "input was starved");
        assert!(self.timer.get(), "a timer was starved");
        assert!(self.left.get() > 0, "it took very many rounds");
    }
}

/// "A loud peer or a self-requeueing call starves nobody."
fn a_self_requeueing_call_starves_nobody(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 10);
    let log = Log::default();
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let served = UntilServed::new(&mut *h, &log);
    fn again(t: &Transport<Probe>, served: UntilServed) {
        if served.goes_on() {
            t.call(move |_, t| again(t, served));
        }
    }
    again(&transport, served.clone());
    h.settle();
    served.check();
    log.expect(&["patient data me too"]);
}

/// The same for input that was left over: its deliveries have a budget of their own.
fn a_self_requeueing_call_keeps_nobody_from_input_left_over(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 1);
    let log = Log::default();
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let served = Rc::new(Flag::new(false));
    let flag = Rc::clone(&served);
    let b = Probe::new("b", &log).data(move |_, t, data| {
        flag.set(data == b"y");
        t.unread(data.len() - 1);
        t.pause_reading();
        t.call(|_, t| t.resume_reading());
    });
    let (end, patient) = accepted(&mut *h, &log, b);
    patient.pause_reading();
    h.settle();
    h.send(end, b"xy");
    h.settle();
    fn again(t: &Transport<Probe>, served: Rc<Flag<bool>>, left: u32) {
        assert!(left > 0, "it took very many rounds");
        if !served.get() {
            t.call(move |_, t| again(t, served, left - 1));
        }
    }
    again(&transport, Rc::clone(&served), 10_000);
    patient.resume_reading();
    h.settle();
    assert!(served.get(), "input was starved");
    log.expect(&["b data xy", "b data y"]);
}

/// The same with a chain of Deferreds that belongs to nobody.
fn a_self_requeueing_deferred_starves_nobody(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 10);
    let log = Log::default();
    let (_, transport) = accepted(&mut *h, &log, Probe::new("a", &log));
    let served = UntilServed::new(&mut *h, &log);
    fn again(served: UntilServed) {
        if served.goes_on() {
            Deferred::<(), ()>::succeed(()).finish(move |_| again(served));
        }
    }
    let first = served.clone();
    // Inside a turn: outside of one, it would run to its end at once.
    transport.call(move |_, _| again(first));
    h.settle();
    served.check();
    log.expect(&["patient data me too"]);
}

/// The same with a posted call that posts itself.
fn a_self_requeueing_posted_call_starves_nobody(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let served = UntilServed::new(&mut *h, &log);
    thread_local! {
        static SERVED: Flag<Option<UntilServed>> = const { Flag::new(None) };
    }
    fn again(net: &Net) {
        let Some(served) = SERVED.take() else {
            return;
        };
        if served.goes_on() {
            SERVED.set(Some(served));
            assert!(net.remote().post(again).is_ok());
        }
    }
    SERVED.set(Some(served.clone()));
    again(&h.net());
    h.settle();
    served.check();
    log.expect(&["patient data me too"]);
}

/// The same with two connections that write to each other in their callbacks.
fn two_that_write_to_each_other_starve_nobody(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_continuations = 10);
    let log = Log::default();
    let (_, one) = accepted(&mut *h, &log, Probe::new("a", &log));
    let (_, two) = accepted(&mut *h, &log, Probe::new("b", &log));
    let served = UntilServed::new(&mut *h, &log);
    fn again(t: &Transport<Probe>, other: Transport<Probe>, served: UntilServed) {
        if served.goes_on() {
            other.write(".");
            let me = t.clone();
            other.call(move |_, t| again(t, me, served));
        }
    }
    again(&one, two, served.clone());
    h.settle();
    served.check();
    log.expect(&["patient data me too"]);
}

/// "Bytes [..] per turn are bounded, per connection": no delivery is larger than its share.
fn bytes_of_one_connection_in_a_turn_are_bounded(stage: Stage) {
    const SHARE: usize = 1000;
    let mut h = stage.with(|limits| limits.turn_connection_bytes = SHARE);
    let log = Log::default();
    let (largest, all) = (Rc::new(Flag::new(0)), Rc::new(Flag::new(0)));
    let (high, sum) = (Rc::clone(&largest), Rc::clone(&all));
    let a = Probe::new("a", &log)
        .without_data()
        .data(move |_, _, data| {
            high.set(high.get().max(data.len()));
            sum.set(sum.get() + data.len());
        });
    let (end, transport) = accepted(&mut *h, &log, a);
    transport.pause_reading();
    h.settle();
    h.send(end, &bytes(50 * SHARE));
    h.settle();
    transport.resume_reading();
    h.settle();
    assert_eq!((largest.get(), all.get()), (SHARE, 50 * SHARE));
}

/// "Posted calls [..] are bounded": the rest waits for the next turn, in order.
fn posted_calls_in_a_turn_are_bounded(stage: Stage) {
    let mut h = stage.with(|limits| limits.turn_posts = 3);
    let log = Log::default();
    thread_local! {
        static LOG: Flag<Option<Log>> = const { Flag::new(None) };
    }
    let say = |line: String| {
        if let Some(log) = LOG.take() {
            log.note(line);
            LOG.set(Some(log));
        }
    };
    LOG.set(Some(log.clone()));
    let remote = h.net().remote();
    for number in 0..7 {
        let posted = remote.post(move |net| {
            say(number.to_string());
            if number == 0 {
                // A timer is due at the end of the turn in which it is found due.
                net.call_later(Duration::ZERO, move |_| say("timer".into()));
            }
        });
        assert!(posted.is_ok());
    }
    h.settle();
    log.expect(&["0", "1", "2", "3", "4", "5", "timer", "6"]);
    LOG.take();
}
