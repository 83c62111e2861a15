use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use torsade_core::driver::{NotTaken, Work};
use torsade_core::{Gone, Limits, ThreadError};

/// How many threads, and how much may wait for them.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) queue: usize,
    pub(crate) idle: Duration,
}

impl Bounds {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            min: limits.min_threads,
            max: limits.max_threads.max(1),
            queue: limits.thread_queue,
            idle: limits.thread_idle,
        }
    }
}

/// Threads that work off one queue, first come, first served. They are started when there is
/// something to do, and those above the minimum end when they have nothing to do for long.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

/// What the threads share.
pub(super) struct Shared {
    bounds: Bounds,
    state: Mutex<State>,
    /// There is something in the queue, or the pool closes.
    news: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    queue: VecDeque<Work>,
    threads: BTreeMap<u64, JoinHandle<()>>,
    /// Threads that have something to do. The others have taken, or are about to take, what is in
    /// the queue.
    busy: usize,
    next: u64,
    /// Those of our threads that wait for the reactor, which will not answer once it joins them.
    callers: BTreeMap<u64, Arc<dyn Interrupt>>,
}

/// ```text
///         close(Queue::Finish)              the queue is empty
///   Open ---------------------> Finishing --------------------> threads end
///     | close(Queue::Drop)          | close(Queue::Drop)
///     +-----------------------------+--> Closing ------------> threads end
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    Finishing,
    Closing,
}

/// What becomes of the queue when a pool closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Finish,
    Drop,
}

/// A thread that waits for a reactor.
pub(super) trait Interrupt: Send + Sync {
    /// It waits in vain.
    fn interrupt(&self);
}

