//! The project's own commands, run as `cargo xtask NAME`.
//!
//! `cargo xtask test` is all of them in the order in which they tell most
//! for the least waiting; the others are its steps, one at a time, for
//! whoever is mending what one of them found.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's output is its product"
)]

mod cargo;
mod figures;
mod hygiene;
mod layers;
mod manifest;
mod metadata;
mod msrv;
mod reasons;
mod steps;

use std::process::ExitCode;

use crate::cargo::Workspace;
use crate::steps::{Outcome, Step};

/// Every step of `cargo xtask test`, in order.
const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        what: "the sources are formatted",
        run: cargo::fmt,
    },
    Step {
        name: "hygiene",
        what: "nothing unfinished, nothing that sleeps, no path of one machine",
        run: hygiene::check,
    },
    Step {
        name: "reasons",
        what: "every dependency of the workspace says what it is for",
        run: reasons::check,
    },
    Step {
        name: "layers",
        what: "packages depend on lower layers only and share one set of rules",
        run: layers::check,
    },
    Step {
        name: "clippy",
        what: "no warning from the compiler or from clippy",
        run: cargo::clippy,
    },
    Step {
        name: "docs",
        what: "the documentation builds without a warning",
        run: cargo::docs,
    },
    Step {
        name: "doctests",
        what: "every example in the documentation runs",
        run: cargo::doctests,
    },
    Step {
        name: "tests",
        what: "every test passes",
        run: cargo::tests,
    },
    Step {
        name: "drivers",
        what: "the tests on real sockets pass on every driver",
        run: cargo::drivers,
    },
    Step {
        name: "msrv",
        what: "the stated rust-version is true",
        run: msrv::check,
    },
    Step {
        name: "figures --check",
        what: "instructions, allocations and memory stay within their budget",
        run: figures::check,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("\nerror: {message}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<(), String> {
    match words {
        ["test"] => steps::run_all(&Workspace::locate()?, STEPS),
        ["figures", options @ ..] => figures::run(&Workspace::locate()?, options).map(print_notes),
        [name] => match STEPS.iter().find(|step| step.name == *name) {
            Some(step) => (step.run)(&Workspace::locate()?).map(print_notes),
            None => Err(usage(&format!("there is no command `{name}`"))),
        },
        [] => Err(usage("which command?")),
        [_, ..] => Err(usage("only `figures` takes options")),
    }
}

fn print_notes(outcome: Outcome) {
    for note in outcome.notes {
        println!("{note}");
    }
}

fn usage(problem: &str) -> String {
    let mut text = format!("{problem}\n\nusage: cargo xtask COMMAND\n\n");
    let mut line = |name: &str, what: &str| text.push_str(&format!("  {name:<18} {what}\n"));
    line("test", "everything below, stopping at the first failure");
    for step in STEPS {
        line(step.name, step.what);
    }
    line(
        "figures",
        "count and time everything, peers too, and print the tables",
    );
    line("figures --budget", "count torsade and write the new budget");
    line(
        "figures --write",
        "measure everything and write budget, tables and picture",
    );
    line("figures --pages", "write tables and picture anew");
    text.push_str(
        "\nfigures: --only WORD takes the rows that are named so; --rounds N, 0 for counts only;\n  \
         --no-counts for times only; --python PROGRAM for peers in Python; --out FOLDER\n",
    );
    text
}
