//! Measures: `figures` prints the tables, `--check` compares with the budget,
//! `--budget` and `--write` write them; the library's module `figures` has all options.
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

    let words: Vec<String> = std::env::args().skip(1).collect();
    match figures::run(&words, Path::new(".")) {
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
