//! System calls, counted by strace: one line of its report each.

use std::process::Command;

use crate::figures::program::{self, Running, Scratch};
use crate::figures::rows::Failure;

/// System calls for each message that one connection plays to and fro.
pub(super) fn per_message(server: &str) -> Result<f64, Failure> {
    const FEW: usize = 200;
    const MANY: usize = 5 * FEW;
    program::need("system calls", &["strace"])?;
    let more = total(server, MANY)? - total(server, FEW)?;
    Ok(more / (MANY - FEW) as f64)
}

/// All system calls of a server's life.
fn total(server: &str, rounds: usize) -> Result<f64, String> {
    let report = Scratch::new("strace");
    let mut command = Command::new("strace");
    // Detached, the tracer leaves the server itself as our child, so that
    // the signal that ends it reaches it.
    command.args(["-D", "-f", "-qq", "-o"]).arg(report.path());
    command.arg(program::path_of("server")?).arg(server);
    let (server, addr) = Running::start(command, "listening on ")?;
    let mut load = Command::new(program::path_of("load")?);
    load.args([&addr, "echo", "rounds", "1", "1", &rounds.to_string()]);
    program::run(load)?;
    server.terminate()?;
    Ok(report.read()?.lines().count() as f64)
}
