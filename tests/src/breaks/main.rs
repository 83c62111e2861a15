//! Proves that the cells of the conformance suite look: breaks the code in every way that
//! `breaks.txt` lists, one at a time, and demands that the cells named there fail.
//!
//! ```sh
//! cargo run -p torsade-tests --bin breaks                   # all of it
//! cargo run -p torsade-tests --bin breaks -- C4. switch     # cells or breaks with this in them
//! cargo run -p torsade-tests --bin breaks -- --all switch   # which cells notice, of all
//! cargo run -p torsade-tests --bin breaks -- --on=string    # on this harness only
//! ```
//!
//! It builds the suite anew for every break, in a copy of the workspace, which takes ten minutes
//! and more for all of them: too slow for continuous integration, and meant for whoever adds a
//! cell or changes what one of them checks. That every break still applies to the code, and that
//! every cell has one, is a test.
#![forbid(unsafe_code)]

mod list;
mod report;
mod workshop;

use std::io::{self, Write};
use std::process::ExitCode;

use torsade_testing::conformance::{Cell, contracts};

use crate::list::Break;
use crate::report::Table;
use crate::workshop::Workshop;

const LIST: &str = include_str!("../../breaks.txt");

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

/// Returns whether every cell failed that had to.
fn run(arguments: &[String]) -> Result<bool, String> {
    let (options, filters): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|text| text.starts_with('-'));
    if let Some(unknown) = options
        .iter()
        .find(|option| **option != "--all" && !option.starts_with("--on="))
    {
        return Err(format!(
            "there is no option {unknown}; usage: breaks [--all] [--on=COLUMN] [WORDS]..."
        ));
    }
    let all = options.iter().any(|option| *option == "--all");
    let columns = options
        .iter()
        .filter_map(|option| option.strip_prefix("--on="))
        .map(str::to_owned)
        .collect();
    let breaks = list::parse(LIST)?;
    let known = known_cells();
    list::check(&breaks, &known)?;
    let wanted: Vec<&Break> = breaks
        .iter()
        .filter(|one| filters.is_empty() || filters.iter().any(|text| one.matches(text)))
        .collect();
    let workshop = Workshop::open(columns)?;
    say("building what is not broken");
    let failures = workshop.run(&[])?;
    if !failures.is_empty() {
        return Err(format!("cells fail though nothing is broken: {failures:?}"));
    }
    let mut table = Table::default();
    for (number, one) in wanted.iter().enumerate() {
        say(&format!("{}/{} {}", number + 1, wanted.len(), one.what));
        let cells: &[String] = if all { &[] } else { &one.cells };
        match workshop.run_broken(one, cells) {
            Ok(failures) => say(&table.add(one, &failures, all)),
            Err(problem) => {
                table.miss();
                say(&problem);
            }
        }
    }
    say(&table.to_string());
    if filters.is_empty() {
        for cell in list::without(&breaks, &known) {
            table.miss();
            say(&format!("no break for {cell}"));
        }
    }
    Ok(table.missed() == 0)
}

fn known_cells() -> Vec<String> {
    contracts()
        .iter()
        .flat_map(|contract| contract.cells)
        .map(Cell::id)
        .collect()
}

fn say(line: &str) {
    // There is nobody else to tell if the terminal is gone.
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Without building anything: the list is about the code as it is.
    #[test]
    fn every_break_applies_and_every_cell_has_one() {
        let breaks = list::parse(LIST).unwrap();
        let known = known_cells();
        list::check(&breaks, &known).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let problems: Vec<String> = breaks
            .iter()
            .filter_map(|one| {
                let source = std::fs::read_to_string(root.join(&one.file)).unwrap();
                one.apply(&source).err()
            })
            .collect();
        assert_eq!(problems, Vec::<String>::new());
        let without: Vec<_> = list::without(&breaks, &known).collect();
        assert_eq!(without, Vec::<&String>::new());
    }
}
