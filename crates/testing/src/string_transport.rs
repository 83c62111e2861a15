use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Connection, Disconnect, Endpoint, Filter, Limits, Net, Peer, Protocol, Transport,
};

use torsade_deferred::pending::Watch;

use crate::FarEnd;
use crate::end::End;
use crate::ledger;
use crate::world::{self, World};

/// A connection whose other end is the test: what it feeds is received, what the protocol sends
/// is there to take.
///
/// Behind it runs the engine that runs on sockets, so flow control, half-close, the order of
/// callbacks and the close rules are the real ones. Every method first brings all test
/// transports of the thread to rest, so nothing needs to be waited for; time stands still until
/// [`advance`](Self::advance). What the peer does and sees are the methods of [`FarEnd`].
///
/// ```
/// use torsade_core::{Disconnect, Protocol, Transport};
/// use torsade_testing::StringTransport;
///
/// struct Greeter;
/// impl Protocol for Greeter {
///     fn data_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
///         transport.write_parts(&[b"hello, ", name]);
///         transport.close();
///     }
/// }
///
/// let mut t = StringTransport::serve(Greeter);
/// t.feed(b"world");
/// assert_eq!(t.take_sent(), b"hello, world");
/// assert_eq!(t.lost(), Some(Disconnect::Closed));
/// ```
///
/// # Panics
/// Dropping it fails the test if a panic was caught in user code, if a Deferred's error was taken
/// by nobody, or if, with the connection over, a timer is still armed that belongs to no
/// connection. Each says where it came from. [`expect_panic`](Self::expect_panic) and
/// [`expect_unhandled`](Self::expect_unhandled) announce what is meant to happen. All methods
/// panic when called from inside a callback.
#[doc(alias = "proto_helpers")]
#[doc(alias = "EmbeddedChannel")]
#[doc(alias = "StringTransportWithDisconnection")]
pub struct StringTransport<P: Protocol> {
    world: Rc<World>,
    far: FarEnd,
    connection: Connection,
    lost: Lost,
    protocol: PhantomData<fn(&mut P)>,
}

/// Filled when the connection is lost.
pub(crate) type Lost = Rc<RefCell<Option<Disconnect>>>;

/// How to make a [`StringTransport`] that differs from the usual.
///
/// ```
/// use torsade_core::{Limits, Protocol, Transport};
/// use torsade_testing::StringTransport;
///
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// let mut limits = Limits::default();
/// limits.unread = 100;
/// let t = StringTransport::builder().limits(limits).window(10).serve(Quiet);
/// assert_eq!(t.net().limits().unread, 100);
/// ```
pub struct Builder<P> {
    limits: Limits,
    peer: Peer,
    window: usize,
    endpoint: Endpoint,
    protocol: PhantomData<fn(P)>,
}

impl<P: Protocol> Builder<P> {
    /// Other bounds than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other addresses than loopback ones.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// Room for this many bytes of output in the fake kernel; no bound by default.
    #[must_use]
    pub fn window(mut self, bytes: usize) -> Self {
        self.window = bytes;
        self
    }

    /// Let the bytes pass through a filter, between those that were added before and the protocol:
    /// what is fed and what is taken are then the wire's bytes.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Filter, Protocol, Sides, Transport};
    /// # use torsade_testing::StringTransport;
    /// struct Not;
    /// impl Filter for Not {
    ///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
    ///         sides.plain().extend(wire.iter().map(|byte| !byte));
    ///         Ok(wire.len())
    ///     }
    ///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
    ///         sides.wire().extend(plain.iter().copied().flatten().map(|byte| !byte));
    ///         Ok(())
    ///     }
    /// }
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         assert_eq!(data, [0xff, 0x0f]);
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut t = StringTransport::builder().filter(|_| Not).serve(Echo);
    /// t.feed([0x00, 0xf0]);
    /// assert_eq!(t.take_sent(), [0x00, 0xf0]);
    /// ```
    #[must_use]
    pub fn filter<F: Filter>(mut self, make: impl Fn(&Peer) -> F + Send + Sync + 'static) -> Self {
        self.endpoint = self.endpoint.filter(make);
        self
    }

