//! The run-to-completion queue: one for each thread, first in, first out.
//!
//! Whatever would call user code back is a [`Job`] and goes through [`push`]. Who pushes while
//! something runs only queues; who pushes while nothing runs becomes the *outermost* call and runs
//! the queue to empty before it returns. That is why callbacks never nest, and why a plain test
//! needs no pump.
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use torsade_deferred::queue::{self, Job};
//!
//! struct Note(&'static str, Rc<RefCell<Vec<&'static str>>>);
//! impl Job for Note {
//!     fn run(self: Rc<Self>) {
//!         if self.0 == "first" {
//!             // Pushed from inside a job: it waits for its turn.
//!             queue::push(Rc::new(Note("second", Rc::clone(&self.1))));
//!         }
//!         self.1.borrow_mut().push(self.0);
//!     }
//! }
//!
//! let notes = Rc::new(RefCell::new(Vec::new()));
//! queue::push(Rc::new(Note("first", Rc::clone(&notes))));
//! assert_eq!(*notes.borrow(), ["first", "second"]);
//! ```
//!
//! An event loop enters a [`Turn`] and decides itself when, and how much of, the queue runs:
//!
//! ```
//! use torsade_deferred::{Deferred, queue::Turn};
//!
//! let turn = Turn::enter().expect("nothing runs on this thread");
//! let (resolver, deferred) = Deferred::<u32, ()>::new();
//! let deferred = deferred.map(|value| value + 1);
//! resolver.resolve(6);
//! assert!(turn.has_jobs() && !deferred.is_settled()); // the closure waits
//! assert!(!turn.drain(100)); // now it ran, and nothing is left
//! assert_eq!(deferred.try_take().unwrap(), Ok(7));
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::guard;
use crate::report::{self, Report};
use crate::step::Handing;

pub use crate::waking::{vouch_for_wakers_like, wake};

/// Something to run once nobody else of this thread is running.
///
/// The queue holds it by reference count, so that a long-lived object (a connection) can be its own
/// job and queue itself again without an allocation.
pub trait Job {
    /// Does the work. A panic is caught by whoever runs the queue, and reported.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_deferred::queue::{self, Job};
    ///
    /// struct Count(Cell<u32>);
    /// impl Job for Count {
    ///     fn run(self: Rc<Self>) {
    ///         self.0.set(self.0.get() + 1);
    ///     }
    /// }
    /// let count = Rc::new(Count(Cell::new(0)));
    /// queue::push(count.clone());
    /// assert_eq!(count.0.get(), 1);
    /// ```
    fn run(self: Rc<Self>);
}

/// Puts a job behind all others of this thread.
///
/// Inside a [`Turn`], or inside a job, that is all. Otherwise this call is the outermost one: it
/// runs the queue to empty, also what the jobs push meanwhile, and then returns. A job that panics
/// is reported (see [`report`]) and the next one runs.
///
/// It works at any time of a thread's life, also in destructors of thread-locals.
///
/// ```
/// use std::rc::Rc;
/// use torsade_deferred::queue::{self, Job};
///
/// struct Hello;
/// impl Job for Hello {
///     fn run(self: Rc<Self>) {
///         println!("hello");
///     }
/// }
/// queue::push(Rc::new(Hello));
/// assert!(queue::is_empty()); // it ran before `push` returned
/// ```
pub fn push(job: Rc<dyn Job>) {
    let queue = current();
    queue.push(job);
    if queue.begin() {
        let _running = Running(&queue);
        queue.run_to_empty();
    }
}

/// Puts a job behind all others of this thread and runs nothing: that is left to the next
/// outermost [`push`] or [`Turn`]. For event loops that will take one.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use torsade_deferred::queue::{self, Job, Turn};
///
/// struct Count(Cell<u32>);
/// impl Job for Count {
///     fn run(self: Rc<Self>) {
///         self.0.set(self.0.get() + 1);
///     }
/// }
/// let count = Rc::new(Count(Cell::new(0)));
/// queue::leave(count.clone());
/// assert_eq!(count.0.get(), 0);
/// Turn::enter().expect("nothing runs on this thread").drain(1);
/// assert_eq!(count.0.get(), 1);
/// ```
pub fn leave(job: Rc<dyn Job>) {
    // Tasks come through here at each of their steps: the usual way counts no reference.
    let mut job = Some(job);
    let _ = OWN.try_with(|own| {
        if let Some(job) = job.take() {
            own.0.push(job);
        }
    });
    if let Some(job) = job {
        last().push(job);
    }
}

/// Whether no job waits on this thread.
///
/// ```
/// assert!(torsade_deferred::queue::is_empty());
/// ```
#[must_use]
pub fn is_empty() -> bool {
    let has_jobs = OWN.try_with(|own| own.0.has_jobs());
    !has_jobs.unwrap_or_else(|_| last().has_jobs())
}

