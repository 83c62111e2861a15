//! The harness on real sockets, of the internet and of this machine, and on pipes: a reactor whose clock is
//! turned by hand, and raw ends that are plain sockets of the test.
//!
//! Nothing here waits for time to pass. What a kernel does on loopback it does in order, so a byte
//! that was sent over a pair of sockets of the harness's own, and has arrived, says that what was
//! sent before has arrived too. Bytes that are known to be under way are waited for by `poll`.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use socket2::{Domain, SockAddr, Socket, Type};
use torsade_core::{
    Address, Adopted, Command, Endpoint, Limits, Listener, Net, Peer, Place, UnixAddress, factory,
};
use torsade_reactor::{Driver, Reactor};
use torsade_testing::conformance::{End, Far, Harness, Probe, Role, Seat, Seen, not_here};
use torsade_testing::{Clock, Xor};

use crate::children::Child;
use crate::logged;
use crate::raw::{Line, Raw, RawSocket};
use crate::tls::{self, FarTls};

/// More than a kernel holds on loopback between a socket of the reactor and one of ours, whose
/// receive buffer is small.
const FLOOD: usize = 12 * 1024 * 1024;
const RECEIVE_BUFFER: usize = 64 * 1024;

/// So often nothing may move before all is at rest.
const QUIET_ROUNDS: usize = 3;

/// What is under way on loopback and does not come within this time never will.
pub(crate) const PATIENCE: Timespec = Timespec {
    tv_sec: 30,
    tv_nsec: 0,
};

pub(crate) struct SocketHarness {
    family: Family,
    /// None after the shutdown.
    reactor: Option<Reactor>,
    net: Net,
    raw: Vec<Raw>,
    far: Vec<UdpSocket>,
    marker: (TcpStream, TcpStream),
    /// Addresses that are taken, and that nobody listens on.
    closed_doors: Vec<Socket>,
    expected: Vec<String>,
    /// On connections that are opened.
    dress: Dress,
}

/// What lies between a probe and the wire.
#[derive(Clone, Copy)]
pub(crate) enum Dress {
    Nothing,
    /// A filter with this key.
    Xor(u8),
    Tls,
}

/// Which sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Inet,
    Unix,
    /// No sockets: two pipes crosswise.
    Pipes,
    /// The two of a child that are its standard input and output.
    Process,
}

impl Family {
    /// Whether a connection is two pipes.
    fn is_of_pipes(self) -> bool {
        matches!(self, Self::Pipes | Self::Process)
    }
}

impl SocketHarness {
    pub(crate) fn new(driver: Driver, limits: Limits, dress: Dress) -> Self {
        Self::of(Family::Inet, driver, limits, dress)
    }

