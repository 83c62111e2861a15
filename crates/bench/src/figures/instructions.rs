//! Instructions outside the kernel, counted by callgrind.
//!
//! Server and load share one core, and the server is scheduled only when that
//! core has nothing else to do: so the load has sent on every connection
//! before the server looks, and each of its waits finds all of them ready.
//! Without this the same program gives another figure in every run.

use std::path::Path;
use std::process::Command;

use crate::figures::program::{self, Running, Scratch};
use crate::figures::rows::{Failure, Rounds};

/// Instructions for each message.
pub(super) fn per_message(server: &str, rounds: Rounds) -> Result<f64, Failure> {
    program::need("instructions", &["valgrind", "taskset", "chrt"])?;
    let more = Rounds {
        rounds: 5 * rounds.rounds,
        ..rounds
    };
    let few = total(server, rounds)?;
    let many = total(server, more)?;
    let messages = rounds.connections * rounds.in_flight * (more.rounds - rounds.rounds);
    Ok((many as f64 - few as f64) / messages as f64)
}

/// Instructions a byte for a line of 256 KiB fed byte by byte, as a multiple
/// of those for a line of 16 KiB.
pub(super) fn long_line(feed: &str) -> Result<f64, Failure> {
    const SHORT: usize = 16 * 1024;
    const LONG: usize = 16 * SHORT;
    program::need("instructions", &["valgrind"])?;
    let nothing = feed_total(feed, 0)?;
    let per_byte = |length: usize| {
        feed_total(feed, length).map(|total| (total as f64 - nothing as f64) / length as f64)
    };
    Ok(per_byte(LONG)? / per_byte(SHORT)?)
}

/// All instructions of feeding a line of that length.
fn feed_total(feed: &str, length: usize) -> Result<u64, String> {
    let report = Scratch::new("callgrind");
    let mut command = Command::new("valgrind");
    command.args(options(&report));
    command.arg(program::path_of("feed")?);
    command.args([feed, &length.to_string()]);
    program::run(command)?;
    total_of(&report)
}

/// All instructions of a server's life under that load.
fn total(server: &str, rounds: Rounds) -> Result<u64, String> {
    let report = Scratch::new("callgrind");
    let mut command = program::on_one_core(Path::new("chrt"))?;
    command.args(["-i", "0", "valgrind"]).args(options(&report));
    command.arg(program::path_of("server")?).arg(server);
    let (server, addr) = Running::start(command, "listening on ")?;

    let mut load = program::on_one_core(&program::path_of("load")?)?;
    load.args([&addr, rounds.message, "rounds"]);
    for size in [rounds.connections, rounds.in_flight, rounds.rounds] {
        load.arg(size.to_string());
    }
    program::run(load)?;
    server.terminate()?;
    total_of(&report)
}

/// What to tell valgrind, so that its report goes into that file.
fn options(report: &Scratch) -> [String; 3] {
    [
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={}", report.path().display()),
    ]
}

/// The number that callgrind's report ends with.
fn total_of(report: &Scratch) -> Result<u64, String> {
    report
        .read()?
        .lines()
        .filter_map(|line| line.strip_prefix("totals:"))
        .filter_map(|total| total.trim().parse().ok())
        .next_back()
        .ok_or_else(|| "callgrind's report has no total".to_owned())
}
