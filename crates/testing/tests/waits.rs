//! Time as Deferreds: sleeping, and deadlines as in Twisted's rule R75.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_testing::MemoryReactor;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn sleeps_end_in_the_order_of_their_deadlines_and_then_of_asking() {
    let mut reactor = MemoryReactor::new();
    let order = Rc::new(std::cell::RefCell::new(Vec::new()));
    for (name, seconds) in [("c", 2), ("a", 1), ("b", 1)] {
        let order = Rc::clone(&order);
        let slept = reactor.net().sleep(SECOND * seconds);
        slept.finish(move |_| order.borrow_mut().push(name));
    }
    reactor.advance(Duration::from_millis(999));
    assert!(order.borrow().is_empty());
    reactor.advance(SECOND * 2);
    assert_eq!(*order.borrow(), ["a", "b", "c"]);
}

#[test]
fn a_sleep_that_is_cancelled_leaves_no_timer() {
    let reactor = MemoryReactor::new();
    reactor.net().sleep(SECOND).cancel();
    assert!(reactor.net().free_timers().is_empty());
}

#[test]
fn a_sleep_ends_abandoned_when_the_reactor_stops() {
    let reactor = MemoryReactor::new();
    let slept = reactor.net().sleep(SECOND);
    reactor.net().stop();
    reactor.settle();
    assert_eq!(slept.try_take().unwrap(), Err(Failure::Abandoned));
    let net = reactor.net().clone();
    drop(reactor);
    let never = net.sleep(SECOND);
    assert_eq!(never.try_take().unwrap(), Err(Failure::Abandoned));
}

#[test]
fn a_panic_in_what_is_called_later_is_its_result() {
    let mut reactor = MemoryReactor::new();
    let later = reactor
        .net()
        .defer_later(SECOND, |_| -> u32 { panic!("bang") });
    reactor.advance(SECOND);
    assert!(matches!(
        later.try_take().unwrap(),
        Err(Failure::Panicked(_))
    ));
}

fn timed() -> (
    MemoryReactor,
    Resolver<u32, &'static str>,
    Deferred<u32, &'static str>,
) {
    let reactor = MemoryReactor::new();
    let (resolver, work) = Deferred::new();
    let timed = reactor.net().timeout(SECOND, work);
    assert_eq!(reactor.net().free_timers().len(), 1);
    (reactor, resolver, timed)
}

#[test]
fn r75_a_result_in_time_passes_and_disarms_the_timer() {
    let (mut reactor, resolver, timed) = timed();
    resolver.resolve(7);
    assert!(reactor.net().free_timers().is_empty());
    reactor.advance(SECOND);
    assert_eq!(timed.try_take().unwrap(), Ok(7));

    let (reactor, resolver, timed) = self::timed();
    resolver.reject("no");
    assert!(reactor.net().free_timers().is_empty());
    assert_eq!(timed.try_take().unwrap(), Err(Failure::Error("no")));
}

#[test]
fn r75_the_deadline_cancels_the_work_and_its_late_result_vanishes() {
    let (mut reactor, resolver, timed) = timed();
    let told = Rc::new(Cell::new(false));
    let hook = Rc::clone(&told);
    resolver.on_cancel(move || hook.set(true));
    reactor.advance(SECOND);
    assert!(told.get() && resolver.is_cancelled());
    resolver.resolve(7);
    assert_eq!(timed.try_take().unwrap(), Err(Failure::TimedOut));
}

#[test]
fn r75_a_cancellation_by_hand_stays_one_and_disarms_the_timer() {
    let (mut reactor, resolver, timed) = timed();
    let canceller = timed.canceller();
    canceller.cancel();
    assert!(resolver.is_cancelled());
    assert!(reactor.net().free_timers().is_empty());
    reactor.advance(SECOND);
    assert_eq!(timed.try_take().unwrap(), Err(Failure::Cancelled));
}

#[test]
fn r75_the_deadline_covers_what_was_attached_before_it() {
    let mut reactor = MemoryReactor::new();
    let (first, work) = Deferred::<(), ()>::new();
    let (second, more) = Deferred::<u32, ()>::new();
    let timed = reactor.net().timeout(SECOND, work.and_then(move |()| more));
    let (third, last) = Deferred::<u32, ()>::new();
    let after = timed.and_then(move |_| last);
    first.resolve(());
    reactor.advance(SECOND / 2);
    second.resolve(1);
    reactor.advance(SECOND * 5); // the last step has no deadline
    assert!(!third.is_cancelled());
    third.resolve(3);
    assert_eq!(after.try_take().unwrap(), Ok(3));
}

#[test]
fn r75_what_comes_after_the_deadline_may_rescue_it() {
    let (mut reactor, _resolver, timed) = timed();
    let rescued = timed.or_else(|failure| match failure {
        Failure::TimedOut => Deferred::<_, ()>::succeed(0),
        other => Deferred::settled(Err(other.map(|_| ()))),
    });
    reactor.advance(SECOND);
    assert_eq!(rescued.try_take().unwrap(), Ok(0));
}

#[test]
fn r75_the_shorter_of_two_deadlines_strikes_and_both_timers_go() {
    let mut reactor = MemoryReactor::new();
    let (_resolver, work) = Deferred::<(), ()>::new();
    let net = reactor.net().clone();
    let timed = net.timeout(SECOND * 9, net.timeout(SECOND, work));
    reactor.advance(SECOND);
    assert_eq!(timed.try_take().unwrap(), Err(Failure::TimedOut));
    assert!(net.free_timers().is_empty());
}

#[test]
fn r75_nobody_left_to_hear_of_a_deadline_is_reported() {
    let (mut reactor, _resolver, timed) = timed();
    timed.detach();
    reactor.expect_unhandled("timed out");
    reactor.advance(SECOND);
}

#[test]
fn a_call_for_a_thread_runs_here_in_a_later_turn_and_takes_no_time() {
    let reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let start = net.now();
    let here = std::thread::current().id();
    let called = net.defer_to_thread(move || std::thread::current().id() == here);
    let panicked = net.defer_to_thread(|| -> u32 { panic!("bang") });
    assert!(!called.is_settled()); // not inside the call
    net.defer_to_thread(|| unreachable!("it was taken back"))
        .cancel();
    reactor.settle();
    assert!(called.try_take().unwrap().unwrap());
    assert!(matches!(
        panicked.try_take().unwrap(),
        Err(Failure::Panicked(_))
    ));
    assert_eq!(net.now(), start);

    let abandoned = net.defer_to_thread(|| 7);
    drop(reactor);
    drop(abandoned);
    assert!(net.defer_to_thread(|| 7).try_take().unwrap().is_err());
}
