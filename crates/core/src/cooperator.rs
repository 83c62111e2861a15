//! [`Cooperator`]: long work in short steps.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use crate::guard::{self, Caught};
use crate::timers::Action;
use crate::{Net, Ticked, Timer};

/// Does long work a few steps a turn, so that connections are served in between.
///
/// The work is an iterator: each `next` does a step, and returns nothing or a Deferred that the next
/// step of this work waits for. Works take turns, one step each. How many steps there are in a turn
/// is bounded, and all works of a cooperator share them.
///
/// Clones are handles of the same cooperator; works go on when all are dropped.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_core::Cooperator;
/// # let mut reactor = torsade_testing::MemoryReactor::new();
/// let cooperator = Cooperator::new(reactor.net(), 100);
/// let log = Rc::new(RefCell::new(Vec::new()));
/// let work = |name| {
///     let log = log.clone();
///     (1..=2).map(move |step| log.borrow_mut().push(format!("{name} {step}")))
/// };
/// let ann = cooperator.coiterate(work("ann"));
/// let bob = cooperator.coiterate(work("bob"));
/// reactor.settle();
/// assert_eq!(*log.borrow(), ["ann 1", "bob 1", "ann 2", "bob 2"]);
/// assert!(ann.is_settled() && bob.is_settled());
/// ```
#[doc(alias = "cooperate")]
#[derive(Clone)]
pub struct Cooperator {
    ring: Rc<Ring>,
}

impl Cooperator {
    /// A cooperator that does at most `steps` steps a turn, and at least one.
    ///
    /// ```
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let cooperator = torsade_core::Cooperator::new(reactor.net(), 10);
    /// assert!(cooperator.is_running());
    /// ```
    #[track_caller]
    #[must_use]
    pub fn new(net: &Net, steps: usize) -> Self {
        Self {
            ring: Rc::new(Ring {
                net: net.clone(),
                steps: steps.max(1),
                site: Location::caller(),
                works: RefCell::default(),
                ready: RefCell::default(),
                next: Cell::new(0),
                tick: Cell::new(Tick::None),
            }),
        }
    }

    /// Begin a work; its first step is done in a later turn.
    ///
    /// The Deferred resolves when the iterator is at its end. It is rejected with what a Deferred of
    /// a step was rejected with, and with `Panicked` if a step panics; both end the work. Cancelling
    /// it, or [`CooperativeTask::stop`], ends the work before its next step, and cancels what it
    /// waits for. When the cooperator is stopped it ends `Cancelled`, when the reactor is,
    /// `Abandoned`.
    ///
    /// ```
    /// use torsade_core::Cooperator;
    /// use torsade_deferred::Deferred;
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let cooperator = Cooperator::new(reactor.net(), 10);
    /// let (resolver, mut answer) = Deferred::<(), String>::new();
    /// let mut answer = Some(answer);
    /// let (task, ended) = cooperator.cooperate(std::iter::from_fn(move || answer.take()));
    /// reactor.settle();
    /// assert!(!ended.is_settled()); // the step waits for its answer
    /// resolver.resolve(());
    /// reactor.settle();
    /// assert_eq!(ended.try_take().unwrap(), Ok(()));
    /// assert!(!task.is_running());
    /// ```
    pub fn cooperate<S: Ticked>(
        &self,
        steps: impl IntoIterator<Item = S, IntoIter: 'static>,
    ) -> (CooperativeTask, Deferred<(), S::Error>) {
        let (resolver, ended) = Deferred::new();
        let id = self.ring.next.get();
        let work = Rc::new(Work {
            id,
            ring: Rc::downgrade(&self.ring),
            state: Cell::new(State::Ready),
            pauses: Cell::new(0),
            steps: Cell::new(Some(steps.into_iter())),
            canceller: ended.canceller(),
            ended: Cell::new(None),
        });
        let task = CooperativeTask {
            ring: Rc::clone(&self.ring),
            work: Rc::<Work<_, _>>::downgrade(&work),
        };
        let cancelled = Rc::downgrade(&work);
        resolver.on_cancel(move || {
            if let Some(work) = cancelled.upgrade() {
                work.give_up();
            }
        });
        work.ended.set(Some(resolver));
        if self.is_running() && self.ring.net.is_alive() {
            self.ring.next.set(id + 1);
            self.ring.works.borrow_mut().insert(id, work);
            self.ring.is_ready(id);
        } else {
            work.stop();
        }
        (task, ended)
    }

