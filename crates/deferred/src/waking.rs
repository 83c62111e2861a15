//! Calling wakers, which are user code, at the place in the order that belongs to them.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{RawWakerVTable, Waker};

use crate::queue::{Job, push};

/// Calls a waker, from the queue of the thread, because it is user code: nobody is called back
/// while running.
///
/// A waker of a kind that an executor of this thread [vouched for](vouch_for_wakers_like) is called
/// at once. What it queues has then the place in the order that a closure given to
/// [`finish`](crate::Deferred::finish) would have had, and nothing is allocated.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::task::{Wake, Waker};
/// use torsade_deferred::queue;
///
/// struct Flag(AtomicBool);
/// impl Wake for Flag {
///     fn wake(self: Arc<Self>) {
///         self.0.store(true, Ordering::Relaxed);
///     }
/// }
/// let flag = Arc::new(Flag(AtomicBool::new(false)));
/// let turn = queue::Turn::enter().expect("nothing runs on this thread");
/// queue::wake(Waker::from(Arc::clone(&flag)));
/// assert!(!flag.0.load(Ordering::Relaxed)); // it waits for its turn
/// turn.drain(1);
/// assert!(flag.0.load(Ordering::Relaxed));
/// ```
pub fn wake(waker: Waker) {
    // By what is in the table: the compiler makes several of the same content.
    if VOUCHED.get() == Some(waker.vtable()) {
        waker.wake();
    } else {
        push(Rc::new(Wake(Cell::new(Some(waker)))));
    }
}

/// An executor promises, for this thread, that wakers of the same kind as this one call no user
/// code when they are woken or dropped: they only queue a job.
///
/// One kind at a time: the last one counts. A waker that is not recognised as one of the kind is
/// still called, from the queue.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Wake, Waker};
/// use torsade_deferred::queue;
///
/// struct Mine;
/// impl Wake for Mine {
///     fn wake(self: Arc<Self>) {
///         // ... queue::leave(job) ...
///     }
/// }
/// queue::vouch_for_wakers_like(&Waker::from(Arc::new(Mine)));
/// ```
pub fn vouch_for_wakers_like(waker: &Waker) {
    VOUCHED.set(Some(waker.vtable()));
}

thread_local! {
    /// What tells the kinds of wakers apart. It has no destructor, so it can always be reached.
    static VOUCHED: Cell<Option<&'static RawWakerVTable>> = const { Cell::new(None) };
}

/// A waker on its way through the queue.
struct Wake(Cell<Option<Waker>>);

impl Job for Wake {
    fn run(self: Rc<Self>) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}
