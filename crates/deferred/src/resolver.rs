//! [`Resolver`]: the end of a Deferred that brings the result.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::failure::Failure;
use crate::guard;
use crate::pending::Pending;
use crate::queue::{self, Job};
use crate::report::{self, Report};
use crate::state::{Core, Failed, Outcome, Source, Trail, Upstream};

/// Brings the result of the [`Deferred`](crate::Deferred) that was made with it.
///
/// Each way to bring one consumes the resolver, so a second result does not compile. A resolver that
/// is dropped instead ends the Deferred with [`Failure::Abandoned`]: a consumer never hangs. After a
/// cancellation, whatever the resolver still brings is dropped in silence.
///
/// ```
/// use torsade_deferred::Deferred;
///
/// let (resolver, deferred) = Deferred::<_, ()>::new();
/// resolver.resolve("tea");
/// assert_eq!(deferred.try_take().unwrap(), Ok("tea"));
/// ```
///
/// ```compile_fail,E0382
/// # let (resolver, deferred) = torsade_deferred::Deferred::<_, ()>::new();
/// # deferred.detach();
/// resolver.resolve("tea");
/// resolver.resolve("more tea"); // Twisted's AlreadyCalledError does not compile
/// ```
#[doc(alias = "AlreadyCalledError")]
#[doc(alias = "InvalidStateError")]
#[must_use = "dropping the resolver ends its Deferred with `Failure::Abandoned`"]
pub struct Resolver<T: 'static, E: 'static> {
    root: Rc<Root<T, E>>,
}

impl<T: 'static, E: 'static> Resolver<T, E> {
    pub(crate) fn new(root: Rc<Root<T, E>>) -> Self {
        Self { root }
    }

    /// Brings the value.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<_, ()>::new();
    /// resolver.resolve(7);
    /// assert_eq!(deferred.try_take().unwrap(), Ok(7));
    /// ```
    #[doc(alias = "callback")]
    #[doc(alias = "set_result")]
    pub fn resolve(self, value: T) {
        self.root.settle(Ok(value));
    }

    /// Brings an error. The caller's place in the source is kept for the report, should nobody take
    /// the error.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let (resolver, deferred) = Deferred::<(), _>::new();
    /// resolver.reject("no tea");
    /// assert_eq!(deferred.try_take().unwrap(), Err(Failure::Error("no tea")));
    /// ```
    #[doc(alias = "errback")]
    #[doc(alias = "set_exception")]
    #[track_caller]
    pub fn reject(self, error: E) {
        self.settle(Err(Failure::Error(error)));
    }

    /// Brings a result of either kind, as [`Deferred::finish`](crate::Deferred::finish) hands it out.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let (resolver, deferred) = Deferred::<(), ()>::new();
    /// resolver.settle(Err(Failure::TimedOut));
    /// assert_eq!(deferred.try_take().unwrap(), Err(Failure::TimedOut));
    /// ```
    #[doc(alias = "chainDeferred")]
    #[track_caller]
    pub fn settle(self, result: Result<T, Failure<E>>) {
        let trail = Trail::Begun {
            created: self.root.created,
            rejected: Some(Location::caller()),
        };
        self.root
            .settle(result.map_err(|failure| Failed { failure, trail }));
    }

    /// Brings what came from elsewhere, with where it began.
    pub(crate) fn bring(self, outcome: Outcome<T, E>) {
        self.root.settle(outcome);
    }

    /// Whether a result would be taken, or kept for somebody: the Deferred was not dropped.
    pub(crate) fn is_watched(&self) -> bool {
        !self.root.core.is_loose()
    }

    /// Ends it in silence, because nobody is there to be told.
    pub(crate) fn give_up(self) {
        self.root.settle(Err(Failed::cancelled(self.root.created)));
    }

    /// Calls `hook` when the consumer cancels, so that the work can stop.
    ///
    /// The hook runs from the queue, once, and never after a result was brought: then it is dropped
    /// uncalled, from the queue as well. Several hooks run in the order they were given. A hook given
    /// after the cancellation runs too. A panic in it is [reported](crate::report).
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::Deferred;
    ///
    /// let stopped = Rc::new(Cell::new(false));
    /// let (resolver, deferred) = Deferred::<(), ()>::new();
    /// let flag = Rc::clone(&stopped);
    /// resolver.on_cancel(move || flag.set(true));
    /// deferred.cancel();
    /// assert!(stopped.get());
    /// ```
    #[doc(alias = "canceller")]
    #[track_caller]
    pub fn on_cancel(&self, hook: impl FnOnce() + 'static) {
        let hook: Rc<dyn Hook> = Rc::new(CancelHook {
            state: Cell::new(HookState::Armed(hook)),
            site: Location::caller(),
        });
        match self.root.hooks.replace(Hooks::None) {
            Hooks::None => self.root.hooks.set(Hooks::One(hook)),
            Hooks::One(first) => self.root.hooks.set(Hooks::Many(vec![first, hook])),
            Hooks::Many(mut hooks) => {
                hooks.push(hook);
                self.root.hooks.set(Hooks::Many(hooks));
            }
            Hooks::Called => {
                self.root.hooks.set(Hooks::Called);
                queue::push(hook);
            }
        }
    }

