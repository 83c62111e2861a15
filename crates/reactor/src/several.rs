use std::error::Error;
use std::fmt;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use torsade_core::{Net, Remote};
use torsade_deferred::Panic;

use crate::Reactor;
use crate::ports::{Ports, Sharing};

/// Several reactors, each in a thread of its own, that share the ports they listen on: a server
/// for more than one core.
///
/// One function sets up each of them, in its thread and with its [`Net`], as a program for one
/// reactor does. What it listens on is shared with the others; port 0 is the same free port for
/// all.
///
/// ```
/// use torsade_core::{Protocol, Transport, factory};
/// use torsade_reactor::Reactors;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let reactors = Reactors::new(2).start(|net| {
///     let listener = net.listen("127.0.0.1:0", factory(|_| Echo))?;
///     Ok(listener.address())
/// })?;
/// // Here, whatever the function returned is known, once for each thread.
/// assert_eq!(reactors.results()[0], reactors.results()[1]);
///
/// # let mut client = std::net::TcpStream::connect(&reactors.results()[0])?;
/// # use std::io::{Read, Write};
/// # client.write_all(b"hello")?;
/// # client.read_exact(&mut [0; 5])?;
/// reactors.stop();
/// reactors.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// A server that has nothing else to do says `Reactors::new(2).stop_on_signals().run(serve)`.
///
/// # What is shared
/// Ports, and nothing else. The threads wait for each other once, until all are set up; from then
/// on nothing is locked and no memory is common, so another thread costs the others nothing. State
/// between connections, a room or a cache, is one for each thread, unless it is made to be shared
/// (`Arc`) or told to the others ([`Reactors::start`] gives their [`Remote`]s). Limits are each
/// reactor's: with two, there may be twice as many connections.
///
/// Who gets a connection is decided when it comes in, and it stays there. On Linux the kernel
/// decides by a hash of both addresses (`SO_REUSEPORT`): thousands of clients are spread evenly, a
/// handful may all be with one thread, and one that is busy still gets its share and lets it wait.
/// Elsewhere the threads accept from one queue, and an idle one is the quicker. A port that
/// somebody else listens on is an error, as it is for one reactor.
///
/// Listeners that callbacks make later are their own thread's: each port 0 is another port, and a
/// port that one thread has is in use for the others.
///
/// # How it ends
/// All at once. A [`stop`](Net::stop) in one of them, by a callback, a signal or
/// [`ReactorThreads::stop`], stops every one in good order (contract C17). So does an error of the
/// system in one thread, or a panic outside callbacks, and that is what [`run`](Self::run) returns.
/// A panic in a callback ends its connection only (contract C8).
#[doc(alias = "workers")]
#[doc(alias = "reuse_port")]
#[must_use = "nothing is started until `start` or `run` is called"]
pub struct Reactors {
    threads: usize,
    build: Box<dyn Fn() -> io::Result<Reactor> + Send + Sync>,
    stop_on_signals: bool,
}

/// What a function that sets up a reactor may fail with: everything that is an error.
type SetUpError = Box<dyn Error + Send + Sync>;

