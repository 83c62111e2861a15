use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{ConnectError, Disconnect, Net, Protocol, Time, Timer, ToEndpoint, Transport};
use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use super::service::too_slow;
use super::{Backoff, ClientError, ClientFailure, Service, ServiceError};

/// A client as a service: connected from its start until it is stopped, as far as that is possible.
/// When the connection is lost, or cannot be had, it waits and tries again.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Protocol, Transport};
/// use torsade_service::{Backoff, ClientService, Service};
///
/// struct Feed;
/// impl Protocol for Feed {
///     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
///         println!("{}", data.escape_ascii());
///     }
/// }
///
/// # let mut reactor = torsade_testing::MemoryReactor::new();
/// let feed = ClientService::new("127.0.0.1:8007", || Feed)
///     .backoff(Backoff::default().initial(Duration::from_millis(500)));
/// feed.start(reactor.net()).detach();
/// let connected = feed.when_connected();
/// reactor.next_connect().fail(std::io::ErrorKind::ConnectionRefused);
/// reactor.advance(Duration::from_millis(1500)); // half a second, and some jitter
/// let mut server = reactor.next_connect().succeed();
/// let transport = connected.try_take().unwrap().unwrap();
/// transport.write("hello");
/// assert_eq!(server.take_sent(), b"hello");
/// feed.stop().detach();
/// ```
///
/// # When it tries again
/// After the wait that its [`Backoff`] has for the number of failures so far. An attempt that fails
/// counts, also one that the [prepare step](Self::prepare) gives up, and so does a connection that
/// was lost before it was [steady](Self::steady_after): a server that accepts and closes at once is
/// not asked ever faster. A steady connection sets the count back to 0.
///
/// # States
/// ```text
///            start                connected            prepared
///   Stopped ------> Connecting --------------> Preparing --------> Connected
///                    ^      | failed              | failed, lost      | lost
///                    |      v                     v                   |
///                    +--- Waiting <-----------------------------------+
///             the wait is over
///
///   any --stop--> Closing --lost--> Stopped;  Closing --start--> connects when that is lost
/// ```
#[doc(alias = "ReconnectingClientFactory")]
#[doc(alias = "resetDelay")]
#[doc(alias = "stopTrying")]
pub struct ClientService<P: Protocol>(Rc<Client<P>>);

struct Client<P: Protocol> {
    to: Box<dyn ToEndpoint>,
    /// Out while it runs.
    make: Cell<Option<Box<dyn FnMut() -> P>>>,
    prepare: RefCell<Option<Prepare<P>>>,
    backoff: Cell<Backoff>,
    steady: Cell<Duration>,
    state: RefCell<State<P>>,
    failures: Cell<u32>,
    /// Which of its attempts this is. News of former ones are ignored.
    round: Cell<u64>,
    waiting: RefCell<Vec<Waiting<P>>>,
}

type Prepare<P> = Rc<dyn Fn(&Transport<P>) -> Deferred<(), ServiceError>>;

/// Somebody wants the connection.
struct Waiting<P: Protocol> {
    /// Until so many attempts more have failed, if that is bounded.
    patience: Option<u32>,
    resolver: Resolver<Transport<P>, ClientError>,
}

enum State<P: Protocol> {
    Stopped,
    Connecting(Net, Canceller),
    Preparing(Transport<P>, Canceller),
    Connected(Transport<P>, Time),
    /// Its connection is of no use and goes; then it is tried again.
    Dropping(Transport<P>, ClientFailure),
    Waiting(Timer),
    Closing {
        /// Stops waiting for a connection that does not end.
        deadline: Timer,
        stopped: Vec<Resolver<(), Infallible>>,
        /// Where it was started again meanwhile.
        restart: Option<Net>,
    },
}

impl<P: Protocol> ClientService<P> {
    /// Connect to `to`, each time with a protocol that `make` makes.
    pub fn new(to: impl ToEndpoint + 'static, make: impl FnMut() -> P + 'static) -> Self {
        Self(Rc::new(Client {
            to: Box::new(to),
            make: Cell::new(Some(Box::new(make))),
            prepare: RefCell::new(None),
            backoff: Cell::new(Backoff::default()),
            steady: Cell::new(Duration::from_secs(10)),
            state: RefCell::new(State::Stopped),
            failures: Cell::new(0),
            round: Cell::new(0),
            waiting: RefCell::default(),
        }))
    }

