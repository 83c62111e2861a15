//! The counts: what is counted, and what it should be.

use crate::figures::goal::Goal;
use crate::figures::peers::{Kind, MAIN, Peer, Roster};
use crate::figures::{allocations, instructions, memory, system_calls};

/// One line of the table.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// What the budget calls it.
    pub(super) key: &'static str,
    pub(super) workload: &'static str,
    /// What the programs of this row do: the part of their names after the
    /// peer's.
    pub(super) subject: &'static str,
    pub(super) measure: Measure,
    /// What one of it is.
    pub(super) unit: &'static str,
    pub(super) goal: Goal,
    /// Whether it is budgeted on every driver, not only on the main one.
    is_on_each_driver: bool,
    /// What the short table and the picture call it, if it is there.
    pub(super) headline: Option<&'static str>,
}

/// What is counted, and under which load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Instructions outside the kernel.
    Instructions(Load),
    SystemCalls(Load),
    /// Allocations after a warm-up.
    Allocations(Load),
    /// Instructions of a task, done so often.
    TaskInstructions(usize),
    /// Allocations of a task, done so often.
    TaskAllocations(usize),
    /// Instructions a byte for a line of 256 KiB that comes byte by byte, as a
    /// multiple of those for a line of 16 KiB: 1 when the work is linear.
    LongLine,
    /// Resident bytes for each of many connections that have fallen silent, which `load` opens when
    /// it is told this.
    IdleBytes(&'static [&'static str]),
}

/// What the program `load` is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Its words between the address and how often.
    pub(super) words: &'static [&'static str],
    /// Units of work in one time.
    pub(super) each: usize,
    /// How often, in the shorter of two runs.
    pub(super) times: usize,
}

