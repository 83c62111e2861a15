//! One conversation: both ends, and how it is cut.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use torsade_core::{Disconnect, Limits, factory};
use torsade_reactor::Reactor;
use torsade_tests::rng::Rng;
use torsade_tests::twisted;

use crate::talk::{Done, Seat, Talk, framed};

/// A conversation that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Their names, and the longest message that each allows on both sides.
pub(crate) const FRAMINGS: [&str; 5] = ["lines", "netstring", "int8", "int16", "int32"];

const SHORT: &[usize] = &[0, 1, 2, 9, 10, 99, 100, 254, 255, 256, 257, 999, 1000];
const LONG: &[usize] = &[1024, 9999, 10_000, 16_384, 65_535, 65_536, 99_999];

/// What torsade is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Client,
    Server,
}

/// How much is read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cuts {
    Whole,
    Bytewise,
    /// By Twisted a new number each time, by torsade one number for a conversation.
    Random {
        seed: u64,
    },
}

impl Cuts {
    pub(crate) fn all(seed: u64) -> impl Iterator<Item = Self> {
        let random = (0..4).map(move |n| Self::Random { seed: seed + n });
        [Self::Whole, Self::Bytewise].into_iter().chain(random)
    }

    fn rng(self) -> Rng {
        match self {
            Self::Whole | Self::Bytewise => Rng::new(0),
            Self::Random { seed } => Rng::new(seed),
        }
    }
}

/// The process at the other end.
pub(crate) struct Twisted {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    ports: Vec<(String, u16)>,
}

impl Twisted {
    pub(crate) fn start(python: &Path) -> Result<Self, String> {
        let mut command = Command::new(python);
        command.arg(twisted::script("interop.py"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("Twisted has no pipes".into());
        };
        let mut twisted = Self {
            child,
            orders,
            answers: BufReader::new(answers),
            ports: Vec::new(),
        };
        let line = twisted.line()?;
        let words: Vec<&str> = line.split(' ').collect();
        let ports = words.chunks_exact(2).filter_map(|pair| {
            let port = pair[1].parse().ok()?;
            Some((pair[0].to_owned(), port))
        });
        twisted.ports = ports.collect();
        Ok(twisted)
    }

    fn tell(&mut self, order: &str) -> Result<(), String> {
        let line = format!("{order}\n");
        let told = self.orders.write_all(line.as_bytes());
        told.map_err(|error| error.to_string())
    }

    fn line(&mut self) -> Result<String, String> {
        if self.answers.buffer().is_empty() {
            let patience = Timespec {
                tv_sec: PATIENCE.as_secs().cast_signed(),
                tv_nsec: 0,
            };
            let mut fds = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
            if poll(&mut fds, Some(&patience)) == Ok(0) {
                return Err("Twisted does not answer".into());
            }
        }
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) => Err("the process of Twisted ended".into()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn cut(&mut self, cuts: Cuts) -> Result<(), String> {
        let order = match cuts {
            Cuts::Whole => "cut 0 0".to_owned(),
            Cuts::Bytewise => "cut 1 0".to_owned(),
            Cuts::Random { seed } => format!("cut {} {}", widest(cuts), seed.max(1)),
        };
        self.tell(&order)?;
        self.line().map(drop)
    }

    fn port(&self, framing: &str) -> Result<u16, String> {
        let port = self.ports.iter().find(|(name, _)| name == framing);
        port.map(|(_, port)| *port)
            .ok_or_else(|| format!("Twisted serves no {framing}"))
    }
}

impl Drop for Twisted {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Hold it. Whatever was not as it should be is an error.
pub(crate) fn hold(
    twisted: &mut Twisted,
    framing: &str,
    cuts: Cuts,
    role: Role,
) -> Result<(), String> {
    twisted.cut(cuts)?;
    let mut reactor = reactor(cuts).map_err(|error| error.to_string())?;
    reactor.net().call_later(PATIENCE, |net| net.stop());
    let sizes = sizes(framing, cuts);
    match role {
        Role::Client => {
            let rng = cuts.rng();
            let says = sizes.iter().map(|size| message(&rng, *size)).collect();
            let (talk, done) = Talk::client(says);
            let to = SocketAddr::from((Ipv4Addr::LOCALHOST, twisted.port(framing)?));
            let connected = reactor.net().connect(to, framed(framing, talk)?);
            connected.detach();
            expect(&mut reactor, done)
        }
        Role::Server => {
            let (talk, done) = Talk::server();
            let seat: Seat = Rc::new(RefCell::new(Some(framed(framing, talk)?)));
            let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = reactor
                .net()
                .listen(anywhere, factory(move |_| seat.take()))
                .map_err(|error| error.to_string())?;
            let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
            let (port, seed) = (
                listener.address().port().unwrap_or(0),
                cuts.rng().below(1_000_000),
            );
            twisted.tell(&format!("call {framing} {port} {seed} {}", sizes.join(",")))?;
            expect(&mut reactor, done)?;
            match twisted.line()?.as_str() {
                ". ConnectionDone" => Ok(()),
                other => Err(format!("Twisted says {other:?}")),
            }
        }
    }
}

/// The peer ended in good order, and nothing was wrong.
fn expect(reactor: &mut Reactor, done: Done) -> Result<(), String> {
    match reactor.run_until(done) {
        Ok(Ok((Disconnect::PeerClosed, wrong))) if wrong.is_empty() => Ok(()),
        Ok(Ok((reason, wrong))) => Err(format!("{reason}; {wrong}")),
        Ok(Err(_)) => Err("it hangs".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn reactor(cuts: Cuts) -> std::io::Result<Reactor> {
    let mut limits = Limits::default();
    match cuts {
        Cuts::Whole => {}
        Cuts::Bytewise => limits.turn_connection_bytes = 1,
        Cuts::Random { .. } => limits.turn_connection_bytes = 1 + cuts.rng().below(widest(cuts)),
    }
    Reactor::builder().limits(limits).build()
}

/// The most that is read at once: for one seed around the length of a header, for the next in the
/// middle of messages.
fn widest(cuts: Cuts) -> usize {
    match cuts {
        Cuts::Whole => usize::MAX,
        Cuts::Bytewise => 1,
        Cuts::Random { seed } if seed % 2 == 0 => 7,
        Cuts::Random { .. } => 4000,
    }
}

/// Long messages in small pieces would take long and show nothing new.
fn sizes(framing: &str, cuts: Cuts) -> Vec<usize> {
    let most = match framing {
        "lines" => 16_384,
        "int8" => 255,
        "int16" => 65_535,
        _ => 99_999,
    };
    let long = if widest(cuts) > 1000 { LONG } else { &[] };
    let mut sizes = [SHORT, long].concat();
    sizes.retain(|size| *size <= most);
    sizes
}

/// Any bytes, but no line feed, so that it can be a line.
fn message(rng: &Rng, size: usize) -> Vec<u8> {
    let bytes = (0..size).map(|_| rng.below(256) as u8);
    bytes
        .map(|byte| if byte == b'\n' { b'-' } else { byte })
        .collect()
}
