use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use torsade_core::driver::{Chunk, Close, Closing, Departures, Interest, Sending, Ways, Wire};
use torsade_core::{
    Address, AttemptId, ConnectionId, Descriptor, Limits, ListenerId, Peer, PortId, Time,
};

use super::connecting::Connecting;
use super::file::File;
use super::host::RingHost;
use super::registrar::Registrar;
use super::ring::Ring;
use super::streams::{Socket, Streams};
use super::tag::Tag;
use crate::accepting::{Accepted, Accepting, Lingers, is_for_descriptors};
use crate::passing;
use crate::socket;
use crate::system::earlier;
use crate::watches::Watches;

/// Everything between the engine and the ring.
#[derive(Debug)]
pub(crate) struct RingSystem {
    pub(crate) ring: Rc<Ring>,
    pub(crate) host: Rc<RingHost>,
    pub(crate) streams: Streams,
    pub(crate) connecting: Connecting,
    pub(crate) accepting: Accepting<RingHost>,
    pub(crate) registrar: Registrar,
    pub(crate) watches: Rc<Watches>,
    /// Attempts that ended as they began, of which the engine is to be told.
    pub(crate) ended: VecDeque<(AttemptId, io::Result<(Socket, Peer)>)>,
}

impl RingSystem {
    pub(crate) fn new(
        ring: Rc<Ring>,
        host: Rc<RingHost>,
        registrar: Registrar,
        limits: &Limits,
    ) -> Self {
        Self {
            streams: Streams::new(&ring, limits),
            connecting: Connecting::new(&ring),
            accepting: Accepting::new(Rc::clone(&host), limits),
            watches: Rc::clone(&host.watches),
            registrar,
            ended: VecDeque::new(),
            host,
            ring,
        }
    }

    /// Ask for one connection.
    pub(crate) fn accept(&mut self, listener: ListenerId) -> Accepted<Socket> {
        self.accepting.accept(listener, &mut self.streams)
    }

    /// Begin to connect. If descriptors are short, sockets that only linger go first.
    pub(crate) fn connect(
        &mut self,
        attempt: AttemptId,
        address: &Address,
        local: Option<&Address>,
    ) {
        let mut begun = self.connecting.begin(attempt, address, local);
        if matches!(&begun, Err(error) if is_for_descriptors(error)) && self.streams.give_way() {
            begun = self.connecting.begin(attempt, address, local);
        }
        let ended = match begun {
            Ok(None) => return,
            Ok(Some(made)) => Ok(made),
            Err(error) => Err(error),
        };
        self.ended.push_back((attempt, ended));
    }

    /// When something of the driver's own is due.
    pub(crate) fn deadline(&self) -> Option<Time> {
        earlier(self.accepting.deadline(), self.streams.deadline())
    }

    /// Do what is due.
    pub(crate) fn strike(&mut self) {
        if self.deadline().is_none() {
            return;
        }
        let now = self.host.clock.now();
        self.streams.expire(now);
        self.accepting.expire(now);
    }

    /// Whether nothing is to be done but to wait for the ring.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.has_work() && !self.accepting.is_waiting() && self.ring.reaped() == 0
    }

    /// Whether there is something to tell without any wait.
    pub(crate) fn has_work(&self) -> bool {
        !self.ended.is_empty()
            || self.streams.due() > 0
            || self.host.listeners.due() > 0
            || !self.host.standing.is_empty()
    }
}

impl Wire<Socket> for RingSystem {
    #[inline]
    fn send(&mut self, socket: &mut Socket, id: ConnectionId, chunk: Box<Chunk>) -> Sending {
        let place = self.streams.place(socket, id);
        self.streams.send(place, chunk)
    }

    #[inline(always)]
    fn keeps(&self, _: &Socket) -> bool {
        true
    }

    #[inline(always)]
    fn keep_lent(&mut self, socket: &mut Socket, _: ConnectionId, bytes: &[u8]) -> bool {
        match socket {
            Socket::Placed(place) => self.streams.send_copy(*place, bytes),
            // Nothing was asked of it yet: it cannot have had a delivery. Pipes are written to
            // without the ring.
            Socket::New(_) | Socket::NewPipes(_) | Socket::PlacedPipes(_) => false,
        }
    }

    fn takes_short_way(&self, socket: &Socket) -> bool {
        matches!(socket, Socket::New(_) | Socket::Placed(_))
    }

    fn ways(&self, socket: &Socket) -> Ways {
        match socket {
            Socket::New(_) | Socket::Placed(_) => Ways::Both,
            Socket::NewPipes(pipes) => pipes.ways(),
            Socket::PlacedPipes(place) => self.streams.ways(*place),
        }
    }

    fn pass_descriptors(&mut self, socket: &mut Socket, id: ConnectionId, wanted: bool) {
        let place = self.streams.place(socket, id);
        self.streams.pass_descriptors(place, wanted);
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        let file = match socket {
            Socket::New(file) => Some(&*file),
            Socket::Placed(place) => self.streams.file(*place),
            Socket::PlacedPipes(place) => {
                let received = self.streams.receive_from_pipe(*place, buffer);
                return received.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()));
            }
            Socket::NewPipes(_) => None,
        };
        let socket = file.and_then(File::descriptor);
        let socket = socket.ok_or(io::ErrorKind::Unsupported)?;
        passing::receive(socket, buffer, descriptors)
    }

    fn interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        let place = self.streams.place(socket, id);
        self.streams.want(place, interest.readable);
        self.streams.want_room(place, interest.writable);
    }

    fn shutdown(&mut self, socket: &mut Socket, id: ConnectionId) {
        // It fails if the peer reset the connection, which reading tells better.
        let place = self.streams.place(socket, id);
        let _ = self.streams.shutdown(place);
    }

    fn close(&mut self, socket: Socket, id: ConnectionId, how: Close) -> Closing {
        let now = self.host.clock.now();
        let closing = self.streams.close(socket, id, how, now);
        if closing == Closing::Closed {
            self.accepting.relieve();
        }
        closing
    }

    fn accept(&mut self, listener: ListenerId) -> Option<(Socket, Peer)> {
        // What the kernel accepted is in the ring, and what it did not is fetched.
        self.host.listeners.rest(listener);
        self.ring.take_out(
            |tag| tag == Tag::Listener(listener),
            |completion| self.host.listeners.came(listener, completion),
        );
        self.accepting.accept_last(listener, &mut self.streams)
    }

    fn send_datagrams(&mut self, port: PortId, departures: &mut Departures) {
        self.host.ports.send(port, departures);
    }

    fn port_interest(&mut self, port: PortId, interest: Interest) {
        // Only the first time can it fail, and that was told.
        let _ = self.host.ports.want(port, interest);
    }

    fn unsent(&mut self, socket: &Socket) -> Option<usize> {
        let file = match socket {
            Socket::New(file) => file,
            Socket::Placed(place) => self.streams.file(*place)?,
            Socket::NewPipes(_) | Socket::PlacedPipes(_) => return None,
        };
        socket::unsent(file.descriptor()?)
    }
}
