//! Asking work to stop.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::queue::Turn;
use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use crate::support::{Log, Reports, Tell, now, results};

/// A Deferred whose cancellation is told to `log` as `name`.
fn work(
    name: &'static str,
    log: &Log<&'static str>,
) -> (Resolver<u32, &'static str>, Deferred<u32, &'static str>) {
    let (resolver, deferred) = Deferred::new();
    let log = log.clone();
    resolver.on_cancel(move || log.push(name));
    (resolver, deferred)
}

#[test]
fn cancel_goes_up_to_the_resolver_and_ends_the_chain_at_once() {
    let _reports = Reports::collect();
    let log = Log::new();
    let (resolver, deferred) = work("hook", &log);
    let deferred = deferred.map(|n| n + 1).map_err(|e| e);
    let canceller = deferred.canceller();
    let ends = results(deferred);

    canceller.cancel();
    assert_eq!(log.take(), ["hook"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
    assert!(resolver.is_cancelled());

    // The resolver did not care. Whatever it brings now goes in silence, and calls nobody.
    resolver.reject("late");
    assert_eq!(ends.len() + log.len(), 0);
}

#[test]
fn what_comes_after_a_cancellation_is_dropped() {
    let log = Log::new();
    let (resolver, deferred) = Deferred::<Tell, ()>::new();
    let canceller = deferred.canceller();
    let ends = results(deferred);
    canceller.cancel();
    resolver.resolve(Tell("value", log.clone()));
    assert_eq!(log.take(), ["value"]);
    assert_eq!(ends.take().len(), 1);
}

#[test]
fn cancel_goes_through_and_then_to_the_inner_one() {
    let log = Log::new();
    let (outer, deferred) = work("outer", &log);
    let (inner, waiting) = work("inner", &log);
    let deferred = deferred.and_then(move |_| waiting).map(|n| n + 1);
    outer.resolve(1);
    deferred.cancel();
    assert_eq!(log.take(), ["inner"]);
    assert!(inner.is_cancelled());
}

#[test]
fn cancel_finds_the_work_of_the_moment_through_any_depth() {
    fn stage(mut rest: Vec<Deferred<u32, &'static str>>) -> Deferred<u32, &'static str> {
        match rest.pop() {
            Some(next) => next.and_then(move |_| stage(rest)),
            None => Deferred::succeed(0),
        }
    }
    for reached in 0..4 {
        let log = Log::new();
        let names = ["first", "second", "third", "fourth"];
        let (mut resolvers, mut waits): (Vec<_>, Vec<_>) =
            names.map(|name| work(name, &log)).into_iter().unzip();
        waits.reverse();
        let deferred = stage(waits);
        let canceller = deferred.canceller();
        let ends = results(deferred.map(|n| n));
        for resolver in resolvers.drain(..reached) {
            resolver.resolve(0);
        }
        canceller.cancel();
        assert_eq!(log.take(), [names[reached]]);
        assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
    }
}

#[test]
fn cancel_reaches_the_inner_one_below_the_handle_too() {
    let log = Log::new();
    let (outer, deferred) = work("outer", &log);
    let (_inner, waiting) = work("inner", &log);
    let below = deferred.and_then(move |_| waiting).map(|n| n + 1);
    let canceller = below.canceller();
    let ends = results(below);
    outer.resolve(1);
    canceller.cancel();
    assert_eq!(log.take(), ["inner"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
}

#[test]
fn a_handle_taken_inside_a_closure_follows_the_work() {
    let log = Log::new();
    let (first, waiting) = work("first", &log);
    let (_second, last) = work("second", &log);
    let handle = Rc::new(Cell::new(None));
    let slot = Rc::clone(&handle);
    let deferred = Deferred::<_, &str>::succeed(()).and_then(move |()| {
        let inner = waiting.and_then(move |_| last);
        slot.set(Some(inner.canceller()));
        inner
    });
    let ends = results(deferred);
    first.resolve(0);
    let handle: Canceller = handle.take().unwrap();
    handle.cancel();
    assert_eq!(log.take(), ["second"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
}

#[test]
fn what_is_attached_below_the_handle_may_recover() {
    let (_resolver, deferred) = Deferred::<u32, ()>::new();
    let canceller = deferred.canceller();
    let deferred = deferred.or_else(|failure| {
        assert_eq!(failure, Failure::Cancelled);
        Deferred::<_, ()>::succeed(7)
    });
    canceller.cancel();
    assert_eq!(now(deferred), Ok(7));
}

#[test]
fn what_is_above_cleans_up_and_cannot_bring_the_work_back() {
    let _reports = Reports::collect();
    let log = Log::new();
    let (_resolver, deferred) = work("hook", &log);
    let (cleanup, never) = (log.clone(), log.clone());
    let deferred = deferred
        .or_else(move |failure| {
            assert!(failure.is_cancelled());
            cleanup.push("cleaned up");
            Deferred::<_, &str>::succeed(0)
        })
        .and_then(move |_| {
            never.push("went on");
            Deferred::succeed(0)
        });
    let canceller = deferred.canceller();
    let ends = results(deferred);
    canceller.cancel();
    assert_eq!(log.take(), ["hook", "cleaned up"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
}

#[test]
fn work_that_is_started_during_the_clean_up_is_cancelled() {
    let _reports = Reports::collect();
    let log = Log::new();
    let (_resolver, deferred) = work("work", &log);
    let (_retry, retried) = work("retry", &log);
    let deferred = deferred.or_else(move |_| retried);
    let canceller = deferred.canceller();
    let ends = results(deferred);
    canceller.cancel();
    assert_eq!(log.take(), ["work", "retry"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
}

#[test]
fn an_error_that_the_clean_up_makes_of_the_cancellation_is_no_news() {
    let _reports = Reports::collect();
    let (_resolver, deferred) = Deferred::<(), &str>::new();
    deferred
        .or_else(|failure| Deferred::<(), _>::fail(failure.to_string()))
        .cancel();
}

#[test]
fn a_panic_in_the_clean_up_is_reported() {
    let reports = Reports::collect();
    let (_resolver, deferred) = Deferred::<(), &str>::new();
    deferred
        .or_else(|_| -> Deferred<(), ()> { panic!("dirty") })
        .cancel();
    assert!(
        reports
            .one()
            .starts_with("unhandled failure: panicked: dirty")
    );
}

#[test]
fn a_result_on_its_way_is_cancelled_before_its_closure_runs() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let (resolver, deferred) = Deferred::<Tell, ()>::new();
    let deferred = deferred
        .and_then(|_| -> Deferred<u32, ()> { unreachable!("it was cancelled") })
        .map(|_| -> u32 { unreachable!("it was cancelled") });
    let canceller = deferred.canceller();
    let ends = results(deferred);
    resolver.resolve(Tell("value", log.clone()));
    canceller.cancel();
    assert_eq!(
        log.len(),
        0,
        "a value of the user is dropped from the queue"
    );
    assert!(!turn.drain(100));
    assert_eq!(log.take(), ["value"]);
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
}

#[test]
fn an_error_that_had_come_before_the_cancellation_is_reported() {
    let reports = Reports::collect();
    let (resolver, deferred) = Deferred::<(), &str>::new();
    resolver.reject("first");
    deferred.cancel();
    assert!(reports.one().starts_with("unhandled error: first"));

    let turn = Turn::enter().unwrap();
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let deferred = deferred.map(|()| 0);
    resolver.reject("on its way");
    deferred.cancel();
    turn.drain(100);
    assert!(reports.one().starts_with("unhandled error: on its way"));
}

#[test]
fn a_closure_may_cancel_its_own_chain() {
    let _reports = Reports::collect();
    let log = Log::new();
    let (inner, waiting) = work("inner", &log);
    let canceller = Rc::new(Cell::new(None));
    let own = Rc::clone(&canceller);
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let deferred = deferred.and_then(move |()| {
        let canceller: Canceller = own.take().unwrap();
        canceller.cancel();
        waiting
    });
    canceller.set(Some(deferred.canceller()));
    let ends = results(deferred);
    resolver.resolve(());
    assert_eq!(ends.take(), [Err(Failure::Cancelled)]);
    assert_eq!(log.take(), ["inner"]);
    assert!(inner.is_cancelled());
}

#[test]
fn cancelling_twice_or_too_late_does_nothing() {
    let log = Log::new();
    let (_resolver, deferred) = work("hook", &log);
    let deferred = deferred.map(|n| n);
    let canceller = deferred.canceller();
    canceller.cancel();
    canceller.clone().cancel();
    assert_eq!(log.take(), ["hook"]);
    assert_eq!(now(deferred), Err(Failure::Cancelled));

    let (resolver, deferred) = work("hook", &log);
    let canceller = deferred.canceller();
    resolver.resolve(7);
    canceller.cancel();
    assert_eq!(now(deferred), Ok(7));
    canceller.cancel();
    assert_eq!(log.len(), 0);
}

#[test]
fn dropping_does_not_cancel() {
    let log = Log::new();
    let (resolver, deferred) = work("hook", &log);
    let ran = log.clone();
    drop(deferred.map(move |_| ran.push("ran")));
    assert!(!resolver.is_cancelled());
    resolver.resolve(1);
    assert_eq!(log.take(), ["ran"]);
}

#[test]
fn detached_work_can_still_be_cancelled() {
    let _reports = Reports::collect();
    let log = Log::new();
    let (outer, deferred) = work("outer", &log);
    let (_inner, waiting) = work("inner", &log);
    let deferred = deferred.and_then(move |_| waiting);
    let canceller = deferred.canceller();
    deferred.detach();
    outer.resolve(1);
    canceller.cancel();
    assert_eq!(log.take(), ["inner"]);
}

#[test]
fn a_canceller_keeps_nothing_alive() {
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let guard = Tell("closure", log.clone());
    let deferred = deferred.map(move |()| drop(guard));
    let canceller = deferred.canceller();
    deferred.detach();
    drop(resolver);
    assert_eq!(log.take(), ["closure"]);
    assert_eq!(format!("{canceller:?}"), "Canceller(over)");
    assert!(size_of_val(&canceller) <= 16);
}

#[test]
fn hooks_run_in_order_once_and_a_late_one_too() {
    let log = Log::new();
    let (resolver, deferred) = work("first", &log);
    for name in ["second", "third"] {
        let log = log.clone();
        resolver.on_cancel(move || log.push(name));
    }
    deferred.cancel();
    assert_eq!(log.take(), ["first", "second", "third"]);
    let late = log.clone();
    resolver.on_cancel(move || late.push("late"));
    assert_eq!(log.take(), ["late"]);
    drop(resolver);
    assert_eq!(log.len(), 0);
}

#[test]
fn hooks_come_before_the_consumer_and_see_the_end() {
    let log = Log::new();
    let slot = Rc::new(Cell::new(None));
    let (resolver, deferred) = Deferred::<u32, ()>::new();
    let (hook, handle) = (log.clone(), Rc::clone(&slot));
    resolver.on_cancel(move || {
        let resolver: Resolver<u32, ()> = handle.take().unwrap();
        assert!(resolver.is_cancelled());
        resolver.resolve(7); // too late
        hook.push("hook");
    });
    slot.set(Some(resolver));
    let canceller = deferred.canceller();
    let end = log.clone();
    deferred.finish(move |result| {
        end.push(if result == Err(Failure::Cancelled) {
            "cancelled"
        } else {
            "wrong"
        })
    });
    canceller.cancel();
    assert_eq!(log.take(), ["hook", "cancelled"]);
}

#[test]
fn hooks_are_dropped_uncalled_once_a_result_came_and_from_the_queue() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    for name in ["one", "two"] {
        let (guard, log) = (Tell(name, log.clone()), log.clone());
        resolver.on_cancel(move || {
            let _guard = guard;
            log.push("called");
        });
    }
    let canceller = deferred.canceller();
    resolver.resolve(());
    canceller.cancel();
    assert_eq!(log.len(), 0);
    turn.drain(100);
    assert_eq!(log.take(), ["one", "two"]);
    assert_eq!(now(deferred), Ok(()));
}

#[test]
fn hooks_wait_for_the_turn() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let (_resolver, deferred) = work("hook", &log);
    deferred.cancel();
    assert_eq!(log.len(), 0);
    assert!(!turn.drain(100));
    assert_eq!(log.take(), ["hook"]);
}

#[test]
fn two_chains_in_a_circle_can_be_cancelled() {
    // Each waits for the other, so nothing can ever settle them but a cancellation.
    let slot = Rc::new(Cell::new(None));
    let (first, a) = Deferred::<(), ()>::new();
    let (second, b) = Deferred::<(), ()>::new();
    let handle = Rc::clone(&slot);
    let a = a.and_then(move |()| -> Deferred<(), ()> { handle.take().unwrap() });
    let a_canceller = a.canceller();
    let b = b.and_then(move |()| a);
    let b_canceller = b.canceller();
    slot.set(Some(b));
    first.resolve(());
    second.resolve(());
    a_canceller.cancel();
    b_canceller.cancel();
}
