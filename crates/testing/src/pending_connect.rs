use std::fmt;
use std::io;
use std::rc::{Rc, Weak};

use torsade_core::Address;

use crate::FarEnd;
use crate::connects::Waiting;
use crate::end::End;
use crate::world::{self, World};

/// A connect that the program asked for and the test has not answered.
///
/// From [`MemoryReactor::pending_connects`](crate::MemoryReactor::pending_connects). Time may
/// answer it, too: after `Limits::connect_timeout` the attempt is over, and so is one that the
/// program cancels. Dropping this answers nothing.
///
/// ```
/// use std::io;
/// use torsade_core::{Address, ConnectError, Protocol, Transport};
/// use torsade_deferred::Failure;
/// use torsade_testing::MemoryReactor;
///
/// struct Greeting;
/// impl Protocol for Greeting {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let reactor = MemoryReactor::new();
/// let first = reactor.net().connect("192.0.2.1:80", Greeting);
/// reactor.next_connect().fail(io::ErrorKind::TimedOut);
/// let error = first.try_take().unwrap().map(drop);
/// assert!(matches!(error, Err(Failure::Error(ConnectError::Failed { .. }))));
///
/// let second = reactor.net().connect("192.0.2.1:80", Greeting);
/// let mut server = reactor.next_connect().succeed();
/// assert_eq!(server.take_sent(), b"hello");
/// assert!(second.try_take().unwrap().is_ok());
/// ```
#[doc(alias = "ConnectionCompleter")]
#[doc(alias = "connectableEndpoint")]
#[must_use = "a connect waits until it succeeds, fails, or its time is over"]
pub struct PendingConnect {
    world: Weak<World>,
    waiting: Waiting,
}

impl PendingConnect {
    pub(crate) fn new(world: &Rc<World>, waiting: Waiting) -> Self {
        Self {
            world: Rc::downgrade(world),
            waiting,
        }
    }

    /// Where to. Each address that a connect tries is a pending connect of its own, and several
    /// may wait at once.
    pub fn address(&self) -> &Address {
        &self.waiting.address
    }

    /// Where from, if the program said so with [`Endpoint::bind`](torsade_core::Endpoint::bind).
    pub fn local(&self) -> Option<&Address> {
        self.waiting.local.as_ref()
    }

    /// Whether it still waits: it was not cancelled, nor answered by somebody else, and its time
    /// is not over.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut reactor = MemoryReactor::new();
    /// let connecting = reactor.net().connect("192.0.2.1:80", Quiet);
    /// let pending = reactor.next_connect();
    /// reactor.advance(reactor.net().limits().connect_timeout);
    /// assert!(!pending.is_waiting());
    /// assert!(connecting.try_take().unwrap().is_err());
    /// ```
    pub fn is_waiting(&self) -> bool {
        world::settle();
        self.world.upgrade().is_some_and(|world| {
            let waiting = world.connects().waiting();
            waiting.iter().any(|it| it.attempt == self.waiting.attempt)
        })
    }

    /// It succeeds: the far end is the test's.
    ///
    /// # Panics
    /// If it does not [wait](Self::is_waiting) any more.
    #[doc(alias = "succeedOnce")]
    pub fn succeed(self) -> FarEnd {
        let world = self.take();
        let end = Rc::new(End::new(usize::MAX));
        let peer = world.succeed(self.waiting, &end);
        world::settle();
        FarEnd::new(end, peer, world.net().limits())
    }

    /// It fails. If the program named several addresses, the next one is tried: another connect
    /// waits then.
    ///
    /// # Panics
    /// If it does not [wait](Self::is_waiting) any more.
    #[doc(alias = "failOnce")]
    #[doc(alias = "RaisingMemoryReactor")]
    pub fn fail(self, kind: io::ErrorKind) {
        self.take().fail(self.waiting, kind);
        world::settle();
    }

    /// It goes to who listens at the address, as [`MemoryReactor::join`] has it for all.
    ///
    /// [`MemoryReactor::join`]: crate::MemoryReactor::join
    ///
    /// # Panics
    /// If it does not [wait](Self::is_waiting) any more.
    pub fn join(self) {
        self.take().join(self.waiting);
        world::settle();
    }

    fn take(&self) -> Rc<World> {
        world::settle();
        let world = self.world.upgrade();
        match world.filter(|world| world.connects().take(self.waiting.attempt)) {
            Some(world) => world,
            None => panic!(
                "the connect to {} does not wait any more: it was answered or cancelled, or its \
                 time is over",
                self.waiting.address
            ),
        }
    }
}

impl fmt::Debug for PendingConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingConnect")
            .field("address", &self.waiting.address)
            .finish()
    }
}
