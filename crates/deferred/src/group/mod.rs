//! [`Group`]: several Deferreds as one.

mod joint;
mod members;
mod tuples;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::panic::Location;

use crate::deferred::Deferred;
use crate::failure::Failure;

pub use self::members::{Alike, Members};

/// Several Deferreds whose results are wanted as one.
///
/// Members are a `Vec`, an array, or a tuple of up to eight, which may be of different types. Of
/// anything else that can be iterated, collect a `Vec`. The functions [`list`], [`gather`] and
/// [`race`] do the same with the usual settings.
///
/// # When a group ends early
/// `gather` ends with the first failure and `race` with the first value; then the other members are
/// cancelled. That is what one nearly always wants and what Twisted does not do for
/// `gatherResults`; [`let_rest_run`](Self::let_rest_run) is Twisted's way.
///
/// Cancelling the Deferred of a group cancels all its members, unless it has ended.
///
/// # Errors that come too late
/// An error of a member that comes after the group has ended, and that is not the cancellation, is
/// [reported](crate::report), like any error that nobody took. (In a `race` that was won, errors
/// are no news: they go in silence.) [`consume_errors`](Self::consume_errors) lets them all go.
///
/// ```
/// use torsade_deferred::{Deferred, Failure, Group};
///
/// let (resolver, slow) = Deferred::<u32, &str>::new();
/// let all = Group::of([slow, Deferred::fail("no")]).let_rest_run().gather();
/// assert_eq!(all.try_take().unwrap(), Err(Failure::Error("no")));
/// assert!(!resolver.is_cancelled()); // it goes on for its own sake
/// # resolver.resolve(1);
/// ```
#[doc(alias = "DeferredList")]
#[derive(Debug)]
#[must_use = "a group does nothing until it is asked for its result"]
pub struct Group<M> {
    members: M,
    ending: Ending,
}

/// What becomes of the members that a group no longer needs.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    rest: Rest,
    late: Late,
}

/// Members without a result, when the group has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Cancel,
    LetRun,
}

/// Errors that come when the group has its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    Report,
    Consume,
}

impl<M> Group<M> {
    /// A group of these.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Group};
    ///
    /// let squares: Vec<_> = (1..=3).map(|n| Deferred::<u32, ()>::succeed(n * n)).collect();
    /// assert_eq!(Group::of(squares).gather().try_take().unwrap(), Ok(vec![1, 4, 9]));
    /// ```
    pub fn of(members: M) -> Self {
        let ending = Ending {
            rest: Rest::Cancel,
            late: Late::Report,
        };
        Self { members, ending }
    }

    /// When the group ends early, the other members go on, as in Twisted.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Group};
    ///
    /// let (resolver, slow) = Deferred::<&str, ()>::new();
    /// let first = Group::of([slow, Deferred::succeed("quick")]).let_rest_run().race();
    /// assert_eq!(first.try_take().unwrap().unwrap(), (1, "quick"));
    /// assert!(!resolver.is_cancelled());
    /// # resolver.resolve("slow");
    /// ```
    pub fn let_rest_run(mut self) -> Self {
        self.ending.rest = Rest::LetRun;
        self
    }

    /// Errors that come after the group has ended are not reported.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::{Deferred, Group, report};
    ///
    /// let reports = Rc::new(Cell::new(0));
    /// let count = reports.clone();
    /// report::set_sink(Some(Rc::new(move |_| count.set(count.get() + 1))));
    ///
    /// // The connection went, and with it both calls.
    /// let calls = || [Deferred::<(), _>::fail("lost"), Deferred::fail("lost")];
    /// Group::of(calls()).consume_errors().gather().finish(|_| ());
    /// assert_eq!(reports.get(), 0);
    /// Group::of(calls()).gather().finish(|_| ());
    /// assert_eq!(reports.get(), 1); // the second error, which nobody took
    /// ```
    #[doc(alias = "consumeErrors")]
    pub fn consume_errors(mut self) -> Self {
        self.ending.late = Late::Consume;
        self
    }
}

impl<M: Members> Group<M> {
    /// All results, values and failures, in the order of the members.
    ///
    /// See [`list`].
    #[track_caller]
    pub fn list(self) -> Deferred<M::Results, Infallible> {
        self.members.listed(Location::caller())
    }
}

impl<M: Alike> Group<M> {
    /// All values, in the order of the members; or the first failure, unchanged.
    ///
    /// See [`gather`].
    #[doc(alias = "gatherResults")]
    #[track_caller]
    pub fn gather(self) -> Deferred<M::Values, M::Error> {
        let site = Location::caller();
        self.members
            .gathered(self.ending, site, |_, failure| failure)
    }

