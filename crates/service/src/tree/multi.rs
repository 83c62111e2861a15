use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::rc::Rc;

use torsade_core::Net;
use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use super::service::note_stop;
use super::{Service, ServiceError};

/// Several services as one: started in the order in which they were added, each when the one before
/// has, and stopped in reverse, each when the one after it has.
///
/// If one does not start, those that did are stopped again, and the start is rejected with its
/// error.
///
/// ```
/// use torsade_core::{Protocol, ToEndpoint, Transport, factory};
/// use torsade_service::{MultiService, ServerService, Service};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
///
/// let program = MultiService::new();
/// let echo = ServerService::new("127.0.0.1:8007", factory(|_| Echo));
/// program.add(echo.clone());
/// program.add(ServerService::new("127.0.0.1:8008", factory(|_| Echo)));
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// program.start(reactor.net()).detach();
/// assert_eq!(echo.address().unwrap().port(), Some(8007));
/// assert_eq!(reactor.listening().len(), 2);
/// program.stop().detach();
/// assert!(reactor.listening().is_empty());
/// ```
#[doc(alias = "IServiceCollection")]
#[doc(alias = "Application")]
#[derive(Clone, Default)]
pub struct MultiService(Rc<Several>);

#[derive(Default)]
struct Several {
    children: RefCell<Vec<Child>>,
    added: Cell<u64>,
    state: RefCell<State>,
}

#[derive(Clone)]
struct Child {
    /// Later ones have greater ones.
    number: u64,
    name: Option<String>,
    service: Rc<dyn Service>,
}

/// What it is about.
///
/// ```text
///          start              the last has started
///   Idle ---------> Starting ----------------------> Running
///     ^                |  one failed, stop              | stop
///     |                v                                v
///     +----------- Stopping <---------------------------+
///      the first has stopped
/// ```
#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// This one's start is being waited for.
    Starting(Option<Canceller>),
    Running(Net),
    /// Who waits for the end of it.
    Stopping(Vec<Resolver<(), Infallible>>),
}

impl MultiService {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add a service. If this one runs, it is started at once, and the Deferred is that of its
    /// start; one that fails is taken out again. Else it is started with the others, and the Deferred
    /// has resolved.
    #[doc(alias = "addService")]
    #[doc(alias = "setServiceParent")]
    pub fn add(&self, service: impl Service) -> Deferred<(), ServiceError> {
        let service = Rc::new(service);
        self.0.add(None, service)
    }

    /// Add a service by a name, to be [removed](Self::remove) by it.
    ///
    /// Rejected with [`ServiceError::Name`] if there is one of this name; the service is dropped.
    ///
    /// ```
    /// # use torsade_service::{MultiService, Service};
    /// let program = MultiService::new();
    /// program.add_named("web", MultiService::new()).detach();
    /// let twice = program.add_named("web", MultiService::new());
    /// assert_eq!(
    ///     twice.try_take().unwrap().unwrap_err().to_string(),
    ///     "there is a service \"web\" already",
    /// );
    /// ```
    #[doc(alias = "setName")]
    #[doc(alias = "getServiceNamed")]
    pub fn add_named(
        &self,
        name: impl Into<String>,
        service: impl Service,
    ) -> Deferred<(), ServiceError> {
        let name = name.into();
        let is_taken = |child: &Child| child.name.as_ref() == Some(&name);
        if self.0.children.borrow().iter().any(is_taken) {
            return Deferred::fail(ServiceError::Name(name));
        }
        let (name, service) = (Some(name), Rc::new(service));
        self.0.add(name, service)
    }

    /// Take the service of this name out, and stop it. Resolves when it has stopped, at once if
    /// there is none.
    #[doc(alias = "removeService")]
    #[doc(alias = "disownServiceParent")]
    pub fn remove(&self, name: &str) -> Deferred<(), Infallible> {
        let place = {
            let mut children = self.0.children.borrow_mut();
            let its = |child: &Child| child.name.as_deref() == Some(name);
            let place = children.iter().position(its);
            place.map(|place| children.remove(place))
        };
        match place {
            Some(child) => stop_one(child.service),
            None => Deferred::succeed(()),
        }
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.0.children.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all have started and nobody has stopped them.
    pub fn is_running(&self) -> bool {
        matches!(*self.0.state.borrow(), State::Running(_))
    }
}

impl Service for MultiService {
    fn start(&self, net: &Net) -> Deferred<(), ServiceError> {
        let refused = match *self.0.state.borrow() {
            State::Idle => None,
            State::Starting(_) | State::Running(_) => Some(ServiceError::Running),
            State::Stopping(_) => Some(ServiceError::Stopping),
        };
        if let Some(refused) = refused {
            return Deferred::fail(refused);
        }
        self.0.set(State::Starting(None));
        let (resolver, started) = Deferred::new();
        let weak = Rc::downgrade(&self.0);
        resolver.on_cancel(move || {
            if let Some(several) = weak.upgrade() {
                Self(several).stop().detach();
            }
        });
        Rc::clone(&self.0).start_next(net.clone(), 0, Vec::new(), resolver);
        started
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        let (resolver, stopped) = Deferred::new();
        match self.0.set(State::Idle) {
            State::Idle => resolver.resolve(()),
            State::Stopping(mut waiting) => {
                waiting.push(resolver);
                self.0.set(State::Stopping(waiting));
            }
            State::Running(_) => {
                self.0.set(State::Stopping(vec![resolver]));
                let all = self.0.children.borrow().clone();
                let all = all.into_iter().map(|child| child.service).collect();
                Rc::clone(&self.0).stop_last(all, None);
            }
            State::Starting(canceller) => {
                // What has started is stopped when the start that is given up says so.
                self.0.set(State::Stopping(vec![resolver]));
                if let Some(canceller) = canceller {
                    canceller.cancel();
                }
            }
        }
        stopped
    }
}

/// Who waits for a start, and with what it is to be rejected.
type Failed = (
    Resolver<(), ServiceError>,
    Result<(), Failure<ServiceError>>,
);

impl Several {
    /// The state before; nothing is dropped while it is borrowed.
    fn set(&self, state: State) -> State {
        mem::replace(&mut *self.state.borrow_mut(), state)
    }

