//! Does random operations on engines, and checks every contract after each.
//!
//! ```sh
//! cargo run --release -p torsade-tests --bin fuzz_engine -- [operations] [seed]
//! ```
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use torsade_tests::fuzz;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (operations, seed) = (arguments.next(), arguments.next());
    let (Ok(operations), Ok(seed)) = (
        operations.unwrap_or(Ok(1_000_000)),
        seed.unwrap_or_else(|| Ok(fresh())),
    ) else {
        say("usage: fuzz_engine [operations] [seed]");
        return ExitCode::FAILURE;
    };
    say(&format!("seed {seed}"));
    let begin = Instant::now();
    let operations = usize::try_from(operations).unwrap_or(usize::MAX);
    let outcome = fuzz::fuzz(operations, seed);
    say(&outcome.counts.to_string());
    say(&format!(
        "{} operations on {} engines in {:.1?}, {} invariants checked",
        outcome.operations,
        outcome.runs,
        begin.elapsed(),
        outcome.counts.checks(),
    ));
    match outcome.failure {
        Some(failure) => {
            say(&format!("seed {seed}, {failure}"));
            ExitCode::FAILURE
        }
        None => {
            say("nothing was broken");
            ExitCode::SUCCESS
        }
    }
}

/// A seed that was not used before.
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() ^ u64::from(now.subsec_nanos()))
}

fn say(line: &str) {
    // There is nobody else to tell if the terminal is gone.
    let _ = writeln!(io::stdout(), "{line}");
}
