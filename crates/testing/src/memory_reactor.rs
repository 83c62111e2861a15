use std::fmt;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::driver::signalled;
use torsade_core::{Address, Credentials, Limits, Net, Peer, Place, Signal, ToEndpoint};
use torsade_deferred::{Deferred, Failure};

use crate::connects::Policy;
use crate::end::End;
use crate::ledger;
use crate::network::Queued;
use crate::string_transport::finish;
use crate::world::{self, World};
use crate::{FakeProcess, FarEnd, PendingConnect};

/// A reactor without a system: it gives a [`Net`], and the test is everybody else.
///
/// For whole programs: functions like `fn serve(net: &Net)` that listen, connect, set timers and
/// post calls. Who comes to a listener is [dialled](Self::dial) by the test, and what the program
/// connects to waits until the test [answers](Self::pending_connects). For a single protocol a
/// [`StringTransport`](crate::StringTransport) is shorter.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{ListenError, Listener, Net, Protocol, Transport, factory};
/// use torsade_testing::MemoryReactor;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// /// The program: an echo server that closes after a minute.
/// fn serve(net: &Net) -> Result<(), ListenError> {
///     let listener = net.listen("0.0.0.0:8007", factory(|_| Echo))?;
///     net.call_later(Duration::from_secs(60), move |_| listener.close());
///     Ok(())
/// }
///
/// let mut reactor = MemoryReactor::new();
/// serve(reactor.net())?;
/// assert_eq!(reactor.listening()[0].to_string(), "0.0.0.0:8007");
///
/// let mut ann = reactor.dial("127.0.0.1:8007");
/// ann.feed("hello");
/// assert_eq!(ann.take_sent(), b"hello");
///
/// reactor.advance(Duration::from_secs(60)); // at once
/// assert!(reactor.listening().is_empty());
/// # Ok::<(), ListenError>(())
/// ```
///
/// # One machine
/// The memory reactors of a thread, like programs on one machine, share its clock and its
/// addresses: an address has one listener, and a client in one reactor can be
/// [joined](Self::join) to a server in another. The engine behind them is the one that runs on
/// sockets, so `Limits::max_connections`, filters of an [`Endpoint`](torsade_core::Endpoint) and
/// stopping are the real ones.
///
/// # Panics
/// Dropping it fails the test if a panic was caught in user code, if a Deferred's error was taken
/// by nobody, or if, with no connection, listener or pending connect left, a timer is still armed
/// that belongs to no connection. [`expect_panic`](Self::expect_panic) and
/// [`expect_unhandled`](Self::expect_unhandled) announce what is meant to happen. All methods
/// panic when called from inside a callback.
#[doc(alias = "MemoryReactorClock")]
#[doc(alias = "proto_helpers")]
pub struct MemoryReactor {
    world: Rc<World>,
}

impl Default for MemoryReactor {
    fn default() -> Self {
        Self::new()
    }
}

/// Making one.
impl MemoryReactor {
    /// A reactor on which nothing happens but what the test does. Its connects wait for the test.
    ///
    /// ```
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// assert_eq!(reactor.net().connections(), 0);
    /// ```
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// Like [`new`](Self::new), with other bounds than the default ones.
    ///
    /// ```
    /// use torsade_core::{Limits, Protocol, Transport, factory};
    /// use torsade_testing::MemoryReactor;
    ///
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut limits = Limits::default();
    /// limits.max_connections = 1;
    /// let reactor = MemoryReactor::with_limits(limits);
    /// reactor.net().listen("127.0.0.1:8007", factory(|_| Quiet))?;
    /// let first = reactor.dial("127.0.0.1:8007");
    /// let second = reactor.dial("127.0.0.1:8007");
    /// assert!(!first.has_ended() && second.has_ended());
    /// assert_eq!(reactor.net().shed(), 1);
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    pub fn with_limits(limits: Limits) -> Self {
        let world = World::new(limits);
        world.connects().set_policy(Policy::Waiting);
        Self { world }
    }

