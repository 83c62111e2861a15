//! Runs servers and load, and counts.
//!
//! Instructions and system calls are the difference of two runs, one with five
//! times the work of the other, divided by the work between them: what starting
//! and stopping costs is the same in both and cancels out. Allocations and
//! memory are asked for twice in one run. CPU time is a ratio, with its spread.
//!
//! ```text
//! figures [--only WORD] [--rounds N] [--no-counts] [--python PROGRAM] [--out FOLDER]
//! figures --write [the same]
//! figures --check [--only WORD]
//! figures --budget [--only WORD]
//! figures --pages
//! ```
//! - `--only WORD`: rows only whose key in the budget contains the word. What is written leaves
//!   the others as they are.
//! - `--rounds N`: rounds of each timed workload instead of its own number; 0 leaves the times out.
//! - `--no-counts`: times only.
//! - `--python PROGRAM`: who runs the peers written in Python, `python3` if it is not said.
//! - `--out FOLDER`: where `figures.md` and `figures.svg` go, `figures` in the target folder if it
//!   is not said.
//!
//! `--check` compares torsade's counts with `budget.toml`. `--budget` writes them there and into
//! the pages. `--write` does the same with everybody and with times. `--pages` measures nothing:
//! it writes the pages anew from `measured.toml`, after a merge for instance. The pages are
//! `FIGURES.md`, `figures.svg` and the README's table.

mod allocations;
mod budget;
mod chart;
mod files;
mod goal;
mod instructions;
mod memory;
mod options;
mod peers;
mod program;
mod ratios;
mod record;
mod report;
mod rows;
mod scaling;
mod sections;
mod system_calls;
mod table;
mod times;

pub use self::scaling::scaling;

use std::path::{Path, PathBuf};

use crate::figures::files::Files;
use crate::figures::options::{Options, What};
use crate::figures::peers::{MAIN, Peer, Roster};
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

/// Does what the words of the command line ask, for the workspace in that folder. The options
/// are at the top of this page.
///
/// # Errors
/// When a measurement fails, or what moved out of its budget, in words.
pub fn run(words: &[String], workspace: &Path) -> Result<Verdict, String> {
    let options = Options::parse(words)?;
    let files = Files::of(workspace);
    match options.what {
        What::Show => show(&options),
        What::Check => check(&options, &files),
        What::Budget => budget(&options, &files),
        What::Write => write(&options, &files),
        What::Pages => files
            .write_pages(&files.record()?)
            .map(|()| Verdict::Complete),
    }
}

fn show(options: &Options) -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let (counted, contests) = measure(options, &mut missing)?;
    let tables = format!("{}{}", report::counts(&counted), report::times(&contests));
    say(&tables);
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

/// Counts and times everybody in what is asked for.
fn measure(
    options: &Options,
    missing: &mut Missing,
) -> Result<(Vec<Counted>, Vec<Contest>), String> {
    let rows: Vec<&'static Row> = wanted(options).filter(|_| options.counts).collect();
    let contests = times::ROWS.iter().filter(|row| options.wants(row.key()));
    let contests: Vec<_> = contests.filter(|_| options.rounds != Some(0)).collect();
    let roster = Roster::with(&options.python, |peer| {
        let in_contest = |row: &&times::Row| times::is_done_by(row.key(), peer);
        rows.iter().any(|row| row.is_done_by(peer)) || contests.iter().any(in_contest)
    });
    missing.take_all(&roster)?;
    let mut counted = Vec::new();
    for row in rows {
        let peers = peers::ALL.iter();
        counted.push(count(row, peers, &roster, missing)?);
    }
    let mut timed = Vec::new();
    for row in contests {
        say_aside(&format!("timing {}", row.key()));
        timed.extend(missing.take(row.measure(&roster, options.rounds))?);
    }
    Ok((counted, timed))
}

/// Counts those of these peers who can do it.
fn count(
    row: &'static Row,
    peers: impl Iterator<Item = &'static Peer>,
    roster: &Roster<'_>,
    missing: &mut Missing,
) -> Result<Counted, String> {
    let mut values = Vec::new();
    for peer in peers.filter(|peer| row.is_done_by(peer) && roster.has(peer)) {
        say_aside(&format!("counting {}: {}", row.key, peer.title));
        if let Some(value) = missing.take(row.measure(roster, peer))? {
            values.push((peer.name, value));
        }
    }
    Ok(Counted { row, values })
}

/// Where Cargo has put the programs: two folders above their own.
fn target_folder() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    own.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| "the programs are in no target folder".to_owned())
}

fn check(options: &Options, files: &Files) -> Result<Verdict, String> {
    let budget = files.budget()?;
    let mut missing = Missing::default();
    let compiler = program::compiler()?;
    let is_comparable = budget.compiler == compiler;
    if !is_comparable {
        missing.0.push(format!(
            "instructions were budgeted with {}, this is {compiler}: \
             they are not compared; `cargo xtask figures --budget` takes them anew",
            budget.compiler
        ));
    }
    let mut problems = budget.unknown_keys(ROWS);
    problems.extend(files.stale_pages(&budget)?);
    let roster = ours(&mut missing, |driver| budget.knows(driver))?;
    for (peer, driver) in drivers(&roster) {
        for row in budgeted(options, peer, driver) {
            if row.depends_on_compiler() && !is_comparable {
                continue;
            }
            let Some(value) = missing.take(row.measure(&roster, peer))? else {
                continue;
            };
            let judgement = budget.judge(row, driver, value);
            let line = format!("{}, {driver}: {judgement}", row.key);
            say(&format!("    {line}"));
            if judgement.is_bad() {
                problems.push(line);
            }
        }
    }
    if problems.is_empty() {
        Ok(missing.verdict())
    } else {
        Err(format!(
            "out of budget:\n  {}\nIf that is what the change is worth, \
             `cargo xtask figures --budget` writes the new one.",
            problems.join("\n  ")
        ))
    }
}

