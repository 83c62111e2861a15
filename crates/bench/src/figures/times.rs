//! CPU time of servers and tasks, in rounds that take turns.
//!
//! In each round everybody does the same work once, beginning with another one
//! each time, so that what else the machine does meets all alike. What counts
//! is how one compares with another in the same round.

use crate::figures::peers::{self, Kind, Peer, Roster};
use crate::figures::program::{self, Running};
use crate::figures::ratios::{self, Contest, Series, Standing};
use crate::figures::rows::{Failure, Load, load};

/// One line of the table of times.
pub(super) struct Row {
    key: &'static str,
    workload: &'static str,
    subject: &'static str,
    work: Work,
    /// What one of it is.
    unit: &'static str,
    /// Rounds, unless the command line says how many.
    rounds: usize,
    /// Who is compared with.
    base: &'static str,
}

/// What is done in a round.
#[derive(Clone, Copy)]
enum Work {
    /// A server under that load.
    Serve(Load),
    /// A task that is done so often.
    Task(usize),
}

/// As many let a spread be seen.
const ROUNDS: usize = 10;

const fn serve(
    key: &'static str,
    workload: &'static str,
    subject: &'static str,
    load: Load,
    unit: &'static str,
) -> Row {
    Row {
        key,
        workload,
        subject,
        work: Work::Serve(load),
        unit,
        rounds: ROUNDS,
        base: "raw",
    }
}

const fn task(key: &'static str, workload: &'static str, times: usize) -> Row {
    Row {
        key,
        workload,
        subject: key,
        work: Work::Task(times),
        unit: "one",
        rounds: ROUNDS,
        base: "tokio",
    }
}

pub(super) static ROWS: &[Row] = &[
    serve(
        "echo-1x1",
        "echo, 1 connection",
        "echo",
        load(&["echo", "rounds", "1", "1"], 1, 8_000),
        "message",
    ),
    serve(
        "echo-64x1",
        "echo, 64 connections",
        "echo",
        load(&["echo", "rounds", "64", "1"], 64, 200),
        "message",
    ),
    serve(
        "echo-1000x1",
        "echo, 1000 connections",
        "echo",
        load(&["echo", "rounds", "1000", "1"], 1000, 12),
        "message",
    ),
    serve(
        "echo-64x16",
        "echo, 64 connections, 16 in flight each",
        "echo",
        load(&["echo", "rounds", "64", "16"], 64 * 16, 150),
        "message",
    ),
    serve(
        "lines-64x1",
        "lines, 64 connections",
        "lines",
        load(&["lines", "rounds", "64", "1"], 64, 200),
        "line",
    ),
    serve(
        "lines-64x16",
        "lines, 64 connections, 16 in flight each",
        "lines",
        load(&["lines", "rounds", "64", "16"], 64 * 16, 100),
        "line",
    ),
    serve(
        "fanout-100",
        "a line from one goes to all of 100",
        "fanout",
        load(&["lines", "room", "100"], 100, 120),
        "delivery",
    ),
    serve(
        "visits",
        "connect, echo, close: the peer ends first",
        "echo",
        load(&["echo", "visits"], 1, 1_000),
        "connection",
    )
    .beside_tokio(),
    serve(
        "dismissals",
        "connect, echo, close: the server ends first",
        "close",
        load(&["echo", "dismissals"], 1, 1_000),
        "connection",
    )
    .beside_tokio(),
    serve(
        "datagrams-32x1",
        "echo of 64-byte datagrams, 32 sockets",
        "datagrams",
        load(&["echo", "datagrams", "32", "1"], 32, 400),
        "datagram",
    )
    .beside_tokio(),
    serve(
        "datagrams-1x32",
        "echo of 64-byte datagrams, 1 socket, 32 in flight",
        "datagrams",
        load(&["echo", "datagrams", "1", "32"], 32, 400),
        "datagram",
    )
    .beside_tokio(),
    serve(
        "datagrams-1x1",
        "echo of 64-byte datagrams, 1 socket, 1 in flight",
        "datagrams",
        load(&["echo", "datagrams", "1", "1"], 1, 8_000),
        "datagram",
    )
    .beside_tokio(),
    serve(
        "tls-echo",
        "TLS 1.3, echo of 16 KiB messages, 32 connections",
        "tls",
        load(&["tls", "rounds", "32", "1"], 32, 40),
        "message",
    )
    .beside_tokio(),
    serve(
        "tls-handshakes",
        "TLS 1.3, connect, shake hands, echo, close",
        "tls",
        load(&["tls", "visits"], 1, 200),
        "connection",
    )
    .beside_tokio(),
    serve(
        "tls-returns",
        "the same by clients who have a ticket",
        "tls",
        load(&["tls", "returns"], 1, 200),
        "connection",
    )
    .beside_tokio(),
    task("timers-set", "a timer set beside 10,000 others", 10_000),
    task("timers-reset", "one of 10,000 timers reset", 10_000),
    task(
        "timers-cancel",
        "a timer set beside 10,000 others and cancelled a turn later",
        10_000,
    ),
    task(
        "timers-fire",
        "a timer set beside 10,000 others and run when due",
        10_000,
    ),
    task("deferreds", "a Deferred resolved through two maps", 50_000),
];

