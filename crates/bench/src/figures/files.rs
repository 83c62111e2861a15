//! The files that figures are kept in and shown on.

use std::path::{Path, PathBuf};

use crate::figures::budget::Budget;
use crate::figures::peers;
use crate::figures::program;
use crate::figures::record::Record;
use crate::figures::report;

/// Where they are.
#[derive(Debug)]
pub(super) struct Files {
    budget: PathBuf,
    record: PathBuf,
    page: PathBuf,
    picture: PathBuf,
    readme: PathBuf,
}

impl Files {
    /// Those of the workspace in that folder.
    pub(super) fn of(workspace: &Path) -> Self {
        let bench = workspace.join("crates").join("bench");
        Self {
            budget: bench.join("budget.toml"),
            record: bench.join("measured.toml"),
            page: bench.join("FIGURES.md"),
            picture: bench.join("figures.svg"),
            readme: workspace.join("README.md"),
        }
    }

    /// The budget.
    pub(super) fn budget(&self) -> Result<Budget, String> {
        Budget::parse(&read(&self.budget)?)
    }

    /// Writes the budget.
    pub(super) fn write_budget(&self, text: &str) -> Result<(), String> {
        write(&self.budget, text)
    }

    /// What was measured last.
    pub(super) fn record(&self) -> Result<Record, String> {
        Record::parse(&read(&self.record)?)
    }

    /// Writes what was measured, and the pages that show it.
    pub(super) fn write_record(&self, record: &mut Record) -> Result<(), String> {
        record.machine = machine()?;
        let text = record.render();
        write(&self.record, &text)?;
        // Shown is what is written, as it is rounded there.
        self.write_pages(&Record::parse(&text)?)
    }

    /// Writes the pages that show a record.
    pub(super) fn write_pages(&self, record: &Record) -> Result<(), String> {
        for (file, text) in self.pages(record)? {
            write(file, &text)?;
        }
        Ok(())
    }

    /// What the pages should say.
    fn pages(&self, record: &Record) -> Result<[(&Path, String); 3], String> {
        let readme = report::readme(&read(&self.readme)?, record)?;
        Ok([
            (&self.page, report::page(record)),
            (&self.picture, report::headlines(record)),
            (&self.readme, readme),
        ])
    }

    /// Complaints about pages and records that show something else than the budget.
    pub(super) fn stale_pages(&self, budget: &Budget) -> Result<Vec<String>, String> {
        let record = self.record()?;
        let mut problems = Vec::new();
        for (file, text) in self.pages(&record)? {
            if read(file)? != text {
                problems.push(format!(
                    "{} does not show what {} holds: `cargo xtask figures --pages` mends that",
                    file.display(),
                    self.record.display()
                ));
            }
        }
        for counted in &record.counts {
            for (peer, value) in &counted.values {
                let driver = peers::by_name(peer).and_then(peers::Peer::driver);
                let agreed = driver.and_then(|driver| budget.get(driver, counted.row.key));
                let format = |value| counted.row.format(value);
                if let Some(agreed) = agreed.filter(|agreed| format(*agreed) != format(*value)) {
                    problems.push(format!(
                        "{}: the tables say {value} of {peer}, the budget {agreed}: \
                         `cargo xtask figures --budget --only {}` counts it",
                        counted.row.key, counted.row.key
                    ));
                }
            }
        }
        Ok(problems)
    }
}

/// The machine in a sentence.
fn machine() -> Result<String, String> {
    let kernel = read(Path::new("/proc/sys/kernel/osrelease"))?;
    let kernel = kernel.split('-').next().unwrap_or_default();
    let processors = read(Path::new("/proc/cpuinfo"))?;
    let models = || {
        let lines = processors.lines();
        lines.filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
    };
    let model = models().next().map_or("unknown", |(_, model)| model);
    Ok(format!(
        "Measured on Linux {}, {} cores of {model}, {}.",
        kernel.trim(),
        models().count(),
        program::compiler()?
    ))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
