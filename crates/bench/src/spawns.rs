//! Child processes, as each peer's users would start them: three pipes, read to their ends, in
//! waves. What is counted is the parent's own processor time, its system calls included; what the
//! children use is theirs.

use std::io;
use std::process::Stdio;
use std::time::Instant;

use torsade::{Command, Process, ProcessProtocol, Reactor};

use crate::redis_clients::used;

/// Those that are started before any is waited for.
const WAVE: usize = 100;

/// What there is to compare.
pub const PEERS: [&str; 3] = ["torsade", "tokio", "std, one at a time"];

/// Seconds of processor time and of the clock for so many processes.
///
/// # Errors
/// Of the system, or if there is no such peer.
pub fn seconds(peer: &str, many: usize) -> io::Result<(f64, f64)> {
    let run = match peer {
        "torsade" => torsade,
        "tokio" => tokio,
        "std, one at a time" => plain,
        _ => return Err(io::Error::other(format!("there is no peer {peer:?}"))),
    };
    let (before, begun) = (used()?, Instant::now());
    run(many)?;
    Ok((used()? - before, begun.elapsed().as_secs_f64()))
}

struct Quiet;

impl ProcessProtocol for Quiet {}

fn torsade(many: usize) -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    let command = Command::new("/bin/true");
    for _ in 0..many / WAVE {
        let mut wave: Vec<Process> = Vec::new();
        for _ in 0..WAVE {
            let started = reactor.net().spawn_process(&command, Quiet);
            wave.push(started.map_err(io::Error::other)?.process());
        }
        for process in wave {
            let end = reactor.run_until(process.ended())?;
            if !end.is_ok_and(|end| end.is_success()) {
                return Err(io::Error::other("a process failed"));
            }
        }
    }
    Ok(())
}

fn tokio(many: usize) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for _ in 0..many / WAVE {
            let mut wave = tokio::task::JoinSet::new();
            for _ in 0..WAVE {
                let child = tokio::process::Command::new("/bin/true")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()?;
                wave.spawn(child.wait_with_output());
            }
            while let Some(output) = wave.join_next().await {
                if !output.map_err(io::Error::other)??.status.success() {
                    return Err(io::Error::other("a process failed"));
                }
            }
        }
        Ok(())
    })
}

fn plain(many: usize) -> io::Result<()> {
    for _ in 0..many {
        let output = std::process::Command::new("/bin/true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other("a process failed"));
        }
    }
    Ok(())
}
