use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::EndpointError;

/// The two ends of a connection, as a factory and a transport see them.
///
/// ```
/// use torsade_core::Peer;
///
/// let peer = Peer::new("127.0.0.1:50000".parse()?, "127.0.0.1:8007".parse()?);
/// assert_eq!(peer.to_string(), "127.0.0.1:50000");
/// assert_eq!(peer.local().port(), 8007);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    remote: SocketAddr,
    local: SocketAddr,
}

impl Peer {
    /// A connection from `local`, our end, to `remote`, theirs. Drivers and tests make these.
    pub fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self { remote, local }
    }

    /// The address of the other end.
    #[doc(alias = "getPeer")]
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The address of this end.
    #[doc(alias = "getHost")]
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

/// Shows the other end's address.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}

/// Something that `listen` and `connect` can go to.
///
/// Implemented for socket addresses, for slices of them (tried in order), and for text like
/// `"127.0.0.1:8007"`, `"[::1]:8007"` or `"localhost:8007"`. `localhost` is the loopback
/// addresses, as RFC 6761 section 6.3 has it; other names are refused rather than looked up.
///
/// ```
/// use torsade_core::{EndpointError, ToEndpoint};
///
/// let both = "localhost:8007".to_endpoint()?;
/// assert_eq!(both, ["127.0.0.1:8007".parse().unwrap(), "[::1]:8007".parse().unwrap()]);
/// assert!(matches!("127.0.0.1".to_endpoint(), Err(EndpointError::Port { .. })));
/// # Ok::<(), EndpointError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no place to listen on or connect to",
    note = "give text like \"127.0.0.1:8007\" or a `std::net::SocketAddr`"
)]
pub trait ToEndpoint {
    /// The addresses that are meant, in the order in which to try them.
    ///
    /// # Errors
    /// [`EndpointError`] when nothing is named, or nothing that can be understood.
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError>;
}

impl ToEndpoint for SocketAddr {
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        Ok(vec![*self])
    }
}

impl ToEndpoint for [SocketAddr] {
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        if self.is_empty() {
            return Err(EndpointError::Empty);
        }
        Ok(self.to_vec())
    }
}

impl ToEndpoint for str {
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        if self.is_empty() {
            return Err(EndpointError::Empty);
        }
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let no_port = || EndpointError::Port { text: self.into() };
        let (host, port) = self.rsplit_once(':').ok_or_else(no_port)?;
        let port: u16 = port.parse().map_err(|_| no_port())?;
        if host.eq_ignore_ascii_case("localhost") {
            return Ok(vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
            ]);
        }
        Err(EndpointError::Name { host: host.into() })
    }
}

impl ToEndpoint for String {
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        self.as_str().to_endpoint()
    }
}

impl<T: ToEndpoint + ?Sized> ToEndpoint for &T {
    fn to_endpoint(&self) -> Result<Vec<SocketAddr>, EndpointError> {
        (**self).to_endpoint()
    }
}
