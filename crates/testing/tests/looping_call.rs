//! Looping calls on the fakes' clock: Twisted's rule R82 and what surrounds it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{LoopingCall, Net, Protocol, Transport};
use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_testing::{Clock, StringTransport};

const SECOND: Duration = Duration::from_secs(1);

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// When calls were made since the test began, in milliseconds, and for how many intervals each
/// stood.
#[derive(Clone, Default)]
struct Calls(Rc<RefCell<Vec<(u128, u64)>>>);

impl Calls {
    fn begin() -> (Self, impl Fn(&Net, u64) + Clone) {
        let calls = Self::default();
        let (log, start) = (calls.clone(), Clock::now());
        (calls, move |net: &Net, count| {
            let at = (net.now() - start).as_millis();
            log.0.borrow_mut().push((at, count));
        })
    }

    fn take(&self) -> Vec<(u128, u64)> {
        self.0.take()
    }
}

fn fake() -> (StringTransport<Quiet>, Net) {
    let t = StringTransport::serve(Quiet);
    let net = t.net().clone();
    (t, net)
}

#[test]
fn calls_stay_on_the_grid_however_slow_they_are() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start(&net, SECOND, move |net, count| {
        note(net, count);
        Clock::stall(Duration::from_millis(300));
    });
    t.advance(Duration::from_millis(3_500));
    assert_eq!(calls.take(), [(0, 1), (1_000, 1), (2_000, 1), (3_000, 1)]);
    beat.stop();
}

#[test]
fn r82_a_call_slower_than_the_interval_skips_and_says_how_many() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let slow = Cell::new(true);
    let (beat, _ended) = LoopingCall::start(&net, SECOND, move |net, count| {
        note(net, count);
        if slow.replace(false) {
            Clock::stall(Duration::from_millis(2_500));
        }
    });
    t.advance(Duration::ZERO);
    // The call at 0 s took until 2.5 s; those of 1 s and 2 s are skipped.
    t.advance(Duration::from_millis(1_500));
    assert_eq!(calls.take(), [(0, 1), (3_000, 3), (4_000, 1)]);
    beat.stop();
}

#[test]
fn somebody_elses_slowness_makes_a_call_late_and_not_the_next_one() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start(&net, SECOND, note);
    net.call_later(Duration::from_millis(1_500), |_| {
        Clock::stall(Duration::from_millis(1_700));
    });
    t.advance(4 * SECOND);
    assert_eq!(calls.take(), [(0, 1), (1_000, 1), (3_200, 2), (4_000, 1)]);
    beat.stop();
}

#[test]
fn a_slow_neighbour_in_the_same_turn_moves_nothing() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start(&net, SECOND, note);
    t.advance(Duration::ZERO);
    // Set after the beat's timer, so it runs after it in the same turn.
    net.call_later(SECOND, |_| Clock::stall(Duration::from_millis(400)));
    t.advance(3 * SECOND);
    assert_eq!(calls.take(), [(0, 1), (1_000, 1), (2_000, 1), (3_000, 1)]);
    beat.stop();
}

/// Intervals that no float can hold: a thousand of a third of a second.
#[test]
fn r82_counts_are_right_at_the_edges_of_intervals() {
    let (mut t, net) = fake();
    let third = SECOND / 3;
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start_later(&net, third, note);
    t.advance(1_000 * third);
    let counts: Vec<_> = calls.take().into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [1; 1_000]);
    beat.stop();
}

#[test]
fn r82_an_interval_of_zero_calls_once_a_turn_and_always_counts_one() {
    let (_t, net) = fake();
    let (calls, note) = Calls::begin();
    let left = Cell::new(3);
    let own: Rc<RefCell<Option<LoopingCall>>> = Rc::default();
    let handle = Rc::clone(&own);
    let (beat, _ended) = LoopingCall::start(&net, Duration::ZERO, move |net, count| {
        note(net, count);
        Clock::stall(SECOND);
        left.set(left.get() - 1);
        if left.get() == 0 {
            handle.borrow().as_ref().unwrap().stop();
        }
    });
    own.replace(Some(beat));
    let (mut t, _) = fake();
    t.advance(Duration::ZERO);
    assert_eq!(calls.take(), [(0, 1), (1_000, 1), (2_000, 1)]);
    own.take();
}

#[test]
fn the_first_call_comes_at_once_or_later_but_never_inside_the_start() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start(&net, SECOND, note);
    assert_eq!(calls.take(), []);
    t.advance(Duration::ZERO);
    assert_eq!(calls.take(), [(0, 1)]);
    beat.stop();

    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start_later(&net, SECOND, note);
    t.advance(Duration::from_millis(999));
    assert_eq!(calls.take(), []);
    t.advance(Duration::from_millis(1));
    assert_eq!(calls.take(), [(1_000, 1)]);
    beat.stop();
}

/// Calls that each wait for a Deferred whose resolver the test has.
type Work = Rc<RefCell<Vec<Resolver<(), &'static str>>>>;

fn working(net: &Net) -> (Work, Calls, LoopingCall, Deferred<(), &'static str>) {
    let work = Work::default();
    let (calls, note) = Calls::begin();
    let mine = Rc::clone(&work);
    let (beat, ended) = LoopingCall::start(net, SECOND, move |net, count| {
        note(net, count);
        let (resolver, done) = Deferred::new();
        mine.borrow_mut().push(resolver);
        done
    });
    (work, calls, beat, ended)
}

