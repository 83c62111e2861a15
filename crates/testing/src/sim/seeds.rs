use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::run::Run;
use super::trace::{Keeps, Trace};
use crate::ledger;

/// Runs a test once for each of many seeds, and makes little of what fails.
///
/// One seed in a hundred is run twice, and the [digests](Trace::digest) of the two runs must be
/// the same. When a seed fails it is run again, without those faults of its
/// [swarm](super::Sim::swarm) that it fails without; what is printed is the seed, what failed, the
/// faults that are left, the end of the trace, and the line that repeats exactly that.
///
/// ```
/// use std::time::Duration;
/// use torsade_testing::sim::{Faults, Seeds, Sim};
///
/// let tried = Seeds::run(100, |seed| {
///     let mut net = Sim::new(seed);
///     net.host("server");
///     // .. clients, and what they do
///     net.swarm(Faults::all());
///     net.advance(Duration::from_secs(60)); // what must never happen is asserted in protocols
///     net.calm();
///     net.must_finish("everybody is served", Duration::from_secs(3600), || true);
/// });
/// assert_eq!(tried.twice, 1);
/// assert!(tried.faults >= 100);
/// ```
///
/// The test is a closure that makes everything anew: what it shares with the run before is not
/// repeated.
#[derive(Debug)]
#[non_exhaustive]
pub enum Seeds {}

/// What [`Seeds::run`] has done.
///
/// ```
/// use torsade_testing::sim::{Seeds, Sim};
///
/// let tried = Seeds::run(3, |seed| drop(Sim::new(seed)));
/// assert_eq!((tried.seeds, tried.faults), (3, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tried {
    /// Seeds that were run.
    pub seeds: u64,
    /// How many of them twice.
    pub twice: u64,
    /// Faults that were planned, over all seeds.
    pub faults: u64,
}

/// A run to be repeated: a seed, and which of its planned faults happen.
///
/// ```
/// use torsade_testing::sim::{Replay, Sim};
///
/// Replay::seed(17).faults(&[2, 5]).run(|seed| {
///     let net = Sim::new(seed);
///     assert_eq!(net.seed(), 17);
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is repeated before it is run"]
pub struct Replay {
    seed: u64,
    only: Option<BTreeSet<usize>>,
}

/// One seed in so many is run twice.
const TWICE: u64 = 100;

/// A run that fails is repeated at most so often to find the faults that matter.
const SHRINKS: usize = 200;

/// So much is kept of a run that failed, and so many lines of it are printed.
const KEPT: Keeps = Keeps::Last(100_000, 16 * 1024 * 1024);
const SHOWN: usize = 60;

impl Seeds {
    /// Run `test` for the seeds from 0, so many of them.
    ///
    /// # Panics
    /// If it does for one of them, or if two runs of one seed differ: with everything that is known.
    #[track_caller]
    pub fn run(seeds: u64, test: impl Fn(u64)) -> Tried {
        Self::range(0..seeds, test)
    }

    /// Run `test` for these seeds.
    ///
    /// ```
    /// use torsade_testing::sim::{Seeds, Sim};
    ///
    /// Seeds::range(1000..1010, |seed| drop(Sim::new(seed)));
    /// ```
    ///
    /// # Panics
    /// For the same reasons.
    #[track_caller]
    pub fn range(seeds: std::ops::Range<u64>, test: impl Fn(u64)) -> Tried {
        let mut tried = Tried::default();
        for seed in seeds {
            let first = attempt(seed, Keeps::Nothing, None, &test);
            if first.failure.is_some() {
                panic!("{}", explained(seed, &test));
            }
            tried.seeds += 1;
            tried.faults += first.run.faults.len() as u64;
            if seed % TWICE == 0 {
                tried.twice += 1;
                let second = attempt(seed, Keeps::Nothing, None, &test);
                if second.run.digest != first.run.digest {
                    panic!("{}", difference(seed, &test));
                }
            }
        }
        tried
    }
}

impl Replay {
    /// This seed, with all its faults.
    pub fn seed(seed: u64) -> Self {
        Self { seed, only: None }
    }

    /// Only these of its faults, by their place in the plan.
    pub fn faults(self, only: &[usize]) -> Self {
        Self {
            only: Some(only.iter().copied().collect()),
            ..self
        }
    }