    pub(crate) fn of(family: Family, driver: Driver, limits: Limits, dress: Dress) -> Self {
        logged::begin();
        let builder = Reactor::builder().driver(driver);
        let reactor = builder.limits(limits).clock(Clock::now).build();
        let reactor = need(reactor, "a reactor");
        let door = need(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)), "a listener");
        let there = need(door.local_addr().and_then(TcpStream::connect), "a pair");
        let (here, _) = need(door.accept(), "a pair");
        need(here.set_nodelay(true), "an option");
        Self {
            family,
            net: reactor.net().clone(),
            reactor: Some(reactor),
            raw: Vec::new(),
            far: Vec::new(),
            marker: (here, there),
            closed_doors: Vec::new(),
            expected: Vec::new(),
            dress,
        }
    }

    fn add(&mut self, socket: RawSocket, probe: Seat) -> End {
        self.raw.push(Raw::new(socket, probe));
        End(self.raw.len() - 1)
    }

    /// This place, through the harness's filter if it has one.
    fn filtered(&self, place: impl Into<Place>, role: Role) -> Endpoint {
        let endpoint = Endpoint::new([place]);
        match self.dress {
            Dress::Nothing => endpoint,
            Dress::Xor(key) => endpoint.filter(move |_| Xor::new(key)),
            Dress::Tls => tls::dress(endpoint, role),
        }
    }

    /// The other side of it.
    fn undress(&mut self, end: End, role: Role) {
        let raw = &mut self.raw[end.0];
        match self.dress {
            Dress::Nothing => {}
            Dress::Xor(key) => raw.key = Some(key),
            Dress::Tls => raw.far = Some(FarTls::of(role)),
        }
    }

    /// A socket at a place of its own.
    fn bound(&self) -> (Socket, Address) {
        let socket = small_socket(self.family);
        let mut address = self.anywhere();
        need(socket.bind(&system(&address)), "an address");
        if self.family == Family::Inet {
            let port = need(socket.local_addr(), "an address").as_socket();
            address = need(port.ok_or("no port"), "an address").into();
        }
        (socket, address)
    }

    /// Take turns while there is something to do without waiting. Returns whether there was.
    fn take_turns(&mut self) -> bool {
        const RESTLESS: usize = 1_000_000;
        let Some(reactor) = &mut self.reactor else {
            return false;
        };
        for turn in 0..RESTLESS {
            let is_due = reactor.next_deadline().is_some_and(|at| at <= Clock::now());
            if !is_due && !is_ready(reactor) {
                return turn > 0;
            }
            need(reactor.turn(Some(Duration::ZERO)), "a turn");
        }
        panic!("the reactor does not come to rest");
    }

    /// Move what can be moved at the raw ends. Returns whether that was anything.
    fn move_raw(&mut self) -> bool {
        let mut moved = false;
        for raw in &mut self.raw {
            moved |= raw.step();
        }
        moved
    }

    /// Everything that was sent on this machine before has arrived when this returns.
    fn order_the_kernel(&mut self) {
        let (here, there) = &mut self.marker;
        need(here.write_all(&[0]), "a byte on its way");
        need(there.read_exact(&mut [0]), "a byte on its way");
    }

    /// Wait for an event at one of the sockets: bytes are known to be on their way.
    fn wait_for_what_is_under_way(&self) {
        let mut fds = Vec::new();
        if let Some(reactor) = &self.reactor {
            fds.push(PollFd::new(reactor, PollFlags::IN));
        }
        for raw in &self.raw {
            raw.awaits(&mut fds);
        }
        let ready = poll(&mut fds, Some(&PATIENCE)).unwrap_or(0);
        assert!(ready > 0, "bytes that were sent did not arrive");
    }
}

impl Harness for SocketHarness {
    fn net(&self) -> Net {
        self.net.clone()
    }

    fn open(&mut self, role: Role, probe: Probe) -> End {
        let seat = probe.seat();
        let end = match role {
            _ if self.family.is_of_pipes() => {
                let (place, end) = self.door();
                let made = self.net.connect(place, probe);
                // Nobody accepts pipes, but a protocol of who does so is throttled.
                let throttle = role == Role::Accepted;
                made.map(move |probe| probe.throttle_input(throttle))
                    .detach();
                self.settle();
                end
            }
            Role::Accepted => {
                let mut probe = Some(probe);
                let here = self.filtered(self.anywhere(), role);
                let listener = self.net.listen(here, factory(move |_: &Peer| probe.take()));
                let listener = need(listener, "a listener");
                let end = self.dial(&listener);
                self.undress(end, role);
                self.settle();
                listener.close();
                end
            }
            Role::Connecting => {
                let (place, end) = self.door();
                self.undress(end, role);
                let endpoint = self.filtered(place, role);
                self.net.connect(endpoint, probe).detach();
                self.settle();
                end
            }
        };
        self.raw[end.0].probe = seat;
        self.settle();
        end
    }

    fn dial(&mut self, listener: &Listener) -> End {
        let socket = small_socket(self.family);
        let to = system(&listener.address());
        need(socket.connect(&to), "a connection");
        let line = Line::Socket(prepare(socket));
        self.add(RawSocket::Open(line), Seat::default())
    }

    fn door(&mut self) -> (Place, End) {
        let (place, socket) = match self.family {
            Family::Inet | Family::Unix => {
                let (socket, address) = self.bound();
                need(socket.listen(1), "a listener");
                need(socket.set_nonblocking(true), "an option");
                (address.into(), RawSocket::Waiting(socket))
            }
            Family::Pipes => {
                let (adopted, line) = pipes();
                (adopted.into(), RawSocket::Open(line))
            }
            Family::Process => {
                let (command, child) = Child::awaited();
                (command.into(), RawSocket::Unborn(child))
            }
        };
        (place, self.add(socket, Seat::default()))
    }