impl Reactors {
    /// As many as that, at least one.
    ///
    /// ```
    /// use torsade_reactor::Reactors;
    ///
    /// Reactors::new(2).run(|net| Ok(net.stop()))?; // asked for before it runs: it stops at once
    /// # Ok::<(), torsade_reactor::ReactorsError>(())
    /// ```
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            build: Box::new(Reactor::new),
            stop_on_signals: false,
        }
    }

    /// One for each core that this process may use; one if the system does not say.
    ///
    /// ```
    /// let reactors = torsade_reactor::Reactors::per_core().start(|_| Ok(()))?;
    /// assert!(!reactors.remotes().is_empty());
    /// # Ok::<(), torsade_reactor::ReactorsError>(())
    /// ```
    pub fn per_core() -> Self {
        Self::new(thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// Make each reactor with this, in its thread, instead of [`Reactor::new`]: with other limits
    /// for instance.
    ///
    /// ```
    /// use torsade_core::Limits;
    /// use torsade_reactor::{Reactor, Reactors};
    ///
    /// let reactors = Reactors::new(2)
    ///     .build_with(|| {
    ///         let mut limits = Limits::default();
    ///         limits.max_connections = 500; // for each of them
    ///         Reactor::builder().limits(limits).build()
    ///     })
    ///     .start(|net| Ok(net.limits().max_connections))?;
    /// assert_eq!(reactors.results(), [500, 500]);
    /// # Ok::<(), torsade_reactor::ReactorsError>(())
    /// ```
    pub fn build_with(
        mut self,
        build: impl Fn() -> io::Result<Reactor> + Send + Sync + 'static,
    ) -> Self {
        self.build = Box::new(build);
        self
    }

    /// SIGINT and SIGTERM stop all of them, and a second one aborts. On Unix.
    ///
    /// ```no_run
    /// # fn serve(net: &torsade_core::Net) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// #     Ok(())
    /// # }
    /// torsade_reactor::Reactors::per_core().stop_on_signals().run(serve)?;
    /// # Ok::<(), torsade_reactor::ReactorsError>(())
    /// ```
    #[cfg(unix)]
    pub fn stop_on_signals(mut self) -> Self {
        self.stop_on_signals = true;
        self
    }

    /// Start them and wait until they have stopped: [`start`](Self::start), then
    /// [`join`](ReactorThreads::join).
    ///
    /// ```
    /// use torsade_reactor::{Reactors, ReactorsError};
    ///
    /// let ended = Reactors::new(2).run(|_| Err("no configuration".into()));
    /// assert!(matches!(ended, Err(ReactorsError::SetUp(error)) if error.to_string() == "no configuration"));
    /// ```
    ///
    /// # Errors
    /// Those of both.
    pub fn run(
        self,
        set_up: impl Fn(&Net) -> Result<(), SetUpError> + Send + Sync + 'static,
    ) -> Result<(), ReactorsError> {
        self.start(set_up)?.join()
    }

    /// Start them, and return when each is set up and about to run.
    ///
    /// `set_up` is called in each thread. If it fails in one, none of them runs.
    ///
    /// # Errors
    /// The first that comes up: of `set_up`, of the system that grants no thread or reactor, or a
    /// panic.
    pub fn start<T: Send + 'static>(
        self,
        set_up: impl Fn(&Net) -> Result<T, SetUpError> + Send + Sync + 'static,
    ) -> Result<ReactorThreads<T>, ReactorsError> {
        let (tell, told) = mpsc::channel();
        let plan = Arc::new(Plan {
            reactors: self,
            set_up,
            ports: Arc::default(),
        });
        let mut started = ReactorThreads {
            group: Arc::default(),
            threads: Vec::new(),
            remotes: Vec::new(),
            results: Vec::new(),
        };
        let mut begin = Vec::new();
        for number in 0..plan.reactors.threads {
            let (begins, wait) = mpsc::channel();
            begin.push(begins);
            let member = Member {
                number,
                tell: tell.clone(),
                begin: wait,
                group: Arc::clone(&started.group),
            };
            let plan = Arc::clone(&plan);
            let thread = thread::Builder::new().name(format!("reactor-{number}"));
            // If one fails, those before it find that nobody tells them to begin.
            let thread = thread.spawn(move || member.live(&*plan));
            started.threads.push(thread.map_err(ReactorsError::System)?);
        }
        let mut ready = Vec::new();
        for told in told.iter().take(plan.reactors.threads) {
            ready.push(told?);
        }
        ready.sort_by_key(|ready: &Ready<T>| ready.number);
        for Ready { remote, result, .. } in ready {
            started.remotes.push(remote);
            started.results.push(result);
        }
        plan.ports.forget();
        started.group.set_remotes(&started.remotes);
        for thread in begin {
            // It waits for this.
            let _ = thread.send(Begin);
        }
        Ok(started)
    }
}

impl fmt::Debug for Reactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactors")
            .field("threads", &self.threads)
            .field("stop_on_signals", &self.stop_on_signals)
            .finish_non_exhaustive()
    }
}

/// The threads of [`Reactors`] that run.
///
/// Dropping it stops them and waits for their end, as [`stop`](Self::stop) and
/// [`join`](Self::join) do.
#[must_use = "dropping it stops the reactors"]
pub struct ReactorThreads<T> {
    group: Arc<Group>,
    threads: Vec<JoinHandle<()>>,
    remotes: Vec<Remote>,
    results: Vec<T>,
}

impl<T> ReactorThreads<T> {
    /// What the function that set them up has returned, in each thread.
    ///
    /// ```
    /// let reactors = torsade_reactor::Reactors::new(3).start(|net| Ok(net.connections()))?;
    /// assert_eq!(reactors.results(), [0, 0, 0]);
    /// # Ok::<(), torsade_reactor::ReactorsError>(())
    /// ```
    pub fn results(&self) -> &[T] {
        &self.results
    }

    /// The handles that post calls to each, in the same order.
    ///
    /// ```
    /// use std::sync::mpsc;
    ///
    /// let reactors = torsade_reactor::Reactors::new(2).start(|_| Ok(()))?;
    /// let (tell, told) = mpsc::channel();
    /// for remote in reactors.remotes() {
    ///     let tell = tell.clone();
    ///     remote.post(move |net| tell.send(net.connections()).unwrap())?;
    /// }
    /// drop(tell);
    /// assert_eq!(told.iter().sum::<usize>(), 0); // connections of all threads
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remotes(&self) -> &[Remote] {
        &self.remotes
    }

    /// Stop all of them, in good order. Returns at once.
    pub fn stop(&self) {
        self.group.stop();
    }

