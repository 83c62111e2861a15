//! Runs the cells of the conformance suite, each on a thread of its own.

use std::panic;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use torsade_testing::conformance::{Cell, Column, Outcome, Report, Work, contracts};

/// A cell that takes longer hangs: none waits for time to pass.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Run the cells that are wanted on all these harnesses, each for as long as `patience` allows.
pub fn run(
    columns: &[Column],
    patience: Duration,
    wanted: impl Fn(&Cell, &Column) -> bool,
) -> Report {
    // The cells panic on purpose. What was not meant is in the report, with its place.
    panic::set_hook(Box::new(|_| ()));
    let mut report = Report::new(columns);
    for cell in contracts().iter().flat_map(|contract| contract.cells) {
        for (number, column) in columns.iter().enumerate() {
            if wanted(cell, column) {
                report.add(cell, number, run_apart(*cell, *column, patience));
            }
        }
    }
    report
}

/// On a thread of its own a cell finds a fresh clock and queue, and one that hangs is noticed.
fn run_apart(cell: Cell, column: Column, patience: Duration) -> Outcome {
    let (done, outcome) = mpsc::channel();
    let spawned = thread::Builder::new()
        .name(cell.id())
        .spawn(move || done.send(cell.run(&column)).unwrap_or_default());
    if let Err(error) = spawned {
        return Outcome::Failed(format!("no thread to run it on: {error}"));
    }
    match outcome.recv_timeout(patience) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Timeout) => Outcome::Failed("it hangs".into()),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Outcome::Failed("its thread ended with a panic that was not caught".into())
        }
    }
}

/// Runs work on another thread, for cells about threads.
pub fn elsewhere(work: Work) {
    if let Err(payload) = thread::spawn(work).join() {
        panic::resume_unwind(payload);
    }
}
