//! Resident memory of idle connections, outside the kernel.
//!
//! Each connection has exchanged one message before it falls silent: what a
//! server keeps after that is what it keeps for good.

use std::process::Command;

use crate::figures::program::{self, Program, Running};
use crate::figures::rows::Failure;

const CONNECTIONS: u64 = 10_000;

/// Resident bytes for each of 10,000 connections that `load` opens when it is told `words`.
pub(super) fn idle(words: &[&str], server: &Program) -> Result<f64, Failure> {
    program::allow_descriptors("idle memory", CONNECTIONS + 100)?;
    let (server, addr) = Running::start(server.command(), "listening on ")?;
    // The first connection brings what a server allocates once.
    let (first, _) = hold_open(&addr, words, 1)?;
    let before = resident_bytes(server.id())?;
    let (many, _) = hold_open(&addr, words, CONNECTIONS)?;
    let after = resident_bytes(server.id())?;
    many.finish()?;
    first.finish()?;
    server.terminate()?;
    Ok((after as f64 - before as f64) / CONNECTIONS as f64)
}

/// Opens connections and comes back when the server has answered on each.
fn hold_open(addr: &str, words: &[&str], connections: u64) -> Result<(Running, String), String> {
    let mut load = Command::new(program::path_of("load")?);
    load.arg(addr).args(words).arg(connections.to_string());
    Running::start(load, "open ")
}

/// What a process holds resident.
///
/// The quicker `statm` is off by some pages for each core.
fn resident_bytes(process: u32) -> Result<u64, String> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read a server's memory: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"))
        .and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| format!("{path} does not say what is resident"))
}
