use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use torsade_deferred::{Failure, Panic};

/// Why a call that was submitted has no value: it was `Cancelled`, it `Panicked`, it was `Abandoned`
/// by an executor that was shut down, or it was `TimedOut`, of a wait that had a limit.
pub type JobError = Failure<Infallible>;

/// A call that an [`Executor`](super::Executor) makes or has made: Python's
/// `concurrent.futures.Future`. Dropping it changes nothing.
///
/// ```
/// use torsade_reactor::Executor;
///
/// let executor = Executor::new(2);
/// let sum = executor.submit(|| (1..=100u32).sum::<u32>())?;
/// assert_eq!(sum.result(), Ok(5050));
/// # Ok::<(), torsade_core::ThreadError>(())
/// ```
#[doc(alias = "Future")]
pub struct Submitted<T> {
    job: Arc<Job<T>>,
}

impl<T: Send + 'static> Submitted<T> {
    /// Waits for the result.
    ///
    /// # Errors
    /// See [`JobError`].
    pub fn result(self) -> Result<T, JobError> {
        let (sender, done) = mpsc::channel();
        self.job.when_done(move || {
            let _ = sender.send(());
        });
        // The sender is dropped no earlier than it has sent.
        let _ = done.recv();
        self.job.take()
    }

    /// Waits for the result, but no longer than this.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use torsade_reactor::Executor;
    ///
    /// let executor = Executor::new(1);
    /// let (go, wait) = mpsc::channel::<()>();
    /// let job = executor.submit(move || wait.recv().is_ok())?;
    /// let job = job.result_within(Duration::from_millis(1)).unwrap_err(); // not yet
    /// go.send(()).unwrap();
    /// assert_eq!(job.result(), Ok(true));
    /// # Ok::<(), torsade_core::ThreadError>(())
    /// ```
    ///
    /// # Errors
    /// Gives itself back if the time is over. The inner result is that of
    /// [`result`](Self::result).
    pub fn result_within(self, longest: Duration) -> Result<Result<T, JobError>, Self> {
        let (sender, done) = mpsc::channel();
        self.job.when_done(move || {
            let _ = sender.send(());
        });
        match done.recv_timeout(longest) {
            Err(RecvTimeoutError::Timeout) => Err(self),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Ok(self.job.take()),
        }
    }

    /// Takes the call back, if it has not begun. Returns whether it will not be made.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use torsade_deferred::Failure;
    /// use torsade_reactor::Executor;
    ///
    /// let executor = Executor::new(1);
    /// let (go, wait) = mpsc::channel::<()>();
    /// let (begun, begins) = mpsc::channel();
    /// let first = executor.submit(move || {
    ///     begun.send(()).unwrap();
    ///     wait.recv().is_ok()
    /// })?;
    /// let second = executor.submit(|| unreachable!())?;
    /// begins.recv().unwrap();
    /// assert!(!first.cancel()); // runs
    /// assert!(second.cancel());
    /// assert_eq!(second.result(), Err::<(), _>(Failure::Cancelled));
    /// go.send(()).unwrap();
    /// # Ok::<(), torsade_core::ThreadError>(())
    /// ```
    pub fn cancel(&self) -> bool {
        self.job.cancel()
    }

    /// Whether it is being made right now.
    pub fn is_running(&self) -> bool {
        matches!(*self.job.state(), State::Running(_))
    }

    /// Whether it has an end, of whatever kind.
    #[doc(alias = "done")]
    pub fn is_done(&self) -> bool {
        matches!(*self.job.state(), State::Done(_) | State::Taken)
    }

    /// Calls `f` when it has an end: in the thread that makes it, or at once if it has one. A panic
    /// in `f` goes to the log.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use torsade_reactor::Executor;
    ///
    /// let executor = Executor::new(1);
    /// let (sender, done) = mpsc::channel();
    /// executor.submit(|| 7)?.when_done(move || sender.send("done").unwrap());
    /// assert_eq!(done.recv(), Ok("done"));
    /// # Ok::<(), torsade_core::ThreadError>(())
    /// ```
    #[doc(alias = "add_done_callback")]
    pub fn when_done(&self, f: impl FnOnce() + Send + 'static) {
        self.job.when_done(f);
    }
}

