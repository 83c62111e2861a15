use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::harness::{NotHere, Stage};
use super::{Column, contracts};
use crate::ledger;

/// One of the contracts, with the cells that check it.
#[derive(Debug)]
pub struct Contract {
    /// 1 for C1.
    pub number: u8,
    /// In a word or two.
    pub title: &'static str,
    /// None, if nothing checks it yet.
    pub cells: &'static [Cell],
}

/// One check of one sentence of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Which contract it belongs to: 1 for C1.
    pub contract: u8,
    /// Unique in its contract.
    pub name: &'static str,
    pub(super) run: fn(Stage),
}

/// What became of a cell on one harness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It held.
    Passed,
    /// It did not; what the panic said.
    Failed(String),
    /// The harness cannot have it, for this reason.
    NotHere(&'static str),
}

impl Cell {
    /// How it is called in lists of failures: `C4.close_flushes`.
    ///
    /// ```
    /// let cell = &torsade_testing::conformance::contracts()[3].cells[0];
    /// assert!(cell.id().starts_with("C4."));
    /// ```
    pub fn id(&self) -> String {
        format!("C{}.{}", self.contract, self.name)
    }

    /// Run it on a fresh harness of this column.
    ///
    /// It uses the thread's clock and queue; after a failure, run the next one on a fresh thread.
    ///
    /// ```
    /// use torsade_testing::conformance::{Outcome, STRING, contracts};
    ///
    /// let cell = &contracts()[3].cells[0];
    /// assert_eq!(cell.run(&STRING), Outcome::Passed);
    /// ```
    pub fn run(&self, column: &Column) -> Outcome {
        let cannot = column.cannot.iter().find(|(name, _)| *name == self.name);
        if let Some((_, reason)) = cannot {
            return Outcome::NotHere(reason);
        }
        ledger::note_panics();
        let run = AssertUnwindSafe(|| (self.run)(Stage(*column)));
        let Err(payload) = catch_unwind(run) else {
            return Outcome::Passed;
        };
        if let Some(NotHere(reason)) = payload.downcast_ref() {
            return Outcome::NotHere(reason);
        }
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref().copied())
            .unwrap_or("a panic without a text");
        let place = ledger::last_panic().unwrap_or_else(|| "an unknown place".into());
        Outcome::Failed(format!("{said} (at {place})"))
    }
}

/// What became of every cell on every harness, as a table.
///
/// ```text
/// C4  closing            string 9/9  pump 8/8 (1 n/a)  tcp 9/9
/// ```
#[derive(Debug)]
pub struct Report {
    columns: Vec<&'static str>,
    results: Vec<(Cell, usize, Outcome)>,
}

impl Report {
    /// An empty one, for these columns.
    ///
    /// ```
    /// use torsade_testing::conformance::{PUMP, Report, STRING};
    ///
    /// let report = Report::new(&[STRING, PUMP]);
    /// assert_eq!((report.passed(), report.failed()), (0, 0));
    /// ```
    pub fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name).collect(),
            results: Vec::new(),
        }
    }

    /// Enter what became of a cell in the column of this number, counted from 0.
    ///
    /// ```
    /// use torsade_testing::conformance::{Outcome, Report, STRING, contracts};
    ///
    /// let mut report = Report::new(&[STRING]);
    /// report.add(&contracts()[3].cells[0], 0, Outcome::Failed("no bytes came".into()));
    /// assert!(report.to_string().contains("no bytes came"));
    /// ```
    pub fn add(&mut self, cell: &Cell, column: usize, outcome: Outcome) {
        self.results.push((*cell, column, outcome));
    }

    /// How many cells held, each harness counted.
    ///
    /// ```
    /// # use torsade_testing::conformance::{Outcome, Report, STRING, contracts};
    /// let mut report = Report::new(&[STRING]);
    /// report.add(&contracts()[0].cells[0], 0, Outcome::Passed);
    /// assert_eq!(report.passed(), 1);
    /// ```
    pub fn passed(&self) -> usize {
        self.count(|_, _, outcome| *outcome == Outcome::Passed)
    }

    /// How many cells did not hold, each harness counted.
    ///
    /// ```
    /// # use torsade_testing::conformance::{Outcome, Report, STRING, contracts};
    /// let mut report = Report::new(&[STRING]);
    /// report.add(&contracts()[0].cells[0], 0, Outcome::NotHere("no clock"));
    /// assert_eq!(report.failed(), 0);
    /// ```
    pub fn failed(&self) -> usize {
        self.count(|_, _, outcome| matches!(outcome, Outcome::Failed(_)))
    }

    fn count(&self, counts: impl Fn(&Cell, usize, &Outcome) -> bool) -> usize {
        self.results
            .iter()
            .filter(|(cell, column, outcome)| counts(cell, *column, outcome))
            .count()
    }

    /// `string 9/9 (1 n/a)`
    fn summary(&self, contract: u8, column: usize) -> String {
        let of = |wanted: &dyn Fn(&Outcome) -> bool| {
            self.count(|cell, at, outcome| {
                cell.contract == contract && at == column && wanted(outcome)
            })
        };
        let passed = of(&|outcome| *outcome == Outcome::Passed);
        let failed = of(&|outcome| matches!(outcome, Outcome::Failed(_)));
        let not_here = of(&|outcome| matches!(outcome, Outcome::NotHere(_)));
        let mut text = format!("{} {passed}/{}", self.columns[column], passed + failed);
        if not_here > 0 {
            text.push_str(&format!(" ({not_here} n/a)"));
        }
        text
    }

    fn contract_line(&self, contract: &Contract, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contract { number, title, .. } = contract;
        write!(f, "{:<4}{title:<20}", format!("C{number}"))?;
        if contract.cells.is_empty() {
            return writeln!(f, "comes with its transport");
        }
        let summaries: Vec<_> = (0..self.columns.len())
            .map(|column| format!("{:<26}", self.summary(*number, column)))
            .collect();
        writeln!(f, "{}", summaries.concat().trim_end())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for contract in contracts() {
            self.contract_line(contract, f)?;
        }
        let mut not_here = 0;
        for (cell, column, outcome) in &self.results {
            if let Outcome::NotHere(reason) = outcome {
                not_here += 1;
                writeln!(f, "n/a   {} {}: {reason}", self.columns[*column], cell.id())?;
            }
        }
        for (cell, column, outcome) in &self.results {
            if let Outcome::Failed(message) = outcome {
                writeln!(
                    f,
                    "FAIL  {} {}: {message}",
                    self.columns[*column],
                    cell.id()
                )?;
            }
        }
        let is_covered = |contract: &&Contract| {
            self.count(|cell, _, outcome| {
                cell.contract == contract.number && *outcome == Outcome::Passed
            }) > 0
        };
        let has_cells = |contract: &&Contract| !contract.cells.is_empty();
        writeln!(
            f,
            "contracts: {} of {}, cells: {}/{}/{not_here} passed/failed/n/a",
            contracts().iter().filter(is_covered).count(),
            contracts().iter().filter(has_cells).count(),
            self.passed(),
            self.failed(),
        )?;
        writeln!(f, "{} passed, {} failed", self.passed(), self.failed())
    }
}
