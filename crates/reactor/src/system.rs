use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use socket2::Socket;
#[cfg(unix)]
use torsade_core::Descriptor;
#[cfg(unix)]
use torsade_core::driver::Ways;
use torsade_core::driver::{Chunk, Close, Closing, Departures, Interest, Sending, Wire};
use torsade_core::{Address, AttemptId, ConnectionId, Limits, ListenerId, Peer, PortId, Time};

use crate::accepting::{Accepted, Accepting, Lingers, is_for_descriptors};
use crate::connecting::Connecting;
use crate::host::SystemHost;
use crate::linger::Lingering;
#[cfg(unix)]
use crate::passing;
#[cfg(unix)]
use crate::pipes;
use crate::poller::Poller;
use crate::socket::{Registered, unsent};
use crate::token::Token;
use crate::transfer;
#[cfg(unix)]
use crate::watches::Watches;

/// Everything between the engine and the system but the engine's own connections, whose sockets
/// lie in the engine.
#[derive(Debug)]
pub(crate) struct System<P: Poller> {
    pub(crate) poller: P,
    pub(crate) host: Rc<SystemHost<P>>,
    pub(crate) connecting: Connecting<P>,
    pub(crate) lingering: Lingering<P>,
    pub(crate) accepting: Accepting<SystemHost<P>>,
    #[cfg(unix)]
    pub(crate) watches: Rc<Watches>,
    /// What the engine is to be told in the next turn.
    pub(crate) answers: VecDeque<Answer<P>>,
}

/// A fact that came up where none could be told.
#[derive(Debug)]
pub(crate) enum Answer<P: Poller> {
    /// The attempt succeeded as it began.
    Connected(AttemptId, Registered<P>, Peer),
    /// The attempt failed before it began.
    ConnectFailed(AttemptId, io::Error),
    /// The poller refused the connection's socket: it would never be heard of again.
    Unwatched(ConnectionId, io::Error),
    /// The connection's output is broken, and its input is over when what had come is read.
    Broken(ConnectionId),
    /// The poller refused a datagram port's socket. It may be heard of again when it wants
    /// something else.
    Deaf(PortId, io::Error),
}

impl<P: Poller> System<P> {
    pub(crate) fn new(poller: &P, host: Rc<SystemHost<P>>, limits: &Limits) -> Self {
        Self {
            poller: poller.clone(),
            accepting: Accepting::new(Rc::clone(&host), limits),
            #[cfg(unix)]
            watches: Rc::clone(&host.watches),
            host,
            connecting: Connecting::new(poller),
            lingering: Lingering::new(limits),
            answers: VecDeque::new(),
        }
    }

    /// Ask for one connection.
    pub(crate) fn accept(&mut self, listener: ListenerId) -> Accepted<Registered<P>> {
        self.accepting.accept(listener, &mut self.lingering)
    }

    /// Begin to connect. If descriptors are short, sockets that only linger go first.
    pub(crate) fn connect(
        &mut self,
        attempt: AttemptId,
        address: &Address,
        local: Option<&Address>,
    ) {
        let mut begun = self.connecting.begin(attempt, address, local);
        if matches!(&begun, Err(error) if is_for_descriptors(error)) && self.lingering.give_way() {
            begun = self.connecting.begin(attempt, address, local);
        }
        self.answers.push_back(match begun {
            Ok(None) => return,
            Ok(Some((socket, peer))) => Answer::Connected(attempt, socket, peer),
            Err(error) => Answer::ConnectFailed(attempt, error),
        });
    }

    /// Whether there is nothing to do here but what the engine asks for, or what is due.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.has_answers() && !self.accepting.is_waiting()
    }

    /// Whether there is something to tell without any wait.
    pub(crate) fn has_answers(&self) -> bool {
        #[cfg(unix)]
        if !self.host.standing.is_empty() {
            return true;
        }
        !self.answers.is_empty()
    }

    /// When something of the driver's own is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        earlier(self.accepting.deadline(), self.lingering.deadline())
    }

    /// Do what is due.
    pub(crate) fn strike(&mut self) {
        if self.deadline().is_none() {
            return;
        }
        let now = self.host.clock.now();
        self.lingering.expire(now);
        self.accepting.expire(now);
    }
}

