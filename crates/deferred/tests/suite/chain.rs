//! Values and failures on their way down a chain.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::{Deferred, Failure, Panic};

use crate::support::{Reports, now, results};

#[test]
fn a_value_goes_through_map_and_and_then_and_past_the_error_side() {
    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let deferred = deferred
        .map(|n| n + 1)
        .map_err(|_| unreachable!("a value has no error"))
        .and_then(|n| Deferred::<_, &str>::succeed(n.to_string()))
        .or_else(|_| -> Deferred<String, u8> { unreachable!("nothing failed") });
    assert!(!deferred.is_settled());
    resolver.resolve(6);
    assert!(deferred.is_settled());
    assert_eq!(now(deferred), Ok("7".to_owned()));
}

#[test]
fn an_error_goes_through_map_err_and_or_else_and_past_the_value_side() {
    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let deferred = deferred
        .map(|_| -> u32 { unreachable!("there is no value") })
        .and_then(|_| -> Deferred<u32, &str> { unreachable!("there is no value") })
        .map_err(str::len)
        .or_else(|failure| match failure {
            Failure::Error(length) => Deferred::<_, ()>::succeed(length as u32),
            other => unreachable!("{other:?}"),
        });
    resolver.reject("seven..");
    assert_eq!(now(deferred), Ok(7));
}

#[test]
fn map_err_sees_only_the_error() {
    let panic = Panic::from_payload(Box::new("bang"));
    for failure in [
        Failure::Cancelled,
        Failure::TimedOut,
        Failure::Abandoned,
        Failure::Panicked(panic),
    ] {
        let deferred = Deferred::<(), u8>::settled(Err(failure.clone()));
        let deferred = deferred.map_err(|_| -> u8 { unreachable!("that is no error") });
        assert_eq!(now(deferred), Err(failure));
    }
}

#[test]
fn a_dropped_resolver_is_abandoned() {
    let (resolver, deferred) = Deferred::<u32, ()>::new();
    let log = results(deferred.map(|n| n + 1));
    assert_eq!(log.len(), 0);
    drop(resolver);
    assert_eq!(log.take(), [Err(Failure::Abandoned)]);
}

#[test]
fn finish_runs_once_whichever_comes_first() {
    let before = results(Deferred::<_, ()>::succeed(1));
    assert_eq!(before.take(), [Ok(1)]);

    let (resolver, deferred) = Deferred::<_, ()>::new();
    let after = results(deferred);
    assert_eq!(after.len(), 0);
    resolver.resolve(2);
    assert_eq!(after.take(), [Ok(2)]);
}

#[test]
fn and_then_waits_for_the_inner_one() {
    let (outer, deferred) = Deferred::<u32, ()>::new();
    let (inner, work) = Deferred::<u32, ()>::new();
    let deferred = deferred.and_then(move |n| work.map(move |m| n * m));
    outer.resolve(6);
    assert!(!deferred.is_settled());
    inner.resolve(7);
    assert_eq!(now(deferred), Ok(42));
}

#[test]
fn a_consumer_attached_before_the_closure_runs_waits_for_the_inner_one_too() {
    let (outer, deferred) = Deferred::<u32, ()>::new();
    let (inner, work) = Deferred::<u32, ()>::new();
    let log = results(deferred.and_then(move |_| work).map(|n| n + 1));
    outer.resolve(0);
    assert_eq!(log.len(), 0);
    inner.resolve(6);
    assert_eq!(log.take(), [Ok(7)]);
}

#[test]
fn a_deferred_detached_in_the_middle_lets_the_inner_work_go_on() {
    let reports = Reports::collect();
    let (outer, deferred) = Deferred::<(), &str>::new();
    let (inner, work) = Deferred::<(), &str>::new();
    deferred.and_then(move |()| work).detach();
    outer.resolve(());
    assert!(!inner.is_cancelled());
    inner.reject("late");
    assert!(reports.one().starts_with("unhandled error: late"));
}

#[test]
fn the_inner_failure_is_the_outcome() {
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let deferred = deferred.and_then(|()| Deferred::<(), _>::fail("inner"));
    resolver.resolve(());
    assert_eq!(now(deferred), Err(Failure::Error("inner")));
}

#[test]
fn a_closure_that_returns_its_own_result_is_abandoned() {
    let reports = Reports::collect();
    let own = Rc::new(Cell::new(None));
    let handle = Rc::clone(&own);
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let deferred = deferred.and_then(move |()| -> Deferred<(), ()> { handle.take().unwrap() });
    let canceller = deferred.canceller();
    own.set(Some(deferred));
    resolver.resolve(());
    assert!(reports.one().starts_with("unhandled failure: abandoned"));
    canceller.cancel(); // nothing to go round in
    assert_eq!(format!("{canceller:?}"), "Canceller(over)");
}

#[test]
fn try_take_gives_a_pending_one_back() {
    let (resolver, deferred) = Deferred::<u32, ()>::new();
    let deferred = deferred.try_take().unwrap_err();
    resolver.resolve(7);
    assert_eq!(deferred.try_take().unwrap(), Ok(7));
}

#[test]
fn values_are_moved_never_cloned_and_dropped_once() {
    let value = Rc::new(());
    let (resolver, deferred) = Deferred::<Rc<()>, ()>::new();
    let log = results(deferred.map(|v| v).and_then(Deferred::succeed));
    resolver.resolve(Rc::clone(&value));
    assert_eq!(Rc::strong_count(&value), 2);
    drop(log.take());
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn failures_say_what_they_are() {
    let panic = Panic::from_payload(Box::new(String::from("bang")));
    assert_eq!(Failure::Error("no tea").to_string(), "no tea");
    assert_eq!(Failure::<&str>::Cancelled.to_string(), "cancelled");
    assert_eq!(Failure::<&str>::TimedOut.to_string(), "timed out");
    assert_eq!(
        Failure::<&str>::Abandoned.to_string(),
        "abandoned: the resolver was dropped"
    );
    assert_eq!(
        Failure::<&str>::Panicked(panic.clone()).to_string(),
        "panicked: bang"
    );
    assert_eq!(format!("{panic:?}"), "Panic(\"bang\")");
    let odd = Panic::from_payload(Box::new(7));
    assert_eq!(odd.message(), "(the payload of the panic is not text)");
}

#[test]
fn a_failure_is_an_error_with_the_source_of_its_error() {
    use std::error::Error;
    #[derive(Debug)]
    struct Outer(std::fmt::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    let failure: Failure<Outer> = Outer(std::fmt::Error).into();
    assert!(failure.source().unwrap().is::<std::fmt::Error>());
    assert!(Failure::<Outer>::TimedOut.source().is_none());
}

#[test]
fn debug_output_says_the_state() {
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let canceller = deferred.canceller();
    assert_eq!(
        format!("{deferred:?} {resolver:?} {canceller:?}"),
        "Deferred(pending) Resolver(pending) Canceller(armed)"
    );
    canceller.cancel();
    assert_eq!(
        format!("{deferred:?} {resolver:?}"),
        "Deferred(settled) Resolver(cancelled)"
    );
    drop((resolver, deferred));
    assert_eq!(format!("{canceller:?}"), "Canceller(over)");
}
