use std::collections::VecDeque;
use std::io;

use torsade_core::ConnectionId;
use torsade_core::driver::{Interest, Ways};

use super::file::File;
use super::ring::{Filled, OpId, Outcome, Ring};
use crate::pipes::Pipes;

/// One socket that bytes go through, see [`Streams`](super::streams::Streams).
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` once it is closing: then only its operations have it.
    pub(super) file: Option<File>,
    pub(super) owner: Owner,
    pub(super) receiving: Receiving,
    /// Whether it is read without the ring, which only says then that there is something to read:
    /// where descriptors are wanted, and of pipes.
    pub(super) passes: bool,
    pub(super) sending: Option<OpId>,
    /// Whether its owner wants input now.
    pub(super) wants: bool,
    pub(super) output: Output,
    /// The turn in which it last had input, and how much that was.
    pub(super) turn: u32,
    pub(super) taken: u32,
    pub(super) held: Option<Box<Held>>,
    /// Whether it is in the list of those that may be told what was held.
    pub(super) is_due: bool,
    /// By itself, because every connection has one of these.
    pub(super) apart: Option<Box<Apart>>,
}

/// What few streams need.
#[derive(Debug, Default)]
pub(super) struct Apart {
    pub(super) ending: Option<OpId>,
    /// Waits for room for output.
    pub(super) polling: Polling,
    /// Whether its owner has output that found no room.
    pub(super) wants_room: bool,
    /// What is special of pipes, if these are some.
    pub(super) piped: Option<Piped>,
}

impl Apart {
    /// Wait for room no more.
    pub(super) fn end_polling(&mut self, ring: &Ring) {
        if let Polling::UnderWay(op) = self.polling {
            ring.cancel(op);
            self.polling = Polling::Cancelled;
        }
    }
}

/// What a stream of pipes has beside the first of them.
#[derive(Debug)]
pub(super) struct Piped {
    /// What is written to, if that is not what is read from.
    pub(super) output: Option<File>,
    pub(super) pipes: Pipes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Connection(ConnectionId),
    /// By its number.
    Lingering(u64),
    /// Whom to tell, if anybody.
    Closing(Option<ConnectionId>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    No,
    UnderWay(OpId),
    /// It is to end; until its last completion comes, there is no other.
    Cancelled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Polling {
    #[default]
    No,
    UnderWay(OpId),
    /// As with receiving.
    Cancelled,
}

/// What a poll says when sending is worth a try: room, or an error.
pub(super) const ROOM: usize = (libc::POLLOUT | libc::POLLERR | libc::POLLHUP) as usize;

/// How sends of a stream end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// It never sent.
    Untried,
    /// The last one took everything at once.
    Flows,
    /// The last one took a part: the peer is slow, and the next waits for room.
    Blocked,
}

/// What came and could not be told.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What came while nobody wanted it, copied out of the ring's buffers: those are for everybody.
    pub(super) copied: Vec<u8>,
    /// What came behind it and is wanted, but not in this turn.
    pub(super) filled: VecDeque<Filled>,
    pub(super) end: Option<End>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.copied.is_empty() && self.filled.is_empty() && self.end.is_none()
    }

    /// Let the ring have its buffers back.
    pub(super) fn copy(&mut self) {
        for filled in self.filled.drain(..) {
            self.copied.extend_from_slice(&filled);
        }
    }
}

/// Buffers that one connection may keep of those that are for everybody.
pub(super) const KEPT: usize = 8;

#[derive(Debug)]
pub(crate) enum End {
    Ended,
    Failed(io::Error),
}

impl Stream {
    /// One that nothing was asked of.
    pub(super) fn new(file: File, owner: Owner) -> Self {
        Self {
            file: Some(file),
            owner,
            receiving: Receiving::No,
            passes: false,
            sending: None,
            wants: false,
            output: Output::Untried,
            turn: 0,
            taken: 0,
            held: None,
            is_due: false,
            apart: None,
        }
    }

    pub(super) fn piped(&self) -> Option<&Piped> {
        self.apart.as_ref()?.piped.as_ref()
    }

    pub(super) fn piped_mut(&mut self) -> Option<&mut Piped> {
        self.apart.as_mut()?.piped.as_mut()
    }

    /// So many bytes of its share were told.
    #[inline(always)]
    pub(super) fn took(&mut self, bytes: usize) {
        // A buffer has fewer.
        self.taken = self.taken.saturating_add(bytes as u32);
    }

    /// What is written to.
    pub(super) fn output(&self) -> Option<&File> {
        match self.piped() {
            Some(piped) if piped.pipes.ways() != Ways::Out => piped.output.as_ref(),
            _ => self.file.as_ref(),
        }
    }

    /// Whether these are pipes whose output is broken.
    pub(super) fn is_broken(&self) -> bool {
        self.piped().is_some_and(|piped| piped.pipes.is_broken())
    }

    /// What a poll for input asks for. Of what is only written to it is nothing: that it is broken
    /// is said unasked, and what a terminal may have is not ours.
    pub(super) fn poll_for_input(&self) -> Interest {
        Interest {
            readable: self
                .piped()
                .is_none_or(|piped| piped.pipes.ways() != Ways::Out),
            writable: false,
        }
    }

    /// Whether its owner is told at once what comes now.
    #[inline(always)]
    pub(super) fn tells(&mut self, turn: u32, share: usize) -> bool {
        self.wants && self.held.is_none() && self.left(turn, share) > 0
    }

    /// How many bytes it may still have in this turn.
    #[inline(always)]
    pub(super) fn left(&mut self, turn: u32, share: usize) -> usize {
        if self.turn != turn {
            (self.turn, self.taken) = (turn, 0);
        }
        share.saturating_sub(self.taken as usize)
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.receiving == Receiving::No
            && self.sending.is_none()
            && self
                .apart
                .as_ref()
                .is_none_or(|apart| apart.ending.is_none() && apart.polling == Polling::No)
    }
}

/// What a receive brings.
pub(super) enum Input {
    Bytes(Filled),
    End(End),
}

impl End {
    /// What a receive says that has brought no bytes. `None` if it says nothing but that there
    /// should be another.
    pub(super) fn read(outcome: Outcome) -> Option<Self> {
        match outcome.result() {
            Ok(0) => Some(Self::Ended),
            Ok(_) => None,
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS | libc::ECANCELED | libc::EINTR | libc::EAGAIN) => None,
                _ => Some(Self::Failed(error)),
            },
        }
    }
}
