//! The generator of scenarios: who ends how, in which state, in which role.

use std::fmt;

use crate::play::Act;

/// In an operation, how much is written in order that not all of it can leave: the world says.
pub(crate) const FLOOD: &str = "flood";

/// One scenario. Its name is `ending/state/role`.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) ending: &'static str,
    pub(crate) state: &'static str,
    pub(crate) role: Role,
    pub(crate) flags: String,
    pub(crate) steps: Vec<Step>,
    /// Whether the state has the subject write a flood.
    pub(crate) flows: bool,
}

/// How the subject's connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Accepted,
    Connecting,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The subject does these operations, in one go.
    Order(String),
    Peer(Act),
    /// What the subject has begun to send arrives.
    Flow,
    /// The peer, which does not read before, reads until all is at rest.
    Read,
    /// The system kills the subject's process.
    Kill,
    /// The subject's reactor is stopped.
    Stop,
}

struct Ending {
    name: &'static str,
    flags: &'static str,
    /// What is done, in the words of [`steps`].
    steps: &'static str,
    /// Whether a subject that does not read must resume, for its callback to come.
    needs_input: bool,
}

struct State {
    name: &'static str,
    flags: &'static str,
    steps: &'static str,
    is_held: bool,
    flows: bool,
}

const STATES: &[State] = &[
    State {
        name: "idle",
        flags: "",
        steps: "",
        is_held: false,
        flows: false,
    },
    // One write that the kernel cannot take, to a peer that does not read.
    State {
        name: "pending",
        flags: "",
        steps: "do write flood|flow",
        is_held: false,
        flows: true,
    },
    // The subject does not read, and its kernel has something for it.
    State {
        name: "unread",
        flags: "",
        steps: "do pause|send abc",
        is_held: true,
        flows: false,
    },
    State {
        name: "paused",
        flags: "",
        steps: "do pause",
        is_held: true,
        flows: false,
    },
    // Both: what an early answer to a long upload meets.
    State {
        name: "crossing",
        flags: "",
        steps: "do pause|send abc|do write flood|flow",
        is_held: true,
        flows: true,
    },
    // A producer that has been told to wait. Here it is a loop,
    State {
        name: "looping",
        flags: "",
        steps: "do produce flood|flow",
        is_held: false,
        flows: true,
    },
    // here an object that is registered, as in Twisted,
    State {
        name: "producing",
        flags: "consumer",
        steps: "do produce flood|flow",
        is_held: false,
        flows: true,
    },
    // and here, as in Twisted too, an accepted connection is read all the same.
    State {
        name: "unthrottled",
        flags: "consumer;unthrottled",
        steps: "do produce flood|flow",
        is_held: false,
        flows: true,
    },
];

macro_rules! endings {
    ($($name:literal: $flags:literal, $steps:literal $(, $input:ident)?;)+) => {
        &[$(Ending {
            name: $name,
            flags: $flags,
            steps: $steps,
            needs_input: endings!(@ $($input)?),
        }),+]
    };
    (@ input) => { true };
    (@) => { false };
}

/// In every state, in both roles.
const ENDINGS: &[Ending] = endings! {
    // The subject ends, asked from outside any callback of its own.
    "lose": "", "do lose";
    "lose-twice": "", "do lose,lose";
    "lose-then-write": "", "do lose,write 5";
    "write-then-lose": "", "do write 5,lose";
    "lose-then-abort": "", "do lose,abort";
    "lose-and-later-abort": "", "do lose|do abort";
    "abort": "", "do abort";
    "abort-then-lose": "", "do abort,lose";
    "abort-then-write": "", "do abort,write 5";
    // The subject half-closes.
    "half": "half", "do half|read";
    "half-unaware": "", "do half|read|finish";
    "half-then-finish": "half", "do half|read|finish|do lose";
    "half-then-reset": "half", "do half|reset";
    "half-then-write": "half", "do half,write 5|read|do lose";
    "half-then-lose": "half", "do half|do lose";
    "half-then-abort": "half", "do half|do abort";
    "lose-when-half-closed": "half;write-ended=lose", "do half";
    // The subject does something in a callback.
    "lose-in-data": "data=lose", "send !", input;
    "write-then-lose-in-data": "data=write 5,lose", "send !", input;
    "abort-in-data": "data=abort", "send !", input;
    "raise-in-data": "data=raise", "send !", input;
    "write-then-raise-in-data": "data=write 5,raise", "send !", input;
    "lose-then-raise-in-data": "data=lose,raise", "send !", input;
    "abort-then-raise-in-data": "data=abort,raise", "send !", input;
    "pause-in-data": "data=pause", "send !|send more|read|do resume", input;
    "raise-in-eof": "half;eof=raise", "finish", input;
    "lose-in-eof": "half;eof=lose", "finish", input;
    "answer-in-eof": "half;eof=write 5,lose", "finish", input;
    "raise-in-lost": "lost=raise", "do lose";
    "write-in-lost": "lost=write 5,lose,abort", "do lose";
    // The peer ends.
    "finish": "", "finish", input;
    "finish-aware": "half", "finish|read|do write 5,lose", input;
    "finish-aware-then-half": "half", "finish|read|do write 5,half", input;
    "finish-aware-then-reset": "half", "finish|reset", input;
    "send-and-finish": "", "send last|finish", input;
    "close": "", "close", input;
    "close-aware": "half", "close|do write 5", input;
    "reset": "", "reset", input;
    "send-and-reset": "", "send last|reset", input;
    "reset-then-write": "", "reset|do write 5", input;
    // The subject's process ends.
    "kill": "", "kill";
    "stop": "", "stop";
};

