//! A protocol made of closures that notes its life, and turns of a reactor.

use std::cell::RefCell;
use std::io::{ErrorKind, Read};
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

    /// What was noted since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.0.borrow().iter().any(|known| known == line)
    }
}

type OnCall = Box<dyn FnMut(&Transport<Script>)>;
type OnData = Box<dyn FnMut(&Transport<Script>, &[u8])>;

/// Notes when each callback begins, and when one that does something has done it.
pub(crate) struct Script {
    name: &'static str,
    log: Log,
    made: Option<OnCall>,
    data: Option<OnData>,
    resumed: Option<OnCall>,
    lost: Option<OnCall>,
}

impl Script {
    pub(crate) fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            made: None,
            data: None,
            resumed: None,
            lost: None,
        }
    }

    pub(crate) fn made(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.made = Some(Box::new(f));
        self
    }

    pub(crate) fn data(mut self, f: impl FnMut(&Transport<Self>, &[u8]) + 'static) -> Self {
        self.data = Some(Box::new(f));
        self
    }

    pub(crate) fn resumed(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.resumed = Some(Box::new(f));
        self
    }

    pub(crate) fn lost(mut self, f: impl FnMut(&Transport<Self>) + 'static) -> Self {
        self.lost = Some(Box::new(f));
        self
    }

    fn call(
        &mut self,
        what: &str,
        transport: &Transport<Self>,
        action: impl Fn(&mut Self) -> &mut Option<OnCall>,
    ) {
        self.note(what);
        // Taken out, because the rest of the script is used meanwhile.
        if let Some(mut act) = action(self).take() {
            act(transport);
            self.note(&format!("{what} ends"));
            *action(self) = Some(act);
        }
    }

    fn note(&self, what: &str) {
        self.log.note(format!("{} {what}", self.name));
    }
}

impl Protocol for Script {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.call("made", transport, |script| &mut script.made);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.note(&format!("data {}", String::from_utf8_lossy(data)));
        if let Some(act) = &mut self.data {
            act(transport, data);
            self.note("data ends");
        }
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.note("pause");
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        self.call("resume", transport, |script| &mut script.resumed);
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        self.call(&format!("lost: {reason}"), transport, |script| {
            &mut script.lost
        });
    }
}

/// Listen on a free port, with a script for each connection.
pub(crate) fn serve(net: &Net, mut script: impl FnMut() -> Script + 'static) -> Listener {
    net.listen((own_ip(), 0), factory(move |_| script()))
        .unwrap()
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

/// A reactor's peer that is a plain socket.
pub(crate) fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
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

/// Everything up to the end of the stream, or the error instead of it.
pub(crate) fn read_to_end(
    reactor: &mut Reactor,
    stream: &mut TcpStream,
) -> (Vec<u8>, Option<ErrorKind>) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut error = None;
    drive(reactor, || match stream.read(&mut buffer) {
        Ok(0) => true,
        Ok(n) => {
            all.extend_from_slice(&buffer[..n]);
            false
        }
        Err(problem) if problem.kind() == ErrorKind::WouldBlock => false,
        Err(problem) => {
            error = Some(problem.kind());
            true
        }
    });
    (all, error)
}

/// An address of this machine where nobody listens: bound, so that nobody else gets it.
pub(crate) fn nobody() -> (SocketAddr, socket2::Socket) {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&anywhere.into()).unwrap();
    (socket.local_addr().unwrap().as_socket().unwrap(), socket)
}
