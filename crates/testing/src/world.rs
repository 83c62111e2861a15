use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use torsade_core::driver::{self, Arrived, Caught, Close, Engine, Host, Op, PortSetting, Spawned};
use torsade_core::{
    Address, AttemptId, Command, Connection, ConnectionId, DatagramAddress, DatagramOptions,
    DatagramProtocol, DatagramTransport, Endpoint, Limits, ListenOptions, Listener, ListenerId,
    Net, Peer, PortId, Protocol, Signal, Time, Transport, UnixAddress, factory,
};

use torsade_deferred::queue::Turn;

use crate::Clock;
use crate::connects::{Connects, Policy, Waiting};
use crate::end::End;
use crate::fake_process::Programs;
use crate::joint::{self, Joint};
use crate::leaks::{self, Made, Origin};
use crate::ledger::{self, Entry};
use crate::network::{At, EndWire, Network, Queued, Socket};
use crate::signals;
use crate::sockets::DatagramSocket;

/// An engine on made-up connections.
///
/// All worlds of a thread come to rest together, because what happens in one may be written to
/// another.
pub(crate) struct World {
    engine: RefCell<Engine<Socket>>,
    net: Net,
    network: Rc<Network>,
    programs: Rc<Programs>,
    connects: Connects,
    /// Who is known by a name.
    names: RefCell<BTreeMap<String, Vec<IpAddr>>>,
    made: Made,
    /// Whether a stop is complete.
    stopped: Cell<bool>,
    entry: Entry,
}

thread_local! {
    static WORLDS: RefCell<Vec<Weak<World>>> = const { RefCell::new(Vec::new()) };
}

/// A test that has not come to rest after so many turns never will.
const RESTLESS: usize = 100_000;

