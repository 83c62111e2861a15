//! What an operation takes with it. Why it is sound is said in the module above.
#![expect(unsafe_code, reason = "a part of the ring's module, see there")]

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ptr;

use socket2::{SockAddr, SockAddrStorage};
use torsade_core::driver::Chunk;

use super::super::file::File;
use super::super::tag::Tag;
use super::arena::Copied;
use super::pool::Filled;

/// An operation under way, and what the kernel needs until it is over.
pub(super) struct Op {
    pub(super) tag: Tag,
    pub(super) generation: NonZeroU32,
    pub(super) load: Load,
}

pub(super) enum Load {
    Nothing,
    Chunk(Box<Chunk>),
    Pieces(Box<Pieces>),
    /// Kept, not looked at: where a connect goes to.
    #[expect(dead_code, reason = "the kernel looks at it")]
    Address(Box<SockAddr>),
    /// What reading a doorbell yields.
    #[expect(dead_code, reason = "the kernel writes it")]
    Heard(Box<[u8; HEARD]>),
    Accepting,
    /// Into the ring's own table, with room for where from.
    AcceptingDirect(Box<From>),
    Receiving,
}

/// Where the kernel writes who was accepted.
pub(super) struct From {
    pub(super) address: SockAddrStorage,
    pub(super) len: libc::socklen_t,
}

/// A chunk of several pieces, with the lists of them that the kernel reads.
pub(super) struct Pieces {
    pub(super) chunk: Box<Chunk>,
    pub(super) slices: [libc::iovec; PIECES],
    pub(super) message: libc::msghdr,
}

/// Bytes of a pipe that are read at once.
pub(super) const HEARD: usize = 64;
/// Pieces of a chunk that are sent at once.
pub(super) const PIECES: usize = 64;

/// The generation of sends of copies. Others have one bit less than there is room for.
const COPY: NonZeroU32 = NonZeroU32::MIN.saturating_add((1 << 31) - 1);

/// Names an operation, to cancel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpId {
    place: u32,
    generation: NonZeroU32,
}

impl OpId {
    /// An operation in the table.
    #[inline(always)]
    pub(super) fn new(place: usize, generation: NonZeroU32) -> Self {
        Self {
            place: place as u32,
            generation,
        }
    }

    /// The send of a copy, by its number.
    #[inline(always)]
    pub(super) fn of_copy(number: u32) -> Self {
        Self {
            place: number,
            generation: COPY,
        }
    }

    /// As the kernel has it. Never [`NOBODY`](super::NOBODY): no generation has all bits.
    #[inline(always)]
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.generation.get()) << 32 | u64::from(self.place)
    }

    /// What [`to_bits`](Self::to_bits) gave; `None` if it was given nothing like that.
    #[inline(always)]
    pub(super) fn from_bits(bits: u64) -> Option<Self> {
        Some(Self {
            place: bits as u32,
            generation: NonZeroU32::new((bits >> 32) as u32)?,
        })
    }

    /// The number of the copy, if it is the send of one.
    #[inline(always)]
    pub(super) fn copy(self) -> Option<u32> {
        (self.generation == COPY).then_some(self.place)
    }

    #[inline(always)]
    pub(super) fn place(self) -> usize {
        self.place as usize
    }

    pub(super) fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The generation of the next operation.
    pub(super) fn after(generation: NonZeroU32) -> NonZeroU32 {
        let next = (generation.get() + 1) & !COPY.get();
        NonZeroU32::new(next).unwrap_or(NonZeroU32::MIN)
    }
}

/// What the kernel says: the usual things by themselves, so that they need not be sorted out from
/// among the others.
#[derive(Debug)]
pub(crate) enum Event {
    /// Bytes of the stream at a place, and whether that was its receive's last word.
    Received(usize, Filled, bool),
    /// What became of the send of a copy, of the stream at a place.
    Sent(usize, Copied, Outcome),
    Other(Completion),
}

/// What came of an operation: an amount, or the number of an error below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome(pub(super) i32);

impl Outcome {
    /// There was no buffer to receive into.
    pub(super) const NO_BUFFERS: Self = Self(-libc::ENOBUFS);

    #[inline(always)]
    pub(crate) fn result(self) -> io::Result<usize> {
        self.amount()
            .ok_or_else(|| io::Error::from_raw_os_error(-self.0))
    }

    /// The same, where it does not matter why it failed.
    #[inline(always)]
    pub(crate) fn amount(self) -> Option<usize> {
        usize::try_from(self.0).ok()
    }
}

/// What the kernel says about an operation that is not a usual one.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) tag: Tag,
    pub(crate) op: OpId,
    /// Whether the operation is over.
    pub(crate) last: bool,
    pub(crate) outcome: Outcome,
    pub(crate) brought: Brought,
}

impl Completion {
    /// Whether it says that a file is ready, and not what was received.
    pub(crate) fn is_readiness(&self) -> bool {
        matches!(
            (self.outcome.amount(), &self.brought),
            (Some(1..), Brought::Nothing)
        )
    }
}

/// What comes with a completion.
#[derive(Debug)]
pub(crate) enum Brought {
    Nothing,
    /// The chunk that was sent, as it was.
    Chunk(Box<Chunk>),
    /// A connection that was accepted, and who it is, if that is in the ring's own table.
    Accepted(File, Option<SocketAddr>),
}

/// How many connections a listener is to accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepts {
    One,
    /// Until it is cancelled or fails.
    All,
    /// One, into the ring's own table, where a place is reserved for it.
    Direct,
}

impl Pieces {
    pub(super) fn new(chunk: Box<Chunk>) -> Box<Self> {
        let nothing = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        let mut pieces = Box::new(Self {
            chunk,
            slices: [nothing; PIECES],
            // SAFETY: all of its fields are numbers and pointers, for which zeroes are nothing.
            message: unsafe { mem::zeroed() },
        });
        let Self {
            chunk,
            slices,
            message,
        } = &mut *pieces;
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(chunk.message()) {
            slice.iov_base = piece.as_ptr().cast_mut().cast();
            slice.iov_len = piece.len();
            filled += 1;
        }
        message.msg_iov = slices.as_mut_ptr();
        message.msg_iovlen = filled;
        pieces
    }
}

impl From {
    pub(super) fn new() -> Self {
        let address = SockAddrStorage::zeroed();
        let len = address.size_of();
        Self { address, len }
    }

    pub(super) fn address(self) -> Option<SocketAddr> {
        // SAFETY: the kernel wrote an address into it and said how long that is; or nothing, and
        // zeroes are an address of no family.
        unsafe { SockAddr::new(self.address, self.len) }.as_socket()
    }
}