    /// Like [`cooperate`](Self::cooperate), for who needs no handle.
    ///
    /// ```
    /// # use torsade_core::Cooperator;
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let cooperator = Cooperator::new(reactor.net(), 10);
    /// let done = cooperator.coiterate((0..25).map(|_| ()));
    /// reactor.settle();
    /// assert_eq!(done.try_take().unwrap(), Ok(()));
    /// ```
    pub fn coiterate<S: Ticked>(
        &self,
        steps: impl IntoIterator<Item = S, IntoIter: 'static>,
    ) -> Deferred<(), S::Error> {
        self.cooperate(steps).1
    }

    /// End all works, paused ones too: their Deferreds end `Cancelled`, and so do those of works
    /// that are begun later.
    ///
    /// ```
    /// # use torsade_core::Cooperator;
    /// # use torsade_deferred::Failure;
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let cooperator = Cooperator::new(reactor.net(), 10);
    /// let endless = cooperator.coiterate(std::iter::repeat(()));
    /// cooperator.stop();
    /// assert_eq!(endless.try_take().unwrap(), Err(Failure::Cancelled));
    /// let late = cooperator.coiterate(std::iter::repeat(()));
    /// assert_eq!(late.try_take().unwrap(), Err(Failure::Cancelled));
    /// ```
    #[doc(alias = "SchedulerStopped")]
    pub fn stop(&self) {
        if let Tick::Armed(timer) = self.ring.tick.replace(Tick::Stopped) {
            timer.cancel();
        }
        for work in self.ring.take_all() {
            work.stop();
        }
    }

    /// Whether it takes new works: it was not stopped.
    ///
    /// ```
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let cooperator = torsade_core::Cooperator::new(reactor.net(), 10);
    /// cooperator.stop();
    /// assert!(!cooperator.is_running());
    /// ```
    #[must_use]
    pub fn is_running(&self) -> bool {
        let tick = self.ring.tick.replace(Tick::None);
        let runs = !matches!(tick, Tick::Stopped);
        self.ring.tick.set(tick);
        runs
    }

    /// How many works are not at their end.
    ///
    /// ```
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// assert_eq!(torsade_core::Cooperator::new(reactor.net(), 10).works(), 0);
    /// ```
    #[must_use]
    pub fn works(&self) -> usize {
        self.ring.works.borrow().len()
    }
}

impl fmt::Debug for Cooperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cooperator")
            .field("running", &self.is_running())
            .field("works", &self.works())
            .finish()
    }
}

/// A handle of a work of a [`Cooperator`]. Dropping it changes nothing.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// # use torsade_core::Cooperator;
/// # let reactor = torsade_testing::MemoryReactor::new();
/// let cooperator = Cooperator::new(reactor.net(), 1);
/// let steps = Rc::new(Cell::new(0));
/// let counter = steps.clone();
/// let work = (0..3).map(move |_| counter.set(counter.get() + 1));
/// let (task, ended) = cooperator.cooperate(work);
/// task.pause();
/// reactor.settle();
/// assert_eq!(steps.get(), 0);
/// task.resume();
/// reactor.settle();
/// assert_eq!(steps.get(), 3);
/// assert!(ended.is_settled());
/// ```
#[doc(alias = "whenDone")]
#[doc(alias = "TaskStopped")]
#[doc(alias = "TaskDone")]
#[doc(alias = "TaskFailed")]
#[derive(Clone)]
pub struct CooperativeTask {
    ring: Rc<Ring>,
    work: Weak<dyn Stepping>,
}

impl CooperativeTask {
    /// No step until it is [resumed](Self::resume) as often as it was paused. Returns whether there
    /// was still something to pause.
    pub fn pause(&self) -> bool {
        self.work.upgrade().is_some_and(|work| work.pause())
    }

    /// Undo a [`pause`](Self::pause). Returns whether it was paused.
    #[doc(alias = "NotPaused")]
    pub fn resume(&self) -> bool {
        self.work
            .upgrade()
            .is_some_and(|work| work.resume(&self.ring))
    }

