use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::waiters::{Wait, Waiters};

/// So many may do something at the same time; who comes later waits, first come, first served.
///
/// A clone is the same semaphore.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::sync::Semaphore;
/// use torsade_futures::{gather, sleep};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let two_at_a_time = Semaphore::new(2);
/// let visits = [(); 4].map(|()| {
///     let (net, semaphore) = (net.clone(), two_at_a_time.clone());
///     async move {
///         let _permit = semaphore.acquire().await;
///         sleep(&net, Duration::from_secs(1)).await;
///         Ok::<_, ()>(net.now())
///     }
/// });
/// let start = net.now();
/// let left = reactor.block_on(gather(&net, visits)).unwrap();
/// assert_eq!(left.map_to_seconds(start), [1, 1, 2, 2]);
///
/// # trait Seconds { fn map_to_seconds(&self, start: torsade_core::Time) -> Vec<u64>; }
/// # impl Seconds for Vec<torsade_core::Time> {
/// #     fn map_to_seconds(&self, start: torsade_core::Time) -> Vec<u64> {
/// #         self.iter().map(|&time| (time - start).as_secs()).collect()
/// #     }
/// # }
/// ```
#[derive(Clone)]
pub struct Semaphore(Rc<Shared>);

struct Shared {
    /// Free permits. While anybody waits there is none.
    free: Cell<usize>,
    waiters: Waiters,
}

impl Semaphore {
    /// With so many permits.
    pub fn new(permits: usize) -> Self {
        Self(Rc::new(Shared {
            free: Cell::new(permits),
            waiters: Waiters::default(),
        }))
    }

    /// Wait for a permit; dropping that gives it back.
    ///
    /// Cancel safe: one that leaves the queue loses nothing but its place, and if it had been
    /// handed a permit, the next one gets that.
    pub async fn acquire(&self) -> Permit {
        if let Some(permit) = self.try_acquire() {
            return permit;
        }
        Wait::new(&self.0.waiters, || self.release())
            .granted()
            .await;
        Permit(Some(self.clone()))
    }

    /// A permit, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        let left = self.0.free.get().checked_sub(1)?;
        self.0.free.set(left);
        Some(Permit(Some(self.clone())))
    }

    /// One permit more: to the first who waits, if anybody does.
    ///
    /// Not needed after [`acquire`](Self::acquire), whose permit is given back by its drop. It is
    /// for a semaphore that counts what somebody else brings.
    pub fn release(&self) {
        if !self.0.waiters.grant() {
            self.0.free.set(self.0.free.get() + 1);
        }
    }

    /// Whether a permit would have to be waited for.
    pub fn locked(&self) -> bool {
        self.0.free.get() == 0
    }

    /// Free permits.
    pub fn available(&self) -> usize {
        self.0.free.get()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("free", &self.0.free.get())
            .field("waiting", &self.0.waiters.len())
            .finish()
    }
}

/// The right to do what a [`Semaphore`] guards, until it is dropped.
#[must_use = "dropping it gives the permit back"]
pub struct Permit(Option<Semaphore>);

impl Permit {
    /// Keep the permit for ever, or until somebody says [`Semaphore::release`].
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(semaphore) = self.0.take() {
            semaphore.release();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.0).finish()
    }
}

/// A [`Semaphore`] that notices a permit given back once too often.
///
/// ```
/// use torsade_futures::sync::{BoundedSemaphore, ReleasedTooOften};
///
/// let semaphore = BoundedSemaphore::new(1);
/// semaphore.try_acquire().unwrap().forget();
/// assert_eq!(semaphore.release(), Ok(()));
/// assert_eq!(semaphore.release(), Err(ReleasedTooOften));
/// ```
#[derive(Clone, Debug)]
pub struct BoundedSemaphore {
    semaphore: Semaphore,
    permits: usize,
}

impl BoundedSemaphore {
    /// With so many permits, and never more.
    pub fn new(permits: usize) -> Self {
        Self {
            semaphore: Semaphore::new(permits),
            permits,
        }
    }

    /// Wait for a permit; see [`Semaphore::acquire`]. Cancel safe as that is.
    pub async fn acquire(&self) -> Permit {
        self.semaphore.acquire().await
    }

    /// A permit, if one is free and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Permit> {
        self.semaphore.try_acquire()
    }

    /// Give back a permit that was [forgotten](Permit::forget).
    ///
    /// # Errors
    /// [`ReleasedTooOften`] if all permits are free.
    pub fn release(&self) -> Result<(), ReleasedTooOften> {
        if self.semaphore.available() == self.permits {
            return Err(ReleasedTooOften);
        }
        self.semaphore.release();
        Ok(())
    }

    /// Whether a permit would have to be waited for.
    pub fn locked(&self) -> bool {
        self.semaphore.locked()
    }
}

/// Something was released that nobody held.
#[doc(alias = "ValueError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("released more often than acquired")]
pub struct ReleasedTooOften;