    /// Whether the consumer has cancelled: there is nobody left to bring a result to.
    ///
    /// Dropping a Deferred does not cancel, so this stays `false` then.
    ///
    /// ```
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<(), ()>::new();
    /// assert!(!resolver.is_cancelled());
    /// deferred.cancel();
    /// assert!(resolver.is_cancelled());
    /// ```
    #[doc(alias = "cancelled")]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let hooks = self.root.hooks.replace(Hooks::None);
        let cancelled = matches!(hooks, Hooks::Called);
        self.root.hooks.set(hooks);
        cancelled
    }
}

impl<T: 'static, E: 'static> Drop for Resolver<T, E> {
    fn drop(&mut self) {
        // After `resolve` and its like, and after a cancellation, nothing is pending any more.
        if self.root.core.is_pending() {
            self.root.settle(Err(Failed::abandoned(self.root.created)));
        }
    }
}

impl<T: 'static, E: 'static> fmt::Debug for Resolver<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_cancelled() {
            "cancelled"
        } else {
            "pending"
        };
        write!(f, "Resolver({state})")
    }
}

/// The first node of a chain, shared by the resolver and the Deferred.
pub(crate) struct Root<T: 'static, E: 'static> {
    core: Core<T, E>,
    hooks: Cell<Hooks>,
    created: &'static Location<'static>,
}

/// ```text
///   None -- on_cancel --> One -- on_cancel --> Many       result: all three -> None, hooks dropped
///     |                    |                    |
///     +------ cancel ------+--------------------+--> Called
/// ```
enum Hooks {
    None,
    One(Rc<dyn Hook>),
    Many(Vec<Rc<dyn Hook>>),
    /// The consumer cancelled.
    Called,
}

impl<T: 'static, E: 'static> Pending for Root<T, E> {
    fn is_pending(&self) -> bool {
        self.core.is_pending()
    }
}

impl<T: 'static, E: 'static> Root<T, E> {
    pub(crate) fn pending(created: &'static Location<'static>) -> Self {
        Self::with(Core::pending(), created)
    }

    pub(crate) fn settled(outcome: Outcome<T, E>, created: &'static Location<'static>) -> Self {
        Self::with(Core::settled(outcome), created)
    }

    fn with(core: Core<T, E>, created: &'static Location<'static>) -> Self {
        Self {
            core,
            hooks: Cell::new(Hooks::None),
            created,
        }
    }

    fn settle(&self, outcome: Outcome<T, E>) {
        let unused = self.hooks.replace(Hooks::None);
        if matches!(unused, Hooks::Called) {
            self.hooks.set(Hooks::Called);
            return self.core.settle(outcome);
        }
        self.core.settle(outcome);
        // The hooks are the user's: they are dropped from the queue, not inside this call.
        unused.for_each(|hook| {
            if !planted!("cancel_hook_after_result") {
                hook.disarm();
            }
            queue::push(hook);
        });
    }
}

impl<T: 'static, E: 'static> Source<T, E> for Root<T, E> {
    fn core(&self) -> &Core<T, E> {
        &self.core
    }

    /// Only a step can come to wait for another Deferred; a root waits for its resolver.
    fn wait_for(&self, _upstream: Weak<dyn Upstream>) {}
}

impl<T: 'static, E: 'static> Upstream for Root<T, E> {
    fn cancel(&self) -> Option<Rc<dyn Upstream>> {
        if self.core.is_pending() {
            // The queue is held meanwhile: the hooks come first, but see everything done.
            self.hooks
                .replace(Hooks::Called)
                .for_each(|hook| queue::push(hook));
            self.core.settle(Err(Failed::cancelled(self.created)));
        }
        None
    }
}

impl Hooks {
    fn for_each(self, mut f: impl FnMut(Rc<dyn Hook>)) {
        match self {
            Self::None | Self::Called => {}
            Self::One(hook) => f(hook),
            Self::Many(hooks) => hooks.into_iter().for_each(f),
        }
    }
}

trait Hook: Job {
    /// From now on, running the hook only drops its closure.
    fn disarm(&self);
}

struct CancelHook<G> {
    state: Cell<HookState<G>>,
    site: &'static Location<'static>,
}

/// `Armed -- run: call --> Done`, `Armed -- disarm --> Disarmed -- run: drop --> Done`
enum HookState<G> {
    Armed(G),
    Disarmed(G),
    Done,
}

impl<G: FnOnce() + 'static> Hook for CancelHook<G> {
    fn disarm(&self) {
        match self.state.replace(HookState::Done) {
            HookState::Armed(hook) => self.state.set(HookState::Disarmed(hook)),
            other => self.state.set(other),
        }
    }
}

impl<G: FnOnce() + 'static> Job for CancelHook<G> {
    fn run(self: Rc<Self>) {
        match self.state.replace(HookState::Done) {
            HookState::Armed(hook) => {
                if let Err(panic) = guard::catch(hook) {
                    report::send(Report::caught(
                        panic,
                        "an `on_cancel` hook",
                        Some(self.site),
                    ));
                }
            }
            HookState::Disarmed(hook) => guard::discard(hook),
            HookState::Done => {}
        }
    }
}
