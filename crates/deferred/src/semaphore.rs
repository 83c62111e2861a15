//! [`DeferredSemaphore`]: so many at once, and the others in a line.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::queue;
use crate::waiters::Waiters;

/// Lets so many do something at once; the others wait, first come, first served.
///
/// Who [acquires](Self::acquire) gets a [`Permit`], and dropping that gives the place to the next.
/// [`run`](Self::run) does both round a piece of work. Who cancels while waiting leaves the line.
/// Clones are handles of the same semaphore.
///
/// ```
/// use torsade_deferred::{Deferred, DeferredSemaphore};
///
/// let downloads = DeferredSemaphore::new(2);
/// let (first, second) = (downloads.acquire(), downloads.acquire());
/// let third = downloads.acquire();
/// assert!(!third.is_settled());
///
/// drop(first); // with the permit that it holds
/// let permit = third.try_take().unwrap().unwrap();
/// assert_eq!((downloads.available(), downloads.waiting()), (0, 0));
/// drop((permit, second));
/// assert_eq!(downloads.available(), 2);
/// ```
#[doc(alias = "Semaphore")]
#[doc(alias = "BoundedSemaphore")]
#[derive(Clone)]
pub struct DeferredSemaphore {
    places: Rc<Places>,
}

impl DeferredSemaphore {
    /// A semaphore with so many permits.
    ///
    /// ```
    /// assert_eq!(torsade_deferred::DeferredSemaphore::new(3).available(), 3);
    /// ```
    ///
    /// # Panics
    /// If `permits` is zero: nobody would ever be let in.
    #[must_use]
    pub fn new(permits: usize) -> Self {
        assert!(permits > 0, "a semaphore has at least one permit");
        let places = Places {
            free: Cell::new(permits),
            serving: Cell::new(Serving::Idle),
            waiters: Waiters::new(),
        };
        Self {
            places: Rc::new(places),
        }
    }

    /// A permit, when it is this caller's turn.
    ///
    /// Cancelling the Deferred leaves the line; once the permit is there, that is too late, and
    /// dropping the Deferred drops the permit.
    ///
    /// ```
    /// use torsade_deferred::{DeferredSemaphore, Failure};
    ///
    /// let one = DeferredSemaphore::new(1);
    /// let held = one.acquire().try_take().unwrap();
    /// let impatient = one.acquire();
    /// assert_eq!(one.waiting(), 1);
    /// impatient.cancel();
    /// assert_eq!(one.waiting(), 0);
    /// # drop(held);
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Deferred<Permit, Infallible> {
        match self.try_acquire() {
            Some(permit) => Deferred::succeed(permit),
            None => self.places.waiters.wait(),
        }
    }

    /// A permit, if one is free and nobody waits.
    ///
    /// ```
    /// let one = torsade_deferred::DeferredSemaphore::new(1);
    /// let permit = one.try_acquire();
    /// assert!(permit.is_some() && one.try_acquire().is_none());
    /// ```
    #[must_use]
    pub fn try_acquire(&self) -> Option<Permit> {
        self.places.take().then(|| self.places.permit())
    }

    /// Calls `work` when a permit is there, and gives it back when the result of that is.
    ///
    /// However it ends: with a value, an error, a panic of `work`, a cancellation. The permit is
    /// back before the result is told. Cancelling leaves the line, or cancels the work.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, DeferredSemaphore, Failure};
    ///
    /// let one = DeferredSemaphore::new(1);
    /// let (resolver, writing) = Deferred::<(), &str>::new();
    /// let first = one.run(move || writing);
    /// let second = one.run(|| Deferred::<(), &str>::fail("disk full"));
    /// assert_eq!(one.waiting(), 1);
    ///
    /// resolver.resolve(());
    /// assert_eq!(first.try_take().unwrap(), Ok(()));
    /// assert_eq!(second.try_take().unwrap(), Err(Failure::Error("disk full")));
    /// assert_eq!(one.available(), 1);
    /// ```
    #[track_caller]
    pub fn run<T: 'static, E: 'static>(
        &self,
        work: impl FnOnce() -> Deferred<T, E> + 'static,
    ) -> Deferred<T, E> {
        self.acquire()
            .map_err(|never| match never {})
            .and_then(move |permit| {
                // If it panics, this frame is left and the permit with it.
                let work = work();
                work.map_result(move |result| {
                    drop(permit);
                    result
                })
            })
    }

    /// How many permits are free.
    ///
    /// ```
    /// let two = torsade_deferred::DeferredSemaphore::new(2);
    /// let _permit = two.try_acquire();
    /// assert_eq!(two.available(), 1);
    /// ```
    #[must_use]
    pub fn available(&self) -> usize {
        self.places.free.get()
    }

    /// How many wait.
    ///
    /// ```
    /// assert_eq!(torsade_deferred::DeferredSemaphore::new(2).waiting(), 0);
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.places.waiters.len()
    }
}

impl fmt::Debug for DeferredSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredSemaphore")
            .field("available", &self.available())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// A place in a [`DeferredSemaphore`], or the hold of a [`DeferredLock`](crate::DeferredLock).
/// Dropping it lets the next one in.
///
/// ```
/// let lock = torsade_deferred::DeferredLock::new();
/// let permit = lock.acquire().try_take().unwrap().unwrap();
/// assert!(lock.is_locked());
/// drop(permit); // release
/// assert!(!lock.is_locked());
/// ```
#[doc(alias = "release")]
#[must_use = "a permit that is dropped at once lets the next one in"]
pub struct Permit {
    places: Rc<Places>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.places.free.set(self.places.free.get() + 1);
        self.places.serve();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

struct Places {
    free: Cell<usize>,
    serving: Cell<Serving>,
    waiters: Rc<Waiters<Permit, Infallible>>,
}

/// Whether free places are being given away. A permit that finds nobody comes back meanwhile, and
/// is given on by who serves: a loop, where a call in a call would go as deep as the line is long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serving {
    Idle,
    Now,
}

impl Places {
    /// Takes a free place for one who is not in the line.
    fn take(&self) -> bool {
        // Then nobody waits: a place that comes free goes to the line first.
        let can = self.free.get() > 0;
        if can {
            self.free.set(self.free.get() - 1);
        }
        can
    }

    fn permit(self: &Rc<Self>) -> Permit {
        Permit {
            places: Rc::clone(self),
        }
    }

    fn serve(self: &Rc<Self>) {
        if self.serving.replace(Serving::Now) == Serving::Now {
            return;
        }
        // Nobody else runs before all places are given away, so that nobody overtakes.
        let _hold = queue::hold();
        while self.free.get() > 0 {
            let Some(waiter) = self.waiters.first() else {
                break;
            };
            self.free.set(self.free.get() - 1);
            waiter.resolve(self.permit());
        }
        self.serving.set(Serving::Idle);
    }
}
