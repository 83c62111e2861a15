//! Tests across packages.
//!
//! The conformance suite of `torsade-testing` runs here on every driver there is:
//! `cargo test -p torsade-tests` prints the table of contracts. What stands in `breaks.txt` is the
//! proof that the cells look: `cargo run -p torsade-tests --bin breaks` breaks the code in each of
//! those ways and demands that the cell named there fails. `planted.md` is the same proof of all
//! rigs together: `cargo run -p torsade-tests --bin planted`. `rules.txt` says what became of
//! Twisted's rules, and by which tests: `cargo test -p torsade-tests --test rules` counts them;
//! `asyncio.txt` says the same of asyncio's loop and transports.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod children;
#[cfg(unix)]
pub mod columns;
pub mod fuzz;
#[cfg(unix)]
mod logged;
pub mod named;
#[cfg(unix)]
mod raw;
pub mod rng;
pub mod runner;
pub mod simulated;
#[cfg(unix)]
mod sockets;
#[cfg(unix)]
mod tls;
pub mod twisted;
