use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

use torsade_deferred::{Canceller, Deferred, Failure, Resolver};

use crate::grid::Grid;
use crate::shared::Shared;
use crate::timers::Action;
use crate::wheel::When;
use crate::{Net, Timer, guard};

/// A handle of something that runs again and again, at equal distances in time.
///
/// Calls stay on the grid that began with the start: whatever a call takes, and however late one
/// is, the next is at a whole number of intervals after the start. Calls that a slow one leaves no
/// time for are skipped, not made up for; each call is told for how many intervals it stands. The
/// next call waits for the Deferred that the last one returned.
///
/// It belongs to no connection, and dropping the handle does not stop it. For the beat of a
/// connection, which ends with it, let the closure of
/// [`Transport::call_later`](crate::Transport::call_later) set the next.
///
/// ```
/// use std::{cell::RefCell, rc::Rc, time::Duration};
/// use torsade_core::{LoopingCall, Protocol, Transport};
/// # use torsade_testing::{Clock, StringTransport};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// # let mut t = StringTransport::serve(Quiet);
/// # let net = t.net().clone();
/// let counts = Rc::new(RefCell::new(Vec::new()));
/// let told = counts.clone();
/// let second = Duration::from_secs(1);
/// let (beat, ended) = LoopingCall::start(&net, second, move |_, count| {
///     told.borrow_mut().push(count);
///     if count == 1 && told.borrow().len() == 3 {
///         Clock::stall(Duration::from_millis(2500)); // a slow call
///     }
/// });
/// t.advance(2 * second); // at 0 s, 1 s, 2 s
/// t.advance(second); // it is 4.5 s now, so the next is at 5 s
/// assert_eq!(*counts.borrow(), [1, 1, 1, 3]);
///
/// assert!(beat.stop());
/// assert!(!beat.stop()); // too late
/// assert_eq!(ended.try_take().unwrap(), Ok(()));
/// ```
#[derive(Clone)]
pub struct LoopingCall(Weak<dyn Looping>);

impl LoopingCall {
    /// Call `f` now and then every so often, until it is stopped or fails.
    ///
    /// The first call comes with the next turn, because nobody calls you back while you are
    /// running; the grid begins now all the same. `f` is told for how many intervals the call
    /// stands: 1, and one more for each that was skipped before it. It returns nothing, or a
    /// Deferred that the next call waits for. With an interval of zero, each turn has a call, and
    /// the count is always 1.
    ///
    /// The Deferred beside the handle resolves after a [`stop`](Self::stop). It is rejected with
    /// what a Deferred of `f` was rejected with, and with `Panicked` if `f` panics; both end the
    /// calls. Cancelling it ends them too, and cancels what a call waits for. When the reactor
    /// stops, it ends `Abandoned`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_core::{LoopingCall, Net};
    /// use torsade_deferred::Deferred;
    ///
    /// fn keep_saving(net: &Net, save: impl Fn() -> Deferred<(), String> + 'static) -> LoopingCall {
    ///     let minute = Duration::from_secs(60);
    ///     let (saving, ended) = LoopingCall::start(net, minute, move |_, _| save());
    ///     ended.finish(|result| println!("no more saving: {result:?}"));
    ///     saving
    /// }
    /// ```
    #[doc(alias = "withCount")]
    #[track_caller]
    pub fn start<R: Ticked>(
        net: &Net,
        every: Duration,
        f: impl FnMut(&Net, u64) -> R + 'static,
    ) -> (Self, Deferred<(), R::Error>) {
        begin(net, every, First::Now, f)
    }