impl World {
    pub(crate) fn new(limits: Limits) -> Rc<Self> {
        let entry = Entry::open();
        let lingers = limits.lingering > 0 && !limits.linger.is_zero();
        let network = Rc::new(Network::new(lingers));
        let programs = Rc::new(Programs::default());
        let host = TestHost {
            network: Rc::clone(&network),
            programs: Rc::clone(&programs),
        };
        let engine = Engine::new(Rc::new(host), Waker::noop().clone(), limits);
        let world = Rc::new(Self {
            net: engine.net().clone(),
            engine: RefCell::new(engine),
            network,
            programs,
            connects: Connects::default(),
            names: RefCell::default(),
            made: Made::default(),
            stopped: Cell::new(false),
            entry,
        });
        WORLDS.with_borrow_mut(|worlds| {
            worlds.retain(|world| world.strong_count() > 0);
            worlds.push(Rc::downgrade(&world));
        });
        world
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn programs(&self) -> &Rc<Programs> {
        &self.programs
    }

    pub(crate) fn connects(&self) -> &Connects {
        &self.connects
    }

    /// The addresses of a name, from now on.
    pub(crate) fn name(&self, name: &str, ips: Vec<IpAddr>) {
        self.names.borrow_mut().insert(name.to_owned(), ips);
    }

    /// Whether a stop was asked for and is complete.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Make an accepted connection, as a listener does.
    #[track_caller]
    pub(crate) fn accept<P: Protocol>(
        &self,
        protocol: P,
        peer: Peer,
        endpoint: &Endpoint,
        end: &Rc<End>,
    ) -> Connection {
        let mut protocol = Some(protocol);
        // Any port, so that the program may listen at the address that the connection shows.
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let at = endpoint.clone().at([anywhere]);
        let listener = self
            .net
            .listen(at, factory(move |_: &Peer| protocol.take()));
        let made = listener.ok().and_then(|listener| {
            let made = self.turn(|engine| {
                let socket = Socket(Rc::clone(end));
                let id = self.accepted(engine, listener.id(), socket, peer)?;
                // Asked for at once: it may be lost at the end of the turn.
                engine.connection(id)
            });
            listener.close();
            made
        });
        self.made(made)
    }

    /// Make a connecting connection, as `Net::connect` does.
    #[track_caller]
    pub(crate) fn connect<P: Protocol>(
        &self,
        protocol: P,
        peer: Peer,
        endpoint: &Endpoint,
        end: &Rc<End>,
    ) -> Connection {
        let to = endpoint.clone().at([peer.remote().clone()]);
        self.net.connect(to, protocol).detach();
        let made = self.turn(|engine| {
            let mut ops: Vec<_> = std::iter::from_fn(|| engine.poll_op()).collect();
            // The last one was just asked for; the others are the program's own.
            let ours = ops
                .iter()
                .rposition(|op| matches!(op, Op::Connect { .. }))?;
            let ours = ops.remove(ours);
            for op in ops {
                self.carry_out(engine, op);
            }
            let Op::Connect { attempt, .. } = ours else {
                return None;
            };
            let socket = Socket(Rc::clone(end));
            let id = self.connected(engine, attempt, socket, peer)?;
            engine.connection(id)
        });
        self.made(made)
    }

    /// Both ways of making a connection were prepared for exactly this one, so few things can be
    /// in its way.
    fn made(&self, made: Option<Connection>) -> Connection {
        match made {
            Some(connection) => connection,
            None if !self.net.is_alive() => panic!("no connection is made when the net is gone"),
            None => panic!(
                "no connection is accepted: Limits::max_connections is {}, and there are {}",
                self.net.limits().max_connections,
                self.net.connections()
            ),
        }
    }

    /// A raw end connects to a listener, which accepts it when the world comes to rest. If its
    /// factory refuses, or nobody listens any more, the end is closed.
    pub(crate) fn dial(&self, listener: &Listener, end: &Rc<End>) {
        if !listener.is_open() {
            end.close(Close::Reset);
            return;
        }
        self.network.queue(Queued {
            listener: listener.id(),
            end: Rc::clone(end),
            peer: Peer::new(
                visitor(&listener.address(), default_peer().remote()),
                listener.address(),
            ),
        });
    }

    /// Let `end` wait for a connection at the returned address.
    pub(crate) fn door(&self, end: &Rc<End>) -> SocketAddr {
        const FIRST: u16 = 7000;
        let port = self.connects.last_door().map_or(FIRST, |used| used + 1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.connects.add_door(address, end);
        address
    }

    /// A connect that waited succeeds. Returns the connection's addresses.
    pub(crate) fn succeed(&self, waiting: Waiting, end: &Rc<End>) -> Peer {
        let here = waiting.local.clone();
        let here = here.unwrap_or_else(|| self.network.visitor_of(&waiting.address));
        let peer = Peer::new(waiting.address, here);
        self.turn(|engine| {
            let socket = Socket(Rc::clone(end));
            self.connected(engine, waiting.attempt, socket, peer.clone())
        });
        peer
    }

    /// A connect that waited fails.
    pub(crate) fn fail(&self, waiting: Waiting, kind: io::ErrorKind) {
        self.turn(|engine| engine.connect_failed(&mut self.wire(), waiting.attempt, kind.into()));
    }

    /// A connect that waited goes to who listens there.
    pub(crate) fn join(&self, waiting: Waiting) {
        self.turn(|engine| self.join_in_turn(engine, waiting));
    }

    /// Run `f` on a connection's outermost protocol; `None` if it is not a `P` or is gone.
    pub(crate) fn with_protocol<P: Protocol, R>(
        &self,
        id: ConnectionId,
        f: impl FnOnce(&mut P, &Transport<P>) -> R,
    ) -> Option<R> {
        let result = self.turn(|engine| engine.with_protocol(&mut self.wire(), id, f))?;
        Some(result.unwrap_or_else(|payload| panic::resume_unwind(payload)))
    }

    /// Take one turn with what `facts` tells.
    fn turn<R>(&self, facts: impl FnOnce(&mut Engine<Socket>) -> R) -> R {
        let mut engine = self.enter();
        engine.begin(&mut self.wire());
        let result = facts(&mut engine);
        engine.end(&mut self.wire());
        result
    }

    /// Tell the engine, and remember where the listener was asked for.
    fn accepted(
        &self,
        engine: &mut Engine<Socket>,
        listener: ListenerId,
        socket: Socket,
        peer: Peer,
    ) -> Option<ConnectionId> {
        let origin = Origin::of_listener(engine, listener);
        let id = engine.accepted(&mut self.wire(), listener, socket, peer);
        self.made.note(id, origin);
        id
    }

    /// Tell the engine, and remember where the connection was asked for.
    fn connected(
        &self,
        engine: &mut Engine<Socket>,
        attempt: AttemptId,
        socket: Socket,
        peer: Peer,
    ) -> Option<ConnectionId> {
        let origin = Origin::of_attempt(engine, attempt);
        let id = engine.connected(&mut self.wire(), attempt, socket, peer);
        self.made.note(id, origin);
        id
    }

    fn wire(&self) -> EndWire {
        EndWire(Rc::clone(&self.network))
    }

    fn enter(&self) -> std::cell::RefMut<'_, Engine<Socket>> {
        match self.engine.try_borrow_mut() {
            Ok(engine) => engine,
            Err(_) => panic!("a test transport was used inside a callback"),
        }
    }

    /// Take a turn if there is anything to do, and say whether there was.
    fn step(&self) -> bool {
        if !self.net.is_alive() {
            return false;
        }
        let mut engine = self.enter();
        let watched = self.network.watched();
        let facts: Vec<_> = watched
            .iter()
            .filter_map(|(id, end)| Some((*id, end.fact()?)))
            .collect();
        let comes = self.network.queued() > 0 && engine.may_accept();
        let due = engine.next_deadline().is_some_and(|at| at <= Clock::now());
        let sockets = self.network.sockets();
        let ready = |socket: &Rc<DatagramSocket>| socket.is_readable() || socket.is_writable();
        let ports = sockets.iter().any(ready);
        if facts.is_empty() && !due && !comes && !ports && !engine.has_work() {
            return false;
        }
        let wire = &mut self.wire();
        engine.begin(wire);
        for (id, fact) in facts {
            fact.tell(&mut engine, wire, id);
        }
        self.accept_queued(&mut engine);
        for socket in sockets {
            self.tell_port(&mut engine, &socket);
        }
        engine.end(wire);
        self.network.forget_closed();
        while let Some(op) = engine.poll_op() {
            let is_answered = matches!(op, Op::Connect { .. } | Op::Resolve { .. });
            if is_answered {
                engine.begin(wire);
            }
            self.carry_out(&mut engine, op);
            if is_answered {
                engine.end(wire);
            }
        }
        true
    }

    /// Tell what has happened at a datagram port.
    fn tell_port(&self, engine: &mut Engine<Socket>, socket: &DatagramSocket) {
        let Some(port) = socket.port() else {
            return;
        };
        let (wire, limits) = (&mut self.wire(), self.net.limits());
        if socket.is_writable() {
            engine.datagram_writable(wire, port);
        }
        if !socket.is_readable() {
            return;
        }
        if let Some(error) = socket.next_report() {
            engine.datagram_failed(wire, port, error.into());
        }
        let taken = socket.take(limits.turn_datagrams.max(1));
        let arrived = taken.iter().map(|(from, data)| Arrived {
            from: from.clone(),
            data: &data[..data.len().min(limits.datagram)],
            whole: (data.len() > limits.datagram).then_some(data.len()),
        });
        engine.datagrams(wire, port, arrived);
    }

    /// Run `f` on a port's protocol; `None` if it is not a `P` or is gone.
    pub(crate) fn with_datagram_protocol<P: DatagramProtocol<A>, A: DatagramAddress, R>(
        &self,
        port: PortId,
        f: impl FnOnce(&mut P, &DatagramTransport<P, A>) -> R,
    ) -> Option<R> {
        let result =
            self.turn(|engine| engine.with_datagram_protocol(&mut self.wire(), port, f))?;
        Some(result.unwrap_or_else(|payload| panic::resume_unwind(payload)))
    }

    /// Do one of the rare things that the engine asks for; answer a connect in a turn.
    fn carry_out(&self, engine: &mut Engine<Socket>, op: Op) {
        match op {
            Op::Connect {
                attempt,
                address,
                local,
            } => self.answer(
                engine,
                Waiting {
                    attempt,
                    address,
                    local,
                },
            ),
            Op::CancelConnect { attempt } => {
                self.connects.take(attempt);
            }
            Op::Resolve { lookup, name } => {
                let found = self.names.borrow().get(&*name).cloned();
                // Who is not in the table is nobody.
                driver::resolved(&self.net, lookup, Ok(found.unwrap_or_default()));
            }
            Op::CancelResolve { .. } => {}
            Op::Stop => self.stopped.set(true),
            other => unreachable!("an engine asks a fake for {other:?}"),
        }
    }

    /// Let in who waits at the listeners, as many as may come in one turn.
    fn accept_queued(&self, engine: &mut Engine<Socket>) {
        for _ in 0..self.net.limits().turn_accepts.max(1) {
            if !engine.may_accept() {
                return;
            }
            let Some(queued) = self.network.next_queued() else {
                return;
            };
            let socket = Socket(queued.end);
            self.accepted(engine, queued.listener, socket, queued.peer);
        }
    }

    /// Somebody in this world wants to connect.
    fn answer(&self, engine: &mut Engine<Socket>, waiting: Waiting) {
        let wire = &mut self.wire();
        if let Some((end, peer)) = self.programs.take_pipe(&waiting.address) {
            self.connected(engine, waiting.attempt, Socket(end), peer);
            return;
        }
        self.connects.note(waiting.address.clone());
        if let Some(end) = self.connects.take_door(&waiting.address) {
            let here = visitor(&waiting.address, default_peer().local());
            let peer = Peer::new(waiting.address, here);
            self.connected(engine, waiting.attempt, Socket(end), peer);
            return;
        }
        match self.connects.policy() {
            Policy::Refused => {
                let refused = io::ErrorKind::ConnectionRefused.into();
                engine.connect_failed(wire, waiting.attempt, refused);
            }
            Policy::Waiting => self.connects.wait(waiting),
            Policy::Joined => self.join_in_turn(engine, waiting),
        }
    }

    /// Connect to who listens at the address, in this world or in another one, as a kernel does:
    /// at once, and whether the listener accepts is seen later.
    fn join_in_turn(&self, engine: &mut Engine<Socket>, waiting: Waiting) {
        let Waiting {
            attempt,
            address,
            local,
        } = waiting;
        let wire = &mut self.wire();
        let Some((there, listener)) = listener_at(&address) else {
            let refused = io::ErrorKind::ConnectionRefused.into();
            engine.connect_failed(wire, attempt, refused);
            return;
        };
        let here = local.unwrap_or_else(|| self.network.visitor_of(&address));
        let [ours, theirs] = [(); 2].map(|()| Rc::new(End::new(0)));
        let queue = self.connects.queue();
        let segment = self.connects.segment();
        let most = [self, &*there].map(|world| world.net.limits().turn_connection_bytes);
        let segment = most.into_iter().fold(segment, usize::min).max(1);
        Joint::new([Rc::clone(&ours), Rc::clone(&theirs)], queue, segment).run_by_itself();
        there.network.queue(Queued {
            listener,
            end: theirs,
            peer: Peer::new(here.clone(), address.clone()),
        });
        self.connected(engine, attempt, Socket(ours), Peer::new(address, here));
    }

    fn next_deadline(&self) -> Option<Time> {
        self.enter().next_deadline()
    }

    /// What a test that ends now must complain about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.entry.complaints();
        let expects_nobody =
            self.network.listening().is_empty() && self.connects.waiting().is_empty();
        // A leak check tells of all timers.
        let is_alone = self.net.connections() == 0 && self.net.datagram_ports() == 0;
        if is_alone && expects_nobody && !leaks::is_on() {
            for site in self.net.free_timers() {
                complaints.push(format!("a timer is still armed that was set at {site}"));
            }
        }
        complaints
    }

