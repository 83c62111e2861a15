use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;

use crate::{Address, Adopted, Command, EndpointError, UnixAddress};

/// One of the places that an [`Endpoint`](crate::Endpoint) holds: an address, or what is turned
/// into addresses when somebody connects to it.
///
/// ```
/// use torsade_core::{Place, ToEndpoint};
///
/// let places = ["192.0.2.1:80", "example.org:80", "[fe80::1%eth0]:80"].map(|text| {
///     text.to_endpoint().unwrap().places()[0].clone()
/// });
/// assert!(matches!(places[0], Place::Address(_)));
/// assert!(matches!(&places[1], Place::Name { host, port: 80 } if &**host == "example.org"));
/// assert!(matches!(&places[2], Place::Scoped { zone, .. } if &**zone == "eth0"));
/// assert_eq!(places[2].to_string(), "[fe80::1%eth0]:80");
/// ```
#[doc(alias = "HostnameAddress")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// An address.
    Address(Address),
    /// A port of a host, whose addresses are looked up: in the real world by DNS for the most part.
    Name {
        /// The name of the host.
        host: Arc<str>,
        /// The port.
        port: u16,
    },
    /// A port at an address of one link, with the name of the interface that leads to it. One with
    /// the number of the interface is an [`Address`](Self::Address).
    Scoped {
        /// The address, of the kind `fe80::1`.
        ip: Ipv6Addr,
        /// The name of the interface: `eth0`.
        zone: Arc<str>,
        /// The port.
        port: u16,
    },
    /// A program, which is started when somebody connects to it: its standard input and output are
    /// the connection.
    Process(Arc<Command>),
}

impl Place {
    /// The address, if it is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            _ => None,
        }
    }

    /// What a text for a host and a port means: one place, but for `localhost`.
    ///
    /// `localhost`, and what ends with it, is the loopback addresses and asked of nobody, as
    /// RFC 6761 section 6.3 has it.
    pub(crate) fn of_host(host: &str, port: u16) -> Vec<Self> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return vec![SocketAddr::new(ip, port).into()];
        }
        if is_localhost(host) {
            let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return both
                .map(|ip: IpAddr| SocketAddr::new(ip, port).into())
                .into();
        }
        if let Some((ip, zone)) = host.split_once('%')
            && let Ok(ip) = ip.parse::<Ipv6Addr>()
            && !zone.is_empty()
        {
            let zone = zone.into();
            return vec![Self::Scoped { ip, zone, port }];
        }
        let host = host.into();
        vec![Self::Name { host, port }]
    }

    /// What a text like `example.org:80` means.
    pub(crate) fn of_text(text: &str) -> Result<Vec<Self>, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(vec![address.into()]);
        }
        let no_port = || EndpointError::Port { text: text.into() };
        let (host, port) = text.rsplit_once(':').ok_or_else(no_port)?;
        let port: u16 = port.parse().map_err(|_| no_port())?;
        let inside = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if inside.is_none() && host.contains(':') {
            return Err(EndpointError::Colons { text: text.into() });
        }
        let places = Self::of_host(inside.unwrap_or(host), port);
        if let [Self::Name { .. }] = &places[..] {
            // With its brackets, which no name has.
            check_name(host)?;
        }
        Ok(places)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Scoped { ip, zone, port } => write!(f, "[{ip}%{zone}]:{port}"),
            Self::Process(command) => write!(f, "process:{}", command.program().display()),
        }
    }
}

impl From<Address> for Place {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address.into())
    }
}

impl From<UnixAddress> for Place {
    fn from(address: UnixAddress) -> Self {
        Self::Address(address.into())
    }
}

impl From<Command> for Place {
    fn from(command: Command) -> Self {
        Self::Process(command.into())
    }
}

impl From<Adopted> for Place {
    fn from(adopted: Adopted) -> Self {
        Self::Address(adopted.into())
    }
}

/// Compares with an address, as a test wants it.
impl PartialEq<SocketAddr> for Place {
    fn eq(&self, other: &SocketAddr) -> bool {
        self.address().is_some_and(|address| address == other)
    }
}

/// What keeps a text from being the name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// It has more than 253 bytes.
    #[error("it has more than 253 bytes")]
    Long,
    /// Between two dots there is nothing, or more than 63 bytes.
    #[error("between two dots there is nothing, or more than 63 bytes")]
    Label,
    /// It holds what no name of a host does.
    #[error("it has a {0:?}")]
    Character(char),
    /// It has letters that DNS does not know as such.
    #[error("DNS takes it in its ASCII form only, the one with xn--")]
    Foreign,
    /// It ends with a number, as an address does, and is none. Some systems understand such texts,
    /// as `127.1`, in a way that surprises who checks addresses.
    #[error("it looks like an address and is none")]
    Numeric,
}

/// Whether a look-up may be asked for this name.
pub(crate) fn check_name(host: &str) -> Result<(), EndpointError> {
    match name_error(host) {
        None => Ok(()),
        Some(why) => Err(EndpointError::Name {
            host: host.into(),
            why,
        }),
    }
}

fn name_error(host: &str) -> Option<NameError> {
    // With the dot at its end it is the same name, and no search list applies.
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.is_empty() {
        return Some(NameError::Empty);
    }
    if !name.is_ascii() {
        return Some(NameError::Foreign);
    }
    let fits = |char: &char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    if let Some(char) = name.chars().find(|char| !fits(char)) {
        return Some(NameError::Character(char));
    }
    if name.len() > 253 {
        return Some(NameError::Long);
    }
    let mut labels = name.split('.');
    if labels.any(|label| label.is_empty() || label.len() > 63) {
        return Some(NameError::Label);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    ends_with_number(last).then_some(NameError::Numeric)
}

/// As in URLs: no top-level domain is a number, but parts of addresses are, also in hexadecimal.
fn ends_with_number(label: &str) -> bool {
    let lower = label.to_ascii_lowercase();
    match lower.strip_prefix("0x") {
        Some(hex) => hex.chars().all(|char| char.is_ascii_hexdigit()),
        None => lower.chars().all(|char| char.is_ascii_digit()),
    }
}

fn is_localhost(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost") && name_error(name).is_none()
}
