use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::store::{Fifo, Lifo, Smallest, Store};
use super::waiters::{Wait, Waiters};

/// Things on their way from those who put them to those who get them. A clone is the same queue.
///
/// Who waits, on either side, is served in the order in which it came, and nobody overtakes it: a
/// [`get_nowait`](Self::get_nowait) takes nothing that a waiting one was promised.
///
/// [`Queue`] is first in, first out; [`LifoQueue`] and [`PriorityQueue`] differ in the order alone. The methods are asyncio's. (The `Ord` of what a [`PriorityQueue`] holds must not use that
/// queue.)
///
/// ```
/// use torsade_futures::spawn;
/// use torsade_futures::sync::Queue;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let queue = Queue::bounded(1);
/// let jobs = queue.clone();
/// let worker = spawn(reactor.net(), async move {
///     let mut sum = 0;
///     while let Ok(job) = jobs.get().await {
///         sum += job;
///         jobs.task_done().unwrap();
///     }
///     sum
/// });
/// let sum = reactor.block_on(async move {
///     for job in 1..=10 {
///         queue.put(job).await.unwrap(); // waits for the worker, as there is room for one
///     }
///     queue.join().await;
///     queue.shutdown();
///     worker.await
/// });
/// assert_eq!(sum, Ok(55));
/// ```
#[doc(alias = "DeferredQueue")]
#[doc(alias = "channel")]
pub struct BaseQueue<S: Store>(Rc<Shared<S>>);

/// A queue that gives back first what came first; see [`BaseQueue`] for what it does.
pub type Queue<T> = BaseQueue<Fifo<T>>;

/// A [`Queue`] that gives back first what came last.
///
/// ```
/// use torsade_futures::sync::LifoQueue;
///
/// let queue = LifoQueue::new();
/// queue.put_nowait(1).unwrap();
/// queue.put_nowait(2).unwrap();
/// assert_eq!(queue.get_nowait(), Ok(2));
/// ```
pub type LifoQueue<T> = BaseQueue<Lifo<T>>;

/// A [`Queue`] that gives back the smallest first; of equal ones, the one that came first.
///
/// ```
/// use torsade_futures::sync::PriorityQueue;
///
/// let queue = PriorityQueue::new();
/// queue.put_nowait((2, "later")).unwrap();
/// queue.put_nowait((1, "sooner")).unwrap();
/// assert_eq!(queue.get_nowait(), Ok((1, "sooner")));
/// ```
pub type PriorityQueue<T> = BaseQueue<Smallest<T>>;

struct Shared<S> {
    store: RefCell<S>,
    /// How many it may hold.
    maximum: usize,
    getters: Waiters,
    putters: Waiters,
    /// Put, and not yet said to be done.
    unfinished: Cell<usize>,
    joiners: Waiters,
    open: Cell<bool>,
}

/// The queue was shut down: nothing can be put, or nothing is left to get.
#[doc(alias = "QueueShutDown")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue was shut down")]
pub struct ShutDown;

/// Why nothing was got without waiting.
#[doc(alias = "QueueEmpty")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GetError {
    /// There is nothing, or others wait for what there is.
    #[error("the queue is empty")]
    Empty,
    /// There is nothing, and nothing will come.
    #[error("the queue was shut down")]
    ShutDown,
}

/// Why nothing was put without waiting; what was to be put is given back.
#[doc(alias = "QueueFull")]
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PutError<T> {
    /// There is no room, or others wait for it.
    #[error("the queue is full")]
    Full(T),
    /// Nothing is taken any more.
    #[error("the queue was shut down")]
    ShutDown(T),
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full",
            Self::ShutDown(_) => "ShutDown",
        })
    }
}

/// [`BaseQueue::task_done`] was said more often than something was put.
#[doc(alias = "ValueError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("task_done was called too many times")]
pub struct TooManyDone;

impl<S: Store> Default for BaseQueue<S> {
    fn default() -> Self {
        Self::with_maximum(usize::MAX)
    }
}

impl<S: Store> BaseQueue<S> {
    /// Without a bound: who puts must know that somebody gets, or memory fills.
    pub fn new() -> Self {
        Self::default()
    }

    /// For at most so many things; who puts one more waits.
    ///
    /// # Panics
    /// If `maximum` is 0: nothing would ever fit.
    #[doc(alias = "maxsize")]
    pub fn bounded(maximum: usize) -> Self {
        Self::with_maximum(maximum)
    }

    fn with_maximum(maximum: usize) -> Self {
        assert!(maximum > 0, "a queue has room for at least one");
        Self(Rc::new(Shared {
            store: RefCell::default(),
            maximum,
            getters: Waiters::default(),
            putters: Waiters::default(),
            unfinished: Cell::new(0),
            joiners: Waiters::default(),
            open: Cell::new(true),
        }))
    }

    /// Take the next thing out, when there is one.
    ///
    /// Cancel safe: nothing is taken before this is ready; one that had been promised something and
    /// leaves passes the promise on.
    ///
    /// # Errors
    /// [`ShutDown`] if the queue was shut down and nothing is left.
    pub async fn get(&self) -> Result<S::Item, ShutDown> {
        loop {
            match self.get_nowait() {
                Ok(item) => return Ok(item),
                Err(GetError::ShutDown) => return Err(ShutDown),
                Err(GetError::Empty) => {}
            }
            // A promise that is given back is the next one's.
            let pass_on = || {
                self.0.getters.grant();
            };
            Wait::new(&self.0.getters, pass_on).granted().await;
            // It was promised to us, unless the queue was emptied by a shutdown.
            let item = self.0.take();
            if let Some(item) = item {
                self.0.make_room();
                return Ok(item);
            }
        }
    }

