use std::fmt;
use std::net::SocketAddr;

use torsade_core::Peer;

use super::{v1, v2};

/// What a proxy says in front of a connection that it passes on.
///
/// The receiver of a connection finds it there with `transport.fact::<ProxyHeader>()`, if it was
/// listened on with a [`ProxyProtocol`](super::ProxyProtocol). A proxy makes one to
/// [send](super::SendProxy).
///
/// ```
/// use torsade_core::{Address, Peer};
/// use torsade_service::{ProxyHeader, ProxyVersion};
///
/// let from: Address = "192.0.2.7:50000".parse()?;
/// let to: Address = "192.0.2.1:80".parse()?;
/// let header = ProxyHeader::new(Peer::new(from, to));
/// assert_eq!(
///     header.encode(ProxyVersion::V1),
///     b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n",
/// );
/// assert_eq!(header.peer().unwrap().remote().port(), Some(50000));
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
///
/// The format is haproxy's "The PROXY protocol, versions 1 & 2".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    command: ProxyCommand,
    peer: Option<Peer>,
    tlvs: Vec<Tlv>,
}

/// Why there is a connection at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyCommand {
    /// Somebody connected to the proxy, which passes that on.
    Proxy,
    /// The proxy itself, to see whether we are well. Only version 2 says so.
    Local,
}

/// How a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text, with internet addresses only.
    V1,
    /// Bytes, with any address and [more](Tlv) behind it.
    V2,
}

/// Something more that a header of version 2 says, by its kind.
#[derive(Clone, PartialEq, Eq)]
pub struct Tlv {
    kind: u8,
    value: Box<[u8]>,
}

impl ProxyHeader {
    /// Says that the connection is this peer's: `remote` connected to `local`.
    pub fn new(peer: Peer) -> Self {
        Self {
            command: ProxyCommand::Proxy,
            peer: Some(peer),
            tlvs: Vec::new(),
        }
    }

    /// Says that it is not known whose the connection is.
    pub fn unknown() -> Self {
        Self {
            command: ProxyCommand::Proxy,
            peer: None,
            tlvs: Vec::new(),
        }
    }

    /// Says that the proxy looks whether we are well.
    pub fn local() -> Self {
        Self {
            command: ProxyCommand::Local,
            ..Self::unknown()
        }
    }

    pub(super) fn read(command: ProxyCommand, peer: Option<Peer>, tlvs: Vec<Tlv>) -> Self {
        Self {
            command,
            peer,
            tlvs,
        }
    }

    /// The same header with this, too; only version 2 can say it. One that has more than fits, of
    /// 65,535 bytes in all, is encoded without those that do not.
    ///
    /// ```
    /// use torsade_service::{ProxyHeader, Tlv};
    ///
    /// let header = ProxyHeader::unknown().with(Tlv::new(Tlv::AUTHORITY, "example.org"));
    /// assert_eq!(header.find(Tlv::AUTHORITY), Some(&b"example.org"[..]));
    /// ```
    #[must_use]
    pub fn with(mut self, tlv: Tlv) -> Self {
        self.tlvs.push(tlv);
        self
    }

    /// Why there is a connection.
    pub fn command(&self) -> ProxyCommand {
        self.command
    }

    /// Whose connection it is, and to which address they connected. `None` if it was not said, and
    /// where the proxy speaks for itself.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// What else was said, in order. Checksum and padding are not in it.
    pub fn tlvs(&self) -> &[Tlv] {
        &self.tlvs
    }

    /// The first that was said of this kind.
    pub fn find(&self, kind: u8) -> Option<&[u8]> {
        let tlv = self.tlvs.iter().find(|tlv| tlv.kind == kind)?;
        Some(&tlv.value)
    }

    /// The header, as it goes in front of a connection.
    ///
    /// What a version cannot say is left out: an address that is not of the internet is `UNKNOWN`
    /// in version 1, and so is every address of a [`Local`](ProxyCommand::Local) header.
    pub fn encode(&self, version: ProxyVersion) -> Vec<u8> {
        match version {
            ProxyVersion::V1 => v1::encode(self),
            ProxyVersion::V2 => v2::encode(self),
        }
    }

    /// Both ends, as one kind of internet address: IPv4 if both can be that, mapped ones included.
    pub(super) fn inet(&self) -> Option<(SocketAddr, SocketAddr)> {
        let peer = self.peer.as_ref()?;
        let ends = (peer.remote().inet()?, peer.local().inet()?);
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let ends = (canonical(ends.0), canonical(ends.1));
        match ends {
            (from, to) if from.is_ipv4() == to.is_ipv4() => Some(ends),
            (from, to) => Some((as_v6(from), as_v6(to))),
        }
    }
}

fn as_v6(end: SocketAddr) -> SocketAddr {
    match end.ip() {
        std::net::IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
        std::net::IpAddr::V6(_) => end,
    }
}

impl Tlv {
    /// The protocol that was negotiated by ALPN.
    pub const ALPN: u8 = 0x01;
    /// The name that the client asked for: of SNI, say.
    pub const AUTHORITY: u8 = 0x02;
    /// What names the connection, for logs.
    pub const UNIQUE_ID: u8 = 0x05;
    /// How the client's connection was encrypted, as TLVs inside.
    pub const SSL: u8 = 0x20;
    /// The name of the proxy's network namespace.
    pub const NETNS: u8 = 0x30;
    pub(super) const CHECKSUM: u8 = 0x03;
    pub(super) const PADDING: u8 = 0x04;

    /// Something of this kind. What is longer than 65,535 bytes fits no header.
    pub fn new(kind: u8, value: impl AsRef<[u8]>) -> Self {
        Self {
            kind,
            value: value.as_ref().into(),
        }
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// What it says.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.escape_ascii();
        write!(f, "Tlv {:#04x} \"{value}\"", self.kind)
    }
}
