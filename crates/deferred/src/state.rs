//! [`Core`]: the place where a result meets its consumer, and the outcome that passes through it.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::task::Waker;

use crate::failure::Failure;
use crate::guard;
use crate::queue;
use crate::report;

/// A result on its way down a chain.
pub(crate) type Outcome<T, E> = Result<T, Failed<E>>;

/// A failure and where it came from.
pub(crate) struct Failed<E> {
    pub(crate) failure: Failure<E>,
    pub(crate) trail: Trail,
}

/// What a report of an unhandled failure says of where it comes from.
#[derive(Clone, Copy)]
pub(crate) enum Trail {
    /// It began here.
    Begun {
        created: &'static Location<'static>,
        /// `None` when nobody rejected: a cancellation that was asked for, a resolver that was
        /// dropped.
        rejected: Option<&'static Location<'static>>,
    },
    /// A copy of a failure whose report is the affair of another copy.
    Copied,
}

impl Trail {
    /// Made and rejected by one call.
    pub(crate) fn at(site: &'static Location<'static>) -> Self {
        Self::Begun {
            created: site,
            rejected: Some(site),
        }
    }
}

impl<E: 'static> Failed<E> {
    /// A cancellation that was asked for: it is never reported.
    pub(crate) fn cancelled(created: &'static Location<'static>) -> Self {
        Self {
            failure: Failure::Cancelled,
            trail: Trail::Begun {
                created,
                rejected: None,
            },
        }
    }

    /// Nobody is left who could bring a result.
    pub(crate) fn abandoned(created: &'static Location<'static>) -> Self {
        Self {
            failure: Failure::Abandoned,
            trail: Trail::Begun {
                created,
                rejected: None,
            },
        }
    }

    /// Whether nobody is to be told, should it find no consumer.
    fn is_quiet(&self) -> bool {
        match self.trail {
            Trail::Begun { rejected, .. } => self.failure.is_cancelled() && rejected.is_none(),
            Trail::Copied => true,
        }
    }
}

/// Ends an outcome that has no consumer: a failure is reported, a value dropped.
pub(crate) fn let_go<T, E: 'static>(outcome: Outcome<T, E>) {
    match outcome {
        Ok(value) => guard::discard(value),
        Err(failed) if failed.is_quiet() || planted!("swallowed_error") => guard::discard(failed),
        Err(failed) => report::unhandled(failed),
    }
}

/// Ends an outcome that came after its consumer was told `Cancelled`. Nobody waits for it, so it
/// goes in silence; but a panic is a bug and is always said.
pub(crate) fn drop_late<T, E: 'static>(outcome: Outcome<T, E>) {
    match outcome {
        Err(failed) if matches!(failed.failure, Failure::Panicked(_)) => report::unhandled(failed),
        Ok(value) => guard::discard(value),
        Err(failed) => guard::discard(failed),
    }
}

/// What can be cancelled: a root, or a step of a chain.
pub(crate) trait Upstream {
    /// Cancels this one node and returns what it was waiting for, to be cancelled next.
    fn cancel(&self) -> Option<Rc<dyn Upstream>>;
}

/// Cancels a node and, link by link, whatever it waits for. A loop: a chain may have a million.
pub(crate) fn cancel_chain(first: Rc<dyn Upstream>) {
    let _hold = queue::hold();
    let mut next = Some(first);
    while let Some(node) = next {
        next = node.cancel();
    }
}

/// What a `Deferred` holds: a node that ends with a `T` or a failure.
pub(crate) trait Source<T, E>: Upstream {
    fn core(&self) -> &Core<T, E>;

    /// This node waits for `upstream` now, whose result will be its own.
    fn wait_for(&self, upstream: Weak<dyn Upstream>);
}

/// What consumes a node's result: the next step of the chain, or its end.
pub(crate) trait Receive<T, E> {
    /// Takes the outcome in and queues itself. Called once, with nothing borrowed.
    fn receive(self: Rc<Self>, outcome: Outcome<T, E>);
}