impl Row {
    pub(super) fn key(&self) -> &'static str {
        self.key
    }

    /// In twice as many rounds beside tokio: what opens and closes connections spreads more, and
    /// a bare loop has nothing to set up for one.
    const fn beside_tokio(mut self) -> Self {
        self.rounds = 2 * ROUNDS;
        self.base = "tokio";
        self
    }

    /// Lets all who can do it do it in turns, in so many rounds if it is said.
    pub(super) fn measure(
        &self,
        roster: &Roster<'_>,
        rounds: Option<usize>,
    ) -> Result<Contest, Failure> {
        let rounds = rounds.unwrap_or(self.rounds);
        let who: Vec<&'static Peer> = peers::ALL
            .iter()
            .filter(|peer| peer.does(self.kind(), self.subject) && roster.has(peer))
            .collect();
        let series = match self.work {
            Work::Serve(load) => self.serve(roster, &who, load, rounds)?,
            Work::Task(times) => self.work(roster, &who, times, rounds)?,
        };
        let (base, standings) = ratios::compare(&series, self.base);
        Ok(self.contest(rounds, base, standings))
    }

    /// A contest of this workload.
    pub(super) fn contest(
        &self,
        rounds: usize,
        base: &'static str,
        standings: Vec<Standing>,
    ) -> Contest {
        Contest {
            key: self.key,
            workload: self.workload,
            unit: self.unit,
            rounds,
            base,
            standings,
        }
    }

    fn kind(&self) -> Kind {
        match self.work {
            Work::Serve(_) => Kind::Server,
            Work::Task(_) => Kind::Task,
        }
    }

    /// CPU time of servers, which live as long as the contest.
    fn serve(
        &self,
        roster: &Roster<'_>,
        who: &[&'static Peer],
        load: Load,
        rounds: usize,
    ) -> Result<Vec<Series>, Failure> {
        // One load holds as many connections as there are units in a round.
        program::allow_descriptors("many connections", load.each as u64 + 100)?;
        let mut playing = Vec::new();
        for peer in who {
            let server = roster.program(peer, Kind::Server, self.subject)?;
            let (server, addr) = Running::start(server.on_one_core()?, "listening on ")?;
            let mut command = program::on_another_core(&program::path_of("load")?)?;
            program::tell(&mut command, &addr, load, load.times);
            command.arg((load.times / 4).max(1).to_string());
            let (load, _) = Running::start(command, "warm")?;
            playing.push((server, load));
        }
        let units = (load.each * load.times) as f64;
        let series = in_turns(who, rounds, |index| {
            let (server, load) = &mut playing[index];
            let before = server.cpu_time()?;
            load.ask("done")?;
            Ok((server.cpu_time()? - before) as f64 / units)
        })?;
        Ok(series)
    }

    /// CPU time of tasks, of which each time is a process: the difference of
    /// two, as with counts.
    fn work(
        &self,
        roster: &Roster<'_>,
        who: &[&'static Peer],
        times: usize,
        rounds: usize,
    ) -> Result<Vec<Series>, Failure> {
        let total = |peer: &Peer, times: usize| {
            let task = roster.program(peer, Kind::Task, self.subject)?;
            let command = task.with(times).on_one_core()?;
            let (running, _) = Running::start(command, "done")?;
            let total = running.cpu_time()?;
            running.finish()?;
            Ok::<_, String>(total as f64)
        };
        let series = in_turns(who, rounds, |index| {
            let peer = who[index];
            Ok((total(peer, 5 * times)? - total(peer, times)?) / (4 * times) as f64)
        })?;
        Ok(series)
    }
}

/// Whether that peer could take part in the contest of that key.
pub(super) fn is_done_by(key: &str, peer: &Peer) -> bool {
    let mut rows = ROWS.iter();
    rows.any(|row| row.key == key && peer.does(row.kind(), row.subject))
}

/// Asks each for its value in each round, beginning with another one each time.
fn in_turns(
    who: &[&'static Peer],
    rounds: usize,
    mut play: impl FnMut(usize) -> Result<f64, String>,
) -> Result<Vec<Series>, String> {
    let mut series: Vec<Series> = who.iter().map(|peer| Series::of(peer.name)).collect();
    for round in 0..rounds {
        for place in 0..who.len() {
            let index = (round + place) % who.len();
            series[index].nanos.push(play(index)?);
        }
    }
    Ok(series)
}
