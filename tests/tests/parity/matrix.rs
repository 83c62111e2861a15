//! The matrix: one row for each ending, one column for each state and role; and one row for each child
//! process, one column for each driver.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::arguments::{Arguments, Difference, differences};
use crate::play::Record;

pub(crate) struct Matrix {
    arguments: Arguments,
    /// In the order of the first cell of each.
    rows: Vec<&'static str>,
    columns: Vec<String>,
    verdicts: BTreeMap<(usize, usize), Verdict>,
    unexplained: BTreeMap<Difference, Vec<String>>,
}

enum Verdict {
    Equal,
    /// By these reasons.
    Argued(BTreeSet<usize>),
    Unexplained,
}

impl Matrix {
    pub(crate) fn new(arguments: Arguments) -> Self {
        Self {
            arguments,
            rows: Vec::new(),
            columns: Vec::new(),
            verdicts: BTreeMap::new(),
            unexplained: BTreeMap::new(),
        }
    }

    /// What both did in the cell of this name, which is in this row and this column.
    pub(crate) fn add(
        &mut self,
        (row, column): (&'static str, String),
        name: &str,
        twisted: &Record,
        torsade: &Record,
    ) {
        let mut reasons = BTreeSet::new();
        let mut open = Vec::new();
        for difference in differences(twisted, torsade) {
            match self.arguments.explain(name, &difference) {
                Some(by) => reasons.extend(by),
                None => open.push(difference),
            }
        }
        let verdict = match (open.is_empty(), reasons.is_empty()) {
            (true, true) => Verdict::Equal,
            (true, false) => Verdict::Argued(reasons),
            (false, _) => Verdict::Unexplained,
        };
        for difference in open {
            self.unexplained
                .entry(difference)
                .or_default()
                .push(name.to_owned());
        }
        let row = place(&mut self.rows, row);
        let column = place(&mut self.columns, column);
        self.verdicts.insert((row, column), verdict);
    }

    /// How many cells differ, and nobody says why.
    pub(crate) fn unexplained(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Unexplained))
    }

    pub(crate) fn stale(&self) -> Vec<String> {
        self.arguments.stale()
    }

    fn count(&self, is_it: fn(&Verdict) -> bool) -> usize {
        self.verdicts.values().filter(|it| is_it(it)).count()
    }
}

fn place<T: PartialEq>(names: &mut Vec<T>, name: T) -> usize {
    names.iter().position(|it| *it == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (difference, cells) in &self.unexplained {
            for cell in cells {
                writeln!(f, "cell: {cell}")?;
            }
            writeln!(f, "part: {}", difference.aspect)?;
            writeln!(f, "twisted: {}", difference.twisted)?;
            writeln!(f, "torsade: {}\nby:\n", difference.torsade)?;
        }
        for (index, column) in self.columns.iter().enumerate() {
            writeln!(f, "{:>width$} {column}", "|", width = 26 + 8 * index)?;
        }
        for (row, name) in self.rows.iter().enumerate() {
            write!(f, "{name:<25}")?;
            for column in 0..self.columns.len() {
                let text = match self.verdicts.get(&(row, column)) {
                    None => String::new(),
                    Some(Verdict::Equal) => "=".into(),
                    Some(Verdict::Unexplained) => "?".into(),
                    Some(Verdict::Argued(reasons)) => {
                        let numbers = reasons.iter().map(|place| (place + 1).to_string());
                        numbers.collect::<Vec<_>>().join("+")
                    }
                };
                write!(f, "{text:<8}")?;
            }
            writeln!(f)?;
        }
        for (place, reason) in self.arguments.reasons().iter().enumerate() {
            let by_it = |it: &&Verdict| matches!(it, Verdict::Argued(by) if by.contains(&place));
            let cells = self.verdicts.values().filter(by_it).count();
            writeln!(f, "{:>4}: {cells} cells. {}", place + 1, reason.why)?;
        }
        writeln!(
            f,
            "parity with Twisted: {} cells, {} equal, {} argued, {} unexplained",
            self.verdicts.len(),
            self.count(|verdict| matches!(verdict, Verdict::Equal)),
            self.count(|verdict| matches!(verdict, Verdict::Argued(_))),
            self.unexplained(),
        )
    }
}
