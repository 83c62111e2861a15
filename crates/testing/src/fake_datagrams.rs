use std::fmt;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Address, DatagramAddress, DatagramPort, DatagramProtocol, DatagramTransport, Limits,
    ListenError, Net, UnixAddress,
};

use crate::ledger;
use crate::sockets::Captured;
use crate::string_transport::finish_last;
use crate::world::{self, World};

/// A datagram port whose other side is the test: what it feeds is received, what the protocol
/// sends is there to take.
///
/// Behind it runs the engine that runs on sockets, as behind a
/// [`StringTransport`](crate::StringTransport), and the same rules hold: every method first brings
/// everything to rest, and time stands still until [`advance`](Self::advance).
///
/// ```
/// use std::net::SocketAddr;
/// use torsade_core::{DatagramProtocol, DatagramTransport};
/// use torsade_testing::FakeDatagrams;
///
/// /// Says how long each datagram is.
/// struct Lengths;
/// impl DatagramProtocol for Lengths {
///     fn datagram_received(
///         &mut self,
///         transport: &DatagramTransport<Self>,
///         data: &[u8],
///         from: &SocketAddr,
///     ) {
///         transport.send_to(data.len().to_string(), from);
///     }
/// }
///
/// let ann = "192.0.2.1:4000".parse().unwrap();
/// let mut port = FakeDatagrams::bind(Lengths);
/// port.feed(ann, b"hello");
/// port.feed(ann, b"");
/// assert_eq!(port.take_sent(), [(ann, b"5".to_vec()), (ann, b"0".to_vec())]);
/// ```
///
/// # Panics
/// Dropping it fails the test as dropping a `StringTransport` does: if a panic was caught in user
/// code, or a Deferred's error was taken by nobody. All methods panic when called from inside a
/// callback.
#[doc(alias = "FakeDatagramTransport")]
pub struct FakeDatagrams<P: DatagramProtocol<A>, A: DatagramAddress = SocketAddr> {
    world: Rc<World>,
    captured: Captured,
    port: DatagramPort<A>,
    protocol: PhantomData<fn(&mut P)>,
}

/// Making one.
impl<P: DatagramProtocol> FakeDatagrams<P> {
    /// A port at 127.0.0.1:8007.
    #[track_caller]
    pub fn bind(protocol: P) -> Self {
        Self::with_limits(Limits::default(), protocol)
    }

    /// A port with other bounds than the default ones.
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// # use torsade_core::{DatagramError, DatagramProtocol, DatagramTransport};
    /// use torsade_core::Limits;
    /// use torsade_testing::FakeDatagrams;
    ///
    /// # struct Careful(usize);
    /// # impl DatagramProtocol for Careful {
    /// #     fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {}
    /// #     fn error_received(&mut self, _: &DatagramTransport<Self>, error: &DatagramError) {
    /// #         if let DatagramError::Truncated { length, .. } = error { self.0 = *length; }
    /// #     }
    /// # }
    /// let mut limits = Limits::default();
    /// limits.datagram = 3;
    /// let mut port = FakeDatagrams::with_limits(limits, Careful(0));
    /// port.feed("192.0.2.1:4000".parse().unwrap(), b"hello");
    /// assert_eq!(port.protocol(|careful| careful.0), 5); // it was told of a truncated one
    /// ```
    ///
    /// # Panics
    /// Inside a callback.
    #[track_caller]
    pub fn with_limits(limits: Limits, protocol: P) -> Self {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 8007));
        Self::of(limits, |net| net.bind(at, protocol))
    }
}

/// Making one of a Unix socket.
impl<P: DatagramProtocol<UnixAddress>> FakeDatagrams<P, UnixAddress> {
    /// A port that is the Unix socket `/run/fake.socket`.
    ///
    /// ```
    /// use torsade_core::{DatagramProtocol, DatagramTransport, UnixAddress};
    /// use torsade_testing::FakeDatagrams;
    ///
    /// struct Echo;
    /// impl DatagramProtocol<UnixAddress> for Echo {
    ///     fn datagram_received(
    ///         &mut self,
    ///         transport: &DatagramTransport<Self, UnixAddress>,
    ///         data: &[u8],
    ///         from: &UnixAddress,
    ///     ) {
    ///         transport.send_to(data, from);
    ///     }
    /// }
    ///
    /// let ann = UnixAddress::path("/run/ann");
    /// let mut port = FakeDatagrams::bind_unix(Echo);
    /// port.feed(ann.clone(), b"hello");
    /// assert_eq!(port.take_sent(), [(ann, b"hello".to_vec())]);
    /// ```
    #[track_caller]
    pub fn bind_unix(protocol: P) -> Self {
        let at = UnixAddress::path("/run/fake.socket");
        Self::of(Limits::default(), |net| net.bind_unix(at, protocol))
    }
}

