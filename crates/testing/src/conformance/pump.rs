use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, Disconnect, Limits, Listener, Net, Place, Protocol, Transport};

use super::{Column, End, Harness, Probe, Role, Seen, not_here};
use crate::Pump;
use crate::end;
use crate::ledger;
use crate::string_transport::finish_last;
use crate::world::{self, World};

/// The harness on [`Pump`]s: the raw end is a protocol too, on the same engine.
///
/// ```
/// use torsade_testing::conformance::{Outcome, PUMP, contracts};
///
/// assert_eq!(contracts()[2].cells[0].run(&PUMP), Outcome::Passed);
/// ```
pub const PUMP: Column = Column {
    name: "pump",
    make: |limits| Box::new(PumpHarness::new(limits)),
    elsewhere: None,
    cannot: &[],
};

struct PumpHarness {
    world: Rc<World>,
    seats: Vec<Seat>,
}

struct Seat {
    joint: Joint,
    raw: Rc<RawState>,
}

enum Joint {
    Accepted(Pump<Raw, Probe>),
    Connecting(Pump<Probe, Raw>),
}

/// The peer.
struct Raw(Rc<RawState>);

#[derive(Default)]
struct RawState {
    received: RefCell<Vec<u8>>,
    seen: Cell<Option<Seen>>,
}

impl Protocol for Raw {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.throttle_input(false);
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.received.borrow_mut().extend_from_slice(data);
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.0.seen.set(Some(Seen::Ended));
    }

    fn stopping(&mut self, _: &Transport<Self>) {
        // It is the other reactor that stops.
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if *reason == Disconnect::Reset {
            self.0.seen.set(Some(Seen::Reset));
        }
    }
}

const QUEUE: usize = 64 * 1024;

impl PumpHarness {
    fn new(limits: Limits) -> Self {
        Self {
            world: World::new(limits),
            seats: Vec::new(),
        }
    }

    /// The peer's connection.
    fn raw(&self, end: End) -> &Connection {
        match &self.seats[end.0].joint {
            Joint::Accepted(pump) => pump.client_connection(),
            Joint::Connecting(pump) => pump.server_connection(),
        }
    }
}

impl Seat {
    fn step(&mut self) -> bool {
        match &mut self.joint {
            Joint::Accepted(pump) => pump.step(),
            Joint::Connecting(pump) => pump.step(),
        }
    }

    /// The kernel's side of the probe.
    fn end(&self) -> &end::End {
        match &self.joint {
            Joint::Accepted(pump) => pump.ends()[1],
            Joint::Connecting(pump) => pump.ends()[0],
        }
    }
}

impl Harness for PumpHarness {
    fn net(&self) -> Net {
        self.world.net().clone()
    }

    fn open(&mut self, role: Role, probe: Probe) -> End {
        let raw = Rc::new(RawState::default());
        let peer = Raw(Rc::clone(&raw));
        let world = Rc::clone(&self.world);
        let segment = self.net().limits().turn_connection_bytes.min(QUEUE);
        let joint = match role {
            Role::Accepted => Joint::Accepted(Pump::on(world, peer, probe).segment(segment)),
            Role::Connecting => Joint::Connecting(Pump::on(world, probe, peer).segment(segment)),
        };
        self.seats.push(Seat { joint, raw });
        End(self.seats.len() - 1)
    }

    fn dial(&mut self, _: &Listener) -> End {
        not_here("a pump joins two protocols without a listener")
    }

    fn door(&mut self) -> (Place, End) {
        not_here("a pump joins two protocols without a listener")
    }

    fn closed_door(&mut self) -> Place {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()
    }

    fn send(&mut self, end: End, data: &[u8]) {
        self.raw(end).write(data);
    }

    fn finish(&mut self, end: End) {
        self.raw(end).close_write();
    }

    fn reset(&mut self, end: End) {
        // What was sent before is on its way: let it get there, if the peer reads.
        self.seats[end.0].step();
        self.raw(end).abort();
    }

    fn stop_reading(&mut self, end: End) {
        self.raw(end).pause_reading();
    }

    fn read_some(&mut self, end: End) {
        self.raw(end).resume_reading();
        self.seats[end.0].step();
        self.raw(end).pause_reading();
        self.settle();
    }

    fn sip(&mut self, _: End) {
        not_here("a pump's queue gives room for every byte that leaves it")
    }

    fn read_again(&mut self, end: End) {
        self.raw(end).resume_reading();
        self.settle();
    }

    fn received(&mut self, end: End) -> Vec<u8> {
        self.seats[end.0].raw.received.borrow().clone()
    }

    fn seen(&mut self, end: End) -> Seen {
        self.seats[end.0].raw.seen.get().unwrap_or(Seen::Open)
    }

    fn sends(&mut self, end: End) -> usize {
        self.seats[end.0].end().sends()
    }

    fn flood(&self) -> usize {
        8 * QUEUE
    }

    fn settle(&mut self) {
        world::settle();
        loop {
            let mut moved = false;
            for seat in &mut self.seats {
                moved |= seat.step();
            }
            if !moved {
                return;
            }
        }
    }

    fn advance(&mut self, duration: Duration) {
        self.settle();
        world::advance(duration);
        self.settle();
    }

    fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    fn shut_down(&mut self) {
        self.world.shut_down();
    }
}

impl Drop for PumpHarness {
    fn drop(&mut self) {
        self.seats.clear();
        finish_last(&self.world);
    }
}
