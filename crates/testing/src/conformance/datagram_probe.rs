use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use torsade_core::{DatagramError, DatagramOptions, DatagramProtocol, DatagramTransport};

use super::harness::Harness;
use super::probe::Log;

/// The datagram protocol under test: it notes every callback and then does what the cell says.
pub(super) struct Talker {
    name: &'static str,
    log: Log,
    started: Option<Plain>,
    data: Option<Data>,
    error: Option<Plain>,
    stopping: Option<Plain>,
    stopped: Option<Plain>,
}

pub(super) type Port = DatagramTransport<Talker>;
/// Shared, because the action is given the probe it belongs to.
type Plain = Rc<RefCell<dyn FnMut(&mut Talker, &Port)>>;
type Data = Rc<RefCell<dyn FnMut(&mut Talker, &Port, &[u8], &SocketAddr)>>;

impl Talker {
    pub(super) fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            started: None,
            data: None,
            error: None,
            stopping: None,
            stopped: None,
        }
    }

    pub(super) fn started(mut self, f: impl FnMut(&mut Self, &Port) + 'static) -> Self {
        self.started = Some(Rc::new(RefCell::new(f)));
        self
    }

    pub(super) fn data(
        mut self,
        f: impl FnMut(&mut Self, &Port, &[u8], &SocketAddr) + 'static,
    ) -> Self {
        self.data = Some(Rc::new(RefCell::new(f)));
        self
    }

    pub(super) fn error(mut self, f: impl FnMut(&mut Self, &Port) + 'static) -> Self {
        self.error = Some(Rc::new(RefCell::new(f)));
        self
    }

    /// Instead of closing, which is what a protocol does by default.
    pub(super) fn stopping(mut self, f: impl FnMut(&mut Self, &Port) + 'static) -> Self {
        self.stopping = Some(Rc::new(RefCell::new(f)));
        self
    }

    pub(super) fn stopped(mut self, f: impl FnMut(&mut Self, &Port) + 'static) -> Self {
        self.stopped = Some(Rc::new(RefCell::new(f)));
        self
    }

    pub(super) fn note(&self, what: &str) {
        self.log.note(format!("{} {what}", self.name));
    }

    fn callback(&mut self, what: &str, port: &Port, action: impl Fn(&Self) -> &Option<Plain>) {
        let log = self.log.clone();
        log.inside(what, || {
            self.note(what);
            if let Some(run) = action(self).clone() {
                (*run.borrow_mut())(self, port);
            }
        });
    }
}

impl DatagramProtocol for Talker {
    fn started(&mut self, port: &Port) {
        self.callback("started", port, |it| &it.started);
    }

    fn datagram_received(&mut self, port: &Port, data: &[u8], from: &SocketAddr) {
        let log = self.log.clone();
        log.inside("data", || {
            self.note(&format!("data {}", String::from_utf8_lossy(data)));
            if let Some(run) = self.data.clone() {
                (*run.borrow_mut())(self, port, data, from);
            }
        });
    }

    fn error_received(&mut self, port: &Port, error: &DatagramError) {
        let what = match error {
            DatagramError::Truncated {
                length, received, ..
            } => {
                let received = String::from_utf8_lossy(received);
                format!("error cut: {received} of {length}")
            }
            DatagramError::Reported(error) if error.kind() == ErrorKind::ConnectionRefused => {
                "error: nobody is there".to_owned()
            }
            DatagramError::Unsent { to, .. } => {
                format!("error unsent, to a peer: {}", to.is_none())
            }
            other => format!("error {other}"),
        };
        self.callback(&what, port, |it| &it.error);
    }

    fn stopping(&mut self, port: &Port) {
        let is_default = self.stopping.is_none();
        self.callback("stopping", port, |it| &it.stopping);
        if is_default {
            port.close();
        }
    }

    fn stopped(&mut self, port: &Port) {
        self.callback("stopped", port, |it| &it.stopped);
    }
}

/// An address for datagrams, with a port that the system chooses.
pub(super) fn anywhere() -> SocketAddr {
    SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 0)
}

/// A port of this harness.
#[track_caller]
pub(super) fn bind(h: &dyn Harness, at: SocketAddr, talker: Talker) -> Port {
    match h.net().bind(at, talker) {
        Ok(port) => port,
        Err(error) => panic!("a harness must be able to bind on loopback: {error}"),
    }
}

/// The same, with options.
#[track_caller]
pub(super) fn bind_with(
    h: &dyn Harness,
    at: SocketAddr,
    options: &DatagramOptions,
    talker: Talker,
) -> Port {
    match h.net().bind_with(at, options, talker) {
        Ok(port) => port,
        Err(error) => panic!("a harness must be able to bind on loopback: {error}"),
    }
}