#[test]
fn the_next_call_waits_for_the_deferred_of_the_last() {
    let (mut t, net) = fake();
    let (work, calls, beat, ended) = working(&net);
    t.advance(Duration::from_millis(2_500));
    assert_eq!(calls.take(), [(0, 1)]);
    work.borrow_mut().pop().unwrap().resolve(());
    t.advance(SECOND);
    assert_eq!(calls.take(), [(3_000, 3)]);

    assert!(beat.stop());
    assert!(!beat.is_running());
    assert!(!ended.is_settled(), "the last call is not done");
    work.borrow_mut().pop().unwrap().resolve(());
    assert_eq!(ended.try_take().unwrap(), Ok(()));
    t.advance(9 * SECOND);
    assert_eq!(calls.take(), []);
}

#[test]
fn an_error_ends_the_calls_and_is_what_the_start_brings() {
    let (mut t, net) = fake();
    let (work, calls, beat, ended) = working(&net);
    t.advance(Duration::ZERO);
    work.borrow_mut().pop().unwrap().reject("disk full");
    assert_eq!(ended.try_take().unwrap(), Err(Failure::Error("disk full")));
    assert!(!beat.is_running());
    assert!(!beat.stop());
    t.advance(9 * SECOND);
    assert_eq!(calls.take(), [(0, 1)]);
}

#[test]
fn a_panic_ends_the_calls_and_is_what_the_start_brings() {
    let (mut t, net) = fake();
    let (beat, ended) = LoopingCall::start(&net, SECOND, |_, _| -> () { panic!("no beat") });
    t.advance(Duration::ZERO);
    let Ok(Err(Failure::Panicked(panic))) = ended.try_take() else {
        panic!("another end");
    };
    assert_eq!(panic.message(), "no beat");
    assert!(!beat.is_running());
}

#[test]
fn a_stop_between_calls_ends_at_once_and_lets_the_closure_go_first() {
    let (mut t, net) = fake();
    let held = Rc::new(());
    let hold = Rc::clone(&held);
    let (beat, ended) = LoopingCall::start(&net, SECOND, move |_, _| {
        let _ = &hold;
    });
    let holders = ended.map(move |()| Rc::strong_count(&held));
    t.advance(SECOND);
    assert!(beat.stop());
    assert_eq!(holders.try_take().unwrap(), Ok(1));
    assert!(net.free_timers().is_empty());
}

#[test]
fn a_stop_inside_a_call_ends_when_it_returns() {
    let (mut t, net) = fake();
    let own: Rc<RefCell<Option<LoopingCall>>> = Rc::default();
    let handle = Rc::clone(&own);
    let held = Rc::new(());
    let hold = Rc::clone(&held);
    let (beat, ended) = LoopingCall::start(&net, SECOND, move |_, _| {
        let beat = handle.take().unwrap();
        assert!(beat.stop() && !beat.stop());
        let _ = &hold;
    });
    own.replace(Some(beat));
    t.advance(Duration::ZERO);
    assert_eq!(ended.try_take().unwrap(), Ok(()));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn cancelling_the_end_ends_the_calls_and_what_they_wait_for() {
    let (mut t, net) = fake();
    let (work, _calls, beat, ended) = working(&net);
    t.advance(Duration::ZERO);
    ended.cancel();
    assert!(!beat.is_running());
    assert!(work.borrow()[0].is_cancelled());

    let (beat, ended) = LoopingCall::start(&net, SECOND, |_, _| ());
    t.advance(Duration::ZERO);
    ended.cancel();
    assert!(!beat.is_running());
    assert!(net.free_timers().is_empty());
}

#[test]
fn a_reset_begins_the_grid_anew() {
    let (mut t, net) = fake();
    let (calls, note) = Calls::begin();
    let (beat, _ended) = LoopingCall::start(&net, SECOND, note);
    t.advance(Duration::from_millis(1_700));
    assert!(beat.reset());
    t.advance(Duration::from_millis(2_000));
    assert_eq!(calls.take(), [(0, 1), (1_000, 1), (2_700, 1), (3_700, 1)]);
    beat.stop();
    assert!(!beat.reset());
}

#[test]
fn a_reset_while_a_call_is_waited_for_counts_too() {
    let (mut t, net) = fake();
    let (work, calls, beat, ended) = working(&net);
    t.advance(Duration::from_millis(1_500));
    assert!(beat.reset());
    t.advance(Duration::from_millis(200));
    work.borrow_mut().pop().unwrap().resolve(());
    t.advance(SECOND);
    assert_eq!(calls.take(), [(0, 1), (2_500, 1)]);
    ended.cancel();
}

#[test]
fn the_end_of_the_reactor_abandons_it() {
    let (mut t, net) = fake();
    let (beat, ended) = LoopingCall::start(&net, SECOND, |_, _| ());
    t.advance(SECOND);
    net.stop();
    t.advance(SECOND);
    let abandoned: Result<(), Failure<Infallible>> = Err(Failure::Abandoned);
    assert_eq!(ended.try_take().unwrap(), abandoned);
    assert!(!beat.is_running());
    drop(t);
    let (_, ended) = LoopingCall::start(&net, SECOND, |_, _| ());
    assert_eq!(ended.try_take().unwrap(), abandoned);
}
