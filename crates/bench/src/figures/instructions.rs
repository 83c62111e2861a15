//! Instructions outside the kernel, counted by callgrind.
//!
//! Server and load share one core, and the server is scheduled only when that
//! core has nothing else to do: so the load has sent on every connection
//! before the server looks, and each of its waits finds all of them ready.
//! Without this the same program gives another figure in every run.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::figures::program::{self, Program, Running, Scratch};
use crate::figures::rows::{Failure, Load};

/// To the processor a repeated string instruction is one; callgrind counts one for each byte, so
/// that copying some KiB would seem dearer than encrypting them. This has glibc copy and fill with
/// vector instructions always, as it does below some KiB anyhow.
const NO_REPEATS: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000",
);

/// Instructions for each unit of that load.
pub(super) fn under(load: Load, server: &Program) -> Result<f64, Failure> {
    program::need("instructions", &["valgrind", "taskset", "chrt"])?;
    let few = total(load, server, load.times)?;
    let many = total(load, server, 5 * load.times)?;
    Ok((many as f64 - few as f64) / (load.each * 4 * load.times) as f64)
}

/// Instructions for each time that a task is done.
pub(super) fn of_task(task: &Program, times: usize) -> Result<f64, Failure> {
    program::need("instructions", &["valgrind"])?;
    if task.is_of_redis() {
        program::need("instructions of a Redis client", &["redis-server"])?;
    }
    let few = total_alone(task, times)?;
    let many = total_alone(task, 5 * times)?;
    Ok((many as f64 - few as f64) / (4 * times) as f64)
}

/// Instructions a byte for a line of 256 KiB fed byte by byte, as a multiple
/// of those for a line of 16 KiB.
pub(super) fn long_line(feed: &Program) -> Result<f64, Failure> {
    const SHORT: usize = 16 * 1024;
    const LONG: usize = 16 * SHORT;
    program::need("instructions", &["valgrind"])?;
    let nothing = total_alone(feed, 0)?;
    let per_byte = |length: usize| {
        let total = total_alone(feed, length)?;
        Ok::<_, String>((total as f64 - nothing as f64) / length as f64)
    };
    Ok(per_byte(LONG)? / per_byte(SHORT)?)
}

/// All instructions of a program that needs no load.
fn total_alone(alone: &Program, size: usize) -> Result<u64, String> {
    let report = Scratch::new("callgrind");
    let mut command = Command::new("valgrind");
    command
        .args(options(&report))
        .env(NO_REPEATS.0, NO_REPEATS.1);
    program::run(alone.clone().with(size).below(command))?;
    total_of(&report)
}

/// All instructions of a server's life under that load.
fn total(load: Load, server: &Program, times: usize) -> Result<u64, String> {
    let report = Scratch::new("callgrind");
    let mut command = program::on_one_core(Path::new("chrt"))?;
    command.args(["-i", "0", "valgrind"]).args(options(&report));
    command.env(NO_REPEATS.0, NO_REPEATS.1);
    let is_in_ring = server.waits_in_ring();
    let (server, addr) = Running::start(server.below(command), "listening on ")?;

    let mut command = program::on_one_core(&program::path_of("load")?)?;
    program::tell(&mut command, &addr, load, times);
    program::run(command)?;
    if !is_in_ring {
        server.terminate()?;
        return total_of(&report);
    }
    // Below valgrind no signal arrives while a program waits in a ring, so it would not end and
    // not say what it has counted; but it can be asked.
    let mut ask = Command::new("vgdb");
    ask.args([&format!("--pid={}", server.id()), "dump"])
        .stderr(Stdio::null());
    program::run(ask)?;
    let dump = report.first_dump();
    drop(server);
    total_of(&dump)
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
