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
//!
//! A server and a client in one test, in no time: `crates/futures/tests/hyper.rs` of the sources.
//! With sockets: the examples `http_server` and `http_client`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
#[expect(clippy::disallowed_types, reason = "hyper counts in it")]
use std::time::Instant;

use hyper::rt;
use torsade_core::driver::Extension;
use torsade_core::{Net, Remote, Time, Timer};

use crate::executor::{Executor, Home};
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

/// hyper's time-outs, as timers of a reactor, by its clock: in a test or a simulation they pass as
/// the test says.
///
/// hyper may carry its timer to another thread. There it works, too: what it sets is sent to the
/// reactor, and counts from when that reads it. A sleep that is dropped is given up. If the reactor
/// is gone, it never ends.
///
/// Two things of hyper know nothing of this clock. Points in time are the standard library's
/// `Instant`, so [`now`](rt::Timer::now) is when the timer was made, and what has passed on the
/// reactor's clock since; asked on another thread, which has no reactor, it is the system's. And the
/// `Date` of an answer is the system's date, unless the service sets one.
///
/// ```
/// use std::time::Duration;
/// use hyper::rt::Timer;
/// use torsade_futures::hyper::HyperTimer;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let timer = HyperTimer::new(reactor.net());
/// let before = timer.now();
/// reactor.block_on(timer.sleep_until(before + Duration::from_secs(3600)));
/// assert_eq!(timer.now() - before, Duration::from_secs(3600)); // and no time has passed
/// ```
#[expect(clippy::disallowed_types, reason = "hyper counts in it")]
#[derive(Clone, Debug)]
pub struct HyperTimer {
    reactor: Place,
    /// The same moment on both clocks.
    made: (Instant, Time),
}

impl HyperTimer {
    /// Of this reactor.
    #[expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "an `Instant` to count from cannot be had otherwise; nothing is measured by it"
    )]
    pub fn new(net: &Net) -> Self {
        Self {
            reactor: Place {
                home: Executor::of(net).home(),
                remote: net.remote(),
            },
            made: (Instant::now(), net.now()),
        }
    }
}

#[expect(clippy::disallowed_types, reason = "hyper's interface")]
impl rt::Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(HyperSleep::new(&self.reactor, duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "on another thread there is no other clock"
    )]
    fn now(&self) -> Instant {
        let (instant, time) = self.made;
        match self.reactor.home.executor() {
            Some(executor) => instant + (executor.net().now() - time),
            None => Instant::now(),
        }
    }
}

/// A reactor, as it is reached from any thread.
#[derive(Clone, Debug)]
struct Place {
    home: Home,
    remote: Remote,
}

impl Place {
    /// Do this at the reactor: here and now if it is this thread's, else when it reads of it. If it
    /// is gone, nothing is done.
    fn run(&self, f: impl FnOnce(&Net) + Send + 'static) {
        match self.home.executor() {
            Some(executor) => f(executor.net()),
            None => drop(self.remote.post(f)),
        }
    }
}

struct HyperSleep {
    reactor: Place,
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
    fn new(reactor: &Place, duration: Duration) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(Mutex::new(State::Asleep(None)));
        let weak = Arc::downgrade(&state);
        reactor.run(move |net| {
            if weak.strong_count() > 0 {
                Timers::of(net).set(net, number, duration, move || {
                    if let Some(state) = weak.upgrade() {
                        wake(&state);
                    }
                });
            }
        });
        Self {
            reactor: reactor.clone(),
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
            self.reactor.run(move |net| Timers::of(net).cancel(number));
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
