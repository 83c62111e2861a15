//! The table of what was caught by which rig.

use std::fmt;

use crate::list::Fault;

/// What became of a fault.
pub(crate) struct Row {
    fault: &'static Fault,
    files: String,
    /// By which rigs, in the order in which they were tried.
    pub(crate) caught: Vec<Caught>,
}

pub(crate) struct Caught {
    pub(crate) rig: &'static str,
    pub(crate) after: String,
}

impl Row {
    pub(crate) fn new(fault: &'static Fault, files: &[String]) -> Self {
        Self {
            fault,
            files: files.join(", "),
            caught: Vec::new(),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { name, what } = self.fault;
        write!(f, "| `{name}` | {what} | {} |", self.files)?;
        match self.caught.first() {
            None => write!(f, " **missed** | |"),
            Some(Caught { rig, after }) => write!(f, " {rig} | {after} |"),
        }
    }
}

/// The page that is kept.
pub(crate) fn page(rows: &[Row]) -> String {
    let mut page = String::from(HEAD);
    for row in rows {
        page.push_str(&row.to_string());
        page.push('\n');
    }
    page
}

const HEAD: &str = "\
# Planted faults

Each is in the sources behind `planted!(\"name\")`, in builds with `--cfg planted` only, and each is
caught by a rig that knows nothing of it. Written by
`cargo run -p torsade-tests --bin planted -- --write`; a test demands that the sources and this
table speak of the same faults. *Chat* and *exchange seeds* are programs on the simulated
network, *engine fuzz* are random operations on the bare engine. Rigs that try at random come first, then
those that know what they look for; *after* says how many seeds, engines, cells or tests it took.

| fault | what is wrong | where | caught by | after |
|---|---|---|---|---|
";

/// A line of the table, as far as it is checked.
#[cfg(test)]
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) files: &'a str,
    pub(crate) rig: &'a str,
    pub(crate) after: &'a str,
}

#[cfg(test)]
pub(crate) fn read(page: &str) -> Vec<Line<'_>> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            [_, name, _, files, rig, after, ..] => Some(Line {
                name: name.trim_matches('`'),
                files,
                rig,
                after,
            }),
            _ => None,
        }
    })
    .collect()
}
