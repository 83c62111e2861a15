use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use torsade_core::driver::{Departures, Interest, PortSetting};
use torsade_core::{Address, DatagramOptions, PortId};

use super::kernel::{Event, Kernel, no_descriptors};
use super::names;
use super::node::Power;
use super::trace::What;
use crate::sockets::{LONGEST, UNIX_QUEUE, collides, nobody_at, reaches};

/// A socket for datagrams, as its host's kernel has it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) id: PortId,
    address: SocketAddr,
    peer: Option<SocketAddr>,
    shares: bool,
    broadcasts: bool,
    loops: bool,
    groups: Vec<IpAddr>,
    interest: Interest,
    inbox: VecDeque<(SocketAddr, Box<[u8]>)>,
    /// Bytes in there.
    kept: usize,
    reports: VecDeque<ErrorKind>,
}

/// A datagram on its way.
#[derive(Debug)]
pub(super) struct Flight {
    from_host: u32,
    to_host: u32,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Box<[u8]>,
}

/// What a program takes from a port.
pub(super) struct Taken {
    pub(super) datagrams: Vec<(Address, Box<[u8]>)>,
    pub(super) report: Option<ErrorKind>,
}

impl Port {
    fn is_readable(&self) -> bool {
        self.interest.readable && !(self.inbox.is_empty() && self.reports.is_empty())
    }

    /// Whether a Unix socket takes no more.
    fn is_full(&self) -> bool {
        names::is_unix(self.address) && self.inbox.len() >= UNIX_QUEUE
    }

    /// Whether what is sent to `to` comes here.
    fn hears(&self, to: SocketAddr, ip: Ipv4Addr) -> bool {
        if to.ip().is_multicast() {
            return to.port() == self.address.port() && self.groups.contains(&to.ip());
        }
        if to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return to.port() == self.address.port() && self.address.ip().is_unspecified();
        }
        // Loopback is every host's own.
        let own = to.ip().is_loopback() || to.ip() == ip;
        own && reaches(to, self.address)
    }
}

/// What programs ask for.
impl Kernel {
    pub(super) fn bind(
        &mut self,
        host: u32,
        wanted: SocketAddr,
        options: &DatagramOptions,
        id: PortId,
    ) -> io::Result<SocketAddr> {
        if self.is_short(host) {
            return Err(no_descriptors());
        }
        let node = &mut self.nodes[host as usize];
        if node.power != Power::On {
            return Err(ErrorKind::NetworkDown.into());
        }
        if !node.has(wanted.ip()) {
            return Err(ErrorKind::AddrNotAvailable.into());
        }
        let shares = options.reuses_address() || options.reuses_port();
        let mut address = wanted;
        loop {
            if wanted.port() == 0 {
                address.set_port(node.next_port());
            }
            let mut others = node.ports.iter();
            let taken = others.any(|it| !(shares && it.shares) && collides(address, it.address));
            match (taken, wanted.port()) {
                (false, _) => break,
                (true, 0) => {}
                (true, _) => return Err(ErrorKind::AddrInUse.into()),
            }
        }
        node.open += 1;
        node.ports.push(Port {
            id,
            address,
            peer: None,
            shares,
            broadcasts: options.broadcasts(),
            loops: true,
            groups: Vec::new(),
            interest: Interest {
                readable: true,
                writable: false,
            },
            inbox: VecDeque::new(),
            kept: 0,
            reports: VecDeque::new(),
        });
        Ok(address)
    }

    pub(super) fn close_port(&mut self, host: u32, id: PortId) {
        let node = &mut self.nodes[host as usize];
        let before = node.ports.len();
        node.ports.retain(|port| port.id != id);
        node.open = node.open.saturating_sub(before - node.ports.len());
    }

    pub(super) fn port(&mut self, host: u32, id: PortId) -> Option<&mut Port> {
        let mut ports = self.nodes[host as usize].ports.iter_mut();
        ports.find(|port| port.id == id)
    }

    pub(super) fn connect_port(
        &mut self,
        host: u32,
        id: PortId,
        peer: SocketAddr,
    ) -> io::Result<SocketAddr> {
        if names::is_unix(peer) {
            self.unix_port(host, peer)?;
        }
        let port = self.port(host, id).ok_or(ErrorKind::NotConnected)?;
        port.peer = Some(peer);
        port.inbox.retain(|(from, _)| *from == peer);
        let own = port.address;
        Ok(self.shown(host, own, peer))
    }

