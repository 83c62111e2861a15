//! The queue outlives every thread-local, and a thread's end loses no panic and aborts nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use torsade_deferred::queue::{self, Job, Turn};
use torsade_deferred::{Deferred, Failure, Resolver, report};

use crate::depth::on_a_small_stack;
use crate::support::Bomb;

type Seen = Arc<Mutex<Vec<String>>>;

/// Calls its closure when it is dropped, that is: in the destructor of a thread-local.
struct AtExit(RefCell<Option<Box<dyn FnOnce()>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(f) = self.0.get_mut().take() {
            f();
        }
    }
}

thread_local! {
    static EARLY: AtExit = const { AtExit(RefCell::new(None)) };
    static LATE: AtExit = const { AtExit(RefCell::new(None)) };
}

/// Runs `setup`, which returns what is to happen when the thread-locals go: once before the queue of
/// the thread was first used (so that it is gone by then, on systems that destroy the youngest
/// first), and once after.
fn at_exit(setup: impl Fn(&Seen) -> Box<dyn FnOnce()> + Send + Copy + 'static) -> Vec<String> {
    let mut both = Vec::new();
    for early in [true, false] {
        let seen = Seen::default();
        let log = Arc::clone(&seen);
        on_a_small_stack(move || {
            if early {
                EARLY.with(|_| ());
            }
            assert!(queue::is_empty());
            let exit = setup(&log);
            let slot = if early { &EARLY } else { &LATE };
            slot.with(|slot| slot.0.replace(Some(exit)));
        });
        both.push(seen.lock().unwrap().join(", "));
    }
    both
}

#[test]
fn a_resolver_dropped_at_exit_abandons() {
    let seen = at_exit(|seen| {
        let (resolver, deferred) = Deferred::<u32, ()>::new();
        let seen = Arc::clone(seen);
        deferred.map(|n| n + 1).finish(move |result| {
            seen.lock().unwrap().push(format!("{result:?}"));
        });
        Box::new(move || drop(resolver))
    });
    assert_eq!(seen, ["Err(Abandoned)", "Err(Abandoned)"]);
}

#[test]
fn at_exit_closures_still_run_to_completion() {
    let seen = at_exit(|seen| {
        let seen = Arc::clone(seen);
        Box::new(move || {
            let (resolver, deferred) = Deferred::<(), ()>::new();
            let inner = Arc::clone(&seen);
            deferred.finish(move |_| inner.lock().unwrap().push("inner".to_owned()));
            Deferred::<_, ()>::succeed(()).finish(move |_| {
                resolver.resolve(());
                seen.lock().unwrap().push("outer".to_owned());
            });
            assert!(queue::is_empty());
        })
    });
    assert_eq!(seen, ["outer, inner", "outer, inner"]);
}

#[test]
fn at_exit_a_turn_holds_back() {
    let seen = at_exit(|seen| {
        let seen = Arc::clone(seen);
        Box::new(move || {
            let turn = Turn::enter().unwrap();
            let inner = Arc::clone(&seen);
            Deferred::<_, ()>::succeed(())
                .finish(move |_| inner.lock().unwrap().push("ran".to_owned()));
            seen.lock().unwrap().push("held".to_owned());
            assert!(Turn::enter().is_none());
            assert!(!turn.drain(10));
        })
    });
    assert_eq!(seen, ["held, ran", "held, ran"]);
}

#[test]
fn at_exit_a_turn_from_before_still_holds_back() {
    let seen = at_exit(|seen| {
        let turn = Turn::enter().unwrap();
        let seen = Arc::clone(seen);
        Box::new(move || {
            let inner = Arc::clone(&seen);
            Deferred::<_, ()>::succeed(())
                .finish(move |_| inner.lock().unwrap().push("ran".to_owned()));
            seen.lock().unwrap().push("held".to_owned());
            assert!(turn.has_jobs());
            assert!(!turn.drain(10));
        })
    });
    assert_eq!(seen, ["held, ran", "held, ran"]);
}

