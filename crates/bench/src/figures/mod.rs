//! Runs servers and load, and counts.
//!
//! Instructions and system calls are the difference of two runs, one with five
//! times the work of the other, divided by the work between them: what starting
//! and stopping costs is the same in both and cancels out. Allocations and
//! memory are asked for twice in one run.

mod allocations;
mod budget;
mod instructions;
mod memory;
mod program;
mod rows;
mod system_calls;
mod table;

use std::path::Path;

use crate::figures::budget::Budget;
use crate::figures::rows::{ROWS, Row};

/// How a run of the figures ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything was counted, and was within the budget if that was asked.
    Complete,
    /// Something could not be counted on this machine; the rest was right.
    Incomplete,
}

/// Does what is asked: prints the table without an option, compares with the
/// budget file with `--check`, writes it with `--write`.
///
/// # Errors
/// When a measurement fails, or what moved out of its budget, in words.
pub fn run(option: &str, budget_file: &Path) -> Result<Verdict, String> {
    match option {
        "" => print_table(),
        "--check" => check(budget_file),
        "--write" => write(budget_file),
        _ => Err(format!(
            "unknown option {option:?}: --check, --write, or none for the table"
        )),
    }
}

fn print_table() -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let mut measured = Vec::new();
    for row in ROWS {
        let values = row.contenders().map(|(_, server)| match server {
            Some(server) => missing.take(row.measure(server)),
            None => Ok(None),
        });
        let [raw, tokio, torsade] = values;
        measured.push((row, [raw?, tokio?, torsade?]));
    }
    say(&table::render(&measured));
    Ok(missing.verdict())
}

fn check(budget_file: &Path) -> Result<Verdict, String> {
    let text = std::fs::read_to_string(budget_file)
        .map_err(|error| format!("cannot read {}: {error}", budget_file.display()))?;
    let budget = Budget::parse(&text)?;
    let mut missing = Missing::default();
    let compiler = program::compiler()?;
    let is_comparable = budget.compiler == compiler;
    if !is_comparable {
        missing.0.push(format!(
            "instructions were budgeted with {}, this is {compiler}: \
             they are not compared; `cargo xtask figures --write` takes them anew",
            budget.compiler
        ));
    }
    let mut problems = budget.unknown_keys(ROWS.iter().filter_map(|row| row.key()));
    for (row, key, server) in ours() {
        if row.depends_on_compiler() && !is_comparable {
            continue;
        }
        let Some(value) = missing.take(row.measure(server))? else {
            continue;
        };
        let judgement = budget.judge(key, row, value);
        say(&format!("    {key}: {judgement}"));
        if judgement.is_bad() {
            problems.push(format!("{key}: {judgement}"));
        }
    }
    if problems.is_empty() {
        Ok(missing.verdict())
    } else {
        Err(format!(
            "out of budget:\n  {}\nIf that is what the change is worth, \
             `cargo xtask figures --write` writes the new budget.",
            problems.join("\n  ")
        ))
    }
}

fn write(budget_file: &Path) -> Result<Verdict, String> {
    let mut values = Vec::new();
    for (row, key, server) in ours() {
        let value = row.measure(server).map_err(|error| match error {
            rows::Failure::NotHere(why) => format!("a budget needs every figure: {why}"),
            rows::Failure::Failed(why) => why,
        })?;
        say(&format!("    {key}: {}", row.format(value)));
        values.push((key, row, value));
    }
    let text = budget::render(&program::compiler()?, &values);
    std::fs::write(budget_file, text)
        .map_err(|error| format!("cannot write {}: {error}", budget_file.display()))?;
    Ok(Verdict::Complete)
}

/// The rows that have a server of ours, which are the budgeted ones.
fn ours() -> impl Iterator<Item = (&'static Row, &'static str, &'static str)> {
    ROWS.iter()
        .filter_map(|row| Some((row, row.key()?, row.torsade?)))
}

/// What could not be counted here, each said once.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    /// A value, nothing if this machine cannot give it, or a real failure.
    fn take(&mut self, result: Result<f64, rows::Failure>) -> Result<Option<f64>, String> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(rows::Failure::Failed(why)) => Err(why),
            Err(rows::Failure::NotHere(why)) => {
                if !self.0.contains(&why) {
                    self.0.push(why);
                }
                Ok(None)
            }
        }
    }

    fn verdict(&self) -> Verdict {
        for why in &self.0 {
            say(&format!("    SKIPPED: {why}"));
        }
        if self.0.is_empty() {
            Verdict::Complete
        } else {
            Verdict::Incomplete
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are for the reader")]
fn say(line: &str) {
    println!("{line}");
}
