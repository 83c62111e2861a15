use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use torsade_core::Net;
use torsade_deferred::{Deferred, DeferredFuture, Failure, Resolver, queue};

use crate::executor::Runnable;
use crate::task::spawn;

/// Tasks that end together: when one fails, the others are cancelled, and nobody goes on before
/// all of them have ended.
///
/// [`task_group`] is the usual way to one. By itself it is for an owner that lives longer than a
/// function, a server for instance: it spawns, and at the end it [joins](Self::join). Dropping it
/// cancels what is left.
///
/// ```
/// use torsade_futures::TaskGroup;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let group = TaskGroup::new(reactor.net());
/// let answer = group.spawn(async { Ok::<_, String>(42) });
/// reactor.block_on(async move {
///     group.join().await.unwrap();
///     assert_eq!(answer.await, Some(42));
/// });
/// ```
#[doc(alias = "nursery")]
#[doc(alias = "JoinSet")]
pub struct TaskGroup<E: 'static> {
    members: Rc<Members<E>>,
}

/// Run `body` with a group of tasks, and end when it and all of them have ended.
///
/// If one of them fails, by an `Err` or a panic, `body` is dropped at its await point, the others
/// are cancelled, all are waited for, and what failed is the error. If `body` itself fails, the
/// same happens to the tasks.
///
/// Dropped in the middle, it drops the body and cancels the tasks, which come to their end by
/// themselves.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{sleep, task_group};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let sum = reactor.block_on(async move {
///     task_group(&net, async |group| {
///         let (one, two) = (sleep(&net, Duration::from_secs(1)), sleep(&net, Duration::from_secs(2)));
///         let one = group.spawn(async move { one.await; Ok::<_, String>(1) });
///         let two = group.spawn(async move { two.await; Ok(2) });
///         Ok(one.await.unwrap_or(0) + two.await.unwrap_or(0))
///     })
///     .await
/// });
/// assert_eq!(sum.unwrap(), 3);
/// ```
///
/// # Errors
/// Everything that failed, in the order in which it did.
#[doc(alias = "TaskGroup")]
#[doc(alias = "open_nursery")]
pub async fn task_group<T, E: 'static>(
    net: &Net,
    body: impl AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>,
) -> Result<T, GroupError<E>> {
    let group = TaskGroup::new(net);
    let ended = {
        let mut body = std::pin::pin!(body(&group));
        poll_fn(|context| {
            if group.members.phase.get() == Phase::Failed {
                return Poll::Ready(None);
            }
            group.members.joiner.set(Some(context.waker().clone()));
            body.as_mut().poll(context).map(Some)
        })
        .await
    };
    let value = match ended {
        Some(Ok(value)) => Some(value),
        Some(Err(error)) => {
            group.members.fail(Failure::Error(error));
            None
        }
        None => None,
    };
    group.join().await?;
    // Without a value there was a failure, and the join has said so.
    value.ok_or_else(|| GroupError {
        failures: Vec::new(),
    })
}

impl<E: 'static> TaskGroup<E> {
    /// A group without tasks, on this reactor.
    pub fn new(net: &Net) -> Self {
        Self {
            members: Rc::new(Members {
                net: net.clone(),
                phase: Cell::new(Phase::Open),
                next: Cell::new(0),
                running: RefCell::default(),
                failures: RefCell::default(),
                joiner: Cell::new(None),
            }),
        }
    }

    /// Run `future` as a task of the group.
    ///
    /// In a group that has failed, or was cancelled, it is dropped unrun. The handle need not be
    /// kept: the group does.
    #[doc(alias = "create_task")]
    #[doc(alias = "start_soon")]
    #[track_caller]
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> Child<T> {
        Members::spawn(&self.members, future)
    }

    /// A handle by which members can add to the group.
    pub fn nursery(&self) -> Nursery<E> {
        Nursery {
            members: Rc::clone(&self.members),
        }
    }

    /// Cancel all tasks of the group, and those that would still be added. It is not a failure.
    pub fn cancel(&self) {
        self.members.close(Phase::Cancelled);
    }

    /// How many tasks have not ended.
    pub fn len(&self) -> usize {
        self.members.running.borrow().len()
    }

    /// Whether all tasks have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wait until all tasks have ended.
    ///
    /// Dropped in the middle, it cancels the tasks, as dropping the group does.
    ///
    /// # Errors
    /// Everything that failed, in the order in which it did. A task that was cancelled has not
    /// failed.
    pub async fn join(self) -> Result<(), GroupError<E>> {
        poll_fn(|context| {
            if self.is_empty() {
                return Poll::Ready(());
            }
            self.members.joiner.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
        let failures = self.members.failures.take();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(GroupError { failures }),
        }
    }
}