    fn add(
        self: &Rc<Self>,
        name: Option<String>,
        service: Rc<dyn Service>,
    ) -> Deferred<(), ServiceError> {
        let number = self.added.get() + 1;
        self.added.set(number);
        self.children.borrow_mut().push(Child {
            number,
            name,
            service: Rc::clone(&service),
        });
        let net = match &*self.state.borrow() {
            State::Running(net) => net.clone(),
            _ => return Deferred::succeed(()),
        };
        let this = Rc::clone(self);
        let started = start_one(Rc::clone(&service), net);
        started.map_result(move |result| {
            if result.is_err() {
                let gone = this.take(&service);
                drop(gone);
            }
            result
        })
    }

    fn take(&self, service: &Rc<dyn Service>) -> Option<Child> {
        let mut children = self.children.borrow_mut();
        let its = |child: &Child| Rc::ptr_eq(&child.service, service);
        let place = children.iter().position(its)?;
        Some(children.remove(place))
    }

    /// Start the one after the one of this number.
    fn start_next(
        self: Rc<Self>,
        net: Net,
        last: u64,
        mut started: Vec<Rc<dyn Service>>,
        resolver: Resolver<(), ServiceError>,
    ) {
        let is_given_up = matches!(*self.state.borrow(), State::Stopping(_));
        if is_given_up {
            let failed = Err(ServiceError::Stopped.into());
            return self.stop_last(started, Some((resolver, failed)));
        }
        let next = {
            let children = self.children.borrow();
            let place = children.partition_point(|child| child.number <= last);
            let next = children.get(place);
            next.map(|child| (child.number, Rc::clone(&child.service)))
        };
        let Some((number, next)) = next else {
            drop(self.set(State::Running(net)));
            return resolver.resolve(());
        };
        let starting = start_one(Rc::clone(&next), net.clone());
        self.set_canceller(starting.canceller());
        starting.finish(move |result| match result {
            Ok(()) => {
                started.push(next);
                self.start_next(net, number, started, resolver);
            }
            Err(failure) => {
                let failure = match (&*self.state.borrow(), failure) {
                    (State::Stopping(_), Failure::Cancelled) => ServiceError::Stopped.into(),
                    (_, failure) => failure,
                };
                if matches!(*self.state.borrow(), State::Starting(_)) {
                    drop(self.set(State::Stopping(Vec::new())));
                }
                self.stop_last(started, Some((resolver, Err(failure))));
            }
        });
    }

    /// The start of one may be given up from now on; at once if that was asked for meanwhile.
    fn set_canceller(&self, canceller: Canceller) {
        if let State::Starting(place) = &mut *self.state.borrow_mut() {
            *place = Some(canceller);
            return;
        }
        canceller.cancel();
    }

    /// Stop the last of these, and then the others; then tell who waits.
    fn stop_last(self: Rc<Self>, mut left: Vec<Rc<dyn Service>>, failed: Option<Failed>) {
        let Some(last) = left.pop() else {
            if let State::Stopping(waiting) = self.set(State::Idle) {
                for resolver in waiting {
                    resolver.resolve(());
                }
            }
            if let Some((resolver, result)) = failed {
                resolver.settle(result);
            }
            return;
        };
        stop_one(last).finish(move |result| {
            note_stop(&result);
            self.stop_last(left, failed);
        });
    }
}

/// Panics become failures, so that the others are stopped all the same.
fn start_one(service: Rc<dyn Service>, net: Net) -> Deferred<(), ServiceError> {
    Deferred::attempt(move || service.start(&net))
}

fn stop_one(service: Rc<dyn Service>) -> Deferred<(), Infallible> {
    Deferred::attempt(move || service.stop())
}

impl fmt::Debug for MultiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.0.state.borrow() {
            State::Idle => "idle",
            State::Starting(_) => "starting",
            State::Running(_) => "running",
            State::Stopping(_) => "stopping",
        };
        f.debug_struct("MultiService")
            .field("state", &state)
            .field("services", &self.len())
            .finish()
    }
}
