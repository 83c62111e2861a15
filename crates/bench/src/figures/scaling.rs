//! One reactor against two that share a port.
//!
//! A second thread can only pay if it does not cost the first one anything, and that can be
//! counted: instructions a message. What it brings is said by the clock, and on a machine with two
//! cores the load has to run on them too: then two threads cannot be twice as fast, and how much
//! they are says more about the machine than about them. So the server's CPU time stands beside it,
//! and so does a server that has something to do for each message: beside that the load is small, and
//! the second core is there for the second thread.

use std::time::Instant;

use crate::figures::program::{self, Program, Running};
use crate::figures::rows::{Failure, Load, load};
use crate::figures::{Missing, Verdict, instructions, say};

/// One of those that are compared.
struct Contestant {
    work: &'static str,
    threads: &'static str,
    server: &'static str,
    load: Load,
    is_counted: bool,
}

const CONTESTANTS: [Contestant; 4] = [
    echo("1", "torsade-threads1"),
    echo("2", "torsade-threads2"),
    working("1", "torsade-works1"),
    working("2", "torsade-works2"),
];

const fn echo(threads: &'static str, server: &'static str) -> Contestant {
    Contestant {
        work: "none",
        threads,
        server,
        load: LOAD,
        is_counted: true,
    }
}

const fn working(threads: &'static str, server: &'static str) -> Contestant {
    Contestant {
        work: "some",
        load: FEW,
        is_counted: false,
        ..echo(threads, server)
    }
}

/// As many programs send, so that the load is not what waits.
const LOADS: usize = 2;

/// What each of them sends: much for its own work, so that it leaves the server some of a core.
const LOAD: Load = load(&["echo", "rounds", "32", "16"], 32 * 16, 400);

/// The same for those who work on each message.
const FEW: Load = load(&["echo", "rounds", "32", "16"], 32 * 16, 40);

/// What is counted, once.
const COUNTED: Load = load(&["echo", "rounds", "32", "16"], 32 * 16, 50);

/// What one round with one server gives.
struct Round {
    messages_a_second: f64,
    /// Nanoseconds of the server's threads together, a message.
    cpu: f64,
    /// The busiest thread's part of that.
    share: f64,
}

/// Compares them in that many rounds, and prints a table.
///
/// # Errors
/// When a measurement fails, in words.
pub fn scaling(rounds: usize) -> Result<Verdict, String> {
    let mut missing = Missing::default();
    let mut playing = Vec::new();
    for contestant in CONTESTANTS {
        playing.push(Playing::start(contestant)?);
    }
    let mut results: [Vec<Round>; CONTESTANTS.len()] = Default::default();
    for round in 0..rounds.max(1) {
        for place in 0..CONTESTANTS.len() {
            let index = (round + place) % CONTESTANTS.len();
            results[index].push(playing[index].play()?);
        }
    }
    drop(playing);
    say("\n## One reactor and two that share a port\n");
    say(&format!(
        "Echo, {} connections of {LOADS} programs, 16 in flight each; medians of {} rounds that \
         take turns, with their spread. The load runs on the same cores.\n",
        32 * LOADS,
        rounds.max(1)
    ));
    say(
        "| work | threads | messages / s | server's CPU time, ns / message | messages / CPU second | busiest thread | instructions / message |",
    );
    say("|---|--:|--:|--:|--:|--:|--:|");
    for (contestant, rounds) in CONTESTANTS.iter().zip(&results) {
        let Contestant { work, threads, .. } = contestant;
        let instructions = match contestant.is_counted {
            true => missing.take(count(contestant.server))?,
            false => None,
        };
        let column = |value: fn(&Round) -> f64| spread(rounds.iter().map(value).collect());
        say(&format!(
            "| {work} | {threads} | {} | {} | {} | {} % | {} |",
            column(|round| round.messages_a_second),
            column(|round| round.cpu),
            column(|round| 1e9 / round.cpu),
            column(|round| 100.0 * round.share),
            instructions.map_or_else(|| "-".to_owned(), |count| format!("{count:.1}")),
        ));
    }
    Ok(missing.verdict())
}

fn count(server: &str) -> Result<f64, Failure> {
    let program = Program::here("server", &[server])?;
    instructions::under(COUNTED, &program)
}

/// A server with its load.
struct Playing {
    load: Load,
    server: Running,
    loads: Vec<Running>,
}

impl Playing {
    fn start(contestant: Contestant) -> Result<Self, String> {
        let load = contestant.load;
        let mut command = std::process::Command::new(program::path_of("server")?);
        command.arg(contestant.server);
        let (server, addr) = Running::start(command, "listening on ")?;
        let mut loads = Vec::new();
        for _ in 0..LOADS {
            let mut command = std::process::Command::new(program::path_of("load")?);
            program::tell(&mut command, &addr, load, load.times);
            command.arg((load.times / 4).to_string());
            loads.push(Running::start(command, "warm")?.0);
        }
        Ok(Self {
            load,
            server,
            loads,
        })
    }

    fn play(&mut self) -> Result<Round, String> {
        let before = self.server.cpu_times()?;
        let start = Instant::now();
        std::thread::scope(|scope| {
            let asked: Vec<_> = (self.loads.iter_mut())
                .map(|load| scope.spawn(|| load.ask("done")))
                .collect();
            for load in asked {
                load.join()
                    .map_err(|_| "a thread of the load's panicked")??;
            }
            Ok::<_, String>(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let after = self.server.cpu_times()?;
        let used: Vec<u64> = (after.iter())
            .map(|(thread, nanos)| nanos - before.get(thread).unwrap_or(&0))
            .collect();
        let all = used.iter().sum::<u64>() as f64;
        let messages = (LOADS * self.load.each * self.load.times) as f64;
        Ok(Round {
            messages_a_second: messages / seconds,
            cpu: all / messages,
            share: used.into_iter().max().unwrap_or(0) as f64 / all,
        })
    }
}

/// The median, the least and the greatest.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    format!(
        "{:.0} ({:.0} to {:.0})",
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1))
    )
}