    fn closed_door(&mut self) -> Place {
        match self.family {
            Family::Inet | Family::Unix => {
                // Bound, so that nobody else gets it, but not listening.
                let (socket, address) = self.bound();
                self.closed_doors.push(socket);
                address.into()
            }
            Family::Pipes => {
                // Somebody had them before.
                let (adopted, _) = pipes();
                drop(adopted.take());
                adopted.into()
            }
            Family::Process => Command::new("/dev/null/no program").into(),
        }
    }

    fn anywhere(&self) -> Address {
        match self.family {
            Family::Inet => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into(),
            Family::Unix => unix_place().into(),
            Family::Pipes | Family::Process => not_here(NO_DOORS),
        }
    }

    fn aborted(&self) -> Seen {
        match self.family {
            Family::Inet => Seen::Reset,
            // There is nothing that could be said with an end.
            Family::Unix | Family::Pipes | Family::Process => Seen::Ended,
        }
    }

    fn send(&mut self, end: End, data: &[u8]) {
        let raw = &mut self.raw[end.0];
        match (raw.key, &mut raw.far) {
            (None, None) => raw.unsent.extend_from_slice(data),
            (None, Some(far)) => far.say(data),
            (Some(key), _) => raw.unsent.extend(Xor::scrambled(key, raw.offered, data)),
        }
        raw.offered += data.len() as u64;
        raw.write();
    }

    fn finish(&mut self, end: End) {
        let raw = &mut self.raw[end.0];
        raw.finishes = true;
        if let Some(far) = &mut raw.far {
            far.finish();
        }
        raw.write();
    }

    fn reset(&mut self, end: End) {
        match self.family {
            Family::Inet => {}
            Family::Unix => not_here("a Unix socket's peer has no reset to send"),
            Family::Pipes | Family::Process => {
                not_here("whoever has the other ends of pipes has no reset to send")
            }
        }
        let raw = &mut self.raw[end.0];
        let socket = std::mem::replace(&mut raw.socket, RawSocket::Gone);
        if let RawSocket::Open(Line::Socket(socket)) = socket {
            need(socket.set_linger(Some(Duration::ZERO)), "an option");
        }
    }

    fn stop_reading(&mut self, end: End) {
        self.raw[end.0].reads = false;
    }

    fn read_some(&mut self, end: End) {
        let mut left = FLOOD / 3;
        while left > 0 {
            let read = self.raw[end.0].read(left);
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read);
            self.settle();
        }
    }

    fn sip(&mut self, _: End) {
        not_here("how little that would have to be, a kernel does not say")
    }

    fn read_again(&mut self, end: End) {
        self.raw[end.0].reads = true;
        self.settle();
    }

    fn received(&mut self, end: End) -> Vec<u8> {
        let raw = &self.raw[end.0];
        match raw.key {
            None => raw.received.clone(),
            Some(key) => Xor::scrambled(key, 0, &raw.received),
        }
    }

    fn seen(&mut self, end: End) -> Seen {
        self.raw[end.0].seen
    }

    fn sends(&mut self, _: End) -> usize {
        not_here("a kernel does not say how often it was called")
    }

    fn flood(&self) -> usize {
        FLOOD
    }

    fn settle(&mut self) {
        let mut quiet = 0;
        while quiet < QUIET_ROUNDS {
            self.order_the_kernel();
            let moved = self.take_turns() | self.move_raw();
            if moved {
                quiet = 0;
            } else if self.raw.iter().any(Raw::has_bytes_under_way) {
                self.wait_for_what_is_under_way();
            } else {
                quiet += 1;
            }
        }
    }

    fn advance(&mut self, duration: Duration) {
        self.settle();
        let target = Clock::now() + duration;
        loop {
            let next = self.reactor.as_ref().and_then(Reactor::next_deadline);
            match next {
                Some(next) if next <= target => Clock::stall(next - Clock::now()),
                _ => break,
            }
            self.settle();
        }
        Clock::stall(target - Clock::now());
        self.settle();
    }

    fn far_port(&mut self) -> (Far, SocketAddr) {
        let socket = need(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), "a socket");
        need(socket.set_nonblocking(true), "an option");
        let address = need(socket.local_addr(), "an address");
        self.far.push(socket);
        (Far(self.far.len() - 1), address)
    }

    fn throw(&mut self, from: Far, to: SocketAddr, data: &[u8]) {
        need(self.far[from.0].send_to(data, to), "a datagram on its way");
    }

    fn caught(&mut self, far: Far) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut caught = Vec::new();
        let mut buffer = vec![0; 70_000];
        loop {
            match self.far[far.0].recv_from(&mut buffer) {
                Ok((n, from)) => caught.push((from, buffer[..n].to_vec())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return caught,
                Err(error) => panic!("a raw socket received nothing: {error}"),
            }
        }
    }

    fn deaf_address(&mut self) -> SocketAddr {
        let (far, address) = self.far_port();
        // Connected to itself it hears nobody else, and nobody else gets its address.
        need(self.far[far.0].connect(address), "a connection");
        address
    }

    fn expect_panic(&mut self, text: &str) {
        self.expected.push(text.to_owned());
    }

    fn shut_down(&mut self) {
        self.reactor.take();
    }
}

