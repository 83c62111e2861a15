//! Runs servers and load, and counts.
//!
//! Instructions and system calls are the difference of two runs, one with five
//! times the work of the other, divided by the work between them: what starting
//! and stopping costs is the same in both and cancels out. Allocations and
//! memory are asked for twice in one run. CPU time is a ratio, with its spread.
//!
//! ```text
//! figures [--only WORD] [--rounds N] [--no-counts] [--python PROGRAM] [--out FOLDER]
//! figures --check [--only WORD]
//! figures --write [--only WORD]
//! ```
//! - `--only WORD`: rows only whose key in the budget contains the word. `--write` leaves the
//!   others as they are.
//! - `--rounds N`: rounds of each timed workload, 10 if it is not said; 0 leaves the times out.
//! - `--no-counts`: times only.
//! - `--python PROGRAM`: who runs the peers written in Python, `python3` if it is not said.
//! - `--out FOLDER`: where `figures.md` and `figures.svg` go, `figures` in the target folder if it
//!   is not said.

mod allocations;
mod budget;
mod chart;
mod instructions;
mod memory;
mod options;
mod peers;
mod program;
mod ratios;
mod report;
mod rows;
mod scaling;
mod system_calls;
mod table;
mod times;

pub use self::scaling::scaling;

use std::path::{Path, PathBuf};

use crate::figures::budget::Budget;
use crate::figures::options::{Options, What};
use crate::figures::peers::Timed;
use crate::figures::ratios::Contest;
use crate::figures::rows::{ROWS, Row};
use crate::figures::table::Counted;

/// How a run of the figures ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything was counted, and was within the budget if that was asked.
    Complete,
    /// Something could not be counted on this machine; the rest was right.
    Incomplete,
}

/// Does what the words of the command line ask: prints the tables and leaves
/// them in files, compares with the budget file with `--check`, writes it with
/// `--write`. The options are at the top of this page.
///
/// # Errors
/// When a measurement fails, or what moved out of its budget, in words.
pub fn run(words: &[String], budget_file: &Path) -> Result<Verdict, String> {
    let options = Options::parse(words)?;
    match options.what {
        What::Tables | What::Times => show(&options),
        What::Check => check(&options, budget_file),
        What::Write => write(&options, budget_file),
    }
}

fn show(options: &Options) -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let counted = match options.what {
        What::Times => Vec::new(),
        _ => count(options, &mut missing)?,
    };
    let mut tables = report::counts(&counted);
    say(&tables);
    let contests = time(options, &mut missing)?;
    let times = report::times(&contests, options.rounds);
    say(&times);
    tables.push_str(&times);
    let verdict = missing.verdict();
    let out = match &options.out {
        Some(out) => out.clone(),
        None => target_folder()?.join("figures"),
    };
    let picture = report::picture(&counted, &contests);
    std::fs::create_dir_all(&out)
        .and_then(|()| std::fs::write(out.join("figures.md"), tables))
        .and_then(|()| std::fs::write(out.join("figures.svg"), picture))
        .map_err(|error| format!("cannot write into {}: {error}", out.display()))?;
    say(&format!("    all of it, and a picture: {}", out.display()));
    Ok(verdict)
}

/// Counts everybody.
fn count(options: &Options, missing: &mut Missing) -> Result<Vec<Counted>, String> {
    let mut counted = Vec::new();
    for row in wanted(options) {
        let mut values = Vec::new();
        for program in row.contenders() {
            values.push(match program {
                Some(program) => missing.take(row.measure(&program))?,
                None => None,
            });
        }
        counted.push((row, values));
    }
    Ok(counted)
}

/// Times everybody, those in Python too.
fn time(options: &Options, missing: &mut Missing) -> Result<Vec<Contest>, String> {
    let mut contests = Vec::new();
    let rows = times::ROWS.iter().filter(|row| options.wants(row.key()));
    if options.rounds == 0 || rows.clone().next().is_none() {
        return Ok(contests);
    }
    let timed = Timed::with(&options.python);
    for failure in timed.missing() {
        missing.take::<()>(Err(failure))?;
    }
    for row in rows {
        contests.extend(missing.take(row.measure(&timed, options.rounds))?);
    }
    Ok(contests)
}

/// Where Cargo has put the programs: two folders above their own.
fn target_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    own.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| "the programs are in no target folder".to_owned())
}

fn check(options: &Options, budget_file: &Path) -> Result<Verdict, String> {
    let budget = read(budget_file)?;
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
    let mut problems = budget.unknown_keys(ROWS.iter().map(|row| row.key));
    for row in wanted(options) {
        if row.depends_on_compiler() && !is_comparable {
            continue;
        }
        let Some(value) = missing.take(row.measure_ours())? else {
            continue;
        };
        let judgement = budget.judge(row, value);
        say(&format!("    {}: {judgement}", row.key));
        if judgement.is_bad() {
            problems.push(format!("{}: {judgement}", row.key));
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

fn write(options: &Options, budget_file: &Path) -> Result<Verdict, String> {
    let compiler = program::compiler()?;
    let mut values = Vec::new();
    for row in ROWS {
        let value = if options.wants(row.key) {
            let value = row.measure_ours().map_err(|error| match error {
                rows::Failure::NotHere(why) => format!("a budget needs every figure: {why}"),
                rows::Failure::Failed(why) => why,
            })?;
            say(&format!("    {}: {}", row.key, row.format(value)));
            value
        } else {
            // What stays was counted with the compiler that the file names.
            let budget = read(budget_file)?;
            if budget.compiler != compiler {
                return Err(format!(
                    "the budget was counted with {}, this is {compiler}: write all of it",
                    budget.compiler
                ));
            }
            match budget.get(row.key) {
                Some(value) => value,
                None => continue,
            }
        };
        values.push((row, value));
    }
    std::fs::write(budget_file, budget::render(&compiler, &values))
        .map_err(|error| format!("cannot write {}: {error}", budget_file.display()))?;
    Ok(Verdict::Complete)
}

fn read(budget_file: &Path) -> Result<Budget, String> {
    let text = std::fs::read_to_string(budget_file)
        .map_err(|error| format!("cannot read {}: {error}", budget_file.display()))?;
    Budget::parse(&text)
}

/// The rows that are asked for.
fn wanted(options: &Options) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| options.wants(row.key))
}

/// What could not be counted here, each said once.
#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    /// A value, nothing if this machine cannot give it, or a real failure.
    fn take<T>(&mut self, result: Result<T, rows::Failure>) -> Result<Option<T>, String> {
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
