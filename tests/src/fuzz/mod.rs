//! Random operations on the bare engine, with a model that knows what must come of each.
//!
//! A world of connections, timers, Deferreds and listeners lives on one engine, whose driver is a
//! model: it tells facts in any order, its sockets take what they like, and its clock stands still
//! until it is moved. Scripted protocols do at random whatever user code may, in every callback,
//! continuation and drop. After every operation the engine is compared with the model, contract by
//! contract; what is broken is shrunk to the few operations that it takes.
//!
//! ```sh
//! cargo run --release -p torsade-tests --bin fuzz_engine -- 10000000 1
//! ```

mod actions;
mod callbacks;
mod checks;
mod cipher;
mod conn;
mod counts;
mod facts;
mod host;
mod later;
mod rare;
mod run;
mod script;
mod shrink;
mod token;
mod wire;
mod world;
mod writes;

use std::fmt;
use std::rc::Rc;

pub use self::counts::{Contract, Counts};
pub use self::world::Violation;
use crate::rng::Rng;

/// What came of it: how much was done, and what was broken first.
#[derive(Debug)]
pub struct Outcome {
    /// Operations on engines.
    pub operations: usize,
    /// Engines that were made and ended.
    pub runs: usize,
    /// How much was done and checked.
    pub counts: Rc<Counts>,
    /// The first broken promise.
    pub failure: Option<Failure>,
}

/// A broken promise, and the shortest way to it that was found.
#[derive(Debug)]
pub struct Failure {
    /// The seed of the run in which it happened.
    pub run: u64,
    /// How many operations the run was given. With the seed, that is a line of the corpus.
    pub len: usize,
    /// What was broken in the shortest way.
    pub violation: Violation,
    /// What happens in the shortest way.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, len, .. } = self;
        writeln!(f, "run {run:#x} of {len}: {}", self.violation)?;
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Do this many operations, on one engine after the other, or until a promise is broken.
pub fn fuzz(operations: usize, seed: u64) -> Outcome {
    let rng = Rng::new(seed);
    let counts = Rc::new(Counts::default());
    let mut outcome = Outcome {
        operations: 0,
        runs: 0,
        counts: Rc::clone(&counts),
        failure: None,
    };
    while outcome.operations < operations {
        let run_seed = rng.next();
        let len = rng
            .pick(&[50, 200, 500, 1500])
            .min(operations - outcome.operations);
        outcome.failure = one(run_seed, len, &counts);
        outcome.operations += len;
        outcome.runs += 1;
        if outcome.failure.is_some() {
            break;
        }
    }
    outcome
}

/// One run. A failure of it is shrunk and told.
pub fn one(seed: u64, len: usize, counts: &Rc<Counts>) -> Option<Failure> {
    let steps = run::steps(seed, len);
    let (found, _) = run::run(seed, &steps, counts, false);
    let found = found?;
    let steps = shrink::shrink(seed, &steps, &found);
    let counts = Rc::new(Counts::default());
    let (again, story) = run::run(seed, &steps, &counts, true);
    Some(Failure {
        run: seed,
        len,
        violation: again.unwrap_or(found),
        story,
    })
}
