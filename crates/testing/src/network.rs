use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use torsade_core::driver::{Chunk, Close, Closing, Departures, Interest, Sending, Wire};
use torsade_core::{Address, ConnectionId, DatagramOptions, ListenerId, Peer, PortId, UnixAddress};

use crate::end::{End, Side};
use crate::sockets::{Captured, DatagramSocket};

/// What lies between the ends of a world: what a poller watches, and who waits to be accepted.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// Connections that the engine has asked to hear of.
    watched: RefCell<Vec<(ConnectionId, Rc<End>)>>,
    /// Those that connected to a listener and were not accepted yet.
    queued: RefCell<VecDeque<Queued>>,
    /// Those who accept, in the order in which they began.
    listening: RefCell<Vec<Open>>,
    /// How many ports of those that a system gives out were given to listeners and to visitors.
    ports: Cell<u16>,
    visitors: Cell<u16>,
    /// The sockets of the datagram ports.
    sockets: RefCell<Vec<Rc<DatagramSocket>>>,
    /// Set if what they send is the test's to look at.
    captured: RefCell<Option<Captured>>,
    /// Whether closed sockets are to discard what still comes.
    lingers: bool,
}

/// A connection that a listener has not accepted.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) listener: ListenerId,
    pub(crate) end: Rc<End>,
    pub(crate) peer: Peer,
}

impl Network {
    pub(crate) fn new(lingers: bool) -> Self {
        Self {
            lingers,
            ..Self::default()
        }
    }

    /// A port for a listener that asked for any.
    pub(crate) fn next_port(&self) -> u16 {
        /// The first of the ports that systems give out by themselves.
        const FIRST: u16 = 49152;
        let port = FIRST + self.ports.get();
        self.ports.set((self.ports.get() + 1) % (u16::MAX - FIRST));
        port
    }

    /// An address for somebody who comes from elsewhere on this machine.
    pub(crate) fn next_visitor(&self) -> SocketAddr {
        const FIRST: u16 = 40_000;
        const PORTS: u16 = 9_000;
        let number = self.visitors.get();
        self.visitors.set((number + 1) % PORTS);
        SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + number))
    }

    /// An address for who connects to this one.
    pub(crate) fn visitor_of(&self, to: &Address) -> Address {
        match to {
            Address::Unix(_) => UnixAddress::Unnamed.into(),
            _ => self.next_visitor().into(),
        }
    }

    pub(crate) fn listen(&self, id: ListenerId, at: At) {
        self.listening.borrow_mut().push(Open { id, at });
    }

    pub(crate) fn listening(&self) -> Vec<Address> {
        let listening = self.listening.borrow();
        listening
            .iter()
            .map(|open| open.at.address.clone())
            .collect()
    }

    /// Who accepts connections to `address`.
    pub(crate) fn listener_at(&self, address: &Address) -> Option<ListenerId> {
        let listening = self.listening.borrow();
        let found = listening.iter().find(|open| open.at.takes(address));
        found.map(|open| open.id)
    }

    /// Whether a listener has what another one wants.
    pub(crate) fn is_in_use(&self, wanted: &At) -> bool {
        let listening = self.listening.borrow();
        let mut taken = listening.iter().map(|open| &open.at);
        taken.any(|at| at.takes(&wanted.address) || wanted.takes(&at.address))
    }

    /// Something connects.
    pub(crate) fn queue(&self, queued: Queued) {
        self.queued.borrow_mut().push_back(queued);
    }

    /// Whoever has waited longest, at any listener.
    pub(crate) fn next_queued(&self) -> Option<Queued> {
        self.queued.borrow_mut().pop_front()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.borrow().len()
    }

    /// A listener is closed: who waits for it is reset, as a kernel does.
    pub(crate) fn refuse(&self, listener: ListenerId) {
        let mut listening = self.listening.borrow_mut();
        listening.retain(|open| open.id != listener);
        drop(listening);
        self.queued.borrow_mut().retain(|queued| {
            let stays = queued.listener != listener;
            if !stays {
                queued.end.close(Close::Reset);
            }
            stays
        });
    }

    pub(crate) fn watched(&self) -> Vec<(ConnectionId, Rc<End>)> {
        self.watched.borrow().clone()
    }

    /// Whether one of them has something to tell.
    pub(crate) fn has_facts(&self) -> bool {
        let watched = self.watched.borrow();
        watched.iter().any(|(_, end)| end.has_fact())
    }

    /// Forget the ends that the engine is done with.
    pub(crate) fn forget_closed(&self) {
        self.watched.borrow_mut().retain(|(_, end)| end.is_open());
    }

    fn watch(&self, id: ConnectionId, end: &Rc<End>) {
        let mut watched = self.watched.borrow_mut();
        if !watched.iter().any(|(known, _)| *known == id) {
            watched.push((id, Rc::clone(end)));
        }
    }
}

