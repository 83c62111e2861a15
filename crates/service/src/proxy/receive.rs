use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::{Disconnect, Endpoint, Filter, Peer, Sides};

use super::header::ProxyHeader;
use super::trust::Network;
use super::{v1, v2, wrong};

/// A listener behind a proxy: each connection begins with a header that says whose it is.
///
/// haproxy's `send-proxy` and `send-proxy-v2` speak it, nginx's `proxy_protocol`, and most load
/// balancers. Both versions are understood; which one comes is seen by its first bytes. The
/// factory is asked when the header is there, and sees the [`Peer`] that it names, as limits by
/// peer and logs do. The header itself is
/// [`transport.fact::<ProxyHeader>()`](torsade_core::Connection::fact), and so is [`ProxiedBy`],
/// the other end of the wire.
///
/// ```
/// use torsade_core::{Protocol, ToEndpoint, Transport, factory};
/// use torsade_service::ProxyProtocol;
/// use torsade_testing::MemoryReactor;
///
/// struct WhoAmI;
/// impl Protocol for WhoAmI {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write(transport.peer().to_string());
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let reactor = MemoryReactor::new();
/// let here = ProxyProtocol::required().on("127.0.0.1:8007".to_endpoint()?);
/// reactor.net().listen(here, factory(|_| WhoAmI))?;
///
/// let mut proxy = reactor.dial("127.0.0.1:8007");
/// proxy.feed("PROXY TCP4 192.0.2.7 192.0.2.1 50000 80\r\n");
/// assert_eq!(proxy.take_sent(), b"192.0.2.7:50000");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Who is believed
/// Whoever can connect can send a header and be anybody. Let only the proxy reach the listener, or
/// say whom to [trust](Self::trust): a connection from elsewhere ends then.
///
/// There is no "if there is one": the specification forbids to guess, because then everybody could
/// send one. A listener has it or has it not.
///
/// # Limits
/// A header has to be there, whole, within 5 seconds and 4 KiB; what is none is refused at the
/// first byte that shows it.
#[doc(alias = "HAProxyServerEndpoint")]
#[doc(alias = "HAProxyWrappingFactory")]
#[doc(alias = "proxyEndpoint")]
#[derive(Clone)]
pub struct ProxyProtocol {
    timeout: Duration,
    most: usize,
    trusted: Option<Arc<[Network]>>,
}

/// The other end of the wire of a connection that a proxy passed on: the proxy.
///
/// `transport.fact::<ProxiedBy>()`; what [`Connection::peer`](torsade_core::Connection::peer) says
/// is whose connection it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxiedBy(pub Peer);

impl ProxyProtocol {
    /// Every connection begins with a header; one that does not is ended.
    pub fn required() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            most: 4096,
            trusted: None,
        }
    }

    /// Believe these only. A connection from another address is ended before a byte of it is
    /// looked at. Sockets of this machine that are not of the internet are believed: who reaches
    /// those is decided by their permissions.
    #[must_use]
    pub fn trust(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.trusted = Some(networks.into_iter().collect());
        self
    }

    /// How long a header may take from the beginning of the connection. 5 s;
    /// `Limits::handshake_timeout` bounds it as well.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes a header may have. 4 KiB; `Limits::filter_input` bounds it as well.
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// The same endpoint, behind a proxy. Filters that are there already lie between the wire and
    /// the header, those that are added later between the header and the protocol: TLS that the
    /// proxy passes on unopened is added after this.
    pub fn on(self, endpoint: Endpoint) -> Endpoint {
        endpoint.filter(move |peer| ReadProxy::new(&self, peer))
    }
}

impl fmt::Debug for ProxyProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyProtocol")
            .field("timeout", &self.timeout)
            .field("max_length", &self.most)
            .field("trusted", &self.trusted)
            .finish()
    }
}

/// The filter of one connection; a [`ProxyProtocol`] makes it.
///
/// ```text
///            the header is there              a wrong byte, the end,
///   Waiting ---------------------> Passing      too long, too late
///      |                                              |
///      +----------------------------------------------+--> the connection ends
/// ```
#[derive(Debug)]
pub struct ReadProxy {
    peer: Peer,
    timeout: Duration,
    most: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody believes who is there.
    Untrusted,
    Waiting,
    Passing,
}

impl ReadProxy {
    /// For a connection between these ends.
    pub fn new(proxy: &ProxyProtocol, peer: &Peer) -> Self {
        let is_trusted = proxy.trusted.as_ref().is_none_or(|trusted| {
            peer.remote()
                .ip()
                .is_none_or(|ip| trusted.iter().any(|network| network.contains(ip)))
        });
        Self {
            peer: peer.clone(),
            timeout: proxy.timeout,
            most: proxy.most,
            state: match is_trusted {
                true => State::Waiting,
                false => State::Untrusted,
            },
        }
    }

    /// The header, if all of it is there.
    fn read(&self, wire: &[u8]) -> Result<Option<(ProxyHeader, usize)>, Disconnect> {
        let read = [v1::START, v2::START].map(|start| {
            let len = start.len().min(wire.len());
            (wire[..len] == start[..len]).then_some(wire.len() >= start.len())
        });
        match read {
            [Some(true), _] => v1::read(wire),
            [_, Some(true)] => v2::read(wire, self.most),
            [Some(false), _] | [_, Some(false)] => Ok(None),
            [None, None] => Err(wrong("no PROXY header")),
        }
    }
}

impl Filter for ReadProxy {
    fn start(&mut self, _: &mut Sides<'_>) -> Result<(), Disconnect> {
        if self.state == State::Untrusted {
            return Err(wrong("a PROXY header from there is not believed"));
        }
        Ok(())
    }

    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        if self.state == State::Passing {
            sides.plain().extend_from_slice(wire);
            return Ok(wire.len());
        }
        let Some((header, len)) = self.read(wire)? else {
            return Ok(0);
        };
        self.state = State::Passing;
        if let Some(peer) = header.peer() {
            sides.set_peer(peer.clone());
        }
        sides.publish(ProxiedBy(self.peer.clone()));
        sides.publish(header);
        Ok(len)
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            sides.wire().extend_from_slice(piece);
        }
        Ok(())
    }

    fn wire_ended(&mut self, rest: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        match self.state {
            State::Passing => sides.end_plain(),
            // A load balancer that only looks whether somebody listens.
            _ if rest.is_empty() => return Err(Disconnect::PeerClosed),
            _ => return Err(wrong("a PROXY header without an end")),
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.state == State::Passing
    }

    fn handshake_timeout(&self) -> Option<Duration> {
        Some(self.timeout)
    }
}
