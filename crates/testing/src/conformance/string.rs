use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Limits, Listener, Net, Place};

use super::{Column, End, Far, Harness, Probe, Role, Seen};
use crate::end::{self, Side};
use crate::ledger;
use crate::string_transport::finish_last;
use crate::world::{self, World};
use crate::{FarPort, StringTransport, Xor};

/// The harness on [`StringTransport`]s, all of a cell on one engine.
///
/// ```
/// use torsade_testing::conformance::{Outcome, STRING, contracts};
///
/// assert_eq!(contracts()[2].cells[0].run(&STRING), Outcome::Passed);
/// ```
pub const STRING: Column = Column {
    name: "string",
    make: |limits| Box::new(StringHarness::new(limits, None)),
    elsewhere: None,
    cannot: &[],
};

/// The same, with a [filter](Xor) between every opened connection and its raw end, which the
/// harness undoes. What a cell listens or connects for by itself has none.
///
/// ```
/// use torsade_testing::conformance::{FILTERED_STRING, Outcome, contracts};
///
/// assert_eq!(contracts()[2].cells[0].run(&FILTERED_STRING), Outcome::Passed);
/// ```
pub const FILTERED_STRING: Column = Column {
    name: "string+filter",
    make: |limits| Box::new(StringHarness::new(nothing_ahead(limits), Some(7))),
    elsewhere: None,
    cannot: THROUGH_A_FILTER,
};

/// What a column of filters cannot show.
pub const THROUGH_A_FILTER: &[(&str, &str)] = &[
    (
        "shared_bytes_are_not_copied_when_large",
        "what a filter encodes are other bytes than those that were shared",
    ),
    (
        "filters_see_what_is_theirs_while_input_is_held",
        "filters of this column are told to see nothing ahead",
    ),
];

/// Filters that see nothing before the protocol wants it, so that cells find input where they
/// expect it.
#[must_use]
pub fn nothing_ahead(limits: Limits) -> Limits {
    let mut limits = limits;
    limits.filter_ahead = 0;
    limits
}

struct StringHarness {
    world: Rc<World>,
    seats: Vec<Seat>,
    far: Vec<FarPort>,
    /// Of the filter of connections that are opened.
    key: Option<u8>,
}

/// One raw end.
struct Seat {
    end: Rc<end::End>,
    /// Kept for what it does when it is dropped; none for ends that dialled or wait.
    transport: Option<StringTransport<Probe>>,
    reads: bool,
    received: Vec<u8>,
    key: Option<u8>,
    sent: u64,
}

/// What a peer's kernel takes when the peer does not read.
const KERNEL: usize = 64 * 1024;

impl StringHarness {
    fn new(limits: Limits, key: Option<u8>) -> Self {
        Self {
            world: World::new(limits),
            seats: Vec::new(),
            far: Vec::new(),
            key,
        }
    }

    fn add(&mut self, end: Rc<end::End>, transport: Option<StringTransport<Probe>>) -> End {
        self.seats.push(Seat {
            end,
            transport,
            reads: true,
            received: Vec::new(),
            key: None,
            sent: 0,
        });
        End(self.seats.len() - 1)
    }
}

impl Seat {
    fn read(&mut self, most: usize) -> usize {
        let bytes = self.end.take_outgoing(most);
        self.received.extend_from_slice(&bytes);
        bytes.len()
    }
}

impl Harness for StringHarness {
    fn net(&self) -> Net {
        self.world.net().clone()
    }

    fn open(&mut self, role: Role, probe: Probe) -> End {
        let mut builder = StringTransport::builder();
        if let Some(key) = self.key {
            builder = builder.filter(move |_| Xor::new(key));
        }
        let transport = match role {
            Role::Accepted => builder.serve_on(&self.world, probe),
            Role::Connecting => builder.connect_on(&self.world, probe),
        };
        let end = self.add(Rc::clone(transport.end_of_wire()), Some(transport));
        self.seats[end.0].key = self.key;
        end
    }

    fn dial(&mut self, listener: &Listener) -> End {
        let end = Rc::new(end::End::new(usize::MAX));
        self.world.dial(listener, &end);
        self.add(end, None)
    }

    fn door(&mut self) -> (Place, End) {
        let end = Rc::new(end::End::new(usize::MAX));
        (self.world.door(&end).into(), self.add(end, None))
    }

    fn closed_door(&mut self) -> Place {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()
    }

    fn send(&mut self, end: End, data: &[u8]) {
        let most = self.world.net().limits().turn_connection_bytes;
        let seat = &mut self.seats[end.0];
        for piece in data.chunks(most) {
            match seat.key {
                None => seat.end.arrive(piece),
                Some(key) => seat.end.arrive(&Xor::scrambled(key, seat.sent, piece)),
            }
            seat.sent += piece.len() as u64;
        }
    }

    fn finish(&mut self, end: End) {
        self.seats[end.0].end.end_input(Side::Ended);
    }

    fn reset(&mut self, end: End) {
        self.seats[end.0].end.end_input(Side::Reset);
    }

    fn stop_reading(&mut self, end: End) {
        let seat = &mut self.seats[end.0];
        seat.reads = false;
        seat.end.set_room(KERNEL);
    }

    fn read_some(&mut self, end: End) {
        let seat = &mut self.seats[end.0];
        let read = seat.read(KERNEL / 2);
        seat.end.set_room(seat.end.room() + read);
        self.settle();
    }

    fn sip(&mut self, end: End) {
        self.seats[end.0].read(1);
    }

    fn read_again(&mut self, end: End) {
        let seat = &mut self.seats[end.0];
        seat.reads = true;
        seat.end.set_room(usize::MAX);
        self.settle();
    }

    fn received(&mut self, end: End) -> Vec<u8> {
        let seat = &self.seats[end.0];
        match seat.key {
            None => seat.received.clone(),
            Some(key) => Xor::scrambled(key, 0, &seat.received),
        }
    }

    fn seen(&mut self, end: End) -> Seen {
        let seat = &self.seats[end.0];
        match seat.end.output() {
            Side::Ended if seat.end.outgoing() == 0 => Seen::Ended,
            Side::Reset => Seen::Reset,
            Side::Ended | Side::Open => Seen::Open,
        }
    }

    fn sends(&mut self, end: End) -> usize {
        self.seats[end.0].end.sends()
    }

    fn flood(&self) -> usize {
        4 * KERNEL
    }

    fn settle(&mut self) {
        world::settle();
        for seat in self.seats.iter_mut().filter(|seat| seat.reads) {
            seat.read(usize::MAX);
        }
    }

    fn advance(&mut self, duration: Duration) {
        world::advance(duration);
        self.settle();
    }

    fn far_port(&mut self) -> (Far, SocketAddr) {
        let far = FarPort::open("127.0.0.1:0");
        let address = far.local();
        self.far.push(far);
        (Far(self.far.len() - 1), address)
    }

    fn throw(&mut self, from: Far, to: SocketAddr, data: &[u8]) {
        self.far[from.0].throw(to, data);
    }

    fn caught(&mut self, far: Far) -> Vec<(SocketAddr, Vec<u8>)> {
        self.far[far.0].take()
    }

    fn deaf_address(&mut self) -> SocketAddr {
        FarPort::open("127.0.0.1:0").local()
    }

    fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    fn shut_down(&mut self) {
        self.world.shut_down();
    }
}

impl Drop for StringHarness {
    fn drop(&mut self) {
        for seat in &mut self.seats {
            seat.transport.take();
        }
        finish_last(&self.world);
    }
}
