use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};

use torsade_core::driver::{Departures, Interest, PortSetting};
use torsade_core::{Address, DatagramOptions, PortId, UnixAddress};

use crate::sim::is_unix;

/// The longest datagram: what the length field of UDP over IPv4 leaves (RFC 768).
pub(crate) const LONGEST: usize = 65_507;

/// A made-up socket for datagrams.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    /// Whose it is; none, if it is the test's.
    port: Option<PortId>,
    local: Address,
    peer: RefCell<Option<Address>>,
    shares: bool,
    inbox: RefCell<VecDeque<(Address, Vec<u8>)>>,
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
    pub(crate) sent: RefCell<Vec<(Address, Vec<u8>)>>,
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
        wanted: &Address,
        options: &DatagramOptions,
        port: Option<PortId>,
        captured: Option<Captured>,
    ) -> io::Result<Rc<Self>> {
        /// The first of the ports that systems give out by themselves.
        const FIRST: u16 = 49_152;
        let shares = options.reuses_address() || options.reuses_port();
        let others = sockets();
        let taken = |at: &Address| {
            let mut others = others.iter();
            // Who captures what is sent is alone in its world.
            captured.is_none()
                && others.any(|other| {
                    other.captured.is_none() && !(shares && other.shares) && meet(at, &other.local)
                })
        };
        let mut local = wanted.clone();
        if let Some(mut inet) = wanted.inet().filter(|inet| inet.port() == 0) {
            let free = (FIRST..=u16::MAX).find(|port| {
                inet.set_port(*port);
                local = inet.into();
                !taken(&local)
            });
            free.ok_or(ErrorKind::AddrInUse)?;
        } else if taken(&local) {
            return Err(ErrorKind::AddrInUse.into());
        }
        let socket = Rc::new(Self {
            port,
            local,
            peer: RefCell::default(),
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

    pub(crate) fn local(&self) -> &Address {
        &self.local
    }

    pub(crate) fn connect(&self, peer: &Address) -> io::Result<Address> {
        if peer.unix().is_some() && self.captured.is_none() && find(peer).is_none() {
            return Err(nobody_at(peer));
        }
        self.peer.replace(Some(peer.clone()));
        self.inbox.borrow_mut().retain(|(from, _)| from == peer);
        Ok(self.shown())
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
    fn shown(&self) -> Address {
        match self.local {
            Address::Inet(SocketAddr::V4(at)) if at.ip().is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, at.port())).into()
            }
            _ => self.local.clone(),
        }
    }
}

/// Receiving.
impl DatagramSocket {
    pub(crate) fn arrive(&self, from: Address, data: &[u8]) {
        if self.peer.borrow().as_ref().is_none_or(|peer| *peer == from) {
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
        let full = match capture {
            Some(capture) => capture.room.get() == Some(0),
            None => self.peer.borrow().as_ref().is_some_and(is_full),
        };
        self.interest.get().writable && !full
    }

    pub(crate) fn next_report(&self) -> Option<ErrorKind> {
        self.reports.borrow_mut().pop_front()
    }

    /// At most so many of those that have arrived.
    pub(crate) fn take(&self, most: usize) -> Vec<(Address, Vec<u8>)> {
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
            match self.send_one(first.to, first.data) {
                Ok(()) => departures.sent(1),
                // A poller says when its peer has room, and not of others.
                Err(error) if error.kind() == ErrorKind::WouldBlock && first.to.is_none() => {
                    departures.no_room();
                    return;
                }
                Err(error) => departures.failed(error),
            }
        }
    }

