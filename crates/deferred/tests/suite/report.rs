//! An error that nobody took is reported once, when its last consumer goes.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::report::{self, Report};
use torsade_deferred::{Deferred, Failure, Panic};

use crate::support::{Log, Reports, now};

#[test]
fn an_error_is_reported_when_its_consumer_goes() {
    let reports = Reports::collect();
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let deferred = deferred.map(|()| 7);
    resolver.reject("early");
    reports.none();
    drop(deferred);
    assert!(reports.one().starts_with("unhandled error: early ("));
}

#[test]
fn an_error_is_reported_when_it_comes_after_the_consumer_went() {
    let reports = Reports::collect();
    let (resolver, deferred) = Deferred::<(), &str>::new();
    drop(deferred.map(|()| 7));
    reports.none();
    resolver.reject("late");
    assert!(reports.one().starts_with("unhandled error: late ("));
}

#[test]
fn an_error_that_somebody_took_is_not_reported() {
    let _reports = Reports::collect();
    let failing = || Deferred::<(), _>::fail("taken");
    failing().finish(|_| ());
    failing()
        .or_else(|_| Deferred::<_, ()>::succeed(()))
        .detach();
    assert!(now(failing()).is_err());
    let (resolver, deferred) = Deferred::<(), &str>::new();
    deferred.finish(|_| ());
    resolver.reject("taken");
}

#[test]
fn a_report_names_both_places() {
    let reports = Reports::collect();
    let created = line!() + 1;
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let deferred = deferred
        .map(|()| 7)
        .map_err(str::len)
        .map_err(|length| length.to_string());
    let rejected = line!() + 1;
    resolver.reject("seven..");
    drop(deferred);
    let report = reports.one();
    assert!(
        report.starts_with("unhandled error: 7 (created at "),
        "{report}"
    );
    assert!(
        report.contains(&format!("report.rs:{created}:")),
        "{report}"
    );
    assert!(
        report.contains(&format!(", rejected at {}:{rejected}:", file!())),
        "{report}"
    );
}

#[test]
fn the_places_are_those_of_the_work_that_failed() {
    let reports = Reports::collect();
    let line = line!() + 1;
    let inner = || Deferred::<(), _>::fail("inner");
    let deferred = Deferred::<(), &str>::succeed(()).and_then(move |()| inner());
    drop(deferred);
    let report = reports.one();
    assert_eq!(
        report.matches(&format!("report.rs:{line}:")).count(),
        2,
        "{report}"
    );
}

#[test]
fn every_failure_but_a_wanted_cancellation_is_reported() {
    let reports = Reports::collect();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    deferred.detach();
    drop(resolver);
    let report = reports.one();
    assert!(
        report.starts_with("unhandled failure: abandoned"),
        "{report}"
    );
    assert!(!report.contains("rejected"), "{report}");
    let loud = Log::new();
    let log = loud.clone();
    let sink = report::set_sink(Some(Rc::new(move |report| log.push(report.is_abandoned()))));
    drop(Deferred::<(), ()>::new());
    Deferred::<(), ()>::settled(Err(Failure::Abandoned)).detach();
    Deferred::<(), _>::fail("no").detach();
    report::set_sink(sink);
    assert_eq!(loud.take(), [true, false, false]);

    Deferred::<(), ()>::settled(Err(Failure::TimedOut)).detach();
    assert!(reports.one().starts_with("unhandled failure: timed out ("));

    Deferred::<_, ()>::succeed(())
        .map(|()| panic!("bang"))
        .detach();
    assert!(
        reports
            .one()
            .starts_with("unhandled failure: panicked: bang (")
    );

    // Nobody asked for this one.
    Deferred::<(), ()>::settled(Err(Failure::Cancelled)).detach();
    assert!(reports.one().starts_with("unhandled failure: cancelled ("));

    let (_resolver, deferred) = Deferred::<(), ()>::new();
    let canceller = deferred.canceller();
    canceller.cancel();
    drop(deferred.map(|()| 7));
    reports.none();
}

#[test]
fn any_error_can_be_reported_and_a_sink_gets_it_whole() {
    struct Plain(u32);
    let seen = Log::new();
    let log = seen.clone();
    let previous = report::set_sink(Some(Rc::new(move |report| {
        let Report::Unhandled(unhandled) = report else {
            return;
        };
        let text = report.to_string();
        log.push((
            unhandled.error::<Plain>().map(|plain| plain.0),
            unhandled.error::<u32>().is_some(),
            matches!(unhandled.failure(), Failure::Error(_)),
            text.contains("report::any_error") && text.contains(unhandled.type_name()),
            unhandled.created() == unhandled.rejected().unwrap(),
        ));
    })));
    Deferred::<(), _>::fail(Plain(7)).detach();
    report::set_sink(previous);
    assert_eq!(seen.take(), [(Some(7), false, true, true, true)]);
}

#[test]
fn common_errors_show_their_text_and_others_can_be_taught() {
    struct Taught(u32);
    impl std::fmt::Display for Taught {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "code {}", self.0)
        }
    }
    let reports = Reports::collect();
    Deferred::<(), _>::fail(String::from("owned")).detach();
    assert!(reports.one().contains(": owned ("));
    Deferred::<(), _>::fail(std::io::Error::other("of the disk")).detach();
    assert!(reports.one().contains(": of the disk ("));
    Deferred::<(), Box<dyn std::error::Error + Send + Sync>>::fail("boxed".into()).detach();
    assert!(reports.one().contains(": boxed ("));

    Deferred::<(), _>::fail(Taught(7)).detach();
    assert!(reports.one().contains("Taught ("));
    report::describe::<Taught>();
    Deferred::<(), _>::fail(Taught(7)).detach();
    assert!(reports.one().contains(": code 7 ("));
}

#[test]
fn a_sink_is_replaced_and_given_back() {
    let count = Rc::new(Cell::new(0));
    let sink = || {
        let count = Rc::clone(&count);
        Some(Rc::new(move |_: &Report| count.set(count.get() + 1)) as report::Sink)
    };
    assert!(report::set_sink(sink()).is_none());
    Deferred::<(), _>::fail("counted").detach();
    let first = report::set_sink(None).unwrap();
    first(&Report::caught(
        Panic::from_payload(Box::new("by hand")),
        "a test",
        None,
    ));
    assert_eq!(count.get(), 2);
}

#[test]
fn a_caught_panic_has_its_parts() {
    let Report::Panicked(caught) =
        Report::caught(Panic::from_payload(Box::new("bang")), "a timer", None)
    else {
        unreachable!()
    };
    assert_eq!(
        (caught.panic().message(), caught.place(), caught.site()),
        ("bang", "a timer", None)
    );
    let reports = Reports::collect();
    report::send(Report::Panicked(caught));
    assert_eq!(reports.one(), "a timer panicked: bang");
}
