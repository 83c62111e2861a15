use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use torsade_core::{
    Address, Connection, Disconnect, Factory, Layered, Peer, Protocol, Transport, Wrapper,
};

/// A factory that refuses connections when there are too many, in all or from one address.
///
/// ```
/// use torsade_core::{Address, Factory, Peer, Protocol, Transport, factory};
/// use torsade_wire::LimitConnections;
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut limited = LimitConnections::new(factory(|_| Quiet), 1000, 2);
/// let counts = limited.counts(); // stays here when the factory goes to `listen`
/// # let peer = Peer::new("192.0.2.1:50000".parse::<Address>()?, "192.0.2.9:8007".parse::<Address>()?);
/// let first = limited.build(&peer);
/// let second = limited.build(&peer);
/// assert!(limited.build(&peer).is_none()); // closed at once
/// assert_eq!((counts.total(), counts.refused()), (2, 1));
///
/// drop(first);
/// assert!(limited.build(&peer).is_some());
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
///
/// A connection counts from when its protocol is built until it is lost, whatever happens in
/// between: a panic, another protocol switched in, a reactor that is dropped.
///
/// # Which limit
/// `Limits::max_connections` is of a reactor, over all its listeners and the connections that it
/// asked for itself. It protects the process from running out of descriptors, knows two policies,
/// shed or wait, and counts a connection from the accept, its handshake included. Set it always.
/// This one is of a service. It counts what one factory, or several that
/// [share counts](Self::counted_by), have built, tells peers apart, and always sheds.
#[doc(alias = "LimitTotalConnectionsFactory")]
#[doc(alias = "LimitConnectionsByPeer")]
pub struct LimitConnections<F> {
    factory: F,
    total: usize,
    by_peer: usize,
    counts: ConnectionCounts,
}

/// How many connections of a [`LimitConnections`] there are. A handle: clones show the same.
#[derive(Clone, Default)]
pub struct ConnectionCounts(Rc<RefCell<Counts>>);

#[derive(Default)]
struct Counts {
    total: usize,
    refused: u64,
    /// Only addresses that have connections, so that it is no larger than these are many.
    by_peer: HashMap<IpAddr, usize>,
}

impl<F: Factory> LimitConnections<F> {
    /// At most `total` connections of `factory`, and at most `by_peer` from one address.
    /// `usize::MAX` is no limit.
    ///
    /// An IPv4 address is the same one when it comes mapped into IPv6.
    pub fn new(factory: F, total: usize, by_peer: usize) -> Self {
        Self {
            factory,
            total,
            by_peer,
            counts: ConnectionCounts::default(),
        }
    }

    /// Count together with others: for a service that listens on several addresses.
    ///
    /// ```
    /// # use torsade_core::{Address, Factory, Peer, Protocol, Transport, factory};
    /// # use torsade_wire::LimitConnections;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// # let peer = Peer::new("192.0.2.1:50000".parse::<Address>()?, "192.0.2.9:8007".parse::<Address>()?);
    /// let mut plain = LimitConnections::new(factory(|_| Quiet), 1, usize::MAX);
    /// let mut secure = LimitConnections::new(factory(|_| Quiet), 1, usize::MAX)
    ///     .counted_by(&plain.counts());
    /// let one = plain.build(&peer);
    /// assert!(one.is_some() && secure.build(&peer).is_none());
    /// # Ok::<(), torsade_core::EndpointError>(())
    /// ```
    #[must_use]
    pub fn counted_by(mut self, counts: &ConnectionCounts) -> Self {
        self.counts = counts.clone();
        self
    }

    /// A handle of the counts.
    pub fn counts(&self) -> ConnectionCounts {
        self.counts.clone()
    }
}

impl ConnectionCounts {
    /// Connections there are.
    pub fn total(&self) -> usize {
        self.0.borrow().total
    }

    /// Connections there are from this address.
    pub fn of(&self, address: IpAddr) -> usize {
        let counts = self.0.borrow();
        let address = address.to_canonical();
        counts.by_peer.get(&address).copied().unwrap_or(0)
    }

    /// Addresses that have connections.
    pub fn peers(&self) -> usize {
        self.0.borrow().by_peer.len()
    }

    /// Connections that were refused so far.
    pub fn refused(&self) -> u64 {
        self.0.borrow().refused
    }

    /// A place for one from `address`. What has no internet address counts in the total alone:
    /// everybody on this machine would be one and the same.
    fn take_place(&self, address: Option<IpAddr>, total: usize, by_peer: usize) -> Option<Place> {
        let address = address.map(|address| address.to_canonical());
        let mut counts = self.0.borrow_mut();
        let there = address.and_then(|address| counts.by_peer.get(&address).copied());
        let there = there.unwrap_or(0);
        if counts.total >= total || there >= by_peer {
            counts.refused += 1;
            return None;
        }
        counts.total += 1;
        if let Some(address) = address {
            counts.by_peer.insert(address, there + 1);
        }
        Some(Place {
            counts: self.clone(),
            address,
        })
    }
}

/// Counts as one connection until it is dropped.
struct Place {
    counts: ConnectionCounts,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.0.borrow_mut();
        counts.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(there) = counts.by_peer.get_mut(&address) {
            *there -= 1;
            if *there == 0 {
                counts.by_peer.remove(&address);
            }
        }
    }
}

impl<F: Factory> Factory for LimitConnections<F> {
    type Protocol = Limited<F::Protocol>;

    fn build(&mut self, peer: &Peer) -> Option<Self::Protocol> {
        self.build_counted(peer, |factory| factory.build(peer))
    }

    fn build_for(&mut self, connection: &Connection) -> Option<Self::Protocol> {
        self.build_counted(connection.peer(), |factory| factory.build_for(connection))
    }

    fn started(&mut self, address: &Address) {
        self.factory.started(address);
    }

    fn stopped(&mut self) {
        self.factory.stopped();
    }

    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        self.factory.failed(peer, reason);
    }
}

impl<F: Factory> LimitConnections<F> {
    fn build_counted(
        &mut self,
        peer: &Peer,
        build: impl FnOnce(&mut F) -> Option<F::Protocol>,
    ) -> Option<Limited<F::Protocol>> {
        // First, so that it is given back if the factory refuses or panics.
        let address = peer.remote().ip();
        let place = self.counts.take_place(address, self.total, self.by_peer)?;
        let inner = build(&mut self.factory)?;
        Some(Limited {
            inner,
            place: Some(place),
        })
    }
}

/// What a [`LimitConnections`] builds: the protocol of its factory, counted.
pub struct Limited<P> {
    inner: P,
    /// Until the connection is made. Then it belongs to that, which may outlive this protocol if
    /// another is switched in.
    place: Option<Place>,
}

impl<P> Limited<P> {
    /// The protocol inside.
    pub fn get_ref(&self) -> &P {
        &self.inner
    }

    /// The protocol inside, to change it.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Layered for Limited<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.inner
    }
}

impl<P: Protocol> Wrapper for Limited<P> {
    fn made(&mut self, transport: &Transport<Self>) {
        if let Some(place) = self.place.take() {
            transport.closed().finish(move |_| drop(place));
        }
    }
}

impl<F> fmt::Debug for LimitConnections<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitConnections")
            .field("total", &self.total)
            .field("by_peer", &self.by_peer)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConnectionCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionCounts")
            .field("total", &self.total())
            .field("peers", &self.peers())
            .field("refused", &self.refused())
            .finish()
    }
}

impl<P: fmt::Debug> fmt::Debug for Limited<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Limited").field(&self.inner).finish()
    }
}
