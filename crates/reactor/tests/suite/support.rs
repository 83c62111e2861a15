//! One protocol made of closures, and clients that never block.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Listener, Net, Protocol, Transport, factory};
use torsade_reactor::Reactor;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.0.borrow().iter().any(|known| known == line)
    }
}

/// An address of this machine that is hardly anybody else's, so that a port of it that is given up
/// is free until it is taken again.
pub(crate) fn own_ip() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    match cfg!(target_os = "linux") {
        true => Ipv4Addr::new(127, high | 64, middle, low),
        // All of 127/8 are the machine's there alone.
        false => Ipv4Addr::LOCALHOST,
    }
}

type OnData = Box<dyn FnMut(&Transport<Script>, &[u8])>;
type OnCall = Box<dyn FnMut(&Transport<Script>)>;

/// A protocol that notes its life and does what closures say.
pub(crate) struct Script {
    name: &'static str,
    log: Log,
    made: OnCall,
    data: OnData,
    eof: OnCall,
    resume: OnCall,
}

impl Script {
    pub(crate) fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            made: Box::new(|_| ()),
            data: Box::new(|_, _| ()),
            eof: Box::new(|transport| transport.close()),
            resume: Box::new(|_| ()),
        }
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

    pub(crate) fn resume(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.resume = Box::new(f);
        self
    }
}

impl Protocol for Script {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.log.note(format!("{} made", self.name));
        (self.made)(transport);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        (self.data)(transport, data);
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        self.log.note(format!("{} eof", self.name));
        (self.eof)(transport);
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        (self.resume)(transport);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.note(format!("{} lost: {reason}", self.name));
    }
}

pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

pub(crate) fn echo(net: &Net) -> Listener {
    net.listen("127.0.0.1:0", factory(|_| Echo)).unwrap()
}

/// Listen on a free port, with a script for each connection.
pub(crate) fn serve(net: &Net, mut script: impl FnMut() -> Script + 'static) -> SocketAddr {
    let listener = net.listen("127.0.0.1:0", factory(move |_| script()));
    listener.unwrap().address().inet().unwrap()
}

/// Turn the reactor until something is true. The bound is on patience, not on speed.
pub(crate) fn drive(reactor: &mut Reactor, mut until: impl FnMut() -> bool) {
    for _ in 0..30_000 {
        if until() {
            return;
        }
        assert!(reactor.turn(Some(Duration::from_millis(1))).unwrap());
    }
    panic!("it does not come");
}

/// Turn the reactor until it has nothing to do, and insist that it comes to rest.
pub(crate) fn settle(reactor: &mut Reactor) {
    for _ in 0..100 {
        if !is_readable(reactor) {
            return;
        }
        assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
    }
    panic!("the reactor spins");
}

/// Whether a loop that sleeps on the reactor's descriptor would wake.
pub(crate) fn is_readable(reactor: &Reactor) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(reactor, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).unwrap() > 0
}

/// A peer, in the test's own hands.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nonblocking(true).unwrap();
        Self(stream)
    }

    /// Read what is there: `None` if nothing is, nothing at all at the end.
    pub(crate) fn try_read(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; most];
        match self.0.read(&mut buffer) {
            Ok(n) => {
                buffer.truncate(n);
                Ok(Some(buffer))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Write as much as there is room for.
    pub(crate) fn try_write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.0.write(data) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    pub(crate) fn write(&mut self, data: &[u8]) {
        assert_eq!(self.try_write(data).unwrap(), data.len());
    }

    pub(crate) fn read_exactly(&mut self, reactor: &mut Reactor, len: usize) -> Vec<u8> {
        let mut all = Vec::new();
        drive(reactor, || {
            if let Some(more) = self.try_read(len - all.len()).unwrap() {
                assert!(
                    !more.is_empty(),
                    "the stream ended after {} bytes",
                    all.len()
                );
                all.extend(more);
            }
            all.len() == len
        });
        all
    }

    /// Everything up to the end, or the error instead of it.
    pub(crate) fn read_to_end(&mut self, reactor: &mut Reactor) -> (Vec<u8>, Option<ErrorKind>) {
        let mut all = Vec::new();
        let mut error = None;
        drive(reactor, || match self.try_read(16 * 1024) {
            Ok(Some(more)) if more.is_empty() => true,
            Ok(Some(more)) => {
                all.extend(more);
                false
            }
            Ok(None) => false,
            Err(broken) => {
                error = Some(broken.kind());
                true
            }
        });
        (all, error)
    }
}

/// Bytes that differ from their neighbours near and far.
pub(crate) fn pattern(range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(|n| (n ^ n >> 8 ^ n >> 16) as u8).collect()
}

/// An address of this machine where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    // Bound, so that nobody else gets it, and not listening; kept to the end of the process.
    let socket = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )
    .unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}