impl<T> fmt::Debug for Submitted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match *self.job.state() {
            State::Queued(..) => "queued",
            State::Running(_) => "running",
            State::Done(_) | State::Taken => "done",
        };
        write!(f, "Submitted({state})")
    }
}

/// What [`wait`] waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// One of them has an end.
    #[doc(alias = "FIRST_COMPLETED")]
    FirstDone,
    /// One of them has an end that is no value, or all have ends.
    #[doc(alias = "FIRST_EXCEPTION")]
    FirstFailed,
    /// All have ends.
    #[doc(alias = "ALL_COMPLETED")]
    AllDone,
}

/// What [`wait`] found, each in the order in which they were given.
#[derive(Debug)]
pub struct Waited<T> {
    /// Those that have an end.
    pub done: Vec<Submitted<T>>,
    /// Those that have none yet.
    pub not_done: Vec<Submitted<T>>,
}

/// Waits for several calls, no longer than `longest`, and tells those that are done from the others.
///
/// ```
/// use torsade_reactor::{Executor, Until, wait};
///
/// let executor = Executor::new(2);
/// let jobs = (1..=3).map(|n| executor.submit(move || n * n)).collect::<Result<Vec<_>, _>>()?;
/// let waited = wait(jobs, Until::AllDone, None);
/// assert!(waited.not_done.is_empty());
/// let squares: Vec<_> = waited.done.into_iter().map(|job| job.result().unwrap()).collect();
/// assert_eq!(squares, [1, 4, 9]);
/// # Ok::<(), torsade_core::ThreadError>(())
/// ```
pub fn wait<T: Send + 'static>(
    jobs: impl IntoIterator<Item = Submitted<T>>,
    until: Until,
    longest: Option<Duration>,
) -> Waited<T> {
    let jobs: Vec<_> = jobs.into_iter().collect();
    let deadline = longest.and_then(|longest| Instant::now().checked_add(longest));
    let (sender, ends) = mpsc::channel();
    for (index, job) in jobs.iter().enumerate() {
        let sender = sender.clone();
        job.when_done(move || {
            let _ = sender.send(index);
        });
    }
    drop(sender);
    let enough = |index: usize| match until {
        Until::FirstDone => true,
        Until::FirstFailed => jobs[index].job.has_failed(),
        Until::AllDone => false,
    };
    while let Some(index) = next_end(&ends, deadline) {
        if enough(index) {
            break;
        }
    }
    let (done, not_done) = jobs.into_iter().partition(Submitted::is_done);
    Waited { done, not_done }
}

/// The next end; `None` when all have come, or the time has.
fn next_end(ends: &Receiver<usize>, deadline: Option<Instant>) -> Option<usize> {
    match deadline {
        None => ends.recv().ok(),
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now());
            ends.recv_timeout(left).ok()
        }
    }
}

/// The calls in the order of their ends.
///
/// ```
/// use torsade_reactor::{Executor, as_completed};
///
/// let executor = Executor::new(4);
/// let jobs = (1..=3).map(|n| executor.submit(move || n)).collect::<Result<Vec<_>, _>>()?;
/// let sum: u32 = as_completed(jobs).map(|job| job.result().unwrap()).sum();
/// assert_eq!(sum, 6);
/// # Ok::<(), torsade_core::ThreadError>(())
/// ```
pub fn as_completed<T: Send + 'static>(
    jobs: impl IntoIterator<Item = Submitted<T>>,
) -> AsCompleted<T> {
    let jobs: Vec<_> = jobs.into_iter().map(Some).collect();
    let (sender, ends) = mpsc::channel();
    for (index, job) in jobs.iter().flatten().enumerate() {
        let sender = sender.clone();
        job.when_done(move || {
            let _ = sender.send(index);
        });
    }
    AsCompleted { jobs, ends }
}

/// The iterator of [`as_completed`]. `next` waits.
#[derive(Debug)]
pub struct AsCompleted<T> {
    jobs: Vec<Option<Submitted<T>>>,
    ends: Receiver<usize>,
}

impl<T> Iterator for AsCompleted<T> {
    type Item = Submitted<T>;

