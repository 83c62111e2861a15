use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{AttemptId, ListenerId, LookupId, Peer, ResolveError, Time};

use super::datagrams::Port;
use super::lookups::Question;
use super::slab::Key;
use super::weather::EVEN;
use crate::end::End;

/// What the kernel of one host has, but for the ends of its connections.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) ip: Ipv4Addr,
    pub(super) power: Power,
    /// Ends that have something to tell.
    pub(super) ready: Vec<Key>,
    pub(super) answers: VecDeque<Answer>,
    pub(super) listening: Vec<Listening>,
    pub(super) attempts: BTreeMap<u64, Key>,
    /// Names that its program asked for, by numbers that the network gives.
    pub(super) questions: BTreeMap<u64, Question>,
    pub(super) ipv6: Ipv6Addr,
    pub(super) lingering: VecDeque<Key>,
    /// Whether it is on the list of hosts that have something to do.
    pub(super) listed: bool,
    /// Descriptors of the program.
    pub(super) open: usize,
    pub(super) clock: HostClock,
    /// A callback takes so long.
    pub(super) busy_until: Time,
    /// When it is to be woken.
    pub(super) armed: Option<Time>,
    next_port: u16,
    /// Sockets for datagrams.
    pub(super) ports: Vec<Port>,
    backlog: usize,
    pub(super) linger: Option<(usize, Duration)>,
}

/// Whether a host works.
///
/// ```text
///   On --kill--> Idle: its kernel still answers      On, Idle --crash--> Off: nobody answers
///    ^------restart-----/-----------------------------------------------------/
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Idle,
    Off,
}

/// A listening socket and who waits at it.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) id: ListenerId,
    pub(super) at: At,
    /// How many its queue holds.
    pub(super) backlog: usize,
    pub(super) queue: VecDeque<Key>,
    /// Nobody but a test accepts what comes.
    pub(super) raw: bool,
}

/// What became of a connect.
#[derive(Debug)]
pub(super) enum Answer {
    Connected(AttemptId, Key),
    /// To a pipe of a process.
    Piped(AttemptId, Rc<End>, Peer),
    Failed(AttemptId, io::Error),
    Resolved(LookupId, Result<Vec<IpAddr>, ResolveError>),
}

/// A host's clock: it runs at a pace of its own, and never back.
#[derive(Debug)]
pub(super) struct HostClock {
    pace: u32,
    /// Since it has this pace: the network's time and the host's.
    since: Time,
    then: Time,
    floor: Time,
}

impl HostClock {
    pub(super) fn now(&self, net: Time) -> Time {
        let passed = (net - self.since).as_nanos() * u128::from(self.pace) / u128::from(EVEN);
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        (self.then + Duration::from_nanos(passed)).max(self.floor)
    }

    /// The network's time when this one shows `at` or later.
    pub(super) fn when(&self, at: Time) -> Time {
        let left = (at - self.then).as_nanos() * u128::from(EVEN);
        let left = left.div_ceil(u128::from(self.pace.max(1)));
        self.since + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }

    pub(super) fn set_pace(&mut self, net: Time, pace: u32) {
        self.then = self.now(net);
        self.since = net;
        self.pace = pace.max(1);
    }

    /// It has shown this.
    pub(super) fn has_shown(&mut self, at: Time) {
        self.floor = self.floor.max(at);
    }
}

impl Node {
    pub(super) fn new(name: &str, (ip, ipv6): (Ipv4Addr, Ipv6Addr), backlog: usize) -> Self {
        Self {
            name: name.to_owned(),
            ip,
            power: Power::On,
            ready: Vec::new(),
            answers: VecDeque::new(),
            listening: Vec::new(),
            attempts: BTreeMap::new(),
            questions: BTreeMap::new(),
            ipv6,
            lingering: VecDeque::new(),
            listed: false,
            open: 0,
            clock: HostClock {
                pace: EVEN,
                since: Time::ZERO,
                then: Time::ZERO,
                floor: Time::ZERO,
            },
            busy_until: Time::ZERO,
            armed: None,
            next_port: 0,
            ports: Vec::new(),
            backlog: backlog.max(1),
            linger: None,
        }
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog
    }

    /// Whether an address is one of this host's, to listen at.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        ip.is_unspecified() || ip.is_loopback() || ip == self.ip || ip == self.ipv6
    }

    /// The address of the family of `to` that connections from here come from.
    pub(super) fn own(&self, to: IpAddr) -> IpAddr {
        match to {
            IpAddr::V4(_) => self.ip.into(),
            IpAddr::V6(_) => self.ipv6.into(),
        }
    }

    /// A port for who asked for any.
    pub(super) fn next_port(&mut self) -> u16 {
        /// The first of the ports that systems give out by themselves.
        const FIRST: u16 = 32_768;
        let port = FIRST + self.next_port;
        self.next_port = (self.next_port + 1) % (60_999 - FIRST);
        port
    }

    /// Who accepts connections to `address`.
    pub(super) fn listener_at(&mut self, address: SocketAddr) -> Option<&mut Listening> {
        let mut listening = self.listening.iter_mut();
        listening.find(|it| it.at.takes(address))
    }

    /// Whether a listener has what another one wants.
    pub(super) fn is_in_use(&self, wanted: At) -> bool {
        let mut taken = self.listening.iter().map(|it| it.at);
        taken.any(|at| at.takes(wanted.address) || wanted.takes(at.address))
    }
}

/// Where somebody listens, or wants to.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) address: SocketAddr,
    /// Whether every IPv6 address is every IPv4 address, too.
    pub(super) dual_stack: bool,
}

impl At {
    /// Whether who connects to `address` gets here, which may be every address.
    fn takes(&self, address: SocketAddr) -> bool {
        let at = self.address;
        if let (SocketAddr::V6(to), SocketAddr::V6(listening)) = (address, at)
            && to.flowinfo() != listening.flowinfo()
        {
            // One is a Unix socket, the other is not.
            return false;
        }
        let is_family = at.is_ipv4() == address.is_ipv4() || (self.dual_stack && address.is_ipv4());
        let is_every = at.ip().is_unspecified() && is_family;
        address.port() == at.port() && (address.ip() == at.ip() || is_every)
    }
}