    /// No further step; its Deferred ends `Cancelled`. Returns whether there was something to stop.
    pub fn stop(&self) -> bool {
        self.work.upgrade().is_some_and(|work| work.stop())
    }

    /// Whether the work is not at its end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.work.upgrade().is_some_and(|work| work.is_running())
    }
}

impl fmt::Debug for CooperativeTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CooperativeTask")
            .field("running", &self.is_running())
            .finish()
    }
}

/// What a cooperator owns. Its tick owns it while somebody is ready, and the handles do.
struct Ring {
    net: Net,
    steps: usize,
    site: &'static Location<'static>,
    /// All that are not at their end.
    works: RefCell<BTreeMap<u64, Rc<dyn Stepping>>>,
    /// Whose turn it is. Some may be paused or gone by then.
    ready: RefCell<VecDeque<u64>>,
    next: Cell<u64>,
    tick: Cell<Tick>,
}

/// ```text
///         somebody is ready           it strikes, or the last is gone
///   None -------------------> Armed ---------------------------------> None
///     |                         |
///     +---------- stop ---------+--> Stopped
/// ```
enum Tick {
    None,
    Armed(Timer),
    Stopped,
}

impl Ring {
    fn is_ready(self: &Rc<Self>, id: u64) {
        self.ready.borrow_mut().push_back(id);
        self.arm();
    }

    /// The next turn has steps, if somebody is ready.
    fn arm(self: &Rc<Self>) {
        match self.tick.replace(Tick::None) {
            // Nobody would do their next step.
            Tick::None if !self.net.is_alive() => self.abandon(),
            Tick::None if !self.ready.borrow().is_empty() => {
                let owner = Owner(Some(Rc::clone(self)));
                let shared = &self.net.0;
                let strike = Action::Free(shared.actions.put(move |_| owner.strike()), self.site);
                let timer = Timer::new(shared, shared.set_timer(Duration::ZERO, strike));
                self.tick.set(Tick::Armed(timer));
            }
            other => self.tick.set(other),
        }
    }

    fn strike(self: &Rc<Self>) {
        if let Tick::Stopped = self.tick.replace(Tick::None) {
            self.tick.set(Tick::Stopped);
            return;
        }
        for _ in 0..self.steps {
            let Some(id) = self.ready.borrow_mut().pop_front() else {
                break;
            };
            let work = self.works.borrow().get(&id).cloned();
            if let Some(work) = work {
                work.step(self);
            }
        }
        self.arm();
    }

    /// A work is at its end. If it was the last, nobody waits for the tick.
    fn forget(&self, id: u64) {
        let work = self.works.borrow_mut().remove(&id);
        drop(work);
        if self.works.borrow().is_empty() {
            match self.tick.replace(Tick::None) {
                Tick::Armed(timer) => {
                    self.ready.borrow_mut().clear();
                    timer.cancel();
                }
                other => self.tick.set(other),
            }
        }
    }

    fn abandon(&self) {
        // Each by itself: two panics in one drop would end the process.
        for work in self.take_all() {
            if let Err(panic) = guard::run(|| work.abandon()) {
                let caught = Caught::elsewhere("the drop of steps", panic);
                self.net.0.host().caught(&caught);
            }
        }
    }

    fn take_all(&self) -> Vec<Rc<dyn Stepping>> {
        self.ready.borrow_mut().clear();
        self.works.take().into_values().collect()
    }
}

/// Owns the ring for a tick. If the reactor drops the tick with works left, it has stopped, and they
/// go too: nobody would do their next step.
struct Owner(Option<Rc<Ring>>);

impl Owner {
    fn strike(mut self) {
        if let Some(ring) = self.0.take() {
            ring.strike();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let Some(ring) = self.0.take() else { return };
        match ring.tick.replace(Tick::None) {
            // We did not disarm it.
            Tick::Armed(_) => ring.abandon(),
            other => ring.tick.set(other),
        }
    }
}

/// A work of any type.
trait Stepping {
    fn step(self: Rc<Self>, ring: &Rc<Ring>);
    fn is_running(&self) -> bool;
    fn pause(&self) -> bool;
    fn resume(&self, ring: &Rc<Ring>) -> bool;
    fn stop(&self) -> bool;
    fn abandon(&self);
}

struct Work<E: 'static, I> {
    id: u64,
    ring: Weak<Ring>,
    state: Cell<State>,
    /// How often it was paused and not resumed. Counted also while it waits or steps.
    pauses: Cell<usize>,
    /// Taken out during a step.
    steps: Cell<Option<I>>,
    /// Of what it ends with.
    canceller: Canceller,
    ended: Cell<Option<Resolver<(), E>>>,
}

