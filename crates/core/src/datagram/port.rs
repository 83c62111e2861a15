use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::panic::Location;
use std::rc::Rc;

use torsade_deferred::{Deferred, Resolver, queue};

use super::talk::{Talk, Talking};
use super::transport::PortOf;
use super::{
    DatagramAddress, DatagramError, DatagramOptions, DatagramProtocol, DatagramTransport,
    Departures, Interface, PortSetting, address,
};
use crate::calls::Whose;
use crate::continuation::{Continuation, Owner, Seats};
use crate::guard::{self, Caught};
use crate::layer::Place;
use crate::shared::{Ready, Shared};
use crate::timers::Action;
use crate::wire::Interest;
use crate::{Address, Gone, Net, PortId};

/// A datagram port: the untyped part of a [`DatagramTransport`], for those who do not know its
/// protocol.
///
/// Dropping it does not close the port. Settings are answered by the system at once; on a port that
/// is closed they are errors.
#[doc(alias = "IListeningPort")]
pub struct DatagramPort<A = SocketAddr> {
    pub(super) port: Rc<Port>,
    addresses: PhantomData<fn(A)>,
}

impl<A> DatagramPort<A> {
    pub(crate) fn new(port: Rc<Port>) -> Self {
        Self {
            port,
            addresses: PhantomData,
        }
    }
}

/// Sending.
impl<A: DatagramAddress> DatagramPort<A> {
    /// Send one datagram to `to`.
    ///
    /// It leaves when the current callback has returned, with others that wait. Whether it arrives
    /// nobody says. What the system refuses, one that is too long for instance, comes as
    /// [`error_received`](DatagramProtocol::error_received). If the queue is full, this one is
    /// [dropped](Self::dropped) (contract C18), and so it is on a port that is closed.
    ///
    /// An internet address must be of the port's own family. On a port that is
    /// [connected](Self::connect), another one than the peer's is refused by some systems.
    ///
    /// A Unix socket whose queue is full is an error, too: `WouldBlock`. Others need not wait for a
    /// receiver that is slow; a port that is connected to it waits until it has room.
    #[doc(alias = "sendto")]
    #[doc(alias = "write")]
    pub fn send_to(&self, data: impl AsRef<[u8]>, to: &A) {
        self.port.send(data.as_ref(), Some(to.clone().into()));
    }

    /// Send one datagram to the peer that the port is [connected](Self::connect) to. If it is not,
    /// `error_received` says so.
    #[doc(alias = "send")]
    pub fn write(&self, data: impl AsRef<[u8]>) {
        self.port.send(data.as_ref(), None);
    }

    /// Bytes that wait to be sent.
    #[doc(alias = "get_write_buffer_size")]
    pub fn buffered(&self) -> usize {
        self.port.departures.borrow().waiting()
    }

    /// Talk to `peer` and nobody else: [`write`](Self::write) goes there, datagrams of others are
    /// not received from now on, and that nobody is there is reported.
    ///
    /// It may be done again, with another peer. What has arrived before is still delivered.
    ///
    /// On a Unix socket, somebody must be there. What is written waits, up to
    /// `Limits::datagram_queue`, while the peer's queue is full.
    ///
    /// # Errors
    /// The system's, if it knows no way there for instance.
    #[doc(alias = "remote_addr")]
    #[doc(alias = "ConnectedDatagramProtocol")]
    pub fn connect(&self, peer: A) -> io::Result<()> {
        let peer = peer.into();
        let local = self
            .port
            .host(|host| host.connect_port(self.port.id, &peer))?;
        self.port.local.replace(local);
        self.port.peer.replace(Some(peer));
        Ok(())
    }
}

/// Its life.
impl<A: DatagramAddress> DatagramPort<A> {
    /// Close it. Returns at once: what waits is offered to the system once more, then the socket
    /// is closed, then [`stopped`](DatagramProtocol::stopped) is called. No more datagrams are
    /// delivered from now on. Doing it again does nothing.
    #[doc(alias = "stopListening")]
    #[doc(alias = "loseConnection")]
    #[doc(alias = "abort")]
    pub fn close(&self) {
        self.port.close();
    }

    /// Resolves when the socket is closed and `stopped` has returned.
    #[doc(alias = "wait_closed")]
    pub fn closed(&self) -> Deferred<(), Infallible> {
        if self.port.phase.get() == Phase::Stopped {
            return Deferred::succeed(());
        }
        let (resolver, deferred) = Deferred::new();
        self.port.closes.borrow_mut().push(resolver);
        deferred
    }

    /// Whether datagrams are received and sent.
    #[doc(alias = "is_closing")]
    pub fn is_open(&self) -> bool {
        self.port.phase.get().is_open()
    }
}

