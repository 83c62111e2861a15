//! Playing a scenario in a world, and what is recorded of it.

use std::fmt;

use crate::scenario::{Cell, FLOOD, Role, Step};

/// Where scenarios are played: a process on real sockets, or a simulated network.
pub(crate) trait World {
    /// How many bytes are a flood here: more than there is room for on the way, when the peer does
    /// not read.
    fn flood(&self) -> usize;
    /// Make a connection whose subject has this role and these flags.
    fn begin(&mut self, role: Role, flags: &str) -> Result<(), String>;
    /// Have the subject do this, and let it come to rest. Everything that the peer did before has
    /// reached it.
    fn order(&mut self, ops: &str) -> Result<Status, String>;
    /// What happened to the subject since the last time.
    fn take_events(&mut self) -> Vec<String>;
    /// The peer does something.
    fn peer(&mut self, act: Act) -> Result<(), String>;
    /// The peer takes some of what is there: less than the subject's kernel holds of a flow, so that
    /// it is full when the subject comes to its end. Returns whether that was anything.
    fn read(&mut self) -> Result<bool, String>;
    /// What the peer got.
    fn received(&self) -> &[u8];
    fn seen(&self) -> Seen;
    /// Something is known to be on its way to the peer: wait for it.
    fn wait(&mut self) -> Result<(), String>;
    /// The subject's process is killed by the system.
    fn kill(&mut self) -> Result<(), String>;
    /// The subject's reactor is stopped. Returns when its run is over and the peer has seen an end.
    fn stop(&mut self) -> Result<(), String>;
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Send(&'static str),
    /// End its side, and go on reading.
    Finish,
    /// Close with a zero linger time.
    Reset,
    /// Close, whatever was not read.
    Close,
}

/// How the peer saw the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Open,
    Fin,
    Rst,
    /// In good order, and then a reset came.
    FinRst,
    /// It went first.
    Left,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Fin => "FIN",
            Self::Rst => "RST",
            Self::FinRst => "FIN, RST",
            Self::Left => "the peer left",
        })
    }
}

/// How far the subject is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: State,
    written: u64,
    buffered: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    None,
    Open,
    Lost,
}

impl Status {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        Some(Self {
            state: match words.next()? {
                "none" => State::None,
                "open" => State::Open,
                "lost" => State::Lost,
                _ => return None,
            },
            written: words.next()?.parse().ok()?,
            buffered: words.next()?.parse().ok()?,
        })
    }

    fn sent(&self) -> u64 {
        self.written.saturating_sub(self.buffered)
    }
}

/// What is compared, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Callbacks and steps in their order.
    pub(crate) events: String,
    /// What the loss was called, or why there was none.
    pub(crate) reason: String,
    /// What the peer got.
    pub(crate) bytes: String,
    /// How the peer saw the end.
    pub(crate) end: String,
}

/// The parts of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aspect {
    Events,
    Reason,
    Bytes,
    End,
}

impl Aspect {
    pub(crate) const ALL: [Self; 4] = [Self::Events, Self::Reason, Self::Bytes, Self::End];

    pub(crate) fn of(self, record: &Record) -> &str {
        match self {
            Self::Events => &record.events,
            Self::Reason => &record.reason,
            Self::Bytes => &record.bytes,
            Self::End => &record.end,
        }
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::Reason => "reason",
            Self::Bytes => "bytes",
            Self::End => "end",
        })
    }
}

/// So often nothing may change before all is at rest.
const QUIET_ROUNDS: usize = 3;

/// Play it.
pub(crate) fn play(cell: &Cell, world: &mut dyn World) -> Result<Record, String> {
    let mut play = Play {
        world,
        events: Vec::new(),
    };
    let flags = play.in_numbers(&cell.flags);
    play.world.begin(cell.role, &flags)?;
    let mut asked = 0;
    while play.order("")?.state == State::None {
        asked += 1;
        if asked > 10_000 {
            return Err("the connection is not made".into());
        }
    }
    for step in &cell.steps {
        play.step(step)?;
    }
    let is_over = cell
        .steps
        .iter()
        .any(|step| matches!(step, Step::Kill | Step::Stop));
    if !is_over {
        play.step(&Step::Read)?;
    }
    let record = play.record(cell)?;
    if !is_over {
        // Whatever is left open must not disturb the next one.
        play.world.order("abort")?;
        play.world.take_events();
    }
    Ok(record)
}