    /// A connection that was accepted: it is throttled, as those of a server are.
    ///
    /// # Panics
    /// If the [limits](Self::limits) allow no connection: `Limits::max_connections` is 0. What
    /// happens to those who come too many is seen with a
    /// [`MemoryReactor`](crate::MemoryReactor).
    #[track_caller]
    pub fn serve(self, protocol: P) -> StringTransport<P> {
        self.serve_with(|_| protocol)
    }

    /// Like [`serve`](Self::serve), for a protocol that needs the `Net` it will live on.
    ///
    /// # Panics
    /// For the same reason, also when `make` itself has used up what the limits allow.
    #[track_caller]
    pub fn serve_with(self, make: impl FnOnce(&Net) -> P) -> StringTransport<P> {
        let world = World::new(self.limits.clone());
        let protocol = make(world.net());
        self.serve_on(&world, protocol)
    }

    /// Like [`serve`](Self::serve), on the engine of others.
    #[track_caller]
    pub(crate) fn serve_on(self, world: &Rc<World>, protocol: P) -> StringTransport<P> {
        let end = Rc::new(End::new(self.window));
        let connection = world.accept(protocol, self.peer, &self.endpoint, &end);
        StringTransport::new(Rc::clone(world), end, connection)
    }

    /// A connection that was made to somewhere: it is not throttled.
    #[track_caller]
    pub fn connect(self, protocol: P) -> StringTransport<P> {
        self.connect_with(|_| protocol)
    }

    /// Like [`connect`](Self::connect), for a protocol that needs the `Net` it will live on.
    #[track_caller]
    pub fn connect_with(self, make: impl FnOnce(&Net) -> P) -> StringTransport<P> {
        let world = World::new(self.limits.clone());
        let protocol = make(world.net());
        self.connect_on(&world, protocol)
    }

    /// Like [`connect`](Self::connect), on the engine of others.
    #[track_caller]
    pub(crate) fn connect_on(self, world: &Rc<World>, protocol: P) -> StringTransport<P> {
        let end = Rc::new(End::new(self.window));
        let connection = world.connect(protocol, self.peer, &self.endpoint, &end);
        StringTransport::new(Rc::clone(world), end, connection)
    }
}

impl<P> fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limits", &self.limits)
            .field("peer", &self.peer)
            .field("window", &self.window)
            .finish()
    }
}

/// Making one.
impl<P: Protocol> StringTransport<P> {
    /// `protocol` on a connection that was accepted, as in a server.
    #[track_caller]
    pub fn serve(protocol: P) -> Self {
        Self::builder().serve(protocol)
    }

    /// `protocol` on a connection that it asked for, as in a client.
    #[track_caller]
    pub fn connect(protocol: P) -> Self {
        Self::builder().connect(protocol)
    }

    /// To change limits, addresses or the room for output.
    pub fn builder() -> Builder<P> {
        Builder {
            limits: Limits::default(),
            peer: world::default_peer(),
            window: usize::MAX,
            endpoint: Endpoint::default(),
            protocol: PhantomData,
        }
    }

    fn new(world: Rc<World>, end: Rc<End>, connection: Connection) -> Self {
        let lost = watch(&connection);
        let far = FarEnd::new(end, connection.peer().clone(), world.net().limits());
        world::settle();
        Self {
            world,
            far,
            connection,
            lost,
            protocol: PhantomData,
        }
    }
}

/// Time, and what can be seen. What the peer does and sees are the methods of [`FarEnd`].
impl<P: Protocol> StringTransport<P> {
    /// This much time passes, and everything that comes due runs at its moment.
    #[doc(alias = "Clock.advance")]
    #[doc(alias = "Clock.pump")]
    pub fn advance(&mut self, duration: Duration) {
        world::advance(duration);
    }

    /// Why the connection was lost, once it is.
    pub fn lost(&self) -> Option<Disconnect> {
        world::settle();
        self.lost.borrow().clone()
    }

