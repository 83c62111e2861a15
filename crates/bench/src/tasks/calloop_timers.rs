//! calloop's timers.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, RegistrationToken};

use super::{BATCH, LIVE, SOON, far, wait_until_due};

/// A loop with timers; how many have fired is what it lends to callbacks.
struct Bench {
    event_loop: EventLoop<'static, usize>,
    timers: Vec<RegistrationToken>,
    fired: usize,
}

pub(super) fn set(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    for number in 0..times {
        bench.set_one(far(number))?;
        bench.turn_after(number)?;
    }
    let set = bench.timers.len() - LIVE;
    bench.leave();
    Ok(set)
}

/// A timer that is to be changed later needs a dispatcher.
pub(super) fn reset(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(0)?;
    let mut dispatchers = Vec::new();
    for number in 0..LIVE {
        let timer = Timer::from_duration(far(number));
        let dispatcher = Dispatcher::new(timer, |_, (), fired: &mut usize| {
            *fired += 1;
            TimeoutAction::Drop
        });
        let token = bench
            .event_loop
            .handle()
            .register_dispatcher(dispatcher.clone())
            .map_err(io::Error::other)?;
        dispatchers.push((dispatcher, token));
        bench.turn_after(number)?;
    }
    for number in 0..times {
        let (dispatcher, token) = &dispatchers[number % LIVE];
        dispatcher.as_source_mut().set_duration(far(number));
        bench
            .event_loop
            .handle()
            .update(token)
            .map_err(io::Error::other)?;
        bench.turn_after(number)?;
    }
    mem::forget(dispatchers);
    bench.leave();
    Ok(times)
}

/// Sets timers and cancels them a turn later.
pub(super) fn cancel(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    let handle = bench.event_loop.handle();
    let mut cancelled = 0;
    for first in (0..times).step_by(BATCH) {
        for number in first..times.min(first + BATCH) {
            bench.set_one(far(number))?;
        }
        bench.turn()?;
        for timer in bench.timers.drain(LIVE..) {
            handle.remove(timer);
            cancelled += 1;
        }
        bench.turn()?;
    }
    bench.leave();
    Ok(cancelled)
}

/// Sets timers and runs them.
pub(super) fn fire(times: usize) -> io::Result<usize> {
    let mut bench = Bench::with(LIVE)?;
    for number in 0..times {
        bench.set_one(SOON)?;
        bench.turn_after(number)?;
    }
    bench.turn()?;
    wait_until_due(Instant::now());
    while bench.fired < times {
        bench.turn()?;
    }
    let fired = bench.fired;
    bench.leave();
    Ok(fired)
}

impl Bench {
    fn with(live: usize) -> io::Result<Self> {
        let mut bench = Self {
            event_loop: EventLoop::try_new().map_err(io::Error::other)?,
            timers: Vec::new(),
            fired: 0,
        };
        for number in 0..live {
            bench.set_one(far(number))?;
            bench.turn_after(number)?;
        }
        bench.turn()?;
        Ok(bench)
    }

    fn set_one(&mut self, after: Duration) -> io::Result<()> {
        let timer = Timer::from_duration(after);
        let token = self
            .event_loop
            .handle()
            .insert_source(timer, |_, (), fired| {
                *fired += 1;
                TimeoutAction::Drop
            })
            .map_err(|refused| refused.error)?;
        self.timers.push(token);
        Ok(())
    }

    fn turn_after(&mut self, number: usize) -> io::Result<()> {
        if number % BATCH == BATCH - 1 {
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        self.event_loop
            .dispatch(Some(Duration::ZERO), &mut self.fired)
            .map_err(io::Error::other)
    }

    fn leave(self) {
        mem::forget(self);
    }
}
