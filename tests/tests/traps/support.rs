//! A reactor whose clock is turned by hand, a protocol made of closures, and peers that are plain
//! sockets of the test and never block.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};
use torsade_core::{Disconnect, Limits, Net, Protocol, Transport, factory};
use torsade_reactor::Reactor;
use torsade_testing::Clock;

/// What a peer with small kernel buffers asks for, in bytes.
pub(crate) const SMALL: usize = 16 * 1024;

/// The kernel makes the buffers of the other end as small as the segments ask for; on loopback
/// they would be many megabytes.
const SEGMENT: u32 = 1000;

/// A reactor on the clock of this thread, which stands still until it is turned.
pub(crate) struct Lab {
    pub(crate) reactor: Reactor,
    pub(crate) net: Net,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let builder = Reactor::builder().limits(limits).clock(Clock::now);
        let reactor = builder.build().unwrap();
        Self {
            net: reactor.net().clone(),
            reactor,
        }
    }

    /// Listen on a free port, with a protocol for each connection.
    pub(crate) fn serve<P: Protocol>(&self, mut build: impl FnMut() -> P + 'static) -> SocketAddr {
        let listener = self.net.listen("127.0.0.1:0", factory(move |_| build()));
        listener.unwrap().address().inet().unwrap()
    }

    /// A turn that does not wait.
    pub(crate) fn turn(&mut self) {
        assert!(self.reactor.turn(Some(Duration::ZERO)).unwrap());
    }

    /// Whether a loop that sleeps on the reactor's descriptor would wake.
    pub(crate) fn is_ready(&self) -> bool {
        let mut fds = [PollFd::new(&self.reactor, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
    }

    /// Take turns while there is something to do without waiting, and insist that this ends.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            let due = self.reactor.next_deadline();
            if !self.is_ready() && due.is_none_or(|at| at > Clock::now()) {
                return;
            }
            self.turn();
        }
        panic!("the reactor does not come to rest");
    }

    /// Take turns until something is true. The bound is on patience, not on speed: a turn waits
    /// a millisecond for events when there are none, and ends its wait with the first.
    #[track_caller]
    pub(crate) fn drive(&mut self, what: &str, mut until: impl FnMut() -> bool) {
        for _ in 0..20_000 {
            if until() {
                return;
            }
            let wait = Duration::from_millis(1);
            assert!(self.reactor.turn(Some(wait)).unwrap());
        }
        panic!("it never came true that {what}");
    }

    /// Let time pass, and do what has come due.
    pub(crate) fn advance(&mut self, by: Duration) {
        Clock::stall(by);
        self.settle();
    }
}

/// A list that a test and its protocols share.
pub(crate) struct Shared<T>(Rc<RefCell<Vec<T>>>);

impl<T: Clone> Shared<T> {
    pub(crate) fn push(&self, item: T) {
        self.0.borrow_mut().push(item);
    }

    pub(crate) fn list(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

type OnCall = Box<dyn FnMut(&Transport<Script>)>;
type OnData = Box<dyn FnMut(&Transport<Script>, &[u8])>;
type OnLoss = Box<dyn FnMut(&Transport<Script>, &Disconnect)>;

/// A protocol that does what closures say. At the peer's end it closes, if none says otherwise.
pub(crate) struct Script {
    made: OnCall,
    data: OnData,
    eof: OnCall,
    lost: OnLoss,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            made: Box::new(|_| ()),
            data: Box::new(|_, _| ()),
            eof: Box::new(|transport| transport.close()),
            lost: Box::new(|_, _| ()),
        }
    }

    pub(crate) fn echo() -> Self {
        Self::new().data(|transport, data| transport.write(data))
    }

    pub(crate) fn made(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.made = Box::new(f);
        self
    }

    pub(crate) fn data(mut self, f: impl FnMut(&Transport<Self>, &[u8]) + 'static) -> Self {
        self.data = Box::new(f);
        self
    }

    pub(crate) fn eof(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.eof = Box::new(f);
        self
    }

    pub(crate) fn lost(mut self, f: impl FnMut(&Transport<Self>, &Disconnect) + 'static) -> Self {
        self.lost = Box::new(f);
        self
    }

    /// Note the reason of the loss there.
    pub(crate) fn loses(self, losses: &Shared<Disconnect>) -> Self {
        let losses = losses.clone();
        self.lost(move |_, reason| losses.push(reason.clone()))
    }
}