    /// Like [`start`](Self::start), with the first call one interval from now.
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc, time::Duration};
    /// # use torsade_core::{LoopingCall, Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// # let mut t = torsade_testing::StringTransport::serve(Quiet);
    /// # let net = t.net().clone();
    /// let calls = Rc::new(Cell::new(0));
    /// let counter = calls.clone();
    /// let minute = Duration::from_secs(60);
    /// let (beat, _ended) = LoopingCall::start_later(&net, minute, move |_, count| {
    ///     counter.set(counter.get() + count);
    /// });
    /// t.advance(Duration::from_secs(59));
    /// assert_eq!(calls.get(), 0);
    /// t.advance(Duration::from_secs(1));
    /// assert_eq!(calls.get(), 1);
    /// # beat.stop();
    /// ```
    #[track_caller]
    pub fn start_later<R: Ticked>(
        net: &Net,
        every: Duration,
        f: impl FnMut(&Net, u64) -> R + 'static,
    ) -> (Self, Deferred<(), R::Error>) {
        begin(net, every, First::Later, f)
    }

    /// No further call. Returns whether there was still something to stop.
    ///
    /// A call that runs, or whose Deferred is being waited for, is left to end first; then the
    /// Deferred of [`start`](Self::start) resolves.
    pub fn stop(&self) -> bool {
        self.0.upgrade().is_some_and(|looping| looping.stop())
    }

    /// Begin the grid anew: the next call is one interval from now. Returns whether it runs.
    ///
    /// ```
    /// # use std::{cell::Cell, rc::Rc, time::Duration};
    /// # use torsade_core::{LoopingCall, Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// # let mut t = torsade_testing::StringTransport::serve(Quiet);
    /// # let net = t.net().clone();
    /// # let pings = Rc::new(Cell::new(0));
    /// # let counter = pings.clone();
    /// # let minute = Duration::from_secs(60);
    /// // A ping for each minute of silence.
    /// let (silence, _ended) = LoopingCall::start_later(&net, minute, move |_, _| {
    ///     counter.set(counter.get() + 1);
    /// });
    /// t.advance(Duration::from_secs(50));
    /// silence.reset(); // something came
    /// t.advance(Duration::from_secs(50));
    /// assert!(silence.is_running());
    /// assert_eq!(pings.get(), 0);
    /// # silence.stop();
    /// ```
    pub fn reset(&self) -> bool {
        self.0.upgrade().is_some_and(Looping::reset)
    }

    /// Whether there will be another call, as far as is known.
    #[doc(alias = "running")]
    pub fn is_running(&self) -> bool {
        self.0.upgrade().is_some_and(|looping| looping.is_running())
    }
}

impl fmt::Debug for LoopingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopingCall")
            .field("running", &self.is_running())
            .finish()
    }
}

/// What the closure of a [`LoopingCall`] may return: nothing, or a Deferred to be waited for.
pub trait Ticked: 'static {
    /// What it may fail with.
    type Error: 'static;

    /// What the next call waits for, if for anything.
    fn awaited(self) -> Option<Deferred<(), Self::Error>>;
}

impl Ticked for () {
    type Error = Infallible;

    fn awaited(self) -> Option<Deferred<(), Infallible>> {
        None
    }
}

impl<E: 'static> Ticked for Deferred<(), E> {
    type Error = E;

    fn awaited(self) -> Option<Self> {
        Some(self)
    }
}

/// What `None` stands for is not waited for.
impl<R: Ticked> Ticked for Option<R> {
    type Error = R::Error;

    fn awaited(self) -> Option<Deferred<(), R::Error>> {
        self?.awaited()
    }
}

enum First {
    Now,
    Later,
}

#[track_caller]
fn begin<R: Ticked>(
    net: &Net,
    every: Duration,
    first: First,
    f: impl FnMut(&Net, u64) -> R + 'static,
) -> (LoopingCall, Deferred<(), R::Error>) {
    let shared = &net.0;
    let (resolver, ended) = Deferred::new();
    let grid = Grid {
        origin: shared.host().now(),
        every,
    };
    let (uncounted, when) = match first {
        First::Now => (0, When::After(Duration::ZERO)),
        First::Later => (1, When::On(grid)),
    };
    let beat = Rc::new(Beat {
        shared: Rc::downgrade(shared),
        site: Location::caller(),
        grid: Cell::new(grid),
        uncounted: Cell::new(uncounted),
        state: Cell::new(State::Over),
        call: Cell::new(Some(f)),
        ended: Cell::new(None),
    });
    let cancelled = Rc::downgrade(&beat);
    resolver.on_cancel(move || {
        if let Some(beat) = cancelled.upgrade() {
            beat.give_up();
        }
    });
    beat.ended.set(Some(resolver));
    beat.arm(when);
    let looping: Weak<dyn Looping> = Rc::<Beat<R, _>>::downgrade(&beat);
    (LoopingCall(looping), ended)
}

/// A looping call of any type.
trait Looping {
    fn stop(&self) -> bool;
    fn reset(self: Rc<Self>) -> bool;
    fn is_running(&self) -> bool;
}

/// Owned by what brings it on: its timer, or what a call waits for. So when the reactor drops its
/// timers, the closure goes and the Deferred of the start is abandoned.
struct Beat<R: Ticked, F> {
    shared: Weak<Shared>,
    /// Where it was started.
    site: &'static Location<'static>,
    grid: Cell<Grid>,
    /// The first moment of the grid that no call has stood for.
    uncounted: Cell<u64>,
    state: Cell<State>,
    /// Taken out while it runs.
    call: Cell<Option<F>>,
    ended: Cell<Option<Resolver<(), R::Error>>>,
}

