use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};

use torsade_deferred::{Deferred, Resolver};

use crate::link::{Ending, Link};
use crate::shared::Shared;
use crate::slots::Key;
use crate::stack::{Stack, stack};
use crate::timers::Action;
use crate::wire::Op;
use crate::{Address, AttemptId, ConnectError, Disconnect, Endpoint, Gone, Protocol, Transport};

/// An attempt to connect, through several addresses in order.
///
/// ```text
///             refused, more addresses          connected             filters ready
///   trying ---------------------------> trying ---------> reached -----------------> made: the
///      | refused, none left;                                 |                 Deferred resolves
///      | deadline; cancelled                                 | lost, cancelled
///      v                                                     v
///   over: the Deferred is rejected, the protocol dropped unmade
/// ```
pub(crate) trait Attempt {
    /// The driver reports a failure on the address that was being tried.
    fn refused(&self, shared: &Shared, error: io::Error);

    /// What the connection passes through.
    fn endpoint(&self) -> &Endpoint;

    /// Where it was asked for.
    fn site(&self) -> &'static Location<'static>;

    /// The connection is there; its filters are not ready.
    fn reach(&self, link: &Rc<Link>);

    /// The connection whose filters are not ready.
    fn reached(&self) -> Option<Rc<Link>>;

    /// That connection was lost.
    fn lost(&self, reason: &Disconnect);

    /// The connection is there, and ready: its stack of protocols.
    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>>;

    /// `connection_made` has been called: tell who asked.
    fn made(&self, link: &Rc<Link>);

    /// The deadline struck.
    fn timed_out(&self);

    /// The engine is going.
    fn gone(&self);

    fn take_deadline(&self) -> Option<Key>;
}

struct Connecting<P: Protocol> {
    id: AttemptId,
    current: RefCell<Address>,
    left: RefCell<VecDeque<Address>>,
    deadline: Cell<Option<Key>>,
    endpoint: Endpoint,
    reached: RefCell<Option<Rc<Link>>>,
    protocol: Cell<Option<P>>,
    resolver: Cell<Option<Resolver<Transport<P>, ConnectError>>>,
    site: &'static Location<'static>,
}

/// Begin to connect.
#[track_caller]
pub(crate) fn connect<P: Protocol>(
    shared: &Rc<Shared>,
    endpoint: Endpoint,
    protocol: P,
) -> Deferred<Transport<P>, ConnectError> {
    let mut left = VecDeque::from(endpoint.addresses().to_vec());
    let Some(first) = left.pop_front() else {
        return Deferred::fail(crate::EndpointError::Empty.into());
    };
    if !shared.is_alive() {
        return Deferred::fail(Gone.into());
    }
    let (resolver, deferred) = Deferred::new();
    let id = AttemptId(shared.attempts.borrow().next_key());
    let canceller = Rc::downgrade(shared);
    resolver.on_cancel(move || cancel(&canceller, id));
    let attempt = Rc::new(Connecting {
        id,
        current: RefCell::new(first.clone()),
        left: RefCell::new(left),
        deadline: Cell::new(None),
        endpoint,
        reached: RefCell::new(None),
        protocol: Cell::new(Some(protocol)),
        resolver: Cell::new(Some(resolver)),
        site: Location::caller(),
    });
    shared
        .attempts
        .borrow_mut()
        .insert(Rc::<Connecting<P>>::clone(&attempt));
    let timeout = shared.limits().connect_timeout;
    attempt
        .deadline
        .set(Some(shared.set_timer(timeout, Action::Attempt(id))));
    shared.ask(Op::Connect {
        attempt: id,
        address: first,
    });
    deferred
}

/// Take the attempt out: it is over.
pub(crate) fn take(shared: &Shared, id: AttemptId) -> Option<Rc<dyn Attempt>> {
    let attempt = shared.attempts.borrow_mut().remove(id.0)?;
    disarm(shared, &*attempt);
    Some(attempt)
}

/// Take the attempt out and end what it has come to.
pub(crate) fn give_up(shared: &Shared, id: AttemptId) -> Option<Rc<dyn Attempt>> {
    let attempt = take(shared, id)?;
    match attempt.reached() {
        None => shared.ask(Op::CancelConnect { attempt: id }),
        Some(link) => link.end(Disconnect::Aborted, Ending::Abrupt),
    }
    Some(attempt)
}

/// The connection is there; the attempt goes on until its filters are ready.
pub(crate) fn reach(shared: &Shared, id: AttemptId, link: &Rc<Link>) {
    let attempt = shared.attempts.borrow().get(id.0).cloned();
    if let Some(attempt) = attempt {
        disarm(shared, &*attempt);
        attempt.reach(link);
    }
}

fn disarm(shared: &Shared, attempt: &dyn Attempt) {
    if let Some(deadline) = attempt.take_deadline() {
        // One of ours: nothing of the user's is dropped.
        let _ = shared.timers.borrow_mut().remove(deadline);
    }
}

fn cancel(shared: &Weak<Shared>, id: AttemptId) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let attempt = give_up(&shared, id);
    drop(attempt);
}

impl<P: Protocol> Connecting<P> {
    fn reject(&self, error: ConnectError) {
        drop(self.protocol.take());
        if let Some(resolver) = self.resolver.take() {
            resolver.reject(error);
        }
    }
}

impl<P: Protocol> Attempt for Connecting<P> {
    fn refused(&self, shared: &Shared, error: io::Error) {
        let next = self.left.borrow_mut().pop_front();
        match next {
            Some(address) => {
                self.current.replace(address.clone());
                shared.ask(Op::Connect {
                    attempt: self.id,
                    address,
                });
            }
            None => {
                let address = self.current.borrow().clone();
                let this = take(shared, self.id);
                self.reject(ConnectError::System { address, error });
                drop(this);
            }
        }
    }

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn site(&self) -> &'static Location<'static> {
        self.site
    }

    fn reach(&self, link: &Rc<Link>) {
        self.reached.replace(Some(Rc::clone(link)));
    }

    fn reached(&self) -> Option<Rc<Link>> {
        self.reached.borrow().clone()
    }

    fn lost(&self, reason: &Disconnect) {
        self.reject(ConnectError::Handshake {
            address: self.current.borrow().clone(),
            reason: reason.clone(),
        });
    }

    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        // The queue may not have come to the hook that ends the attempt.
        let resolver = self.resolver.take();
        let cancelled = resolver.as_ref().is_some_and(Resolver::is_cancelled);
        self.resolver.set(resolver);
        if cancelled {
            return None;
        }
        Some(stack(self.protocol.take()?, link, link.outermost()))
    }

    fn made(&self, link: &Rc<Link>) {
        let Some(resolver) = self.resolver.take() else {
            return;
        };
        if resolver.is_cancelled() {
            // Inside `connection_made`: nobody has it, so nobody would end it.
            link.end(Disconnect::Aborted, Ending::Abrupt);
        }
        resolver.resolve(Transport::new(Rc::clone(link), link.outermost()));
    }

    fn timed_out(&self) {
        let address = self.current.borrow().clone();
        self.reject(ConnectError::TimedOut { address });
    }

    fn gone(&self) {
        drop(self.protocol.take());
        // Dropped, which is abandoned: no news to who has let go of the result as well.
        drop(self.resolver.take());
    }

    fn take_deadline(&self) -> Option<Key> {
        self.deadline.take()
    }
}