    /// Send one, as a kernel does that has room.
    pub(crate) fn send_one(&self, to: Option<&Address>, data: &[u8]) -> io::Result<()> {
        let connected = self.peer.borrow().clone();
        let to = to.or(connected.as_ref()).ok_or(ErrorKind::NotConnected)?;
        if data.len() > LONGEST {
            let text = "a datagram is at most 65,507 bytes long";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let family = |at: &Address| at.ip().map(|ip| ip.is_ipv4());
        if family(to) != family(&self.local) {
            return Err(ErrorKind::InvalidInput.into());
        }
        if to.ip() == Some(BROADCAST) && !self.broadcasts.get() {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if let Some(capture) = &self.captured {
            if let Some(room) = capture.room.get() {
                capture.room.set(Some(room - 1));
            }
            capture.sent.borrow_mut().push((to.clone(), data.to_vec()));
            return Ok(());
        }
        if to.unix().is_some() {
            return self.send_unix(to, data);
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

    /// Between Unix sockets nothing gets lost: it arrives, or is refused at once.
    fn send_unix(&self, to: &Address, data: &[u8]) -> io::Result<()> {
        let other = find(to).ok_or_else(|| nobody_at(to))?;
        if let Some(peer) = &*other.peer.borrow()
            && *peer != self.local
        {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if is_full(to) {
            return Err(ErrorKind::WouldBlock.into());
        }
        other.arrive(self.shown(), data);
        Ok(())
    }

    /// Whether what `from` sends to `to` comes here.
    fn hears(&self, to: &Address, from: &Self) -> bool {
        let (Some(to), Some(local)) = (to.inet(), self.local.inet()) else {
            return false;
        };
        if self.captured.is_some() || to.port() != local.port() {
            return false;
        }
        if to.ip().is_multicast() {
            let joined = self.groups.borrow().contains(&to.ip());
            return joined && (from.loops.get() || from.port.is_none());
        }
        if to.ip() == BROADCAST {
            return local.ip().is_unspecified();
        }
        reaches(to, local)
    }
}

const BROADCAST: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

fn is_to_one(to: &Address) -> bool {
    to.ip()
        .is_none_or(|ip| !ip.is_multicast() && ip != BROADCAST)
}

/// How many datagrams a Unix socket keeps that were not read: as many as a Linux that nobody has
/// told otherwise (`net.unix.max_dgram_qlen`).
pub(crate) const UNIX_QUEUE: usize = 10;

/// The Unix socket of that name.
fn find(name: &Address) -> Option<Rc<DatagramSocket>> {
    let mut sockets = sockets().into_iter();
    sockets.find(|it| it.captured.is_none() && it.local == *name && is_named(name))
}

fn is_named(at: &Address) -> bool {
    at.unix().is_some_and(|unix| *unix != UnixAddress::Unnamed)
}

fn is_full(peer: &Address) -> bool {
    find(peer).is_some_and(|peer| peer.inbox.borrow().len() >= UNIX_QUEUE)
}

/// What a kernel says of a Unix socket that is not there.
pub(crate) fn nobody_at(name: &Address) -> io::Error {
    match name.unix() {
        Some(UnixAddress::Path(_)) => ErrorKind::NotFound.into(),
        Some(UnixAddress::Unnamed) => ErrorKind::InvalidInput.into(),
        _ => ErrorKind::ConnectionRefused.into(),
    }
}

/// Whether two sockets cannot have these addresses, if they do not share.
fn meet(one: &Address, other: &Address) -> bool {
    match (one.inet(), other.inet()) {
        (Some(one), Some(other)) => collides(one, other),
        _ => one == other && is_named(one),
    }
}

/// Whether what is sent to `to` comes to who is at `at`, which may be every address.
pub(crate) fn reaches(to: SocketAddr, at: SocketAddr) -> bool {
    if is_unix(to) != is_unix(at) {
        return false;
    }
    let every = at.ip().is_unspecified() && at.is_ipv4() == to.is_ipv4();
    to.port() == at.port() && (to.ip() == at.ip() || every)
}

/// Whether two sockets cannot have these addresses, if they do not share.
pub(crate) fn collides(one: SocketAddr, other: SocketAddr) -> bool {
    reaches(one, other) || reaches(other, one)
}
