//! [`Shared`]: one result for several readers.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::Rc;

use crate::canceller::Canceller;
use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::guard;
use crate::queue;
use crate::resolver::Resolver;
use crate::state::{Failed, Outcome, Trail, let_go};

/// A result that several want to have: made by [`Deferred::share`], and each reader is given its own
/// Deferred by [`get`](Self::get).
///
/// A reader that cancels its Deferred, or drops it, takes nothing from the others and does not stop
/// the work; [`cancel`](Self::cancel) does. Dropping all handles and readers lets the work go on.
///
/// An error is reported once, if nobody takes it: the first reader has the error, the others have
/// copies, which are let go in silence.
///
/// ```
/// use torsade_deferred::Deferred;
///
/// let (resolver, page) = Deferred::<&str, ()>::new();
/// let page = page.share();
/// let (ann, bob) = (page.get(), page.get());
/// ann.cancel(); // Bob still wants it
/// resolver.resolve("hello");
/// assert_eq!(bob.try_take().unwrap(), Ok("hello"));
/// assert_eq!(page.get().try_take().unwrap(), Ok("hello")); // also later
/// ```
#[doc(alias = "shield")]
#[derive(Clone)]
pub struct Shared<T: Clone + 'static, E: Clone + 'static> {
    source: Rc<Source<T, E>>,
    canceller: Canceller,
}

impl<T: Clone + 'static, E: Clone + 'static> Deferred<T, E> {
    /// Makes the result available to several readers.
    ///
    /// It is cloned for each of them. An error that cannot be cloned is made so with
    /// [`map_err(Rc::new)`](Deferred::map_err).
    ///
    /// ```
    /// use std::rc::Rc;
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    /// let shared = Deferred::<(), _>::fail(broken).map_err(Rc::new).share();
    /// for _ in 0..2 {
    ///     assert!(matches!(shared.get().try_take().unwrap(), Err(Failure::Error(_))));
    /// }
    /// ```
    #[track_caller]
    pub fn share(self) -> Shared<T, E> {
        let site = Location::caller();
        let source = Rc::new(Source {
            state: RefCell::new(State::Waiting(Vec::new())),
            told: Cell::new(false),
        });
        let canceller = self.canceller();
        let told = Rc::clone(&source);
        self.take_outcome(move |outcome| told.came(outcome), site);
        Shared { source, canceller }
    }
}

impl<T: Clone + 'static, E: Clone + 'static> Shared<T, E> {
    /// The result, for one reader.
    ///
    /// A panic in `clone` is that reader's [`Failure::Panicked`].
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let shared = Deferred::<_, ()>::succeed(7).share();
    /// assert_eq!(shared.get().try_take().unwrap(), Ok(7));
    /// ```
    #[track_caller]
    pub fn get(&self) -> Deferred<T, E> {
        let (resolver, deferred) = Deferred::new();
        let _hold = queue::hold();
        let resolver = match &mut *self.source.state.borrow_mut() {
            State::Waiting(readers) => {
                readers.push(resolver);
                return deferred;
            }
            State::There(_) => resolver,
        };
        self.source.tell(resolver);
        deferred
    }

    /// Whether the result is there.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// let shared = deferred.share();
    /// assert!(!shared.is_settled());
    /// resolver.resolve(7);
    /// assert!(shared.is_settled());
    /// ```
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(*self.source.state.borrow(), State::There(_))
    }

    /// Asks the work to stop: all readers see [`Failure::Cancelled`]. Does nothing once the result
    /// is there.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// let shared = deferred.share();
    /// let reader = shared.get();
    /// shared.cancel();
    /// assert!(resolver.is_cancelled());
    /// assert_eq!(reader.try_take().unwrap(), Err(Failure::Cancelled));
    /// ```
    pub fn cancel(&self) {
        self.canceller.cancel();
    }
}

impl<T: Clone + 'static, E: Clone + 'static> fmt::Debug for Shared<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.source.state.borrow() {
            State::Waiting(readers) => write!(f, "Shared(pending, {} readers)", readers.len()),
            State::There(_) => f.write_str("Shared(settled)"),
        }
    }
}

struct Source<T: 'static, E: 'static> {
    state: RefCell<State<T, E>>,
    /// Whether a reader has the error, so that it is no longer ours to report.
    told: Cell<bool>,
}

/// `Waiting(readers) -- the result comes --> There(result)`
enum State<T: 'static, E: 'static> {
    Waiting(Vec<Resolver<T, E>>),
    /// For those who read later. Kept apart, so that it can be cloned with nothing borrowed.
    There(Rc<There<T, E>>),
}

struct There<T, E> {
    result: Result<T, Failure<E>>,
    trail: Trail,
}

impl<T: Clone + 'static, E: Clone + 'static> Source<T, E> {
    fn came(&self, outcome: Outcome<T, E>) {
        let there = Rc::new(match outcome {
            Ok(value) => There {
                result: Ok(value),
                trail: Trail::Copied,
            },
            Err(Failed { failure, trail }) => There {
                result: Err(failure),
                trail,
            },
        });
        let waiting = mem::replace(&mut *self.state.borrow_mut(), State::There(there));
        if let State::Waiting(readers) = waiting {
            readers.into_iter().for_each(|reader| self.tell(reader));
        }
    }

    fn tell(&self, reader: Resolver<T, E>) {
        let there = match &*self.state.borrow() {
            State::There(there) => Rc::clone(there),
            State::Waiting(_) => return,
        };
        // Who cancelled has no use for it, and does not answer for the error.
        if reader.is_cancelled() {
            return;
        }
        match guard::catch(|| there.result.clone()) {
            Ok(Ok(value)) => reader.resolve(value),
            Ok(Err(failure)) => {
                let trail = if self.told.replace(true) {
                    Trail::Copied
                } else {
                    there.trail
                };
                reader.bring(Err(Failed { failure, trail }));
            }
            Err(panic) => reader.settle(Err(Failure::Panicked(panic))),
        }
    }
}

impl<T: 'static, E: 'static> Drop for Source<T, E> {
    /// An error that no reader ever saw has found nobody.
    fn drop(&mut self) {
        let state = mem::replace(self.state.get_mut(), State::Waiting(Vec::new()));
        if let State::There(there) = state
            && let Some(There { result, trail }) = Rc::into_inner(there)
        {
            match result {
                Ok(value) => guard::discard(value),
                Err(failure) if self.told.get() => guard::discard(failure),
                Err(failure) => let_go::<T, E>(Err(Failed { failure, trail })),
            }
        }
    }
}
