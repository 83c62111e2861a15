use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Address, Factory, ListenError, Listener, Net, ToEndpoint};
use torsade_deferred::{Deferred, Resolver};

use super::room::{Counting, Drained, Room};
use super::{Service, ServiceError};

/// A server as a service: it listens from its start until it is stopped, and its connections are
/// drained then.
///
/// A stop closes the listener, tells every connection that was made there `stopping`, as a stop of
/// the reactor does, and waits until all have ended; those that have not within the
/// [grace](Self::grace) are aborted, and [`last_drain`](Self::last_drain) and the log say which.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Protocol, Transport, factory};
/// use torsade_service::{ServerService, Service};
///
/// /// Does not want to go.
/// struct Stubborn;
/// impl Protocol for Stubborn {
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
///     fn stopping(&mut self, _: &Transport<Self>) {}
/// }
///
/// # let mut reactor = torsade_testing::MemoryReactor::new();
/// let server = ServerService::new("127.0.0.1:8007", factory(|_| Stubborn))
///     .grace(Duration::from_secs(3));
/// server.start(reactor.net()).detach();
/// let client = reactor.dial("127.0.0.1:8007");
/// let stopped = server.stop();
/// reactor.advance(Duration::from_secs(3));
/// assert!(stopped.is_settled());
/// let drained = server.last_drain().unwrap();
/// assert_eq!((drained.ended, drained.cut.len()), (0, 1));
/// ```
#[doc(alias = "StreamServerEndpointService")]
#[doc(alias = "TCPServer")]
#[doc(alias = "strports")]
#[derive(Clone)]
pub struct ServerService(Rc<Server>);

struct Server {
    listen: Box<Listen>,
    room: Rc<Room>,
    grace: Cell<Option<Duration>>,
    state: RefCell<State>,
    last: RefCell<Option<Drained>>,
}

/// Listens anew, with the same factory.
type Listen = dyn Fn(&Net) -> Result<Listener, ListenError>;

/// ```text
///         start             stop               the last connection is lost
///   Idle -------> Running -------> Draining ------------------------------> Idle
/// ```
enum State {
    Idle,
    Running(Net, Listener),
    /// Who waits for the end of it.
    Draining(Vec<Resolver<(), Infallible>>),
}

impl ServerService {
    /// Listen at `at`, each time it is started, and ask `factory` for protocols.
    pub fn new<F: Factory>(at: impl ToEndpoint + 'static, factory: F) -> Self {
        let room = Rc::new(Room::default());
        let guests = Rc::clone(&room);
        let factory = Rc::new(RefCell::new(factory));
        let listen = move |net: &Net| {
            let (factory, room) = (Rc::clone(&factory), Rc::clone(&guests));
            net.listen(&at, Counting { factory, room })
        };
        Self(Rc::new(Server {
            listen: Box::new(listen),
            room,
            grace: Cell::new(None),
            state: RefCell::new(State::Idle),
            last: RefCell::new(None),
        }))
    }

    /// How long connections have to end by themselves when it is stopped. `Limits::stop_timeout`,
    /// 5 s, unless this says otherwise. All clones have the same.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        self.0.grace.set(Some(grace));
        self
    }

    /// Where it listens, with the real port; `None` while it does not.
    pub fn address(&self) -> Option<Address> {
        match &*self.0.state.borrow() {
            State::Running(_, listener) => Some(listener.address()),
            _ => None,
        }
    }

    /// Connections that it made and that are not lost.
    pub fn connections(&self) -> usize {
        self.0.room.len()
    }

    /// How its connections ended when it was last stopped.
    pub fn last_drain(&self) -> Option<Drained> {
        self.0.last.borrow().clone()
    }
}

impl Service for ServerService {
    fn start(&self, net: &Net) -> Deferred<(), ServiceError> {
        let refused = match *self.0.state.borrow() {
            State::Idle => None,
            State::Running(..) => Some(ServiceError::Running),
            State::Draining(_) => Some(ServiceError::Stopping),
        };
        if let Some(refused) = refused {
            return Deferred::fail(refused);
        }
        match (self.0.listen)(net) {
            Ok(listener) => {
                log::info!("listening on {}", listener.address());
                let state = State::Running(net.clone(), listener);
                drop(self.0.set(state));
                Deferred::succeed(())
            }
            Err(error) => Deferred::fail(error.into()),
        }
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        let (resolver, stopped) = Deferred::new();
        match self.0.set(State::Idle) {
            State::Idle => resolver.resolve(()),
            State::Draining(mut waiting) => {
                waiting.push(resolver);
                drop(self.0.set(State::Draining(waiting)));
            }
            State::Running(net, listener) => {
                drop(self.0.set(State::Draining(vec![resolver])));
                listener.close();
                let usual = net.limits().stop_timeout;
                let grace = self.0.grace.get().unwrap_or(usual);
                let server = Rc::clone(&self.0);
                let draining = server.room.drain(&net, grace);
                draining.finish(move |drained| server.drained(drained.ok()));
            }
        }
        stopped
    }
}

impl Server {
    fn set(&self, state: State) -> State {
        mem::replace(&mut *self.state.borrow_mut(), state)
    }

    fn drained(&self, drained: Option<Drained>) {
        for cut in drained.iter().flat_map(|drained| &drained.cut) {
            log::warn!("cut off by the stop of its server: connection {cut}");
        }
        self.last.replace(drained);
        if let State::Draining(waiting) = self.set(State::Idle) {
            for resolver in waiting {
                resolver.resolve(());
            }
        }
    }
}

impl fmt::Debug for ServerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService")
            .field("address", &self.address())
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