    /// Like [`gather`](Self::gather); the failure says which member it was.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure, Group};
    ///
    /// let parts = [Deferred::<u32, &str>::succeed(1), Deferred::fail("no such part")];
    /// let Err(Failure::Error(error)) = Group::of(parts).first_error().try_take().unwrap() else {
    ///     unreachable!()
    /// };
    /// assert_eq!(error.index, 1);
    /// assert_eq!(error.to_string(), "number 1: no such part");
    /// ```
    #[doc(alias = "fireOnOneErrback")]
    #[doc(alias = "FirstError")]
    #[track_caller]
    pub fn first_error(self) -> Deferred<M::Values, FirstError<M::Error>> {
        let site = Location::caller();
        self.members.gathered(self.ending, site, |index, failure| {
            Failure::Error(FirstError { index, failure })
        })
    }
}

impl<T: 'static, E: 'static, I: IntoIterator<Item = Deferred<T, E>>> Group<I> {
    /// The first value, and which member it came from; or all failures, if there is no value.
    ///
    /// See [`race`].
    #[doc(alias = "fireOnOneCallback")]
    #[track_caller]
    pub fn race(self) -> Deferred<(usize, T), AllFailed<E>> {
        let members = self.members.into_iter().collect();
        members::race(members, self.ending, Location::caller())
    }
}

/// All results of the members, in their order, once the last is there. It never fails by itself.
///
/// Who takes the list takes the errors in it. A list whose Deferred was dropped has no taker: then
/// the errors of its members are [reported](crate::report).
///
/// ```
/// use torsade_deferred::{Deferred, Failure, list};
///
/// let (resolver, name) = Deferred::<&str, ()>::new();
/// let both = list((name, Deferred::<u32, _>::fail("no age")));
/// resolver.resolve("Ada");
/// let (name, age) = both.try_take().unwrap().unwrap();
/// assert_eq!(name, Ok("Ada"));
/// assert_eq!(age, Err(Failure::Error("no age")));
/// ```
#[doc(alias = "DeferredList")]
#[doc(alias = "allSettled")]
#[track_caller]
pub fn list<M: Members>(members: M) -> Deferred<M::Results, Infallible> {
    Group::of(members).list()
}

/// All values of the members, in their order, once the last is there; or the first failure, as soon
/// as it comes. Then the other members are cancelled.
///
/// ```
/// use torsade_deferred::{Deferred, Failure, gather};
///
/// let (resolver, name) = Deferred::<&str, &str>::new();
/// let both = gather((name, Deferred::succeed(36)));
/// resolver.resolve("Ada");
/// assert_eq!(both.try_take().unwrap(), Ok(("Ada", 36)));
///
/// let (resolver, name) = Deferred::<&str, &str>::new();
/// let both = gather((name, Deferred::<u32, _>::fail("no age")));
/// assert_eq!(both.try_take().unwrap(), Err(Failure::Error("no age")));
/// assert!(resolver.is_cancelled()); // nobody needs it now
/// ```
#[doc(alias = "gatherResults")]
#[doc(alias = "TaskGroup")]
#[track_caller]
pub fn gather<M: Alike>(members: M) -> Deferred<M::Values, M::Error> {
    Group::of(members).gather()
}

/// The first value that comes, and the number of its member; the others are cancelled. If none of
/// them succeeds, all failures in the order of the members; so a race of nobody fails at once.
///
/// ```
/// use torsade_deferred::{Deferred, Failure, race};
///
/// let (resolver, mirror) = Deferred::<&str, &str>::new();
/// let page = race([Deferred::fail("is down"), mirror, Deferred::new().1]);
/// resolver.resolve("hello");
/// assert_eq!(page.try_take().unwrap().unwrap(), (1, "hello"));
///
/// let Err(Failure::Error(all)) = race([Deferred::<(), _>::fail("no")]).try_take().unwrap() else {
///     unreachable!()
/// };
/// assert_eq!(all.failures, [Failure::Error("no")]);
/// ```
#[doc(alias = "firstCompleted")]
#[doc(alias = "select")]
#[track_caller]
pub fn race<T: 'static, E: 'static>(
    members: impl IntoIterator<Item = Deferred<T, E>>,
) -> Deferred<(usize, T), AllFailed<E>> {
    Group::of(members).race()
}

/// The failure that ended a [`first_error`](Group::first_error), and whose it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FirstError<E> {
    /// The member's number, from 0.
    pub index: usize,
    /// What it failed with.
    pub failure: Failure<E>,
}

impl<E: fmt::Display> fmt::Display for FirstError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {}: {}", self.index, self.failure)
    }
}

impl<E: Error + 'static> Error for FirstError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failure.source()
    }
}

/// A [`race`] that nobody won.
#[doc(alias = "FailureGroup")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllFailed<E> {
    /// What the members failed with, in their order. Empty if there were none.
    pub failures: Vec<Failure<E>>,
}

impl<E: fmt::Display> fmt::Display for AllFailed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failures[..] {
            [] => f.write_str("there was nobody to succeed"),
            [first, rest @ ..] => {
                write!(f, "all failed: {first}")?;
                rest.iter().try_for_each(|failure| write!(f, "; {failure}"))
            }
        }
    }
}

impl<E: Error + 'static> Error for AllFailed<E> {}
