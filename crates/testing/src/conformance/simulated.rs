use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use torsade_core::{Endpoint, Limits, Listener, Net, Peer, Place, factory};

use super::{Column, End, Far, Harness, Probe, Role, Seen};
use crate::ledger;
use crate::sim::{Links, Raw, RawPort, Sim};

/// The harness on a host of a [`Sim`] whose links take no time: raw ends are
/// connections of the same host that no engine has.
///
/// ```
/// use torsade_testing::conformance::{Outcome, SIMULATED, contracts};
///
/// assert_eq!(contracts()[2].cells[0].run(&SIMULATED), Outcome::Passed);
/// ```
pub const SIMULATED: Column = Column {
    name: "simulated",
    make: |limits| Box::new(SimulatedHarness::new(limits)),
    elsewhere: None,
    cannot: &[],
};

struct SimulatedHarness {
    sim: Sim,
    net: Net,
    seats: Vec<Seat>,
    far: Vec<RawPort>,
}

/// One raw end.
struct Seat {
    raw: Raw,
    reads: bool,
    received: Vec<u8>,
    seen: Seen,
    /// Sent by the peer, and not taken by the kernel yet.
    unsent: Vec<u8>,
    finishes: bool,
    sends: usize,
}

const HOST: &str = "host";

/// What a kernel takes of a sender, and keeps for a peer that does not read.
const SEND_BUFFER: usize = 512 * 1024;
const RECEIVE_BUFFER: usize = 64 * 1024;

impl SimulatedHarness {
    fn new(limits: Limits) -> Self {
        let sim = Sim::new(1);
        let mut links = Links::ideal();
        links.send_buffer = SEND_BUFFER;
        links.receive_buffer = RECEIVE_BUFFER;
        sim.links(links);
        let net = sim.host_with(HOST, limits).net();
        Self {
            sim,
            net,
            seats: Vec::new(),
            far: Vec::new(),
        }
    }

    fn add(&mut self, raw: Raw) -> End {
        self.seats.push(Seat {
            raw,
            reads: true,
            received: Vec::new(),
            seen: Seen::Open,
            unsent: Vec::new(),
            finishes: false,
            sends: 0,
        });
        End(self.seats.len() - 1)
    }
}

impl Seat {
    /// Move what can be moved, and say whether that was anything.
    fn step(&mut self) -> bool {
        self.sends = self.sends.max(self.raw.sends_of_peer());
        let accepted = self.raw.accept();
        let wrote = self.write();
        let read = self.reads && self.read(usize::MAX) > 0;
        accepted || wrote || read
    }

    fn write(&mut self) -> bool {
        let mut moved = false;
        while !self.unsent.is_empty() {
            match self.raw.send(&self.unsent) {
                Ok(0) => break,
                Ok(sent) => {
                    self.unsent.drain(..sent);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The other end is gone, and so is what it did not want.
                Err(_) => self.unsent.clear(),
            }
        }
        if self.unsent.is_empty() && std::mem::take(&mut self.finishes) {
            self.raw.shutdown();
            moved = true;
        }
        moved
    }

    /// Read so much, or what there is, and count the end as a byte.
    fn read(&mut self, most: usize) -> usize {
        let mut buffer = vec![0; RECEIVE_BUFFER];
        let mut read = 0;
        while read < most && self.seen == Seen::Open {
            let wanted = (most - read).min(buffer.len());
            match self.raw.receive(&mut buffer[..wanted]) {
                Ok(0) => {
                    self.seen = Seen::Ended;
                    read += 1;
                }
                Ok(n) => {
                    self.received.extend_from_slice(&buffer[..n]);
                    read += n;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.seen = Seen::Reset;
                    read += 1;
                }
            }
        }
        read
    }
}

impl Harness for SimulatedHarness {
    fn net(&self) -> Net {
        self.net.clone()
    }

    fn open(&mut self, role: Role, probe: Probe) -> End {
        let end = match role {
            Role::Accepted => {
                let mut probe = Some(probe);
                let here = Endpoint::new([SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
                let listener = self.net.listen(here, factory(move |_: &Peer| probe.take()));
                let listener = need(listener.ok(), "a listener");
                let end = self.dial(&listener);
                self.settle();
                listener.close();
                end
            }
            Role::Connecting => {
                let (address, end) = self.door();
                self.net.connect(address, probe).detach();
                end
            }
        };
        self.settle();
        end
    }

    fn dial(&mut self, listener: &Listener) -> End {
        let address = need(listener.address().inet(), "an address");
        let raw = Raw::dial(&self.sim, HOST, address);
        self.add(need(raw, "a descriptor"))
    }

    fn door(&mut self) -> (Place, End) {
        let (address, raw) = need(Raw::door(&self.sim, HOST).ok(), "a free port");
        (address.into(), self.add(raw))
    }

    fn closed_door(&mut self) -> Place {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into()
    }

    fn send(&mut self, end: End, data: &[u8]) {
        let seat = &mut self.seats[end.0];
        seat.unsent.extend_from_slice(data);
        seat.write();
    }

    fn finish(&mut self, end: End) {
        let seat = &mut self.seats[end.0];
        seat.finishes = true;
        seat.write();
    }

    fn reset(&mut self, end: End) {
        self.seats[end.0].raw.reset();
    }

    fn stop_reading(&mut self, end: End) {
        self.seats[end.0].reads = false;
    }

    fn read_some(&mut self, end: End) {
        let mut left = self.flood() / 3;
        while left > 0 {
            let read = self.seats[end.0].read(left);
            if read == 0 {
                return;
            }
            left = left.saturating_sub(read);
            self.settle();
        }
    }

    fn sip(&mut self, end: End) {
        // The window opens in steps, of which this is one, and of the queue less than a third.
        self.seats[end.0].read(RECEIVE_BUFFER / 2);
    }

    fn read_again(&mut self, end: End) {
        self.seats[end.0].reads = true;
        self.settle();
    }

    fn received(&mut self, end: End) -> Vec<u8> {
        self.seats[end.0].received.clone()
    }

    fn seen(&mut self, end: End) -> Seen {
        self.seats[end.0].seen
    }

    fn sends(&mut self, end: End) -> usize {
        let seat = &mut self.seats[end.0];
        seat.sends = seat.sends.max(seat.raw.sends_of_peer());
        seat.sends
    }

    fn flood(&self) -> usize {
        4 * (SEND_BUFFER + RECEIVE_BUFFER)
    }

    fn settle(&mut self) {
        loop {
            self.sim.settle();
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
        self.sim.advance(duration);
        self.settle();
    }

    fn far_port(&mut self) -> (Far, SocketAddr) {
        let far = RawPort::of(&self.sim, HOST);
        let address = far.local();
        self.far.push(far);
        (Far(self.far.len() - 1), address)
    }

    fn throw(&mut self, from: Far, to: SocketAddr, data: &[u8]) {
        self.far[from.0].send_to(to, data);
    }

    fn caught(&mut self, far: Far) -> Vec<(SocketAddr, Vec<u8>)> {
        self.far[far.0].take()
    }

    fn deaf_address(&mut self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
    }

    fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    fn shut_down(&mut self) {
        self.sim.shut_down();
    }
}

fn need<T>(result: Option<T>, what: &str) -> T {
    match result {
        Some(value) => value,
        None => panic!("the simulated host gave no {what}"),
    }
}
