//! An executor and a timer for hyper 1, with the feature `hyper`. Its streams are
//! [`Duplex`](crate::Duplex).
//!
//! ```
//! use torsade_futures::hyper::{HyperExecutor, HyperTimer};
//!
//! let reactor = torsade_testing::MemoryReactor::new();
//! let executor = HyperExecutor::new(reactor.net()); // for `http2::Builder::new`
//! let timer = HyperTimer::new(reactor.net()); // for `Builder::timer`
//! # let _ = (executor, timer);
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
#[expect(
    clippy::disallowed_types,
    reason = "hyper counts in it; it is looked at and never read from the clock here"
)]
use std::time::Instant;

use hyper::rt;
use torsade_core::driver::Extension;
use torsade_core::{Net, Remote, Timer};

use crate::spawn;

/// Runs hyper's background work as tasks of a reactor. The futures need not be `Send`.
#[derive(Clone, Debug)]
pub struct HyperExecutor(Net);

impl HyperExecutor {
    /// Of this reactor.
    pub fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

impl<F: Future + 'static> rt::Executor<F> for HyperExecutor {
    fn execute(&self, future: F) {
        spawn(&self.0, future).detach();
    }
}

/// hyper's time-outs, as timers of a reactor.
///
/// hyper wants a timer that may leave its thread, so this one reaches its reactor as other threads
/// do: setting one is a message to the reactor, and it begins when that is read, in the next turn
/// at the latest. It is given up when the sleep is dropped. If the reactor is gone, it never ends.
///
/// In a test or a simulation it runs by the virtual clock; only what hyper asks for as a point in
/// time is counted from the real one.
#[derive(Clone, Debug)]
pub struct HyperTimer(Remote);

impl HyperTimer {
    /// Of this reactor.
    pub fn new(net: &Net) -> Self {
        Self(net.remote())
    }
}

#[expect(
    clippy::disallowed_types,
    reason = "hyper's interface; `now` is hyper's own"
)]
impl rt::Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HyperSleep::new(&self.0, duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

struct HyperSleep {
    remote: Remote,
    number: u64,
    state: Arc<Mutex<State>>,
}

/// ```text
///   Asleep(nobody) --polled--> Asleep(somebody)
///        | the timer                | the timer: somebody is woken
///        +-------> Awake <----------+
/// ```
enum State {
    Asleep(Option<Waker>),
    Awake,
}

impl HyperSleep {
    fn new(remote: &Remote, duration: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(Mutex::new(State::Asleep(None)));
        let weak = Arc::downgrade(&state);
        // If the reactor is gone, nobody waits.
        let _ = remote.post(move |net| {
            if weak.strong_count() > 0 {
                Timers::of(net).set(net, number, duration, move || {
                    if let Some(state) = weak.upgrade() {
                        wake(&state);
                    }
                });
            }
        });
        Self {
            remote: remote.clone(),
            number,
            state,
        }
    }
}

fn wake(state: &Mutex<State>) {
    let mut locked = state.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::mem::replace(&mut *locked, State::Awake);
    drop(locked);
    if let State::Asleep(Some(waker)) = before {
        waker.wake();
    }
}

impl Future for HyperSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut locked = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = match &mut *locked {
            State::Awake => return Poll::Ready(()),
            State::Asleep(before) => before.replace(waker),
        };
        drop(locked);
        drop(unused);
        Poll::Pending
    }
}

impl rt::Sleep for HyperSleep {}

impl Drop for HyperSleep {
    fn drop(&mut self) {
        let awake = {
            let locked = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            matches!(*locked, State::Awake)
        };
        if !awake {
            let number = self.number;
            let _ = self.remote.post(move |net| Timers::of(net).cancel(number));
        }
    }
}

/// The timers that sleeps of this reactor wait for.
#[derive(Default)]
struct Timers(RefCell<BTreeMap<u64, Timer>>);

impl Timers {
    fn of(net: &Net) -> Rc<Self> {
        net.extension(|_| Rc::default())
    }

    fn set(self: Rc<Self>, net: &Net, number: u64, after: Duration, f: impl FnOnce() + 'static) {
        let timers = Rc::clone(&self);
        let timer = net.call_later(after, move |_| {
            timers.0.borrow_mut().remove(&number);
            f();
        });
        self.0.borrow_mut().insert(number, timer);
    }

    fn cancel(&self, number: u64) {
        let timer = self.0.borrow_mut().remove(&number);
        if let Some(timer) = timer {
            timer.cancel();
        }
    }
}

impl Extension for Timers {
    fn ended(self: Rc<Self>) {
        self.0.take();
    }
}

impl fmt::Debug for HyperSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HyperSleep").field(&self.number).finish()
    }
}