/// Facts.
impl<A: DatagramAddress> DatagramPort<A> {
    /// Names the port between engine and driver.
    pub fn id(&self) -> PortId {
        self.port.id
    }

    /// The address in force, with the real port when 0 was asked for.
    #[doc(alias = "getHost")]
    #[doc(alias = "sockname")]
    pub fn local(&self) -> A {
        address::typed::<A>(&self.port.local.borrow()).clone()
    }

    /// Whom it is [connected](Self::connect) to.
    #[doc(alias = "peername")]
    pub fn peer(&self) -> Option<A> {
        let peer = self.port.peer.borrow();
        Some(address::typed::<A>(peer.as_ref()?).clone())
    }

    /// The net it belongs to.
    pub fn net(&self) -> Net {
        Net(Rc::clone(&self.port.shared))
    }

    /// Datagrams that the system has taken.
    pub fn sent(&self) -> u64 {
        self.port.sent.get()
    }

    /// Datagrams that came, truncated ones included.
    pub fn received(&self) -> u64 {
        self.port.received.get()
    }

    /// Datagrams that were not sent because the queue was full or the port closed.
    pub fn dropped(&self) -> u64 {
        self.port.dropped.get()
    }
}

/// Broadcast and multicast, of UDP.
impl DatagramPort {
    /// Whether datagrams may be sent to broadcast addresses. Without it, the system refuses them:
    /// `error_received`.
    ///
    /// # Errors
    /// The system's.
    #[doc(alias = "setBroadcastAllowed")]
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.port.set(PortSetting::Broadcast(on))
    }

    /// How many routers a datagram may pass; for IPv6 the hop limit.
    ///
    /// # Errors
    /// The system's, above 255 for instance.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.port.set(PortSetting::Ttl(hops))
    }

    /// Receive what is sent to a group, an address in 224.0.0.0/4 or ff00::/8, on an interface.
    ///
    /// # Errors
    /// The system's; `InvalidInput` for an IPv6 group on an interface that is named by an IPv4
    /// address.
    #[doc(alias = "joinGroup")]
    #[doc(alias = "MulticastJoinError")]
    pub fn join_group(&self, group: IpAddr, on: Interface) -> io::Result<()> {
        self.port.set(PortSetting::Join(group, on))
    }

    /// Receive it no more.
    ///
    /// # Errors
    /// The system's, if the port is not in the group there.
    #[doc(alias = "leaveGroup")]
    pub fn leave_group(&self, group: IpAddr, on: Interface) -> io::Result<()> {
        self.port.set(PortSetting::Leave(group, on))
    }

    /// How many routers a datagram to a group may pass. 1 by default: none.
    ///
    /// # Errors
    /// The system's.
    #[doc(alias = "setTTL")]
    pub fn set_multicast_ttl(&self, hops: u32) -> io::Result<()> {
        self.port.set(PortSetting::MulticastTtl(hops))
    }

    /// Whether this machine hears what this port sends to a group it has joined. On by default.
    ///
    /// # Errors
    /// The system's.
    #[doc(alias = "setLoopbackMode")]
    pub fn set_multicast_loopback(&self, on: bool) -> io::Result<()> {
        self.port.set(PortSetting::MulticastLoopback(on))
    }

    /// The interface by which datagrams to groups leave.
    ///
    /// # Errors
    /// The system's.
    #[doc(alias = "setOutgoingInterface")]
    pub fn set_multicast_interface(&self, interface: Interface) -> io::Result<()> {
        let setting = PortSetting::MulticastInterface(interface, self.local());
        self.port.set(setting)
    }
}

impl<A> Clone for DatagramPort<A> {
    fn clone(&self) -> Self {
        Self::new(Rc::clone(&self.port))
    }
}

impl<A> PartialEq for DatagramPort<A> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.port, &other.port)
    }
}

impl<A> Eq for DatagramPort<A> {}

impl<A> Hash for DatagramPort<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.port).hash(state);
    }
}

impl<A: DatagramAddress + fmt::Debug> fmt::Debug for DatagramPort<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramPort")
            .field("id", &self.id())
            .field("local", &self.local())
            .field("peer", &self.peer())
            .field("phase", &self.port.phase.get())
            .field("buffered", &self.buffered())
            .finish()
    }
}