    /// How long to wait between attempts. All clones have the same.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.0.backoff.set(backoff);
        self
    }

    /// How long a connection has to last for the count of failures to be 0 again. 10 s. All clones
    /// have the same.
    #[must_use]
    pub fn steady_after(self, steady: Duration) -> Self {
        self.0.steady.set(steady);
        self
    }

    /// What has to be done with a new connection before it is given to those who wait for one: log
    /// in, choose a database. An error closes the connection and counts as a failed attempt, and so
    /// does its loss meanwhile. All clones have the same.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_deferred::Deferred;
    /// use torsade_service::{ClientService, ServiceError};
    ///
    /// # struct Login;
    /// # impl Protocol for Login {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// # fn log_in(_: &Transport<Login>) -> Deferred<(), String> { Deferred::succeed(()) }
    /// let service = ClientService::new("127.0.0.1:8007", || Login)
    ///     .prepare(|transport| log_in(transport).map_err(ServiceError::other));
    /// ```
    #[doc(alias = "prepareConnection")]
    #[must_use]
    pub fn prepare(
        self,
        prepare: impl Fn(&Transport<P>) -> Deferred<(), ServiceError> + 'static,
    ) -> Self {
        let before = self.0.prepare.replace(Some(Rc::new(prepare)));
        drop(before);
        self
    }

    /// Resolves with the connection: at once if there is one, else when there is.
    ///
    /// Rejected with [`ClientError::Stopped`] if the service is stopped before; it may be asked
    /// before it is started.
    #[doc(alias = "whenConnected")]
    pub fn when_connected(&self) -> Deferred<Transport<P>, ClientError> {
        self.wait(None)
    }

    /// The same, for somebody who does not wait longer than until so many more attempts have failed:
    /// rejected with the last one's error then. 0 counts as 1.
    #[doc(alias = "failAfterFailures")]
    pub fn when_connected_within(&self, failures: u32) -> Deferred<Transport<P>, ClientError> {
        self.wait(Some(failures.max(1)))
    }

    /// The connection, if there is one.
    pub fn transport(&self) -> Option<Transport<P>> {
        match &*self.0.state.borrow() {
            State::Connected(transport, _) => Some(transport.clone()),
            _ => None,
        }
    }

    /// How often it has failed since it was last connected for long.
    pub fn failures(&self) -> u32 {
        self.0.failures.get()
    }

    fn wait(&self, patience: Option<u32>) -> Deferred<Transport<P>, ClientError> {
        if let Some(transport) = self.transport() {
            return Deferred::succeed(transport);
        }
        let (resolver, connected) = Deferred::new();
        let waiting = Waiting { patience, resolver };
        // Those who gave up since make room.
        let given_up: Vec<_> = {
            let mut all = self.0.waiting.borrow_mut();
            all.push(waiting);
            all.extract_if(.., |waiting| waiting.resolver.is_cancelled())
                .collect()
        };
        drop(given_up);
        connected
    }
}

impl<P: Protocol> Service for ClientService<P> {
    /// Begin to connect. It has started when that has begun; whether there is a connection is for
    /// [`when_connected`](Self::when_connected) to say.
    fn start(&self, net: &Net) -> Deferred<(), ServiceError> {
        match &mut *self.0.state.borrow_mut() {
            State::Stopped => {}
            State::Closing { restart, .. } if restart.is_none() => {
                *restart = Some(net.clone());
                return Deferred::succeed(());
            }
            _ => return Deferred::fail(ServiceError::Running),
        }
        self.0.failures.set(0);
        Rc::clone(&self.0).connect(net);
        Deferred::succeed(())
    }

    /// Give up what is under way; a connection is told `stopping`, and aborted if it has not ended
    /// after `Limits::stop_timeout`.
    fn stop(&self) -> Deferred<(), Infallible> {
        let (resolver, stopped) = Deferred::new();
        let client = &self.0;
        match client.set(State::Stopped) {
            State::Stopped => resolver.resolve(()),
            State::Connecting(_, canceller) => {
                client.next_round();
                canceller.cancel();
                resolver.resolve(());
            }
            State::Waiting(timer) => {
                timer.cancel();
                resolver.resolve(());
            }
            State::Preparing(transport, canceller) => {
                Rc::clone(client).close(&transport, resolver);
                canceller.cancel();
            }
            State::Connected(transport, _) | State::Dropping(transport, _) => {
                Rc::clone(client).close(&transport, resolver);
            }
            State::Closing {
                deadline,
                stopped: mut others,
                ..
            } => {
                others.push(resolver);
                drop(client.set(State::Closing {
                    deadline,
                    stopped: others,
                    restart: None,
                }));
            }
        }
        client.give_up_waiting();
        stopped
    }
}

impl<P: Protocol> Client<P> {
    /// The state before; nothing is dropped while it is borrowed.
    fn set(&self, state: State<P>) -> State<P> {
        mem::replace(&mut *self.state.borrow_mut(), state)
    }

    fn next_round(&self) -> u64 {
        self.round.set(self.round.get() + 1);
        self.round.get()
    }

    fn connect(self: Rc<Self>, net: &Net) {
        let round = self.next_round();
        // In case that making a protocol panics: nothing is under way then.
        drop(self.set(State::Stopped));
        let Some(mut make) = self.make.take() else {
            return;
        };
        let protocol = make();
        self.make.set(Some(make));
        let connecting = net.connect(&*self.to, protocol);
        let state = State::Connecting(net.clone(), connecting.canceller());
        drop(self.set(state));
        connecting.finish(move |result| self.attempted(round, result));
    }

