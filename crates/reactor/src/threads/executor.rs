use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::driver::{NotTaken, defer_to};
use torsade_core::{Net, ThreadError};
use torsade_deferred::Deferred;

use super::pool::{Bounds, Pool, Queue};
use super::submitted::{Job, JobError, Submitted};

/// A pool of threads of one's own: Python's `ThreadPoolExecutor`.
///
/// For plain threads, which wait for results; and with [`defer_to_thread`](Self::defer_to_thread)
/// for a reactor, as one more pool beside the one that
/// [`Net::defer_to_thread`](torsade_core::Net::defer_to_thread) uses. Clones are handles of the same
/// pool. When the last is dropped, calls that have not begun are dropped, and those that have are
/// waited for.
///
/// ```
/// use torsade_reactor::Executor;
///
/// let executor = Executor::new(4);
/// let lengths = executor.map(["tea", "coffee"], |name| name.len());
/// assert_eq!(lengths.collect::<Vec<_>>(), [Ok(3), Ok(6)]); // in the order of the items
/// ```
#[doc(alias = "ThreadPoolExecutor")]
#[doc(alias = "ThreadPool")]
#[doc(alias = "Team")]
#[doc(alias = "IWorker")]
#[doc(alias = "run_in_executor")]
#[derive(Clone)]
pub struct Executor {
    pool: Arc<Pool>,
    threads: usize,
}

/// What [`Executor::shutdown`] does with calls that have not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// They are made.
    Finish,
    /// They are dropped, and end `Abandoned`.
    #[doc(alias = "cancel_futures")]
    DropWaiting,
}

impl Executor {
    /// An executor with at most so many threads, and at least one. They are started when needed and
    /// stay. Any number of calls may wait for them.
    ///
    /// ```
    /// let executor = torsade_reactor::Executor::new(2);
    /// assert_eq!(executor.threads(), 0); // none yet
    /// ```
    pub fn new(threads: usize) -> Self {
        Self::with_queue(threads, usize::MAX)
    }

    /// Like [`new`](Self::new), where only so many calls may wait for a thread.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use torsade_core::ThreadError;
    /// use torsade_reactor::Executor;
    ///
    /// let executor = Executor::with_queue(1, 1);
    /// let (go, wait) = mpsc::channel::<()>();
    /// executor.submit(move || wait.recv().is_ok())?; // has the thread, or will have it
    /// executor.submit(|| true)?; // waits
    /// assert!(matches!(executor.submit(|| true), Err(ThreadError::Full)));
    /// go.send(()).unwrap();
    /// # Ok::<(), ThreadError>(())
    /// ```
    pub fn with_queue(threads: usize, waiting: usize) -> Self {
        let threads = threads.max(1);
        let bounds = Bounds {
            min: 0,
            max: threads,
            queue: waiting,
            // A thread of an executor that was made for a purpose is kept for it.
            idle: Duration::from_secs(3600),
        };
        Self {
            pool: Arc::new(Pool::new(bounds)),
            threads,
        }
    }

    /// Has `f` called in a thread.
    ///
    /// ```
    /// let executor = torsade_reactor::Executor::new(1);
    /// assert_eq!(executor.submit(|| 6 * 7)?.result(), Ok(42));
    /// # Ok::<(), torsade_core::ThreadError>(())
    /// ```
    ///
    /// # Errors
    /// If the executor was shut down, if too many wait, or if the system has no thread.
    pub fn submit<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Submitted<T>, ThreadError> {
        let (submitted, doing) = Job::queued(f);
        let given = self.pool.give(Box::new(move || doing.run()));
        given.map(|()| submitted).map_err(refusal)
    }