impl<E: 'static> Drop for TaskGroup<E> {
    fn drop(&mut self) {
        self.members.close(Phase::Cancelled);
    }
}

impl<E: 'static> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("tasks", &self.len())
            .field("phase", &self.members.phase.get())
            .finish()
    }
}

/// Adds tasks to a [`TaskGroup`], also from inside of its tasks. Does not keep the group going.
pub struct Nursery<E: 'static> {
    members: Rc<Members<E>>,
}

impl<E: 'static> Nursery<E> {
    /// Run `future` as a task of the group; see [`TaskGroup::spawn`].
    #[track_caller]
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> Child<T> {
        Members::spawn(&self.members, future)
    }
}

impl<E: 'static> Clone for Nursery<E> {
    fn clone(&self) -> Self {
        Self {
            members: Rc::clone(&self.members),
        }
    }
}

impl<E: 'static> fmt::Debug for Nursery<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nursery")
            .field("phase", &self.members.phase.get())
            .finish()
    }
}

/// The value of a group's task, for who wants it: `None` if the task failed or was cancelled,
/// which the group says. Dropping it, also in the middle of an await, leaves the task alone.
#[derive(Debug)]
pub struct Child<T: 'static>(Option<DeferredFuture<T, Infallible>>);

impl<T: 'static> Future for Child<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(future) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let result = Pin::new(future).poll(context);
        if result.is_ready() {
            self.0 = None;
        }
        result.map(Result::ok)
    }
}

impl<T: 'static> Drop for Child<T> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            future.into_deferred().detach();
        }
    }
}

/// What failed in a group of tasks, in the order in which it did; the first is the cause.
#[doc(alias = "ExceptionGroup")]
#[derive(Debug)]
pub struct GroupError<E> {
    failures: Vec<Failure<E>>,
}

impl<E> GroupError<E> {
    /// Everything that failed.
    pub fn failures(&self) -> &[Failure<E>] {
        &self.failures
    }

    /// Everything that failed, to be taken apart.
    pub fn into_failures(self) -> Vec<Failure<E>> {
        self.failures
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.failures {
            [] => f.write_str("a task group failed"),
            [only] => write!(f, "a task failed: {only}"),
            [first, others @ ..] => {
                write!(f, "a task failed: {first}; and {} others", others.len())
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for GroupError<E> {}

/// What a group and its tasks share.
struct Members<E> {
    net: Net,
    phase: Cell<Phase>,
    next: Cell<u64>,
    /// In the order in which they were spawned.
    running: RefCell<BTreeMap<u64, Rc<dyn Runnable>>>,
    failures: RefCell<Vec<Failure<E>>>,
    /// Who waits for the end, or for the first failure.
    joiner: Cell<Option<Waker>>,
}

/// ```text
///   Open -- a task fails --> Failed
///     +---- cancel, drop --> Cancelled
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Failed,
    Cancelled,
}

impl<E: 'static> Members<E> {
    #[track_caller]
    fn spawn<T: 'static>(
        members: &Rc<Self>,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> Child<T> {
        let (resolver, value) = Deferred::new();
        let child = Child(Some(value.into_future()));
        if members.phase.get() != Phase::Open {
            drop(future);
            return child;
        }
        let task = spawn(&members.net, future);
        let key = members.next.replace(members.next.get() + 1);
        members.running.borrow_mut().insert(key, task.runnable());
        let group = Rc::clone(members);
        let ended = task.into_deferred();
        ended.finish(move |result| group.ended(key, result, resolver));
        child
    }

    fn ended<T>(
        &self,
        key: u64,
        result: Result<Result<T, E>, Failure<Infallible>>,
        resolver: Resolver<T, Infallible>,
    ) {
        let ended = self.running.borrow_mut().remove(&key);
        drop(ended);
        match result {
            Ok(Ok(value)) => resolver.resolve(value),
            Ok(Err(error)) => self.fail(Failure::Error(error)),
            Err(Failure::Panicked(panic)) => self.fail(Failure::Panicked(panic)),
            Err(_) => {}
        }
        if self.running.borrow().is_empty() {
            self.wake();
        }
    }

    fn fail(&self, failure: Failure<E>) {
        self.failures.borrow_mut().push(failure);
        self.close(Phase::Failed);
        self.wake();
    }

    /// No more tasks; those that run are asked to end.
    fn close(&self, phase: Phase) {
        if self.phase.get() == Phase::Open {
            self.phase.set(phase);
            let running: Vec<_> = self.running.borrow().values().cloned().collect();
            for task in running {
                task.cancel();
            }
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.joiner.take() {
            queue::wake(waker);
        }
    }
}