    /// Between joined ends, each of the four queues, one out and one in on each side, holds at
    /// most this many bytes; 64 KiB by default. For those that are joined from now on.
    #[must_use]
    pub fn queue(self, bytes: usize) -> Self {
        self.world.connects().set_queue(bytes);
        self
    }

    /// Between joined ends, bytes arrive in segments of at most this many; 1 is byte by byte. For
    /// those that are joined from now on.
    ///
    /// # Panics
    /// If `bytes` is 0.
    #[must_use]
    pub fn segment(self, bytes: usize) -> Self {
        assert!(bytes > 0, "a segment holds at least one byte");
        self.world.connects().set_segment(bytes);
        self
    }
}

/// The program, and time.
impl MemoryReactor {
    /// What programs are written against.
    pub fn net(&self) -> &Net {
        self.world.net()
    }

    /// Do everything that is to be done now. The other methods do that, too; this one is for what
    /// nobody asks about, like a call that another thread has posted.
    ///
    /// ```
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// let remote = reactor.net().remote();
    /// let poster = std::thread::spawn(move || remote.post(|net| net.stop()));
    /// poster.join().unwrap()?;
    /// reactor.settle();
    /// assert!(reactor.has_stopped());
    /// # Ok::<(), torsade_core::Gone>(())
    /// ```
    pub fn settle(&self) {
        world::settle();
    }

    /// This signal comes to the program's process. Returns whether the program hears it, by
    /// [`Net::on_signal`]; if not, who knows what the system would do.
    ///
    /// ```
    /// use torsade_core::Signal;
    /// use torsade_testing::MemoryReactor;
    ///
    /// let reactor = MemoryReactor::new();
    /// let watch = reactor.net().on_signal(Signal::Usr1, |net| net.stop())?;
    /// assert!(reactor.raise(Signal::Usr1));
    /// assert!(reactor.has_stopped());
    /// # drop(watch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn raise(&self, signal: Signal) -> bool {
        let is_heard = signalled(self.net(), signal);
        self.settle();
        is_heard
    }

    /// This much time passes, on the whole thread, and everything that comes due runs at its
    /// moment.
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc, time::Duration};
    /// # use torsade_testing::MemoryReactor;
    /// let mut reactor = MemoryReactor::new();
    /// let rang = Rc::new(Cell::new(None));
    /// let bell = Rc::clone(&rang);
    /// let start = reactor.net().now();
    /// reactor.net().call_later(Duration::from_secs(3), move |net| bell.set(Some(net.now())));
    /// reactor.advance(Duration::from_secs(10));
    /// assert_eq!(rang.get(), Some(start + Duration::from_secs(3)));
    /// ```
    #[doc(alias = "Clock.advance")]
    pub fn advance(&mut self, duration: Duration) {
        world::advance(duration);
    }

    /// Run a coroutine of the program, as a task, until it has ended, and give what it ends with.
    /// While it waits for time, time passes: at once, from one timer to the next.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_futures::sleep;
    /// use torsade_testing::MemoryReactor;
    ///
    /// let mut reactor = MemoryReactor::new();
    /// let net = reactor.net().clone();
    /// let answer = reactor.block_on(async move {
    ///     sleep(&net, Duration::from_secs(7_500_000 * 31_556_952)).await;
    ///     42
    /// });
    /// assert_eq!(answer, 42);
    /// ```
    ///
    /// # Panics
    /// With the coroutine's panic, if it panics. If it waits for something that never comes: nothing
    /// is left to do, no timer is armed. If a stop is complete before it has ended.
    #[doc(alias = "run_until_complete")]
    #[doc(alias = "inlineCallbacks")]
    pub fn block_on<F: Future + 'static>(&mut self, future: F) -> F::Output {
        let task = torsade_futures::spawn(self.net(), future);
        match self.run_until(task.into_deferred()) {
            Ok(output) => output,
            Err(Failure::Panicked(panic)) => panic!("{}", panic.message()),
            Err(_) => panic!("the reactor stopped before the coroutine had ended"),
        }
    }

    /// Let time pass until `deferred` has a result, and give that.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_deferred::Deferred;
    ///
    /// let mut reactor = torsade_testing::MemoryReactor::new();
    /// let (resolver, tea) = Deferred::<_, ()>::new();
    /// reactor.net().call_later(Duration::from_secs(180), |_| resolver.resolve("tea"));
    /// assert_eq!(reactor.run_until(tea), Ok("tea"));
    /// ```
    ///
    /// # Errors
    /// The Deferred's own.
    ///
    /// # Panics
    /// If the result never comes: nothing is left to do, no timer is armed.
    pub fn run_until<T: 'static, E: 'static>(
        &mut self,
        deferred: Deferred<T, E>,
    ) -> Result<T, Failure<E>> {
        let mut waiting = Some(deferred);
        world::advance_until(|| match waiting.take()?.try_take() {
            Ok(result) => Some(result),
            Err(deferred) => {
                waiting = Some(deferred);
                None
            }
        })
    }

    /// Whether a [`Net::stop`] has been completed: a real reactor's `run` would have returned.
    #[doc(alias = "hasStopped")]
    pub fn has_stopped(&self) -> bool {
        world::settle();
        self.world.has_stopped()
    }
}