    /// For a leak check: what it has.
    pub(crate) fn note_left(&self) {
        leaks::note(self.made.left(&self.enter()));
    }

    /// Inside a callback nothing can be told, and a panic there would end the process.
    pub(crate) fn shut_down(&self) {
        if Turn::enter().is_some()
            && let Ok(mut engine) = self.engine.try_borrow_mut()
        {
            engine.shut_down(&mut self.wire());
        }
    }
}

/// Bring every world of this thread to rest.
pub(crate) fn settle() {
    for _ in 0..RESTLESS {
        let mut moved = false;
        for world in worlds() {
            moved |= world.step();
        }
        moved |= joint::carry_all();
        if !moved {
            return;
        }
    }
    panic!("the test does not come to rest: something calls itself for ever");
}

/// Let time pass, stopping at every timer of this thread's worlds.
pub(crate) fn advance(duration: Duration) {
    settle();
    let target = Clock::now() + duration;
    loop {
        let next = worlds()
            .iter()
            .filter_map(|world| world.next_deadline())
            .min();
        match next {
            Some(next) if next <= target => Clock::set(next),
            _ => break,
        }
        settle();
    }
    Clock::set(target);
    settle();
}

/// Let time pass, from one timer of this thread's worlds to the next, until `ready` has something.
pub(crate) fn advance_until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
    loop {
        settle();
        if let Some(value) = ready() {
            return value;
        }
        let next = worlds()
            .iter()
            .filter_map(|world| world.next_deadline())
            .min();
        match next {
            Some(next) => Clock::set(next),
            None => {
                panic!("the test waits for what never comes: nothing is queued, no timer armed")
            }
        }
    }
}