struct Play<'a> {
    world: &'a mut dyn World,
    events: Vec<String>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        self.events.push(format!("[{step}]"));
        match step {
            Step::Order(ops) => {
                self.order(ops)?;
            }
            Step::Peer(act) => {
                self.world.peer(*act)?;
                self.order("")?;
            }
            Step::Flow => self.fill()?,
            Step::Read => self.come_to_rest()?,
            Step::Kill => {
                self.world.kill()?;
                self.events.extend(self.world.take_events());
                while self.world.seen() == Seen::Open {
                    if !self.world.read()? {
                        self.world.wait()?;
                    }
                }
            }
            Step::Stop => {
                self.world.stop()?;
                self.events.extend(self.world.take_events());
            }
        }
        Ok(())
    }

    fn order(&mut self, ops: &str) -> Result<Status, String> {
        let ops = self.in_numbers(ops);
        let status = self.world.order(&ops)?;
        self.events.extend(self.world.take_events());
        Ok(status)
    }

    fn in_numbers(&self, text: &str) -> String {
        text.replace(FLOOD, &self.world.flood().to_string())
    }

    /// The subject writes until its kernel takes no more.
    fn fill(&mut self) -> Result<(), String> {
        self.world.wait()?;
        let (mut quiet, mut last) = (0, None);
        while quiet < QUIET_ROUNDS {
            let status = Some(self.order("")?);
            quiet = if status == last { quiet + 1 } else { 0 };
            last = status;
        }
        Ok(())
    }

    /// The peer reads, until nothing moves any more and nothing is on its way.
    fn come_to_rest(&mut self) -> Result<(), String> {
        let (mut quiet, mut last) = (0, None);
        while quiet < QUIET_ROUNDS {
            let known = self.events.len();
            let moved = self.world.read()?;
            let status = self.order("")?;
            let received = self.world.received().len() as u64;
            let is_coming = match status.state {
                State::Lost => true,
                State::None | State::Open => status.buffered > 0 || received < status.sent(),
            };
            if is_coming && self.world.seen() == Seen::Open {
                quiet = 0;
                if !moved {
                    self.world.wait()?;
                }
            } else if moved || known != self.events.len() || last.as_ref() != Some(&status) {
                quiet = 0;
            } else {
                quiet += 1;
            }
            last = Some(status);
        }
        Ok(())
    }

    fn record(&self, cell: &Cell) -> Result<Record, String> {
        let received = self.world.received();
        if received != crate::actor::stream(0, received.len()) {
            return Err("the peer got other bytes than were written".into());
        }
        if let Some(failed) = self.events.iter().find(|event| event.starts_with("failed")) {
            return Err(failed.clone());
        }
        let seen = match self.world.seen() {
            // The kernel decides whether the end gets through before the process is gone.
            Seen::FinRst if cell.is_stopped() => Seen::Rst,
            seen => seen,
        };
        let flow = if cell.flows { self.world.flood() } else { 0 };
        let mut reason = "not lost".to_owned();
        let mut events = Vec::new();
        for event in &self.events {
            match event.split_once(' ') {
                Some(("lost", why)) => {
                    reason = why.to_owned();
                    events.push("lost".to_owned());
                }
                _ => events.push(event.clone()),
            }
        }
        Ok(Record {
            events: tidy(&events),
            reason,
            bytes: in_words(received.len(), flow, seen),
            end: seen.to_string(),
        })
    }
}

/// Where the kernel decides how often a producer waits, and how input is cut, all ways are one.
fn tidy(events: &[String]) -> String {
    let mut tidied: Vec<String> = Vec::new();
    for event in events {
        let last = tidied.last_mut();
        match (last, event.as_str()) {
            (Some(last), "resume") if last == "pause" => {
                tidied.pop();
            }
            (Some(last), "pause") if last == "resume" => {
                tidied.pop();
            }
            (Some(last), more) if last.starts_with("data ") && more.starts_with("data ") => {
                last.push_str(&more["data ".len()..]);
            }
            _ => tidied.push(event.clone()),
        }
    }
    tidied.join("; ")
}

/// How much of a flow arrives before it is cut is the kernel's decision, too, and whether a reset
/// destroys the last of it.
fn in_words(received: usize, flow: usize, seen: Seen) -> String {
    match (flow, received.cmp(&flow)) {
        (0, _) => received.to_string(),
        (_, _) if received == 0 => "none".into(),
        (_, _) if seen == Seen::Rst => "a part".into(),
        (_, std::cmp::Ordering::Less) => "a part".into(),
        (_, std::cmp::Ordering::Equal) => "all".into(),
        (_, std::cmp::Ordering::Greater) => format!("all and {}", received - flow),
    }
}
