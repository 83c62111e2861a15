use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::{Net, Remote, Time};
use torsade_deferred::queue::{self, Turn};
use torsade_deferred::{Deferred, Failure};

use crate::event_loop::{Doorbell, EventLoop, Next};
#[cfg(unix)]
use crate::stdio::wait_for_output;
#[cfg(unix)]
use crate::watcher::Watcher;
use crate::{Counters, Driver, ReactorBuilder};

/// The engine on real sockets, with the loop that drives it.
///
/// A value, not a global: make as many as you like, in any thread; each stays in the one it was
/// made in. Programs are written against [`net`](Self::net) and do not need to know that it is a
/// reactor they run in.
///
/// # Drivers
/// On Linux it asks epoll directly, elsewhere through the portable crate `polling`.
/// [`ReactorBuilder::driver`] names one, the environment variable `TORSADE_DRIVER` does for
/// programs that name none, and [`driver`](Self::driver) tells which it is: see [`Driver`].
///
/// # Dropping it
/// Every connection is aborted and gets its `connection_lost` with
/// [`Disconnect::ReactorGone`](torsade_core::Disconnect::ReactorGone), before the drop returns.
/// If it is dropped inside a callback of another reactor, that happens right after the callback
/// (contract C1). Timers and posted calls are dropped unrun.
///
/// ```
/// use std::time::Duration;
/// use torsade_reactor::Reactor;
///
/// let mut reactor = Reactor::new()?;
/// reactor.net().call_later(Duration::from_millis(1), |net| net.stop());
/// reactor.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "EventLoop")]
#[doc(alias = "loop")]
#[doc(alias = "AbstractEventLoop")]
pub struct Reactor {
    /// Taken out by `drop` only, which may have to hand it on.
    inner: Option<Box<dyn EventLoop>>,
    net: Net,
    doorbell: Arc<dyn Doorbell>,
    driver: Driver,
    #[cfg(unix)]
    watcher: Watcher,
}

impl Reactor {
    /// A reactor with the default limits and the system's monotonic clock.
    ///
    /// ```
    /// let reactor = torsade_reactor::Reactor::new()?;
    /// assert_eq!(reactor.next_deadline(), None); // nothing to do
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`ReactorBuilder::build`].
    #[doc(alias = "new_event_loop")]
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// Begin to make a reactor with other limits or another clock.
    ///
    /// ```
    /// use torsade_core::{Limits, Time};
    /// use torsade_reactor::Reactor;
    ///
    /// let reactor = Reactor::builder().clock(|| Time::ZERO).limits(Limits::default()).build()?;
    /// assert_eq!(reactor.net().now(), Time::ZERO);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "installReactor")]
    pub fn builder() -> ReactorBuilder {
        ReactorBuilder::default()
    }

    pub(crate) fn new_around(inner: Box<dyn EventLoop>) -> Self {
        Self {
            net: inner.net().clone(),
            doorbell: inner.doorbell(),
            driver: inner.driver(),
            #[cfg(unix)]
            watcher: inner.watcher(),
            inner: Some(inner),
        }
    }

    /// The handle that programs are written against: `listen`, `connect`, `call_later`.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let reactor = torsade_reactor::Reactor::new()?;
    /// let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
    /// println!("listening on {}", listener.address());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// What it asks the system with.
    ///
    /// ```
    /// let reactor = torsade_reactor::Reactor::new()?;
    /// println!("on {}", reactor.driver()); // on epoll
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// What it has done so far, and what it holds now.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport, factory};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
    /// let _client = std::net::TcpStream::connect(listener.address())?;
    /// while reactor.counters().accepts == 0 {
    ///     reactor.turn(None)?;
    /// }
    /// assert_eq!(reactor.counters().connections, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn counters(&self) -> Counters {
        self.inner
            .as_ref()
            .map_or_else(Counters::default, |inner| inner.counters())
    }

    /// The handle that puts descriptors of others into this reactor. On Unix.
    ///
    /// ```
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// let (reader, writer) = std::io::pipe()?;
    /// // A pipe is readable when its other end is closed.
    /// let watch = reactor.watcher().add_reader(&reader, |net| net.stop())?;
    /// drop(writer);
    /// reactor.run()?;
    /// # drop(watch);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(unix)]
    #[doc(alias = "addReader")]
    #[doc(alias = "addWriter")]
    pub fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// The handle that may travel to other threads, to post calls to this one.
    ///
    /// ```
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// let remote = reactor.remote();
    /// let other = std::thread::spawn(move || remote.post(|net| net.stop()));
    /// reactor.run()?; // ends its wait when the call arrives
    /// other.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remote(&self) -> Remote {
        self.net.remote()
    }
}