impl Drop for SocketHarness {
    fn drop(&mut self) {
        self.reactor.take();
        let logged = logged::take();
        if std::thread::panicking() {
            return;
        }
        let mut expected = std::mem::take(&mut self.expected);
        let mut complaints = Vec::new();
        for line in logged {
            match expected
                .iter()
                .position(|text| line.contains(text.as_str()))
            {
                Some(met) => drop(expected.remove(met)),
                None => complaints.push(line),
            }
        }
        let missing = expected
            .iter()
            .map(|text| format!("did not happen: {text}"));
        complaints.extend(missing);
        assert!(
            complaints.is_empty(),
            "the harness saw what no assertion did:\n  {}",
            complaints.join("\n  ")
        );
    }
}

/// Whether an event waits for the reactor.
fn is_ready(reactor: &Reactor) -> bool {
    let mut fds = [PollFd::new(reactor, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn small_socket(family: Family) -> Socket {
    let domain = match family {
        Family::Inet => Domain::IPV4,
        Family::Unix => Domain::UNIX,
        Family::Pipes | Family::Process => not_here(NO_DOORS),
    };
    let socket = need(Socket::new(domain, Type::STREAM, None), "a socket");
    need(socket.set_recv_buffer_size(RECEIVE_BUFFER), "an option");
    socket
}

pub(crate) fn prepare(socket: Socket) -> Socket {
    need(socket.set_nonblocking(true), "an option");
    // What has no such option needs none.
    let _ = socket.set_tcp_nodelay(true);
    socket
}

/// Why a cell that listens or connects does not apply to pipes.
const NO_DOORS: &str = "pipes are made in pairs: nobody listens, and nobody is accepted";

/// Two pipes crosswise: a connection of ours, and the other ends of it.
fn pipes() -> (Adopted, Line) {
    let (input, theirs) = need(std::io::pipe(), "a pipe");
    let (far, output) = need(std::io::pipe(), "a pipe");
    for end in [theirs.as_fd(), far.as_fd()] {
        need(ioctl_fionbio(end, true), "an option");
    }
    let adopted = Adopted::pipes(Some(input.into()), Some(output.into()));
    let line = Line::Pipes {
        input: far,
        output: Some(theirs),
    };
    (adopted, line)
}

/// A name that nobody else in this process or another has: no file, where there is such a thing.
fn unix_place() -> UnixAddress {
    static PLACES: AtomicU32 = AtomicU32::new(0);
    let number = PLACES.fetch_add(1, Ordering::Relaxed);
    let name = format!("torsade-conformance-{}-{number}", std::process::id());
    match cfg!(target_os = "linux") {
        true => UnixAddress::abstract_name(name),
        false => UnixAddress::path(std::env::temp_dir().join(name)),
    }
}

/// The address as the system takes it.
fn system(address: &Address) -> SockAddr {
    match address {
        Address::Inet(inet) => (*inet).into(),
        Address::Unix(UnixAddress::Abstract(name)) => {
            let name = [&[0], &name[..]].concat();
            need(SockAddr::unix(OsStr::from_bytes(&name)), "an address")
        }
        Address::Unix(UnixAddress::Path(path)) => need(SockAddr::unix(path), "an address"),
        other => panic!("nobody listens on {other}"),
    }
}

#[track_caller]
pub(crate) fn need<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the system gave no {what}: {error}"),
    }
}