/// Who comes to the program's listeners.
impl MemoryReactor {
    /// Where the program listens, in the order in which it began to.
    #[doc(alias = "tcpServers")]
    pub fn listening(&self) -> Vec<Address> {
        world::settle();
        self.world.network().listening()
    }

    /// Where the program has datagram ports, in the order in which it bound them. What sends
    /// there in a test is a [`FarPort`](crate::FarPort).
    #[doc(alias = "udpPorts")]
    pub fn datagram_ports(&self) -> Vec<Address> {
        world::settle();
        let sockets = self.world.network().sockets();
        sockets.iter().map(|it| it.local().clone()).collect()
    }

    /// Somebody connects to a listener of this reactor, from a loopback address.
    ///
    /// Like a kernel, it connects at once and lets the listener accept later: if there is no place
    /// (`Limits::max_connections`), the far end waits, or sees an end. Of an address that stands
    /// for several, the first that somebody listens on is taken, and a listener on every address
    /// (`0.0.0.0`) is reached at each.
    ///
    /// # Panics
    /// If nobody listens there.
    #[doc(alias = "accept")]
    pub fn dial(&self, to: impl ToEndpoint) -> FarEnd {
        self.dial_as(None, None, to)
    }

    /// Like [`dial`](Self::dial) to a Unix socket, by this user: for what depends on who it is.
    ///
    /// ```
    /// use torsade_core::{Credentials, Peer, Protocol, Transport, UnixAddress, factory};
    /// use torsade_testing::MemoryReactor;
    ///
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let is_root = |peer: &Peer| peer.credentials().is_some_and(|who| who.uid == 0);
    /// let reactor = MemoryReactor::new();
    /// let factory = factory(move |peer: &Peer| is_root(peer).then_some(Quiet));
    /// reactor.net().listen(UnixAddress::path("/run/a"), factory)?;
    /// let (root, ann) = (Credentials::new(0, 0, None), Credentials::new(1000, 1000, None));
    /// assert!(!reactor.dial_with(root, UnixAddress::path("/run/a")).has_ended());
    /// assert!(reactor.dial_with(ann, UnixAddress::path("/run/a")).has_ended());
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    ///
    /// # Panics
    /// If nobody listens there.
    pub fn dial_with(&self, credentials: Credentials, to: impl ToEndpoint) -> FarEnd {
        self.dial_as(None, Some(credentials), to)
    }

