//! System calls, counted by strace: one line of its report each.
//!
//! Server and load share a core as they do for instructions, so that each wait
//! finds as much as in any other run.

use std::path::Path;

use crate::figures::program::{self, Program, Running, Scratch};
use crate::figures::rows::{Failure, Load};

/// System calls for each unit of that load.
pub(super) fn under(load: Load, server: &Program) -> Result<f64, Failure> {
    program::need("system calls", &["strace", "taskset", "chrt"])?;
    let more = total(load, server, 5 * load.times)? - total(load, server, load.times)?;
    Ok(more / (load.each * 4 * load.times) as f64)
}

/// All system calls of a server's life.
fn total(load: Load, server: &Program, times: usize) -> Result<f64, String> {
    let report = Scratch::new("strace");
    let mut command = program::on_one_core(Path::new("chrt"))?;
    // Detached, the tracer leaves the server itself as our child, so that
    // the signal that ends it reaches it.
    command.args(["-i", "0", "strace", "-D", "-f", "-qq", "-o"]);
    command.arg(report.path());
    let (server, addr) = Running::start(server.below(command), "listening on ")?;
    let mut command = program::on_one_core(&program::path_of("load")?)?;
    program::tell(&mut command, &addr, load, times);
    program::run(command)?;
    server.terminate()?;
    Ok(report.read()?.lines().count() as f64)
}