/// What the handles of a port and the engine share: everything but the socket, which is the
/// driver's.
///
/// All of it is cells that are never left borrowed while user code runs.
pub(crate) struct Port {
    shared: Rc<Shared>,
    pub(crate) id: PortId,
    pub(crate) local: RefCell<Address>,
    pub(crate) peer: RefCell<Option<Address>>,
    pub(crate) phase: Cell<Phase>,
    /// Not here while a callback runs.
    protocol: Cell<Option<Box<dyn Talk>>>,
    pub(crate) departures: RefCell<Departures>,
    /// Datagrams that came while continuations were queued, which go first.
    pub(crate) inbox: RefCell<VecDeque<(Address, Box<[u8]>)>>,
    /// What the driver was told last.
    pub(crate) interest: Cell<Interest>,
    /// What is to run. For each there is an entry in the thread's queue, which says when.
    queued: RefCell<VecDeque<Queued>>,
    pub(crate) waits: Seats<Self>,
    /// Whether the engine comes by in any case: a callback runs, or it is in the list.
    seen_to: Cell<bool>,
    closes: RefCell<Vec<Resolver<(), Infallible>>>,
    pub(crate) sent: Cell<u64>,
    pub(crate) received: Cell<u64>,
    dropped: Cell<u64>,
    /// Where it was asked for.
    pub(crate) site: &'static Location<'static>,
}

/// Where a port is in its life.
///
/// ```text
///            `started` called           close, stop          socket closed         end of the turn
///   Bound -------------------> Open -----------------> Closing ----------> Closed ---------> Stopped
///     |       close                                      ^                          (`stopped`)
///     +--------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Bound,
    Open,
    /// Nothing more is delivered or accepted; what waits is sent once more.
    Closing,
    /// `stopped` is on its way.
    Closed,
    Stopped,
}

impl Phase {
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Bound | Self::Open)
    }
}

/// Something that is to run on a port when its place in the thread's queue comes.
pub(crate) enum Queued {
    Started,
    /// A call, or a result that is there.
    Call(Rc<dyn Continuation<Port>>),
    Error(DatagramError),
    Stopping,
    /// It was cancelled. It keeps its place, so that those behind it keep theirs.
    Nothing,
}

/// Open a port.
pub(crate) fn bind<P: DatagramProtocol<A>, A: DatagramAddress>(
    shared: &Rc<Shared>,
    address: &Address,
    options: &DatagramOptions,
    protocol: &mut Option<P>,
    site: &'static Location<'static>,
) -> io::Result<DatagramTransport<P, A>> {
    let id = PortId(shared.ports.borrow().next_key());
    let local = shared.host().bind(address, options, id)?;
    let protocol = protocol.take();
    let port = Rc::new(Port {
        shared: Rc::clone(shared),
        id,
        local: RefCell::new(local),
        peer: RefCell::default(),
        phase: Cell::new(Phase::Bound),
        protocol: Cell::new(protocol.map(|it| Box::new(Talking::<P, A>::new(it)) as Box<dyn Talk>)),
        departures: RefCell::default(),
        inbox: RefCell::default(),
        interest: Cell::new(Interest {
            readable: true,
            writable: false,
        }),
        queued: RefCell::default(),
        waits: Seats::default(),
        seen_to: Cell::new(false),
        closes: RefCell::default(),
        sent: Cell::new(0),
        received: Cell::new(0),
        dropped: Cell::new(0),
        site,
    });
    shared.ports.borrow_mut().insert(Rc::clone(&port));
    port.enqueue(Queued::Started);
    Ok(DatagramTransport::new(port))
}

/// What handles do.
impl Port {
    fn host<T>(&self, ask: impl FnOnce(&dyn crate::host::Host) -> io::Result<T>) -> io::Result<T> {
        let has_socket = matches!(
            self.phase.get(),
            Phase::Bound | Phase::Open | Phase::Closing
        );
        if !has_socket || !self.shared.is_alive() {
            return Err(io::Error::new(io::ErrorKind::NotConnected, Gone));
        }
        ask(self.shared.host())
    }

    fn set(&self, setting: PortSetting) -> io::Result<()> {
        self.host(|host| host.set_port(self.id, &setting))
    }

    fn send(self: &Rc<Self>, data: &[u8], to: Option<Address>) {
        let is_open = self.phase.get().is_open();
        let mut departures = self.departures.borrow_mut();
        if !is_open || departures.weight() >= self.shared.limits().datagram_queue {
            drop(departures);
            self.count_dropped(1);
            if !is_open {
                log::debug!("port {}: dropping a datagram, it is closed", self.id);
            }
            return;
        }
        departures.push(data, to);
        drop(departures);
        self.touch();
    }

    pub(crate) fn close(self: &Rc<Self>) {
        if self.phase.get().is_open() {
            self.phase.set(Phase::Closing);
            self.touch();
        }
    }

    pub(crate) fn tell_stopping(self: &Rc<Self>) {
        if self.phase.get().is_open() {
            self.enqueue(Queued::Stopping);
        }
    }

    /// Something changed that the engine must act on.
    fn touch(&self) {
        if !self.seen_to.replace(true) {
            self.shared.touched_ports.borrow_mut().push(self.id);
            self.shared.work();
        }
    }
}

