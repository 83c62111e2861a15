use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use torsade_core::Time;

use super::trace::{Entry, Flow, Packet, Trace, What};

/// For the tools of network people.
impl Trace {
    /// A capture file of what arrived, as `tcpdump -w` writes one: Wireshark and `tshark` open it.
    ///
    /// What is written is the classic format with raw IPv4 packets (`LINKTYPE_RAW`) and times in
    /// nanoseconds. Every segment is there once, at the time at which it arrived; sequence numbers
    /// begin at 0, acknowledgements are those of what had arrived in the other direction. Segments
    /// that got lost are not shown. If the beginning of a connection was not kept, neither is the
    /// rest of it.
    ///
    /// ```
    /// let capture = torsade_testing::sim::Sim::new(1).trace().pcap();
    /// assert_eq!(capture.len(), 24); // the header alone: nothing has happened
    /// ```
    pub fn pcap(&self) -> Vec<u8> {
        let mut capture = Vec::new();
        for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, LONGEST as u32, RAW_IP] {
            capture.extend_from_slice(&u32::to_le_bytes(word));
        }
        let mut flows: BTreeMap<u32, State> = BTreeMap::new();
        for entry in &self.entries {
            self.capture(&mut capture, &mut flows, entry);
        }
        capture
    }

    fn capture(&self, capture: &mut Vec<u8>, flows: &mut BTreeMap<u32, State>, entry: &Entry) {
        if let What::Datagram { source, to, .. } = entry.what {
            record(capture, entry.at, &udp(source, to, &entry.bytes));
            return;
        }
        let What::Arrives {
            flow,
            from,
            by_opener,
            packet,
        } = entry.what
        else {
            return;
        };
        if packet == Packet::Syn
            && let Some(known) = self.flows.get(&flow)
        {
            let known = Flow {
                opener: self.outside(known.opener, from),
                asked: self.outside(known.asked, entry.host),
            };
            flows.entry(flow).or_insert(State {
                flow: known,
                next: [0; 2],
            });
        }
        let Some(state) = flows.get_mut(&flow) else {
            return;
        };
        // A long segment of an ideal link is more than one packet can hold.
        let mut pieces: Vec<&[u8]> = entry.bytes.chunks(LONGEST - HEADERS).collect();
        if pieces.is_empty() {
            pieces.push(&[]);
        }
        for piece in pieces {
            let bytes = state.packet(packet, usize::from(!by_opener), piece);
            record(capture, entry.at, &bytes);
        }
    }

    /// The address that others see, of one that may be a loopback one.
    fn outside(&self, address: SocketAddr, host: u32) -> SocketAddr {
        let known = self.hosts.get(host as usize).map(|(_, known)| *known);
        match known {
            Some(known) if !address.ip().is_ipv4() => SocketAddr::new(known.ip(), address.port()),
            _ => address,
        }
    }
}

/// "Packet begins with an IP header": <https://www.tcpdump.org/linktypes.html>.
const RAW_IP: u32 = 101;

/// The longest packet.
const LONGEST: usize = 65_535;

/// Of IPv4 and TCP, without options (RFC 791 section 3.1, RFC 9293 section 3.1).
const HEADERS: usize = 40;

/// A connection as a capture has it. The opener's direction comes first.
struct State {
    flow: Flow,
    /// The next sequence numbers.
    next: [u32; 2],
}

impl State {
    fn packet(&mut self, packet: Packet, direction: usize, bytes: &[u8]) -> Vec<u8> {
        const FIN: u8 = 1;
        const SYN: u8 = 2;
        const RST: u8 = 4;
        const PSH: u8 = 8;
        const ACK: u8 = 16;
        let (flags, counted) = match packet {
            Packet::Syn => (SYN, 1),
            Packet::SynAck => (SYN | ACK, 1),
            Packet::Data => (PSH | ACK, bytes.len() as u32),
            Packet::Fin => (FIN | ACK, 1),
            Packet::Reset | Packet::Refused => (RST | ACK, 0),
        };
        // Tried again, it is the same.
        if packet == Packet::Syn {
            self.next = [0; 2];
        }
        let (sequence, acknowledged) = (self.next[direction], self.next[1 - direction]);
        self.next[direction] = sequence.wrapping_add(counted);
        let (from, to) = match direction {
            0 => (self.flow.opener, self.flow.asked),
            _ => (self.flow.asked, self.flow.opener),
        };
        let acknowledged = if packet == Packet::Syn {
            0
        } else {
            acknowledged
        };
        tcp(from, to, (sequence, acknowledged), flags, bytes)
    }
}

fn tcp(
    from: SocketAddr,
    to: SocketAddr,
    (sequence, acknowledged): (u32, u32),
    flags: u8,
    bytes: &[u8],
) -> Vec<u8> {
    /// Five words, without options.
    const OFFSET: u8 = 5 << 4;
    let addresses = [octets(from), octets(to)].concat();
    let mut segment = Vec::with_capacity(HEADERS + bytes.len());
    segment.extend_from_slice(&from.port().to_be_bytes());
    segment.extend_from_slice(&to.port().to_be_bytes());
    segment.extend_from_slice(&sequence.to_be_bytes());
    segment.extend_from_slice(&acknowledged.to_be_bytes());
    segment.extend_from_slice(&[OFFSET, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend_from_slice(bytes);
    let mut summed = addresses.clone();
    summed.extend_from_slice(&[0, TCP]);
    summed.extend_from_slice(&(segment.len() as u16).to_be_bytes());
    summed.extend_from_slice(&segment);
    let sum = checksum(&summed);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ip(TCP, &addresses, &segment)
}

/// RFC 768.
fn udp(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let addresses = [octets(from), octets(to)].concat();
    let mut datagram = Vec::with_capacity(HEADERS + bytes.len());
    datagram.extend_from_slice(&from.port().to_be_bytes());
    datagram.extend_from_slice(&to.port().to_be_bytes());
    datagram.extend_from_slice(&((8 + bytes.len()) as u16).to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(bytes);
    let mut summed = addresses.clone();
    summed.extend_from_slice(&[0, UDP]);
    summed.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
    summed.extend_from_slice(&datagram);
    // A sum of zero says that there is none.
    let sum = match checksum(&summed) {
        0 => u16::MAX,
        sum => sum,
    };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ip(UDP, &addresses, &datagram)
}

fn ip(protocol: u8, addresses: &[u8], segment: &[u8]) -> Vec<u8> {
    let length = (20 + segment.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend_from_slice(addresses);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(segment);
    packet
}

/// The numbers of protocols.
const TCP: u8 = 6;
const UDP: u8 = 17;

fn octets(address: SocketAddr) -> [u8; 4] {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST.octets(),
    }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2);
    let words = pairs.map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn record(capture: &mut Vec<u8>, at: Time, packet: &[u8]) {
    let since = at - Time::ZERO;
    let length = packet.len() as u32;
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    for word in [seconds, since.subsec_nanos(), length, length] {
        capture.extend_from_slice(&word.to_le_bytes());
    }
    capture.extend_from_slice(packet);
}
