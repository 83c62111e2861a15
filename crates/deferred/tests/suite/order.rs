//! Run to completion: nobody is called back while running.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_deferred::queue::{self, Turn};
use torsade_deferred::{Deferred, report};

use crate::support::{Log, Reports, Tell};

#[test]
fn inside_a_turn_closures_wait() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let end = log.clone();
    deferred.finish(move |_| end.push("late"));
    resolver.resolve(());
    let end = log.clone();
    Deferred::<_, ()>::succeed(()).finish(move |_| end.push("later"));
    assert_eq!(log.len(), 0);
    assert!(!turn.drain(100));
    assert_eq!(log.take(), ["late", "later"]);
}

#[test]
fn outside_a_turn_the_outermost_call_runs_the_queue() {
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let end = log.clone();
    deferred
        .map(|()| ())
        .and_then(Deferred::succeed)
        .finish(move |_| end.push("ran"));
    resolver.resolve(());
    assert_eq!(log.take(), ["ran"]);
    assert!(queue::is_empty());
}

#[test]
fn closures_never_nest() {
    let log = Log::new();
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let inner = log.clone();
    deferred.finish(move |_| inner.push("inner"));
    let outer = log.clone();
    Deferred::<_, ()>::succeed(()).finish(move |_| {
        outer.push("outer begins");
        resolver.resolve(());
        let same = outer.clone();
        Deferred::<_, ()>::succeed(()).finish(move |_| same.push("attached inside"));
        outer.push("outer ends");
    });
    assert_eq!(
        log.take(),
        ["outer begins", "outer ends", "inner", "attached inside"]
    );
}

#[test]
fn continuations_run_in_the_order_of_their_results() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let mut resolvers = Vec::new();
    for n in 0..5 {
        let (resolver, deferred) = Deferred::<(), ()>::new();
        let log = log.clone();
        deferred.finish(move |_| log.push(n));
        resolvers.push(resolver);
    }
    for index in [3, 0, 2, 1, 0] {
        resolvers.remove(index).resolve(());
    }
    turn.drain(100);
    assert_eq!(log.take(), [3, 0, 4, 2, 1]);
}

/// Whose `Drop` wants what the user may be holding.
struct Greedy(Rc<RefCell<Vec<&'static str>>>);

impl Drop for Greedy {
    fn drop(&mut self) {
        self.0.borrow_mut().push("dropped");
    }
}

#[test]
fn in_a_turn_a_borrow_may_be_held_across_every_call() {
    let reports = Reports::collect();
    let turn = Turn::enter().unwrap();
    let room = Rc::new(RefCell::new(Vec::new()));
    {
        let _borrow = room.borrow_mut();

        let (resolver, deferred) = Deferred::<(), &str>::new();
        let (hook, closure, end) = (
            Greedy(room.clone()),
            Greedy(room.clone()),
            Greedy(room.clone()),
        );
        resolver.on_cancel(move || drop(hook));
        deferred
            .map(move |()| drop(closure))
            .finish(move |_| drop(end));
        resolver.resolve(());

        let (resolver, deferred) = Deferred::<(), &str>::new();
        let (hook, closure) = (Greedy(room.clone()), Greedy(room.clone()));
        resolver.on_cancel(move || drop(hook));
        let deferred = deferred.or_else(move |_| {
            drop(closure);
            Deferred::<(), ()>::succeed(())
        });
        deferred.cancel();
        resolver.reject("late");

        Deferred::<(), &str>::fail("nobody takes it").detach();
        assert_eq!(reports.take().len(), 0);
    }
    assert!(!turn.drain(100));
    assert_eq!(room.take().len(), 5);
    assert_eq!(reports.take().len(), 1);
}

#[test]
fn user_code_may_do_anything_to_the_chain_it_is_called_from() {
    let log = Log::new();
    let reports = Reports::collect();
    // A value whose drop resolves, cancels, attaches, reports and pushes.
    struct Busy(Log<&'static str>);
    impl Drop for Busy {
        fn drop(&mut self) {
            let log = self.0.clone();
            let (resolver, deferred) = Deferred::<Tell, &str>::new();
            let canceller = deferred.canceller();
            deferred.finish(|_| ());
            resolver.resolve(Tell("inner", log));
            canceller.cancel();
            Deferred::<(), _>::fail("from a drop").detach();
        }
    }
    let (resolver, deferred) = Deferred::<Busy, &str>::new();
    let canceller = deferred.canceller();
    let hook = Busy(log.clone());
    resolver.on_cancel(move || drop(hook));
    let closure = Busy(log.clone());
    deferred.map(move |_| drop(closure)).finish(|_| ());
    canceller.cancel();
    resolver.resolve(Busy(log.clone()));
    Deferred::<_, &str>::succeed(Busy(log.clone())).detach();
    assert_eq!(log.take().len(), 4);
    assert_eq!(reports.take().len(), 4);
}

#[test]
fn a_sink_may_replace_itself_and_report() {
    let log = Log::new();
    let outer = log.clone();
    let previous = report::set_sink(Some(Rc::new(move |_| {
        outer.push("first sink");
        let inner = outer.clone();
        report::set_sink(Some(Rc::new(move |_| inner.push("second sink"))));
        Deferred::<(), _>::fail("from the sink").detach();
    })));
    Deferred::<(), _>::fail("first").detach();
    report::set_sink(previous);
    assert_eq!(log.take(), ["first sink", "second sink"]);
}