fn worlds() -> Vec<Rc<World>> {
    WORLDS.with_borrow(|worlds| worlds.iter().filter_map(Weak::upgrade).collect())
}

/// Who accepts connections to `address`: the worlds of a thread are programs of one machine.
pub(crate) fn listener_at(address: &Address) -> Option<(Rc<World>, ListenerId)> {
    worlds().into_iter().find_map(|world| {
        let listener = world.network.listener_at(address)?;
        Some((world, listener))
    })
}

fn is_in_use(address: &At) -> bool {
    let mut worlds = worlds().into_iter();
    worlds.any(|world| world.network.is_in_use(address))
}

/// Answers what must be answered at once.
struct TestHost {
    network: Rc<Network>,
    programs: Rc<Programs>,
}

impl Host for TestHost {
    fn now(&self) -> Time {
        Clock::now()
    }

    fn listen(
        &self,
        wanted: &Address,
        options: &ListenOptions,
        listener: ListenerId,
    ) -> io::Result<Address> {
        if matches!(wanted, Address::Adopted(_)) {
            // A socket of the system's is nowhere on this network.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut at = At {
            address: wanted.clone(),
            dual_stack: options.dual_stack,
        };
        if let Some(mut inet) = wanted.inet().filter(|inet| inet.port() == 0) {
            while inet.port() == 0 || is_in_use(&at) {
                inet.set_port(self.network.next_port());
                at.address = inet.into();
            }
        }
        if is_in_use(&at) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let address = at.address.clone();
        self.network.listen(listener, at);
        Ok(address)
    }

