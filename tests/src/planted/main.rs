//! Proves that the rigs find faults: plants one after the other, and demands that a rig notices.
//!
//! ```sh
//! cargo run -p torsade-tests --bin planted                  # all faults, each until it is caught
//! cargo run -p torsade-tests --bin planted -- reply_shift   # this one
//! cargo run -p torsade-tests --bin planted -- --all         # by which rigs, of all
//! cargo run -p torsade-tests --bin planted -- --write       # and keep the table: planted.md
//! ```
//!
//! The faults lie in the sources behind `planted!("name")`, which is `false` in every build but
//! one with `--cfg planted`. That one has all of them and asks the environment which one to have,
//! so it is built once. `breaks` is the other half of the proof: there each cell of the
//! conformance suite has a break of its own; here each fault is one that a library like this is
//! likely to have, and the rigs do not know it.
#![forbid(unsafe_code)]

mod list;
mod rigs;
mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::list::{FAULTS, Fault};
use crate::rigs::RIGS;
use crate::table::{Caught, Row};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            say(&format!("error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every fault was caught.
fn run(arguments: &[String]) -> Result<bool, String> {
    let (options, names): (Vec<_>, Vec<_>) = arguments.iter().partition(|it| it.starts_with('-'));
    let has = |wanted: &str| options.iter().any(|option| *option == wanted);
    if let Some(name) = names.iter().find(|name| !is_known(name)) {
        return Err(format!("there is no fault {name}"));
    }
    say("building the rigs with all faults");
    let built = rigs::build()?;
    for rig in RIGS {
        if let Some(after) = rig.run(&built, "none")? {
            return Err(format!("{} fails without a fault, {after}", rig.name));
        }
    }
    let wanted = |fault: &&Fault| names.is_empty() || names.iter().any(|name| *name == fault.name);
    let mut rows = Vec::new();
    for fault in FAULTS.iter().filter(wanted) {
        let mut row = Row::new(fault, &places(fault.name)?);
        for rig in RIGS {
            if let Some(after) = rig.run(&built, fault.name)? {
                row.caught.push(Caught {
                    rig: rig.name,
                    after,
                });
                if !has("--all") {
                    break;
                }
            }
        }
        say(&row.to_string());
        for also in row.caught.iter().skip(1) {
            say(&format!("  also {}, {}", also.rig, also.after));
        }
        rows.push(row);
    }
    if has("--write") && names.is_empty() {
        let path = root().join("tests").join("planted.md");
        std::fs::write(path, table::page(&rows)).map_err(|error| error.to_string())?;
    }
    let missed = rows.iter().filter(|row| row.caught.is_empty()).count();
    say(&format!("{} caught, {missed} missed", rows.len() - missed));
    Ok(missed == 0)
}

fn is_known(name: &str) -> bool {
    FAULTS.iter().any(|fault| fault.name == name)
}

/// The sources that name a fault, from the root of the workspace.
fn places(fault: &str) -> Result<Vec<String>, String> {
    let found = planted()?;
    let here = found.into_iter().filter(|(name, _)| name == fault);
    Ok(here.map(|(_, file)| file).collect())
}

/// Every fault that the sources name, with its file.
fn planted() -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| error.to_string())?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                read(&path, &mut found)?;
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn read(path: &Path, found: &mut Vec<(String, String)>) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let file = path.strip_prefix(root()).unwrap_or(path);
    for piece in text.split("planted!(\"").skip(1) {
        let name = piece.split('"').next().unwrap_or_default();
        found.push((name.to_owned(), file.display().to_string()));
    }
    Ok(())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

fn say(line: &str) {
    // There is nobody else to tell if the terminal is gone.
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../planted.md");

    /// Without building anything: the sources, the list and the table speak of the same faults,
    /// and each was caught by a rig that there is.
    #[test]
    fn every_planted_fault_is_in_the_table_and_was_caught() {
        let listed: Vec<String> = FAULTS.iter().map(|fault| fault.name.to_owned()).collect();
        let known: BTreeSet<String> = listed.iter().cloned().collect();
        assert_eq!(known.len(), listed.len(), "a fault is listed twice");
        let planted: BTreeSet<String> = planted().unwrap().into_iter().map(|it| it.0).collect();
        assert_eq!(planted, known);
        let rows = table::read(PAGE);
        let shown: Vec<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(shown, listed, "run planted -- --write");
        for row in rows {
            let known = RIGS.iter().any(|rig| rig.name == row.rig);
            assert!(known && !row.after.is_empty(), "{} is not caught", row.name);
            assert_eq!(row.files, places(row.name).unwrap().join(", "));
        }
    }
}