    pub(super) fn set_port(
        &mut self,
        host: u32,
        id: PortId,
        setting: &PortSetting,
    ) -> io::Result<()> {
        let port = self.port(host, id).ok_or(ErrorKind::NotConnected)?;
        match *setting {
            PortSetting::Broadcast(on) => port.broadcasts = on,
            PortSetting::MulticastLoopback(on) => port.loops = on,
            PortSetting::Join(group, _) if !group.is_multicast() => {
                return Err(ErrorKind::InvalidInput.into());
            }
            PortSetting::Join(group, _) if port.groups.contains(&group) => {
                return Err(ErrorKind::AddrInUse.into());
            }
            PortSetting::Join(group, _) => port.groups.push(group),
            PortSetting::Leave(group, _) => {
                let place = port.groups.iter().position(|known| *known == group);
                port.groups
                    .remove(place.ok_or(ErrorKind::AddrNotAvailable)?);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn want_of_port(&mut self, host: u32, id: PortId, interest: Interest) {
        if let Some(port) = self.port(host, id) {
            port.interest = interest;
            self.list(host);
        }
    }

    /// A port's address as others see it who are at `there`.
    fn shown(&self, host: u32, own: SocketAddr, there: SocketAddr) -> SocketAddr {
        match own.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => {
                let ip = match there.ip().is_loopback() {
                    true => Ipv4Addr::LOCALHOST,
                    false => self.ip(host),
                };
                SocketAddr::from((ip, own.port()))
            }
            _ => own,
        }
    }
}

/// Receiving.
impl Kernel {
    /// Ports of a host that have something to tell.
    pub(super) fn readable_ports(&self, host: u32) -> Vec<PortId> {
        if !self.weather.is_fine() && !self.weather.reads(host) {
            return Vec::new();
        }
        let ports = self.nodes[host as usize].ports.iter();
        ports
            .filter(|it| it.is_readable())
            .map(|it| it.id)
            .collect()
    }

    /// Ports of a host that have something to send, and whose peers have room again.
    pub(super) fn writable_ports(&self, host: u32) -> Vec<PortId> {
        let ports = &self.nodes[host as usize].ports;
        let has_room = |port: &&Port| {
            let mut peers = ports
                .iter()
                .filter(|other| port.peer == Some(other.address));
            port.interest.writable && !peers.any(Port::is_full)
        };
        ports.iter().filter(has_room).map(|it| it.id).collect()
    }

    pub(super) fn take_datagrams(&mut self, host: u32, id: PortId, most: usize) -> Taken {
        let mut taken = Taken {
            datagrams: Vec::new(),
            report: None,
        };
        if let Some(port) = self.port(host, id) {
            taken.report = port.reports.pop_front();
            let most = most.min(port.inbox.len());
            let datagrams: Vec<_> = port.inbox.drain(..most).collect();
            let bytes = datagrams.iter().map(|(_, bytes)| bytes.len());
            port.kept -= bytes.sum::<usize>();
            let names = &self.unix;
            let named = |(from, bytes)| (names.address(from), bytes);
            taken.datagrams = datagrams.into_iter().map(named).collect();
        }
        // Somebody may have waited for the room.
        if !self.writable_ports(host).is_empty() {
            self.list(host);
        }
        taken
    }
}

/// Sending.
impl Kernel {
    pub(super) fn send_datagrams(&mut self, host: u32, id: PortId, departures: &mut Departures) {
        while let Some(first) = departures.first() {
            let to = first.to.map(|to| self.unix.place(to)).transpose();
            let sent = to.and_then(|to| self.send_datagram(host, id, to, first.data));
            match sent {
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

    pub(super) fn send_datagram(
        &mut self,
        host: u32,
        id: PortId,
        to: Option<SocketAddr>,
        data: &[u8],
    ) -> io::Result<()> {
        let longest = self.links.datagram.min(LONGEST);
        let port = self.port(host, id).ok_or(ErrorKind::NotConnected)?;
        let to = to.or(port.peer).ok_or(ErrorKind::NotConnected)?;
        let (own, broadcasts, loops) = (port.address, port.broadcasts, port.loops);
        if data.len() > longest {
            let text = format!("a datagram is at most {longest} bytes long here");
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        if names::is_unix(to) {
            return self.send_unix(host, own, to, data);
        }
        if to.is_ipv4() != own.is_ipv4() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let is_broadcast = to.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
        if is_broadcast && !broadcasts {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let hosts: Vec<u32> = match to.ip() {
            ip if ip.is_loopback() => vec![host],
            ip if ip.is_multicast() => {
                let all = 0..self.nodes.len() as u32;
                all.filter(|other| loops || *other != host).collect()
            }
            _ if is_broadcast => (0..self.nodes.len() as u32).collect(),
            ip => {
                let found = self.host_at(ip).ok_or(ErrorKind::HostUnreachable)?;
                vec![found]
            }
        };
        let from = self.shown(host, own, to);
        for there in hosts {
            let hears =
                |node: &super::node::Node| node.ports.iter().any(|it| it.hears(to, node.ip));
            let is_for_one = !is_broadcast && !to.ip().is_multicast();
            if is_for_one || hears(&self.nodes[there as usize]) {
                self.launch(Flight {
                    from_host: host,
                    to_host: there,
                    from,
                    to,
                    bytes: data.into(),
                });
            }
        }
        Ok(())
    }

    /// Between Unix sockets nothing gets lost: it arrives, or is refused at once.
    fn send_unix(
        &mut self,
        host: u32,
        own: SocketAddr,
        to: SocketAddr,
        data: &[u8],
    ) -> io::Result<()> {
        let port = self.unix_port(host, to)?;
        if port.peer.is_some_and(|peer| peer != own) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if port.is_full() {
            return Err(ErrorKind::WouldBlock.into());
        }
        port.kept += data.len();
        port.inbox.push_back((own, data.into()));
        let what = What::Datagram {
            from: host,
            source: own,
            to,
        };
        let now = self.now;
        self.trace.note(now, host, what, data);
        self.list(host);
        Ok(())
    }

    /// Who has the Unix socket of that name.
    fn unix_port(&mut self, host: u32, name: SocketAddr) -> io::Result<&mut Port> {
        let nobody = nobody_at(&self.unix.address(name));
        let mut ports = self.nodes[host as usize].ports.iter_mut();
        ports.find(|port| port.address == name).ok_or(nobody)
    }

    /// A Unix socket without a name, as this kernel tells it from others.
    pub(super) fn unnamed(&mut self, host: u32) -> SocketAddr {
        names::unnamed(self.nodes[host as usize].next_port())
    }

    /// Let a datagram go, as often and as late as chance has it. Nothing keeps it behind those that
    /// went before.
    fn launch(&mut self, flight: Flight) {
        let links = self.links_between(flight.from_host, flight.to_host).clone();
        let between = flight.from_host != flight.to_host;
        let chance =
            |kernel: &mut Self, times: u32| between && times > 0 && kernel.random.one_in(times);
        if chance(self, links.lose_datagrams) {
            self.datagram_lost(&flight);
            return;
        }
        let copies = 1 + usize::from(chance(self, links.double_datagrams));
        for _ in 0..copies {
            let length = flight.bytes.len();
            let mut at = self.arrival(flight.from_host, flight.to_host, length);
            if chance(self, links.delay_datagrams) {
                at = at + self.random.up_to(links.datagram_delay);
            }
            let number = self.launched;
            self.launched += 1;
            let copy = Flight {
                bytes: flight.bytes.clone(),
                ..flight
            };
            self.flights.insert(number, copy);
            self.at(at, Event::Datagram { number });
        }
    }

    fn datagram_lost(&mut self, flight: &Flight) {
        let what = What::DatagramLost {
            from: flight.from_host,
            source: flight.from,
            to: flight.to,
        };
        let now = self.now;
        self.trace.note(now, flight.to_host, what, &[]);
    }

    /// A datagram arrives, if it does.
    pub(super) fn datagram(&mut self, number: u64) {
        let Some(mut flight) = self.flights.remove(&number) else {
            return;
        };
        let (from, to) = (flight.from_host, flight.to_host);
        if !self.gets_through(from, to) {
            self.datagram_lost(&flight);
            return;
        }
        self.corrupt(from, to, &mut flight.bytes);
        let what = What::Datagram {
            from,
            source: flight.from,
            to: flight.to,
        };
        let (now, room) = (self.now, self.links.receive_buffer);
        self.trace.note(now, to, what, &flight.bytes);
        let ip = self.ip(to);
        let is_refused = !self.weather.is_fine() && self.weather.refuses(to);
        let mut heard = false;
        for port in &mut self.nodes[to as usize].ports {
            let from_peer = port.peer.is_none_or(|peer| peer == flight.from);
            if is_refused || !port.hears(flight.to, ip) || !from_peer {
                continue;
            }
            heard = true;
            // What finds no room is gone, and nobody is told.
            if port.kept + flight.bytes.len() <= room {
                port.kept += flight.bytes.len();
                port.inbox.push_back((flight.from, flight.bytes.clone()));
            }
            if !flight.to.ip().is_multicast() && flight.to.ip() != IpAddr::V4(Ipv4Addr::BROADCAST) {
                break;
            }
        }
        if heard {
            self.list(to);
        } else if !flight.to.ip().is_multicast() {
            // "Port unreachable" goes back, and is kept by the network as it is.
            let at = self.arrival(to, from, 0);
            self.flights.insert(number, flight);
            self.at(at, Event::Unreachable { number });
        }
    }

    /// The sender of a datagram learns that nobody is there, if it is connected.
    pub(super) fn unreachable(&mut self, number: u64) {
        let Some(flight) = self.flights.remove(&number) else {
            return;
        };
        if !self.gets_through(flight.to_host, flight.from_host) {
            return;
        }
        let host = flight.from_host;
        let ip = self.ip(host);
        let mut ports = self.nodes[host as usize].ports.iter_mut();
        let sender = ports.find(|port| port.peer == Some(flight.to) && port.hears(flight.from, ip));
        if let Some(port) = sender {
            port.reports.push_back(ErrorKind::ConnectionRefused);
            self.list(host);
        }
    }
}
