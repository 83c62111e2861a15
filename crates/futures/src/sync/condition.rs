use std::fmt;
use std::rc::Rc;

use super::lock::{Lock, LockGuard};
use super::waiters::{Wait, Waiters};

/// Wait, with a lock in hand, until somebody says that something has changed. A clone is the same
/// condition.
///
/// To notify one must hold the lock, which the guard proves: what asyncio finds out when it runs
/// does not compile here.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use torsade_futures::spawn;
/// use torsade_futures::sync::Condition;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let (condition, level) = (Condition::new(), Rc::new(Cell::new(0)));
/// let (changed, seen) = (condition.clone(), Rc::clone(&level));
/// let waiting = spawn(reactor.net(), async move {
///     let lock = changed.acquire().await;
///     let _lock = changed.wait_for(lock, || seen.get() >= 3).await;
///     seen.get()
/// });
/// reactor.block_on(async move {
///     for _ in 0..5 {
///         let lock = condition.acquire().await;
///         level.set(level.get() + 1);
///         condition.notify(&lock, 1);
///     }
/// });
/// assert!(reactor.block_on(waiting).unwrap() >= 3);
/// ```
#[doc(alias = "Condvar")]
#[derive(Clone)]
pub struct Condition {
    lock: Lock,
    waiters: Rc<Waiters>,
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl Condition {
    /// With a lock of its own.
    pub fn new() -> Self {
        Self::with_lock(&Lock::new())
    }

    /// With this lock, which other conditions may share.
    pub fn with_lock(lock: &Lock) -> Self {
        Self {
            lock: lock.clone(),
            waiters: Rc::default(),
        }
    }

    /// Wait for the lock. Cancel safe, as [`Lock::acquire`] is.
    pub async fn acquire(&self) -> LockGuard {
        self.lock.acquire().await
    }

    /// Release the lock, wait to be notified, and wait for the lock again.
    ///
    /// Cancel safe: dropped in the middle, the lock is not held (it went with the guard), and a
    /// notification that it had got goes to the next one, also if it waited for the lock by then.
    ///
    /// # Panics
    /// If the guard holds another lock.
    pub async fn wait(&self, guard: LockGuard) -> LockGuard {
        self.check(&guard);
        let pass_on = || {
            self.waiters.grant();
        };
        let mut wait = Wait::new(&self.waiters, pass_on);
        let mut guard = Some(guard);
        // The place in the queue first, the lock after: whoever notifies then finds us.
        std::future::poll_fn(|context| {
            let polled = wait.poll(context);
            guard = None;
            polled
        })
        .await;
        let notified = PassOn(Some(pass_on));
        let guard = self.lock.acquire().await;
        notified.keep();
        guard
    }

    /// Wait until `predicate` is true; asked with the lock held, now and whenever notified.
    ///
    /// Cancel safe, as [`wait`](Self::wait) is.
    ///
    /// # Panics
    /// If the guard holds another lock.
    pub async fn wait_for(
        &self,
        mut guard: LockGuard,
        mut predicate: impl FnMut() -> bool,
    ) -> LockGuard {
        self.check(&guard);
        while !predicate() {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wake the first `n` who wait; they go on one after the other, when the lock is released.
    ///
    /// # Panics
    /// If the guard holds another lock.
    pub fn notify(&self, guard: &LockGuard, n: usize) {
        self.check(guard);
        for _ in 0..n {
            if !self.waiters.grant() {
                return;
            }
        }
    }

    /// Wake all who wait now.
    ///
    /// # Panics
    /// If the guard holds another lock.
    pub fn notify_all(&self, guard: &LockGuard) {
        self.check(guard);
        self.waiters.grant_all();
    }

    /// Whether somebody holds the lock.
    pub fn locked(&self) -> bool {
        self.lock.locked()
    }

    fn check(&self, guard: &LockGuard) {
        assert!(
            guard.is_of(&self.lock),
            "a Condition was given the guard of another lock"
        );
    }
}

/// A notification that somebody got, until he has the lock, too: dropped before, it is passed on.
struct PassOn<P: Fn()>(Option<P>);

impl<P: Fn()> PassOn<P> {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl<P: Fn()> Drop for PassOn<P> {
    fn drop(&mut self) {
        if let Some(pass_on) = &self.0 {
            pass_on();
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("locked", &self.locked())
            .field("waiting", &self.waiters.len())
            .finish()
    }
}