    /// Repeat it. Returns the trace of the last network that was made.
    ///
    /// # Panics
    /// If it fails, with the end of its trace.
    #[track_caller]
    pub fn run(self, test: impl Fn(u64)) -> Option<Trace> {
        let tried = attempt(self.seed, KEPT, self.only.clone(), &test);
        match tried.failure {
            None => tried.run.trace,
            Some(failure) => {
                let only: Vec<usize> = match self.only {
                    Some(only) => only.into_iter().collect(),
                    None => (0..tried.run.faults.len()).collect(),
                };
                panic!("{}", report(self.seed, &failure, &only, &tried.run));
            }
        }
    }
}

struct Attempt {
    failure: Option<String>,
    run: Run,
}

fn attempt(seed: u64, keeps: Keeps, only: Option<BTreeSet<usize>>, test: &impl Fn(u64)) -> Attempt {
    ledger::note_panics();
    let run = Run::new(keeps, only);
    let (result, run) = run.during(|| catch_unwind(AssertUnwindSafe(|| test(seed))));
    let failure = result.err().map(|payload| {
        let text = said(&*payload);
        let place = ledger::last_panic().unwrap_or_else(|| "an unknown place".into());
        format!("{text} (at {place})")
    });
    Attempt { failure, run }
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Everything that is known of a seed that fails.
fn explained(seed: u64, test: &impl Fn(u64)) -> String {
    ledger::quietly(|| {
        let all = attempt(seed, Keeps::Nothing, None, test);
        let only = shrunk(seed, all.run.faults.len(), test);
        let last = attempt(seed, KEPT, Some(only.iter().copied().collect()), test);
        match last.failure {
            Some(failure) => report(seed, &failure, &only, &last.run),
            None => format!(
                "seed {seed} failed once and not again: the test is not the same in every run \
                 (ambient time, randomness, the order of a hash table, or what runs share)"
            ),
        }
    })
}

/// The faults without which it does not fail: halves, quarters and so on are left out as long as
/// it still does.
fn shrunk(seed: u64, planned: usize, test: &impl Fn(u64)) -> Vec<usize> {
    let mut left: Vec<usize> = (0..planned).collect();
    let mut size = planned;
    let mut tries = SHRINKS;
    while size > 0 {
        let mut from = 0;
        while from < left.len() && tries > 0 {
            let to = (from + size).min(left.len());
            let mut fewer = left.clone();
            fewer.drain(from..to);
            tries -= 1;
            let only = fewer.iter().copied().collect();
            if attempt(seed, Keeps::Nothing, Some(only), test)
                .failure
                .is_some()
            {
                left = fewer;
            } else {
                from = to;
            }
        }
        size /= 2;
    }
    left
}

fn report(seed: u64, failure: &str, only: &[usize], run: &Run) -> String {
    let mut text = format!("seed {seed} failed: {failure}\n");
    let all = run.faults.len();
    if all > 0 {
        let _ = writeln!(text, "with {} of its {all} faults:", only.len());
        for &fault in only {
            let described = run.faults.get(fault).map_or("unknown", String::as_str);
            let _ = writeln!(text, "  #{fault} {described}");
        }
    }
    if let Some(trace) = &run.trace {
        let _ = write!(text, "the end of its trace:\n{}", trace.clone().last(SHOWN));
    }
    let _ = write!(text, "again: Replay::seed({seed})");
    if only.len() < all {
        let _ = write!(text, ".faults(&{only:?})");
    }
    text.push_str(".run(|seed| ..)");
    text
}

/// Where two runs of one seed begin to differ.
fn difference(seed: u64, test: &impl Fn(u64)) -> String {
    let runs = [(); 2].map(|()| ledger::quietly(|| attempt(seed, KEPT, None, test)));
    let [one, other] = runs.map(|it| it.run.trace.map(|trace| trace.to_string()));
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    let mut pairs = one.lines().zip(other.lines());
    let first = pairs.find(|(one, other)| one != other);
    let (one, other) = first.unwrap_or((
        "one ends",
        "the other goes on, or differs in what is not shown",
    ));
    format!("two runs of seed {seed} differ, first here:\n  {one}\n  {other}")
}
