//! The figures: what is counted, for whom, and what it should be.

use crate::figures::{allocations, instructions, memory, system_calls};

/// One line of the table.
pub(super) struct Row {
    pub(super) workload: &'static str,
    pub(super) measure: Measure,
    pub(super) raw: Option<&'static str>,
    pub(super) tokio: Option<&'static str>,
    pub(super) torsade: Option<&'static str>,
    /// At most this, for torsade.
    pub(super) goal: Option<f64>,
    /// What the budget calls it, once there is something to budget.
    key: &'static str,
}

/// What is counted, and under which load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Instructions outside the kernel for each message of such rounds.
    Instructions(Rounds),
    /// System calls for each message that one connection plays to and fro.
    SystemCalls,
    /// Allocations for each message on connections that stay open.
    AllocationsPerMessage(&'static str),
    /// Allocations for each connection that comes, says a word and goes.
    AllocationsPerConnection(&'static str),
    /// Allocations for each Deferred resolved through two `map`s.
    AllocationsPerDeferred,
    /// Instructions a byte for a line of 256 KiB that comes byte by byte, as a
    /// multiple of those for a line of 16 KiB: 1 when the work is linear.
    LongLine,
    /// Resident bytes for each of many connections that have fallen silent.
    IdleBytes,
}

/// The load's words for rounds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounds {
    pub(super) message: &'static str,
    pub(super) connections: usize,
    pub(super) in_flight: usize,
    pub(super) rounds: usize,
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

const fn rounds(
    message: &'static str,
    connections: usize,
    in_flight: usize,
    rounds: usize,
) -> Measure {
    Measure::Instructions(Rounds {
        message,
        connections,
        in_flight,
        rounds,
    })
}

pub(super) const ROWS: &[Row] = &[
    Row {
        key: "echo-32x1",
        workload: "echo, 32 connections, 1 in flight each",
        measure: rounds("echo", 32, 1, 200),
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: Some(300.0),
    },
    Row {
        key: "echo-32x16",
        workload: "echo, 32 connections, 16 in flight each",
        measure: rounds("echo", 32, 16, 50),
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: None,
    },
    Row {
        key: "echo-1x1",
        workload: "echo, 1 connection, 1 in flight",
        measure: rounds("echo", 1, 1, 2000),
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: None,
    },
    Row {
        key: "lines-32x64",
        workload: "lines of 32 bytes answered by a line, 32 connections, 64 in flight each",
        measure: rounds("lines", 32, 64, 20),
        raw: None,
        tokio: Some("tokio-lines"),
        torsade: Some("torsade-lines"),
        goal: Some(220.0),
    },
    Row {
        key: "lines-32x1",
        workload: "the same, 1 in flight each",
        measure: rounds("lines", 32, 1, 200),
        raw: None,
        tokio: Some("tokio-lines"),
        torsade: Some("torsade-lines"),
        goal: None,
    },
    Row {
        key: "echo-system-calls",
        workload: "echo, 1 connection, 1 in flight",
        measure: Measure::SystemCalls,
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: None,
    },
    Row {
        key: "echo-allocations-message",
        workload: "echo, 32 connections that stay open",
        measure: Measure::AllocationsPerMessage("echo"),
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: Some(0.0),
    },
    Row {
        key: "lines-allocations-message",
        workload: "lines, 32 connections that stay open",
        measure: Measure::AllocationsPerMessage("lines"),
        raw: None,
        tokio: Some("tokio-lines"),
        torsade: Some("torsade-lines"),
        goal: Some(0.0),
    },
    Row {
        key: "echo-allocations-connection",
        workload: "echo, connections that come and go",
        measure: Measure::AllocationsPerConnection("echo"),
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: Some(2.0),
    },
    Row {
        key: "lines-allocations-connection",
        workload: "lines, connections that come and go",
        measure: Measure::AllocationsPerConnection("lines"),
        raw: None,
        tokio: Some("tokio-lines"),
        torsade: Some("torsade-lines"),
        goal: Some(2.0),
    },
    Row {
        key: "deferred-allocations",
        workload: "a Deferred resolved through two maps",
        measure: Measure::AllocationsPerDeferred,
        raw: None,
        tokio: None,
        torsade: Some("deferreds"),
        goal: Some(3.0),
    },
    Row {
        key: "lines-long",
        workload: "a line of 256 KiB against one of 16 KiB, byte by byte",
        measure: Measure::LongLine,
        raw: None,
        tokio: Some("tokio-lines"),
        torsade: Some("torsade-lines"),
        goal: Some(1.1),
    },
    Row {
        key: "echo-idle",
        workload: "echo, 10,000 connections that have fallen silent",
        measure: Measure::IdleBytes,
        raw: Some("raw-echo"),
        tokio: Some("tokio-echo"),
        torsade: Some("torsade-echo"),
        goal: Some(600.0),
    },
];

impl Row {
    /// What the budget calls this figure, if it holds one of ours.
    pub(super) fn key(&self) -> Option<&'static str> {
        self.torsade.map(|_| self.key)
    }

    /// The servers in the order of the table's columns.
    pub(super) fn contenders(&self) -> [(&'static str, Option<&'static str>); 3] {
        [
            ("raw epoll", self.raw),
            ("tokio", self.tokio),
            ("torsade", self.torsade),
        ]
    }

    /// Measures one server.
    pub(super) fn measure(&self, server: &str) -> Result<f64, Failure> {
        match self.measure {
            Measure::Instructions(rounds) => instructions::per_message(server, rounds),
            Measure::AllocationsPerMessage(message) => {
                Ok(allocations::per_message(server, message)?)
            }
            Measure::AllocationsPerConnection(message) => {
                Ok(allocations::per_connection(server, message)?)
            }
            Measure::AllocationsPerDeferred => Ok(allocations::per_deferred()?),
            Measure::LongLine => instructions::long_line(server),
            Measure::SystemCalls => system_calls::per_message(server),
            Measure::IdleBytes => memory::idle(server),
        }
    }

    /// What one of it is.
    pub(super) fn unit(&self) -> &'static str {
        match self.measure {
            Measure::Instructions(rounds) if rounds.message == "lines" => "instructions / line",
            Measure::Instructions(_) => "instructions / message",
            Measure::AllocationsPerMessage(_) => "allocations / message",
            Measure::AllocationsPerConnection(_) => "allocations / connection",
            Measure::AllocationsPerDeferred => "allocations",
            Measure::SystemCalls => "system calls / message",
            Measure::LongLine => "instructions / byte, as a ratio",
            Measure::IdleBytes => "resident bytes / connection",
        }
    }

    /// The value as the table and the budget show it.
    pub(super) fn format(&self, value: f64) -> String {
        match self.measure {
            Measure::Instructions(_) => format!("{value:.1}"),
            Measure::SystemCalls
            | Measure::AllocationsPerMessage(_)
            | Measure::AllocationsPerConnection(_)
            | Measure::AllocationsPerDeferred => {
                // Rounded, a figure of nothing may come out as minus nothing.
                let hundredths = (value * 100.0).round() + 0.0;
                format!("{:.2}", hundredths / 100.0)
            }
            Measure::LongLine => format!("{value:.3}"),
            Measure::IdleBytes => format!("{value:.0}"),
        }
    }

    /// How far a value may be from its budget, as a share of the budget.
    pub(super) fn tolerance(&self) -> f64 {
        match self.measure {
            Measure::Instructions(_) | Measure::LongLine | Measure::SystemCalls => 0.02,
            Measure::AllocationsPerMessage(_)
            | Measure::AllocationsPerConnection(_)
            | Measure::AllocationsPerDeferred => 0.0,
            // Counted in pages, and the heap grows in steps.
            Measure::IdleBytes => 0.1,
        }
    }

    /// Whether another compiler may give another figure for the same code.
    pub(super) fn depends_on_compiler(&self) -> bool {
        matches!(self.measure, Measure::Instructions(_) | Measure::LongLine)
    }
}
