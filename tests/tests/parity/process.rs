//! The world of real sockets: the subject is a process, which takes orders on its standard input.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::actor::STOPPING;
use crate::peer::{Door, Marker, Peer};
use crate::play::{Act, Seen, Status, World};
use crate::scenario::Role;

/// What does not come within this time never will.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// How to start a subject.
type Program = Box<dyn Fn() -> Command>;

pub(crate) struct Processes {
    program: Program,
    /// The one that lives from scenario to scenario, until one ends it.
    subject: Option<Subject>,
    peer: Option<Peer>,
    door: Door,
    marker: Marker,
    events: Vec<String>,
    /// How many were started.
    pub(crate) started: usize,
}

struct Subject {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Processes {
    pub(crate) fn new(program: Program) -> io::Result<Self> {
        Ok(Self {
            program,
            subject: None,
            peer: None,
            door: Door::open()?,
            marker: Marker::new()?,
            events: Vec::new(),
            started: 0,
        })
    }

    fn subject(&mut self) -> Result<&mut Subject, String> {
        if self.subject.is_none() {
            self.subject = Some(Subject::start(&self.program)?);
            self.started += 1;
        }
        self.subject.as_mut().ok_or_else(nobody)
    }

    fn peer_mut(&mut self) -> Result<&mut Peer, String> {
        self.peer.as_mut().ok_or_else(nobody)
    }

    /// Give an order and take the answer.
    fn ask(&mut self, order: &str) -> Result<Status, String> {
        self.marker.pass().map_err(said)?;
        let subject = self.subject()?;
        subject.tell(order)?;
        let mut events = Vec::new();
        let status = loop {
            let line = subject.line()?;
            let line = line.ok_or("the subject's process ended")?;
            match line.split_once(' ') {
                Some(("e", event)) => events.push(event.to_owned()),
                Some((".", status)) => {
                    break Status::read(status).ok_or_else(|| format!("no answer: {line:?}"))?;
                }
                _ => return Err(format!("no answer: {line:?}")),
            }
        };
        self.events.append(&mut events);
        Ok(status)
    }

    /// Wait until the peer has something, or, if that is asked, the subject has said something.
    fn poll(&self, or_subject: bool) -> Result<(), String> {
        let mut fds = Vec::new();
        if let Some(stream) = self.peer.as_ref().and_then(Peer::stream) {
            fds.push(PollFd::new(stream, PollFlags::IN));
        }
        if let (true, Some(subject)) = (or_subject, &self.subject) {
            fds.push(PollFd::new(subject.answers.get_ref(), PollFlags::IN));
        }
        match poll(&mut fds, Some(&PATIENCE)) {
            Ok(0) => Err("what was sent does not arrive".into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl World for Processes {
    fn flood(&self) -> usize {
        8 * 1024 * 1024
    }

    fn begin(&mut self, role: Role, flags: &str) -> Result<(), String> {
        self.events.clear();
        match role {
            Role::Accepted => {
                self.ask(&format!("next {flags}"))?;
                let port = self.subject()?.port;
                self.peer = Some(Peer::connect(port).map_err(said)?);
            }
            Role::Connecting => {
                let port = self.door.port().map_err(said)?;
                self.ask(&format!("connect {port} {flags}"))?;
                self.peer = Some(self.door.accept().map_err(said)?);
            }
        }
        Ok(())
    }

    fn order(&mut self, ops: &str) -> Result<Status, String> {
        self.ask(&format!("do {ops}"))
    }

    fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    fn peer(&mut self, act: Act) -> Result<(), String> {
        self.peer_mut()?.act(act).map_err(said)
    }

    fn read(&mut self) -> Result<bool, String> {
        self.peer_mut()?.read().map_err(said)
    }

    fn received(&self) -> &[u8] {
        self.peer.as_ref().map_or(&[], |peer| &peer.received)
    }

    fn seen(&self) -> Seen {
        self.peer.as_ref().map_or(Seen::Left, |peer| peer.seen)
    }

    fn wait(&mut self) -> Result<(), String> {
        self.poll(false)
    }

    fn kill(&mut self) -> Result<(), String> {
        let mut subject = self.subject.take().ok_or_else(nobody)?;
        subject.child.kill().map_err(said)?;
        while let Some(line) = subject.line()? {
            self.events.push(event(&line));
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        self.marker.pass().map_err(said)?;
        self.subject()?.tell("stop")?;
        // The peer does not read before the stop has begun: a producer would go on.
        let subject = self.subject()?;
        let line = subject.line()?;
        if line.as_deref().map(event).as_deref() != Some(STOPPING) {
            return Err(format!("{line:?} instead of a stop"));
        }
        let mut runs = true;
        while runs || self.seen() == Seen::Open {
            self.read()?;
            if runs && self.subject()?.has_line()? {
                match self.subject()?.line()? {
                    Some(line) => self.events.push(event(&line)),
                    None => runs = false,
                }
            } else if runs || self.seen() == Seen::Open {
                self.poll(runs)?;
            }
        }
        self.subject = None;
        self.marker.pass().map_err(said)?;
        self.read().map(drop)
    }
}

impl Subject {
    fn start(program: &Program) -> Result<Self, String> {
        let mut command = program();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(said)?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the subject has no pipes".into());
        };
        let mut subject = Self {
            child,
            orders,
            answers: BufReader::new(answers),
            port: 0,
        };
        let line = subject.line()?.unwrap_or_default();
        let port = line
            .strip_prefix("port ")
            .and_then(|port| port.parse().ok());
        subject.port = port.ok_or_else(|| format!("the subject did not start: {line:?}"))?;
        Ok(subject)
    }

    fn tell(&mut self, order: &str) -> Result<(), String> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .map_err(said)
    }

    /// Whether [`line`](Self::line) returns at once.
    fn has_line(&self) -> Result<bool, String> {
        let mut fds = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
        let ready = poll(&mut fds, Some(&Timespec::default())).map_err(said)?;
        Ok(ready > 0 || !self.answers.buffer().is_empty())
    }

    /// The next line, none at the end.
    fn line(&mut self) -> Result<Option<String>, String> {
        if self.answers.buffer().is_empty() {
            let mut fds = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
            if poll(&mut fds, Some(&PATIENCE)).map_err(said)? == 0 {
                return Err("the subject does not answer".into());
            }
        }
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).map_err(said)?;
        Ok((read > 0).then(|| line.trim_end().to_owned()))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn event(line: &str) -> String {
    line.strip_prefix("e ").unwrap_or(line).to_owned()
}

fn nobody() -> String {
    "there is no such process any more".into()
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
