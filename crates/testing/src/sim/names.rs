use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use torsade_core::{Address, UnixAddress};

/// Unix sockets, as the simulated kernels have them: each name is a place of the loopback network
/// that no internet address can mean, the same on every host, and each host has its own loopback.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<UnixAddress>);

/// What tells such a place from one of the internet, whose labels have 20 bits.
const NAMED: u32 = 1 << 20;
/// The same of sockets without a name.
const UNNAMED: u32 = 1 << 21;

impl Names {
    /// Where an address is.
    pub(super) fn place(&mut self, address: &Address) -> io::Result<SocketAddr> {
        match address {
            Address::Inet(inet) => Ok(*inet),
            Address::Unix(UnixAddress::Unnamed) => Err(io::ErrorKind::InvalidInput.into()),
            Address::Unix(name) => {
                let known = self.0.iter().position(|it| it == name);
                let number = known.unwrap_or(self.0.len());
                if known.is_none() {
                    self.0.push(name.clone());
                }
                // Port 0 would mean any.
                let port = u16::try_from(number + 1).map_err(|_| io::ErrorKind::OutOfMemory)?;
                Ok(at(port, NAMED))
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// What is there.
    pub(super) fn address(&self, place: SocketAddr) -> Address {
        match place {
            SocketAddr::V6(v6) if v6.flowinfo() == NAMED => {
                let name = usize::from(v6.port()).checked_sub(1);
                let name = name.and_then(|number| self.0.get(number));
                name.cloned().unwrap_or(UnixAddress::Unnamed).into()
            }
            SocketAddr::V6(v6) if v6.flowinfo() == UNNAMED => UnixAddress::Unnamed.into(),
            inet => inet.into(),
        }
    }
}

/// Whether that is a Unix socket.
pub(crate) fn is_unix(place: SocketAddr) -> bool {
    matches!(place, SocketAddr::V6(v6) if v6.flowinfo() & (NAMED | UNNAMED) != 0)
}

/// The place of a socket without a name, by a number of its own.
pub(super) fn unnamed(port: u16) -> SocketAddr {
    at(port, UNNAMED)
}

/// The end, at this port, of who connects to that place.
pub(super) fn opener(to: SocketAddr, port: u16) -> Option<SocketAddr> {
    match to {
        SocketAddr::V6(v6) if v6.flowinfo() == NAMED => Some(at(port, UNNAMED)),
        _ => None,
    }
}

fn at(port: u16, kind: u32) -> SocketAddr {
    SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, kind, 0).into()
}
