use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use torsade_core::Net;
use torsade_deferred::Failure;

use crate::task::{Task, spawn};

/// When a [`wait`] is over. A task that was cancelled or panicked has failed.
pub trait When<T> {
    /// Whether this result ends the wait though others are not there yet.
    fn is_enough(&self, result: &Result<T, Failure<Infallible>>) -> bool;
}

/// The wait is over when any task has ended.
#[doc(alias = "FIRST_COMPLETED")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstCompleted;

/// The wait is over when any task has failed, by an `Err` of its own too, or when all have ended.
#[doc(alias = "FIRST_EXCEPTION")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstException;

/// The wait is over when all tasks have ended.
#[doc(alias = "ALL_COMPLETED")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllCompleted;

impl<T> When<T> for FirstCompleted {
    fn is_enough(&self, _: &Result<T, Failure<Infallible>>) -> bool {
        true
    }
}

impl<T, E> When<Result<T, E>> for FirstException {
    fn is_enough(&self, result: &Result<Result<T, E>, Failure<Infallible>>) -> bool {
        !matches!(result, Ok(Ok(_)))
    }
}

impl<T> When<T> for AllCompleted {
    fn is_enough(&self, _: &Result<T, Failure<Infallible>>) -> bool {
        false
    }
}

/// Wait until enough of these tasks have ended. Those that have are taken out and returned, in the
/// order in which they ended; those that have not stay in `tasks`. Nothing is cancelled.
///
/// A returned task is ready: awaiting it gives its result at once. With no tasks it is over at
/// once. Each wake costs a look at every task.
///
/// Cancel safe: until it is over all tasks are in `tasks`, and so they are after it was dropped,
/// with their results. (They count as awaited from then on: drop `tasks`, and they are cancelled.)
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{FirstCompleted, sleep, spawn, wait};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let mut tasks: Vec<_> = [30, 10, 20]
///     .map(|seconds| {
///         let nap = sleep(&net, Duration::from_secs(seconds));
///         spawn(&net, async move { nap.await; seconds })
///     })
///     .into();
/// reactor.block_on(async move {
///     let done = wait(&mut tasks, FirstCompleted).await;
///     assert_eq!(tasks.len(), 2);
///     for task in done {
///         assert_eq!(task.await, Ok(10));
///     }
/// });
/// ```
pub async fn wait<T: 'static>(tasks: &mut Vec<Task<T>>, when: impl When<T>) -> Vec<Task<T>> {
    poll_fn(|context| {
        let (mut all, mut enough) = (true, false);
        for task in tasks.iter_mut() {
            all &= task.poll_ended(context).is_ready();
            enough |= task.result().is_some_and(|result| when.is_enough(result));
        }
        if all || enough {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    let (mut done, pending) = mem::take(tasks)
        .into_iter()
        .partition::<Vec<_>, _>(|task| task.result().is_some());
    *tasks = pending;
    done.sort_by_key(Task::ended_at);
    done
}

/// The results of these tasks, each as it comes, in the order in which the tasks end.
///
/// It is a [`Stream`]; [`next`](AsCompleted::next) is there for those who have no adapters at hand.
/// Dropping it cancels the tasks that are left.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{as_completed, sleep, spawn};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let tasks = [30, 10, 20].map(|seconds| {
///     let nap = sleep(&net, Duration::from_secs(seconds));
///     spawn(&net, async move { nap.await; seconds })
/// });
/// reactor.block_on(async move {
///     let mut results = as_completed(tasks);
///     let mut order = Vec::new();
///     while let Some(seconds) = results.next().await {
///         order.push(seconds.unwrap());
///     }
///     assert_eq!(order, [10, 20, 30]);
/// });
/// ```
#[doc(alias = "FuturesUnordered")]
pub fn as_completed<T: 'static>(tasks: impl IntoIterator<Item = Task<T>>) -> AsCompleted<T> {
    AsCompleted {
        tasks: tasks.into_iter().collect(),
    }
}

/// The stream of [`as_completed`].
#[must_use = "dropping it cancels the tasks"]
pub struct AsCompleted<T: 'static> {
    tasks: Vec<Task<T>>,
}

