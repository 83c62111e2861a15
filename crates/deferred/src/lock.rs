//! [`DeferredLock`]: one at a time.

use std::convert::Infallible;

use crate::deferred::Deferred;
use crate::semaphore::{DeferredSemaphore, Permit};

/// Lets one do something at a time, where that something takes more than one callback; the others
/// wait, first come, first served.
///
/// A [`DeferredSemaphore`] of one permit. Everything here is on one thread, so a lock is only needed
/// round what waits in between. Clones are handles of the same lock.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_deferred::{Deferred, DeferredLock};
///
/// let log = Rc::new(RefCell::new(Vec::new()));
/// let lock = DeferredLock::new();
/// let mut replies = Vec::new();
/// for name in ["ann", "bob"] {
///     let (resolver, reply) = Deferred::<&str, ()>::new();
///     replies.push(resolver);
///     let (begun, ended) = (log.clone(), log.clone());
///     lock.run(move || {
///         begun.borrow_mut().push(format!("{name} asks"));
///         reply
///     })
///     .finish(move |reply| ended.borrow_mut().push(format!("{name} has {reply:?}")));
/// }
/// assert_eq!(*log.borrow(), ["ann asks"]); // Bob's turn has not come
/// for reply in replies {
///     reply.resolve("tea");
/// }
/// assert_eq!(log.borrow()[1..].len(), 3);
/// ```
#[doc(alias = "Lock")]
#[doc(alias = "Mutex")]
#[derive(Clone, Debug)]
pub struct DeferredLock {
    semaphore: DeferredSemaphore,
}

impl Default for DeferredLock {
    fn default() -> Self {
        Self::new()
    }
}

impl DeferredLock {
    /// A lock that nobody holds.
    ///
    /// ```
    /// assert!(!torsade_deferred::DeferredLock::new().is_locked());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            semaphore: DeferredSemaphore::new(1),
        }
    }

    /// The lock, when it is this caller's turn; dropping the [`Permit`] releases it.
    ///
    /// See [`DeferredSemaphore::acquire`].
    ///
    /// ```
    /// let lock = torsade_deferred::DeferredLock::new();
    /// let held = lock.acquire();
    /// assert!(held.is_settled() && !lock.acquire().is_settled());
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Deferred<Permit, Infallible> {
        self.semaphore.acquire()
    }

    /// The lock, if it is free and nobody waits.
    ///
    /// ```
    /// let lock = torsade_deferred::DeferredLock::new();
    /// let held = lock.try_acquire();
    /// assert!(held.is_some() && lock.try_acquire().is_none());
    /// ```
    #[must_use]
    pub fn try_acquire(&self) -> Option<Permit> {
        self.semaphore.try_acquire()
    }

    /// Calls `work` when the lock is there, and releases it when the result of that is.
    ///
    /// See [`DeferredSemaphore::run`].
    ///
    /// ```
    /// use torsade_deferred::{Deferred, DeferredLock};
    ///
    /// let lock = DeferredLock::new();
    /// let answer = lock.run(|| Deferred::<_, ()>::succeed(42));
    /// assert_eq!(answer.try_take().unwrap(), Ok(42));
    /// assert!(!lock.is_locked());
    /// ```
    #[track_caller]
    pub fn run<T: 'static, E: 'static>(
        &self,
        work: impl FnOnce() -> Deferred<T, E> + 'static,
    ) -> Deferred<T, E> {
        self.semaphore.run(work)
    }

    /// Whether somebody holds it.
    ///
    /// ```
    /// let lock = torsade_deferred::DeferredLock::new();
    /// let permit = lock.try_acquire();
    /// assert!(lock.is_locked());
    /// # drop(permit);
    /// ```
    #[doc(alias = "locked")]
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.semaphore.available() == 0
    }

    /// How many wait for it.
    ///
    /// ```
    /// assert_eq!(torsade_deferred::DeferredLock::new().waiting(), 0);
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.semaphore.waiting()
    }
}
