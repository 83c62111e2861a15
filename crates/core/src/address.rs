use std::fmt;
use std::net::SocketAddr;

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