/// Datagram ports.
impl Network {
    /// What they send is the test's from now on.
    pub(crate) fn capture(&self) -> Captured {
        let captured = Captured::default();
        self.captured.replace(Some(Rc::clone(&captured)));
        captured
    }

    pub(crate) fn bind(
        &self,
        wanted: &Address,
        options: &DatagramOptions,
        port: PortId,
    ) -> io::Result<Address> {
        let captured = self.captured.borrow().clone();
        let socket = DatagramSocket::open(wanted, options, Some(port), captured)?;
        let local = socket.local().clone();
        self.sockets.borrow_mut().push(socket);
        Ok(local)
    }

    pub(crate) fn close_port(&self, port: PortId) {
        let mut sockets = self.sockets.borrow_mut();
        sockets.retain(|socket| socket.port() != Some(port));
    }

    pub(crate) fn socket(&self, port: PortId) -> Option<Rc<DatagramSocket>> {
        let sockets = self.sockets.borrow();
        let found = sockets.iter().find(|socket| socket.port() == Some(port));
        found.cloned()
    }

    pub(crate) fn sockets(&self) -> Vec<Rc<DatagramSocket>> {
        self.sockets.borrow().clone()
    }
}

/// Something that listens.
#[derive(Debug)]
struct Open {
    id: ListenerId,
    at: At,
}

/// Where somebody listens, or wants to.
#[derive(Clone, Debug)]
pub(crate) struct At {
    pub(crate) address: Address,
    /// Whether every IPv6 address is every IPv4 address, too.
    pub(crate) dual_stack: bool,
}

impl At {
    /// Whether who connects to `address` gets here, which may be every address.
    fn takes(&self, address: &Address) -> bool {
        let (Some(to), Some(at)) = (address.inet(), self.address.inet()) else {
            return *address == self.address;
        };
        let is_family = at.is_ipv4() == to.is_ipv4() || (self.dual_stack && to.is_ipv4());
        let is_every = at.ip().is_unspecified() && is_family;
        to.port() == at.port() && (to.ip() == at.ip() || is_every)
    }
}

/// The engine's hold on an end: closed when it is dropped, as a socket is.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) Rc<End>);

impl Drop for Socket {
    fn drop(&mut self) {
        if self.0.is_open() {
            self.0.close(Close::Plain);
        }
    }
}

/// A driver whose sockets are [`End`]s.
#[derive(Debug)]
pub(crate) struct EndWire(pub(crate) Rc<Network>);

impl Wire<Socket> for EndWire {
    fn send(&mut self, socket: &mut Socket, _: ConnectionId, mut chunk: Box<Chunk>) -> Sending {
        match socket.0.send(&mut chunk) {
            Ok(()) => Sending::Done(chunk),
            Err(error) => Sending::Failed(chunk, error),
        }
    }

    fn send_lent(&mut self, socket: &mut Socket, _: ConnectionId, bytes: &[u8]) -> usize {
        socket.0.accept(std::iter::once(bytes)).unwrap_or(0)
    }

    fn interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        self.0.watch(id, &socket.0);
        socket.0.set_interest(interest);
    }

    fn shutdown(&mut self, socket: &mut Socket, _: ConnectionId) {
        socket.0.end_output(Side::Ended);
    }

    fn close(&mut self, socket: Socket, _: ConnectionId, how: Close) -> Closing {
        match how {
            Close::Linger if !self.0.lingers => socket.0.close(Close::Plain),
            how => socket.0.close(how),
        }
        Closing::Closed
    }

    fn accept(&mut self, listener: ListenerId) -> Option<(Socket, Peer)> {
        let mut queued = self.0.queued.borrow_mut();
        let place = queued.iter().position(|it| it.listener == listener)?;
        let Queued { end, peer, .. } = queued.remove(place)?;
        Some((Socket(end), peer))
    }

    fn send_datagrams(&mut self, port: PortId, departures: &mut Departures) {
        if let Some(socket) = self.0.socket(port) {
            socket.send(departures);
        }
    }

    fn port_interest(&mut self, port: PortId, interest: Interest) {
        if let Some(socket) = self.0.socket(port) {
            socket.want(interest);
        }
    }

    fn unsent(&mut self, socket: &Socket) -> Option<usize> {
        Some(socket.0.outgoing())
    }
}