    /// Like [`dial`](Self::dial), from a given address: for what depends on who it is.
    ///
    /// ```
    /// use torsade_core::{Peer, Protocol, Transport, factory};
    /// use torsade_testing::MemoryReactor;
    ///
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let reactor = MemoryReactor::new();
    /// // Only for those of this machine.
    /// let factory = factory(|peer: &Peer| peer.remote().is_local().then_some(Quiet));
    /// reactor.net().listen("0.0.0.0:8007", factory)?;
    /// assert!(!reactor.dial("127.0.0.1:8007").has_ended());
    /// let stranger: std::net::SocketAddr = "192.0.2.1:1234".parse().unwrap();
    /// assert!(reactor.dial_from(stranger, "192.0.2.2:8007").has_ended());
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    ///
    /// # Panics
    /// If nobody listens there.
    pub fn dial_from(&self, from: impl Into<Address>, to: impl ToEndpoint) -> FarEnd {
        self.dial_as(Some(from.into()), None, to)
    }

    fn dial_as(
        &self,
        from: Option<Address>,
        credentials: Option<Credentials>,
        to: impl ToEndpoint,
    ) -> FarEnd {
        world::settle();
        let places = match to.to_endpoint() {
            Ok(endpoint) => endpoint.places().to_vec(),
            Err(error) => panic!("nobody can be dialled there: {error}"),
        };
        let network = self.world.network();
        let mut addresses = places.iter().filter_map(Place::address);
        let found =
            addresses.find_map(|address| Some((address.clone(), network.listener_at(address)?)));
        let Some((address, listener)) = found else {
            let places: Vec<_> = places.iter().map(Place::to_string).collect();
            panic!("nobody listens on {}", places.join(", "));
        };
        let end = Rc::new(End::new(usize::MAX));
        let from = from.unwrap_or_else(|| network.visitor_of(&address));
        let mut peer = Peer::new(from, address);
        if let Some(credentials) = credentials {
            peer = peer.with_credentials(credentials);
        }
        network.queue(Queued {
            listener,
            end: Rc::clone(&end),
            peer: peer.clone(),
        });
        world::settle();
        FarEnd::new(end, peer, self.net().limits())
    }
}

/// What the program connects to.
impl MemoryReactor {
    /// The connects that wait for an answer, the oldest first.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let reactor = MemoryReactor::new();
    /// let attempt = reactor.net().connect("192.0.2.1:80", Quiet);
    /// assert_eq!(reactor.pending_connects().len(), 1);
    /// attempt.cancel();
    /// assert_eq!(reactor.pending_connects().len(), 0);
    /// ```
    #[doc(alias = "tcpClients")]
    pub fn pending_connects(&self) -> Vec<PendingConnect> {
        world::settle();
        let waiting = self.world.connects().waiting();
        let pending = |waiting| PendingConnect::new(&self.world, waiting);
        waiting.into_iter().map(pending).collect()
    }

    /// From now on this name has these addresses. Others are not known, unless the program has a
    /// [resolver](Net::set_resolver) of its own: with one a test makes look-ups that take long.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let reactor = MemoryReactor::new();
    /// reactor.name("db", ["192.0.2.7".parse().unwrap()]);
    /// let connecting = reactor.net().connect("db:5432", Quiet);
    /// assert_eq!(reactor.next_connect().address().to_string(), "192.0.2.7:5432");
    /// # connecting.cancel();
    /// ```
    pub fn name(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.world.name(name, addresses.into_iter().collect());
    }

    /// The oldest of the connects that wait.
    ///
    /// # Panics
    /// If there is none.
    pub fn next_connect(&self) -> PendingConnect {
        match self.pending_connects().into_iter().next() {
            Some(pending) => pending,
            None => panic!("the program waits for no connect"),
        }
    }

    /// Every address that the program has tried to connect to, in order.
    ///
    /// ```
    /// # use std::io;
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let reactor = MemoryReactor::new();
    /// let attempt = reactor.net().connect("localhost:80", Quiet);
    /// reactor.next_connect().fail(io::ErrorKind::ConnectionRefused);
    /// let tried = reactor.connects().iter().map(|it| it.to_string()).collect::<Vec<_>>();
    /// assert_eq!(tried, ["127.0.0.1:80", "[::1]:80"]);
    /// # attempt.cancel();
    /// ```
    pub fn connects(&self) -> Vec<Address> {
        world::settle();
        self.world.connects().tried()
    }

