//! [`Deferred`]: a result that comes later, and the chain of what happens then.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::canceller::Canceller;
use crate::failure::Failure;
use crate::guard;
use crate::pending;
use crate::queue;
use crate::resolver::{Resolver, Root};
use crate::state::{Failed, Outcome, Source, Trail, cancel_chain, drop_late};
use crate::step::{AndThen, End, Map, MapErr, MapResult, OrElse, Step, weak};

/// A result that comes later: a `T`, or a [`Failure<E>`].
///
/// It has one owner. Each combinator consumes it and returns the Deferred of the next step, whose
/// type may differ; [`finish`](Deferred::finish) ends the chain. It can also be awaited.
///
/// ```
/// use torsade_deferred::Deferred;
///
/// let (resolver, text) = Deferred::<&str, &str>::new();
/// let age = text
///     .and_then(|text| match text.parse::<u32>() {
///         Ok(age) => Deferred::succeed(age),
///         Err(_) => Deferred::fail("not a number"),
///     })
///     .map(|age| age + 1);
///
/// resolver.resolve("42");
/// assert_eq!(age.try_take().unwrap(), Ok(43));
/// ```
///
/// # When closures run
///
/// Never inside another callback. Within a turn of an event loop, a closure whose result is there
/// waits until the current callback has returned. Outside of one, the call that brings the result
/// (or attaches the closure to a result that is there) runs it, and all that follows from it, before
/// it returns. Chains of any length run, and are dropped, in constant stack.
///
/// # Dropping
///
/// Dropping a Deferred *detaches*: the work goes on and its value is dropped. An error that nobody
/// took is [reported](crate::report). To stop the work, [`cancel`](Deferred::cancel) it.
///
/// # Panics in closures
///
/// A closure that panics ends its step with [`Failure::Panicked`].
#[doc(alias = "Future")]
#[doc(alias = "Promise")]
#[doc(alias = "create_future")]
#[must_use = "a Deferred that is dropped lets its result go: `finish` it, or say `detach`"]
pub struct Deferred<T: 'static, E: 'static> {
    source: Rc<dyn Source<T, E>>,
}

impl<T: 'static, E: 'static> Deferred<T, E> {
    /// A result to come, and the [`Resolver`] that brings it.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, String>::new();
    /// resolver.resolve(7);
    /// assert_eq!(deferred.try_take().unwrap(), Ok(7));
    /// ```
    #[track_caller]
    pub fn new() -> (Resolver<T, E>, Self) {
        Self::new_at(Location::caller())
    }

    pub(crate) fn new_at(site: &'static Location<'static>) -> (Resolver<T, E>, Self) {
        let root = Rc::new(Root::pending(site));
        pending::note(&root, site);
        let deferred = Self::from_source(Rc::clone(&root) as Rc<dyn Source<T, E>>);
        (Resolver::new(root), deferred)
    }

    /// A result that is there already.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// assert_eq!(Deferred::<_, ()>::succeed(7).try_take().unwrap(), Ok(7));
    /// ```
    #[track_caller]
    pub fn succeed(value: T) -> Self {
        Self::from_outcome(Ok(value), Location::caller())
    }

    /// An error that is there already.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let refused = Deferred::<(), _>::fail("no");
    /// assert_eq!(refused.try_take().unwrap(), Err(Failure::Error("no")));
    /// ```
    #[track_caller]
    pub fn fail(error: E) -> Self {
        Self::settled(Err(Failure::Error(error)))
    }

    /// A result of either kind that is there already.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let late = Deferred::<(), ()>::settled(Err(Failure::TimedOut));
    /// assert_eq!(late.try_take().unwrap(), Err(Failure::TimedOut));
    /// ```
    #[track_caller]
    pub fn settled(result: Result<T, Failure<E>>) -> Self {
        let site = Location::caller();
        let trail = Trail::at(site);
        Self::from_outcome(result.map_err(|failure| Failed { failure, trail }), site)
    }

    /// Calls `f` at once and returns what it returns; a panic in it becomes
    /// [`Failure::Panicked`].
    ///
    /// For code that begins work by calling what it does not know.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let answer = Deferred::<u32, ()>::attempt(|| panic!("no plan"));
    /// assert!(matches!(answer.try_take().unwrap(), Err(Failure::Panicked(_))));
    /// ```
    #[doc(alias = "execute")]
    #[doc(alias = "maybeDeferred")]
    #[track_caller]
    pub fn attempt(f: impl FnOnce() -> Self) -> Self {
        guard::catch(f).unwrap_or_else(|panic| Self::settled(Err(Failure::Panicked(panic))))
    }