    fn close_listener(&self, listener: ListenerId) {
        self.network.refuse(listener);
    }

    fn bind(
        &self,
        address: &Address,
        options: &DatagramOptions,
        port: PortId,
    ) -> io::Result<Address> {
        self.network.bind(address, options, port)
    }

    fn close_port(&self, port: PortId) {
        self.network.close_port(port);
    }

    fn connect_port(&self, port: PortId, peer: &Address) -> io::Result<Address> {
        let socket = self.network.socket(port);
        socket.ok_or(io::ErrorKind::NotConnected)?.connect(peer)
    }

    fn set_port(&self, port: PortId, setting: &PortSetting) -> io::Result<()> {
        let socket = self.network.socket(port);
        socket.ok_or(io::ErrorKind::NotConnected)?.set(setting)
    }

    fn watch_signal(&self, _: &Net, signal: Signal) -> io::Result<()> {
        signals::catchable(signal)
    }

    fn spawn(&self, _: &Net, command: &Command) -> io::Result<Spawned> {
        self.programs.spawn(command)
    }

    fn caught(&self, caught: &Caught) {
        let place = ledger::last_panic().unwrap_or_else(|| "an unknown place".into());
        ledger::fail(format!("{caught} (at {place})"));
    }
}

/// Who comes to an address: nobody with a name, if that is a Unix socket's.
fn visitor(to: &Address, otherwise: &Address) -> Address {
    match to {
        Address::Unix(_) => UnixAddress::Unnamed.into(),
        _ => otherwise.clone(),
    }
}

/// The addresses of a fake connection: ours has a well-known port, theirs a passing one.
pub(crate) fn default_peer() -> Peer {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 8007));
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_007));
    Peer::new(remote, local)
}
