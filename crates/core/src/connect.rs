use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};

use torsade_deferred::{Deferred, Failure, Resolver};

use crate::layer::Place;
use crate::link::Link;
use crate::shared::Shared;
use crate::slots::Key;
use crate::stack::{Stack, stack};
use crate::timers::Action;
use crate::wire::Op;
use crate::{AttemptId, ConnectError, Gone, Protocol, Transport};

/// An attempt to connect, through several addresses in order.
///
/// ```text
///             refused, more addresses          connected
///   trying ---------------------------> trying ---------> made: the Deferred resolves
///      | refused, none left; deadline; cancelled
///      v
///   over: the Deferred is rejected, the protocol dropped unmade
/// ```
pub(crate) trait Attempt {
    /// The driver reports a failure on the address that was being tried.
    fn refused(&self, shared: &Shared, error: io::Error);

    /// The connection is there: its stack of protocols.
    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>>;

    /// `connection_made` has been called: tell who asked.
    fn made(&self, link: &Rc<Link>);

    /// The deadline struck.
    fn timed_out(&self);

    /// The engine is going.
    fn gone(&self);

    fn deadline(&self) -> Option<Key>;
}

struct Connecting<P: Protocol> {
    id: AttemptId,
    current: Cell<SocketAddr>,
    left: RefCell<VecDeque<SocketAddr>>,
    deadline: Cell<Option<Key>>,
    protocol: Cell<Option<P>>,
    resolver: Cell<Option<Resolver<Transport<P>, ConnectError>>>,
}

/// Begin to connect.
pub(crate) fn connect<P: Protocol>(
    shared: &Rc<Shared>,
    addresses: Vec<SocketAddr>,
    protocol: P,
) -> Deferred<Transport<P>, ConnectError> {
    let mut left = VecDeque::from(addresses);
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
        current: Cell::new(first),
        left: RefCell::new(left),
        deadline: Cell::new(None),
        protocol: Cell::new(Some(protocol)),
        resolver: Cell::new(Some(resolver)),
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
    if let Some(deadline) = attempt.deadline() {
        let action = shared.timers.borrow_mut().remove(deadline);
        drop(action);
    }
    Some(attempt)
}

fn cancel(shared: &Weak<Shared>, id: AttemptId) {
    let Some(shared) = shared.upgrade() else {
        return;
    };
    if let Some(attempt) = take(&shared, id) {
        shared.ask(Op::CancelConnect { attempt: id });
        drop(attempt);
    }
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
                self.current.set(address);
                shared.ask(Op::Connect {
                    attempt: self.id,
                    address,
                });
            }
            None => {
                let address = self.current.get();
                let this = take(shared, self.id);
                self.reject(ConnectError::System { address, error });
                drop(this);
            }
        }
    }

    fn connected(&self, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        Some(stack(self.protocol.take()?, link, link.epoch()))
    }

    fn made(&self, link: &Rc<Link>) {
        if let Some(resolver) = self.resolver.take() {
            let place = Place {
                epoch: link.epoch(),
                depth: 0,
            };
            resolver.resolve(Transport::new(Rc::clone(link), place));
        }
    }

    fn timed_out(&self) {
        let address = self.current.get();
        self.reject(ConnectError::TimedOut { address });
    }

    fn gone(&self) {
        drop(self.protocol.take());
        if let Some(resolver) = self.resolver.take() {
            resolver.settle(Err(Failure::Abandoned));
        }
    }

    fn deadline(&self) -> Option<Key> {
        self.deadline.get()
    }
}