    /// Changes the value; a failure passes by.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let answer = Deferred::<_, ()>::succeed(21).map(|half| half * 2);
    /// assert_eq!(answer.try_take().unwrap(), Ok(42));
    /// ```
    #[doc(alias = "addCallback")]
    #[doc(alias = "then")]
    #[track_caller]
    pub fn map<U: 'static>(self, f: impl FnOnce(T) -> U + 'static) -> Deferred<U, E> {
        Step::attach(&self.source, Map(f), Location::caller())
    }

    /// Changes the error; a value, and every failure that is not an error, passes by.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let failed = Deferred::<(), _>::fail("no such user").map_err(str::len);
    /// assert_eq!(failed.try_take().unwrap(), Err(Failure::Error(12)));
    /// ```
    #[doc(alias = "addErrback")]
    #[track_caller]
    pub fn map_err<F: 'static>(self, f: impl FnOnce(E) -> F + 'static) -> Deferred<T, F> {
        Step::attach(&self.source, MapErr(f), Location::caller())
    }

    /// Starts more work with the value; the result is that work's. A failure passes by.
    ///
    /// A loop can be written as a recursion. It uses constant stack, and, as long as no
    /// [`Canceller`] points into its middle, constant memory.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// fn count_down(from: u32) -> Deferred<&'static str, ()> {
    ///     Deferred::succeed(from).and_then(|n| match n {
    ///         0 => Deferred::succeed("lift-off"),
    ///         n => count_down(n - 1),
    ///     })
    /// }
    /// assert_eq!(count_down(100_000).try_take().unwrap(), Ok("lift-off"));
    /// ```
    #[doc(alias = "addCallback")]
    #[doc(alias = "flatMap")]
    #[track_caller]
    pub fn and_then<U: 'static>(
        self,
        f: impl FnOnce(T) -> Deferred<U, E> + 'static,
    ) -> Deferred<U, E> {
        Step::attach(&self.source, AndThen(f), Location::caller())
    }

    /// Starts other work after any failure, [`Failure::Cancelled`] included; the result is that
    /// work's. A value passes by.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let page = Deferred::<_, &str>::fail("the cache is cold")
    ///     .or_else(|why| Deferred::<_, ()>::succeed(format!("fresh, as {why}")));
    /// assert_eq!(page.try_take().unwrap().unwrap(), "fresh, as the cache is cold");
    /// ```
    #[doc(alias = "addErrback")]
    #[doc(alias = "trap")]
    #[track_caller]
    pub fn or_else<F: 'static>(
        self,
        f: impl FnOnce(Failure<E>) -> Deferred<T, F> + 'static,
    ) -> Deferred<T, F> {
        Step::attach(&self.source, OrElse(f), Location::caller())
    }

    /// Changes the result, whatever it is.
    ///
    /// A failure that stays one is reported, should nobody take it, with the places where it began.
    /// The closure is called once in any case, after a cancellation with [`Failure::Cancelled`], and
    /// what it makes of that is dropped: it can tidy up, but not bring the work back.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let busy = Deferred::<u32, &str>::fail("busy");
    /// let told = busy.map_result(|result| match result {
    ///     Ok(seats) => Ok(format!("{seats} seats")),
    ///     Err(Failure::Error(why)) => Ok(format!("none, {why}")),
    ///     Err(other) => Err(other),
    /// });
    /// assert_eq!(told.try_take().unwrap().unwrap(), "none, busy");
    /// ```
    #[doc(alias = "addBoth")]
    #[doc(alias = "addCallbacks")]
    #[doc(alias = "finally")]
    #[track_caller]
    pub fn map_result<U: 'static, F: 'static>(
        self,
        f: impl FnOnce(Result<T, Failure<E>>) -> Result<U, Failure<F>> + 'static,
    ) -> Deferred<U, F> {
        let site = Location::caller();
        Step::attach(&self.source, MapResult(f, site), site)
    }

    /// Ends the chain: the closure takes the result, and with it the responsibility for an error.
    ///
    /// A panic in it has no result left to travel in, so it is caught and [reported](crate::report).
    /// Mind that in tests: an `assert!` in this closure prints, and fails nothing, unless the
    /// report sink does. [`try_take`](Deferred::try_take) brings the result out to where an
    /// `assert!` works.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let seen = Rc::new(Cell::new(None));
    /// let slot = Rc::clone(&seen);
    /// let (resolver, deferred) = Deferred::<u32, String>::new();
    /// deferred.finish(move |result| slot.set(Some(result)));
    /// drop(resolver);
    /// assert_eq!(seen.take(), Some(Err(Failure::Abandoned)));
    /// ```
    #[doc(alias = "addBoth")]
    #[doc(alias = "addCallbacks")]
    #[doc(alias = "add_done_callback")]
    #[track_caller]
    pub fn finish(self, f: impl FnOnce(Result<T, Failure<E>>) + 'static) {
        self.take_outcome(
            move |outcome| f(outcome.map_err(|failed| failed.failure)),
            Location::caller(),
        );
    }

    /// A handle that can cancel this work later, while the Deferred itself is consumed.
    ///
    /// It points at this link of the chain: what is attached afterwards sees `Cancelled` and may
    /// recover from it.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// let canceller = deferred.canceller();
    /// let deferred = deferred.or_else(|why| Deferred::<_, ()>::succeed(u32::from(why.is_cancelled())));
    /// canceller.cancel();
    /// assert!(resolver.is_cancelled());
    /// assert_eq!(deferred.try_take().unwrap(), Ok(1));
    /// ```
    #[doc(alias = "remove_done_callback")]
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.source.core().pin();
        Canceller::new(weak(&self.source))
    }

    /// Asks the work to stop, and lets go of it.
    ///
    /// See [`Canceller::cancel`] for what happens above. The `Cancelled` is not reported; an error
    /// that had come before is.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// resolver.on_cancel(|| println!("stopped"));
    /// deferred.cancel(); // prints "stopped"
    /// assert!(resolver.is_cancelled());
    /// ```
    pub fn cancel(self) {
        let _hold = queue::hold();
        cancel_chain(Rc::clone(&self.source) as _);
        drop(self);
    }

    /// Lets the work go on without a consumer: the same as `drop`, but says so.
    ///
    /// An error that comes is [reported](crate::report).
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// fn save() -> Deferred<(), String> {
    ///     Deferred::succeed(())
    /// }
    /// save().detach();
    /// ```
    pub fn detach(self) {
        drop(self);
    }

    /// Whether the result is there, so that a closure attached now need not wait for it.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// assert!(!deferred.is_settled());
    /// resolver.resolve(7);
    /// assert!(deferred.is_settled());
    /// # deferred.detach();
    /// ```
    #[doc(alias = "called")]
    #[doc(alias = "done")]
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.source.core().is_settled()
    }

    /// Takes the result out if it is there.
    ///
    /// Meant for tests, and for a fast path when work was done at once. Inside a turn, a result is
    /// there only after the queue has run.
    ///
    /// # Errors
    ///
    /// Gives the Deferred back, unchanged, while its result is pending.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// let deferred = deferred.try_take().unwrap_err(); // not yet
    /// resolver.resolve(7);
    /// assert_eq!(deferred.try_take().unwrap(), Ok(7));
    /// ```
    #[doc(alias = "result")]
    #[doc(alias = "successResultOf")]
    #[doc(alias = "failureResultOf")]
    #[doc(alias = "assertNoResult")]
    #[doc(alias = "exception")]
    pub fn try_take(self) -> Result<Result<T, Failure<E>>, Self> {
        match self.source.core().take() {
            Some(outcome) => Ok(outcome.map_err(|failed| failed.failure)),
            None => Err(self),
        }
    }

    /// Ends the chain in a closure of ours, which may tell a failure's trail apart.
    pub(crate) fn take_outcome(
        self,
        take: impl FnOnce(Outcome<T, E>) + 'static,
        site: &'static Location<'static>,
    ) {
        End::attach(&self.source, take, site);
    }

    pub(crate) fn from_source(source: Rc<dyn Source<T, E>>) -> Self {
        Self { source }
    }

    pub(crate) fn source(&self) -> &Rc<dyn Source<T, E>> {
        &self.source
    }

    /// Cancels work that was started after its consumer had been told `Cancelled`: also an error
    /// that is there already came too late for anybody.
    pub(crate) fn cancel_late(self) {
        match self.source.core().take() {
            Some(outcome) => drop_late(outcome),
            None => self.cancel(),
        }
    }

    fn from_outcome(outcome: Outcome<T, E>, site: &'static Location<'static>) -> Self {
        Self::from_source(Rc::new(Root::settled(outcome, site)))
    }
}

impl<T: 'static, E: 'static> Drop for Deferred<T, E> {
    fn drop(&mut self) {
        self.source.core().detach();
    }
}

impl<T: 'static, E: 'static> fmt::Debug for Deferred<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_settled() {
            "settled"
        } else {
            "pending"
        };
        write!(f, "Deferred({state})")
    }
}