/// Calls `take` with the result of `deferred` at the moment it is there, in the middle of whatever
/// brings it: `take` must not call user code, but push what will.
///
/// This is for event loops that have jobs of their own. What they push here has the place in the
/// queue that the closure of [`finish`](Deferred::finish) would have had; pushed from inside such a
/// closure, it would come behind everything that was queued in the meantime.
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use torsade_deferred::Deferred;
/// use torsade_deferred::queue::{self, Job, Turn};
///
/// struct Print(Cell<Option<u8>>);
/// impl Job for Print {
///     fn run(self: Rc<Self>) {
///         println!("{:?}", self.0.take());
///     }
/// }
///
/// let turn = Turn::enter().expect("nothing runs on this thread");
/// let (resolver, deferred) = Deferred::<u8, ()>::new();
/// queue::hand_on(deferred, |result| queue::push(Rc::new(Print(Cell::new(result.ok())))));
/// resolver.resolve(5);
/// assert!(turn.has_jobs()); // the job, not a call of the closure
/// assert!(!turn.drain(1));
/// ```
#[track_caller]
pub fn hand_on<T: 'static, E: 'static>(
    deferred: Deferred<T, E>,
    take: impl FnOnce(Result<T, Failure<E>>) + 'static,
) {
    Handing::attach(deferred.source(), take, Location::caller());
}

/// Where an event loop enters a turn, over and over, without looking for the thread's queue anew.
///
/// ```
/// use torsade_deferred::queue::Entrance;
///
/// let entrance = Entrance::of_this_thread();
/// let turn = entrance.enter().expect("nothing runs on this thread");
/// assert!(entrance.enter().is_none(), "one turn at a time");
/// drop(turn);
/// assert!(!entrance.has_jobs());
/// ```
pub struct Entrance {
    queue: Rc<Queue>,
}

impl Entrance {
    /// The one to the queue of this thread.
    #[must_use]
    pub fn of_this_thread() -> Self {
        Self { queue: current() }
    }

    /// Enters a turn, as [`Turn::enter`] does.
    #[inline]
    pub fn enter(&self) -> Option<Turn> {
        self.queue.begin().then(|| Turn {
            queue: Rc::clone(&self.queue),
        })
    }

    /// Whether jobs wait on the thread.
    #[must_use]
    #[inline]
    pub fn has_jobs(&self) -> bool {
        self.queue.has_jobs()
    }
}

impl fmt::Debug for Entrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrance")
            .field("has_jobs", &self.has_jobs())
            .finish()
    }
}

/// While this exists, nothing runs by itself on this thread: the holder runs the jobs.
///
/// An event loop enters one before it calls the first callback of a turn and drops it before it
/// sleeps. Jobs that are left when it is dropped stay queued; the next outermost [`push`] or the
/// next `Turn` of this thread runs them first. Those that are left when the thread ends are dropped
/// unrun.
#[must_use = "a Turn that is dropped at once holds nothing back"]
pub struct Turn {
    queue: Rc<Queue>,
}

impl Turn {
    /// Enters a turn; `None` when a turn, or an outermost run of the queue, is active on this thread.
    ///
    /// ```
    /// use torsade_deferred::queue::Turn;
    ///
    /// let turn = Turn::enter();
    /// assert!(turn.is_some());
    /// assert!(Turn::enter().is_none());
    /// drop(turn);
    /// assert!(Turn::enter().is_some());
    /// ```
    pub fn enter() -> Option<Self> {
        let queue = current();
        // Not `then_some`: a `Turn` made in vain would end the run of another when it is dropped.
        queue.begin().then(|| Self { queue })
    }

    /// Whether jobs wait. Costs a load and a compare.
    ///
    /// ```
    /// use torsade_deferred::queue::Turn;
    ///
    /// let turn = Turn::enter().expect("nothing runs on this thread");
    /// assert!(!turn.has_jobs());
    /// ```
    #[must_use]
    #[inline]
    pub fn has_jobs(&self) -> bool {
        self.queue.has_jobs()
    }

    /// Takes the oldest job out, for the caller to run.
    ///
    /// The caller catches its panic; nothing of the queue is borrowed meanwhile.
    ///
    /// ```
    /// use torsade_deferred::queue::Turn;
    ///
    /// let turn = Turn::enter().expect("nothing runs on this thread");
    /// while let Some(job) = turn.pop() {
    ///     job.run();
    /// }
    /// ```
    #[must_use]
    #[inline]
    pub fn pop(&self) -> Option<Rc<dyn Job>> {
        self.queue.pop()
    }

