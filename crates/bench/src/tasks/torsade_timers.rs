//! torsade's timers, on its reactor, set and changed in callbacks.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use torsade::{Net, Reactor, Timer};

use crate::servers::driver;

use super::{BATCH, LIVE, MILLION, SOON, far, wait_until_due};

/// A reactor with timers.
struct Bench {
    reactor: Reactor,
    timers: Timers,
}

/// What the callbacks share.
#[derive(Clone, Default)]
struct Timers {
    armed: Rc<RefCell<Vec<Timer>>>,
    fired: Rc<Cell<usize>>,
}

pub(super) fn set(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    bench.set(times, far)?;
    let set = bench.timers.armed.borrow().len() - LIVE;
    bench.leave();
    Ok(set)
}

pub(super) fn reset(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    let mut right = 0;
    for (first, end) in batches(times) {
        right += bench.in_a_turn(move |_, timers| {
            let armed = timers.armed.borrow();
            let reset = |number: &usize| armed[number % LIVE].reset(far(*number));
            (first..end).filter(reset).count()
        })?;
    }
    bench.leave();
    Ok(right)
}

/// Sets timers and cancels them a turn later.
pub(super) fn cancel(times: usize) -> io::Result<usize> {
    cancel_beside(LIVE, times)
}

pub(super) fn cancel_beside_a_million(times: usize) -> io::Result<usize> {
    cancel_beside(MILLION, times)
}

fn cancel_beside(live: usize, times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(live)?;
    let mut right = 0;
    for (first, end) in batches(times) {
        bench.set(end - first, far)?;
        right += bench.in_a_turn(move |_, timers| {
            let mut armed = timers.armed.borrow_mut();
            armed.drain(live..).filter(Timer::cancel).count()
        })?;
    }
    bench.leave();
    Ok(right)
}

/// Sets timers and runs them.
pub(super) fn fire(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    bench.set(times, |_| SOON)?;
    wait_until_due(Instant::now());
    while bench.timers.fired.get() < times {
        bench.turn()?;
    }
    let fired = bench.timers.fired.get();
    bench.leave();
    Ok(fired)
}

impl Bench {
    fn with(live: usize) -> io::Result<Self> {
        let mut bench = Self {
            reactor: driver::reactor()?,
            timers: Timers::default(),
        };
        bench.set(live, far)?;
        Ok(bench)
    }

    fn set(&mut self, times: usize, after: fn(usize) -> Duration) -> io::Result<()> {
        for (first, end) in batches(times) {
            self.in_a_turn(move |net, timers| {
                let mut armed = timers.armed.borrow_mut();
                armed.extend((first..end).map(|number| {
                    let fired = Rc::clone(&timers.fired);
                    net.call_later(after(number), move |_| fired.set(fired.get() + 1))
                }));
                0
            })?;
        }
        Ok(())
    }

    /// Runs this in a callback, where users set and change their timers.
    fn in_a_turn(
        &mut self,
        work: impl FnOnce(&Net, &Timers) -> usize + 'static,
    ) -> io::Result<usize> {
        let timers = self.timers.clone();
        let result = Rc::new(Cell::new(None));
        let told = Rc::clone(&result);
        self.reactor.net().call_later(Duration::ZERO, move |net| {
            told.set(Some(work(net, &timers)))
        });
        loop {
            self.turn()?;
            if let Some(result) = result.get() {
                return Ok(result);
            }
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        self.reactor.turn(Some(Duration::ZERO)).map(drop)
    }

    fn leave(self) {
        mem::forget(self);
    }
}

/// The first number of each batch, and the one after its last.
fn batches(times: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..times)
        .step_by(BATCH)
        .map(move |first| (first, times.min(first + BATCH)))
}
