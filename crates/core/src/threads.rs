//! Work in threads, whose results come back as Deferreds.

use std::any::Any;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use torsade_deferred::{Deferred, Failure, Panic, Resolver};

use crate::slots::Key;
use crate::{Gone, Net, Remote, guard};

/// Why a call was not given to a thread.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ThreadError {
    /// All threads are busy, and as many calls wait as may: `Limits::thread_queue`.
    #[error("too many calls wait for a thread")]
    Full,
    /// The system could not start a thread, and there is none.
    #[error("cannot start a thread: {0}")]
    System(#[source] io::Error),
    /// The reactor, or the pool, is gone.
    #[error("cannot call in a thread: {0}")]
    Gone(#[from] Gone),
}

/// What a thread is to do. It does not panic, and may be dropped undone.
pub type Work = Box<dyn FnOnce() + Send>;

/// What a host says that does not take a [`Work`].
#[derive(Debug)]
#[non_exhaustive]
pub enum NotTaken {
    /// It has no threads: the work is done here, in a later turn.
    NoThreads(NoThreads),
    /// It should have, and could not.
    Refused(ThreadError),
}

/// The work that a host without threads gives back.
pub struct NoThreads(pub Work);

impl std::fmt::Debug for NoThreads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoThreads")
    }
}

impl Net {
    /// Calls `f` in a thread of the reactor's pool, so that it may block or compute for long, and
    /// resolves with what it returns.
    ///
    /// The pool has at most `Limits::max_threads` threads; calls wait for one, first come, first
    /// served, at most `Limits::thread_queue` of them. A panic in `f` is [`Failure::Panicked`].
    /// Cancelling takes the call back if it has not begun; one that has runs to its end, and its
    /// value is dropped. When the reactor stops, calls that have not begun are dropped, those that
    /// have are waited for, and their Deferreds end `Abandoned`.
    ///
    /// A program is written against `Net`, so it runs in a simulator as well: there `f` is called in
    /// the next turn, on the thread of the test, and takes no time.
    ///
    /// ```
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// # let net = reactor.net();
    /// let hash = net.defer_to_thread(|| (0..1_000_000u64).fold(7, |hash, n| hash ^ n.rotate_left(3)));
    /// # reactor.settle();
    /// assert!(hash.try_take().unwrap().is_ok());
    /// ```
    #[doc(alias = "deferToThread")]
    #[doc(alias = "callInThread")]
    #[doc(alias = "callMultipleInThread")]
    #[doc(alias = "run_in_executor")]
    #[doc(alias = "to_thread")]
    #[track_caller]
    pub fn defer_to_thread<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Deferred<T, ThreadError> {
        defer_to(self, f, |work| self.0.host().thread(work))
    }
}

/// Calls `f` wherever `take` does its work, and resolves with what it returns; for pools of one's
/// own. See [`Net::defer_to_thread`].
///
/// ```
/// use torsade_core::driver::defer_to;
/// # let reactor = torsade_testing::MemoryReactor::new();
/// let six = defer_to(reactor.net(), || 2 * 3, |work| {
///     std::thread::spawn(work).join().unwrap();
///     Ok(())
/// });
/// reactor.settle(); // the answer was posted
/// assert_eq!(six.try_take().unwrap().unwrap(), 6);
/// ```
#[doc(alias = "deferToThreadPool")]
#[track_caller]
pub fn defer_to<T: Send + 'static>(
    net: &Net,
    f: impl FnOnce() -> T + Send + 'static,
    take: impl FnOnce(Work) -> Result<(), NotTaken>,
) -> Deferred<T, ThreadError> {
    if !net.is_alive() {
        return Deferred::fail(Gone.into());
    }
    let (resolver, deferred) = Deferred::new();
    // Here until it is begun, so that it can be taken back.
    let call = Arc::new(Mutex::new(Some(f)));
    // Weak, so that it goes with the work if that is dropped.
    let (shared, begun) = (Rc::downgrade(&net.0), Arc::downgrade(&call));
    let key = net.0.asked.borrow().next_key();
    resolver.on_cancel(move || {
        let call = begun.upgrade().and_then(|call| take_from(&call));
        drop(call);
        if let Some(shared) = shared.upgrade() {
            let asked = shared.asked.borrow_mut().remove(key);
            drop(asked);
        }
    });
    net.0.asked.borrow_mut().insert(Box::new(resolver));
    let mut answer = Answer::<T> {
        key,
        remote: net.remote(),
        result: None,
    };
    let work: Work = Box::new(move || {
        if let Some(call) = take_from(&call) {
            answer.result = Some(guard::run(call));
        }
        drop(answer);
    });
    match take(work) {
        Ok(()) => {}
        Err(NotTaken::NoThreads(NoThreads(work))) => {
            // The reactor lives, so this does not fail.
            let _ = net.remote().post(move |_| work());
        }
        Err(NotTaken::Refused(error)) => {
            let asked = net.0.asked.borrow_mut().remove(key);
            if let Some(resolver) = asked.and_then(|asked| to_resolver::<T>(asked)) {
                resolver.reject(error);
            }
        }
    }
    deferred
}

/// What waits here for an answer from elsewhere: a `Resolver<T, ThreadError>`, which does not travel.
pub(crate) type Asked = Box<dyn Any>;

/// A result on its way back to the reactor. It goes there when it is dropped, also without one.
struct Answer<T: Send + 'static> {
    key: Key,
    remote: Remote,
    result: Option<Result<T, Panic>>,
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        let (key, result) = (self.key, self.result.take());
        // If the reactor is gone, nobody waits.
        let _ = self.remote.post(move |net| {
            let asked = net.0.asked.borrow_mut().remove(key);
            let resolver = asked.and_then(|asked| to_resolver::<T>(asked));
            // Without a result it is dropped, and abandons its Deferred.
            if let (Some(resolver), Some(result)) = (resolver, result) {
                resolver.settle(result.map_err(Failure::Panicked));
            }
        });
    }
}

fn to_resolver<T: 'static>(asked: Asked) -> Option<Resolver<T, ThreadError>> {
    asked.downcast().ok().map(|resolver| *resolver)
}

/// No user code runs under the lock, so a poisoned one guards whole data.
fn take_from<F>(call: &Mutex<Option<F>>) -> Option<F> {
    call.lock().unwrap_or_else(PoisonError::into_inner).take()
}
