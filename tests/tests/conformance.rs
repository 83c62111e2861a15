//! The contracts, cell by cell, on every driver: prints the table, and fails if a cell does.
//!
//! Arguments are names of cells or columns, or parts of names: `cargo test -p torsade-tests
//! --test conformance -- C4. string` runs what concerns closing on the string transport.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use torsade_testing::conformance::{
    Cell, Column, FILTERED_STRING, PUMP, SIMULATED, STRING, contracts,
};
use torsade_tests::runner::{self, PATIENCE, elsewhere};

fn main() -> io::Result<ExitCode> {
    let with_threads = |column: Column| Column {
        elsewhere: Some(elsewhere),
        ..column
    };
    let columns = [
        with_threads(STRING),
        with_threads(PUMP),
        with_threads(SIMULATED),
        #[cfg(unix)]
        torsade_tests::columns::TCP,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::EPOLL,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::IO_URING,
        #[cfg(unix)]
        torsade_tests::columns::UNIX,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::UNIX_IO_URING,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::UNIX_POLLING,
        #[cfg(unix)]
        torsade_tests::columns::PIPES,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::PIPES_IO_URING,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::PIPES_POLLING,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::PROCESS,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::PROCESS_IO_URING,
        #[cfg(target_os = "linux")]
        torsade_tests::columns::PROCESS_POLLING,
        with_threads(FILTERED_STRING),
        #[cfg(unix)]
        torsade_tests::columns::FILTERED_TCP,
        #[cfg(unix)]
        torsade_tests::columns::TLS,
    ];
    let asked = Asked::read(&columns);
    let report = runner::run(&columns, asked.patience, |cell, column| {
        asked.wants(cell, column)
    });
    write!(io::stdout(), "{report}")?;
    Ok(ExitCode::from(u8::from(report.failed() > 0)))
}

/// What the arguments ask for. Options of the usual test harness are let pass.
struct Asked {
    columns: Vec<String>,
    /// Whole names.
    cells: Vec<String>,
    parts: Vec<String>,
    patience: Duration,
}

impl Asked {
    fn read(columns: &[Column]) -> Self {
        let mut asked = Self {
            columns: Vec::new(),
            cells: Vec::new(),
            parts: Vec::new(),
            patience: PATIENCE,
        };
        let known: Vec<String> = contracts()
            .iter()
            .flat_map(|contract| contract.cells)
            .map(Cell::id)
            .collect();
        for text in std::env::args().skip(1) {
            if let Some(seconds) = text.strip_prefix("--patience=") {
                asked.patience = seconds.parse().map_or(PATIENCE, Duration::from_secs);
            } else if columns.iter().any(|column| column.name == text) {
                asked.columns.push(text);
            } else if known.contains(&text) {
                asked.cells.push(text);
            } else if !text.starts_with('-') {
                asked.parts.push(text);
            }
        }
        asked
    }

    fn wants(&self, cell: &Cell, column: &Column) -> bool {
        let id = cell.id();
        let by_column = self.columns.is_empty() || self.columns.iter().any(|it| it == column.name);
        let by_cell = (self.cells.is_empty() && self.parts.is_empty())
            || self.cells.contains(&id)
            || self.parts.iter().any(|part| id.contains(part));
        by_column && by_cell
    }
}