    /// Runs at most `budget` jobs, oldest first, and returns whether work is left.
    ///
    /// Jobs that are pushed meanwhile count too. A job that panics is reported, and uses one of the
    /// budget like any other.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, queue::Turn};
    ///
    /// let turn = Turn::enter().expect("nothing runs on this thread");
    /// for _ in 0..3 {
    ///     Deferred::<_, ()>::succeed("tea").finish(|_| ());
    /// }
    /// assert!(turn.drain(2)); // one is left
    /// assert!(!turn.drain(2));
    /// ```
    pub fn drain(&self, budget: usize) -> bool {
        for _ in 0..budget {
            let Some(job) = self.pop() else { return false };
            run(job);
        }
        self.has_jobs()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("jobs", &self.queue.jobs.borrow().len())
            .finish()
    }
}

/// Makes several pushes one step: what they queue runs when the outermost `Hold` is dropped.
pub(crate) struct Hold {
    outermost: Option<Rc<Queue>>,
}

/// Holds the queue back until the returned value is dropped, then runs it if this was the outermost.
pub(crate) fn hold() -> Hold {
    let queue = current();
    Hold {
        outermost: queue.begin().then_some(queue),
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(queue) = self.outermost.take() {
            let _running = Running(&queue);
            queue.run_to_empty();
        }
    }
}

/// Jobs beyond this many keep no memory once they have run.
const KEPT_CAPACITY: usize = 1024;

struct Queue {
    jobs: RefCell<VecDeque<Rc<dyn Job>>>,
    /// Whether `jobs` has any: event loops ask after every callback.
    any: Cell<bool>,
    /// Set while a `Turn`, a `Hold` or an outermost `push` of this thread is active.
    running: Cell<bool>,
}

impl Queue {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            jobs: RefCell::new(VecDeque::new()),
            any: Cell::new(false),
            running: Cell::new(false),
        })
    }

    #[inline]
    fn has_jobs(&self) -> bool {
        self.any.get()
    }

    fn push(&self, job: Rc<dyn Job>) {
        self.jobs.borrow_mut().push_back(job);
        self.any.set(true);
    }

    fn pop(&self) -> Option<Rc<dyn Job>> {
        let mut jobs = self.jobs.borrow_mut();
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.any.set(false);
            if jobs.capacity() > KEPT_CAPACITY {
                jobs.shrink_to(KEPT_CAPACITY);
            }
        }
        job
    }

    fn run_to_empty(&self) {
        loop {
            // A statement of its own: the borrow must end before the job runs.
            let job = self.pop();
            let Some(job) = job else { return };
            run(job);
        }
    }

    /// Starts a run or a turn; false when one is active.
    #[inline]
    fn begin(&self) -> bool {
        !self.running.replace(true)
    }

    #[inline]
    fn end(&self) {
        self.running.set(false);
    }
}

impl Drop for Queue {
    /// What is left when the thread ends is dropped unrun, one by one, so that a panic in a `Drop`
    /// of the user does not reach the destructor of a thread-local, where it would abort.
    fn drop(&mut self) {
        let left = std::mem::take(self.jobs.get_mut());
        for job in left {
            guard::discard(job);
        }
        // Our own allocation stays as long as a weak reference does.
        let _ = LAST.try_with(|last| {
            let queue = last.take();
            if queue.strong_count() > 0 {
                last.set(queue);
            }
        });
    }
}

/// Ends the run on every way out, so that a panic can never leave a thread's queue asleep.
struct Running<'a>(&'a Queue);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn run(job: Rc<dyn Job>) {
    if let Err(panic) = guard::catch(|| job.run()) {
        report::send(Report::caught(panic, "a queued job", None));
    }
}

/// Keeps the thread's queue alive, and leaves word of it when the thread ends.
struct Owner(Rc<Queue>);

impl Drop for Owner {
    fn drop(&mut self) {
        // A `Turn` that lives in another thread-local may outlive us: what is pushed from now on
        // still finds its queue.
        let _ = LAST.try_with(|last| last.set(Rc::downgrade(&self.0)));
    }
}

thread_local! {
    static OWN: Owner = Owner(Queue::new());

    /// The queue to use once `OWN` is gone. It has no destructor, so it can be reached to the very
    /// end of the thread; it is weak, so that nothing is lost with it.
    static LAST: ManuallyDrop<Cell<Weak<Queue>>> = const { ManuallyDrop::new(Cell::new(Weak::new())) };
}

fn current() -> Rc<Queue> {
    OWN.try_with(|own| Rc::clone(&own.0))
        .unwrap_or_else(|_| last())
}

/// The queue of a thread whose thread-locals are being destroyed. It lives as long as somebody runs
/// it, and whoever pushes meanwhile finds it.
#[cold]
fn last() -> Rc<Queue> {
    LAST.try_with(|last| {
        let queue = last.take().upgrade().unwrap_or_else(Queue::new);
        last.set(Rc::downgrade(&queue));
        queue
    })
    .unwrap_or_else(|_| Queue::new())
}