/// ```text
///            due            the call is done
///   Waiting -----> Running ------------------> Waiting
///      | stop         | stop
///      |              v      the call is done
///      |          Stopping ---------------+
///      v                                  v
///     Over <-----------------------------Over     an error, a panic, a cancellation: Over at once
/// ```
enum State {
    /// For the timer.
    Waiting(Timer),
    /// The call is being made, or its Deferred is waited for.
    Running(Option<Canceller>),
    /// The same, and it is the last.
    Stopping(Option<Canceller>),
    Over,
}

impl<R: Ticked, F: FnMut(&Net, u64) -> R + 'static> Beat<R, F> {
    fn arm(self: &Rc<Self>, when: When) {
        // Where no timer is set, nobody owns this any more when the caller has returned.
        let Some(shared) = self.shared.upgrade().filter(|shared| shared.is_alive()) else {
            return;
        };
        let beat = Rc::clone(self);
        let action = Action::Free(shared.actions.put(move |net| beat.tick(net)), self.site);
        let timer = Timer::new(&shared, shared.set_timer(when, action));
        self.state.set(State::Waiting(timer));
    }

    fn tick(self: Rc<Self>, net: &Net) {
        self.state.set(State::Running(None));
        let count = self.count(net);
        let Some(mut call) = self.call.take() else {
            return;
        };
        let made = guard::run(|| {
            let ticked = call(net, count);
            (ticked.awaited(), call)
        });
        match made {
            Err(panic) => self.done(Err(Failure::Panicked(panic))),
            Ok((awaited, call)) => {
                self.call.set(Some(call));
                match awaited {
                    None => self.done(Ok(())),
                    Some(deferred) => self.wait(deferred),
                }
            }
        }
    }

    /// For how many intervals this call stands.
    fn count(&self, net: &Net) -> u64 {
        if self.grid.get().every.is_zero() {
            return 1;
        }
        let uncounted = self.grid.get().passed(net.now()).saturating_add(1);
        uncounted - self.uncounted.replace(uncounted)
    }

    fn wait(self: Rc<Self>, deferred: Deferred<(), R::Error>) {
        let canceller = Some(deferred.canceller());
        match self.state.replace(State::Over) {
            State::Running(_) => self.state.set(State::Running(canceller)),
            State::Stopping(_) => self.state.set(State::Stopping(canceller)),
            // A cancellation comes from the queue, so not in the middle of a call; if it did, this
            // would be no longer wanted.
            State::Waiting(_) | State::Over => return deferred.cancel(),
        }
        deferred.finish(move |result| self.done(result));
    }

    fn done(self: &Rc<Self>, result: Result<(), Failure<R::Error>>) {
        match (result, self.state.replace(State::Over)) {
            (Ok(()), State::Running(_)) => self.arm(When::On(self.grid.get())),
            (result, State::Running(_) | State::Stopping(_)) => self.end(result),
            (_, State::Waiting(_) | State::Over) => drop(self.call.take()),
        }
    }

    fn end(&self, result: Result<(), Failure<R::Error>>) {
        drop(self.call.take());
        if let Some(ended) = self.ended.take() {
            ended.settle(result);
        }
    }

    /// Whoever waited for the end wants it now.
    fn give_up(&self) {
        match self.state.replace(State::Over) {
            State::Waiting(timer) => {
                timer.cancel();
            }
            State::Running(Some(canceller)) | State::Stopping(Some(canceller)) => {
                canceller.cancel();
            }
            State::Running(None) | State::Stopping(None) | State::Over => {}
        }
        drop(self.call.take());
    }
}

impl<R: Ticked, F: FnMut(&Net, u64) -> R + 'static> Looping for Beat<R, F> {
    fn stop(&self) -> bool {
        let state = self.state.replace(State::Over);
        let runs = matches!(state, State::Waiting(_) | State::Running(_));
        match state {
            State::Waiting(timer) => {
                timer.cancel();
                self.end(Ok(()));
            }
            State::Running(canceller) | State::Stopping(canceller) => {
                self.state.set(State::Stopping(canceller));
            }
            State::Over => {}
        }
        runs
    }

    fn reset(self: Rc<Self>) -> bool {
        let (Some(shared), true) = (self.shared.upgrade(), self.is_running()) else {
            return false;
        };
        let grid = Grid {
            origin: shared.host().now(),
            ..self.grid.get()
        };
        self.grid.set(grid);
        self.uncounted.set(1);
        match self.state.replace(State::Over) {
            State::Waiting(timer) => {
                timer.cancel();
                self.arm(When::On(grid));
            }
            other => self.state.set(other),
        }
        true
    }

    fn is_running(&self) -> bool {
        let state = self.state.replace(State::Over);
        let runs = matches!(state, State::Waiting(_) | State::Running(_));
        self.state.set(state);
        runs
    }
}
