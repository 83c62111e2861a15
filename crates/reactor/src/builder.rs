use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use torsade_core::{Limits, Net, ResolveError, Time};
use torsade_deferred::Deferred;

use crate::clock::Clock;
use crate::names::{LookUp, Names};
use crate::{Driver, Reactor, driver};

/// Makes a [`Reactor`] that is not like all others. Begun by [`Reactor::builder`].
///
/// ```
/// use torsade_core::Limits;
/// use torsade_reactor::Reactor;
///
/// let mut limits = Limits::default();
/// limits.backlog = 16;
/// let reactor = Reactor::builder().limits(limits).build()?;
/// assert_eq!(reactor.net().limits().backlog, 16);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ReactorBuilder {
    limits: Limits,
    clock: Option<Clock>,
    driver: Option<Driver>,
    slots: u32,
    look_up: Option<Arc<LookUp>>,
    resolver: Option<Box<Resolver>>,
}

type Resolver = dyn Fn(&Net, &str) -> Deferred<Vec<IpAddr>, ResolveError>;

impl fmt::Debug for ReactorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorBuilder")
            .field("limits", &self.limits)
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

impl ReactorBuilder {
    /// The bounds that everything in the reactor keeps to; otherwise [`Limits::default`].
    ///
    /// ```
    /// # use torsade_core::Limits;
    /// # use torsade_reactor::Reactor;
    /// let mut limits = Limits::default();
    /// limits.turn_accepts = 1;
    /// let reactor = Reactor::builder().limits(limits).build()?;
    /// # drop(reactor);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another monotonic clock than the system's, for tests that turn it by hand.
    ///
    /// It decides which timers are due. How long [`run`](Reactor::run) sleeps is computed from
    /// it, but slept in real time: with a clock that stands still, use
    /// [`turn(Some(Duration::ZERO))`](Reactor::turn). `clock` is called from within the engine
    /// and must only tell the time. If it goes back, time stands still for the reactor.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    /// use std::time::Duration;
    /// use torsade_core::Time;
    /// use torsade_reactor::Reactor;
    ///
    /// let hand = Rc::new(Cell::new(Time::ZERO));
    /// let read = Rc::clone(&hand);
    /// let mut reactor = Reactor::builder().clock(move || read.get()).build()?;
    ///
    /// let rang = Rc::new(Cell::new(false));
    /// let bell = Rc::clone(&rang);
    /// reactor.net().call_later(Duration::from_secs(3600), move |_| bell.set(true));
    ///
    /// reactor.turn(Some(Duration::ZERO))?;
    /// assert!(!rang.get());
    /// hand.set(Time::ZERO + Duration::from_secs(3600));
    /// reactor.turn(Some(Duration::ZERO))?;
    /// assert!(rang.get()); // an hour has passed
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> Time + 'static) -> Self {
        self.clock = Some(Clock::new(clock));
        self
    }

    /// This driver and no other; otherwise the choice is the environment's or automatic, as
    /// [`Driver`] says.
    ///
    /// ```
    /// use torsade_reactor::{Driver, Reactor};
    ///
    /// let reactor = Reactor::builder().driver(Driver::Polling).build()?;
    /// assert_eq!(reactor.driver(), Driver::Polling);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn driver(mut self, driver: Driver) -> Self {
        self.driver = Some(driver);
        self
    }

    /// Keep accepted connections in a table of the ring's own, with room for so many, instead of
    /// among the descriptors of the process: then there can be more of them than descriptors. Of
    /// the io_uring driver; the others have no such table and take no notice.
    ///
    /// # How many
    /// Linux grants each ring a table as long as `RLIMIT_NOFILE` is when the reactor is made, and
    /// none longer than 1,048,576; for a longer one [`build`](Self::build) fails. Nothing else
    /// counts against it, and the table is each ring's, so that [`Reactors`](crate::Reactors) hold
    /// as many connections more as there are threads. Who comes when a table is full gets a
    /// descriptor, while there are any.
    ///
    /// # What differs
    /// What no descriptor names, no other system call can be asked about. So an abort of such a
    /// connection resets it only from Linux 6.7 on and ends it in order before, a listener on all
    /// addresses tells that for the local one, and progress of a slow peer is not looked for in
    /// the kernel's queue.
    ///
    /// ```
    /// let reactor = torsade_reactor::Reactor::builder().direct_descriptors(500).build()?;
    /// # drop(reactor);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn direct_descriptors(mut self, most: u32) -> Self {
        self.slots = most;
        self
    }

    /// Look names up in this way, which may block, instead of with `getaddrinfo`. It is called in
    /// threads, `Limits::lookup_threads` at once, with names that a host could have.
    ///
    /// ```
    /// use torsade_core::ResolveError;
    /// use torsade_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::builder()
    ///     .look_up(|name| match name {
    ///         "db" => Ok(vec!["192.0.2.7".parse().unwrap()]),
    ///         other => Err(ResolveError::NotFound { name: other.into() }),
    ///     })
    ///     .build()?;
    /// let found = reactor.net().resolve("db");
    /// assert_eq!(reactor.run_until(found)?.unwrap()[0].to_string(), "192.0.2.7");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn look_up(
        mut self,
        look_up: impl Fn(&str) -> Result<Vec<IpAddr>, ResolveError> + Send + Sync + 'static,
    ) -> Self {
        self.look_up = Some(Arc::new(look_up));
        self
    }

    /// Ask this resolver, which does not block, for names: what [`Net::set_resolver`] does.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    /// use torsade_reactor::Reactor;
    ///
    /// let reactor = Reactor::builder()
    ///     .resolver(|_, _| Deferred::succeed(vec!["127.0.0.1".parse().unwrap()]))
    ///     .build()?;
    /// # drop(reactor);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "installNameResolver")]
    pub fn resolver(
        mut self,
        resolver: impl Fn(&Net, &str) -> Deferred<Vec<IpAddr>, ResolveError> + 'static,
    ) -> Self {
        self.resolver = Some(Box::new(resolver));
        self
    }

    /// Make the reactor.
    ///
    /// ```
    /// let reactor = torsade_reactor::Reactor::builder().build()?;
    /// assert_eq!(reactor.net().connections(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, if it is out of descriptors for instance; `Unsupported` if its poller has no
    /// level-triggered mode, as on Solaris. If a driver was named, with
    /// [`DriverUnavailable`](crate::DriverUnavailable) around it.
    pub fn build(self) -> io::Result<Reactor> {
        let clock = self.clock.unwrap_or_else(Clock::system);
        let names = Names::new(self.look_up, &self.limits);
        let event_loop = driver::make(self.driver, self.slots, self.limits, clock, names)?;
        let reactor = Reactor::new_around(event_loop);
        if let Some(resolver) = self.resolver {
            reactor.net().set_resolver(resolver);
        }
        Ok(reactor)
    }
}
