//! What an engine asks of its driver.
//!
//! Hot requests are static calls on [`Wire`]; rare ones are polled as [`Op`]s. Neither ever calls
//! back: what comes of them is told to the engine as a fact, by one of its methods.

use std::io;
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::datagram::Departures;
use crate::{Address, AttemptId, ConnectionId, Descriptor, ListenerId, LookupId, Peer, PortId};

/// The driver's side of the hot path: bytes out, interest, closing.
///
/// `S` is the driver's socket. The engine keeps it in the connection's slot, lends it here and
/// gives it back in [`close`](Self::close), so that a fact needs a single look-up.
///
/// A readiness driver sends at once and answers [`Sending::Done`]; a completion driver keeps the
/// chunk, answers [`Sending::Pending`], and brings it back with `Engine::sent`. Nothing of the
/// engine stays borrowed meanwhile.
pub trait Wire<S> {
    /// Send from the front of `chunk`, with [`Chunk::advance`] for what went.
    fn send(&mut self, socket: &mut S, id: ConnectionId, chunk: Box<Chunk>) -> Sending;

    /// Send at once what can be sent of bytes that stay where they are, and return how many went.
    ///
    /// Called with bytes of the delivery being made that its connection wrote back, so that an
    /// echo costs no copy. What does not go, for want of room or because of an error, comes as a
    /// chunk. A completion driver, which cannot send at once, leaves it at that, and may
    /// [`keep_lent`](Self::keep_lent) them.
    fn send_lent(&mut self, socket: &mut S, id: ConnectionId, bytes: &[u8]) -> usize {
        let _ = (socket, id, bytes);
        0
    }

    /// Whether the driver, which cannot send at once, [keeps](Self::keep_lent) copies of bytes that
    /// stay where they are only for a moment.
    fn keeps(&self, socket: &S) -> bool {
        let _ = socket;
        false
    }

    /// Copy these bytes to send them, and tell `Engine::sent_kept` what became of that. If not, they
    /// come as a chunk. Asked for where [`keeps`](Self::keeps) says so, instead of
    /// [`send_lent`](Self::send_lent) for what a delivery wrote back, and only while the driver has
    /// nothing of this connection.
    ///
    /// That costs less than a chunk, which goes from the engine to the driver and back.
    fn keep_lent(&mut self, socket: &mut S, id: ConnectionId, bytes: &[u8]) -> bool {
        let _ = (socket, id, bytes);
        false
    }

    /// Which ways bytes go through a socket. Asked when it is a connection's for the first time.
    fn ways(&self, socket: &S) -> Ways {
        let _ = socket;
        Ways::Both
    }

    /// Whether bytes may be sent with [`send_lent`](Self::send_lent) and read with what
    /// `Engine::readable` is given, which is the short way. Where they may not, every output comes
    /// as a chunk and the engine reads with [`receive`](Self::receive).
    ///
    /// So a driver whose usual socket is of one kind need not look which it is on the short way. It
    /// may be called with lent bytes all the same, and sends none of them.
    fn takes_short_way(&self, socket: &S) -> bool {
        let _ = socket;
        true
    }

    /// Whether descriptors that come with the bytes are wanted from now on. Called only when that
    /// changes. Where they are, the engine reads with [`receive`](Self::receive).
    fn pass_descriptors(&mut self, socket: &mut S, id: ConnectionId, wanted: bool) {
        let _ = (socket, id, wanted);
    }

