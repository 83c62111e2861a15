use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};

use torsade_core::driver::{Departures, Interest, PortSetting};
use torsade_core::{DatagramOptions, PortId};

/// The longest datagram: what the length field of UDP over IPv4 leaves (RFC 768).
pub(crate) const LONGEST: usize = 65_507;

/// A made-up socket for datagrams.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    /// Whose it is; none, if it is the test's.
    port: Option<PortId>,
    local: SocketAddr,
    peer: Cell<Option<SocketAddr>>,
    shares: bool,
    inbox: RefCell<VecDeque<(SocketAddr, Vec<u8>)>>,
    /// What the next receive reports.
    reports: RefCell<VecDeque<ErrorKind>>,
    interest: Cell<Interest>,
    /// Where what is sent goes, if not to who has the address.
    captured: Option<Captured>,
    broadcasts: Cell<bool>,
    loops: Cell<bool>,
    groups: RefCell<Vec<IpAddr>>,
}

/// What was sent, and what the kernel takes: of a socket whose sends are the test's to look at.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(crate) sent: RefCell<Vec<(SocketAddr, Vec<u8>)>>,
    /// How many more it takes; none is no bound.
    pub(crate) room: Cell<Option<usize>>,
    /// What becomes of the next sends.
    pub(crate) failures: RefCell<VecDeque<ErrorKind>>,
}

pub(crate) type Captured = Rc<Capture>;

thread_local! {
    /// Those of a thread are on one machine.
    static SOCKETS: RefCell<Vec<Weak<DatagramSocket>>> = const { RefCell::new(Vec::new()) };
}

fn sockets() -> Vec<Rc<DatagramSocket>> {
    SOCKETS.with_borrow_mut(|sockets| {
        sockets.retain(|socket| socket.strong_count() > 0);
        sockets.iter().filter_map(Weak::upgrade).collect()
    })
}

impl DatagramSocket {
    /// Open one there, at a free port if that is 0.
    pub(crate) fn open(
        wanted: SocketAddr,
        options: &DatagramOptions,
        port: Option<PortId>,
        captured: Option<Captured>,
    ) -> io::Result<Rc<Self>> {
        /// The first of the ports that systems give out by themselves.
        const FIRST: u16 = 49_152;
        let shares = options.reuses_address() || options.reuses_port();
        let others = sockets();
        let taken = |at: SocketAddr| {
            let mut others = others.iter();
            // Who captures what is sent is alone in its world.
            captured.is_none()
                && others.any(|other| {
                    other.captured.is_none()
                        && !(shares && other.shares)
                        && collides(at, other.local)
                })
        };
        let mut local = wanted;
        if wanted.port() == 0 {
            let free = (FIRST..=u16::MAX).find(|port| {
                local.set_port(*port);
                !taken(local)
            });
            free.ok_or(ErrorKind::AddrInUse)?;
        } else if taken(local) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let socket = Rc::new(Self {
            port,
            local,
            peer: Cell::new(None),
            shares,
            inbox: RefCell::default(),
            reports: RefCell::default(),
            interest: Cell::new(Interest {
                readable: true,
                writable: false,
            }),
            captured,
            broadcasts: Cell::new(options.broadcasts()),
            loops: Cell::new(true),
            groups: RefCell::default(),
        });
        SOCKETS.with_borrow_mut(|sockets| sockets.push(Rc::downgrade(&socket)));
        Ok(socket)
    }

    pub(crate) fn port(&self) -> Option<PortId> {
        self.port
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn connect(&self, peer: SocketAddr) -> SocketAddr {
        self.peer.set(Some(peer));
        let strangers = |(from, _): &(SocketAddr, Vec<u8>)| *from == peer;
        self.inbox.borrow_mut().retain(strangers);
        self.shown()
    }

    pub(crate) fn set(&self, setting: &PortSetting) -> io::Result<()> {
        let mut groups = self.groups.borrow_mut();
        match *setting {
            PortSetting::Broadcast(on) => self.broadcasts.set(on),
            PortSetting::MulticastLoopback(on) => self.loops.set(on),
            PortSetting::Join(group, _) if groups.contains(&group) => {
                return Err(ErrorKind::AddrInUse.into());
            }
            PortSetting::Join(group, _) if !group.is_multicast() => {
                return Err(ErrorKind::InvalidInput.into());
            }
            PortSetting::Join(group, _) => groups.push(group),
            PortSetting::Leave(group, _) => {
                let place = groups.iter().position(|known| *known == group);
                groups.remove(place.ok_or(ErrorKind::AddrNotAvailable)?);
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn want(&self, interest: Interest) {
        self.interest.set(interest);
    }

    /// What others see as its address.
    fn shown(&self) -> SocketAddr {
        match self.local.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, self.local.port()))
            }
            _ => self.local,
        }
    }
}

