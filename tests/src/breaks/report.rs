//! Which breaks were noticed.

use std::fmt;

use crate::list::Break;
use crate::workshop::Failure;

/// One line for each cell and break.
#[derive(Debug, Default)]
pub(crate) struct Table {
    lines: Vec<String>,
    caught: usize,
    missed: usize,
}

impl Table {
    /// Enter what failed under a break. Returns the lines for it.
    pub(crate) fn add(&mut self, one: &Break, failures: &[Failure], all: bool) -> String {
        let mut lines = Vec::new();
        for cell in &one.cells {
            let columns: Vec<&str> = failures
                .iter()
                .filter(|failure| failure.cell == *cell)
                .map(|failure| failure.column.as_str())
                .collect();
            let noticed = if columns.is_empty() {
                self.missed += 1;
                "MISSED".to_owned()
            } else {
                self.caught += 1;
                format!("caught by {}", columns.join(", "))
            };
            lines.push(format!("{cell:<70} | {:<70} | {noticed}", one.what));
        }
        let text = if all {
            let mut cells: Vec<&str> = failures.iter().map(|it| it.cell.as_str()).collect();
            cells.dedup();
            format!("cells: {}", cells.join(" "))
        } else {
            lines.join("\n")
        };
        self.lines.extend(lines);
        text
    }

    pub(crate) fn miss(&mut self) {
        self.missed += 1;
    }

    pub(crate) fn missed(&self) -> usize {
        self.missed
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.lines.clone();
        lines.sort();
        writeln!(f, "\n{:<70} | {:<70} | caught", "cell", "break")?;
        for line in lines {
            writeln!(f, "{line}")?;
        }
        write!(f, "{} caught, {} missed", self.caught, self.missed)
    }
}
