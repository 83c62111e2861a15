//! Counts: `figures` prints the table, `--check` compares with the budget,
//! `--write` writes it.
//!
//! Ends with 0 when all was counted and right, with 3 when something could
//! not be counted here and the rest was right, else with 1.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "what went wrong is for the reader, not for the table"
)]

use std::process::ExitCode;

/// Right as far as this machine can tell.
const INCOMPLETE: u8 = 3;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use std::path::Path;
    use torsade_bench::figures::{self, Verdict};

    let option = std::env::args().nth(1).unwrap_or_default();
    let budget = Path::new("crates/bench/budget.toml");
    match figures::run(&option, budget) {
        Ok(Verdict::Complete) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(INCOMPLETE),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("SKIPPED: the figures are counted on Linux only");
    ExitCode::from(INCOMPLETE)
}
