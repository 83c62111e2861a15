//! The figures of the bench: its package measures, this builds and starts it.

use crate::cargo::{self, Workspace};
use crate::steps::Outcome;

const BUILD: &[&str] = &[
    "build",
    "--profile",
    "figures",
    "-p",
    "torsade-bench",
    "--bins",
];
const RUN: &[&str] = &[
    "run",
    "--quiet",
    "--profile",
    "figures",
    "-p",
    "torsade-bench",
    "--bin",
    "figures",
];

/// With this code the bench says that all it could count here was right, and
/// that something could not be counted.
const INCOMPLETE: i32 = 3;

/// The step of `cargo xtask test`: compare with the budget.
pub(crate) fn check(workspace: &Workspace) -> Result<Outcome, String> {
    run(workspace, &["--check"])
}

/// Builds the bench's programs and passes the options to the one that counts.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<Outcome, String> {
    cargo::run(&mut workspace.cargo(BUILD))?;
    let mut command = workspace.cargo(RUN);
    command.arg("--").args(options);
    let status = cargo::status(&mut command)?;
    match status.code() {
        Some(0) => Ok(Outcome::default()),
        Some(INCOMPLETE) if workspace.is_ci() => {
            Err("what could not be counted is an error on a CI machine".to_owned())
        }
        Some(INCOMPLETE) => Ok(Outcome::skipped("what the lines above could not count")),
        _ => Err(format!("the figures ended with {status}")),
    }
}
