//! The world of the simulated network: subject and peer are hosts of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use torsade_core::{AnyProtocol, Connection, Disconnect, Net, Protocol, Transport, factory};
use torsade_testing::sim::{Cuts, Links, Sim};

use crate::actor::{PLANTED, Part, STOPPING, Say};
use crate::play::{Act, Seen, Status, World};
use crate::scenario::Role;

/// So much the peer takes at once.
const MOUTHFUL: usize = 16 * 1024;

/// One network for each scenario.
pub(crate) struct Simulated {
    sim: Sim,
    part: Rc<Part>,
    /// The protocol that plays it, until there is a connection.
    protocol: Option<AnyProtocol>,
    peer: Rc<Watched>,
    events: Rc<RefCell<Vec<String>>>,
    /// What has arrived at the peer, kept apart because it is lent.
    received: Vec<u8>,
    /// Waits since something moved.
    idle: usize,
}

/// The peer's connection, from outside.
struct Watched {
    connection: RefCell<Option<Connection>>,
    received: RefCell<Vec<u8>>,
    appetite: Cell<usize>,
    seen: Cell<Seen>,
}

impl Simulated {
    pub(crate) fn new(seed: u64) -> Self {
        let sim = Sim::new(seed);
        let mut links = Links::default();
        links.cuts = Cuts::Whole;
        sim.links(links);
        let events: Rc<RefCell<Vec<String>>> = Rc::default();
        let list = Rc::clone(&events);
        let say: Say = Rc::new(move |event| list.borrow_mut().push(event.to_owned()));
        let (part, protocol) = Part::new("", &say);
        Self {
            sim,
            part,
            protocol: Some(protocol),
            peer: Rc::new(Watched {
                connection: RefCell::default(),
                received: RefCell::default(),
                appetite: Cell::new(0),
                seen: Cell::new(Seen::Open),
            }),
            events,
            received: Vec::new(),
            idle: 0,
        }
    }

    /// A protocol that has had the end is not told of a reset behind it, but the trace has it.
    fn is_reset(&self) -> bool {
        const LATELY: usize = 50;
        let trace = self.sim.trace().of("peer").last(LATELY);
        trace.to_string().contains("<- subject: a reset")
    }

    fn net(&self, host: &str) -> Net {
        self.sim.host(host).net()
    }

    fn connect(
        &self,
        from: &str,
        to: &str,
        ours: AnyProtocol,
        theirs: AnyProtocol,
    ) -> Result<(), String> {
        let theirs = RefCell::new(Some(theirs));
        self.net(to)
            .listen("0.0.0.0:7", factory(move |_| theirs.take()))
            .map_err(|error| error.to_string())?;
        let connected = self.net(from).connect(format!("{to}:7"), ours);
        let peer = Rc::clone(&self.peer);
        connected.finish(move |connected| {
            // It was reset before the peer looked.
            if connected.is_err() {
                peer.seen.set(Seen::Rst);
            }
        });
        Ok(())
    }
}

impl World for Simulated {
    fn flood(&self) -> usize {
        512 * 1024
    }

    fn begin(&mut self, role: Role, flags: &str) -> Result<(), String> {
        let list = Rc::clone(&self.events);
        let say: Say = Rc::new(move |event| list.borrow_mut().push(event.to_owned()));
        let (part, protocol) = Part::new(flags, &say);
        self.part = part;
        self.protocol = None;
        if flags.contains("raise") {
            self.sim.expect_panic(PLANTED);
        }
        let peer = AnyProtocol::new(Peer(Rc::clone(&self.peer)));
        match role {
            Role::Accepted => self.connect("peer", "subject", peer, protocol),
            Role::Connecting => self.connect("subject", "peer", protocol, peer),
        }
    }

    fn order(&mut self, ops: &str) -> Result<Status, String> {
        self.sim.settle();
        let (part, ops) = (Rc::clone(&self.part), ops.to_owned());
        let order = move |_: &Net| part.act(&ops);
        self.net("subject")
            .call_later(std::time::Duration::ZERO, order);
        self.sim.settle();
        Status::read(&self.part.status()).ok_or_else(|| "no answer".into())
    }

    fn take_events(&mut self) -> Vec<String> {
        let mut events = self.events.take();
        events.retain(|event| event != STOPPING);
        events
    }

    fn peer(&mut self, act: Act) -> Result<(), String> {
        let connection = self.peer.connection.borrow().clone();
        let Some(connection) = connection else {
            return Ok(());
        };
        match act {
            Act::Send(text) => connection.write(text),
            Act::Finish => connection.close_write(),
            Act::Reset => {
                self.peer.leave();
                connection.abort();
            }
            Act::Close => {
                self.peer.leave();
                self.sim.kill("peer").stays();
            }
        }
        self.sim.settle();
        Ok(())
    }

    fn read(&mut self) -> Result<bool, String> {
        let before = (self.received.len(), self.peer.seen.get());
        let connection = self.peer.connection.borrow().clone();
        if let (Some(connection), true) = (connection, before.1 != Seen::Left) {
            self.peer.appetite.set(MOUTHFUL);
            connection.resume_reading();
            self.sim.settle();
        }
        if self.seen() == Seen::Fin && self.is_reset() {
            self.peer.seen.set(Seen::FinRst);
        }
        self.received.clone_from(&self.peer.received.borrow());
        let moved = before != (self.received.len(), self.peer.seen.get());
        self.idle = if moved { 0 } else { self.idle };
        Ok(moved)
    }

    fn received(&self) -> &[u8] {
        &self.received
    }

    fn seen(&self) -> Seen {
        self.peer.seen.get()
    }

    fn wait(&mut self) -> Result<(), String> {
        self.sim.settle();
        self.idle += 1;
        match self.idle {
            0..10 => Ok(()),
            _ => Err("what was sent does not arrive".into()),
        }
    }

    fn kill(&mut self) -> Result<(), String> {
        let known = self.events.borrow().len();
        self.sim.kill("subject").stays();
        self.sim.settle();
        // Its engine is dropped and says so. A real process that is killed says nothing any more.
        self.events.borrow_mut().truncate(known);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), String> {
        let subject = self.sim.host("subject");
        subject.net().stop();
        while !subject.has_stopped() || self.seen() == Seen::Open {
            if !self.read()? {
                self.wait()?;
            }
        }
        Ok(())
    }
}

impl Watched {
    fn leave(&self) {
        if self.seen.get() == Seen::Open {
            self.seen.set(Seen::Left);
        }
    }
}

/// Reads as much as it is told to, and ends nothing by itself.
struct Peer(Rc<Watched>);

impl Protocol for Peer {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.connection().pause_reading();
        self.0.connection.replace(Some(transport.connection()));
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.0.received.borrow_mut().extend_from_slice(data);
        let left = self.0.appetite.get().saturating_sub(data.len());
        self.0.appetite.set(left);
        if left == 0 {
            transport.connection().pause_reading();
        }
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.0.seen.set(Seen::Fin);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        match (self.0.seen.get(), reason) {
            (Seen::Open, Disconnect::Reset) => self.0.seen.set(Seen::Rst),
            (Seen::Fin, Disconnect::Reset) => self.0.seen.set(Seen::FinRst),
            _ => {}
        }
    }
}
