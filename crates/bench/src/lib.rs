//! What torsade costs, counted, beside peers that are written as their users
//! write them.
//!
//! Time on a busy machine says little: nearly all of an echoed message is the
//! kernel's work, and two runs of one program differ by more than two
//! programs do. So the figures are counts that come out the same tomorrow:
//! instructions executed outside the kernel (by callgrind), allocations (by a
//! counting allocator) and resident bytes.
//!
//! `cargo xtask figures` measures everything and prints the table.
//! `cargo xtask figures --check` measures torsade alone and compares with
//! `budget.toml`; `--write` writes that file anew.
//!
//! - [`servers`]: the programs that are measured;
//! - [`load`]: what is sent to them;
//! - [`feeds`]: framings alone, without a socket;
//! - [`deferred`]: results that come later, alone;
//! - `figures`: how they are run and counted (Linux only).
#![forbid(unsafe_code)]

pub mod deferred;
pub mod feeds;
#[cfg(target_os = "linux")]
pub mod figures;
pub mod load;
pub mod servers;