    /// Calls `f` with each item, several at once, and gives the results in the order of the items.
    ///
    /// Twice as many calls as there are threads are begun ahead of what was asked for. Dropping the
    /// iterator takes those back that have not begun.
    ///
    /// ```
    /// let executor = torsade_reactor::Executor::new(3);
    /// let squares = executor.map(1..=1000u64, |n| n * n).map(Result::unwrap);
    /// assert_eq!(squares.sum::<u64>(), 333_833_500);
    /// ```
    pub fn map<I: IntoIterator, T: Send + 'static>(
        &self,
        items: I,
        f: impl Fn(I::Item) -> T + Send + Sync + 'static,
    ) -> Mapped<I::IntoIter, T>
    where
        I::Item: Send + 'static,
    {
        Mapped {
            executor: self.clone(),
            items: items.into_iter(),
            call: Arc::new(f),
            begun: VecDeque::new(),
        }
    }

    /// Has `f` called in a thread of this pool, and resolves on the reactor of `net`.
    ///
    /// Everything else is as with
    /// [`Net::defer_to_thread`](torsade_core::Net::defer_to_thread). This pool belongs to no
    /// reactor, so none waits for it when it stops.
    ///
    /// ```
    /// use torsade_reactor::{Executor, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let disks = Executor::new(2);
    /// let answer = disks.defer_to_thread(reactor.net(), || 6 * 7);
    /// assert_eq!(reactor.run_until(answer)?.unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "deferToThreadPool")]
    #[track_caller]
    pub fn defer_to_thread<T: Send + 'static>(
        &self,
        net: &Net,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Deferred<T, ThreadError> {
        defer_to(net, f, |work| self.pool.give(work))
    }

    /// Takes no more calls, and waits until all threads have ended.
    ///
    /// ```
    /// use torsade_reactor::{Executor, Shutdown};
    ///
    /// let executor = Executor::new(1);
    /// let jobs = (0..10).map(|n| executor.submit(move || n)).collect::<Result<Vec<_>, _>>()?;
    /// executor.shutdown(Shutdown::Finish);
    /// assert!(jobs.iter().all(|job| job.is_done()));
    /// assert!(executor.submit(|| 0).is_err());
    /// # Ok::<(), torsade_core::ThreadError>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) {
        self.begin_shutdown(how);
        self.pool.join();
    }

    /// Takes no more calls, and waits for nothing.
    ///
    /// ```
    /// use torsade_reactor::{Executor, Shutdown};
    ///
    /// let executor = Executor::new(1);
    /// executor.begin_shutdown(Shutdown::DropWaiting);
    /// assert!(executor.submit(|| 0).is_err());
    /// ```
    pub fn begin_shutdown(&self, how: Shutdown) {
        self.pool.close(match how {
            Shutdown::Finish => Queue::Finish,
            Shutdown::DropWaiting => Queue::Drop,
        });
    }

    /// How many threads there are now.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// How many calls wait for a thread.
    pub fn waiting(&self) -> usize {
        self.pool.waiting()
    }
}

fn refusal(not_taken: NotTaken) -> ThreadError {
    match not_taken {
        NotTaken::Refused(error) => error,
        // A pool of ours has threads; the enum may grow.
        _ => ThreadError::Full,
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("threads", &self.threads())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// The iterator of [`Executor::map`]. `next` waits.
///
/// Each item is a value, or why there is none: the call panicked, or the executor was shut down.
pub struct Mapped<I: Iterator, T: Send + 'static> {
    executor: Executor,
    items: I,
    call: Arc<dyn Fn(I::Item) -> T + Send + Sync>,
    begun: VecDeque<Result<Submitted<T>, NotTaken>>,
}

impl<I: Iterator<Item: Send + 'static>, T: Send + 'static> Iterator for Mapped<I, T> {
    type Item = Result<T, JobError>;

    fn next(&mut self) -> Option<Result<T, JobError>> {
        while self.begun.len() < 2 * self.executor.threads {
            let Some(item) = self.items.next() else { break };
            let call = Arc::clone(&self.call);
            let (submitted, doing) = Job::queued(move || call(item));
            let given = self
                .executor
                .pool
                .give_at_once(Box::new(move || doing.run()));
            self.begun.push_back(given.map(|()| submitted));
        }
        let first = self.begun.pop_front()?;
        Some(first.map_or(Err(JobError::Abandoned), Submitted::result))
    }
}

impl<I: Iterator, T: Send + 'static> Drop for Mapped<I, T> {
    fn drop(&mut self) {
        for begun in self.begun.iter().flatten() {
            begun.cancel();
        }
    }
}

impl<I: Iterator, T: Send + 'static> fmt::Debug for Mapped<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapped")
            .field("begun", &self.begun.len())
            .finish()
    }
}
