use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use torsade_core::driver::{Caught, Close, Engine, Host, Op};
use torsade_core::{
    AttemptId, Connection, ConnectionId, Endpoint, Limits, Listener, ListenerId, Net, Peer,
    Protocol, Time, Transport, factory,
};

use torsade_deferred::queue::Turn;

use crate::Clock;
use crate::end::{End, Fact};
use crate::ledger::{self, Entry};
use crate::network::{EndWire, Network, Queued, Socket};

/// An engine on made-up connections.
///
/// All worlds of a thread come to rest together, because what happens in one may be written to
/// another.
pub(crate) struct World {
    engine: RefCell<Engine<Socket>>,
    net: Net,
    network: Rc<Network>,
    /// Addresses that somebody listens on, each for one connection.
    doors: RefCell<Vec<(SocketAddr, Rc<End>)>>,
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
        let network = Rc::new(Network::default());
        let host = TestHost {
            network: Rc::clone(&network),
            ports: Cell::new(0),
        };
        let engine = Engine::new(Rc::new(host), Waker::noop().clone(), limits);
        let world = Rc::new(Self {
            net: engine.net().clone(),
            engine: RefCell::new(engine),
            network,
            doors: RefCell::default(),
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

    /// Make an accepted connection, as a listener does.
    pub(crate) fn accept<P: Protocol>(
        &self,
        protocol: P,
        peer: Peer,
        endpoint: &Endpoint,
        end: &Rc<End>,
    ) -> Connection {
        let mut protocol = Some(protocol);
        let at = endpoint.clone().at([peer.local()]);
        let listener = self
            .net
            .listen(at, factory(move |_: &Peer| protocol.take()));
        let made = listener.ok().and_then(|listener| {
            let made = self.turn(|engine| {
                let socket = Socket(Rc::clone(end));
                let id = engine.accepted(&mut self.wire(), listener.id(), socket, peer)?;
                // Asked for at once: it may be lost at the end of the turn.
                engine.connection(id)
            });
            listener.close();
            made
        });
        Self::made(made)
    }

    /// Make a connecting connection, as `Net::connect` does.
    pub(crate) fn connect<P: Protocol>(
        &self,
        protocol: P,
        peer: Peer,
        endpoint: &Endpoint,
        end: &Rc<End>,
    ) -> Connection {
        let to = endpoint.clone().at([peer.remote()]);
        self.net.connect(to, protocol).detach();
        let made = self.turn(|engine| {
            while let Some(op) = engine.poll_op() {
                if let Op::Connect { attempt, .. } = op {
                    let socket = Socket(Rc::clone(end));
                    let id = engine.connected(&mut self.wire(), attempt, socket, peer)?;
                    return engine.connection(id);
                }
            }
            None
        });
        Self::made(made)
    }

    fn made(made: Option<Connection>) -> Connection {
        // Both ways of making a connection were just prepared for exactly this one.
        made.unwrap_or_else(|| unreachable!("a fake connection is always made"))
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
            peer: Peer::new(default_peer().remote(), listener.address()),
        });
    }

    /// Let `end` wait for a connection at the returned address.
    pub(crate) fn door(&self, end: &Rc<End>) -> SocketAddr {
        const FIRST: u16 = 7000;
        let mut doors = self.doors.borrow_mut();
        let used = doors.iter().map(|(address, _)| address.port()).max();
        let port = used.map_or(FIRST, |used| used + 1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        doors.push((address, Rc::clone(end)));
        address
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
        if facts.is_empty() && !due && !comes && !engine.has_work() {
            return false;
        }
        let wire = &mut self.wire();
        engine.begin(wire);
        for (id, fact) in facts {
            match fact {
                Fact::Received(data) => engine.received(wire, id, &data),
                Fact::InputEnded => engine.input_ended(wire, id),
                Fact::Failed(error) => engine.failed(wire, id, error),
                Fact::Writable => engine.writable(wire, id),
            }
        }
        self.accept_queued(&mut engine);
        engine.end(wire);
        self.network.forget_closed();
        while let Some(op) = engine.poll_op() {
            if let Op::Connect { attempt, address } = op {
                engine.begin(wire);
                self.answer(&mut engine, attempt, address);
                engine.end(wire);
            }
        }
        true
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
            engine.accepted(&mut self.wire(), queued.listener, socket, queued.peer);
        }
    }

    /// Somebody in this world wants to connect. Almost everywhere nobody listens.
    fn answer(&self, engine: &mut Engine<Socket>, attempt: AttemptId, address: SocketAddr) {
        let wire = &mut self.wire();
        let mut doors = self.doors.borrow_mut();
        let Some(door) = doors.iter().position(|(at, _)| *at == address) else {
            drop(doors);
            engine.connect_failed(wire, attempt, io::ErrorKind::ConnectionRefused.into());
            return;
        };
        let (_, end) = doors.remove(door);
        drop(doors);
        let peer = Peer::new(address, default_peer().local());
        engine.connected(wire, attempt, Socket(end), peer);
    }

    fn next_deadline(&self) -> Option<Time> {
        self.enter().next_deadline()
    }

    /// What a test that ends now must complain about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = self.entry.complaints();
        if self.net.connections() == 0 {
            for site in self.net.free_timers() {
                complaints.push(format!("a timer is still armed that was set at {site}"));
            }
        }
        complaints
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

fn worlds() -> Vec<Rc<World>> {
    WORLDS.with_borrow(|worlds| worlds.iter().filter_map(Weak::upgrade).collect())
}

/// Answers what must be answered at once.
struct TestHost {
    network: Rc<Network>,
    ports: Cell<u16>,
}

impl Host for TestHost {
    fn now(&self) -> Time {
        Clock::now()
    }

    fn listen(&self, address: SocketAddr, _: ListenerId) -> io::Result<SocketAddr> {
        if address.port() != 0 {
            return Ok(address);
        }
        /// The first of the ports that systems give out by themselves.
        const FIRST: u16 = 49152;
        let port = FIRST + self.ports.get();
        self.ports.set((self.ports.get() + 1) % (u16::MAX - FIRST));
        Ok(SocketAddr::new(address.ip(), port))
    }

    fn close_listener(&self, listener: ListenerId) {
        self.network.refuse(listener);
    }

    fn caught(&self, caught: &Caught) {
        let place = ledger::last_panic().unwrap_or_else(|| "an unknown place".into());
        ledger::fail(format!("{caught} (at {place})"));
    }
}

/// The addresses of a fake connection: ours has a well-known port, theirs a passing one.
pub(crate) fn default_peer() -> Peer {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 8007));
    let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 50_007));
    Peer::new(remote, local)
}
