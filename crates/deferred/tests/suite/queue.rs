//! The queue by itself.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::queue::{self, Job, Turn};

use crate::support::{Log, Reports};

struct Call<F>(Cell<Option<F>>);

impl<F: FnOnce()> Job for Call<F> {
    fn run(self: Rc<Self>) {
        self.0.take().unwrap()();
    }
}

fn push(f: impl FnOnce() + 'static) {
    queue::push(Rc::new(Call(Cell::new(Some(f)))));
}

#[test]
fn the_outermost_push_runs_all_that_follows_first_in_first_out() {
    let log = Log::new();
    let outer = log.clone();
    push(move || {
        for n in 0..3 {
            let log = outer.clone();
            push(move || {
                log.push(n);
                let log = log.clone();
                push(move || log.push(n + 10));
            });
        }
        outer.push(99);
    });
    assert_eq!(log.take(), [99, 0, 1, 2, 10, 11, 12]);
    assert!(queue::is_empty());
}

#[test]
fn a_turn_holds_back_and_drains_by_budget() {
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    for n in 0..5 {
        let log = log.clone();
        push(move || log.push(n));
    }
    assert!(turn.has_jobs());
    assert!(!queue::is_empty());
    assert!(turn.drain(0));
    assert_eq!(log.len(), 0);
    assert!(turn.drain(2));
    assert_eq!(log.take(), [0, 1]);
    turn.pop().unwrap().run();
    assert_eq!(log.take(), [2]);
    assert!(
        !turn.drain(2),
        "it says that nothing is left as soon as nothing is"
    );
    assert_eq!(log.take(), [3, 4]);
    assert!(!turn.has_jobs());
    assert!(turn.pop().is_none());
}

#[test]
fn what_a_job_pushes_counts_against_the_budget() {
    fn again(left: u32, log: Log<u32>) {
        log.push(left);
        if left > 0 {
            push(move || again(left - 1, log));
        }
    }
    let turn = Turn::enter().unwrap();
    let log = Log::new();
    let first = log.clone();
    push(move || again(9, first));
    assert!(turn.drain(4));
    assert_eq!(log.take(), [9, 8, 7, 6]);
    assert!(!turn.drain(usize::MAX));
}

#[test]
fn only_one_turn_or_run_is_active() {
    let turn = Turn::enter().unwrap();
    assert!(Turn::enter().is_none());
    assert!(
        Turn::enter().is_none(),
        "a refused one must not end the other"
    );
    drop(turn);
    let seen = Rc::new(Cell::new(false));
    let none = Rc::clone(&seen);
    push(move || none.set(Turn::enter().is_none()));
    assert!(seen.get());
    assert!(Turn::enter().is_some());
}

#[test]
fn jobs_left_by_a_turn_run_first_in_the_next_run() {
    let log = Log::new();
    let turn = Turn::enter().unwrap();
    let first = log.clone();
    push(move || first.push("left over"));
    drop(turn);
    assert_eq!(log.len(), 0, "dropping a turn runs nothing");
    assert!(!queue::is_empty());
    let second = log.clone();
    push(move || second.push("new"));
    assert_eq!(log.take(), ["left over", "new"]);

    let turn = Turn::enter().unwrap();
    let first = log.clone();
    push(move || first.push("left over"));
    drop(turn);
    let turn = Turn::enter().unwrap();
    assert!(turn.has_jobs());
    assert!(!turn.drain(1));
    assert_eq!(log.take(), ["left over"]);
}

#[test]
fn a_panicking_job_is_reported_and_loses_nothing() {
    let reports = Reports::collect();
    let log = Log::new();
    let outer = log.clone();
    push(move || {
        push(|| panic!("first"));
        let log = outer.clone();
        push(move || log.push("second"));
        panic!("outermost");
    });
    assert_eq!(log.take(), ["second"]);
    assert_eq!(
        reports.take(),
        [
            "a queued job panicked: outermost",
            "a queued job panicked: first"
        ]
    );
    // Neither the run nor the turn was left active.
    let turn = Turn::enter().unwrap();
    push(|| panic!("drained"));
    let after = log.clone();
    push(move || after.push("after"));
    assert!(!turn.drain(100));
    assert_eq!(log.take(), ["after"]);
    assert_eq!(reports.one(), "a queued job panicked: drained");
}

#[test]
fn a_turn_left_by_a_panic_ends() {
    let unwound = std::panic::catch_unwind(|| {
        let _turn = Turn::enter().unwrap();
        panic!("in a turn");
    });
    assert!(unwound.is_err());
    assert!(Turn::enter().is_some());
}

#[test]
fn a_job_can_queue_itself_again() {
    struct Again(Cell<u32>);
    impl Job for Again {
        fn run(self: Rc<Self>) {
            if self.0.get() > 0 {
                self.0.set(self.0.get() - 1);
                queue::push(self);
            }
        }
    }
    let job = Rc::new(Again(Cell::new(1000)));
    queue::push(job.clone());
    assert_eq!(job.0.get(), 0);
    assert_eq!(Rc::strong_count(&job), 1);
}
