//! The links of a chain: [`Step`] for the combinators, [`End`] for `finish`.

use std::cell::Cell;
use std::mem;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::guard;
use crate::queue::{self, Job};
use crate::report::{self, Report};
use crate::state::{Core, Failed, Outcome, Receive, Source, Trail, Upstream, drop_late, let_go};

/// What a combinator does with the outcome of the step before.
pub(crate) trait Combine<T, E, U, F>: 'static {
    fn apply(self, input: Outcome<T, E>) -> Next<U, F>;
}

/// What came out of a combinator's closure.
pub(crate) enum Next<U: 'static, F: 'static> {
    Outcome(Outcome<U, F>),
    /// The result is that of this Deferred.
    Inner(Deferred<U, F>),
}

/// One link of a chain, in one allocation: consumer of the link before, job of the queue, and source
/// of the next.
///
/// ```text
///            outcome comes         queue runs it             closure returned
///   Waiting ---------------> Ready --------------> Running ------------------> Done
///                                                     |
///                                                     | closure returned a Deferred
///                                                     +-----------------------> Following
/// ```
///
/// `cancelled` says in which of two lives the step is. Once set, the outcome is `Cancelled` whatever
/// the closure returns, and everything that it waits for was told.
pub(crate) struct Step<T: 'static, E: 'static, U: 'static, F: 'static, C> {
    phase: Cell<Phase<T, E, C>>,
    cancelled: Cell<bool>,
    output: Core<U, F>,
    site: &'static Location<'static>,
}

enum Phase<T, E, C> {
    Waiting {
        combine: C,
        upstream: Weak<dyn Upstream>,
    },
    Ready {
        combine: C,
        input: Outcome<T, E>,
    },
    Running,
    Following(Weak<dyn Upstream>),
    Done,
}

impl<T, E, U, F, C: Combine<T, E, U, F>> Step<T, E, U, F, C> {
    /// Attaches a combinator to `source` and returns the Deferred of what comes out of it.
    pub(crate) fn attach(
        source: &Rc<dyn Source<T, E>>,
        combine: C,
        site: &'static Location<'static>,
    ) -> Deferred<U, F> {
        let step = Rc::new(Self {
            phase: Cell::new(Phase::Waiting {
                combine,
                upstream: weak(source),
            }),
            cancelled: Cell::new(false),
            output: Core::pending(),
            site,
        });
        let deferred = Deferred::from_source(Rc::clone(&step) as Rc<dyn Source<U, F>>);
        source.core().follow(step);
        deferred
    }

    /// Sets the phase where the one before holds nothing to drop.
    fn enter(&self, phase: Phase<T, E, C>) {
        match self.phase.replace(phase) {
            // Spares the look for something to drop.
            before @ (Phase::Running | Phase::Done) => mem::forget(before),
            before => drop(before),
        }
    }

    fn run_ready(self: Rc<Self>, combine: C, input: Outcome<T, E>) {
        let input = if self.cancelled.get() {
            // It came before the cancellation did: an error that is here was never taken.
            let_go(input);
            Err(Failed::cancelled(self.site))
        } else {
            input
        };
        let next = guard::catch(|| combine.apply(input)).unwrap_or_else(|panic| {
            Next::Outcome(Err(Failed {
                failure: Failure::Panicked(panic),
                trail: Trail::at(self.site),
            }))
        });
        self.enter(Phase::Done);
        if self.cancelled.get() {
            match next {
                Next::Outcome(outcome) => drop_late(outcome),
                Next::Inner(inner) => inner.cancel_late(),
            }
            self.output.settle(Err(Failed::cancelled(self.site)));
            return;
        }
        match next {
            Next::Outcome(outcome) => self.output.settle(outcome),
            Next::Inner(inner) => self.continue_in(&inner),
        }
    }

    /// The rest of this step's work is `inner`'s.
    ///
    /// If this step was itself the rest of another one's work, and no handle points at it, it steps
    /// aside: a loop written as a recursion of `and_then` runs for ever in constant memory.
    fn continue_in(self: Rc<Self>, inner: &Deferred<U, F>) {
        let inner = inner.source();
        if let Some(outcome) = inner.core().take() {
            return self.output.settle(outcome);
        }
        let own: Rc<dyn Source<U, F>> = Rc::clone(&self) as _;
        if Rc::ptr_eq(&own, inner) {
            // The closure returned the very Deferred that it is to settle.
            return self.output.settle(Err(Failed::abandoned(self.site)));
        }
        let outer = self.output.take_forward().unwrap_or(own);
        outer.wait_for(weak(inner));
        inner.core().forward_to(outer);
    }
}

