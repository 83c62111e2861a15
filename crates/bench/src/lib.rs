//! What torsade costs, counted, beside peers that are written as their users
//! write them.
//!
//! Time on a busy machine says little: nearly all of an echoed message is the
//! kernel's work, and two runs of one program differ by more than two
//! programs do. So what can be counted is counted, and comes out the same
//! tomorrow: instructions executed outside the kernel (by callgrind), system
//! calls (by strace), allocations (by a counting allocator), resident bytes.
//! For the rest, and for peers that are not worth counting, there is the CPU
//! time of the server in rounds that take turns, as a ratio, with its spread.
//!
//! `cargo xtask figures` measures everything and prints the tables; it leaves
//! them, and a picture, in the folder `figures` of the target folder. Its
//! options are on the page of the module `figures`.
//! `cargo xtask figures --check` counts torsade alone and compares with
//! `budget.toml`, `--budget` writes that file anew; `--write` measures all and
//! writes what `FIGURES.md`, the picture beside it and the README show.
//! The program `scaling` (`cargo run --profile figures -p torsade-bench --bin scaling`, when
//! `cargo xtask figures` has built the others) compares one reactor with two that share a port.
//!
//! torsade is measured on each of its drivers, as far as they are there:
//! the same programs, told by the environment.
//!
//! - [`servers`]: the programs that are measured; those in Python and in C are
//!   in `peers/`, the bare ring is a program of its own because of its `unsafe`;
//! - [`libuv`]: how the ones in C are compiled;
//! - [`load`], [`datagrams`], [`secure`]: what is sent to them;
//! - [`feeds`]: framings alone, without a socket;
//! - [`tasks`]: timers and results that come later, alone;
//! - `redis_clients`: clients of Redis, to be timed (Linux only);
//! - `spawns`: child processes, to be timed (Linux only);
//! - `figures`: how they are run and counted (Linux only).
#![forbid(unsafe_code)]

pub mod datagrams;
pub mod feeds;
#[cfg(target_os = "linux")]
pub mod figures;
pub mod libuv;
pub mod load;
#[cfg(target_os = "linux")]
pub mod redis_clients;
pub mod secure;
pub mod servers;
#[cfg(target_os = "linux")]
pub mod spawns;
pub mod tasks;