/// Running.
impl Reactor {
    /// Run until a stop that somebody asked for is complete: every connection is closed and told
    /// so. With nothing to do it sleeps; a call that is posted from another thread wakes it.
    ///
    /// It can be run again. Sockets that only linger (contract C4) are not waited for; what was
    /// written to [`Stdio`](torsade_core::Stdio) is, until it has gone to standard output.
    ///
    /// ```
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// for _ in 0..2 {
    ///     reactor.stop(); // asked for before: it stops as soon as it runs
    ///     reactor.run()?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, if waiting for events fails. No connection is lost by it.
    ///
    /// # Panics
    /// Inside a callback of this thread: callbacks would nest (contract C1).
    #[doc(alias = "run_forever")]
    #[doc(alias = "ReactorAlreadyRunning")]
    #[doc(alias = "ReactorNotRestartable")]
    pub fn run(&mut self) -> io::Result<()> {
        refuse_inside_callbacks();
        while self.steps()? == Next::Turn {}
        self.rest()?;
        wait_for_output();
        Ok(())
    }

    /// Run until `deferred` has a result, and return that. If a stop is complete before, the
    /// result is [`Failure::Abandoned`].
    ///
    /// The reactor does not stop: connections and listeners live on, for the next run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_deferred::Deferred;
    /// use torsade_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let (resolver, tea) = Deferred::<_, ()>::new();
    /// reactor.net().call_later(Duration::from_millis(1), |_| resolver.resolve("tea"));
    /// assert_eq!(reactor.run_until(tea)?, Ok("tea"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The outer result is the system's, as in [`run`](Self::run); the inner one is the
    /// Deferred's.
    ///
    /// # Panics
    /// Inside a callback of this thread: callbacks would nest (contract C1).
    #[doc(alias = "run_until_complete")]
    #[doc(alias = "react")]
    #[doc(alias = "crash")]
    pub fn run_until<T: 'static, E: 'static>(
        &mut self,
        deferred: Deferred<T, E>,
    ) -> io::Result<Result<T, Failure<E>>> {
        refuse_inside_callbacks();
        let result = Rc::new(Cell::new(None));
        let place = Rc::clone(&result);
        deferred.finish(move |outcome| place.set(Some(outcome)));
        let mut next = Next::Turn;
        loop {
            if let Some(outcome) = result.take() {
                self.rest()?;
                return Ok(outcome);
            }
            if next == Next::Stop {
                self.rest()?;
                return Ok(Err(Failure::Abandoned));
            }
            next = self.steps()?;
        }
    }

    /// Run a coroutine, as a task, until it has ended, and give what it ends with. Other tasks,
    /// connections and listeners live on, for the next run.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_futures::sleep;
    /// use torsade_reactor::Reactor;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let net = reactor.net().clone();
    /// let answer = reactor.block_on(async move {
    ///     sleep(&net, Duration::from_millis(1)).await;
    ///     42
    /// })?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, as in [`run`](Self::run). `Interrupted` if a stop is complete before the
    /// coroutine has ended: it was dropped at its await point.
    ///
    /// # Panics
    /// With the coroutine's panic, if it panics. Inside a callback of this thread: callbacks would
    /// nest (contract C1).
    #[doc(alias = "run_until_complete")]
    #[doc(alias = "asyncio.run")]
    #[doc(alias = "react")]
    pub fn block_on<F: Future + 'static>(&mut self, future: F) -> io::Result<F::Output> {
        let task = torsade_futures::spawn(&self.net, future);
        match self.run_until(task.into_deferred())? {
            Ok(output) => Ok(output),
            Err(Failure::Panicked(panic)) => panic!("{}", panic.message()),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::Interrupted,
                "the reactor stopped before the coroutine had ended",
            )),
        }
    }

    /// Take one turn: wait for events, for at most `longest`, then do what they lead to. Returns
    /// false when a stop is complete.
    ///
    /// For guests in another loop, which sleeps until [`next_deadline`](Self::next_deadline) or
    /// until the reactor's descriptor (its `AsFd`) is readable, and then takes a turn without
    /// waiting. Work made outside a turn, and work that a turn left over, makes the descriptor
    /// readable too (contract C11).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// assert!(reactor.turn(Some(Duration::ZERO))?);
    /// reactor.stop();
    /// assert!(!reactor.turn(None)?); // nothing had to be waited for
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's, if waiting for events fails.
    ///
    /// # Panics
    /// Inside a callback of this thread: callbacks would nest (contract C1).
    #[doc(alias = "iterate")]
    pub fn turn(&mut self, longest: Option<Duration>) -> io::Result<bool> {
        refuse_inside_callbacks();
        let next = self.step(longest)?;
        self.rest()?;
        if self.inner.as_ref().is_some_and(|inner| inner.has_work()) {
            self.doorbell.ring()?;
        }
        Ok(next == Next::Turn)
    }

    /// When the next turn is due even if nothing happens; `None` if nothing but an event or a
    /// posted call is waited for. On the clock of [`Net::now`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_core::Time;
    ///
    /// let reactor = torsade_reactor::Reactor::builder().clock(|| Time::ZERO).build()?;
    /// let timer = reactor.net().call_later(Duration::from_secs(5), |_| ());
    /// assert_eq!(reactor.next_deadline(), Some(Time::ZERO + Duration::from_secs(5)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_deadline(&self) -> Option<Time> {
        self.inner.as_ref()?.next_deadline()
    }

    fn rest(&mut self) -> io::Result<()> {
        self.inner.as_mut().map_or(Ok(()), |inner| inner.rest())
    }

    /// Several turns, of which only the last can have brought what a run waits for.
    fn steps(&mut self) -> io::Result<Next> {
        match &mut self.inner {
            Some(inner) => inner.turns(),
            None => Ok(Next::Stop),
        }
    }

    fn step(&mut self, longest: Option<Duration>) -> io::Result<Next> {
        match &mut self.inner {
            Some(inner) => inner.turn(longest),
            None => Ok(Next::Stop),
        }
    }
}