/// torsade as far as it runs here. A driver that does not is an open question only where the
/// budget has figures for it.
fn ours(
    missing: &mut Missing,
    is_needed: impl Fn(&str) -> bool,
) -> Result<Roster<'static>, String> {
    let roster = Roster::with("", |peer| peer.driver().is_some());
    for (name, failure) in roster.missing() {
        let driver = peers::by_name(name).and_then(Peer::driver);
        match failure {
            rows::Failure::NotHere(why) if !driver.is_some_and(&is_needed) => {
                say(&format!("    {why}; nothing is budgeted for it"));
            }
            failure => drop(missing.take::<()>(Err(failure))?),
        }
    }
    Ok(roster)
}

/// The columns of torsade that are here, the main driver first.
fn drivers<'a>(roster: &'a Roster<'_>) -> impl Iterator<Item = (&'static Peer, &'static str)> + 'a {
    let mut all: Vec<_> = peers::ALL
        .iter()
        .filter_map(|peer| Some((peer, peer.driver()?)))
        .collect();
    all.sort_by_key(|(_, driver)| *driver != MAIN);
    all.into_iter().filter(|(peer, _)| roster.has(peer))
}

/// The rows that are asked for and budgeted on that driver.
fn budgeted<'a>(
    options: &'a Options,
    peer: &'a Peer,
    driver: &'a str,
) -> impl Iterator<Item = &'static Row> + 'a {
    wanted(options).filter(move |row| row.is_budgeted(driver) && row.is_done_by(peer))
}

/// Counts torsade alone; the peers keep what they had.
fn budget(options: &Options, files: &Files) -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let roster = ours(&mut missing, |_| false)?;
    let mut counted = Vec::new();
    for row in wanted(options) {
        let peers = drivers(&roster).filter(|(_, driver)| row.is_budgeted(driver));
        let one = count(row, peers.map(|(peer, _)| peer), &roster, &mut missing)?;
        for (peer, value) in &one.values {
            say(&format!("    {}, {peer}: {}", row.key, row.format(*value)));
        }
        counted.push(one);
    }
    write_budget(options, files, &counted, &missing)?;
    let mut record = files.record()?;
    record.take_counts(counted, true);
    files.write_record(&mut record)?;
    Ok(missing.verdict())
}

/// Measures everybody and writes everything.
fn write(options: &Options, files: &Files) -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let (counted, contests) = measure(options, &mut missing)?;
    if options.counts {
        write_budget(options, files, &counted, &missing)?;
    }
    let mut record = files.record()?;
    record.take_counts(counted, false);
    record.take_contests(contests);
    files.write_record(&mut record)?;
    Ok(missing.verdict())
}

/// Writes the budget, with the old figures for what was not asked for and for drivers that are
/// not here.
fn write_budget(
    options: &Options,
    files: &Files,
    counted: &[Counted],
    missing: &Missing,
) -> Result<(), String> {
    let compiler = program::compiler()?;
    let main = peers::torsade_on(MAIN).ok_or("the main driver has no column")?;
    let lacks = |one: &&Counted| one.row.is_done_by(main) && one.of(main.name).is_none();
    if let Some(lacking) = counted.iter().find(lacks) {
        return Err(format!(
            "a budget needs every figure, and {} has none: {}",
            lacking.row.key,
            missing.0.join("; ")
        ));
    }
    // What is taken over has to be counted with the same compiler.
    let old = match files.budget() {
        Ok(old) if old.compiler == compiler => Some(old),
        Ok(old) if !options.only.is_empty() => {
            return Err(format!(
                "the budget was counted with {}, this is {compiler}: write all of it",
                old.compiler
            ));
        }
        Err(why) if !options.only.is_empty() => return Err(why),
        _ => None,
    };
    let text = budget::render(&compiler, |driver, row| {
        let new = counted.iter().find(|one| one.row.key == row.key);
        let peer = peers::torsade_on(driver)?;
        new.and_then(|one| one.of(peer.name))
            .or_else(|| old.as_ref()?.get(driver, row.key))
    });
    files.write_budget(&text)
}

/// The rows that are asked for.
fn wanted(options: &Options) -> impl Iterator<Item = &'static Row> + '_ {
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

    /// Everybody who is not here.
    fn take_all(&mut self, roster: &Roster<'_>) -> Result<(), String> {
        for (_, failure) in roster.missing() {
            self.take::<()>(Err(failure))?;
        }
        Ok(())
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

/// What goes on, for whoever waits; not for the table.
#[expect(clippy::print_stderr, reason = "it is not for the table")]
fn say_aside(line: &str) {
    eprintln!("    {line}");
}
