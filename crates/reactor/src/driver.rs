use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use polling::Poller;
use socket2::Socket;
use torsade_core::driver::{Chunk, Close, Closing, Interest, Sending, Wire};
use torsade_core::{AttemptId, ConnectionId, Limits, ListenerId, Peer, Time};

use crate::connecting::Connecting;
use crate::host::SystemHost;
use crate::linger::Lingering;
use crate::listener::Accept;
use crate::socket::Registered;
use crate::token::Token;
use crate::transfer;

/// Everything between the engine and the system but the engine's own connections, whose sockets
/// lie in the engine.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) poller: Arc<Poller>,
    pub(crate) host: Rc<SystemHost>,
    pub(crate) connecting: Connecting,
    pub(crate) lingering: Lingering,
    /// Listeners that rest, and until when; the first to come back is in front.
    resting: VecDeque<(Time, ListenerId)>,
    /// What the engine is to be told in the next turn.
    pub(crate) answers: VecDeque<Answer>,
}

/// A fact that came up where none could be told.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The attempt failed before it began.
    ConnectFailed(AttemptId, io::Error),
    /// The poller refused the connection's socket: it would never be heard of again.
    Unwatched(ConnectionId, io::Error),
}

/// A listener that failed for want of something comes back after this long.
const REST: Duration = Duration::from_secs(1);

impl Driver {
    pub(crate) fn new(poller: &Arc<Poller>, host: Rc<SystemHost>, limits: &Limits) -> Self {
        Self {
            poller: Arc::clone(poller),
            host,
            connecting: Connecting::new(poller),
            lingering: Lingering::new(limits),
            resting: VecDeque::new(),
            answers: VecDeque::new(),
        }
    }

    /// Accept one connection; `Err` says whether to try again at once.
    pub(crate) fn accept(&mut self, listener: ListenerId) -> Result<(Registered, Peer), Again> {
        match self.host.listeners.accept(listener) {
            Accept::Made(socket, peer) => Ok((Registered::new(socket, &self.poller), peer)),
            Accept::Broken => Err(Again::Yes),
            Accept::Empty => Err(Again::No),
            Accept::Failed(_) if self.lingering.len() > 0 => {
                // Sockets that only linger must not keep new ones out.
                self.lingering.clear();
                Err(Again::Yes)
            }
            Accept::Failed(error) => {
                self.rest(listener, &error);
                Err(Again::No)
            }
        }
    }

    fn rest(&mut self, listener: ListenerId, error: &io::Error) {
        self.resting
            .push_back((self.host.clock.now() + REST, listener));
        if let Some(address) = self.host.listeners.rest(listener) {
            log::warn!("cannot accept on {address}: {error}; trying again once a second");
        }
    }

    /// When something of the driver's own is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        let resting = self.resting.front().map(|(until, _)| *until);
        earlier(resting, self.lingering.deadline())
    }

    /// Do what is due.
    pub(crate) fn strike(&mut self) {
        if self.deadline().is_none() {
            return;
        }
        let now = self.host.clock.now();
        self.lingering.expire(now);
        while let Some(&(until, listener)) = self.resting.front()
            && until <= now
        {
            self.resting.pop_front();
            if !self.host.listeners.resume(listener) {
                self.resting.push_back((now + REST, listener));
            }
        }
    }
}

/// Whether an accept that made no connection is worth repeating at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Yes,
    No,
}

/// The earlier of two deadlines, where there are any.
pub(crate) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Wire<Registered> for Driver {
    #[inline(always)]
    fn send(
        &mut self,
        socket: &mut Registered,
        _id: ConnectionId,
        mut chunk: Box<Chunk>,
    ) -> Sending {
        match send(socket.socket(), &mut chunk) {
            Ok(()) => Sending::Done(chunk),
            Err(error) => Sending::Failed(chunk, error),
        }
    }

    #[inline(always)]
    fn send_lent(&mut self, socket: &mut Registered, _id: ConnectionId, bytes: &[u8]) -> usize {
        // Whatever is wrong is found out by the send of the chunk that follows.
        transfer::send(socket.socket(), bytes).unwrap_or(0)
    }

    fn interest(&mut self, socket: &mut Registered, id: ConnectionId, interest: Interest) {
        if let Err(error) = socket.want(Token::Connection(id), interest) {
            // So that output, too, finds the connection broken.
            let _ = socket.socket().shutdown(Shutdown::Both);
            self.answers.push_back(Answer::Unwatched(id, error));
        }
    }

    fn shutdown(&mut self, socket: &mut Registered, _id: ConnectionId) {
        // It fails if the peer reset the connection, which reading tells better.
        let _ = socket.socket().shutdown(Shutdown::Write);
    }

    fn close(&mut self, socket: Registered, _id: ConnectionId, how: Close) -> Closing {
        match how {
            Close::Plain => {}
            Close::Reset => {
                let _ = socket.socket().set_linger(Some(Duration::ZERO));
            }
            Close::Linger => {
                // If the end cannot be sent, there is nothing on its way that could be saved.
                if socket.socket().shutdown(Shutdown::Write).is_ok() {
                    self.lingering.add(socket, self.host.clock.now());
                }
            }
        }
        Closing::Closed
    }

    /// Not told: the call for it has no safe form in the crates used here.
    fn unsent(&mut self, _socket: &Registered) -> Option<usize> {
        None
    }
}

/// Pieces offered to the kernel at once.
const PIECES: usize = 64;

/// Send what the kernel takes: all, or until it has no room.
#[inline(always)]
fn send(socket: &Socket, chunk: &mut Chunk) -> io::Result<()> {
    loop {
        let (offered, result) = match chunk.as_slice() {
            Some(slice) => (slice.len(), transfer::send(socket, slice)),
            None => send_pieces(socket, chunk),
        };
        match result {
            Ok(sent) => {
                chunk.advance(sent);
                if chunk.is_empty() || sent < offered {
                    return Ok(());
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => return Ok(()),
                _ => return Err(error),
            },
        }
    }
}

/// Apart, so that the usual send needs no room for the pieces.
#[inline(never)]
fn send_pieces(socket: &Socket, chunk: &Chunk) -> (usize, io::Result<usize>) {
    let mut slices = [IoSlice::new(&[]); PIECES];
    let filled = chunk.slices(&mut slices);
    let slices = &slices[..filled];
    let offered = slices.iter().map(|slice| slice.len()).sum();
    (
        offered,
        socket.send_vectored_with_flags(slices, transfer::NO_SIGNAL),
    )
}