impl<T: 'static> AsCompleted<T> {
    /// The result of the task that ends next; `None` when there is no task left.
    ///
    /// Cancel safe: a result that was not returned is returned by the next call.
    pub async fn next(&mut self) -> Option<Result<T, Failure<Infallible>>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: 'static> Stream for AsCompleted<T> {
    type Item = Result<T, Failure<Infallible>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut first: Option<(usize, u64)> = None;
        for (index, task) in self.tasks.iter_mut().enumerate() {
            if task.poll_ended(context).is_ready() {
                let ended = task.ended_at().unwrap_or(0);
                if first.is_none_or(|(_, earliest)| ended < earliest) {
                    first = Some((index, ended));
                }
            }
        }
        match first {
            Some((index, _)) => {
                let mut task = self.tasks.remove(index);
                Pin::new(&mut task).poll(context).map(Some)
            }
            None if self.tasks.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.tasks.len(), Some(self.tasks.len()))
    }
}

impl<T: 'static> Drop for AsCompleted<T> {
    fn drop(&mut self) {
        // Also if it was never polled: nobody else has a handle.
        self.tasks.iter().for_each(Task::cancel);
    }
}

impl<T: 'static> fmt::Debug for AsCompleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.tasks.len())
            .finish()
    }
}

/// Run these futures side by side, each as a task, and give all their values, in the order of the
/// futures, whatever the order in which they end.
///
/// They begin at once, whether this is awaited yet or not. The first error is the result, and the
/// others are cancelled; so are all of them if this is dropped. To have every result, errors
/// included, `spawn` them and [`wait`] for [`AllCompleted`].
///
/// Dropped in the middle, it cancels the tasks: what they had done is done, what they had not is
/// not.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{gather, sleep};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let naps = [3, 1, 2].map(|seconds| {
///     let nap = sleep(&net, Duration::from_secs(seconds));
///     async move { nap.await; Ok::<_, String>(seconds) }
/// });
/// assert_eq!(reactor.block_on(gather(&net, naps)), Ok(vec![3, 1, 2]));
/// ```
#[doc(alias = "gatherResults")]
#[doc(alias = "join_all")]
#[track_caller]
pub fn gather<T: 'static, E: 'static, F>(
    net: &Net,
    futures: impl IntoIterator<Item = F>,
) -> Gather<T, E>
where
    F: Future<Output = Result<T, E>> + 'static,
{
    let tasks = futures.into_iter().map(|future| spawn(net, future));
    Gather {
        tasks: tasks.collect(),
    }
}

/// The future of [`gather`].
#[must_use = "dropping it cancels the tasks"]
pub struct Gather<T: 'static, E: 'static> {
    tasks: Vec<Task<Result<T, E>>>,
}

impl<T: 'static, E: 'static> Future for Gather<T, E> {
    type Output = Result<Vec<T>, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (mut all, mut failed) = (true, None);
        for (index, task) in self.tasks.iter_mut().enumerate() {
            all &= task.poll_ended(context).is_ready();
            let fails = task.result().is_some_and(|it| FirstException.is_enough(it));
            let ended = task.ended_at();
            if fails && failed.is_none_or(|(_, earliest)| ended < earliest) {
                failed = Some((index, ended));
            }
        }
        if let Some((index, _)) = failed {
            let mut tasks = mem::take(&mut self.tasks);
            let failed = tasks.swap_remove(index);
            // Asked to end before anybody hears of the error.
            drop(tasks);
            return Poll::Ready(taken(failed, context).map(|value| vec![value]));
        }
        if !all {
            return Poll::Pending;
        }
        let tasks = mem::take(&mut self.tasks).into_iter();
        Poll::Ready(tasks.map(|task| taken(task, context)).collect())
    }
}

/// The result of a task that has ended, as one.
fn taken<T, E>(mut task: Task<Result<T, E>>, context: &mut Context<'_>) -> Result<T, Failure<E>> {
    match Pin::new(&mut task).poll(context) {
        Poll::Ready(Ok(result)) => result.map_err(Failure::Error),
        Poll::Ready(Err(failure)) => Err(failure.map(|never| match never {})),
        Poll::Pending => Err(Failure::Abandoned),
    }
}

impl<T: 'static, E: 'static> Drop for Gather<T, E> {
    fn drop(&mut self) {
        // Also if it was never polled: nobody else has a handle.
        self.tasks.iter().for_each(Task::cancel);
    }
}

impl<T: 'static, E: 'static> fmt::Debug for Gather<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("tasks", &self.tasks)
            .finish()
    }
}