    fn next(&mut self) -> Option<Submitted<T>> {
        let index = self.ends.recv().ok()?;
        self.jobs[index].take()
    }
}

/// What a handle and the thread share.
pub(super) struct Job<T> {
    state: Mutex<State<T>>,
}

type Call<T> = Box<dyn FnOnce() -> T + Send>;
type Watchers = Vec<Box<dyn FnOnce() + Send>>;

/// ```text
///            a thread has time             it returns or panics
///   Queued ---------------------> Running ----------------------> Done -- result --> Taken
///      | cancelled, or dropped undone                               ^
///      +------------------------------------------------------------+
/// ```
enum State<T> {
    Queued(Call<T>, Watchers),
    Running(Watchers),
    Done(Result<T, JobError>),
    Taken,
}

impl<T: Send + 'static> Job<T> {
    pub(super) fn queued(call: impl FnOnce() -> T + Send + 'static) -> (Submitted<T>, Doing<T>) {
        let job = Arc::new(Self {
            state: Mutex::new(State::Queued(Box::new(call), Vec::new())),
        });
        (
            Submitted {
                job: Arc::clone(&job),
            },
            Doing(job),
        )
    }

    fn run(&self) {
        let mut state = self.state();
        let call = match std::mem::replace(&mut *state, State::Taken) {
            State::Queued(call, watchers) => {
                *state = State::Running(watchers);
                call
            }
            other => {
                *state = other;
                return;
            }
        };
        drop(state);
        let result = catch_unwind(AssertUnwindSafe(call))
            .map_err(|payload| Failure::Panicked(Panic::from_payload(payload)));
        self.end(result);
    }

    fn cancel(&self) -> bool {
        self.end_unbegun(Failure::Cancelled)
            || matches!(&*self.state(), State::Done(Err(Failure::Cancelled)))
    }

    /// Ends it if it has not begun.
    fn end_unbegun(&self, failure: JobError) -> bool {
        let mut state = self.state();
        if !matches!(*state, State::Queued(..)) {
            return false;
        }
        let before = std::mem::replace(&mut *state, State::Done(Err(failure)));
        drop(state);
        tell(before);
        true
    }

    fn end(&self, result: Result<T, JobError>) {
        let before = std::mem::replace(&mut *self.state(), State::Done(result));
        tell(before);
    }

    fn when_done(&self, f: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        match &mut *state {
            State::Queued(_, watchers) | State::Running(watchers) => watchers.push(Box::new(f)),
            State::Done(_) | State::Taken => {
                drop(state);
                call(Box::new(f));
            }
        }
    }

    fn take(&self) -> Result<T, JobError> {
        match std::mem::replace(&mut *self.state(), State::Taken) {
            State::Done(result) => result,
            // Only its end is waited for, and only once: the handle is consumed.
            State::Queued(..) | State::Running(_) | State::Taken => Err(Failure::Abandoned),
        }
    }

    fn has_failed(&self) -> bool {
        matches!(*self.state(), State::Done(Err(_)))
    }
}

impl<T> Job<T> {
    /// No user code runs under the lock, so a poisoned one guards whole data.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls those who wait for the end, with no lock held, and drops the call if there still is one.
fn tell<T>(before: State<T>) {
    let watchers = match before {
        State::Queued(undone, watchers) => {
            call(Box::new(move || drop(undone)));
            watchers
        }
        State::Running(watchers) => watchers,
        State::Done(_) | State::Taken => return,
    };
    watchers.into_iter().for_each(call);
}

fn call(user: Box<dyn FnOnce() + Send + '_>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(user)) {
        let panic = Panic::from_payload(payload);
        log::error!("panic beside a submitted call: {}", panic.message());
    }
}

/// The executor's end: run by a thread, or dropped.
pub(super) struct Doing<T: Send + 'static>(Arc<Job<T>>);

impl<T: Send + 'static> Doing<T> {
    pub(super) fn run(self) {
        self.0.run();
    }
}

impl<T: Send + 'static> Drop for Doing<T> {
    fn drop(&mut self) {
        // Nobody will make the call, if it was not made.
        self.0.end_unbegun(Failure::Abandoned);
    }
}
