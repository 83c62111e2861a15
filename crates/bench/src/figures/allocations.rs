//! Calls of the allocator, counted by a program that counts its own.
//!
//! A server is asked for its count twice, after a warm-up and after the load:
//! how many connections it found waiting when it started is chance, and moves
//! what it allocates once.

use std::process::Command;

use crate::figures::program::{self, Running};

/// What a counted program says before the number.
const REPORT: &str = "allocations ";

/// Allocations for each message on 32 connections that stay open.
pub(super) fn per_message(server: &str, message: &str) -> Result<f64, String> {
    const CONNECTIONS: usize = 32;
    const ROUNDS: usize = 200;
    let sizes = [CONNECTIONS, 1, ROUNDS, ROUNDS / 4];
    let count = after_warm_up(server, message, "rounds", &sizes)?;
    Ok(count / (CONNECTIONS * ROUNDS) as f64)
}

/// Allocations for each connection that comes, says a word and goes.
pub(super) fn per_connection(server: &str, message: &str) -> Result<f64, String> {
    const CONNECTIONS: usize = 800;
    let sizes = [CONNECTIONS, CONNECTIONS / 4];
    let count = after_warm_up(server, message, "visits", &sizes)?;
    Ok(count / CONNECTIONS as f64)
}

/// Allocations for each Deferred that is resolved through two `map`s.
pub(super) fn per_deferred() -> Result<f64, String> {
    const FEW: usize = 1000;
    const MANY: usize = 5 * FEW;
    let total = |times: usize| {
        let mut command = Command::new(program::path_of("counted")?);
        command.args(["deferreds", &times.to_string()]);
        let (running, count) = Running::start(command, REPORT)?;
        running.finish()?;
        number(&count)
    };
    Ok((total(MANY)? - total(FEW)?) / (MANY - FEW) as f64)
}

/// Allocations of a server under that load, once it has warmed up.
fn after_warm_up(server: &str, message: &str, mode: &str, sizes: &[usize]) -> Result<f64, String> {
    let mut command = program::on_one_core(&program::path_of("counted")?)?;
    command.arg(server);
    let (mut server, addr) = Running::start(command, "listening on ")?;
    let mut command = program::on_one_core(&program::path_of("load")?)?;
    command.args([&addr, message, mode]);
    command.args(sizes.iter().map(usize::to_string));
    let (mut load, _) = Running::start(command, "warm")?;
    let before = number(&server.ask(REPORT)?)?;
    load.ask("done")?;
    let after = number(&server.ask(REPORT)?)?;
    load.finish()?;
    server.finish()?;
    Ok(after - before)
}

fn number(count: &str) -> Result<f64, String> {
    count
        .parse()
        .map_err(|_| format!("a counted program said {count:?}"))
}
