use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use torsade_core::Time;

/// What happened in a simulated network, in order: who, when, which callback, what bytes.
///
/// [`Sim::trace`](super::Sim::trace) gives one. It shows itself as a table for people; a
/// [sequence diagram](Self::diagram), also as a [picture](Self::svg), and a
/// [capture](Self::pcap) for the tools of network people are made of the same.
///
/// ```
/// use torsade_core::{Protocol, Transport, factory};
/// use torsade_testing::sim::{Links, Sim};
///
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
/// struct Hello;
/// impl Protocol for Hello {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
///         transport.close();
///     }
/// }
///
/// let mut net = Sim::new(1);
/// net.links(Links::ideal()); // which cut nothing
/// net.host("server").net().listen("0.0.0.0:7", factory(|_| Echo))?;
/// net.host("ann").net().connect("server:7", Hello).detach();
/// net.settle();
/// let text = net.trace().to_string();
/// assert!(text.contains("data_received \"hello\""), "{text}");
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
///
/// Every connection has a number, `#1` the first. Times are those of the network, not of a host
/// whose clock is [skewed](super::Sim::skew).
#[derive(Clone, Debug)]
pub struct Trace {
    pub(super) hosts: Vec<(String, SocketAddr)>,
    pub(super) entries: VecDeque<Entry>,
    pub(super) flows: BTreeMap<u32, Flow>,
    /// Which connection of an engine is which flow.
    connections: BTreeMap<(u32, u64), u32>,
    keeps: Keeps,
    bytes: usize,
    forgotten: u64,
    digest: u64,
    counted: u64,
}

/// How much of what happens is kept. Whatever it is, the digest is of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    Nothing,
    /// At most so many entries and so many bytes of what was sent: the last ones.
    Last(usize, usize),
}

