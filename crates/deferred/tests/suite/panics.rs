//! A panic of user code stays where it happened.

use std::rc::Rc;

use torsade_deferred::{Deferred, Failure, queue, report};

use crate::support::{Bomb, Log, Reports, now, results};

fn panicked<T: std::fmt::Debug>(result: Result<T, Failure<&str>>) -> String {
    match result {
        Err(Failure::Panicked(panic)) => panic.message().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_in_a_closure_is_the_outcome_of_its_step() {
    let ok = || Deferred::<u32, &str>::succeed(1);
    let err = || Deferred::<u32, &str>::fail("no");
    assert_eq!(
        panicked(now(ok().map(|_| -> u32 { panic!("in map") }))),
        "in map"
    );
    assert_eq!(
        panicked(now(
            ok().and_then(|_| -> Deferred<u32, &str> { panic!("in and_then") })
        )),
        "in and_then"
    );
    assert_eq!(
        panicked(now(err().map_err(|_| -> &str { panic!("in map_err") }))),
        "in map_err"
    );
    assert_eq!(
        panicked(now(
            err().or_else(|_| -> Deferred<u32, &str> { panic!("in or_else") })
        )),
        "in or_else"
    );
}

#[test]
fn a_panic_in_a_closure_can_be_recovered_from() {
    let deferred = Deferred::<u32, &str>::succeed(1)
        .map(|_| -> u32 { panic!("formatted {}", 7) })
        .or_else(|failure| {
            Deferred::<_, ()>::succeed(u32::from(failure.to_string() == "panicked: formatted 7"))
        });
    assert_eq!(now(deferred), Ok(1));
}

#[test]
fn a_panic_in_finish_is_reported_with_its_place() {
    let reports = Reports::collect();
    let line = line!() + 1;
    Deferred::<_, ()>::succeed(()).finish(|_| panic!("at the end"));
    let report = reports.one();
    assert!(
        report.starts_with("the closure of `finish` panicked: at the end (given at "),
        "{report}"
    );
    assert!(report.contains(&format!("panics.rs:{line}:")), "{report}");
}

#[test]
fn a_panic_in_a_hook_is_reported_and_the_others_run() {
    let reports = Reports::collect();
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    resolver.on_cancel(|| panic!("in a hook"));
    let second = log.clone();
    resolver.on_cancel(move || second.push("second"));
    deferred.cancel();
    assert_eq!(log.take(), ["second"]);
    assert!(
        reports
            .one()
            .starts_with("an `on_cancel` hook panicked: in a hook")
    );
}

#[test]
fn a_panic_in_a_drop_is_caught_wherever_we_drop() {
    let reports = Reports::collect();
    let the_bomb = |where_: &str| {
        let report = reports.one();
        assert_eq!(report, "the drop of a value panicked: the bomb", "{where_}");
    };

    Deferred::<_, ()>::succeed(Bomb).detach();
    the_bomb("a value that is let go");

    let (resolver, deferred) = Deferred::<Bomb, Bomb>::new();
    deferred.detach();
    resolver.resolve(Bomb);
    the_bomb("a value for nobody");

    let (resolver, deferred) = Deferred::<Bomb, Bomb>::new();
    deferred.cancel();
    resolver.resolve(Bomb);
    the_bomb("a late value");

    let (resolver, deferred) = Deferred::<Bomb, Bomb>::new();
    deferred.cancel();
    resolver.reject(Bomb);
    the_bomb("a late error");

    let (bomb, (resolver, deferred)) = (Bomb, Deferred::<(), ()>::new());
    resolver.on_cancel(move || drop(bomb));
    resolver.resolve(());
    the_bomb("a hook that was not needed");
    deferred.detach();

    let bomb = Bomb;
    let deferred = Deferred::<(), _>::fail("no").map(move |()| drop(bomb));
    assert_eq!(now(deferred), Err(Failure::Error("no")));
    the_bomb("a closure that was not needed");

    let bomb = Bomb;
    let deferred = Deferred::<_, ()>::succeed(7).or_else(move |_| {
        drop(bomb);
        Deferred::<_, ()>::succeed(8)
    });
    assert_eq!(now(deferred), Ok(7));
    the_bomb("an error closure that was not needed");
}

#[test]
fn a_panic_in_the_drop_of_an_unhandled_error_is_caught() {
    let reports = Reports::collect();
    Deferred::<(), _>::fail(Bomb).detach();
    let reports = reports.take();
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(reports[0].starts_with("unhandled error: a "));
    assert_eq!(reports[1], "the drop of a value panicked: the bomb");
}

#[test]
fn a_panic_whose_payload_panics_is_caught() {
    let deferred =
        Deferred::<_, &str>::succeed(()).map(|()| -> u32 { std::panic::panic_any(Bomb) });
    assert_eq!(
        panicked(now(deferred)),
        "(the payload of the panic is not text)"
    );
}

#[test]
fn a_panic_in_the_sink_loses_nothing() {
    let previous = report::set_sink(Some(Rc::new(|_| panic!("in the sink"))));
    let log = Log::new();
    let end = log.clone();
    {
        let _turn = queue::Turn::enter().unwrap();
        Deferred::<(), _>::fail("one").detach();
        Deferred::<_, ()>::succeed(()).finish(move |_| end.push("two"));
    }
    Deferred::<(), ()>::succeed(()).map(|()| ()).detach();
    report::set_sink(previous);
    assert_eq!(log.take(), ["two"]);
}

#[test]
fn continuations_run_while_a_panic_unwinds() {
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let log = results(deferred);
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _resolver = resolver;
        let _bomb = Deferred::<_, ()>::succeed(Bomb);
        panic!("outer");
    }));
    assert!(unwound.is_err());
    assert_eq!(log.take(), [Err(Failure::Abandoned)]);
    assert!(queue::is_empty());
}