/// Why there is no figure.
#[derive(Debug)]
pub(super) enum Failure {
    /// This machine lacks what counting it needs.
    NotHere(String),
    /// It was tried and went wrong.
    Failed(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

/// Shorthand for the tables of rows.
pub(super) const fn load(words: &'static [&'static str], each: usize, times: usize) -> Load {
    Load { words, each, times }
}

const fn row(
    key: &'static str,
    workload: &'static str,
    subject: &'static str,
    measure: Measure,
    unit: &'static str,
) -> Row {
    Row {
        key,
        workload,
        subject,
        measure,
        unit,
        goal: Goal::None,
        is_on_each_driver: false,
        headline: None,
    }
}

const VISITS: Load = load(&["echo", "visits"], 1, 200);
const DISMISSALS: Load = load(&["echo", "dismissals"], 1, 200);
const PING_PONG: Load = load(&["echo", "rounds", "1", "1"], 1, 200);

/// What one message needs: a wait, a receive and a send; a ring does the last two while it waits.
const WAIT_RECEIVE_SEND: &[(&str, f64)] = &[("epoll", 3.0), ("io_uring", 2.0)];

pub(super) static ROWS: &[Row] = &[
    row(
        "echo-32x1",
        "echo, 32 connections, 1 in flight each",
        "echo",
        Measure::Instructions(load(&["echo", "rounds", "32", "1"], 32, 200)),
        "instructions / message",
    )
    .goal(Goal::AtMost(163.0))
    .on_each_driver()
    .headline("an echoed 64-byte message, 32 connections"),
    row(
        "echo-32x16",
        "echo, 32 connections, 16 in flight each",
        "echo",
        Measure::Instructions(load(&["echo", "rounds", "32", "16"], 32 * 16, 50)),
        "instructions / message",
    )
    .goal(Goal::AtMost(10.0))
    .headline("the same with 16 in flight on each"),
    row(
        "echo-1x1",
        "echo, 1 connection, 1 in flight",
        "echo",
        Measure::Instructions(load(&["echo", "rounds", "1", "1"], 1, 2000)),
        "instructions / message",
    )
    .goal(Goal::AtMost(260.0))
    .on_each_driver()
    .headline("the same, one connection: one turn for each message"),
    row(
        "streams-32x1",
        "echo as a coroutine with streams, 32 connections, 1 in flight each",
        "streams",
        Measure::Instructions(load(&["echo", "rounds", "32", "1"], 32, 200)),
        "instructions / message",
    ),
    row(
        "constant-32x1",
        "a 64-byte constant answers each message, 32 connections, 1 in flight each",
        "constant",
        Measure::Instructions(load(&["constant", "rounds", "32", "1"], 32, 200)),
        "instructions / message",
    )
    .goal(Goal::AtMost(195.0)),
    row(
        "patient-32x1",
        "echo, 32 connections, each with an idle timeout armed",
        "patient",
        Measure::Instructions(load(&["echo", "rounds", "32", "1"], 32, 200)),
        "instructions / message",
    ),
    row(
        "lines-32x64",
        "lines of 32 bytes answered by a line, 32 connections, 64 in flight each",
        "lines",
        Measure::Instructions(load(&["lines", "rounds", "32", "64"], 32 * 64, 20)),
        "instructions / line",
    )
    .goal(Goal::AtMost(120.0))
    .headline("a 32-byte line answered by a line, 64 in flight"),
    row(
        "lines-32x1",
        "the same, 1 in flight each",
        "lines",
        Measure::Instructions(load(&["lines", "rounds", "32", "1"], 32, 200)),
        "instructions / line",
    )
    .goal(Goal::AtMost(320.0))
    .headline("the same, 1 in flight"),
    row(
        "fanout-100",
        "a line from one goes to all of 100",
        "fanout",
        Measure::Instructions(load(&["lines", "room", "100"], 100, 50)),
        "instructions / delivery",
    )
    .goal(Goal::AtMost(150.0))
    .headline("a line that goes to each of 100"),
    row(
        "visits",
        "connect, echo, close: the peer ends first",
        "echo",
        Measure::Instructions(VISITS),
        "instructions / connection",
    ),
    row(
        "dismissals",
        "connect, echo, close: the server ends first",
        "close",
        Measure::Instructions(DISMISSALS),
        "instructions / connection",
    ),
    row(
        "datagrams-32x1",
        "echo of 64-byte datagrams, 32 sockets, 1 in flight each",
        "datagrams",
        Measure::Instructions(load(&["echo", "datagrams", "32", "1"], 32, 200)),
        "instructions / datagram",
    )
    .goal(Goal::TimesTokio(0.6))
    .on_each_driver()
    .headline("an echoed 64-byte datagram, 32 sockets"),
    row(
        "datagrams-1x32",
        "the same, 1 socket, 32 in flight",
        "datagrams",
        Measure::Instructions(load(&["echo", "datagrams", "1", "32"], 32, 200)),
        "instructions / datagram",
    )
    .goal(Goal::TimesTokio(0.6)),
    row(
        "datagrams-system-calls",
        "echo of 64-byte datagrams, 32 sockets, 1 in flight each",
        "datagrams",
        Measure::SystemCalls(load(&["echo", "datagrams", "32", "1"], 32, 20)),
        "system calls / datagram",
    )
    .on_each_driver(),
    row(
        "datagrams-allocations",
        "echo of 64-byte datagrams, 32 sockets",
        "datagrams",
        Measure::Allocations(load(&["echo", "datagrams", "32", "1"], 32, 200)),
        "allocations / datagram",
    )
    .goal(Goal::AtMost(0.0)),
    row(
        "tls-echo",
        "TLS 1.3, echo of 16 KiB messages, 32 connections, 1 in flight each",
        "tls",
        Measure::Instructions(load(&["tls", "rounds", "32", "1"], 32, 10)),
        "instructions / message",
    )
    .goal(Goal::TimesTokio(1.0))
    .headline("an echoed message of 16 KiB with TLS"),
    row(
        "tls-handshakes",
        "TLS 1.3, connect, shake hands, echo, close",
        "tls",
        Measure::Instructions(load(&["tls", "visits"], 1, 20)),
        "instructions / connection",
    )
    .goal(Goal::TimesTokio(1.0)),
    row(
        "tls-returns",
        "the same by clients who have a ticket",
        "tls",
        Measure::Instructions(load(&["tls", "returns"], 1, 20)),
        "instructions / connection",
    )
    .goal(Goal::TimesTokio(1.0)),
    row(
        "tls-system-calls",
        "TLS 1.3, echo of 16 KiB messages, 1 connection, 1 in flight",
        "tls",
        Measure::SystemCalls(load(&["tls", "rounds", "1", "1"], 1, 200)),
        "system calls / message",
    ),
    row(
        "tls-allocations",
        "TLS 1.3, echo of 16 KiB messages, 32 connections",
        "tls",
        Measure::Allocations(load(&["tls", "rounds", "32", "1"], 32, 40)),
        "allocations / message",
    ),
    row(
        "echo-system-calls",
        "echo, 1 connection, 1 in flight",
        "echo",
        Measure::SystemCalls(PING_PONG),
        "system calls / message",
    )
    .goal(Goal::On(WAIT_RECEIVE_SEND))
    .on_each_driver()
    .headline("an echoed message, one connection"),
    row(
        "patient-system-calls",
        "the same with an idle timeout armed",
        "patient",
        Measure::SystemCalls(PING_PONG),
        "system calls / message",
    )
    .goal(Goal::On(WAIT_RECEIVE_SEND))
    .on_each_driver(),
    row(
        "fanout-system-calls",
        "a line from one goes to all of 100",
        "fanout",
        Measure::SystemCalls(load(&["lines", "room", "100"], 100, 20)),
        "system calls / delivery",
    ),
    row(
        "visits-system-calls",
        "connect, echo, close: the peer ends first",
        "echo",
        Measure::SystemCalls(VISITS),
        "system calls / connection",
    )
    .on_each_driver(),
    row(
        "dismissals-system-calls",
        "connect, echo, close: the server ends first",
        "close",
        Measure::SystemCalls(DISMISSALS),
        "system calls / connection",
    ),
    row(
        "echo-allocations-message",
        "echo, 32 connections that stay open",
        "echo",
        Measure::Allocations(load(&["echo", "rounds", "32", "1"], 32, 200)),
        "allocations / message",
    )
    .goal(Goal::AtMost(0.0)),
    row(
        "lines-allocations-message",
        "lines, 32 connections that stay open",
        "lines",
        Measure::Allocations(load(&["lines", "rounds", "32", "1"], 32, 200)),
        "allocations / message",
    )
    .goal(Goal::AtMost(0.0)),
    row(
        "fanout-allocations",
        "a line from one goes to all of 100",
        "fanout",
        Measure::Allocations(load(&["lines", "room", "100"], 100, 100)),
        "allocations / delivery",
    ),
    row(
        "echo-allocations-connection",
        "echo, connections that come and go",
        "echo",
        Measure::Allocations(load(&["echo", "visits"], 1, 800)),
        "allocations / connection",
    )
    .goal(Goal::AtMost(2.0))
    .on_each_driver()
    .headline("a connection that comes and goes"),
    row(
        "lines-allocations-connection",
        "lines, connections that come and go",
        "lines",
        Measure::Allocations(load(&["lines", "visits"], 1, 800)),
        "allocations / connection",
    )
    .goal(Goal::AtMost(2.0)),
    row(
        "timers-set",
        "a timer set beside 10,000 others",
        "timers-set",
        Measure::TaskInstructions(1000),
        "instructions",
    )
    .goal(Goal::TimesTokio(1.0 / 3.0)),
    row(
        "timers-reset",
        "one of 10,000 timers reset",
        "timers-reset",
        Measure::TaskInstructions(1000),
        "instructions",
    )
    .goal(Goal::TimesTokio(1.0 / 3.0)),
    row(
        "timers-cancel",
        "a timer set beside 10,000 others and cancelled a turn later",
        "timers-cancel",
        Measure::TaskInstructions(1000),
        "instructions",
    )
    .goal(Goal::TimesTokio(1.0 / 3.0))
    .headline("a timer set beside 10,000 and cancelled"),
    row(
        "timers-fire",
        "a timer set beside 10,000 others and run when due",
        "timers-fire",
        Measure::TaskInstructions(1000),
        "instructions",
    )
    .goal(Goal::TimesTokio(1.0 / 3.0)),
    row(
        "timers-million",
        "a timer set beside 1,000,000 others and cancelled a turn later",
        "timers-million",
        Measure::TaskInstructions(5000),
        "instructions",
    )
    .goal(Goal::TimesTokio(1.0 / 3.0)),
    row(
        "deferred-instructions",
        "a Deferred resolved through two maps",
        "deferreds",
        Measure::TaskInstructions(1000),
        "instructions",
    ),
    row(
        "deferred-allocations",
        "a Deferred resolved through two maps",
        "deferreds",
        Measure::TaskAllocations(1000),
        "allocations",
    )
    .goal(Goal::AtMost(3.0)),
    row(
        "redis-get",
        "Redis GET, 64 in flight, redis-server",
        "redis-get",
        Measure::TaskInstructions(640),
        "instructions / command",
    ),
    row(
        "tasks-switch",
        "two tasks yield to each other: one switch",
        "tasks-switch",
        Measure::TaskInstructions(2000),
        "instructions",
    ),
    row(
        "tasks-hand-over",
        "a number handed from task to task through a queue with one place",
        "tasks-hand-over",
        Measure::TaskInstructions(2000),
        "instructions",
    ),
    row(
        "tasks-hand-over-allocations",
        "a number handed from task to task through a queue with one place",
        "tasks-hand-over",
        Measure::TaskAllocations(2000),
        "allocations",
    )
    .goal(Goal::AtMost(0.0)),
    row(
        "lines-long",
        "a line of 256 KiB against one of 16 KiB, byte by byte",
        "lines",
        Measure::LongLine,
        "instructions / byte, as a ratio",
    )
    .goal(Goal::AtMost(1.1)),
    row(
        "echo-idle",
        "echo, 10,000 connections that have fallen silent",
        "echo",
        Measure::IdleBytes(&["echo", "idle"]),
        "resident bytes / connection",
    )
    .goal(Goal::AtMost(400.0))
    .on_each_driver()
    .headline("an idle connection, 10,000 of them"),
    row(
        "tls-idle",
        "TLS 1.3, echo, 10,000 connections that have fallen silent",
        "tls",
        Measure::IdleBytes(&["tls", "idle"]),
        "resident bytes / connection",
    )
    .goal(Goal::TimesTokio(0.5))
    .headline("an idle connection with TLS, 10,000 of them"),
    row(
        "tls-stalled",
        "TLS 1.3, 10,000 handshakes that the client does not go on with",
        "tls",
        Measure::IdleBytes(&["tls", "stalled"]),
        "resident bytes / connection",
    ),
];

impl Row {
    const fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    const fn on_each_driver(mut self) -> Self {
        self.is_on_each_driver = true;
        self
    }