    /// Read once into `buffer`, with the descriptors that come along, which `descriptors` has room
    /// for. Asked for in `Engine::readable`, instead of the read that it was given, where
    /// descriptors are wanted or the socket does not take the short way.
    ///
    /// # Errors
    /// The system's. One that says that descriptors were lost ends the connection.
    fn receive(
        &mut self,
        socket: &mut S,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        let _ = (socket, buffer, descriptors);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// From now on these events of the socket are wanted. Called only when they change; the first
    /// call for a socket is what registers it. With neither wanted a readiness driver takes the
    /// socket out of its poller, because a level-triggered hang-up would be reported for ever.
    fn interest(&mut self, socket: &mut S, id: ConnectionId, interest: Interest);

    /// Everything was sent: end our side of the stream, keep reading.
    fn shutdown(&mut self, socket: &mut S, id: ConnectionId);

    /// The engine is done with the socket.
    ///
    /// A driver that must wait for the kernel answers [`Closing::Pending`] and tells
    /// `Engine::closed` later; the connection's loss waits for it.
    fn close(&mut self, socket: S, id: ConnectionId, how: Close) -> Closing;

    /// A connection that waits in the system's queue of a listener, without waiting for one.
    ///
    /// Asked for by a stop, which serves those who got as far as the queue before it closes the
    /// listener. What else is accepted is told with `Engine::accepted`.
    fn accept(&mut self, listener: ListenerId) -> Option<(S, Peer)> {
        let _ = listener;
        None
    }

    /// Send datagrams from the front of `departures`, saying of each what became of it, until all
    /// have gone or the kernel has no room. Then the rest waits for `Engine::datagram_writable`.
    ///
    /// An error is that of one datagram, and never the port's end.
    fn send_datagrams(&mut self, port: PortId, departures: &mut Departures) {
        let _ = (port, departures);
    }

    /// From now on these events of a port's socket are wanted: input, until this says otherwise.
    fn port_interest(&mut self, port: PortId, interest: Interest) {
        let _ = (port, interest);
    }

    /// Bytes that the kernel holds and the peer has not acknowledged, where the system tells.
    /// Asked once when a flush deadline strikes, to see progress that no writability shows.
    fn unsent(&mut self, socket: &S) -> Option<usize>;
}

/// Which ways bytes go through a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// They come and go.
    Both,
    /// They only come: the connection begins as one whose output has ended.
    In,
    /// They only go: the end of its output is the end of the connection.
    Out,
}

/// What became of [`Wire::send`].
#[derive(Debug)]
pub enum Sending {
    /// The kernel took what it could; the rest of the chunk waits for `Engine::writable`.
    Done(Box<Chunk>),
    /// The driver keeps the chunk until it tells `Engine::sent`.
    Pending,
    /// The kernel refused. The chunk comes back to be dropped.
    Failed(Box<Chunk>, io::Error),
}

/// How a socket is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The peer has ended too: nothing unread can be left, close plainly.
    Plain,
    /// Send the end, then keep the bare descriptor for a while, reading and discarding: closing
    /// a socket that has unread input makes the kernel reset it and destroy the reply on its way.
    Linger,
    /// Reset: drop what the kernel still holds.
    Reset,
}

/// Whether a close is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The socket is gone, or lingers without its connection.
    Closed,
    /// The driver tells `Engine::closed` when it is.
    Pending,
}

/// Which events of a socket the engine wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interest {
    /// Bytes or the end of them.
    pub readable: bool,
    /// Room for output that is held back.
    pub writable: bool,
}

/// A rare request, polled with `Engine::poll_op`.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Connect a new socket; answer with `Engine::connected` or `Engine::connect_failed`.
    Connect {
        /// Names the attempt in the answer.
        attempt: AttemptId,
        /// Where to.
        address: Address,
        /// Where from; anywhere if that is not said.
        local: Option<Address>,
    },
    /// Forget the attempt and its socket; no answer.
    CancelConnect {
        /// The attempt to forget.
        attempt: AttemptId,
    },
    /// Find the addresses of a name, in the order in which to try them, and answer with
    /// [`resolved`](crate::driver::resolved).
    Resolve {
        /// Names the look-up in the answer.
        lookup: LookupId,
        /// A name that a host could have; not `localhost`, no address.
        name: Arc<str>,
    },
    /// Nobody waits for the look-up any more; no answer, but one is no mistake.
    CancelResolve {
        /// The look-up to forget.
        lookup: LookupId,
    },
    /// Everything is closed after a stop: leave the loop.
    Stop,
}