/// ```text
///          its turn, not paused        no Deferred
///   Ready ---------------------> Stepping ---------> Ready
///     |  ^                          | a Deferred
///     |  | its turn, but paused     v
///     |  +---- resumed --- Held  Waiting -- result --> Ready
///     v
///    Over <- from each: the end of the iterator, an error, a panic, stopped, cancelled
/// ```
enum State {
    /// In the line.
    Ready,
    /// Paused, and not in the line.
    Held,
    Stepping,
    Waiting(Canceller),
    Over,
}

impl<S: Ticked, I: Iterator<Item = S> + 'static> Stepping for Work<S::Error, I> {
    fn step(self: Rc<Self>, ring: &Rc<Ring>) {
        match self.state.replace(State::Stepping) {
            State::Ready if self.pauses.get() > 0 => return self.state.set(State::Held),
            State::Ready => {}
            other => return self.state.set(other),
        }
        let Some(mut steps) = self.steps.take() else {
            return;
        };
        let made = guard::run(move || {
            let step = steps.next().map(Ticked::awaited);
            (step, steps)
        });
        match made {
            Err(panic) => self.end(Err(Failure::Panicked(panic))),
            Ok((step, steps)) => {
                self.steps.set(Some(steps));
                match step {
                    None => self.end(Ok(())),
                    Some(None) => self.again(ring),
                    Some(Some(deferred)) => self.wait(deferred, ring),
                }
            }
        }
    }

    fn is_running(&self) -> bool {
        let state = self.state.replace(State::Over);
        let runs = !matches!(state, State::Over);
        self.state.set(state);
        runs
    }

    fn pause(&self) -> bool {
        let runs = self.is_running();
        self.pauses.set(self.pauses.get() + usize::from(runs));
        runs
    }

    fn resume(&self, ring: &Rc<Ring>) -> bool {
        let pauses = self.pauses.get();
        self.pauses.set(pauses.saturating_sub(1));
        if pauses == 1 {
            match self.state.replace(State::Ready) {
                State::Held => ring.is_ready(self.id),
                other => self.state.set(other),
            }
        }
        pauses > 0
    }

    fn stop(&self) -> bool {
        let runs = self.is_running();
        if runs {
            self.canceller.cancel();
            self.give_up();
        }
        runs
    }

    fn abandon(&self) {
        if let State::Waiting(canceller) = self.state.replace(State::Over) {
            canceller.cancel();
        }
        drop(self.ended.take());
        drop(self.steps.take());
    }
}

impl<E: 'static, I: 'static> Work<E, I> {
    fn again(&self, ring: &Rc<Ring>) {
        match self.state.replace(State::Ready) {
            State::Stepping | State::Waiting(_) => ring.is_ready(self.id),
            over => {
                self.state.set(over);
                drop(self.steps.take());
            }
        }
    }

    fn wait(self: Rc<Self>, deferred: Deferred<(), E>, ring: &Rc<Ring>) {
        match self.state.replace(State::Waiting(deferred.canceller())) {
            State::Stepping => {}
            over => {
                self.state.set(over);
                drop(self.steps.take());
                return deferred.cancel();
            }
        }
        // Kept by what is waited for: the handles may all be gone.
        let ring = Rc::clone(ring);
        deferred.finish(move |result| match result {
            Ok(()) => self.again(&ring),
            Err(failure) => self.end(Err(failure)),
        });
    }

    fn end(&self, result: Result<(), Failure<E>>) {
        self.state.set(State::Over);
        drop(self.steps.take());
        if let Some(ended) = self.ended.take() {
            ended.settle(result);
        }
        self.leave();
    }

    /// Nobody wants it done any more.
    fn give_up(&self) {
        if let State::Waiting(canceller) = self.state.replace(State::Over) {
            canceller.cancel();
        }
        drop(self.steps.take());
        drop(self.ended.take());
        self.leave();
    }

    fn leave(&self) {
        if let Some(ring) = self.ring.upgrade() {
            ring.forget(self.id);
        }
    }
}