/// Stopping.
impl Reactor {
    /// The same as [`Net::stop`]: listeners are closed, every connection is told `stopping` and
    /// has `Limits::stop_timeout` to end; then [`run`](Self::run) returns.
    ///
    /// ```
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// reactor.stop();
    /// reactor.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) {
        self.net.stop();
    }

    /// From now on SIGINT (Ctrl-C) and SIGTERM stop this reactor; a second signal during the stop
    /// aborts what is still open, without waiting for [`Net::before_stop`] any longer. Doing it
    /// again changes nothing.
    ///
    /// Without this call a reactor leaves signals alone. All reactors of a process that asked for
    /// them hear every signal. Once it was asked for, the two signals no longer end the process by
    /// themselves, not even after the reactor is dropped.
    ///
    /// ```
    /// let mut reactor = torsade_reactor::Reactor::new()?;
    /// # if cfg!(unix) {
    /// reactor.stop_on_signals()?;
    /// # }
    /// # reactor.stop();
    /// reactor.run()?; // until somebody presses Ctrl-C
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The system's; `Unsupported` on systems that are not Unix.
    #[doc(alias = "add_signal_handler")]
    #[doc(alias = "installSignalHandlers")]
    #[doc(alias = "remove_signal_handler")]
    pub fn stop_on_signals(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(inner) = &mut self.inner {
            return inner.listen_for_signals();
        }
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The driver's descriptor, readable when the reactor should take a turn.
///
/// ```
/// use std::os::fd::AsFd;
/// use rustix::event::{PollFd, PollFlags, Timespec, poll};
///
/// let reactor = torsade_reactor::Reactor::new()?;
/// let is_readable = || {
///     let mut fds = [PollFd::new(&reactor, PollFlags::IN)];
///     poll(&mut fds, Some(&Timespec::default())).map(|ready| ready > 0)
/// };
/// assert!(!is_readable()?);
/// reactor.stop(); // work made outside a turn
/// assert!(is_readable()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
impl std::os::fd::AsFd for Reactor {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        if let Some(inner) = &self.inner {
            inner.is_waited_on();
        }
        self.doorbell.descriptor()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => f.debug_tuple("Reactor").field(inner).finish(),
            None => f.write_str("Reactor(gone)"),
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else {
            return;
        };
        if inner.is_in_turn() {
            // A panic left the turn, so the thread's queue is ours to run.
            inner.shut_down();
            wait_for_output();
            return;
        }
        match Turn::enter() {
            Some(turn) => {
                drop(turn);
                inner.shut_down();
                wait_for_output();
            }
            None => queue::push(Rc::new(Ending(Cell::new(Some(inner))))),
        }
    }
}

/// A reactor that was dropped inside a callback, on its way to its end between two callbacks.
struct Ending(Cell<Option<Box<dyn EventLoop>>>);

impl queue::Job for Ending {
    fn run(self: Rc<Self>) {
        if let Some(mut inner) = self.0.take() {
            inner.shut_down_in_job();
            wait_for_output();
        }
    }
}

/// There are no standard streams that anything would have to be waited for.
#[cfg(not(unix))]
fn wait_for_output() {}

/// To be told before a wait, not after it.
fn refuse_inside_callbacks() {
    assert!(
        Turn::enter().is_some(),
        "a reactor was run inside a callback of this thread"
    );
}
