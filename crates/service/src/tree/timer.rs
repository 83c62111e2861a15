use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{LoopingCall, Net, Ticked};
use torsade_deferred::{Deferred, Failure, Resolver};

use super::{Service, ServiceError};

/// Calls something at equal distances in time, from its start until it is stopped: a
/// [`LoopingCall`] as a service.
///
/// The first call comes with the start. A call that fails or panics is logged as an error and ends
/// the calls; the service counts as started all the same. A stop waits for a call that is under way,
/// and for the Deferred it returned.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use torsade_service::{Service, TimerService};
///
/// let calls = Rc::new(Cell::new(0));
/// let counter = calls.clone();
/// let beat = TimerService::new(Duration::from_secs(60), move |_, _| {
///     counter.set(counter.get() + 1);
/// });
/// # let mut reactor = torsade_testing::MemoryReactor::new();
/// beat.start(reactor.net()).detach();
/// reactor.advance(Duration::from_secs(60));
/// beat.stop().detach();
/// reactor.advance(Duration::from_secs(60));
/// assert_eq!(calls.get(), 2);
/// ```
#[doc(alias = "CooperatorService")]
#[derive(Clone)]
pub struct TimerService(Rc<Beats>);

struct Beats {
    begin: Box<Begin>,
    state: RefCell<State>,
}

/// Begins to call, with the same closure.
type Begin = dyn Fn(&Net) -> (LoopingCall, Deferred<(), Infallible>);

/// ```text
///         start            stop              the last call is over
///   Idle -------> Running -------> Stopping -----------------------> Idle
/// ```
enum State {
    Idle,
    Running(LoopingCall),
    /// Who waits for the end of it.
    Stopping(Vec<Resolver<(), Infallible>>),
}

impl TimerService {
    /// Calls `f` every so often; what it is told, and may return, is what a [`LoopingCall`] has.
    pub fn new<R: Ticked>(every: Duration, f: impl FnMut(&Net, u64) -> R + 'static) -> Self
    where
        R::Error: fmt::Display,
    {
        let f = Rc::new(Cell::new(Some(f)));
        let begin = move |net: &Net| {
            let f = Rc::clone(&f);
            let (beat, ended) = LoopingCall::start(net, every, move |net, count| {
                let mut lent = Lent::from(&f);
                let call = lent.call.as_mut()?;
                Some(call(net, count))
            });
            (beat, ended.map_result(said))
        };
        Self(Rc::new(Beats {
            begin: Box::new(begin),
            state: RefCell::new(State::Idle),
        }))
    }

    /// Whether it was started and not stopped.
    pub fn is_running(&self) -> bool {
        matches!(*self.0.state.borrow(), State::Running(_))
    }
}

/// A closure while it runs. It is put back in any case, so that a service that panicked can be
/// started again.
struct Lent<F> {
    home: Rc<Cell<Option<F>>>,
    call: Option<F>,
}

impl<F> Lent<F> {
    fn from(home: &Rc<Cell<Option<F>>>) -> Self {
        Self {
            call: home.take(),
            home: Rc::clone(home),
        }
    }
}

impl<F> Drop for Lent<F> {
    fn drop(&mut self) {
        self.home.set(self.call.take());
    }
}

/// Nobody waits for the calls while they go on, so their error is told to the log.
fn said<E: fmt::Display>(result: Result<(), Failure<E>>) -> Result<(), Failure<Infallible>> {
    if let Err(failure) = result {
        log::error!("a timer service calls no more: {failure}");
    }
    Ok(())
}

impl Service for TimerService {
    fn start(&self, net: &Net) -> Deferred<(), ServiceError> {
        let refused = match *self.0.state.borrow() {
            State::Idle => None,
            State::Running(_) => Some(ServiceError::Running),
            State::Stopping(_) => Some(ServiceError::Stopping),
        };
        if let Some(refused) = refused {
            return Deferred::fail(refused);
        }
        let (beat, ended) = (self.0.begin)(net);
        self.0.set(State::Running(beat));
        let beats = Rc::clone(&self.0);
        ended.finish(move |_| beats.ended());
        Deferred::succeed(())
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        let (resolver, stopped) = Deferred::new();
        match self.0.set(State::Idle) {
            State::Idle => resolver.resolve(()),
            State::Stopping(mut waiting) => {
                waiting.push(resolver);
                self.0.set(State::Stopping(waiting));
            }
            State::Running(beat) if beat.is_running() => {
                self.0.set(State::Stopping(vec![resolver]));
                beat.stop();
            }
            State::Running(_) => resolver.resolve(()),
        }
        stopped
    }
}

impl Beats {
    fn set(&self, state: State) -> State {
        mem::replace(&mut *self.state.borrow_mut(), state)
    }

    fn ended(&self) {
        match self.set(State::Idle) {
            State::Stopping(waiting) => {
                for resolver in waiting {
                    resolver.resolve(());
                }
            }
            // It failed; whether the service runs is for who started it to say.
            other => drop(self.set(other)),
        }
    }
}

impl fmt::Debug for TimerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerService")
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}
