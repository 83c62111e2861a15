use std::cell::RefCell;
use std::rc::Rc;

use crate::link::Link;
use crate::stack::{Stack, stack};
use crate::{Address, Connection, Disconnect, Peer, Protocol};

/// Makes a protocol for each connection that a listener accepts, and holds what they share.
///
/// Most servers need only a closure: see [`factory`].
///
/// ```
/// use torsade_core::{Address, Disconnect, Factory, Peer, Protocol, Transport};
///
/// struct Greeter(u64);
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write(format!("you are number {}\n", self.0));
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// struct Counting {
///     made: u64,
/// }
/// impl Factory for Counting {
///     type Protocol = Greeter;
///     fn build(&mut self, peer: &Peer) -> Option<Greeter> {
///         if !peer.remote().is_local() {
///             return None; // strangers are refused
///         }
///         self.made += 1;
///         Some(Greeter(self.made))
///     }
/// }
///
/// let mut counting = Counting { made: 0 };
/// let near = Peer::new("127.0.0.1:50000".parse::<Address>()?, "127.0.0.1:8007".parse::<Address>()?);
/// assert_eq!(counting.build(&near).map(|greeter| greeter.0), Some(1));
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "ServerFactory")]
#[doc(alias = "protocol_factory")]
#[doc(alias = "IProtocolFactory")]
pub trait Factory: 'static {
    /// What it makes.
    type Protocol: Protocol;

    /// A protocol for this connection, or `None` to refuse it: the socket is closed and nothing
    /// else happens.
    #[doc(alias = "buildProtocol")]
    fn build(&mut self, peer: &Peer) -> Option<Self::Protocol>;

    /// The same, for a factory that chooses by more than addresses: by what the connection's filters
    /// [found out](Connection::fact), such as the protocol that TLS agreed upon. Called instead of
    /// [`build`](Self::build), which is what it does by default.
    ///
    /// What is written to the connection here leaves before what its protocol writes.
    #[doc(alias = "IProtocolNegotiationFactory")]
    fn build_for(&mut self, connection: &Connection) -> Option<Self::Protocol> {
        self.build(connection.peer())
    }

    /// The listener accepts connections on `address`.
    #[doc(alias = "startFactory")]
    #[doc(alias = "doStart")]
    fn started(&mut self, address: &Address) {
        let _ = address;
    }

    /// The listener is closed. Connections it made live on.
    #[doc(alias = "stopFactory")]
    #[doc(alias = "doStop")]
    fn stopped(&mut self) {}

    /// A connection was accepted, but could not be made: no protocol is there to be told. It is
    /// closed.
    ///
    /// | reason | what was wrong |
    /// |---|---|
    /// | `LimitPassed(Limit::Connections)` | the reactor has `Limits::max_connections` |
    /// | `Io(..)` | the system was out of descriptors, or refused to set the socket up |
    /// | `Panicked(..)` | [`build`](Self::build) panicked |
    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        let _ = (peer, reason);
    }
}

/// A factory from a closure that returns a protocol, or an `Option` of one to be able to refuse.
///
/// State that connections share is captured, usually as `Rc<RefCell<_>>`.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use torsade_core::{Address, Factory, Peer, Protocol, Transport, factory};
///
/// struct Numbered(u32);
/// impl Protocol for Numbered {
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let count = Rc::new(Cell::new(0));
/// let mut numbers = factory(move |_: &Peer| {
///     count.set(count.get() + 1);
///     Numbered(count.get())
/// });
/// let peer = Peer::new("127.0.0.1:50000".parse::<Address>()?, "127.0.0.1:8007".parse::<Address>()?);
/// numbers.build(&peer);
/// assert_eq!(numbers.build(&peer).map(|numbered| numbered.0), Some(2));
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "forProtocol")]
pub fn factory<B: Built>(
    build: impl FnMut(&Peer) -> B + 'static,
) -> impl Factory<Protocol = B::Protocol> {
    Closure(build)
}

/// A factory from a closure that is given the connection, and may ask it for what its filters
/// [found out](Connection::fact).
///
/// ```
/// use torsade_core::{Connection, Protocol, Transport, connection_factory};
///
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// /// Known when the connection's filters are ready, if one of them says so.
/// struct Spoken(&'static str);
///
/// let by_language = connection_factory(|connection: &Connection| {
///     match connection.fact::<Spoken>()?.0 {
///         "quiet" => Some(Quiet),
///         _ => None, // refused
///     }
/// });
/// # let _ = by_language;
/// ```
#[doc(alias = "IProtocolNegotiationFactory")]
pub fn connection_factory<B: Built>(
    build: impl FnMut(&Connection) -> B + 'static,
) -> impl Factory<Protocol = B::Protocol> {
    ByConnection(build)
}

/// What the closure of [`factory`] may return: a protocol, or an `Option` of one.
pub trait Built {
    /// The protocol.
    type Protocol: Protocol;

    /// The protocol, unless the connection is refused.
    fn built(self) -> Option<Self::Protocol>;
}

impl<P: Protocol> Built for P {
    type Protocol = P;

    fn built(self) -> Option<P> {
        Some(self)
    }
}

impl<P: Protocol> Built for Option<P> {
    type Protocol = P;

    fn built(self) -> Self {
        self
    }
}

struct ByConnection<F>(F);

impl<B: Built, F: FnMut(&Connection) -> B + 'static> Factory for ByConnection<F> {
    type Protocol = B::Protocol;

    /// Only the engine has connections, and it calls the other method.
    fn build(&mut self, _: &Peer) -> Option<B::Protocol> {
        None
    }

    fn build_for(&mut self, connection: &Connection) -> Option<B::Protocol> {
        (self.0)(connection).built()
    }
}

struct Closure<F>(F);

impl<B: Built, F: FnMut(&Peer) -> B + 'static> Factory for Closure<F> {
    type Protocol = B::Protocol;

    fn build(&mut self, peer: &Peer) -> Option<B::Protocol> {
        (self.0)(peer).built()
    }
}

/// A factory of any type.
///
/// The borrow of the factory lasts while it runs. Only the engine calls it, and callbacks do not
/// nest, so nothing can ask for it meanwhile.
pub(crate) trait AnyFactory {
    fn build(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>>;
    fn started(&self, address: &Address);
    fn stopped(&self);
    fn failed(&self, peer: &Peer, reason: &Disconnect);
}

impl<F: Factory> AnyFactory for RefCell<F> {
    fn build(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        let protocol = self.borrow_mut().build_for(&Connection(Rc::clone(link)))?;
        Some(stack(protocol, link, link.outermost()))
    }

    fn started(&self, address: &Address) {
        self.borrow_mut().started(address);
    }

    fn stopped(&self) {
        self.borrow_mut().stopped();
    }

    fn failed(&self, peer: &Peer, reason: &Disconnect) {
        self.borrow_mut().failed(peer, reason);
    }
}