    fn attempted(self: Rc<Self>, round: u64, result: Result<Transport<P>, Failure<ConnectError>>) {
        if round != self.round.get() {
            if let Ok(transport) = result {
                transport.abort();
            }
            return;
        }
        let State::Connecting(net, _) = self.set(State::Stopped) else {
            return;
        };
        match result {
            Ok(transport) => self.reached(transport),
            Err(Failure::Abandoned | Failure::Error(ConnectError::Gone(_))) => {
                self.give_up_waiting();
            }
            Err(failure) => self.failed(&net, ClientFailure::Connect(failure)),
        }
    }

    /// There is a connection.
    fn reached(self: Rc<Self>, transport: Transport<P>) {
        let round = self.round.get();
        let prepare = self.prepare.borrow().clone();
        let preparing = match prepare {
            None => Deferred::succeed(()),
            Some(prepare) => {
                let transport = transport.clone();
                Deferred::attempt(move || prepare(&transport))
            }
        };
        let state = State::Preparing(transport.clone(), preparing.canceller());
        drop(self.set(state));
        let client = Rc::clone(&self);
        transport.closed().finish(move |result| {
            // The reactor tells a loss before anything is abandoned.
            let reason = result.unwrap_or(Disconnect::ReactorGone);
            client.lost(round, reason);
        });
        preparing.finish(move |result| self.prepared(round, result));
    }

    fn prepared(self: Rc<Self>, round: u64, result: Result<(), Failure<ServiceError>>) {
        if round != self.round.get() {
            return;
        }
        let transport = match &*self.state.borrow() {
            State::Preparing(transport, _) => transport.clone(),
            _ => return,
        };
        match result {
            Ok(()) => {
                let since = transport.net().now();
                drop(self.set(State::Connected(transport.clone(), since)));
                for waiting in self.waiting.take() {
                    waiting.resolver.resolve(transport.clone());
                }
            }
            Err(failure) => {
                let error = ClientFailure::Prepare(failure);
                drop(self.set(State::Dropping(transport.clone(), error)));
                transport.close();
            }
        }
    }

    fn lost(self: Rc<Self>, round: u64, reason: Disconnect) {
        if round != self.round.get() {
            return;
        }
        match self.set(State::Stopped) {
            State::Preparing(transport, canceller) => {
                // Its news is none any more.
                self.next_round();
                canceller.cancel();
                self.failed(&transport.net(), ClientFailure::Lost(reason));
            }
            State::Dropping(transport, error) => self.failed(&transport.net(), error),
            State::Connected(transport, since) => {
                let net = transport.net();
                log::debug!("a client service lost its connection: {reason}");
                if net.now() - since >= self.steady.get() {
                    self.failures.set(0);
                }
                self.retry(&net);
            }
            State::Closing {
                deadline,
                stopped,
                restart,
            } => {
                deadline.cancel();
                self.next_round();
                for resolver in stopped {
                    resolver.resolve(());
                }
                if let Some(net) = restart {
                    self.connect(&net);
                }
            }
            other => drop(self.set(other)),
        }
    }

    /// An attempt failed.
    fn failed(self: Rc<Self>, net: &Net, error: ClientFailure) {
        log::debug!("a client service's attempt failed: {error}");
        let error = Rc::new(error);
        let impatient: Vec<_> = {
            let mut all = self.waiting.borrow_mut();
            let is_over = |waiting: &mut Waiting<P>| match &mut waiting.patience {
                None => false,
                Some(left) => {
                    *left -= 1;
                    *left == 0
                }
            };
            all.extract_if(.., is_over).collect()
        };
        Rc::clone(&self).retry(net);
        for waiting in impatient {
            waiting
                .resolver
                .reject(ClientError::Failed(Rc::clone(&error)));
        }
    }

    fn retry(self: Rc<Self>, net: &Net) {
        let failures = self.failures.get();
        let wait = self.backoff.get().delay(failures, net.random());
        self.failures.set(failures.saturating_add(1));
        let client = Rc::clone(&self);
        let timer = net.call_later(wait, move |net| client.connect(net));
        drop(self.set(State::Waiting(timer)));
    }

    /// Have the connection end, and tell `stopped` when it has.
    fn close(self: Rc<Self>, transport: &Transport<P>, stopped: Resolver<(), Infallible>) {
        let net = transport.net();
        let connection = transport.connection();
        let deadline = net.call_later(net.limits().stop_timeout, move |_| {
            connection.abort_with(too_slow());
        });
        drop(self.set(State::Closing {
            deadline,
            stopped: vec![stopped],
            restart: None,
        }));
        transport.ask_to_stop();
    }

    fn give_up_waiting(&self) {
        for waiting in self.waiting.take() {
            waiting.resolver.reject(ClientError::Stopped);
        }
    }
}

impl<P: Protocol> Clone for ClientService<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P: Protocol> fmt::Debug for ClientService<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.0.state.borrow() {
            State::Stopped => "stopped",
            State::Connecting(..) => "connecting",
            State::Preparing(..) => "preparing",
            State::Connected(..) => "connected",
            State::Dropping(..) => "dropping",
            State::Waiting(_) => "waiting",
            State::Closing { restart: None, .. } => "closing",
            State::Closing { .. } => "restarting",
        };
        f.debug_struct("ClientService")
            .field("state", &state)
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}
