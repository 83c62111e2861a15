//! What SOCKS clients say and are answered: versions 4 and 4a as Ying-Da Lee described them,
//! version 5 as RFC 1928 does, and of all of them `CONNECT` only.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use torsade::{ConnectError, Disconnect, Endpoint, EndpointError, Failure, Limit, ToEndpoint};

/// The first thing that a client says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// Version 4: all there is to say.
    Request(Request),
    /// Version 5: whether it can do without authentication. Its request follows.
    Methods { none: bool },
}

/// Where a client wants to be connected to, or why that cannot be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) version: Version,
    pub(crate) target: Result<Target, Reply>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Four,
    Five,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Address(SocketAddr),
    Name(String, u16),
}

/// How a request ends, by the numbers of version 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Granted = 0,
    Failed = 1,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    Refused = 5,
    CommandUnknown = 7,
    AddressUnknown = 8,
}

/// Why nothing was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// More bytes must come.
    Incomplete,
    /// None that come will help.
    Broken(Disconnect),
}

/// No text in a message is longer than this. Version 5 has a byte for its length; version 4 has a
/// zero at its end, which might never come.
const LONGEST: usize = 255;

const CONNECT: u8 = 1;

/// What a client sent and nobody has read yet. Reading takes a whole message or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// How much is left.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// `VN, CD, ..` of version 4, or `VER, NMETHODS, METHODS` of version 5.
    pub(crate) fn hello(&mut self) -> Result<Hello, Stop> {
        self.whole(|input| match input.byte()? {
            4 => Ok(Hello::Request(input.request_4()?)),
            5 => {
                let count = input.byte()?;
                let none = input.take(count.into())?.contains(&0);
                Ok(Hello::Methods { none })
            }
            _ => Err(broken("neither SOCKS 4 nor 5")),
        })
    }

    /// `VER, CMD, RSV, ATYP, DST.ADDR, DST.PORT` of version 5.
    pub(crate) fn request_5(&mut self) -> Result<Request, Stop> {
        self.whole(|input| {
            if input.byte()? != 5 {
                return Err(broken("two versions of SOCKS in one conversation"));
            }
            let command = input.byte()?;
            input.byte()?;
            let target = match input.byte()? {
                1 => Ok(input.address::<4>()?),
                3 => Ok(input.name_5()?),
                4 => Ok(input.address::<16>()?),
                // How long this is nobody knows, so it is the last that is read.
                _ => Err(Reply::AddressUnknown),
            };
            Ok(Request::new(Version::Five, command, target))
        })
    }

    /// `DSTPORT, DSTIP, USERID, 0`, and of version 4a a name and another 0.
    fn request_4(&mut self) -> Result<Request, Stop> {
        let command = self.byte()?;
        let port = self.port()?;
        let host = Ipv4Addr::from(self.array::<4>()?);
        self.text()?;
        let target = match host.octets() {
            [0, 0, 0, last] if last != 0 => Target::named(self.text()?, port),
            _ => Target::Address((host, port).into()),
        };
        Ok(Request::new(Version::Four, command, Ok(target)))
    }

    fn address<const N: usize>(&mut self) -> Result<Target, Stop>
    where
        IpAddr: From<[u8; N]>,
    {
        let host = IpAddr::from(self.array::<N>()?);
        Ok(Target::Address((host, self.port()?).into()))
    }

    fn name_5(&mut self) -> Result<Target, Stop> {
        let length = self.byte()?;
        let name = self.take(length.into())?;
        Ok(Target::named(name, self.port()?))
    }
}

/// The parts of messages.
impl<'a> Input<'a> {
    fn whole<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Stop>) -> Result<T, Stop> {
        let mut ahead = *self;
        let message = read(&mut ahead)?;
        *self = ahead;
        Ok(message)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Stop::Incomplete)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Stop::Incomplete)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.array().map(|[byte]| byte)
    }

    fn port(&mut self) -> Result<u16, Stop> {
        self.array().map(u16::from_be_bytes)
    }

    fn text(&mut self) -> Result<&'a [u8], Stop> {
        let longest = &self.0[..self.0.len().min(LONGEST + 1)];
        match longest.iter().position(|byte| *byte == 0) {
            Some(length) => {
                let text = self.take(length)?;
                self.byte()?;
                Ok(text)
            }
            None if longest.len() > LONGEST => {
                Err(Stop::Broken(Disconnect::LimitPassed(Limit::Message)))
            }
            None => Err(Stop::Incomplete),
        }
    }
}

impl Request {
    fn new(version: Version, command: u8, target: Result<Target, Reply>) -> Self {
        let target = match command {
            CONNECT => target,
            _ => Err(Reply::CommandUnknown),
        };
        Self { version, target }
    }
}

impl Target {
    /// Some clients send addresses as text.
    fn named(name: &[u8], port: u16) -> Self {
        let name = String::from_utf8_lossy(name);
        match name.parse::<IpAddr>() {
            Ok(host) => Self::Address((host, port).into()),
            Err(_) => Self::Name(name.into_owned(), port),
        }
    }
}

impl ToEndpoint for Target {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        match self {
            Self::Address(address) => address.to_endpoint(),
            Self::Name(host, port) => format!("{host}:{port}").to_endpoint(),
        }
    }
}

impl Reply {
    /// The bytes of it. `bound` is our end of the connection to the upstream.
    pub(crate) fn encode(self, version: Version, bound: SocketAddr) -> Vec<u8> {
        let port = bound.port().to_be_bytes();
        match (version, bound.ip()) {
            (Version::Five, IpAddr::V4(ip)) => {
                [&[5, self as u8, 0, 1], ip.octets().as_slice(), &port].concat()
            }
            (Version::Five, IpAddr::V6(ip)) => {
                [&[5, self as u8, 0, 4], ip.octets().as_slice(), &port].concat()
            }
            // Version 4 knows two numbers, and its clients do not look at the address.
            (Version::Four, _) if self == Self::Granted => vec![0, 90, 0, 0, 0, 0, 0, 0],
            (Version::Four, _) => vec![0, 91, 0, 0, 0, 0, 0, 0],
        }
    }
}

impl From<&Failure<ConnectError>> for Reply {
    fn from(error: &Failure<ConnectError>) -> Self {
        use std::io::ErrorKind;
        match error {
            Failure::Error(error) => match error.kind() {
                ErrorKind::ConnectionRefused => Self::Refused,
                ErrorKind::NetworkUnreachable => Self::NetworkUnreachable,
                // No such name is as good as no such host.
                ErrorKind::HostUnreachable
                | ErrorKind::NotFound
                | ErrorKind::TimedOut
                | ErrorKind::InvalidInput => Self::HostUnreachable,
                _ => Self::Failed,
            },
            _ => Self::Failed,
        }
    }
}

fn broken(how: &'static str) -> Stop {
    Stop::Broken(Disconnect::protocol(how))
}