impl<P: DatagramProtocol<A>, A: DatagramAddress> FakeDatagrams<P, A> {
    #[track_caller]
    fn of(
        limits: Limits,
        bind: impl FnOnce(&Net) -> Result<DatagramTransport<P, A>, ListenError>,
    ) -> Self {
        let world = World::new(limits);
        let captured = world.network().capture();
        let port = match bind(world.net()) {
            Ok(transport) => transport.port(),
            Err(error) => panic!("a fake can be bound: {error}"),
        };
        world::settle();
        Self {
            world,
            captured,
            port,
            protocol: PhantomData,
        }
    }
}

/// What others do and see.
impl<P: DatagramProtocol<A>, A: DatagramAddress> FakeDatagrams<P, A> {
    /// A datagram comes.
    #[doc(alias = "datagramReceived")]
    pub fn feed(&mut self, from: A, data: impl AsRef<[u8]>) {
        world::settle();
        if let Some(socket) = self.world.network().socket(self.port.id()) {
            socket.arrive(from.into(), data.as_ref());
        }
        world::settle();
    }

    /// Several come at once: the driver finds them together.
    pub fn feed_all(&mut self, from: A, datagrams: &[impl AsRef<[u8]>]) {
        world::settle();
        if let Some(socket) = self.world.network().socket(self.port.id()) {
            let from: Address = from.into();
            for data in datagrams {
                socket.arrive(from.clone(), data.as_ref());
            }
        }
        world::settle();
    }

    /// What was sent, and to whom, since this was asked last.
    #[doc(alias = "written")]
    pub fn take_sent(&mut self) -> Vec<(A, Vec<u8>)> {
        world::settle();
        let sent = self.captured.sent.take().into_iter();
        sent.filter_map(|(to, data)| Some((A::of(&to)?.clone(), data)))
            .collect()
    }

    /// The system reports something of a datagram that was sent earlier.
    #[doc(alias = "connectionRefused")]
    pub fn report(&mut self, error: ErrorKind) {
        world::settle();
        if let Some(socket) = self.world.network().socket(self.port.id()) {
            socket.report(error);
        }
        world::settle();
    }

    /// The next datagram that is sent is refused by the system.
    pub fn refuse_next(&mut self, error: ErrorKind) {
        world::settle();
        self.captured.failures.borrow_mut().push_back(error);
    }

    /// The system takes so many more datagrams and then has no room; `None` is no bound.
    pub fn set_window(&mut self, datagrams: Option<usize>) {
        world::settle();
        self.captured.room.set(datagrams);
        world::settle();
    }
}

/// Time, and what can be seen.
impl<P: DatagramProtocol<A>, A: DatagramAddress> FakeDatagrams<P, A> {
    /// This much time passes, and everything that comes due runs at its moment.
    #[doc(alias = "Clock.advance")]
    pub fn advance(&mut self, duration: Duration) {
        world::advance(duration);
    }

    /// Whether `stopped` has been called.
    pub fn has_stopped(&self) -> bool {
        world::settle();
        self.world.network().socket(self.port.id()).is_none() && !self.port.is_open()
    }

    /// Look at the protocol, or change it.
    ///
    /// # Panics
    /// If the port has stopped, so that the protocol is gone.
    pub fn protocol<R>(&mut self, f: impl FnOnce(&mut P) -> R) -> R {
        self.with_protocol(|protocol, _| f(protocol))
    }

    /// Look at the protocol together with its transport, as inside a callback.
    ///
    /// # Panics
    /// If the port has stopped, so that the protocol is gone.
    pub fn with_protocol<R>(&mut self, f: impl FnOnce(&mut P, &DatagramTransport<P, A>) -> R) -> R {
        world::settle();
        let result = self.world.with_datagram_protocol(self.port.id(), f);
        world::settle();
        match result {
            Some(result) => result,
            None => panic!("the port has stopped, and its protocol is gone"),
        }
    }

    /// A handle of the port, to do what somebody else in the program would.
    pub fn port(&self) -> &DatagramPort<A> {
        &self.port
    }

    /// What programs are written against.
    pub fn net(&self) -> &Net {
        self.world.net()
    }

    /// A panic whose report contains this text is part of the test. The test fails if it does not
    /// happen.
    pub fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }

    /// A Deferred error that nobody takes and whose report contains this text is part of the
    /// test. The test fails if it does not happen.
    pub fn expect_unhandled(&mut self, text: &str) {
        ledger::expect(text);
    }
}

impl<P: DatagramProtocol<A>, A: DatagramAddress> Drop for FakeDatagrams<P, A> {
    fn drop(&mut self) {
        finish_last(&self.world);
    }
}

impl<P, A> fmt::Debug for FakeDatagrams<P, A>
where
    P: DatagramProtocol<A>,
    A: DatagramAddress + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeDatagrams")
            .field("port", &self.port)
            .finish()
    }
}