/// The earlier of two deadlines, where there are any.
pub(crate) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl<P: Poller> Wire<Registered<P>> for System<P> {
    #[inline(always)]
    fn send(
        &mut self,
        socket: &mut Registered<P>,
        #[cfg_attr(not(unix), expect(unused_variables, reason = "there are no pipes"))]
        id: ConnectionId,
        mut chunk: Box<Chunk>,
    ) -> Sending {
        #[cfg(unix)]
        if !socket.is_socket() {
            return self.send_to_pipe(socket, id, chunk);
        }
        match send(socket.socket(), &mut chunk) {
            Ok(()) => Sending::Done(chunk),
            Err(error) => {
                // Not every error is the connection's end for the kernel. With this it is: what
                // has come is still read, and then an end, here and there.
                let _ = socket.socket().shutdown(Shutdown::Both);
                Sending::Failed(chunk, error)
            }
        }
    }

    #[inline(always)]
    fn send_lent(&mut self, socket: &mut Registered<P>, _id: ConnectionId, bytes: &[u8]) -> usize {
        // Whatever is wrong is found out by the send of the chunk that follows.
        transfer::send(socket.socket(), bytes).unwrap_or(0)
    }

    #[inline]
    fn takes_short_way(&self, socket: &Registered<P>) -> bool {
        socket.is_socket()
    }

    #[cfg(unix)]
    fn ways(&self, socket: &Registered<P>) -> Ways {
        socket.ways()
    }

    #[cfg(unix)]
    fn receive(
        &mut self,
        socket: &mut Registered<P>,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        if let Some((input, piped)) = socket.piped() {
            return piped.pipes.receive(input, buffer);
        }
        passing::receive(socket.socket(), buffer, descriptors)
    }

    fn interest(&mut self, socket: &mut Registered<P>, id: ConnectionId, interest: Interest) {
        if let Err(error) = socket.want(Token::Connection(id), interest) {
            // So that output, too, finds the connection broken.
            let _ = socket.socket().shutdown(Shutdown::Both);
            #[cfg(unix)]
            if let Some((_, piped)) = socket.piped() {
                piped.pipes.give_up();
                piped.close_output();
            }
            self.answers.push_back(Answer::Unwatched(id, error));
        }
        #[cfg(unix)]
        if let Some((_, piped)) = socket.piped()
            && piped.pipes.is_broken()
        {
            self.answers.push_back(Answer::Broken(id));
        }
    }

    fn shutdown(&mut self, socket: &mut Registered<P>, _id: ConnectionId) {
        #[cfg(unix)]
        if let Some((_, piped)) = socket.piped() {
            return piped.close_output();
        }
        // It fails if the peer reset the connection, which reading tells better.
        let _ = socket.socket().shutdown(Shutdown::Write);
    }

    fn close(&mut self, mut socket: Registered<P>, id: ConnectionId, how: Close) -> Closing {
        #[cfg(unix)]
        if let Some((_, piped)) = socket.piped() {
            piped.pipes.close(how);
        }
        match how {
            Close::Plain => {}
            // Pipes have no reset, and nothing on its way that unread input would destroy.
            _ if !socket.is_socket() => {}
            Close::Reset => {
                let _ = socket.socket().set_linger(Some(Duration::ZERO));
            }
            Close::Linger => {
                // If the end cannot be sent, there is nothing on its way that could be saved.
                if socket.socket().shutdown(Shutdown::Write).is_ok() {
                    self.lingering.add(id, socket, self.host.clock.now());
                }
            }
        }
        self.accepting.relieve();
        Closing::Closed
    }

    fn accept(&mut self, listener: ListenerId) -> Option<(Registered<P>, Peer)> {
        self.accepting.accept_last(listener, &mut self.lingering)
    }

    fn send_datagrams(&mut self, port: PortId, departures: &mut Departures) {
        self.host.ports.send(port, departures);
    }

    fn port_interest(&mut self, port: PortId, interest: Interest) {
        if let Err(error) = self.host.ports.want(port, interest) {
            self.answers.push_back(Answer::Deaf(port, error));
        }
    }

    fn unsent(&mut self, socket: &Registered<P>) -> Option<usize> {
        unsent(socket.socket())
    }
}

#[cfg(unix)]
impl<P: Poller> System<P> {
    #[cold]
    fn send_to_pipe(
        &mut self,
        socket: &mut Registered<P>,
        id: ConnectionId,
        mut chunk: Box<Chunk>,
    ) -> Sending {
        match pipes::write(socket.output(), &mut chunk) {
            Ok(()) => Sending::Done(chunk),
            Err(mut error) => {
                if let Some((input, piped)) = socket.piped() {
                    error = piped.pipes.broke(input, error);
                    self.answers.push_back(Answer::Broken(id));
                }
                Sending::Failed(chunk, error)
            }
        }
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
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if transfer::is_for_later(&error) => return Ok(()),
            Err(error) => return Err(error),
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
    #[cfg(unix)]
    if !chunk.descriptors().is_empty() {
        return (offered, passing::send(socket, chunk));
    }
    (
        offered,
        socket.send_vectored_with_flags(slices, transfer::NO_SIGNAL),
    )
}