/// Where a result meets its consumer; whichever comes first waits for the other.
///
/// ```text
///                 settle                       consumer takes it, or goes
///   Pending(Open) ------------> Settled(outcome) ---------------------------> Done
///      |  |  |
///      |  |  +-- awaited ---> Pending(Awaited) -- settle: wake --> Settled
///      |  |
///      |  +-- combinator ---> Pending(Next | Forward) -- settle: passed on --> Done
///      |
///      +-- Deferred dropped -> Pending(Loose) -- settle: reported if a failure --> Done
/// ```
///
/// `Pending(Forward)` also becomes `Done` when the node's work goes on in yet another Deferred, which
/// then forwards to where this one did.
pub(crate) struct Core<T, E> {
    /// Borrowed to look and to swap, never while anything of the user's is called or dropped.
    state: RefCell<State<T, E>>,
    /// Set once a `Canceller` points at this node: it must stay reachable until it is settled.
    pinned: Cell<bool>,
}

enum State<T, E> {
    /// No result yet.
    Pending(Link<T, E>),
    /// The result waits for its consumer.
    Settled(Outcome<T, E>),
    /// The result was handed on, or dropped.
    Done,
}

/// Who waits for a pending result.
enum Link<T, E> {
    /// The `Deferred` exists, nothing is attached yet.
    Open,
    /// The next step, or the end, of the chain.
    Next(Rc<dyn Receive<T, E>>),
    /// A step whose closure returned this Deferred: this result is its result.
    Forward(Rc<dyn Source<T, E>>),
    /// A future that was polled.
    Awaited(Waker),
    /// Nobody: the `Deferred` was dropped, the work goes on.
    Loose,
}

impl<T: 'static, E: 'static> Core<T, E> {
    pub(crate) fn pending() -> Self {
        Self::with(State::Pending(Link::Open))
    }

    pub(crate) fn settled(outcome: Outcome<T, E>) -> Self {
        Self::with(State::Settled(outcome))
    }

    fn with(state: State<T, E>) -> Self {
        Self {
            state: RefCell::new(state),
            pinned: Cell::new(false),
        }
    }

    pub(crate) fn pin(&self) {
        self.pinned.set(true);
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.peek(|state| matches!(state, State::Pending(_)))
    }

    /// Whether a result would find nobody: the `Deferred` was dropped before it came.
    pub(crate) fn is_loose(&self) -> bool {
        self.peek(|state| matches!(state, State::Pending(Link::Loose)))
    }

    /// Whether the consumer could take the result now.
    pub(crate) fn is_settled(&self) -> bool {
        self.peek(|state| matches!(state, State::Settled(_)))
    }

    /// Brings the result. A second one is dropped: the first was a cancellation.
    ///
    /// A loop over the forwarding links, which may be a million for a recursion of `and_then`.
    pub(crate) fn settle(&self, outcome: Outcome<T, E>) {
        let mut outer = match self.take_link() {
            Some(Link::Forward(outer)) => outer,
            Some(link) => return self.settle_link(link, outcome),
            None => return drop_late(outcome),
        };
        loop {
            let core = outer.core();
            match core.take_link() {
                Some(Link::Forward(next)) => outer = next,
                Some(link) => return core.settle_link(link, outcome),
                None => return drop_late(outcome),
            }
        }
    }