    /// Take the next thing out, if there is one that nobody else waits for.
    ///
    /// # Errors
    /// [`GetError`]: empty, or shut down as well.
    pub fn get_nowait(&self) -> Result<S::Item, GetError> {
        if self.0.free_items() == 0 {
            let open = self.0.open.get() || !self.is_empty();
            return Err(if open {
                GetError::Empty
            } else {
                GetError::ShutDown
            });
        }
        let item = self.0.take().ok_or(GetError::Empty)?;
        self.0.make_room();
        Ok(item)
    }

    /// Put this in, when there is room.
    ///
    /// Cancel safe in this sense: either it was put, and this was ready, or it was not, and goes
    /// with this future. To keep it, wait for room by [`put_nowait`](Self::put_nowait).
    ///
    /// # Errors
    /// [`ShutDown`] if the queue was shut down; the thing is dropped.
    pub async fn put(&self, item: S::Item) -> Result<(), ShutDown> {
        let item = match self.put_nowait(item) {
            Ok(()) => return Ok(()),
            Err(PutError::ShutDown(_)) => return Err(ShutDown),
            Err(PutError::Full(item)) => item,
        };
        Wait::new(&self.0.putters, || self.0.make_room())
            .granted()
            .await;
        if !self.0.open.get() {
            return Err(ShutDown);
        }
        self.add(item);
        Ok(())
    }

    /// Put this in, if there is room that nobody else waits for.
    ///
    /// # Errors
    /// [`PutError`] with the thing: full, or shut down.
    pub fn put_nowait(&self, item: S::Item) -> Result<(), PutError<S::Item>> {
        if !self.0.open.get() {
            return Err(PutError::ShutDown(item));
        }
        if self.0.room() == 0 {
            return Err(PutError::Full(item));
        }
        self.add(item);
        Ok(())
    }

    /// One of the things that were got is dealt with. When all are, [`join`](Self::join) is ready.
    ///
    /// # Errors
    /// [`TooManyDone`] if that many were never put.
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        let left = self.0.unfinished.get().checked_sub(1).ok_or(TooManyDone)?;
        self.0.unfinished.set(left);
        if left == 0 {
            self.0.joiners.grant_all();
        }
        Ok(())
    }

    /// Wait until all things that were put were dealt with, as [`task_done`](Self::task_done) says.
    ///
    /// Cancel safe: nothing is lost but the wait.
    pub async fn join(&self) {
        while self.0.unfinished.get() > 0 {
            Wait::new(&self.0.joiners, || ()).granted().await;
        }
    }

    /// Nothing can be put from now on, and who waits to put is told so. What is in can be got; then
    /// who gets is told.
    pub fn shutdown(&self) {
        self.0.open.set(false);
        self.0.putters.grant_all();
        if self.is_empty() {
            self.0.getters.grant_all();
        }
    }

    /// Like [`shutdown`](Self::shutdown), and what is in is dropped, and counts as dealt with.
    #[doc(alias = "shutdown(immediate=True)")]
    pub fn shutdown_now(&self) {
        self.0.open.set(false);
        let dropped = self.0.store.take();
        let left = self.0.unfinished.get().saturating_sub(dropped.len());
        self.0.unfinished.set(left);
        if left == 0 {
            self.0.joiners.grant_all();
        }
        self.0.putters.grant_all();
        self.0.getters.grant_all();
        drop(dropped);
    }

    /// How many things are in.
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.0.store.borrow().len()
    }

    /// Whether nothing is in.
    #[doc(alias = "empty")]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a put would have to wait.
    #[doc(alias = "full")]
    pub fn is_full(&self) -> bool {
        self.0.room() == 0
    }

    fn add(&self, item: S::Item) {
        self.0.store.borrow_mut().push(item);
        self.0.unfinished.set(self.0.unfinished.get() + 1);
        self.0.getters.grant();
    }
}

impl<S: Store> Shared<S> {
    /// Things that nobody was promised. While anybody waits for one there is none.
    fn free_items(&self) -> usize {
        let items = self.store.borrow().len();
        items.saturating_sub(self.getters.granted())
    }

    /// Places that nobody was promised. While anybody waits for one there is none.
    fn room(&self) -> usize {
        let taken = self.store.borrow().len() + self.putters.granted();
        self.maximum.saturating_sub(taken)
    }

    fn take(&self) -> Option<S::Item> {
        self.store.borrow_mut().pop()
    }

    /// A place became free, or was given back: to the first who waits.
    fn make_room(&self) {
        self.putters.grant();
        // The last thing of a queue that was shut down is gone: nobody waits for more.
        if !self.open.get() && self.store.borrow().len() == 0 {
            self.getters.grant_all();
        }
    }
}

impl<S: Store> Clone for BaseQueue<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S: Store> fmt::Debug for BaseQueue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("items", &self.len())
            .field("getting", &self.0.getters.len())
            .field("putting", &self.0.putters.len())
            .field("unfinished", &self.0.unfinished.get())
            .field("open", &self.0.open.get())
            .finish()
    }
}
