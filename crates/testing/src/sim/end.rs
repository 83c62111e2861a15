use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use torsade_core::driver::Interest;
use torsade_core::{AttemptId, ConnectionId, Descriptor, Time};

use super::links::Links;
use super::slab::Key;

/// One end of a connection, as the kernel of its host has it.
///
/// Bytes lie in `out` until they arrive at the peer's `input`: the first `flying` of them are on
/// their way. So what a segment carries is looked up when it arrives, and a stream stays in order
/// whatever happens to its segments.
#[derive(Debug)]
pub(crate) struct End {
    pub(super) host: u32,
    /// None until the other side has heard of the connection.
    pub(super) peer: Option<Key>,
    /// Numbers connections, for people.
    pub(super) flow: u32,
    pub(super) opener: bool,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) phase: Phase,
    pub(super) holder: Holder,
    pub(super) connection: Option<ConnectionId>,
    pub(super) interest: Interest,
    /// Whether it is on its host's list of what can be told.
    pub(super) listed: bool,

    pub(super) out: VecDeque<u8>,
    pub(super) flying: usize,
    pub(super) output: Output,
    pub(super) send_buffer: usize,

    pub(super) unread: VecDeque<u8>,
    /// Bytes that the program sent and read so far.
    pub(super) written: u64,
    pub(super) read: u64,
    /// Descriptors on their way to this end, and after how many bytes they are its program's.
    pub(super) passed: VecDeque<(u64, Vec<Descriptor>)>,
    /// Those that came with what was read last.
    pub(super) arrived: Vec<Descriptor>,
    pub(super) input: Input,
    pub(super) receive_buffer: usize,

    /// Nothing arrives before what was sent earlier.
    pub(super) last_arrival: Time,
    /// A segment was lost: the stream waits until it is sent again.
    pub(super) stalled_until: Time,
    pub(super) stuck_since: Option<Time>,
    pub(super) tries: u8,
    /// How often the program handed bytes to the kernel.
    pub(super) sends: usize,
}

/// Whether the other side has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting(Option<AttemptId>),
    Connected,
}

/// Who has the end.
///
/// ```text
///   Program ---close---> Orphan: the kernel sends what is left; what comes is answered by a reset
///      \----linger-----> Lingering: the same, and what comes is discarded
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Program,
    Lingering,
    Orphan,
}

/// Our half of the stream.
///
/// ```text
///   Open --shutdown, close--> Ending --all has flown--> EndFlies --arrived--> Ended
///     \------- a reset, whoever's, or nothing gets through ---------> Broken
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Open,
    Ending,
    EndFlies,
    Ended,
    Broken,
}

/// The peer's half. What arrived before its end stays readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Ended,
    Failed(io::ErrorKind),
}

impl End {
    pub(super) fn new(
        host: u32,
        flow: u32,
        (local, remote): (SocketAddr, SocketAddr),
        links: &Links,
    ) -> Self {
        Self {
            host,
            peer: None,
            flow,
            opener: false,
            local,
            remote,
            phase: Phase::Connected,
            holder: Holder::Program,
            connection: None,
            interest: Interest::default(),
            listed: false,
            out: VecDeque::new(),
            flying: 0,
            output: Output::Open,
            send_buffer: links.send_buffer.max(1),
            unread: VecDeque::new(),
            written: 0,
            read: 0,
            passed: VecDeque::new(),
            arrived: Vec::new(),
            input: Input::Open,
            receive_buffer: links.receive_buffer.max(1),
            last_arrival: Time::ZERO,
            stalled_until: Time::ZERO,
            stuck_since: None,
            tries: 0,
            sends: 0,
        }
    }

    pub(super) fn room(&self) -> usize {
        self.send_buffer.saturating_sub(self.out.len())
    }

    /// Why sending is no use.
    pub(super) fn send_error(&self) -> Option<io::ErrorKind> {
        match (self.input, self.output) {
            (Input::Failed(io::ErrorKind::ConnectionReset), _) => Some(io::ErrorKind::BrokenPipe),
            (Input::Failed(kind), _) => Some(kind),
            (_, Output::Open) => None,
            _ => Some(io::ErrorKind::BrokenPipe),
        }
    }

    pub(super) fn has_input(&self) -> bool {
        !self.unread.is_empty() || self.input != Input::Open
    }

    /// Whether a poller would say so: a third is free, or sending fails.
    pub(super) fn is_writable(&self) -> bool {
        self.room() >= self.send_buffer.div_ceil(3) || self.send_error().is_some()
    }

    /// Bytes that are in the send buffer only.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.flying
    }

    /// How much may be sent to this end, so much being on its way to it.
    pub(super) fn window(&self, flying: usize) -> usize {
        if self.holder == Holder::Program {
            let taken = self.unread.len() + flying;
            self.receive_buffer.saturating_sub(taken)
        } else {
            usize::MAX
        }
    }

    /// Whether the kernel, too, has no use for it any more.
    pub(super) fn is_over(&self) -> bool {
        if self.holder == Holder::Program {
            return false;
        }
        match self.output {
            Output::Broken => self.flying == 0,
            Output::Ended => self.input != Input::Open,
            Output::Open | Output::Ending | Output::EndFlies => false,
        }
    }
}