#[test]
fn a_million_links_go_at_exit() {
    let seen = at_exit(|seen| {
        let (resolver, mut deferred) = Deferred::<u32, ()>::new();
        for _ in 0..1_000_000 {
            deferred = deferred.map(|n| n);
        }
        let seen = Arc::clone(seen);
        deferred.finish(move |result| seen.lock().unwrap().push(format!("{result:?}")));
        Box::new(move || drop(resolver))
    });
    assert_eq!(seen, ["Err(Abandoned)", "Err(Abandoned)"]);
}

#[test]
fn jobs_left_at_exit_are_dropped_unrun_and_those_behind_them_are_told() {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    on_a_small_stack(move || {
        let turn = Turn::enter().unwrap();
        let end = Arc::clone(&log);
        Deferred::<_, ()>::succeed(Bomb)
            .map(|_| unreachable!("it was dropped"))
            .finish(move |result: Result<(), Failure<()>>| {
                end.lock().unwrap().push(format!("{result:?}"));
            });
        let bomb = Bomb;
        Deferred::<_, ()>::succeed(()).finish(move |_| drop(bomb));
        drop(turn);
    });
    assert_eq!(*seen.lock().unwrap(), ["Err(Abandoned)"]);
}

#[test]
fn a_job_left_at_exit_may_panic_in_its_drop() {
    struct Left {
        _bomb: Bomb,
    }
    impl Job for Left {
        fn run(self: Rc<Self>) {
            unreachable!("nobody runs it");
        }
    }
    on_a_small_stack(|| {
        let _turn = Turn::enter().unwrap();
        queue::push(Rc::new(Left { _bomb: Bomb }));
        queue::push(Rc::new(Left { _bomb: Bomb }));
    });
}

#[test]
fn a_report_left_at_exit_is_still_delivered() {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    on_a_small_stack(move || {
        // The sink is older than the queue, so that it is still there when the queue goes.
        report::set_sink(Some(Rc::new(move |report| {
            log.lock().unwrap().push(report.to_string());
        })));
        let turn = Turn::enter().unwrap();
        Deferred::<(), _>::fail("nobody looks").detach();
        let bomb = Bomb;
        Deferred::<(), _>::fail("its end never ran").finish(move |_| drop(bomb));
        drop(turn);
    });
    let seen = seen.lock().unwrap().join(", ");
    // On a system that destroys the oldest thread-local first, they go to standard error instead.
    if cfg!(target_os = "linux") {
        assert!(seen.contains("unhandled error: nobody looks"), "{seen}");
        assert!(
            seen.contains("unhandled error: its end never ran"),
            "{seen}"
        );
        assert!(seen.contains("panicked: the bomb"), "{seen}");
    }
}

#[test]
fn a_sink_that_panics_when_it_is_dropped_does_not_abort() {
    on_a_small_stack(|| {
        let bomb = Bomb;
        report::set_sink(Some(Rc::new(move |_| {
            let _keep = &bomb;
        })));
    });
}

#[test]
fn unhandled_errors_at_exit_reach_standard_error_and_no_further() {
    at_exit(|_| {
        let (resolver, deferred) = Deferred::<(), &str>::new();
        deferred.detach();
        Box::new(move || resolver.reject("printed by a test of the thread's end"))
    });
}

#[test]
fn a_resolver_may_sit_in_a_thread_local() {
    thread_local! {
        static HOLDER: RefCell<Vec<Resolver<u32, ()>>> = const { RefCell::new(Vec::new()) };
    }
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    on_a_small_stack(move || {
        for n in 0..3 {
            let (resolver, deferred) = Deferred::<u32, ()>::new();
            HOLDER.with_borrow_mut(|holder| holder.push(resolver));
            let log = Arc::clone(&log);
            deferred.finish(move |result| log.lock().unwrap().push(format!("{n} {result:?}")));
        }
    });
    assert_eq!(
        *seen.lock().unwrap(),
        ["0 Err(Abandoned)", "1 Err(Abandoned)", "2 Err(Abandoned)"]
    );
}
