//! Calls of the allocator, counted by a program that counts its own.
//!
//! A server is asked for its count twice, after a warm-up and after the load:
//! how many connections it found waiting when it started is chance, and moves
//! what it allocates once.

use crate::figures::program::{self, Program, Running};
use crate::figures::rows::Load;

/// What a counted program says before the number.
const REPORT: &str = "allocations ";

/// Allocations of a server for each unit of that load, once it has warmed up.
pub(super) fn under(load: Load, server: &Program) -> Result<f64, String> {
    let (mut server, addr) = Running::start(server.on_one_core()?, "listening on ")?;
    let mut command = program::on_one_core(&program::path_of("load")?)?;
    program::tell(&mut command, &addr, load, load.times);
    command.arg((load.times / 4).to_string());
    let (mut playing, _) = Running::start(command, "warm")?;
    let before = number(&server.ask(REPORT)?)?;
    playing.ask("done")?;
    let after = number(&server.ask(REPORT)?)?;
    playing.finish()?;
    server.finish()?;
    Ok((after - before) / (load.each * load.times) as f64)
}

/// Allocations for each time that a task is done.
pub(super) fn of_task(task: &Program, times: usize) -> Result<f64, String> {
    let total = |times: usize| {
        let command = task.clone().with(times).command();
        let (running, count) = Running::start(command, REPORT)?;
        running.finish()?;
        number(&count)
    };
    Ok((total(5 * times)? - total(times)?) / (4 * times) as f64)
}

fn number(count: &str) -> Result<f64, String> {
    count
        .parse()
        .map_err(|_| format!("a counted program said {count:?}"))
}
