//! Runs one of the servers with an allocator that counts: `counted NAME`.
//!
//! For each line on standard input it prints `allocations N`; when that ends,
//! it ends. It is a program of its own so that counting costs the other
//! figures nothing. `counted TASK TIMES` counts a task.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::io::{self, BufRead};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use torsade_bench::{servers, tasks};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [name, times] = &words[..]
        && let Some(task) = tasks::by_name(name)
    {
        task(times.parse().map_err(io::Error::other)?)?;
        report();
        return Ok(());
    }
    // The servers know nothing of being counted, so a second thread does it.
    std::thread::spawn(report_when_asked);
    servers::serve_from_command_line()
}

/// Allocates nothing itself.
fn report_when_asked() {
    let mut stdin = io::stdin().lock();
    while stdin.skip_until(b'\n').is_ok_and(|asked| asked > 0) {
        report();
    }
    std::process::exit(0);
}

#[expect(clippy::print_stdout, reason = "the line is the program's interface")]
fn report() {
    let stats = ALLOCATOR.stats();
    println!("allocations {}", stats.allocations + stats.reallocations);
}