impl<T, E, U, F, C: Combine<T, E, U, F>> Job for Step<T, E, U, F, C> {
    fn run(self: Rc<Self>) {
        match self.phase.replace(Phase::Running) {
            Phase::Ready { combine, input } => self.run_ready(combine, input),
            other => self.phase.set(other),
        }
    }
}

impl<T, E, U, F, C: Combine<T, E, U, F>> Receive<T, E> for Step<T, E, U, F, C> {
    fn receive(self: Rc<Self>, input: Outcome<T, E>) {
        match self.phase.replace(Phase::Done) {
            Phase::Waiting { combine, .. } => {
                self.enter(Phase::Ready { combine, input });
                queue::push(self);
            }
            other => {
                self.phase.set(other);
                drop_late(input);
            }
        }
    }
}

impl<T, E, U, F, C: Combine<T, E, U, F>> Source<U, F> for Step<T, E, U, F, C> {
    fn core(&self) -> &Core<U, F> {
        &self.output
    }

    fn wait_for(&self, upstream: Weak<dyn Upstream>) {
        self.enter(Phase::Following(upstream));
    }
}

impl<T: 'static, E: 'static, U: 'static, F: 'static, C> Upstream for Step<T, E, U, F, C> {
    fn cancel(&self) -> Option<Rc<dyn Upstream>> {
        // What was cancelled before has told those above; asking again could go round a circle.
        if !self.output.is_pending() || self.cancelled.replace(true) {
            return None;
        }
        let phase = self.phase.replace(Phase::Done);
        let next = match &phase {
            Phase::Waiting { upstream, .. } | Phase::Following(upstream) => upstream.upgrade(),
            Phase::Ready { .. } | Phase::Running | Phase::Done => None,
        };
        self.phase.set(phase);
        next
    }
}

impl<T: 'static, E: 'static, U: 'static, F: 'static, C> Drop for Step<T, E, U, F, C> {
    /// A step that goes without having run (the thread ended) still ends its chain, and by the
    /// queue: the steps behind it are not dropped one inside the other.
    fn drop(&mut self) {
        match self.phase.replace(Phase::Done) {
            Phase::Ready { combine, input } => {
                guard::discard(combine);
                let_go(input);
            }
            Phase::Waiting { combine, .. } => guard::discard(combine),
            Phase::Running | Phase::Following(_) | Phase::Done => {}
        }
        if self.output.is_pending() {
            self.output.settle(Err(Failed::abandoned(self.site)));
        }
    }
}

/// The end of a chain: takes the outcome, and with it the responsibility.
///
/// ```text
///            outcome comes         queue runs it
///   Waiting ---------------> Ready --------------> Done
/// ```
pub(crate) struct End<T: 'static, E: 'static, G> {
    phase: Cell<EndPhase<T, E, G>>,
    site: &'static Location<'static>,
}

enum EndPhase<T, E, G> {
    Waiting(G),
    Ready(G, Outcome<T, E>),
    Done,
}

impl<T, E, G: FnOnce(Outcome<T, E>) + 'static> End<T, E, G> {
    pub(crate) fn attach(source: &Rc<dyn Source<T, E>>, take: G, site: &'static Location<'static>) {
        source.core().follow(Rc::new(Self {
            phase: Cell::new(EndPhase::Waiting(take)),
            site,
        }));
    }
}

impl<T, E, G: FnOnce(Outcome<T, E>) + 'static> Job for End<T, E, G> {
    fn run(self: Rc<Self>) {
        if let EndPhase::Ready(take, outcome) = self.phase.replace(EndPhase::Done)
            && let Err(panic) = guard::catch(|| take(outcome))
        {
            let place = "the closure of `finish`";
            report::send(Report::caught(panic, place, Some(self.site)));
        }
    }
}

impl<T, E, G: FnOnce(Outcome<T, E>) + 'static> Receive<T, E> for End<T, E, G> {
    fn receive(self: Rc<Self>, outcome: Outcome<T, E>) {
        match self.phase.replace(EndPhase::Done) {
            EndPhase::Waiting(take) => {
                self.phase.set(EndPhase::Ready(take, outcome));
                queue::push(self);
            }
            other => {
                self.phase.set(other);
                drop_late(outcome);
            }
        }
    }
}

impl<T: 'static, E: 'static, G> Drop for End<T, E, G> {
    fn drop(&mut self) {
        match self.phase.replace(EndPhase::Done) {
            EndPhase::Waiting(take) => guard::discard(take),
            EndPhase::Ready(take, outcome) => {
                guard::discard(take);
                let_go(outcome);
            }
            EndPhase::Done => {}
        }
    }
}

