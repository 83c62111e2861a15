//! Compares one reactor with two that share a port: `scaling [ROUNDS]`, 10 if it is not said.
//!
//! Ends as `figures` does.
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
    use torsade_bench::figures::{self, Verdict};

    let rounds = std::env::args().nth(1).map_or(Ok(10), |word| word.parse());
    let compared = rounds
        .map_err(|_| "usage: scaling [ROUNDS]".to_owned())
        .and_then(figures::scaling);
    match compared {
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
