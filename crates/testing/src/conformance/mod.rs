//! The contracts as a suite of cells, one body for every driver.
//!
//! What torsade promises (contracts C1 to C18) it promises on every transport. So each promise is
//! checked by the same code everywhere: a *cell* checks one sentence, on a [`Harness`], which is a
//! driver with the other end of its connections in the test's hands. Three harnesses are here, on
//! the [string transport](STRING), on the [pump](PUMP) and on a [simulated host](SIMULATED);
//! whoever writes a driver writes one for it and runs the same cells.
//!
//! ```
//! use torsade_testing::conformance::{PUMP, STRING, run};
//!
//! let report = run(&[STRING, PUMP]);
//! println!("{report}");
//! assert_eq!(report.failed(), 0, "{report}");
//! ```
//!
//! A cell is a function. It makes connections of a [`Probe`], a protocol that notes every callback
//! and does there what the cell tells it, lets things happen, and compares the whole list of what
//! happened with what the contract says. A harness that cannot have a cell says why, with
//! [`not_here`], and the table shows it as n/a.
//!
//! # A harness for another driver
//! Implement [`Harness`], make a [`Column`] of it, and run every [`Cell`] of every [`Contract`];
//! best each on a thread of its own, so that one that fails leaves nothing behind. [`Report`]
//! prints the table.

mod c01_callbacks;
mod c02_life;
mod c03_order;
mod c04_closing;
mod c05_half_close;
mod c06_reasons;
mod c07_flow;
mod c08_panics;
mod c09_time;
mod c10_fairness;
mod c11_threads;
mod c12_accepting;
mod c13_limits;
mod c14_input;
mod c15_layers;
mod c15_unread;
mod c16_continuations;
mod c17_shutdown;
mod c18_datagrams;
mod datagram_probe;
mod filters;
mod harness;
mod probe;
mod pump;
mod report;
mod simulated;
mod string;
mod tools;

pub use self::harness::{Column, End, Far, Harness, Role, Seen, Work, not_here};
pub use self::probe::{Log, Probe, Seat};
pub use self::pump::PUMP;
pub use self::report::{Cell, Contract, Outcome, Report};
pub use self::simulated::SIMULATED;
pub use self::string::{FILTERED_STRING, STRING, THROUGH_A_FILTER, nothing_ahead};

/// Lists cells under their names.
macro_rules! cells {
    ($contract:literal: $($cell:ident),+ $(,)?) => {
        &[$($crate::conformance::Cell {
            contract: $contract,
            name: stringify!($cell),
            run: $cell,
        }),+]
    };
}
use cells;

/// All contracts, in order.
///
/// ```
/// let contracts = torsade_testing::conformance::contracts();
/// assert_eq!(contracts.len(), 18);
/// assert_eq!(contracts[3].title, "closing");
/// ```
pub fn contracts() -> &'static [Contract] {
    CONTRACTS
}

/// Run every cell on each of these harnesses, on this thread, one after the other.
///
/// ```
/// use torsade_testing::conformance::{STRING, run};
///
/// assert_eq!(run(&[STRING]).failed(), 0);
/// ```
pub fn run(columns: &[Column]) -> Report {
    let mut report = Report::new(columns);
    for cell in contracts().iter().flat_map(|contract| contract.cells) {
        for (number, column) in columns.iter().enumerate() {
            report.add(cell, number, cell.run(column));
        }
    }
    report
}

const fn contract(number: u8, title: &'static str, cells: &'static [Cell]) -> Contract {
    Contract {
        number,
        title,
        cells,
    }
}

const CONTRACTS: &[Contract] = &[
    contract(1, "callbacks", c01_callbacks::CELLS),
    contract(2, "life cycle", c02_life::CELLS),
    contract(3, "order and batching", c03_order::CELLS),
    contract(4, "closing", c04_closing::CELLS),
    contract(5, "half-close", c05_half_close::CELLS),
    contract(6, "reasons", c06_reasons::CELLS),
    contract(7, "flow control", c07_flow::CELLS),
    contract(8, "errors", c08_panics::CELLS),
    contract(9, "time", c09_time::CELLS),
    contract(10, "fairness", c10_fairness::CELLS),
    contract(11, "threads", c11_threads::CELLS),
    contract(12, "accepting", c12_accepting::CELLS),
    contract(13, "limits", c13_limits::CELLS),
    contract(14, "bytes from a peer", c14_input::CELLS),
    contract(15, "input left over", c15_unread::CELLS),
    contract(16, "continuations", c16_continuations::CELLS),
    contract(17, "shutdown", c17_shutdown::CELLS),
    contract(18, "datagrams", c18_datagrams::CELLS),
];
