use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic;
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use torsade_core::driver::{Caught, Close, Engine, Host, Op};
use torsade_core::{
    AttemptId, Connection, ConnectionId, Limits, Listener, ListenerId, Net, Peer, Protocol, Time,
    Transport, factory,
};

use torsade_deferred::queue::Turn;

use crate::Clock;
use crate::end::{End, EndWire, Fact};
use crate::ledger::{self, Entry};

/// An engine on made-up connections.
///
/// All worlds of a thread come to rest together, because what happens in one may be written to
/// another.
pub(crate) struct World {
    engine: RefCell<Engine<Rc<End>>>,
    net: Net,
    ends: RefCell<Vec<(ConnectionId, Rc<End>)>>,
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
        let engine = Engine::new(Rc::new(TestHost::default()), Waker::noop().clone(), limits);
        let world = Rc::new(Self {
            net: engine.net().clone(),
            engine: RefCell::new(engine),
            ends: RefCell::default(),
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
    pub(crate) fn accept<P: Protocol>(&self, protocol: P, peer: Peer, end: &Rc<End>) -> Connection {
        let mut protocol = Some(protocol);
        let listener = self
            .net
            .listen(peer.local(), factory(move |_: &Peer| protocol.take()));
        let made = listener.ok().and_then(|listener| {
            let made = self.turn(|engine| {
                let id = engine.accepted(&mut EndWire, listener.id(), Rc::clone(end), peer)?;
                // Asked for at once: it may be lost at the end of the turn.
                engine.connection(id)
            });
            listener.close();
            made
        });
        self.made(made, end)
    }

    /// Make a connecting connection, as `Net::connect` does.
    pub(crate) fn connect<P: Protocol>(
        &self,
        protocol: P,
        peer: Peer,
        end: &Rc<End>,
    ) -> Connection {
        self.net.connect(peer.remote(), protocol).detach();
        let made = self.turn(|engine| {
            while let Some(op) = engine.poll_op() {
                if let Op::Connect { attempt, .. } = op {
                    let id = engine.connected(&mut EndWire, attempt, Rc::clone(end), peer)?;
                    return engine.connection(id);
                }
            }
            None
        });
        self.made(made, end)
    }

    fn made(&self, made: Option<Connection>, end: &Rc<End>) -> Connection {
        // Both ways of making a connection were just prepared for exactly this one.
        let connection = made.unwrap_or_else(|| unreachable!("a fake connection is always made"));
        let id = connection.id();
        self.ends.borrow_mut().push((id, Rc::clone(end)));
        connection
    }

    /// A raw end connects to a listener. If its factory refuses, the end is closed.
    pub(crate) fn dial(&self, listener: &Listener, end: &Rc<End>) -> Option<ConnectionId> {
        let peer = Peer::new(default_peer().remote(), listener.address());
        let made =
            self.turn(|engine| engine.accepted(&mut EndWire, listener.id(), Rc::clone(end), peer));
        match made {
            Some(id) => self.ends.borrow_mut().push((id, Rc::clone(end))),
            None => end.close(Close::Plain),
        }
        made
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
        let result = self.turn(|engine| engine.with_protocol(&mut EndWire, id, f))?;
        Some(result.unwrap_or_else(|payload| panic::resume_unwind(payload)))
    }

    /// Take one turn with what `facts` tells.
    fn turn<R>(&self, facts: impl FnOnce(&mut Engine<Rc<End>>) -> R) -> R {
        let mut engine = self.enter();
        engine.begin(&mut EndWire);
        let result = facts(&mut engine);
        engine.end(&mut EndWire);
        result
    }

    fn enter(&self) -> std::cell::RefMut<'_, Engine<Rc<End>>> {
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
        let facts: Vec<_> = self
            .ends
            .borrow()
            .iter()
            .filter_map(|(id, end)| Some((*id, end.fact()?)))
            .collect();
        let due = engine.next_deadline().is_some_and(|at| at <= Clock::now());
        if facts.is_empty() && !due && !engine.has_work() {
            return false;
        }
        let wire = &mut EndWire;
        engine.begin(wire);
        for (id, fact) in facts {
            match fact {
                Fact::Received(data) => engine.received(wire, id, &data),
                Fact::InputEnded => engine.input_ended(wire, id),
                Fact::Failed(error) => engine.failed(wire, id, error),
                Fact::Writable => engine.writable(wire, id),
            }
        }
        engine.end(wire);
        self.ends.borrow_mut().retain(|(_, end)| end.is_open());
        while let Some(op) = engine.poll_op() {
            if let Op::Connect { attempt, address } = op {
                engine.begin(wire);
                self.answer(&mut engine, attempt, address);
                engine.end(wire);
            }
        }
        true
    }

    /// Somebody in this world wants to connect. Almost everywhere nobody listens.
    fn answer(&self, engine: &mut Engine<Rc<End>>, attempt: AttemptId, address: SocketAddr) {
        let wire = &mut EndWire;
        let mut doors = self.doors.borrow_mut();
        let Some(door) = doors.iter().position(|(at, _)| *at == address) else {
            drop(doors);
            engine.connect_failed(wire, attempt, io::ErrorKind::ConnectionRefused.into());
            return;
        };
        let (_, end) = doors.remove(door);
        drop(doors);
        let peer = Peer::new(address, default_peer().local());
        if let Some(id) = engine.connected(wire, attempt, Rc::clone(&end), peer) {
            self.ends.borrow_mut().push((id, end));
        }
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
            engine.shut_down(&mut EndWire);
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
#[derive(Default)]
struct TestHost {
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

    fn close_listener(&self, _: ListenerId) {}

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