/// The end of a chain that goes straight to whoever has a queue position of its own to give.
pub(crate) struct Handing<G>(Cell<Option<G>>, &'static Location<'static>);

impl<G> Handing<G> {
    pub(crate) fn attach<T: 'static, E: 'static>(
        source: &Rc<dyn Source<T, E>>,
        take: G,
        site: &'static Location<'static>,
    ) where
        G: FnOnce(Result<T, Failure<E>>) + 'static,
    {
        source
            .core()
            .follow(Rc::new(Self(Cell::new(Some(take)), site)));
    }
}

impl<T, E: 'static, G: FnOnce(Result<T, Failure<E>>)> Receive<T, E> for Handing<G> {
    fn receive(self: Rc<Self>, outcome: Outcome<T, E>) {
        let Some(take) = self.0.take() else {
            return drop_late(outcome);
        };
        let result = outcome.map_err(|failed| failed.failure);
        if let Err(panic) = guard::catch(|| take(result)) {
            report::send(Report::caught(panic, "handing a result on", Some(self.1)));
        }
    }
}

/// A weak, type-erased pointer to a source, through which it can be cancelled.
pub(crate) fn weak<T: 'static, E: 'static>(source: &Rc<dyn Source<T, E>>) -> Weak<dyn Upstream> {
    Rc::downgrade(source) as _
}

/// `map`: the value through a closure, a failure past it.
pub(crate) struct Map<G>(pub(crate) G);

impl<T, E, U, G: FnOnce(T) -> U + 'static> Combine<T, E, U, E> for Map<G> {
    fn apply(self, input: Outcome<T, E>) -> Next<U, E> {
        Next::Outcome(match input {
            Ok(value) => Ok((self.0)(value)),
            Err(failed) => {
                guard::discard(self.0);
                Err(failed)
            }
        })
    }
}

/// `map_err`: the error through a closure, a value and every other failure past it.
pub(crate) struct MapErr<G>(pub(crate) G);

impl<T, E, F, G: FnOnce(E) -> F + 'static> Combine<T, E, T, F> for MapErr<G> {
    fn apply(self, input: Outcome<T, E>) -> Next<T, F> {
        Next::Outcome(match input {
            Ok(value) => {
                guard::discard(self.0);
                Ok(value)
            }
            Err(Failed { failure, trail }) => Err(Failed {
                failure: failure.map(self.0),
                trail,
            }),
        })
    }
}

/// `and_then`: the value through a closure that starts more work, a failure past it.
pub(crate) struct AndThen<G>(pub(crate) G);

impl<T, E, U: 'static, G> Combine<T, E, U, E> for AndThen<G>
where
    E: 'static,
    G: FnOnce(T) -> Deferred<U, E> + 'static,
{
    fn apply(self, input: Outcome<T, E>) -> Next<U, E> {
        match input {
            Ok(value) => Next::Inner((self.0)(value)),
            Err(failed) => {
                guard::discard(self.0);
                Next::Outcome(Err(failed))
            }
        }
    }
}

/// `or_else`: every failure through a closure that starts other work, a value past it.
pub(crate) struct OrElse<G>(pub(crate) G);

impl<T: 'static, E, F: 'static, G> Combine<T, E, T, F> for OrElse<G>
where
    G: FnOnce(Failure<E>) -> Deferred<T, F> + 'static,
{
    fn apply(self, input: Outcome<T, E>) -> Next<T, F> {
        match input {
            Ok(value) => {
                guard::discard(self.0);
                Next::Outcome(Ok(value))
            }
            Err(failed) => Next::Inner((self.0)(failed.failure)),
        }
    }
}

/// `map_result`: whatever came through a closure. A failure that stays one keeps its trail.
pub(crate) struct MapResult<G>(pub(crate) G, pub(crate) &'static Location<'static>);

impl<T, E, U, F, G> Combine<T, E, U, F> for MapResult<G>
where
    G: FnOnce(Result<T, Failure<E>>) -> Result<U, Failure<F>> + 'static,
{
    fn apply(self, input: Outcome<T, E>) -> Next<U, F> {
        let trail = match &input {
            Ok(_) => Trail::at(self.1),
            Err(failed) => failed.trail,
        };
        let result = (self.0)(input.map_err(|failed| failed.failure));
        Next::Outcome(result.map_err(|failure| Failed { failure, trail }))
    }
}
