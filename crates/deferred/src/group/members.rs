//! What a group can be made of: many of one type.

use std::convert::Infallible;
use std::panic::Location;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::state::{Failed, Outcome, Trail};

use super::joint::{Complete, Joining, Kept, Put};
use super::{AllFailed, Ending, Late, Rest};

/// What a [`Group`](super::Group) is made of: a `Vec` or an array of Deferreds of one type, or a
/// tuple of up to eight of any types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no group of Deferreds",
    note = "give a Vec, an array, or a tuple of Deferreds; `collect` an iterator into a Vec"
)]
pub trait Members: Sized {
    /// All results, each a `Result<T, Failure<E>>`: in a `Vec`, an array or a tuple, as the members
    /// were.
    type Results: 'static;

    #[doc(hidden)]
    fn listed(self, site: &'static Location<'static>) -> Deferred<Self::Results, Infallible>;
}

/// [`Members`] that fail alike, so that one error can be that of all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no group of Deferreds with one type of error",
    note = "bring the members to one type of error with `map_err`"
)]
pub trait Alike: Sized {
    /// All values: in a `Vec`, an array or a tuple, as the members were.
    type Values: 'static;
    /// The error that members end with.
    type Error: 'static;

    #[doc(hidden)]
    fn gathered<F: 'static>(
        self,
        ending: Ending,
        site: &'static Location<'static>,
        wrap: fn(usize, Failure<Self::Error>) -> Failure<F>,
    ) -> Deferred<Self::Values, F>;
}

impl<T: 'static, E: 'static> Members for Vec<Deferred<T, E>> {
    type Results = Vec<Result<T, Failure<E>>>;

    fn listed(self, site: &'static Location<'static>) -> Deferred<Self::Results, Infallible> {
        list_as(self, site, |results| results)
    }
}

impl<T: 'static, E: 'static, const N: usize> Members for [Deferred<T, E>; N] {
    type Results = [Result<T, Failure<E>>; N];

    fn listed(self, site: &'static Location<'static>) -> Deferred<Self::Results, Infallible> {
        list_as(self.into(), site, to_array)
    }
}

impl<T: 'static, E: 'static> Alike for Vec<Deferred<T, E>> {
    type Values = Vec<T>;
    type Error = E;

    fn gathered<F: 'static>(
        self,
        ending: Ending,
        site: &'static Location<'static>,
        wrap: fn(usize, Failure<E>) -> Failure<F>,
    ) -> Deferred<Vec<T>, F> {
        gather_as(self, ending, site, wrap, |values| values)
    }
}

impl<T: 'static, E: 'static, const N: usize> Alike for [Deferred<T, E>; N] {
    type Values = [T; N];
    type Error = E;

    fn gathered<F: 'static>(
        self,
        ending: Ending,
        site: &'static Location<'static>,
        wrap: fn(usize, Failure<E>) -> Failure<F>,
    ) -> Deferred<[T; N], F> {
        gather_as(self.into(), ending, site, wrap, to_array)
    }
}

/// As many as there were members.
fn to_array<V, const N: usize>(all: Vec<V>) -> [V; N] {
    let Ok(all) = all.try_into() else {
        unreachable!("a group has as many results as it has members");
    };
    all
}

/// What came of the members so far.
type Slots<T, E> = Rc<[Kept<T, E>]>;

fn slots<T: 'static, E: 'static>(members: &[Deferred<T, E>]) -> Slots<T, E> {
    members.iter().map(|_| Kept::default()).collect()
}

fn list_as<T: 'static, E: 'static, R: 'static>(
    members: Vec<Deferred<T, E>>,
    site: &'static Location<'static>,
    shape: fn(Vec<Result<T, Failure<E>>>) -> R,
) -> Deferred<R, Infallible> {
    let slots = slots(&members);
    let all = Rc::clone(&slots);
    let complete = move || {
        let results = all.iter().map(|kept| to_result(kept.take(site)));
        Ok(shape(results.collect()))
    };
    // A list waits for everybody: there is no rest, and nothing comes late but after a cancellation.
    let ending = Ending {
        rest: Rest::LetRun,
        late: Late::Report,
    };
    let joining = Joining::new(complete, ending, site);
    for (index, member) in members.into_iter().enumerate() {
        let slots = Rc::clone(&slots);
        joining.join(member, move |outcome| {
            slots[index].keep(outcome);
            Put::Kept
        });
    }
    joining.done()
}

fn gather_as<T: 'static, E: 'static, F: 'static, R: 'static>(
    members: Vec<Deferred<T, E>>,
    ending: Ending,
    site: &'static Location<'static>,
    wrap: fn(usize, Failure<E>) -> Failure<F>,
    shape: fn(Vec<T>) -> R,
) -> Deferred<R, F> {
    let slots = slots(&members);
    let all = Rc::clone(&slots);
    let complete = move || {
        let values = all.iter().map(|kept| kept.take(site));
        let values: Result<Vec<T>, _> = values.collect();
        values.map(shape).map_err(|failed| wrapped(failed, 0, wrap))
    };
    let joining = Joining::new(complete, ending, site);
    for (index, member) in members.into_iter().enumerate() {
        let slots = Rc::clone(&slots);
        joining.join(member, move |outcome| match outcome {
            Ok(value) => {
                slots[index].keep(Ok(value));
                Put::Kept
            }
            Err(failed) => Put::Ends(Err(wrapped(failed, index, wrap))),
        });
    }
    joining.done()
}

pub(super) fn race<T: 'static, E: 'static>(
    members: Vec<Deferred<T, E>>,
    ending: Ending,
    site: &'static Location<'static>,
) -> Deferred<(usize, T), AllFailed<E>> {
    let slots = slots(&members);
    let all = Rc::clone(&slots);
    let complete = move || {
        let failures = all.iter().filter_map(|kept| kept.take(site).err());
        let failures = failures.map(|failed| failed.failure).collect();
        Err(Failed {
            failure: Failure::Error(AllFailed { failures }),
            trail: Trail::at(site),
        })
    };
    // Once the race is won, who else fails is no news.
    let ending = Ending {
        late: Late::Consume,
        ..ending
    };
    let joining = Joining::new(complete, ending, site);
    for (index, member) in members.into_iter().enumerate() {
        let slots = Rc::clone(&slots);
        joining.join(member, move |outcome| match outcome {
            Ok(value) => {
                slots.iter().for_each(Kept::forget);
                Put::Ends(Ok((index, value)))
            }
            failed @ Err(_) => {
                slots[index].keep(failed);
                Put::Kept
            }
        });
    }
    joining.done()
}

impl<U, F, C: FnOnce() -> Outcome<U, F>> Complete<U, F> for C {
    fn complete(self: Box<Self>) -> Outcome<U, F> {
        self()
    }
}

pub(super) fn to_result<T, E>(outcome: Outcome<T, E>) -> Result<T, Failure<E>> {
    outcome.map_err(|failed| failed.failure)
}

pub(super) fn wrapped<E, F>(
    failed: Failed<E>,
    index: usize,
    wrap: fn(usize, Failure<E>) -> Failure<F>,
) -> Failed<F> {
    Failed {
        failure: wrap(index, failed.failure),
        trail: failed.trail,
    }
}
