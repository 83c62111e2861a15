use std::fmt;
use std::rc::Rc;

use super::semaphore::{Permit, Semaphore};

/// One at a time, first come, first served: for what several tasks do in more than one step.
///
/// Between two await points nobody else runs, so a lock is needed only around those that must
/// stay together: a question and its answer on a shared connection, say. A clone is the same lock.
///
/// ```
/// use torsade_futures::sync::Lock;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let lock = Lock::new();
/// let held = lock.try_acquire().unwrap();
/// assert!(lock.locked());
/// drop(held); // released
/// reactor.block_on(async move { drop(lock.acquire().await) });
/// ```
#[doc(alias = "Mutex")]
#[derive(Clone)]
pub struct Lock(Rc<Semaphore>);

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Lock {
    /// A lock that nobody holds.
    pub fn new() -> Self {
        Self(Rc::new(Semaphore::new(1)))
    }

    /// Wait until nobody holds it, and hold it as long as the guard lives.
    ///
    /// Cancel safe: one that leaves the queue loses nothing but its place; if the lock had been
    /// handed to it, the next one gets it.
    pub async fn acquire(&self) -> LockGuard {
        let permit = self.0.acquire().await;
        LockGuard {
            lock: self.clone(),
            _permit: permit,
        }
    }

    /// Hold it, if nobody does and nobody waits for it.
    pub fn try_acquire(&self) -> Option<LockGuard> {
        let permit = self.0.try_acquire()?;
        Some(LockGuard {
            lock: self.clone(),
            _permit: permit,
        })
    }

    /// Whether somebody holds it.
    pub fn locked(&self) -> bool {
        self.0.locked()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("locked", &self.locked())
            .finish()
    }
}

/// Holds a [`Lock`] until it is dropped. There is no other way to release one, so a lock that is
/// not held cannot be released.
#[doc(alias = "release")]
#[must_use = "dropping it releases the lock"]
#[derive(Debug)]
pub struct LockGuard {
    lock: Lock,
    _permit: Permit,
}

impl LockGuard {
    /// The lock that is held.
    pub fn lock(&self) -> &Lock {
        &self.lock
    }

    pub(crate) fn is_of(&self, lock: &Lock) -> bool {
        Rc::ptr_eq(&self.lock.0, &lock.0)
    }
}