    /// Who waits, if the result is pending; then it is so no longer.
    fn take_link(&self) -> Option<Link<T, E>> {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Pending(_) => match mem::replace(&mut *state, State::Done) {
                State::Pending(link) => Some(link),
                State::Settled(_) | State::Done => None,
            },
            State::Settled(_) | State::Done => None,
        }
    }

    fn settle_link(&self, link: Link<T, E>, outcome: Outcome<T, E>) {
        match link {
            Link::Open => self.put(State::Settled(outcome)),
            Link::Next(next) => next.receive(outcome),
            Link::Awaited(waker) => {
                self.put(State::Settled(outcome));
                // A waker is user code: it is called from the queue like everything else.
                queue::wake(waker);
            }
            // `settle` follows forwards itself; a loose end has nobody.
            Link::Forward(_) | Link::Loose => let_go(outcome),
        }
    }

    /// Attaches the next step; it receives a result that is already there at once.
    pub(crate) fn follow(&self, next: Rc<dyn Receive<T, E>>) {
        match self.take() {
            Some(outcome) => next.receive(outcome),
            // A Deferred has one owner and a combinator consumes it: then there is nobody else
            // who could wait, and a result that was handed on is not followed.
            None if self.is_pending() => self.put(State::Pending(Link::Next(next))),
            None => {}
        }
    }

    /// The `Deferred` is dropped: the work goes on, an error that is there is reported.
    pub(crate) fn detach(&self) {
        let left = {
            let mut state = self.state.borrow_mut();
            match &*state {
                State::Pending(Link::Open | Link::Awaited(_)) => {
                    mem::replace(&mut *state, State::Pending(Link::Loose))
                }
                State::Settled(_) => mem::replace(&mut *state, State::Done),
                // A combinator consumed it; the handle that goes now is an empty shell.
                State::Pending(_) | State::Done => return,
            }
        };
        match left {
            State::Settled(outcome) => let_go(outcome),
            State::Pending(Link::Awaited(waker)) => guard::discard(waker),
            State::Pending(_) | State::Done => {}
        }
    }

    /// Takes the result out, if it is there.
    pub(crate) fn take(&self) -> Option<Outcome<T, E>> {
        let mut state = self.state.borrow_mut();
        match &*state {
            State::Settled(_) => match mem::replace(&mut *state, State::Done) {
                State::Settled(outcome) => Some(outcome),
                State::Pending(_) | State::Done => None,
            },
            State::Pending(_) | State::Done => None,
        }
    }

    /// Registers a waker and returns the one it replaces; the outcome instead if it is there.
    pub(crate) fn awaited(&self, waker: Waker) -> Result<Option<Waker>, (Outcome<T, E>, Waker)> {
        if let Some(outcome) = self.take() {
            return Err((outcome, waker));
        }
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Done) {
            return Ok(Some(waker));
        }
        match mem::replace(&mut *state, State::Pending(Link::Awaited(waker))) {
            State::Pending(Link::Awaited(old)) => Ok(Some(old)),
            State::Pending(_) | State::Settled(_) | State::Done => Ok(None),
        }
    }

    /// Whether this very waker is registered.
    pub(crate) fn is_awaited_by(&self, waker: &Waker) -> bool {
        self.peek(|state| match state {
            State::Pending(Link::Awaited(registered)) => registered.will_wake(waker),
            _ => false,
        })
    }

    /// Gives up the node it forwards to, so that another can forward there directly; `None` if it
    /// does not forward, or must stay because a handle points at it.
    pub(crate) fn take_forward(&self) -> Option<Rc<dyn Source<T, E>>> {
        if self.pinned.get()
            || !self.peek(|state| matches!(state, State::Pending(Link::Forward(_))))
        {
            return None;
        }
        match self.take_link() {
            Some(Link::Forward(outer)) => Some(outer),
            _ => None,
        }
    }

    /// From now on, this node's result is `outer`'s. Only for a pending node.
    pub(crate) fn forward_to(&self, outer: Rc<dyn Source<T, E>>) {
        self.put(State::Pending(Link::Forward(outer)));
    }

    /// Sets the state where the one before holds nothing to drop.
    fn put(&self, state: State<T, E>) {
        let before = self.state.replace(state);
        debug_assert!(
            matches!(
                before,
                State::Done | State::Pending(Link::Open | Link::Loose)
            ),
            "a result or a consumer was overwritten"
        );
        // Spares the look for something to drop.
        mem::forget(before);
    }

    fn peek<R>(&self, look: impl FnOnce(&State<T, E>) -> R) -> R {
        look(&self.state.borrow())
    }
}