    const fn headline(mut self, words: &'static str) -> Self {
        self.headline = Some(words);
        self
    }

    /// Whether the budget holds it for that driver.
    pub(super) fn is_budgeted(&self, driver: &str) -> bool {
        driver == MAIN || self.is_on_each_driver
    }

    /// Whether a peer has a program that can be measured so.
    pub(super) fn is_done_by(&self, peer: &Peer) -> bool {
        !peer.is_timed_only() && peer.does(self.kind(), self.subject)
    }

    fn kind(&self) -> Kind {
        match self.measure {
            Measure::Instructions(_) | Measure::SystemCalls(_) | Measure::IdleBytes(_) => {
                Kind::Server
            }
            Measure::TaskInstructions(_) => Kind::Task,
            Measure::Allocations(_) | Measure::TaskAllocations(_) => Kind::Counted,
            Measure::LongLine => Kind::Feed,
        }
    }

    /// Measures one peer that can do it.
    pub(super) fn measure(&self, roster: &Roster<'_>, peer: &Peer) -> Result<f64, Failure> {
        let program = roster.program(peer, self.kind(), self.subject)?;
        match self.measure {
            Measure::Instructions(load) => instructions::under(load, &program),
            Measure::SystemCalls(load) => system_calls::under(load, &program),
            Measure::Allocations(load) => Ok(allocations::under(load, &program)?),
            Measure::TaskInstructions(times) => instructions::of_task(&program, times),
            Measure::TaskAllocations(times) => Ok(allocations::of_task(&program, times)?),
            Measure::LongLine => instructions::long_line(&program),
            Measure::IdleBytes(words) => memory::idle(words, &program),
        }
    }

