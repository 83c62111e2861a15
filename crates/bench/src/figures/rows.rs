//! The counts: what is counted, and what it should be.

use crate::figures::peers;
use crate::figures::{allocations, instructions, memory, system_calls};

/// One line of the table.
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
    /// At most this, for torsade.
    pub(super) goal: Option<f64>,
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
    /// Resident bytes for each of many connections that have fallen silent.
    IdleBytes,
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

const VISITS: Load = load(&["echo", "visits"], 1, 200);
const DISMISSALS: Load = load(&["echo", "dismissals"], 1, 200);

pub(super) const ROWS: &[Row] = &[
    Row {
        key: "echo-32x1",
        workload: "echo, 32 connections, 1 in flight each",
        subject: "echo",
        measure: Measure::Instructions(load(&["echo", "rounds", "32", "1"], 32, 200)),
        unit: "instructions / message",
        goal: Some(300.0),
    },
    Row {
        key: "echo-32x16",
        workload: "echo, 32 connections, 16 in flight each",
        subject: "echo",
        measure: Measure::Instructions(load(&["echo", "rounds", "32", "16"], 32 * 16, 50)),
        unit: "instructions / message",
        goal: None,
    },
    Row {
        key: "echo-1x1",
        workload: "echo, 1 connection, 1 in flight",
        subject: "echo",
        measure: Measure::Instructions(load(&["echo", "rounds", "1", "1"], 1, 2000)),
        unit: "instructions / message",
        goal: None,
    },
    Row {
        key: "streams-32x1",
        workload: "echo as a coroutine with streams, 32 connections, 1 in flight each",
        subject: "streams",
        measure: Measure::Instructions(load(&["echo", "rounds", "32", "1"], 32, 200)),
        unit: "instructions / message",
        goal: None,
    },
    Row {
        key: "lines-32x64",
        workload: "lines of 32 bytes answered by a line, 32 connections, 64 in flight each",
        subject: "lines",
        measure: Measure::Instructions(load(&["lines", "rounds", "32", "64"], 32 * 64, 20)),
        unit: "instructions / line",
        goal: Some(220.0),
    },
    Row {
        key: "lines-32x1",
        workload: "the same, 1 in flight each",
        subject: "lines",
        measure: Measure::Instructions(load(&["lines", "rounds", "32", "1"], 32, 200)),
        unit: "instructions / line",
        goal: None,
    },
    Row {
        key: "fanout-100",
        workload: "a line from one goes to all of 100",
        subject: "fanout",
        measure: Measure::Instructions(load(&["lines", "room", "100"], 100, 50)),
        unit: "instructions / delivery",
        goal: Some(250.0),
    },
    Row {
        key: "visits",
        workload: "connect, echo, close: the peer ends first",
        subject: "echo",
        measure: Measure::Instructions(VISITS),
        unit: "instructions / connection",
        goal: None,
    },
    Row {
        key: "dismissals",
        workload: "connect, echo, close: the server ends first",
        subject: "close",
        measure: Measure::Instructions(DISMISSALS),
        unit: "instructions / connection",
        goal: None,
    },
    Row {
        key: "echo-system-calls",
        workload: "echo, 1 connection, 1 in flight",
        subject: "echo",
        measure: Measure::SystemCalls(load(&["echo", "rounds", "1", "1"], 1, 200)),
        unit: "system calls / message",
        goal: None,
    },
    Row {
        key: "fanout-system-calls",
        workload: "a line from one goes to all of 100",
        subject: "fanout",
        measure: Measure::SystemCalls(load(&["lines", "room", "100"], 100, 20)),
        unit: "system calls / delivery",
        goal: None,
    },
    Row {
        key: "visits-system-calls",
        workload: "connect, echo, close: the peer ends first",
        subject: "echo",
        measure: Measure::SystemCalls(VISITS),
        unit: "system calls / connection",
        goal: None,
    },
    Row {
        key: "dismissals-system-calls",
        workload: "connect, echo, close: the server ends first",
        subject: "close",
        measure: Measure::SystemCalls(DISMISSALS),
        unit: "system calls / connection",
        goal: None,
    },
    Row {
        key: "echo-allocations-message",
        workload: "echo, 32 connections that stay open",
        subject: "echo",
        measure: Measure::Allocations(load(&["echo", "rounds", "32", "1"], 32, 200)),
        unit: "allocations / message",
        goal: Some(0.0),
    },
    Row {
        key: "lines-allocations-message",
        workload: "lines, 32 connections that stay open",
        subject: "lines",
        measure: Measure::Allocations(load(&["lines", "rounds", "32", "1"], 32, 200)),
        unit: "allocations / message",
        goal: Some(0.0),
    },
    Row {
        key: "fanout-allocations",
        workload: "a line from one goes to all of 100",
        subject: "fanout",
        measure: Measure::Allocations(load(&["lines", "room", "100"], 100, 100)),
        unit: "allocations / delivery",
        goal: None,
    },
    Row {
        key: "echo-allocations-connection",
        workload: "echo, connections that come and go",
        subject: "echo",
        measure: Measure::Allocations(load(&["echo", "visits"], 1, 800)),
        unit: "allocations / connection",
        goal: Some(2.0),
    },
    Row {
        key: "lines-allocations-connection",
        workload: "lines, connections that come and go",
        subject: "lines",
        measure: Measure::Allocations(load(&["lines", "visits"], 1, 800)),
        unit: "allocations / connection",
        goal: Some(2.0),
    },
    Row {
        key: "timers-set",
        workload: "a timer set beside 10,000 others",
        subject: "timers-set",
        measure: Measure::TaskInstructions(1000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "timers-reset",
        workload: "one of 10,000 timers reset",
        subject: "timers-reset",
        measure: Measure::TaskInstructions(1000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "timers-cancel",
        workload: "a timer set beside 10,000 others and cancelled a turn later",
        subject: "timers-cancel",
        measure: Measure::TaskInstructions(1000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "timers-fire",
        workload: "a timer set beside 10,000 others and run when due",
        subject: "timers-fire",
        measure: Measure::TaskInstructions(1000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "timers-million",
        workload: "a timer set beside 1,000,000 others and cancelled a turn later",
        subject: "timers-million",
        measure: Measure::TaskInstructions(5000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "deferred-instructions",
        workload: "a Deferred resolved through two maps",
        subject: "deferreds",
        measure: Measure::TaskInstructions(1000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "deferred-allocations",
        workload: "a Deferred resolved through two maps",
        subject: "deferreds",
        measure: Measure::TaskAllocations(1000),
        unit: "allocations",
        goal: Some(3.0),
    },
    Row {
        key: "tasks-switch",
        workload: "two tasks yield to each other: one switch",
        subject: "tasks-switch",
        measure: Measure::TaskInstructions(2000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "tasks-hand-over",
        workload: "a number handed from task to task through a queue with one place",
        subject: "tasks-hand-over",
        measure: Measure::TaskInstructions(2000),
        unit: "instructions",
        goal: None,
    },
    Row {
        key: "tasks-hand-over-allocations",
        workload: "a number handed from task to task through a queue with one place",
        subject: "tasks-hand-over",
        measure: Measure::TaskAllocations(2000),
        unit: "allocations",
        goal: Some(0.0),
    },
    Row {
        key: "lines-long",
        workload: "a line of 256 KiB against one of 16 KiB, byte by byte",
        subject: "lines",
        measure: Measure::LongLine,
        unit: "instructions / byte, as a ratio",
        goal: Some(1.1),
    },
    Row {
        key: "echo-idle",
        workload: "echo, 10,000 connections that have fallen silent",
        subject: "echo",
        measure: Measure::IdleBytes,
        unit: "resident bytes / connection",
        goal: Some(600.0),
    },
];

impl Row {
    /// The programs in the order of the table's columns, where there is one.
    pub(super) fn contenders(&self) -> impl Iterator<Item = Option<String>> {
        peers::COUNTED.iter().map(|peer| {
            let program = peers::program(peer, self.subject);
            peers::exists(&program).then_some(program)
        })
    }

    /// Measures torsade.
    pub(super) fn measure_ours(&self) -> Result<f64, Failure> {
        self.measure(&peers::program(peers::OURS, self.subject))
    }

    /// Measures one program.
    pub(super) fn measure(&self, program: &str) -> Result<f64, Failure> {
        match self.measure {
            Measure::Instructions(load) => instructions::under(load, program),
            Measure::SystemCalls(load) => system_calls::under(load, program),
            Measure::Allocations(load) => Ok(allocations::under(load, program)?),
            Measure::TaskInstructions(times) => instructions::of_task(program, times),
            Measure::TaskAllocations(times) => Ok(allocations::of_task(program, times)?),
            Measure::LongLine => instructions::long_line(program),
            Measure::IdleBytes => memory::idle(program),
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
            Measure::IdleBytes => format!("{value:.0}"),
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
            Measure::IdleBytes => 0.1,
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