/// What is queued.
impl Port {
    pub(crate) fn enqueue(self: &Rc<Self>, what: Queued) {
        if self.phase.get() != Phase::Stopped {
            self.queued.borrow_mut().push_back(what);
            // Outside a turn nothing is run here: that is for the engine's next one.
            queue::leave(Rc::<Self>::clone(self));
            self.shared.work();
        }
    }

    pub(crate) fn dequeue(&self) -> Option<Queued> {
        self.queued.borrow_mut().pop_front()
    }

    pub(crate) fn is_queued(&self) -> bool {
        !self.queued.borrow().is_empty()
    }

    /// Whether a datagram may reach the protocol now.
    pub(crate) fn takes_facts(&self) -> bool {
        self.phase.get() == Phase::Open && !self.is_queued()
    }

    /// What waits or is queued, to be cancelled.
    fn take_continuations(&self) -> Vec<Rc<dyn Continuation<Self>>> {
        let mut taken = self.waits.take(|_| true);
        for queued in self.queued.borrow_mut().iter_mut() {
            if matches!(queued, Queued::Call(_))
                && let Queued::Call(continuation) = mem::replace(queued, Queued::Nothing)
            {
                taken.push(continuation);
            }
        }
        taken
    }
}

/// What the engine does.
impl Port {
    /// The engine comes by in any case, from here on. Returns whether it would not have otherwise.
    pub(crate) fn begin(&self) -> bool {
        !self.seen_to.replace(true)
    }

    /// It has come by.
    pub(crate) fn seen(&self) {
        self.seen_to.set(false);
    }

    /// It has not, and shall later.
    pub(crate) fn see_later(&self) {
        self.seen_to.set(false);
        self.touch();
    }

    /// Make one callback. A panic in it is nobody's end.
    pub(crate) fn callback(
        self: &Rc<Self>,
        place: &'static str,
        call: impl FnOnce(&mut dyn Talk, &Rc<Self>),
    ) {
        let Some(mut protocol) = self.protocol.take() else {
            return;
        };
        self.shared.note_call(place, || Whose::Port(self.id));
        let outcome = guard::run(|| call(&mut *protocol, self));
        self.protocol.set(Some(protocol));
        if let Err(panic) = outcome {
            self.caught(place, panic);
        }
    }

    #[cold]
    pub(crate) fn caught(&self, place: &'static str, panic: torsade_deferred::Panic) {
        let caught = Caught::at(self.id, place, panic);
        self.shared.host().caught(&caught);
    }

    /// Cancel what waits, each by itself: it is user code.
    pub(crate) fn cancel_waits(&self) {
        for continuation in self.take_continuations() {
            if let Err(panic) = guard::run(|| continuation.cancel(self)) {
                self.caught("the end of a continuation", panic);
            }
            if let Err(panic) = guard::run(|| drop(continuation)) {
                self.caught("the drop of a continuation", panic);
            }
        }
    }

    /// The protocol, to be dropped.
    pub(crate) fn take_protocol(&self) -> Option<Box<dyn Talk>> {
        self.protocol.take()
    }

    pub(crate) fn put_protocol(&self, protocol: Box<dyn Talk>) {
        self.protocol.set(Some(protocol));
    }

    pub(crate) fn take_closes(&self) -> Vec<Resolver<(), Infallible>> {
        self.closes.take()
    }

    pub(crate) fn count_received(&self) {
        self.received.set(self.received.get() + 1);
    }

    pub(crate) fn count_sent(&self, datagrams: u64) {
        self.sent.set(self.sent.get() + datagrams);
    }

    pub(crate) fn count_dropped(&self, datagrams: u64) {
        self.dropped.set(self.dropped.get() + datagrams);
        self.shared.count_dropped_datagrams(datagrams);
    }
}

impl Owner for Port {
    type Transport<P> = PortOf<P>;

    fn transport<P>(self: &Rc<Self>, _: Place) -> PortOf<P> {
        PortOf::new(self)
    }

    fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    fn seats(&self) -> &Seats<Self> {
        &self.waits
    }

    fn is_over(&self, _: Place) -> bool {
        let over = self.phase.get() == Phase::Stopped || !self.shared.is_alive();
        if over {
            log::debug!("port {}: dropping a continuation, it is closed", self.id);
        }
        over
    }

    /// A port holds nothing back.
    fn waits(self: &Rc<Self>, _: &dyn Continuation<Self>) {}

    fn ready(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) {
        self.enqueue(Queued::Call(continuation));
    }

    fn action(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) -> Action {
        Action::Port(Rc::clone(self), continuation)
    }
}

/// As a connection is: each entry in the thread's queue hands it to the engine that owns it.
impl queue::Job for Port {
    fn run(self: Rc<Self>) {
        let shared = Rc::clone(&self.shared);
        if shared.is_alive() {
            shared.push_ready(Ready::Port(self));
        }
    }
}
