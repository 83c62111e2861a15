//! The header as bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use torsade_core::{Address, Disconnect, Peer, UnixAddress};

use super::checksum::crc32c;
use super::header::{ProxyCommand, ProxyHeader, Tlv};
use super::wrong;

/// What every header begins with: no other protocol does.
pub(super) const START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The beginning, version and command, family, length.
const FIXED: usize = 16;

/// A Unix address: its path, and zeros behind it.
const PATH: usize = 108;

/// Read a header from the beginning of `wire`, of at most so many bytes: it, and its length;
/// `None` if it goes on behind.
pub(super) fn read(wire: &[u8], most: usize) -> Result<Option<(ProxyHeader, usize)>, Disconnect> {
    let command = match wire.get(START.len()) {
        None => return Ok(None),
        Some(0x20) => ProxyCommand::Local,
        Some(0x21) => ProxyCommand::Proxy,
        Some(_) => return Err(wrong("a PROXY header of an unknown version or command")),
    };
    let Some([.., family, high, low]) = wire.get(..FIXED) else {
        return Ok(None);
    };
    let len = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
    if len > most {
        return Err(wrong("a PROXY header longer than is allowed"));
    }
    let Some(body) = wire.get(FIXED..len) else {
        return Ok(None);
    };
    let (peer, rest) = addresses(*family, body)?;
    let (tlvs, checksum) = tlvs(rest)?;
    if let Some((at, sum)) = checksum {
        let at = len - rest.len() + at;
        let computed = crc32c(&[&wire[..at], &[0; 4], &wire[at + 4..len]]);
        if computed != sum {
            return Err(wrong("a PROXY header whose checksum is wrong"));
        }
    }
    let header = match command {
        ProxyCommand::Proxy => ProxyHeader::read(command, peer, tlvs),
        // Addresses have to be ignored: the proxy speaks for itself.
        ProxyCommand::Local => ProxyHeader::read(command, None, tlvs),
    };
    Ok(Some((header, len)))
}

/// Both ends, and what follows.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<Peer>, &[u8]), Disconnect> {
    let len = match family {
        // Nothing that could be said, or nothing that we know to skip.
        0x00 => return Ok((None, &[])),
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 2 * PATH,
        _ => return Err(wrong("a PROXY header of an unknown family")),
    };
    let Some((ends, rest)) = body.split_at_checked(len) else {
        return Err(wrong("a PROXY header too short for its addresses"));
    };
    let (addresses, ports) = ends.split_at(match len {
        12 => 8,
        36 => 32,
        _ => len,
    });
    let (from, to) = addresses.split_at(addresses.len() / 2);
    let peer = match ports {
        [a, b, c, d] => Peer::new(
            SocketAddr::new(ip(from), u16::from_be_bytes([*a, *b])),
            SocketAddr::new(ip(to), u16::from_be_bytes([*c, *d])),
        ),
        _ => Peer::new(unix(from), unix(to)),
    };
    Ok((Some(peer), rest))
}

fn ip(bytes: &[u8]) -> IpAddr {
    match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(four), _) => Ipv4Addr::from(four).into(),
        (_, Ok(sixteen)) => Ipv6Addr::from(sixteen).into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn unix(bytes: &[u8]) -> UnixAddress {
    let bytes = match bytes {
        // Zeros behind it belong to the room, not to the name.
        [0, name @ ..] => {
            let len = name.iter().rposition(|byte| *byte != 0);
            return match len {
                None => UnixAddress::Unnamed,
                Some(last) => UnixAddress::abstract_name(&name[..=last]),
            };
        }
        path => path,
    };
    let len = bytes.iter().position(|byte| *byte == 0);
    let path = String::from_utf8_lossy(&bytes[..len.unwrap_or(bytes.len())]);
    UnixAddress::path(path.into_owned())
}

/// Where a checksum stands, and what it says.
type Checksum = Option<(usize, u32)>;

fn tlvs(bytes: &[u8]) -> Result<(Vec<Tlv>, Checksum), Disconnect> {
    let (mut tlvs, mut checksum, mut rest) = (Vec::new(), None, bytes);
    while let [kind, after @ ..] = rest {
        let value = after.split_at_checked(2).and_then(|(len, after)| {
            let len = u16::from_be_bytes([len[0], len[1]]);
            after.split_at_checked(usize::from(len))
        });
        let Some((value, after)) = value else {
            return Err(wrong("a PROXY header that ends inside of a value"));
        };
        match (*kind, <[u8; 4]>::try_from(value)) {
            (Tlv::CHECKSUM, Ok(sum)) if checksum.is_none() => {
                let at = bytes.len() - after.len() - value.len();
                checksum = Some((at, u32::from_be_bytes(sum)));
            }
            (Tlv::CHECKSUM, _) => return Err(wrong("a PROXY header with a strange checksum")),
            (Tlv::PADDING, _) => {}
            (kind, _) => tlvs.push(Tlv::new(kind, value)),
        }
        rest = after;
    }
    Ok((tlvs, checksum))
}

pub(super) fn encode(header: &ProxyHeader) -> Vec<u8> {
    let (command, peer) = match header.command() {
        ProxyCommand::Local => (0x20, None),
        ProxyCommand::Proxy => (0x21, header.peer()),
    };
    let mut body = Vec::new();
    let ends = peer.map(|peer| (peer.remote(), peer.local()));
    let family = match (ends, header.inet()) {
        (Some(_), Some((from, to))) => {
            for end in [from, to] {
                match end.ip() {
                    IpAddr::V4(ip) => body.extend(ip.octets()),
                    IpAddr::V6(ip) => body.extend(ip.octets()),
                }
            }
            for end in [from, to] {
                body.extend(end.port().to_be_bytes());
            }
            if from.is_ipv4() { 0x11 } else { 0x21 }
        }
        (Some((Address::Unix(from), Address::Unix(to))), _) if fits(from) && fits(to) => {
            for end in [from, to] {
                let begin = body.len();
                body.extend(name(end));
                body.resize(begin + PATH, 0);
            }
            0x31
        }
        _ => 0x00,
    };
    // Behind no addresses, nobody would look for more.
    for tlv in header.tlvs().iter().filter(|_| family != 0x00) {
        let len = u16::try_from(tlv.value().len());
        if let Ok(len) = len
            && body.len() + 3 + tlv.value().len() <= usize::from(u16::MAX)
        {
            body.push(tlv.kind());
            body.extend(len.to_be_bytes());
            body.extend(tlv.value());
        }
    }
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut bytes = START.to_vec();
    bytes.extend([command, family]);
    bytes.extend(len.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn fits(address: &UnixAddress) -> bool {
    name(address).len() <= PATH
}

fn name(address: &UnixAddress) -> Vec<u8> {
    match address {
        UnixAddress::Path(path) => path.as_os_str().as_encoded_bytes().to_vec(),
        UnixAddress::Abstract(name) => [&[0], &name[..]].concat(),
        _ => Vec::new(),
    }
}
