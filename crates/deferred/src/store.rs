//! [`DeferredQueue`]: items that wait for readers, or readers that wait for items.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::queue;
use crate::waiters::Waiters;

/// Hands items from who has them to who wants them, first in, first out on both sides.
///
/// Either items wait or readers do, never both. Both are bounded: at most `size` items, and at most
/// `backlog` readers. Who cancels while waiting leaves the line. Clones are handles of the same
/// queue.
///
/// An item that has come to a reader is the reader's: it goes with the Deferred that is dropped with
/// it.
///
/// ```
/// use torsade_deferred::{DeferredQueue, QueueOverflow};
///
/// let jobs = DeferredQueue::new(2, 10);
/// let early = jobs.get(); // waits
/// for job in ["a", "b", "c"] {
///     jobs.put(job).unwrap();
/// }
/// assert_eq!(early.try_take().unwrap(), Ok("a"));
/// assert_eq!(jobs.put("d"), Err(QueueOverflow("d"))); // two wait already
/// assert_eq!(jobs.get().try_take().unwrap(), Ok("b"));
/// ```
#[doc(alias = "Queue")]
pub struct DeferredQueue<T: 'static> {
    store: Rc<Store<T>>,
}

/// Both have their limits.
struct Store<T: 'static> {
    items: RefCell<VecDeque<T>>,
    size: usize,
    readers: Rc<Waiters<T, QueueUnderflow>>,
    backlog: usize,
}

impl<T: 'static> DeferredQueue<T> {
    /// A queue that holds at most `size` items and lets at most `backlog` readers wait.
    /// `usize::MAX` is no bound.
    ///
    /// A `size` of zero hands items over only where a reader waits.
    ///
    /// ```
    /// let queue = torsade_deferred::DeferredQueue::<u32>::new(100, 1);
    /// assert!(queue.is_empty());
    /// ```
    #[must_use]
    pub fn new(size: usize, backlog: usize) -> Self {
        Self {
            store: Rc::new(Store {
                items: RefCell::default(),
                size,
                readers: Waiters::new(),
                backlog,
            }),
        }
    }

    /// Gives the item to the first reader who waits, or keeps it for the next one.
    ///
    /// ```
    /// use torsade_deferred::DeferredQueue;
    ///
    /// let queue = DeferredQueue::new(1, 1);
    /// queue.put("tea")?;
    /// assert_eq!(queue.len(), 1);
    /// # Ok::<(), torsade_deferred::QueueOverflow<&str>>(())
    /// ```
    ///
    /// # Errors
    /// [`QueueOverflow`] with the item if nobody waits and `size` items do.
    #[doc(alias = "put_nowait")]
    pub fn put(&self, item: T) -> Result<(), QueueOverflow<T>> {
        // What the reader does with it comes after this call has seen to its own.
        let _hold = queue::hold();
        if let Some(reader) = self.store.readers.first() {
            reader.resolve(item);
            return Ok(());
        }
        let mut items = self.store.items.borrow_mut();
        if items.len() >= self.store.size {
            return Err(QueueOverflow(item));
        }
        items.push_back(item);
        Ok(())
    }

    /// The oldest item, or the next that comes.
    ///
    /// It fails with [`QueueUnderflow`] if `backlog` readers wait already.
    ///
    /// ```
    /// use torsade_deferred::{DeferredQueue, Failure, QueueUnderflow};
    ///
    /// let queue = DeferredQueue::<u32>::new(1, 1);
    /// let first = queue.get();
    /// let second = queue.get();
    /// assert_eq!(second.try_take().unwrap(), Err(Failure::Error(QueueUnderflow)));
    /// first.cancel(); // leaves the line
    /// assert_eq!(queue.waiting(), 0);
    /// ```
    #[track_caller]
    pub fn get(&self) -> Deferred<T, QueueUnderflow> {
        if let Some(item) = self.try_get() {
            return Deferred::succeed(item);
        }
        if self.waiting() >= self.store.backlog {
            return Deferred::fail(QueueUnderflow);
        }
        self.store.readers.wait()
    }

    /// The oldest item, if there is one.
    ///
    /// ```
    /// assert_eq!(torsade_deferred::DeferredQueue::<u32>::new(1, 1).try_get(), None);
    /// ```
    #[doc(alias = "get_nowait")]
    #[must_use]
    pub fn try_get(&self) -> Option<T> {
        self.store.items.borrow_mut().pop_front()
    }

    /// How many items wait.
    ///
    /// ```
    /// assert_eq!(torsade_deferred::DeferredQueue::<u32>::new(1, 1).len(), 0);
    /// ```
    #[doc(alias = "qsize")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.items.borrow().len()
    }

    /// Whether no item waits.
    ///
    /// ```
    /// assert!(torsade_deferred::DeferredQueue::<u32>::new(1, 1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many readers wait.
    ///
    /// ```
    /// let queue = torsade_deferred::DeferredQueue::<u32>::new(1, 1);
    /// let reader = queue.get();
    /// assert_eq!(queue.waiting(), 1);
    /// # reader.cancel();
    /// ```
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.store.readers.len()
    }
}

impl<T: 'static> Clone for DeferredQueue<T> {
    fn clone(&self) -> Self {
        Self {
            store: Rc::clone(&self.store),
        }
    }
}

impl<T: 'static> fmt::Debug for DeferredQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredQueue")
            .field("len", &self.len())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The [`DeferredQueue`] is full; the item is in here.
#[doc(alias = "QueueFull")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueueOverflow<T>(pub T);

impl<T> fmt::Debug for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueOverflow")
    }
}

impl<T> fmt::Display for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl<T> Error for QueueOverflow<T> {}

/// As many wait for an item of the [`DeferredQueue`] as may.
#[doc(alias = "QueueEmpty")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueueUnderflow;

impl fmt::Display for QueueUnderflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many wait for the queue")
    }
}

impl Error for QueueUnderflow {}
