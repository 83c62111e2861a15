//! What a run of many seeds tells the simulators that are made in it, and hears from them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::trace::{Keeps, Trace};

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
}

/// One run of one seed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) keeps: Keeps,
    /// The only planned faults that happen; `None` is all.
    pub(super) only: Option<BTreeSet<usize>>,
    /// Of all networks of the run, in the order in which they ended.
    pub(super) digest: u64,
    pub(super) faults: Vec<String>,
    pub(super) trace: Option<Trace>,
}

impl Run {
    pub(super) fn new(keeps: Keeps, only: Option<BTreeSet<usize>>) -> Self {
        Self {
            keeps,
            only,
            digest: 0,
            faults: Vec::new(),
            trace: None,
        }
    }

    /// Do this as this run. Returns what came of it, too.
    pub(super) fn during<R>(self, work: impl FnOnce() -> R) -> (R, Self) {
        let before = RUN.replace(Some(self));
        let result = work();
        let run = RUN.replace(before);
        let nothing = || Self::new(Keeps::Nothing, None);
        (result, run.unwrap_or_else(nothing))
    }
}

pub(super) fn is_under_way() -> bool {
    RUN.with_borrow(Option::is_some)
}

/// How much a network is to keep.
pub(super) fn keeps() -> Option<Keeps> {
    RUN.with_borrow(|run| run.as_ref().map(|run| run.keeps))
}

/// Which planned faults are left out.
pub(super) fn omitted() -> impl Fn(usize) -> bool {
    let only = RUN.with_borrow(|run| run.as_ref().and_then(|run| run.only.clone()));
    move |fault| only.as_ref().is_some_and(|only| !only.contains(&fault))
}

/// A network has come to its end.
pub(super) fn record(trace: &Trace, faults: Vec<String>) {
    RUN.with_borrow_mut(|run| {
        if let Some(run) = run {
            run.digest = run.digest.rotate_left(7) ^ trace.digest();
            run.faults = faults;
            if run.keeps != Keeps::Nothing {
                run.trace = Some(trace.clone());
            }
        }
    });
}