    /// From now on connects go where they would on one machine: to the listener of any memory
    /// reactor of this thread, and where nobody listens they are refused. Those that wait go, too.
    ///
    /// Bytes between such ends move by themselves, through finite queues as between those of a
    /// [`Pump`](crate::Pump). A single connect is joined with [`PendingConnect::join`].
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport, factory};
    /// use torsade_testing::MemoryReactor;
    ///
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// struct Client;
    /// impl Protocol for Client {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         transport.write("hello");
    ///     }
    ///     fn data_received(&mut self, transport: &Transport<Self>, answer: &[u8]) {
    ///         assert_eq!(answer, b"hello");
    ///         transport.close();
    ///     }
    /// }
    ///
    /// let (server, client) = (MemoryReactor::new(), MemoryReactor::new());
    /// server.net().listen("127.0.0.1:8007", factory(|_| Echo))?;
    /// client.join();
    /// let transport = client.net().connect("127.0.0.1:8007", Client);
    /// client.settle();
    /// let transport = transport.try_take().unwrap().unwrap();
    /// assert_eq!(transport.bytes_received(), 5);
    /// assert_eq!((client.net().connections(), server.net().connections()), (0, 0));
    /// # Ok::<(), torsade_core::ListenError>(())
    /// ```
    #[doc(alias = "loopback")]
    pub fn join(&self) {
        world::settle();
        self.world.connects().set_policy(Policy::Joined);
        for pending in self.pending_connects() {
            // What one of them leads to may have answered another.
            if pending.is_waiting() {
                pending.join();
            }
        }
    }
}

/// The processes that the program runs.
impl MemoryReactor {
    /// The oldest process that the program has spawned and the test has not asked for yet. The test
    /// is the program that runs in it.
    ///
    /// ```
    /// use torsade_core::{Command, ExitStatus};
    /// use torsade_testing::MemoryReactor;
    ///
    /// let reactor = MemoryReactor::new();
    /// let date = reactor.net().get_process_output(&Command::new("date").arg("-u"));
    /// let mut process = reactor.next_process();
    /// assert_eq!(process.command().arguments(), ["-u"]);
    /// process.feed("Thu Jan  1 00:00:00 UTC 1970\n");
    /// process.exit(ExitStatus::Code(0));
    /// assert_eq!(date.try_take().unwrap().unwrap(), b"Thu Jan  1 00:00:00 UTC 1970\n");
    /// ```
    ///
    /// # Panics
    /// If there is none.
    pub fn next_process(&self) -> FakeProcess {
        world::settle();
        match self.world.programs().next() {
            Some(started) => FakeProcess::new(started, self.net().limits()),
            None => panic!("the program has spawned no process that was not asked for yet"),
        }
    }

    /// From now on no process can be spawned, for this reason.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use torsade_core::{Command, ProcessProtocol, SpawnError};
    /// # struct Quiet;
    /// # impl ProcessProtocol for Quiet {}
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// reactor.refuse_processes(ErrorKind::NotFound);
    /// let refused = reactor.net().spawn_process(&Command::new("sort"), Quiet);
    /// assert!(matches!(refused, Err(SpawnError::NotFound { .. })));
    /// ```
    pub fn refuse_processes(&self, kind: io::ErrorKind) {
        self.world.programs().refuse(kind);
    }
}

/// What is meant to happen.
impl MemoryReactor {
    /// A panic whose report contains this text is part of the test. The test fails if it does not
    /// happen.
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

impl Drop for MemoryReactor {
    fn drop(&mut self) {
        finish(&self.world);
    }
}

impl fmt::Debug for MemoryReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReactor")
            .field("net", self.net())
            .field("listening", &self.world.network().listening())
            .field("pending", &self.world.connects().waiting().len())
            .finish()
    }
}
