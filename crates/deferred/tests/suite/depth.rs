//! A million links, on a stack that holds a few hundred.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use torsade_deferred::queue::Turn;
use torsade_deferred::{Canceller, Deferred, Failure};

use crate::support::{now, results};

const LINKS: u32 = 1_000_000;

/// Runs the body on a small stack; an overflow kills the whole test process.
pub(crate) fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    #[expect(
        clippy::disallowed_types,
        reason = "the stack of a test's own thread cannot be chosen"
    )]
    let builder = std::thread::Builder::new().stack_size(128 * 1024);
    let ended = builder.spawn(body).unwrap().join();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

fn long(mut deferred: Deferred<u32, ()>) -> Deferred<u32, ()> {
    for _ in 0..LINKS {
        deferred = deferred.map(|n| n + 1);
    }
    deferred
}

#[test]
fn a_value_runs_down_a_million_links() {
    on_a_small_stack(|| {
        let (resolver, deferred) = Deferred::new();
        let deferred = long(deferred);
        resolver.resolve(0);
        assert_eq!(now(deferred), Ok(LINKS));
    });
}

#[test]
fn a_million_links_run_within_a_turn() {
    on_a_small_stack(|| {
        let turn = Turn::enter().unwrap();
        let deferred = long(Deferred::succeed(0));
        assert!(turn.drain(LINKS as usize / 2));
        assert!(!turn.drain(LINKS as usize));
        assert_eq!(now(deferred), Ok(LINKS));
    });
}

#[test]
fn a_million_detached_links_are_abandoned_and_dropped() {
    on_a_small_stack(|| {
        let alive = Rc::new(());
        let (resolver, deferred) = Deferred::new();
        let guard = Rc::clone(&alive);
        let deferred = long(deferred).map(move |_| drop(guard));
        let log = results(deferred);
        drop(resolver);
        assert_eq!(log.take(), [Err(Failure::Abandoned)]);
        assert_eq!(Rc::strong_count(&alive), 1);
    });
}

#[test]
fn a_cancellation_goes_up_and_comes_down_a_million_links() {
    on_a_small_stack(|| {
        let (resolver, deferred) = Deferred::new();
        let deferred = long(deferred);
        let canceller = deferred.canceller();
        canceller.cancel();
        assert!(resolver.is_cancelled());
        assert_eq!(now(deferred), Err(Failure::Cancelled));
    });
}

#[test]
fn a_million_and_thens_run() {
    on_a_small_stack(|| {
        let (resolver, mut deferred) = Deferred::<u32, ()>::new();
        for _ in 0..LINKS {
            deferred = deferred.and_then(|n| Deferred::succeed(n + 1));
        }
        resolver.resolve(0);
        assert_eq!(now(deferred), Ok(LINKS));
    });
}

#[test]
fn a_recursion_of_and_then_goes_a_million_deep() {
    fn count(from: u32) -> Deferred<u32, ()> {
        Deferred::succeed(from).and_then(|n| {
            if n == 0 {
                Deferred::succeed(7)
            } else {
                count(n - 1)
            }
        })
    }
    on_a_small_stack(|| {
        assert_eq!(now(count(LINKS)), Ok(7));
        // And with work after each step, so that none is the last.
        fn sum(n: u32) -> Deferred<u64, ()> {
            Deferred::succeed(n).and_then(|n| match n {
                0 => Deferred::succeed(0),
                n => sum(n - 1).map(move |rest| rest + u64::from(n)),
            })
        }
        let n = u64::from(LINKS);
        assert_eq!(now(sum(LINKS)), Ok(n * (n + 1) / 2));
    });
}

/// A recursion in which a handle points at every level, so that none can be cut out.
fn watched(
    left: u32,
    last: Deferred<u32, ()>,
    handles: Rc<RefCell<Vec<Canceller>>>,
) -> Deferred<u32, ()> {
    let store = Rc::clone(&handles);
    let deferred = Deferred::succeed(left).and_then(move |n| {
        if n == 0 {
            last
        } else {
            watched(n - 1, last, handles)
        }
    });
    store.borrow_mut().push(deferred.canceller());
    deferred
}

#[test]
fn a_result_comes_back_through_a_million_watched_levels() {
    on_a_small_stack(|| {
        let turn = Turn::enter().unwrap();
        let handles = Rc::default();
        let (resolver, last) = Deferred::<u32, ()>::new();
        let deferred = watched(LINKS, last, Rc::clone(&handles));
        assert!(!turn.drain(usize::MAX));
        assert!(!deferred.is_settled());
        resolver.resolve(7);
        assert_eq!(now(deferred), Ok(7));
        assert_eq!(handles.borrow().len() as u32, LINKS + 1);
    });
}

#[test]
fn a_cancellation_goes_through_a_million_watched_levels() {
    on_a_small_stack(|| {
        let turn = Turn::enter().unwrap();
        let handles = Rc::default();
        let (resolver, last) = Deferred::<u32, ()>::new();
        let deferred = watched(LINKS, last, handles);
        assert!(!turn.drain(usize::MAX));
        deferred.cancel();
        assert!(resolver.is_cancelled());
        assert!(!turn.drain(usize::MAX));
    });
}

#[test]
fn a_million_jobs_left_in_the_queue_are_dropped_with_the_thread() {
    on_a_small_stack(|| {
        let turn = Turn::enter().unwrap();
        for _ in 0..LINKS {
            Deferred::<_, ()>::succeed(()).map(|()| ()).detach();
        }
        drop(turn);
    });
}

#[test]
fn a_chain_left_in_the_queue_is_dropped_with_the_thread() {
    thread_local! {
        static LAST: Cell<Option<Deferred<u32, ()>>> = const { Cell::new(None) };
    }
    on_a_small_stack(|| {
        let turn = Turn::enter().unwrap();
        let deferred = long(Deferred::succeed(0));
        assert!(turn.drain(10));
        drop(turn);
        LAST.set(Some(deferred));
    });
}