/// Receiving.
impl DatagramSocket {
    pub(crate) fn arrive(&self, from: SocketAddr, data: &[u8]) {
        if self.peer.get().is_none_or(|peer| peer == from) {
            self.inbox.borrow_mut().push_back((from, data.to_vec()));
        }
    }

    pub(crate) fn report(&self, error: ErrorKind) {
        self.reports.borrow_mut().push_back(error);
    }

    pub(crate) fn is_readable(&self) -> bool {
        let has_input = !self.inbox.borrow().is_empty() || !self.reports.borrow().is_empty();
        has_input && self.interest.get().readable
    }

    pub(crate) fn is_writable(&self) -> bool {
        let capture = self.captured.as_ref();
        let full = capture.is_some_and(|capture| capture.room.get() == Some(0));
        self.interest.get().writable && !full
    }

    pub(crate) fn next_report(&self) -> Option<ErrorKind> {
        self.reports.borrow_mut().pop_front()
    }

    /// At most so many of those that have arrived.
    pub(crate) fn take(&self, most: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut inbox = self.inbox.borrow_mut();
        let most = most.min(inbox.len());
        inbox.drain(..most).collect()
    }
}

/// Sending.
impl DatagramSocket {
    pub(crate) fn send(&self, departures: &mut Departures) {
        while let Some(first) = departures.first() {
            if let Some(capture) = &self.captured {
                if capture.room.get() == Some(0) {
                    departures.no_room();
                    return;
                }
                let failure = capture.failures.borrow_mut().pop_front();
                if let Some(failure) = failure {
                    departures.failed(failure.into());
                    continue;
                }
            }
            match self.send_one(first.to.copied(), first.data) {
                Ok(()) => departures.sent(1),
                Err(error) => departures.failed(error),
            }
        }
    }

    /// Send one, as a kernel does that has room.
    pub(crate) fn send_one(&self, to: Option<SocketAddr>, data: &[u8]) -> io::Result<()> {
        let connected = self.peer.get();
        let to = to.or(connected).ok_or(ErrorKind::NotConnected)?;
        if data.len() > LONGEST {
            let text = "a datagram is at most 65,507 bytes long";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if to.is_ipv4() != self.local.is_ipv4() {
            return Err(ErrorKind::InvalidInput.into());
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) && !self.broadcasts.get() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if let Some(capture) = &self.captured {
            if let Some(room) = capture.room.get() {
                capture.room.set(Some(room - 1));
            }
            capture.sent.borrow_mut().push((to, data.to_vec()));
            return Ok(());
        }
        let mut heard = false;
        for other in sockets() {
            if other.hears(to, self) {
                heard = true;
                other.arrive(self.shown(), data);
                if is_to_one(to) {
                    break;
                }
            }
        }
        if !heard && connected.is_some() && is_to_one(to) {
            self.report(ErrorKind::ConnectionRefused);
        }
        Ok(())
    }

    /// Whether what `from` sends to `to` comes here.
    fn hears(&self, to: SocketAddr, from: &Self) -> bool {
        if self.captured.is_some() || to.port() != self.local.port() {
            return false;
        }
        if to.ip().is_multicast() {
            let joined = self.groups.borrow().contains(&to.ip());
            return joined && (from.loops.get() || from.port.is_none());
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return self.local.ip().is_unspecified();
        }
        reaches(to, self.local)
    }
}

fn is_to_one(to: SocketAddr) -> bool {
    !to.ip().is_multicast() && to.ip() != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// Whether what is sent to `to` comes to who is at `at`, which may be every address.
pub(crate) fn reaches(to: SocketAddr, at: SocketAddr) -> bool {
    let every = at.ip().is_unspecified() && at.is_ipv4() == to.is_ipv4();
    to.port() == at.port() && (to.ip() == at.ip() || every)
}

/// Whether two sockets cannot have these addresses, if they do not share.
pub(crate) fn collides(one: SocketAddr, other: SocketAddr) -> bool {
    reaches(one, other) || reaches(other, one)
}