    /// Look at the protocol, or change it.
    ///
    /// # Panics
    /// If the connection is over, so that the protocol is gone, or if another protocol was
    /// switched in.
    pub fn protocol<R>(&mut self, f: impl FnOnce(&mut P) -> R) -> R {
        self.with_protocol(|protocol, _| f(protocol))
    }

    /// Look at the protocol together with its transport, as inside a callback.
    ///
    /// # Panics
    /// If the connection is over, so that the protocol is gone, or if another protocol was
    /// switched in.
    pub fn with_protocol<R>(&mut self, f: impl FnOnce(&mut P, &Transport<P>) -> R) -> R {
        self.with_protocol_as(f)
    }

    /// Like [`with_protocol`](Self::with_protocol), for a protocol that was switched in.
    ///
    /// # Panics
    /// If the connection is over or its protocol is not a `Q`.
    pub fn with_protocol_as<Q: Protocol, R>(
        &mut self,
        f: impl FnOnce(&mut Q, &Transport<Q>) -> R,
    ) -> R {
        world::settle();
        let result = self.world.with_protocol(self.connection.id(), f);
        world::settle();
        match result {
            Some(result) => result,
            None => panic!(
                "the connection has no {}: it is over, or another protocol was switched in",
                std::any::type_name::<Q>()
            ),
        }
    }

    /// A handle of the connection, to do what somebody else in the program would.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What programs are written against. Connections to elsewhere are refused here.
    pub fn net(&self) -> &Net {
        self.world.net()
    }
}

/// What is meant to happen.
impl<P: Protocol> StringTransport<P> {
    /// A panic whose report contains this text is part of the test. The test fails if it does not
    /// happen.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// struct Fragile;
    /// impl Protocol for Fragile {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
    ///         panic!("that hurt");
    ///     }
    /// }
    /// let mut t = StringTransport::serve(Fragile);
    /// t.expect_panic("that hurt");
    /// t.feed(b"x");
    /// assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    /// ```
    pub fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    /// A Deferred error that nobody takes and whose report contains this text is part of the
    /// test. The test fails if it does not happen.
    #[doc(alias = "flushLoggedErrors")]
    pub fn expect_unhandled(&mut self, text: &str) {
        ledger::expect(text);
    }
}

/// What the peer does and sees: `feed`, `end`, `take_sent` and the like.
impl<P: Protocol> Deref for StringTransport<P> {
    type Target = FarEnd;

    fn deref(&self) -> &FarEnd {
        &self.far
    }
}

impl<P: Protocol> DerefMut for StringTransport<P> {
    fn deref_mut(&mut self) -> &mut FarEnd {
        &mut self.far
    }
}

impl<P: Protocol> Drop for StringTransport<P> {
    fn drop(&mut self) {
        finish_last(&self.world);
    }
}

/// A user of this world goes. If it is the last one, so does the world.
pub(crate) fn finish_last(world: &Rc<World>) {
    if Rc::strong_count(world) == 1 {
        finish(world);
    }
}

/// The end of a test transport: complain, unless the test fails already.
pub(crate) fn finish(world: &World) {
    if std::thread::panicking() {
        world.shut_down();
        return;
    }
    world::settle();
    let mut complaints = world.complaints();
    world.note_left();
    world.shut_down();
    // Losses at the end are callbacks too.
    complaints.extend(world.complaints());
    if !complaints.is_empty() {
        panic!(
            "the test transport saw what no assertion did:\n  {}",
            complaints.join("\n  ")
        );
    }
}

/// Note the reason when the connection is lost.
pub(crate) fn watch(connection: &Connection) -> Lost {
    let lost = Lost::default();
    let seat = Rc::clone(&lost);
    // A leak check is not to take it for the test's.
    let closed = Watch::unseen(|| connection.closed());
    closed.finish(move |reason| {
        *seat.borrow_mut() = reason.ok();
    });
    lost
}

impl<P: Protocol> fmt::Debug for StringTransport<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransport")
            .field("connection", &self.connection)
            .field("far_end", &self.far)
            .finish()
    }
}
