//! The contracts, cell by cell, on every driver: prints the table, and fails if a cell does.
//!
//! Arguments are parts of names, of cells or columns: `cargo test -p torsade-tests --test
//! conformance -- C4. string` runs what concerns closing on the string transport.

use std::io::{self, Write};
use std::process::ExitCode;

use torsade_testing::conformance::{Cell, Column, PUMP, STRING};
use torsade_tests::runner::{self, elsewhere};

fn main() -> io::Result<ExitCode> {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let with_threads = |column: Column| Column {
        elsewhere: Some(elsewhere),
        ..column
    };
    let columns = [
        with_threads(STRING),
        with_threads(PUMP),
        #[cfg(unix)]
        torsade_tests::tcp::TCP,
    ];
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    let (for_columns, for_cells): (Vec<_>, Vec<_>) =
        asked.iter().partition(|text| names.contains(&text.as_str()));
    let wanted = |cell: &Cell, column: &Column| {
        (for_columns.is_empty() || for_columns.iter().any(|text| *text == column.name))
            && (for_cells.is_empty() || for_cells.iter().any(|text| cell.id().contains(*text)))
    };
    let report = runner::run(&columns, wanted);
    write!(io::stdout(), "{report}")?;
    Ok(ExitCode::from(u8::from(report.failed() > 0)))
}
