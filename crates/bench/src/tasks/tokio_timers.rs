//! tokio's timers: boxed sleeps that one task holds and has polled once, the
//! cheapest way to have many of them at once.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::{BATCH, LIVE, MILLION, SOON, far, wait_until_due};

/// Timers of one task.
#[derive(Default)]
struct Bench {
    timers: Vec<Pin<Box<Sleep>>>,
}

pub(super) fn set(times: usize) -> io::Result<usize> {
    run(async {
        let mut bench = Bench::with(LIVE).await;
        for number in 0..times {
            bench.set_one(far(number)).await;
            turn_after(number).await;
        }
        let set = bench.timers.len() - LIVE;
        mem::forget(bench);
        set
    })
}

pub(super) fn reset(times: usize) -> io::Result<usize> {
    run(async {
        let mut bench = Bench::with(LIVE).await;
        let mut right = 0;
        for number in 0..times {
            let timer = &mut bench.timers[number % LIVE];
            timer
                .as_mut()
                .reset(tokio::time::Instant::now() + far(number));
            right += usize::from(poll(timer).await);
            turn_after(number).await;
        }
        mem::forget(bench);
        right
    })
}

/// Sets timers and cancels them a turn later.
pub(super) fn cancel(times: usize) -> io::Result<usize> {
    cancel_beside(LIVE, times)
}

pub(super) fn cancel_beside_a_million(times: usize) -> io::Result<usize> {
    cancel_beside(MILLION, times)
}

fn cancel_beside(live: usize, times: usize) -> io::Result<usize> {
    run(async {
        let mut bench = Bench::with(live).await;
        let mut cancelled = 0;
        for first in (0..times).step_by(BATCH) {
            for number in first..times.min(first + BATCH) {
                bench.set_one(far(number)).await;
            }
            tokio::task::yield_now().await;
            cancelled += bench.timers.drain(live..).count();
            tokio::task::yield_now().await;
        }
        mem::forget(bench);
        cancelled
    })
}

/// Sets timers and waits for each of them.
pub(super) fn fire(times: usize) -> io::Result<usize> {
    run(async {
        let far_ones = Bench::with(LIVE).await;
        let mut bench = Bench::default();
        for number in 0..times {
            bench.set_one(SOON).await;
            turn_after(number).await;
        }
        tokio::task::yield_now().await;
        wait_until_due(Instant::now());
        let mut fired = 0;
        for timer in bench.timers {
            timer.await;
            fired += 1;
        }
        mem::forget(far_ones);
        fired
    })
}

fn run(task: impl Future<Output = usize>) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let right = runtime.block_on(task);
    mem::forget(runtime);
    Ok(right)
}

impl Bench {
    async fn with(live: usize) -> Self {
        let mut bench = Self::default();
        for number in 0..live {
            bench.set_one(far(number)).await;
            turn_after(number).await;
        }
        tokio::task::yield_now().await;
        bench
    }

    async fn set_one(&mut self, after: Duration) {
        let mut timer = Box::pin(tokio::time::sleep(after));
        // It is armed by being polled.
        poll(&mut timer).await;
        self.timers.push(timer);
    }
}

/// Polls it once; gives whether it is still to run.
async fn poll(timer: &mut Pin<Box<Sleep>>) -> bool {
    poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_pending())).await
}

async fn turn_after(number: usize) {
    if number % BATCH == BATCH - 1 {
        tokio::task::yield_now().await;
    }
}