    /// The value as the table and the budget show it.
    pub(super) fn format(&self, value: f64) -> String {
        match self.measure {
            Measure::Instructions(_) | Measure::TaskInstructions(_) => format!("{value:.1}"),
            Measure::SystemCalls(_) | Measure::Allocations(_) | Measure::TaskAllocations(_) => {
                // Rounded, a figure of nothing may come out as minus nothing.
                let hundredths = (value * 100.0).round() + 0.0;
                format!("{:.2}", hundredths / 100.0)
            }
            Measure::LongLine => format!("{value:.3}"),
            Measure::IdleBytes(_) => format!("{value:.0}"),
        }
    }

    /// How far a value may be from its budget, as a share of the budget.
    pub(super) fn tolerance(&self) -> f64 {
        match self.measure {
            Measure::Instructions(_)
            | Measure::TaskInstructions(_)
            | Measure::LongLine
            | Measure::SystemCalls(_) => 0.02,
            Measure::Allocations(_) | Measure::TaskAllocations(_) => 0.0,
            // Counted in pages, and the heap grows in steps.
            Measure::IdleBytes(_) => 0.1,
        }
    }

    /// Whether another compiler may give another figure for the same code.
    pub(super) fn depends_on_compiler(&self) -> bool {
        matches!(
            self.measure,
            Measure::Instructions(_) | Measure::TaskInstructions(_) | Measure::LongLine
        )
    }
}
