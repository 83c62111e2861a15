use std::fmt;

use torsade_core::{Disconnect, Filter, Peer, Sides};

use super::header::{ProxyHeader, ProxyVersion};

/// The filter of a connection that we pass on: it begins with a header that says whose it is.
///
/// ```
/// use torsade_core::{Net, Peer, Protocol, ToEndpoint, Transport};
/// use torsade_service::{ProxyHeader, ProxyVersion, SendProxy};
///
/// # struct Relay;
/// # impl Protocol for Relay {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// fn pass_on(net: &Net, client: &Peer) {
///     let header = ProxyHeader::new(client.clone());
///     let backend = "127.0.0.1:8080".to_endpoint().unwrap();
///     let backend = backend.filter(move |_| SendProxy::new(ProxyVersion::V2, &header));
///     net.connect(backend, Relay).detach();
/// }
/// # let reactor = torsade_testing::MemoryReactor::new();
/// # let from: torsade_core::Address = "192.0.2.7:50000".parse().unwrap();
/// # pass_on(reactor.net(), &Peer::new(from.clone(), from));
/// ```
pub struct SendProxy {
    header: Vec<u8>,
}

impl SendProxy {
    /// Say this first.
    pub fn new(version: ProxyVersion, header: &ProxyHeader) -> Self {
        Self {
            header: header.encode(version),
        }
    }

    /// Say that the connection is our own: from the address it comes from.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_service::{ProxyVersion, SendProxy};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    ///
    /// let mut t = torsade_testing::StringTransport::builder()
    ///     .filter(|peer| SendProxy::own(ProxyVersion::V1, peer))
    ///     .connect(Quiet);
    /// assert!(t.take_sent().starts_with(b"PROXY TCP4 127.0.0.1 "));
    /// ```
    pub fn own(version: ProxyVersion, peer: &Peer) -> Self {
        let from_here = Peer::new(peer.local().clone(), peer.remote().clone());
        Self::new(version, &ProxyHeader::new(from_here))
    }
}

impl Filter for SendProxy {
    fn start(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        sides.wire().append(&mut self.header);
        self.header = Vec::new();
        Ok(())
    }

    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        sides.plain().extend_from_slice(wire);
        Ok(wire.len())
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        for piece in plain {
            sides.wire().extend_from_slice(piece);
        }
        Ok(())
    }
}

impl fmt::Debug for SendProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendProxy").finish_non_exhaustive()
    }
}
