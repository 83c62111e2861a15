use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use torsade_deferred::Failure;

use crate::Task;

/// Wait for a task without cancelling it, should this wait be given up.
///
/// Cancel safe: dropped in the middle, the task goes on by itself. Cancelling the task itself ends
/// the wait with [`Failure::Cancelled`].
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use torsade_futures::{Elapsed, shield, sleep, spawn, timeout};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let saved = Rc::new(Cell::new(false));
/// let (flag, clock) = (Rc::clone(&saved), net.clone());
/// let save = spawn(&net, async move {
///     sleep(&clock, Duration::from_secs(5)).await;
///     flag.set(true);
/// });
/// let waited = reactor.block_on(timeout(&net, Duration::from_secs(1), shield(save)));
/// assert_eq!(waited, Err(Elapsed));
/// reactor.advance(Duration::from_secs(5));
/// assert!(saved.get());
/// ```
pub fn shield<T: 'static>(task: Task<T>) -> Shield<T> {
    Shield { task: Some(task) }
}

/// The future of [`shield`].
#[must_use = "a future does nothing until it is polled"]
pub struct Shield<T: 'static> {
    /// `None` once it was ready.
    task: Option<Task<T>>,
}

/// Cancel safe: dropped in the middle, the task goes on by itself.
///
/// # Panics
/// Polling it again after it was ready panics.
impl<T: 'static> Future for Shield<T> {
    type Output = Result<T, Failure<Infallible>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else {
            panic!("a Shield was polled after it had been ready");
        };
        let result = Pin::new(task).poll(context);
        if result.is_ready() {
            self.task = None;
        }
        result
    }
}

impl<T: 'static> Drop for Shield<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.detach();
        }
    }
}

impl<T: 'static> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shield").field(&self.task).finish()
    }
}
