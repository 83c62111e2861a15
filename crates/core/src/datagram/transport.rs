use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Failure};

use super::port::Port;
use super::{DatagramAddress, DatagramPort};
use crate::layer::Place;
use crate::{Timer, continuation};

/// A datagram port as its protocol sees it: sends, closes, and runs things later with `&mut self`.
///
/// A cheap clone, 8 bytes; all methods take `&self`. What does not need to know the protocol is on
/// [`DatagramPort`], which this dereferences to.
///
/// ```
/// use std::net::SocketAddr;
/// use std::time::Duration;
/// use torsade_core::{DatagramProtocol, DatagramTransport};
/// use torsade_testing::FakeDatagrams;
///
/// /// Tells a neighbour every minute that it is there, and how many it has heard of.
/// struct Beacon {
///     neighbour: SocketAddr,
///     heard: usize,
/// }
///
/// impl Beacon {
///     fn tell(&mut self, transport: &DatagramTransport<Self>) {
///         transport.send_to(format!("here, {} heard", self.heard), &self.neighbour);
///         transport.call_later(Duration::from_secs(60), Self::tell);
///     }
/// }
///
/// impl DatagramProtocol for Beacon {
///     fn started(&mut self, transport: &DatagramTransport<Self>) {
///         self.tell(transport);
///     }
///     fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {
///         self.heard += 1;
///     }
/// }
///
/// let neighbour = "192.0.2.1:4000".parse().unwrap();
/// let mut port = FakeDatagrams::bind(Beacon { neighbour, heard: 0 });
/// port.feed(neighbour, b"here");
/// port.take_sent();
/// port.advance(Duration::from_secs(60));
/// assert_eq!(port.take_sent(), [(neighbour, b"here, 1 heard".to_vec())]);
/// ```
#[doc(alias = "IUDPTransport")]
#[doc(alias = "IMulticastTransport")]
pub struct DatagramTransport<P, A = SocketAddr> {
    port: DatagramPort<A>,
    protocol: PhantomData<fn(&mut P)>,
}

impl<P, A> DatagramTransport<P, A> {
    pub(crate) fn new(port: Rc<Port>) -> Self {
        Self {
            port: DatagramPort::new(port),
            protocol: PhantomData,
        }
    }

    /// The untyped part, for those who do not know the protocol.
    pub fn port(&self) -> DatagramPort<A> {
        self.port.clone()
    }
}

impl<P: 'static, A: 'static> DatagramTransport<P, A> {
    /// Run `f` on the protocol when the result of `deferred` is there.
    ///
    /// If the port is closed first, `deferred` is cancelled and `f` dropped unrun (contract C16).
    /// Datagrams go on arriving meanwhile.
    #[doc(alias = "addCallbacks")]
    pub fn then<T: 'static, E: 'static>(
        &self,
        deferred: Deferred<T, E>,
        f: impl FnOnce(&mut P, &Self, Result<T, Failure<E>>) + 'static,
    ) {
        let f = |protocol: &mut P, port: &PortOf<P>, result| f(protocol, &port.typed(), result);
        continuation::then(&self.port.port, Place::default(), deferred, false, f);
    }

    /// Run `f` on the protocol when the current callback has returned, before the next datagram.
    #[doc(alias = "call_soon")]
    pub fn call(&self, f: impl FnOnce(&mut P, &Self) + 'static) {
        let f = |protocol: &mut P, port: &PortOf<P>| f(protocol, &port.typed());
        continuation::call(&self.port.port, Place::default(), f);
    }

    /// Run `f` on the protocol after this long. Ends with the port.
    #[doc(alias = "callLater")]
    pub fn call_later(&self, after: Duration, f: impl FnOnce(&mut P, &Self) + 'static) -> Timer {
        let f = |protocol: &mut P, port: &PortOf<P>| f(protocol, &port.typed());
        continuation::call_later(&self.port.port, Place::default(), after, f)
    }
}

/// What continuations are given: it does not know of what kind the addresses are.
pub(crate) struct PortOf<P> {
    port: Rc<Port>,
    protocol: PhantomData<fn(&mut P)>,
}

impl<P> PortOf<P> {
    pub(super) fn new(port: &Rc<Port>) -> Self {
        Self {
            port: Rc::clone(port),
            protocol: PhantomData,
        }
    }

    /// The same, of the kind that the port is.
    fn typed<A>(&self) -> DatagramTransport<P, A> {
        DatagramTransport::new(Rc::clone(&self.port))
    }
}

impl<P, A> Deref for DatagramTransport<P, A> {
    type Target = DatagramPort<A>;

    fn deref(&self) -> &DatagramPort<A> {
        &self.port
    }
}

impl<P, A> Clone for DatagramTransport<P, A> {
    fn clone(&self) -> Self {
        Self::new(Rc::clone(&self.port.port))
    }
}

impl<P, A> PartialEq for DatagramTransport<P, A> {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port
    }
}

impl<P, A> Eq for DatagramTransport<P, A> {}

impl<P, A> Hash for DatagramTransport<P, A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.port.hash(state);
    }
}

impl<P, A: DatagramAddress + fmt::Debug> fmt::Debug for DatagramTransport<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatagramTransport")
            .field(&self.port)
            .finish()
    }
}