    /// Wait until all have stopped.
    ///
    /// ```
    /// let reactors = torsade_reactor::Reactors::new(2).start(|_| Ok(()))?;
    /// reactors.remotes()[1].post(|net| net.stop())?; // one stops all
    /// reactors.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first error or panic that ended one of them.
    pub fn join(mut self) -> Result<(), ReactorsError> {
        self.wait();
        match self.group.state().failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn wait(&mut self) {
        for thread in self.threads.drain(..) {
            // What its end was is noted in the group.
            let _ = thread.join();
        }
    }
}

impl<T> Drop for ReactorThreads<T> {
    fn drop(&mut self) {
        self.stop();
        self.wait();
    }
}

impl<T: fmt::Debug> fmt::Debug for ReactorThreads<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorThreads")
            .field("results", &self.results)
            .field("remotes", &self.remotes)
            .finish_non_exhaustive()
    }
}

/// Why [`Reactors`] did not start or have ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReactorsError {
    /// Setting one of them up failed.
    SetUp(Box<dyn Error + Send + Sync>),
    /// The system grants no thread or no reactor, or waiting for events failed.
    System(io::Error),
    /// A panic where no callback was, as while one was set up.
    Panicked(Panic),
}

impl fmt::Display for ReactorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetUp(error) => write!(f, "cannot set up a reactor: {error}"),
            Self::System(error) => write!(f, "a reactor ended: {error}"),
            Self::Panicked(panic) => write!(f, "a reactor's thread panicked: {}", panic.message()),
        }
    }
}

impl Error for ReactorsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::SetUp(error) => Some(&**error),
            Self::System(error) => Some(error),
            Self::Panicked(_) => None,
        }
    }
}

/// What every thread does.
struct Plan<F> {
    reactors: Reactors,
    set_up: F,
    ports: Arc<Ports>,
}

/// Everybody is set up.
struct Begin;

/// A thread is set up.
struct Ready<T> {
    number: usize,
    remote: Remote,
    result: T,
}

/// One thread's place among the others.
struct Member<T> {
    number: usize,
    tell: Sender<Result<Ready<T>, ReactorsError>>,
    begin: Receiver<Begin>,
    group: Arc<Group>,
}

impl<T> Member<T> {
    fn live<F: Fn(&Net) -> Result<T, SetUpError>>(self, plan: &Plan<F>) {
        let prepared = caught(|| plan.prepare());
        let (mut reactor, result) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // Nobody listens if another one failed before.
                let _ = self.tell.send(Err(error));
                return;
            }
        };
        let ready = Ready {
            number: self.number,
            remote: reactor.remote(),
            result,
        };
        let _ = self.tell.send(Ok(ready));
        if self.begin.recv().is_err() {
            return;
        }
        let ended = caught(|| reactor.run().map_err(ReactorsError::System));
        if let Err(error) = ended {
            self.group.state().failed.get_or_insert(error);
        }
        self.group.stop();
        // Its last callbacks are made while the others stop.
        let dropped = caught(|| {
            drop(reactor);
            Ok(())
        });
        if let Err(error) = dropped {
            self.group.state().failed.get_or_insert(error);
        }
    }
}

impl<F> Plan<F> {
    fn prepare<T>(&self) -> Result<(Reactor, T), ReactorsError>
    where
        F: Fn(&Net) -> Result<T, SetUpError>,
    {
        let reactors = &self.reactors;
        #[cfg_attr(not(unix), expect(unused_mut, reason = "signals are Unix's"))]
        let mut reactor = (reactors.build)().map_err(ReactorsError::System)?;
        #[cfg(unix)]
        if reactors.stop_on_signals {
            reactor.stop_on_signals().map_err(ReactorsError::System)?;
        }
        let sharing = Sharing::begin(&self.ports);
        let result = (self.set_up)(reactor.net()).map_err(ReactorsError::SetUp)?;
        drop(sharing);
        Ok((reactor, result))
    }
}

/// What the threads that run have in common.
#[derive(Default)]
struct Group(Mutex<State>);

#[derive(Default)]
struct State {
    /// Of all threads, until they are told to stop.
    remotes: Vec<Remote>,
    failed: Option<ReactorsError>,
}

impl Group {
    fn set_remotes(&self, remotes: &[Remote]) {
        self.state().remotes = remotes.to_vec();
    }

    /// Stop all of them, once.
    fn stop(&self) {
        let remotes = std::mem::take(&mut self.state().remotes);
        for remote in remotes {
            // One that is gone has stopped.
            let _ = remote.post(Net::stop);
        }
    }

    /// Whatever is done under the lock leaves whole data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything of the closure is given up if it panics.
fn caught<R>(f: impl FnOnce() -> Result<R, ReactorsError>) -> Result<R, ReactorsError> {
    catch_unwind(AssertUnwindSafe(f))
        .unwrap_or_else(|payload| Err(ReactorsError::Panicked(Panic::from_payload(payload))))
}
