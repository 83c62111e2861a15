use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use torsade_core::{Gone, Net, Remote};
use torsade_deferred::{Deferred, Failure, Panic};

use super::pool::{self, Interrupt};

/// Straight-line code in a plain thread: call into the reactor, and wait for the answer.
pub trait BlockOn {
    /// Calls `f` on the reactor's thread, and waits until the Deferred that it returns has a result.
    ///
    /// If the reactor does not run yet, it waits until it does. It never waits for what cannot come:
    /// it fails if the reactor goes meanwhile, or if it would have to wait for itself.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_reactor::{BlockOn, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let remote = reactor.remote();
    /// let script = std::thread::spawn(move || {
    ///     // One thing after the other, as in any script.
    ///     let pause = Duration::from_millis(1);
    ///     remote.block_on(move |net| net.sleep(pause)).unwrap();
    ///     let nap = remote.block_on(move |net| net.sleep(pause).map(move |()| pause)).unwrap();
    ///     let _ = remote.post(|net| net.stop());
    ///     nap
    /// });
    /// reactor.run()?;
    /// assert_eq!(script.join().unwrap(), Duration::from_millis(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`BlockOnError::Failed`] with what the Deferred failed with, or the panic of `f`;
    /// [`BlockOnError::OwnThread`] on the reactor's own thread;
    /// [`BlockOnError::Gone`] if the reactor stopped or was dropped before it took the call, or is
    /// waiting for this thread to end, as at its stop for those of its pool.
    #[doc(alias = "blockingCallFromThread")]
    #[doc(alias = "run_coroutine_threadsafe")]
    fn block_on<T: Send + 'static, E: Send + 'static>(
        &self,
        f: impl FnOnce(&Net) -> Deferred<T, E> + Send + 'static,
    ) -> Result<T, BlockOnError<E>>;
}

/// Why [`BlockOn::block_on`] has no value.
#[derive(Debug, Error)]
pub enum BlockOnError<E> {
    /// It was called on the reactor's own thread, which would wait for itself.
    #[error("a reactor's own thread cannot wait for it: attach a closure to the Deferred instead")]
    OwnThread,
    /// The reactor is gone, or went before it answered.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// What was waited for failed.
    #[error("{0}")]
    Failed(Failure<E>),
}

impl BlockOn for Remote {
    fn block_on<T: Send + 'static, E: Send + 'static>(
        &self,
        f: impl FnOnce(&Net) -> Deferred<T, E> + Send + 'static,
    ) -> Result<T, BlockOnError<E>> {
        if self.is_in_reactor_thread() {
            return Err(BlockOnError::OwnThread);
        }
        let call = Arc::new(Call {
            state: Mutex::new(State::Waiting),
            news: Condvar::new(),
        });
        let _visit = match pool::current() {
            None => None,
            Some(pool) => match pool.caller(Arc::clone(&call) as Arc<dyn Interrupt>) {
                Some(id) => Some(Visit(pool, id)),
                None => return Err(Gone.into()),
            },
        };
        let promise = Promise(Arc::clone(&call));
        self.post(move |net| {
            match catch_unwind(AssertUnwindSafe(|| f(net))) {
                Ok(deferred) => deferred.finish(move |result| promise.keep(result)),
                Err(payload) => {
                    promise.keep(Err(Failure::Panicked(Panic::from_payload(payload))));
                }
            };
        })?;
        call.wait()
    }
}

/// A thread of a pool that waits.
struct Visit(Arc<pool::Shared>, u64);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.answered(self.1);
    }
}

/// What a waiting thread and the reactor share.
struct Call<T, E> {
    state: Mutex<State<T, E>>,
    news: Condvar,
}

/// ```text
///            the result               the thread has it
///   Waiting ------------> Answered(_) ------------------> Taken
///      | the promise was dropped, or the pool of the thread closes
///      +----------------> Gone
/// ```
enum State<T, E> {
    Waiting,
    Answered(Result<T, Failure<E>>),
    Gone,
    Taken,
}

impl<T, E> Call<T, E> {
    fn wait(&self) -> Result<T, BlockOnError<E>> {
        let mut state = self.state();
        loop {
            match mem::replace(&mut *state, State::Taken) {
                State::Answered(result) => return result.map_err(BlockOnError::Failed),
                State::Gone | State::Taken => return Err(Gone.into()),
                State::Waiting => *state = State::Waiting,
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first end is the one.
    fn end(&self, end: State<T, E>) {
        let mut state = self.state();
        let unused = match &*state {
            State::Waiting => mem::replace(&mut *state, end),
            State::Answered(_) | State::Gone | State::Taken => end,
        };
        drop(state);
        // Without the lock: it may hold what is the user's.
        drop(unused);
        self.news.notify_all();
    }

    /// No user code runs under the lock, so a poisoned one guards whole data.
    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send, E: Send> Interrupt for Call<T, E> {
    fn interrupt(&self) {
        self.end(State::Gone);
    }
}

/// The reactor's end. Whoever drops it lets the thread go.
struct Promise<T, E>(Arc<Call<T, E>>);

impl<T, E> Promise<T, E> {
    fn keep(self, result: Result<T, Failure<E>>) {
        self.0.end(State::Answered(result));
    }
}

impl<T, E> Drop for Promise<T, E> {
    fn drop(&mut self) {
        self.0.end(State::Gone);
    }
}