impl Pool {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            shared: Arc::new(Shared {
                bounds,
                state: Mutex::default(),
                news: Condvar::new(),
            }),
        }
    }

    /// Puts `work` into the queue, and starts a thread for it if none is free.
    pub(crate) fn give(&self, work: Work) -> Result<(), NotTaken> {
        self.give_within(work, self.shared.bounds.queue)
    }

    /// The same for who bounds himself how much he lets wait.
    pub(super) fn give_at_once(&self, work: Work) -> Result<(), NotTaken> {
        self.give_within(work, usize::MAX)
    }

    fn give_within(&self, work: Work, most: usize) -> Result<(), NotTaken> {
        let refused = {
            let mut state = self.shared.state();
            match self.shared.room(&state, most) {
                Ok(()) => {
                    state.queue.push_back(work);
                    match self.shared.provide(&mut state) {
                        Ok(()) => return Ok(()),
                        Err(error) => (state.queue.pop_back(), error),
                    }
                }
                Err(error) => (Some(work), error),
            }
        };
        // Dropped without the lock: it is the user's.
        let (work, error) = refused;
        drop(work);
        Err(NotTaken::Refused(error))
    }

    /// Takes no more, and ends when the queue is empty, which may be at once.
    pub(super) fn close(&self, queue: Queue) {
        let dropped = {
            let mut state = self.shared.state();
            match queue {
                Queue::Finish if state.phase == Phase::Open => state.phase = Phase::Finishing,
                Queue::Finish => {}
                Queue::Drop => state.phase = Phase::Closing,
            }
            match queue {
                Queue::Finish => VecDeque::new(),
                Queue::Drop => std::mem::take(&mut state.queue),
            }
        };
        self.shared.news.notify_all();
        drop_each(dropped);
    }

    /// Waits for all threads, after a `close`. Called by one of them it does not wait for itself.
    pub(super) fn join(&self) {
        loop {
            let next = {
                let mut state = self.shared.state();
                let own = thread::current().id();
                let other = |handle: &JoinHandle<()>| handle.thread().id() != own;
                let id = state.threads.iter().find(|(_, handle)| other(handle));
                let id = id.map(|(id, _)| *id);
                id.and_then(|id| state.threads.remove(&id))
            };
            let Some(thread) = next else { return };
            // A thread of ours catches what its work panics with.
            let _ = thread.join();
        }
    }

    /// The reactor does nothing any more: ends all threads, and is as new. Those that wait for the
    /// reactor are told that they do so in vain.
    pub(crate) fn end(&self) {
        let callers = {
            let mut state = self.shared.state();
            state.phase = Phase::Closing;
            std::mem::take(&mut state.callers)
        };
        callers.into_values().for_each(|caller| caller.interrupt());
        self.close(Queue::Drop);
        self.join();
        self.shared.state().phase = Phase::Open;
    }

    pub(super) fn threads(&self) -> usize {
        self.shared.state().threads.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.shared.state().queue.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close(Queue::Drop);
        self.join();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("threads", &self.threads())
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl Shared {
    fn room(&self, state: &State, most: usize) -> Result<(), ThreadError> {
        if state.phase != Phase::Open {
            return Err(ThreadError::Gone(Gone));
        }
        // Those that a free thread is about to take do not wait.
        if state.queue.len() >= most.saturating_add(self.free(state)) {
            return Err(ThreadError::Full);
        }
        Ok(())
    }

    /// Threads that have nothing to do, there or to be started.
    fn free(&self, state: &State) -> usize {
        self.bounds.max.saturating_sub(state.busy)
    }

    /// Sees to it that somebody takes what was just put into the queue.
    fn provide(self: &Arc<Self>, state: &mut State) -> Result<(), ThreadError> {
        let wanted = self.bounds.min.max(state.threads.len() + 1);
        if state.threads.len().saturating_sub(state.busy) < state.queue.len() {
            while state.threads.len() < wanted.min(self.bounds.max) {
                match self.start(state) {
                    Ok(()) => {}
                    Err(error) if state.threads.is_empty() => {
                        return Err(ThreadError::System(error));
                    }
                    // The others will do it.
                    Err(_) => break,
                }
            }
        }
        self.news.notify_one();
        Ok(())
    }

    fn start(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let id = state.next;
        let shared = Arc::clone(self);
        let name = format!("torsade-{id}");
        let handle = thread::Builder::new()
            .name(name)
            .spawn(move || shared.work(id))?;
        state.next += 1;
        state.threads.insert(id, handle);
        Ok(())
    }

    /// The life of a thread.
    fn work(self: Arc<Self>, id: u64) {
        POOL.with_borrow_mut(|pool| *pool = Some(Arc::clone(&self)));
        let mut done = 0;
        while let Some(work) = self.next(id, done) {
            done = 1;
            // Works do not panic; but a thread that ended early would be one too few for ever.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
                let panic = torsade_deferred::Panic::from_payload(payload);
                log::error!("panic in a thread of the pool: {}", panic.message());
            }
        }
    }

    /// What to do next, for a thread that has `done` something; `None` if it is to end.
    fn next(&self, id: u64, done: usize) -> Option<Work> {
        let mut state = self.state();
        state.busy -= done;
        loop {
            if let Some(work) = state.queue.pop_front() {
                state.busy += 1;
                return Some(work);
            }
            if state.phase != Phase::Open {
                return None;
            }
            let above = state.threads.len() > self.bounds.min;
            let (now, waited) = if above {
                let waited = self.news.wait_timeout(state, self.bounds.idle);
                let (now, waited) = waited.unwrap_or_else(PoisonError::into_inner);
                (now, waited.timed_out())
            } else {
                let waited = self.news.wait(state);
                (waited.unwrap_or_else(PoisonError::into_inner), false)
            };
            state = now;
            let is_spare = state.threads.len() > self.bounds.min;
            if waited && is_spare && state.queue.is_empty() && state.phase == Phase::Open {
                // Nobody joins it any more: it ends by itself, and holds nothing.
                drop(state.threads.remove(&id));
                return None;
            }
        }
    }

    /// A thread of ours is about to wait for a reactor; `None` if that would be in vain.
    pub(super) fn caller(&self, caller: Arc<dyn Interrupt>) -> Option<u64> {
        let mut state = self.state();
        if state.phase == Phase::Closing {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.callers.insert(id, caller);
        Some(id)
    }

    pub(super) fn answered(&self, id: u64) {
        let caller = self.state().callers.remove(&id);
        drop(caller);
    }

    /// No user code runs under the lock, so a poisoned one guards whole data.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each by itself: two panics in one drop would end the process.
fn drop_each(works: VecDeque<Work>) {
    for work in works {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(work))) {
            let panic = torsade_deferred::Panic::from_payload(payload);
            log::error!("panic in the drop of a call: {}", panic.message());
        }
    }
}

thread_local! {
    static POOL: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// The pool whose thread this is.
pub(super) fn current() -> Option<Arc<Shared>> {
    POOL.with_borrow(Clone::clone)
}