impl Protocol for Script {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        (self.made)(transport);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        (self.data)(transport, data);
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        (self.eof)(transport);
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        (self.lost)(transport, reason);
    }
}

/// A peer in the test's own hands.
pub(crate) struct Peer {
    stream: TcpStream,
    pub(crate) received: Vec<u8>,
    pub(crate) seen: Seen,
}

/// How much of its life a peer has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Open,
    /// The other end ended its stream.
    Ended,
    /// Reading failed: the stream was cut.
    Cut,
}

impl Peer {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::new(TcpStream::connect(to).unwrap())
    }

    /// With small kernel buffers.
    pub(crate) fn narrow(to: SocketAddr) -> Self {
        let socket = small_socket();
        socket.connect(&to.into()).unwrap();
        Self::new(socket.into())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
            seen: Seen::Open,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.stream.local_addr().unwrap().port()
    }

    /// Read up to so much of what is there, with one call. Returns how much that was.
    pub(crate) fn read_some(&mut self, most: usize) -> usize {
        if self.seen != Seen::Open {
            return 0;
        }
        let mut buffer = vec![0; most];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.seen = Seen::Ended,
            Ok(n) => {
                self.received.extend_from_slice(&buffer[..n]);
                return n;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.seen = Seen::Cut,
        }
        0
    }

    /// Read what is there. Returns how much that was.
    pub(crate) fn read(&mut self) -> usize {
        let before = self.received.len();
        while self.read_some(64 * 1024) > 0 {}
        self.received.len() - before
    }

    /// Everything that was read, once.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Write as much as there is room for. None of it is taken where the other end is gone.
    pub(crate) fn write_some(&mut self, data: &[u8]) -> usize {
        if data.is_empty() {
            return 0;
        }
        match self.stream.write(data) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.seen = Seen::Cut;
                0
            }
        }
    }

    #[track_caller]
    pub(crate) fn write(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        assert_eq!(self.write_some(data), data.len(), "the kernel takes it");
    }

    /// End our side of the stream.
    pub(crate) fn finish(&self) {
        // It fails where the other end has reset the connection, which reading tells.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Vanish: the other end gets a reset.
    pub(crate) fn reset(self) {
        let socket = SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Read on while the lab takes turns, until the end, and return all of it.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self, lab: &mut Lab) -> Vec<u8> {
        lab.drive("the peer sees the end", || {
            self.read();
            self.seen != Seen::Open
        });
        assert_eq!(self.seen, Seen::Ended, "after {}", self.received.len());
        self.take()
    }

    /// Read on while the lab takes turns, until so much is there, and return it.
    #[track_caller]
    pub(crate) fn read_exactly(&mut self, lab: &mut Lab, len: usize) -> Vec<u8> {
        lab.drive("the peer gets what it waits for", || {
            self.read();
            assert_eq!(self.seen, Seen::Open, "after {}", self.received.len());
            self.received.len() >= len
        });
        assert_eq!(self.received.len(), len);
        self.take()
    }

    /// Say something, and hear the same back.
    #[track_caller]
    pub(crate) fn round_trip(&mut self, lab: &mut Lab, text: &[u8]) {
        self.write(text);
        assert_eq!(self.read_exactly(lab, text.len()), text);
        // A ring says afterwards that the answer went.
        lab.settle();
    }

    /// Wait until something can be read: it is known to be under way.
    pub(crate) fn wait_readable(&self) {
        const PATIENCE: Timespec = Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        assert!(poll(&mut fds, Some(&PATIENCE)).unwrap() > 0);
    }
}

/// A place where peers with small kernel buffers are connected to.
pub(crate) struct Door(TcpListener);

impl Door {
    pub(crate) fn open() -> Self {
        let socket = small_socket();
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&anywhere.into()).unwrap();
        socket.listen(16).unwrap();
        Self(socket.into())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next who connects; waits for one.
    pub(crate) fn accept(&self) -> Peer {
        Peer::new(self.0.accept().unwrap().0)
    }
}

fn small_socket() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(SMALL).unwrap();
    socket.set_send_buffer_size(SMALL).unwrap();
    socket.set_tcp_mss(SEGMENT).unwrap();
    socket
}

/// Bytes that differ from their neighbours near and far.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
}