/// What concerns the first callback: there is no other state then.
const AT_THE_START: &[Ending] = endings! {
    "lose-in-made": "made=lose", "";
    "write-then-lose-in-made": "made=write 5,lose", "";
    "flood-then-lose-in-made": "made=write flood,lose", "";
    "abort-in-made": "made=abort", "";
    "half-in-made": "half;made=write 5,half", "read|finish|do lose";
    "pause-in-made": "made=pause", "send abc|do resume|finish";
    "raise-in-made": "made=raise", "send abc|do lose";
};

/// All of them.
pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for role in [Role::Accepted, Role::Connecting] {
        for ending in ENDINGS {
            cells.extend(STATES.iter().map(|state| cell(ending, state, role)));
        }
        for ending in AT_THE_START {
            let start = State {
                name: "start",
                flows: ending.name.starts_with("flood"),
                ..STATES[0]
            };
            cells.push(cell(ending, &start, role));
        }
    }
    cells
}

fn cell(ending: &Ending, state: &State, role: Role) -> Cell {
    let mut steps = steps(state.steps);
    let (first, rest) = ending.steps.split_once('|').unwrap_or((ending.steps, ""));
    steps.extend(self::steps(first));
    if state.is_held && ending.needs_input {
        // What follows may be more of the peer's; it waits, too.
        let (of_peer, after) = of_peer(rest);
        steps.extend(self::steps(of_peer));
        steps.push(Step::Order("resume".into()));
        steps.extend(self::steps(after));
    } else {
        steps.extend(self::steps(rest));
    }
    let flags: Vec<&str> = [ending.flags, state.flags]
        .into_iter()
        .filter(|flags| !flags.is_empty())
        .collect();
    Cell {
        ending: ending.name,
        state: state.name,
        role,
        flags: flags.join(";"),
        steps,
        flows: state.flows,
    }
}

/// The steps at the beginning that the peer does, and the others.
fn of_peer(text: &str) -> (&str, &str) {
    let mut rest = text;
    while let Some(after) = ["finish", "reset"]
        .iter()
        .find_map(|it| rest.strip_prefix(it))
    {
        rest = after.trim_start_matches('|');
    }
    text.split_at(text.len() - rest.len())
}

/// Steps from words, divided by `|`.
fn steps(text: &'static str) -> Vec<Step> {
    let words = text.split('|').filter(|words| !words.is_empty());
    words
        .map(|words| match words.split_once(' ').unwrap_or((words, "")) {
            ("do", ops) => Step::Order(ops.to_owned()),
            ("send", text) => Step::Peer(Act::Send(text)),
            ("finish", _) => Step::Peer(Act::Finish),
            ("reset", _) => Step::Peer(Act::Reset),
            ("close", _) => Step::Peer(Act::Close),
            ("flow", _) => Step::Flow,
            ("read", _) => Step::Read,
            ("kill", _) => Step::Kill,
            ("stop", _) => Step::Stop,
            _ => panic!("no such step as {words:?}"),
        })
        .collect()
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        format!("{}/{}/{}", self.ending, self.state, self.role)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Stop))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Connecting => "connecting",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(ops) => f.write_str(ops),
            Self::Peer(Act::Send(text)) => write!(f, "peer sends {text}"),
            Self::Peer(Act::Finish) => f.write_str("peer finishes"),
            Self::Peer(Act::Reset) => f.write_str("peer resets"),
            Self::Peer(Act::Close) => f.write_str("peer closes"),
            Self::Flow => f.write_str("it flows"),
            Self::Read => f.write_str("peer reads"),
            Self::Kill => f.write_str("killed"),
            Self::Stop => f.write_str("stopped"),
        }
    }
}
