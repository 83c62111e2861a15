use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::vec;

use crate::{Adopted, Credentials, EndpointError};

/// One end of a connection, or the place of a listener.
///
/// Most are internet addresses, and [`inet`](Self::inet) takes them for what they are; `ip` and
/// `port` are there for the same. Whatever std connects to by an address takes this as well.
///
/// ```
/// use torsade_core::{Address, UnixAddress};
///
/// let web: Address = "127.0.0.1:80".parse()?;
/// assert_eq!(web.port(), Some(80));
/// assert_eq!(web.to_string(), "127.0.0.1:80");
///
/// let log = Address::from(UnixAddress::path("/run/log.socket"));
/// assert_eq!(log.inet(), None);
/// assert!(log.is_local());
/// assert_eq!(log.to_string(), "unix:/run/log.socket");
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "IAddress")]
#[doc(alias = "IPv4Address")]
#[doc(alias = "IPv6Address")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An address and port of the internet.
    Inet(SocketAddr),
    /// A socket of this machine.
    Unix(UnixAddress),
    /// A socket or pipes that the program has already; only to listen on or to connect to.
    Adopted(Adopted),
    /// The standard streams of the process; only to connect to. See [`Stdio`](crate::Stdio).
    Stdio,
    /// What has no address, by the name it is to be shown with: a pipe, the standard streams.
    Named(Arc<str>),
}

impl Address {
    /// The internet address and port, if this is one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }

    /// The internet address without its port.
    pub fn ip(&self) -> Option<IpAddr> {
        self.inet().map(|address| address.ip())
    }

    /// The port of an internet address.
    pub fn port(&self) -> Option<u16> {
        self.inet().map(|address| address.port())
    }

    /// The address of a socket of this machine, if this is one.
    pub fn unix(&self) -> Option<&UnixAddress> {
        match self {
            Self::Unix(address) => Some(address),
            _ => None,
        }
    }

    /// Whether it can only be of this machine: a loopback address, or none of the internet.
    ///
    /// ```
    /// use torsade_core::Address;
    ///
    /// assert!("[::1]:80".parse::<Address>()?.is_local());
    /// # Ok::<(), torsade_core::EndpointError>(())
    /// ```
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(address) => address.fmt(f),
            Self::Adopted(_) => f.write_str("what was adopted"),
            Self::Stdio => f.write_str("stdio:"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// The address that [`Display`](fmt::Display) would show this way: `192.0.2.1:80`, `[::1]:80`,
/// `unix:/run/a` or `unix:@name`.
///
/// ```
/// use torsade_core::Address;
///
/// for text in ["192.0.2.1:80", "[::1]:80", "unix:/run/a", "unix:@name"] {
///     assert_eq!(text.parse::<Address>()?.to_string(), text);
/// }
/// assert!("example.org:80".parse::<Address>().is_err());
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
impl FromStr for Address {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let address = match text.strip_prefix("unix:") {
            Some("") => UnixAddress::Unnamed,
            Some(path) => match path.strip_prefix('@') {
                Some(name) => UnixAddress::abstract_name(name),
                None => UnixAddress::path(path),
            },
            None => {
                let inet = text.parse().map(Self::Inet);
                return inet.map_err(|_| EndpointError::Port { text: text.into() });
            }
        };
        Ok(address.into())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl From<UnixAddress> for Address {
    fn from(address: UnixAddress) -> Self {
        Self::Unix(address)
    }
}

impl From<Adopted> for Address {
    fn from(adopted: Adopted) -> Self {
        Self::Adopted(adopted)
    }
}

impl PartialEq<SocketAddr> for Address {
    fn eq(&self, other: &SocketAddr) -> bool {
        self.inet() == Some(*other)
    }
}

/// For what std connects to; an error for all but internet addresses.
impl ToSocketAddrs for Address {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.inet() {
            Some(address) => Ok(vec![address].into_iter()),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self} is no internet address"),
            )),
        }
    }
}