/// The two addresses of a connection: who opened it, and who was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) opener: SocketAddr,
    pub(super) asked: SocketAddr,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Time,
    pub(super) host: u32,
    pub(super) what: What,
    pub(super) bytes: Box<[u8]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A segment arrives at the host.
    Arrives {
        flow: u32,
        from: u32,
        by_opener: bool,
        packet: Packet,
    },
    /// A segment to the host gets lost.
    Lost { flow: u32, from: u32 },
    /// The program hands so many bytes to the kernel.
    Sends { flow: u32, len: usize },
    /// The program takes bytes from the kernel.
    Reads { flow: u32 },
    /// From here on an engine's connection is this flow.
    Made { flow: u32, connection: u64 },
    /// A callback of a connection.
    Calls {
        connection: u64,
        place: &'static str,
    },
    /// A datagram arrives at the host.
    Datagram {
        from: u32,
        source: SocketAddr,
        to: SocketAddr,
    },
    /// A datagram to the host gets lost.
    DatagramLost {
        from: u32,
        source: SocketAddr,
        to: SocketAddr,
    },
    /// A callback of a datagram port.
    PortCalls { port: u64, place: &'static str },
    /// Said by the test, or by a fault.
    Said(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Syn,
    SynAck,
    Data,
    Fin,
    Reset,
    /// The answer to a `Syn` that nobody wants.
    Refused,
}

/// No host in particular.
pub(super) const NOBODY: u32 = u32::MAX;

impl Trace {
    pub(super) fn new(keeps: Keeps) -> Self {
        Self {
            hosts: Vec::new(),
            entries: VecDeque::new(),
            flows: BTreeMap::new(),
            connections: BTreeMap::new(),
            keeps,
            bytes: 0,
            forgotten: 0,
            digest: 0x9e37_79b9_7f4a_7c15,
            counted: 0,
        }
    }

    pub(super) fn keep(&mut self, keeps: Keeps) {
        self.keeps = keeps;
        self.trim();
    }

    pub(super) fn keeps_any(&self) -> bool {
        self.keeps != Keeps::Nothing
    }

    pub(super) fn begin_flow(&mut self, number: u32, flow: Flow) {
        if self.keeps_any() {
            self.flows.insert(number, flow);
        }
    }

    /// Something happened. The numbers are what the digest takes of it.
    pub(super) fn note(&mut self, at: Time, host: u32, what: What, bytes: &[u8]) {
        self.digest_entry(at, host, &what, bytes);
        if !self.keeps_any() {
            return;
        }
        if let What::Made { flow, connection } = what {
            self.connections.insert((host, connection), flow);
        }
        self.bytes += bytes.len();
        self.entries.push_back(Entry {
            at,
            host,
            what,
            bytes: bytes.into(),
        });
        self.trim();
    }

    fn trim(&mut self) {
        let (entries, bytes) = match self.keeps {
            Keeps::Nothing => (0, 0),
            Keeps::Last(entries, bytes) => (entries, bytes),
        };
        while self.entries.len() > entries || self.bytes > bytes {
            let Some(entry) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= entry.bytes.len();
            self.forgotten += 1;
        }
    }

    fn digest_entry(&mut self, at: Time, host: u32, what: &What, bytes: &[u8]) {
        self.counted += 1;
        self.mix(at.as_nanos());
        let (kind, number) = match what {
            What::Arrives { flow, packet, .. } => (1 + *packet as u64, u64::from(*flow)),
            What::Lost { flow, .. } => (10, u64::from(*flow)),
            What::Sends { flow, len } => (11, u64::from(*flow) ^ ((*len as u64) << 32)),
            What::Reads { flow } => (12, u64::from(*flow)),
            What::Made { flow, connection } => (13, u64::from(*flow) ^ (connection << 24)),
            What::Calls { connection, place } => (14 + place.len() as u64, *connection),
            What::Said(text) => (40, text.len() as u64),
            What::Datagram { source, to, .. } => (41, ports(*source, *to)),
            What::DatagramLost { source, to, .. } => (42, ports(*source, *to)),
            What::PortCalls { port, place } => (50 + place.len() as u64, *port),
        };
        self.mix(kind << 32 | u64::from(host));
        self.mix(number);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.mix(u64::from_le_bytes(eight));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.mix(u64::from_le_bytes(last) ^ bytes.len() as u64);
    }

    fn mix(&mut self, word: u64) {
        self.digest = (self.digest.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

/// What can be asked.
impl Trace {
    /// A number that stands for everything that has happened, also for what was not kept. Two runs
    /// of one seed have the same; [`Seeds`](super::Seeds) compares them.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// How many things have happened.
    pub fn len(&self) -> u64 {
        self.counted
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.counted == 0
    }

    /// The last so many of what was kept.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.say("one");
    /// net.say("two");
    /// assert!(!net.trace().last(1).to_string().contains("one"));
    /// ```
    #[must_use]
    pub fn last(mut self, entries: usize) -> Self {
        let Keeps::Last(_, bytes) = self.keeps else {
            return self;
        };
        self.keep(Keeps::Last(entries, bytes));
        self
    }

    /// Only what one host did and what arrived there.
    ///
    /// ```
    /// let net = torsade_testing::sim::Sim::new(1);
    /// net.host("ann");
    /// assert_eq!(net.trace().of("ann").to_string(), "");
    /// ```
    #[must_use]
    pub fn of(mut self, host: &str) -> Self {
        let number = self.hosts.iter().position(|(name, _)| name == host);
        self.entries.retain(|entry| {
            let from = match entry.what {
                What::Arrives { from, .. }
                | What::Lost { from, .. }
                | What::Datagram { from, .. }
                | What::DatagramLost { from, .. } => Some(from),
                _ => None,
            };
            number.is_some_and(|number| {
                entry.host == number as u32 || from == Some(number as u32) || entry.host == NOBODY
            })
        });
        self
    }

    pub(super) fn name(&self, host: u32) -> &str {
        self.hosts
            .get(host as usize)
            .map_or("-", |(name, _)| name.as_str())
    }

    fn flow_of(&self, host: u32, connection: u64) -> Option<u32> {
        self.connections.get(&(host, connection)).copied()
    }

    /// One line for each thing that happened, without the host's name and the time.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut read: Option<&Entry> = None;
        for entry in &self.entries {
            // What was read is told together with the callback that it was read for.
            if let (Some(before), What::Calls { place, .. }) = (read, &entry.what)
                && *place == "data_received"
                && before.host == entry.host
                && let What::Reads { flow } = before.what
            {
                lines.push(Line::of(
                    before,
                    format!("#{flow} data_received {}", shown(&before.bytes)),
                ));
                read = None;
                continue;
            }
            if let Some(before) = read.take() {
                lines.extend(self.line(before));
            }
            if matches!(entry.what, What::Reads { .. }) {
                read = Some(entry);
            } else {
                lines.extend(self.line(entry));
            }
        }
        lines.extend(read.and_then(|entry| self.line(entry)));
        lines
    }

    fn line(&self, entry: &Entry) -> Option<Line> {
        let text = match &entry.what {
            What::Arrives {
                flow, from, packet, ..
            } => {
                let from = self.name(*from);
                match packet {
                    Packet::Syn => format!("#{flow} <- {from}: asks for a connection"),
                    Packet::SynAck => format!("#{flow} <- {from}: has taken it"),
                    Packet::Refused => format!("#{flow} <- {from}: refuses"),
                    Packet::Data => format!("#{flow} <- {from}: {}", shown(&entry.bytes)),
                    Packet::Fin => format!("#{flow} <- {from}: the end"),
                    Packet::Reset => format!("#{flow} <- {from}: a reset"),
                }
            }
            What::Lost { flow, from } => {
                format!("#{flow} lost on the way from {}", self.name(*from))
            }
            What::Sends { flow, len } => format!("#{flow} sends {len}"),
            What::Reads { flow } => format!("#{flow} reads {}", shown(&entry.bytes)),
            What::Made { .. } => return None,
            What::Calls { connection, place } => match self.flow_of(entry.host, *connection) {
                Some(flow) => format!("#{flow} {place}"),
                None => (*place).to_owned(),
            },
            What::Datagram { from, source, to } => {
                let (from, bytes) = (self.name(*from), shown(&entry.bytes));
                format!("{to} <- {from} {source}: {bytes}")
            }
            What::DatagramLost { from, source, to } => {
                let from = self.name(*from);
                format!("{to}: a datagram lost on the way from {from} {source}")
            }
            What::PortCalls { place, .. } => (*place).to_owned(),
            What::Said(text) => format!("*** {text}"),
        };
        Some(Line::of(entry, text))
    }
}

/// A line of the table, and what it is about.
pub(super) struct Line {
    pub(super) at: Time,
    pub(super) host: u32,
    /// Whom an arrow comes from.
    pub(super) from: Option<u32>,
    pub(super) text: String,
}

impl Line {
    fn of(entry: &Entry, text: String) -> Self {
        let from = match entry.what {
            What::Arrives { from, .. } | What::Datagram { from, .. } => Some(from),
            _ => None,
        };
        Self {
            at: entry.at,
            host: entry.host,
            from,
            text,
        }
    }
}

/// Both ports of a datagram.
fn ports(source: SocketAddr, to: SocketAddr) -> u64 {
    u64::from(source.port()) << 16 | u64::from(to.port())
}

/// Bytes as text, the first forty of them.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 40;
    let part = &bytes[..bytes.len().min(MOST)];
    let mut text = format!("\"{}\"", part.escape_ascii());
    if bytes.len() > MOST {
        let _ = write!(text, ".. ({} bytes)", bytes.len());
    }
    text
}

/// A moment as people write it: seconds, to the microsecond.
pub(super) fn clock(at: Time) -> String {
    let since = at - Time::ZERO;
    let rest = Duration::from_nanos(u64::from(since.subsec_nanos()));
    format!("{}.{:06}", since.as_secs(), rest.as_micros())
}

/// The table: seconds, host, what happened.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.forgotten > 0 && self.keeps_any() {
            writeln!(f, "({} earlier lines were not kept)", self.forgotten)?;
        }
        let width = self.hosts.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or(1);
        for line in self.lines() {
            let (at, name) = (clock(line.at), self.name(line.host));
            writeln!(f, "{at:>12}  {name:<width$}  {}", line.text)?;
        }
        Ok(())
    }
}