/// Where a Unix socket is.
///
/// ```
/// use torsade_core::UnixAddress;
///
/// assert_eq!(UnixAddress::path("/run/a").to_string(), "unix:/run/a");
/// assert_eq!(UnixAddress::abstract_name("a").to_string(), "unix:@a");
/// assert_eq!(UnixAddress::Unnamed.to_string(), "unix:");
/// ```
#[doc(alias = "UNIXAddress")]
#[doc(alias = "connectUNIX")]
#[doc(alias = "UNIXClientEndpoint")]
#[doc(alias = "create_unix_connection")]
#[doc(alias = "open_unix_connection")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnixAddress {
    /// A socket that was never bound, as most clients' are.
    Unnamed,
    /// A file.
    Path(Arc<Path>),
    /// A name that is no file and goes with its socket; only Linux has these.
    Abstract(Arc<[u8]>),
}

impl UnixAddress {
    /// The socket that is this file.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::Path(path.into().into())
    }

    /// The socket of this name in Linux's abstract space.
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Self {
        Self::Abstract(name.as_ref().into())
    }

    /// The file, if it is one.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// Whether the system can have a socket there: a name must fit into its address.
    pub(crate) fn check(&self) -> Result<(), EndpointError> {
        let refused = |length, most| EndpointError::UnixName {
            name: self.to_string(),
            length,
            most,
        };
        let (length, most, has_nul) = match self {
            Self::Unnamed => return Err(refused(0, MOST)),
            Self::Path(path) => {
                let bytes = path.as_os_str().as_encoded_bytes();
                (bytes.len(), MOST, bytes.contains(&0))
            }
            // A NUL goes in front of it, and none behind it.
            Self::Abstract(name) => (name.len(), MOST, false),
        };
        if length == 0 || length > most || has_nul {
            return Err(refused(length, most));
        }
        Ok(())
    }
}

/// How long a name may be. The system's room for it has one byte more.
const MOST: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

/// The socket that is this file.
impl From<PathBuf> for UnixAddress {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

/// The socket that is this file.
impl From<&Path> for UnixAddress {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

/// The socket that is this file.
impl From<&str> for UnixAddress {
    fn from(path: &str) -> Self {
        Self::path(path)
    }
}

/// As it is written: `unix:` and the path, or `@` and the abstract name.
impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unix:")?;
        match self {
            Self::Unnamed => Ok(()),
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
        }
    }
}

/// The two ends of a connection, as a factory and a transport see them.
///
/// ```
/// use torsade_core::{Address, Peer};
///
/// let far: Address = "127.0.0.1:50000".parse()?;
/// let near: Address = "127.0.0.1:8007".parse()?;
/// let peer = Peer::new(far, near);
/// assert_eq!(peer.to_string(), "127.0.0.1:50000");
/// assert_eq!(peer.local().port(), Some(8007));
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    remote: Address,
    local: Address,
    /// In a box, because few connections have them.
    credentials: Option<Box<Credentials>>,
}

impl Peer {
    /// A connection from `local`, our end, to `remote`, theirs. Drivers and tests make these.
    pub fn new(remote: impl Into<Address>, local: impl Into<Address>) -> Self {
        Self {
            remote: remote.into(),
            local: local.into(),
            credentials: None,
        }
    }

    /// The same ends, with who is at the other one. Drivers and tests say so.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = Some(Box::new(credentials));
        self
    }

    /// Who is at the other end, where the system knows: on Unix sockets.
    #[doc(alias = "peercred")]
    pub fn credentials(&self) -> Option<Credentials> {
        self.credentials.as_deref().copied()
    }

    /// The address of the other end.
    #[doc(alias = "getPeer")]
    pub fn remote(&self) -> &Address {
        &self.remote
    }

    /// The address of this end.
    #[doc(alias = "getHost")]
    pub fn local(&self) -> &Address {
        &self.local
    }
}

/// Shows the other end's address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}
