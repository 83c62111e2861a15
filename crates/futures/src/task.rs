use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use torsade_core::Net;
use torsade_deferred::queue::Job;
use torsade_deferred::{Canceller, Deferred, DeferredFuture, Failure, Resolver};

use crate::executor::{Executor, Key, Runnable};
use crate::guard;

/// Run `future` as a task of this reactor, beside everything else.
///
/// It begins in the reactor's next turn, or behind the current callback, never inside this call.
/// From then on it runs whenever what it waits for is there, one await point to the next, in the
/// one order that callbacks and continuations have (contract C1): so a `RefCell` borrow that is
/// not held across an `.await` cannot conflict with anything. It need not be `Send`.
///
/// What it ends with is the result of the [`Task`]; a panic in it is
/// [`Failure::Panicked`] and harms nobody else. If nobody waits for it, a panic is reported.
///
/// A task lives until it ends, or is cancelled, or the reactor's stop is complete: then what is
/// left is dropped at its await points, as timers are that belong to no connection.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{sleep, spawn};
/// use torsade_testing::MemoryReactor;
///
/// let mut reactor = MemoryReactor::new();
/// let net = reactor.net().clone();
/// let tea = spawn(reactor.net(), async move {
///     sleep(&net, Duration::from_secs(180)).await;
///     "tea"
/// });
/// assert!(!tea.is_finished());
/// assert_eq!(reactor.block_on(tea), Ok("tea")); // three minutes, at once
/// ```
#[doc(alias = "create_task")]
#[doc(alias = "ensure_future")]
#[doc(alias = "ensureDeferred")]
#[track_caller]
pub fn spawn<F: Future + 'static>(net: &Net, future: F) -> Task<F::Output> {
    let (deferred, runnable) = begin(net, future, Ok::<_, Failure<Infallible>>);
    Task {
        state: State::New(deferred),
        runnable,
    }
}

/// The Deferred of a future that may fail: the future runs as a task of this reactor.
///
/// For those who want to go on in callbacks: with [`Transport::then`](torsade_core::Transport::then)
/// for instance. Cancelling the Deferred cancels the task; dropping it detaches.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_futures::defer;
/// use torsade_testing::StringTransport;
///
/// async fn look_up(user: String) -> Result<&'static str, String> {
///     if user == "bob" { Ok("at lunch") } else { Err(format!("no {user} here")) }
/// }
///
/// struct Finger;
/// impl Protocol for Finger {
///     fn data_received(&mut self, transport: &Transport<Self>, user: &[u8]) {
///         let user = String::from_utf8_lossy(user).into_owned();
///         let answer = defer(&transport.net(), look_up(user));
///         transport.hold(answer, |_, transport, answer| {
///             transport.write(answer.unwrap_or("unknown"));
///             transport.close();
///         });
///     }
/// }
///
/// let mut t = StringTransport::serve(Finger);
/// t.feed("bob");
/// assert_eq!(t.take_sent(), b"at lunch");
/// ```
#[doc(alias = "ensureDeferred")]
#[doc(alias = "fromCoroutine")]
#[doc(alias = "fromFuture")]
#[doc(alias = "inlineCallbacks")]
#[track_caller]
pub fn defer<T: 'static, E: 'static>(
    net: &Net,
    future: impl Future<Output = Result<T, E>> + 'static,
) -> Deferred<T, E> {
    let (deferred, runnable) = begin(net, future, |result| result.map_err(Failure::Error));
    runnable.cancel_with_deferred();
    deferred
}

/// How many tasks of this reactor have not ended. For tests and gauges.
///
/// ```
/// use torsade_futures::{spawn, task_count};
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// let task = spawn(reactor.net(), std::future::pending::<()>());
/// assert_eq!(task_count(reactor.net()), 1);
/// task.cancel();
/// reactor.settle();
/// assert_eq!(task_count(reactor.net()), 0);
/// ```
#[doc(alias = "all_tasks")]
pub fn task_count(net: &Net) -> usize {
    Executor::of(net).alive()
}

/// Let everything else run that is queued, then go on.
///
/// What it yields to is the thread's queue: callbacks that are due and other tasks. To let the
/// reactor look for input too, `sleep` for a zero duration. A task that yields for ever starves
/// nobody: the budget of a turn ends, and the next turn begins with input.
///
/// Cancel safe: it holds nothing.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_futures::{spawn, yield_now};
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// let order = Rc::new(RefCell::new(Vec::new()));
/// for name in ["a", "b"] {
///     let order = Rc::clone(&order);
///     spawn(reactor.net(), async move {
///         for _ in 0..2 {
///             order.borrow_mut().push(name);
///             yield_now().await;
///         }
///     })
///     .detach();
/// }
/// reactor.settle();
/// assert_eq!(*order.borrow(), ["a", "b", "a", "b"]);
/// ```
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A future that runs by itself: the handle of [`spawn`]. It is a future, and turns into a
/// [`Deferred`].
///
/// | | what becomes of the work |
/// |---|---|
/// | `task.await`, `reactor.block_on(task)` | it is waited for |
/// | dropped before it was ever polled, [`detach`](Self::detach) | it goes on by itself |
/// | dropped in the middle of an await | it is cancelled: whoever cancels a waiting task cancels what that waits for |
/// | [`cancel`](Self::cancel) | its future is dropped at its await point; the result is [`Failure::Cancelled`] |
/// | `shield(task).await`, dropped in the middle | it goes on by itself |
///
/// # What a cancelled future does
/// Its `Drop`s run, from the inside of the async block outwards, between two callbacks as
/// everything does. They may call every method of ours that does not wait: write, close, resolve,
/// spawn a task that finishes what must be finished. They cannot await. That is its defined end;
/// nothing of the future runs after it.
///
/// ```
/// use std::time::Duration;
/// use torsade_deferred::Failure;
/// use torsade_futures::{sleep, spawn};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let task = spawn(reactor.net(), async move { sleep(&net, Duration::from_secs(9)).await });
/// task.cancel();
/// assert_eq!(reactor.block_on(task), Err(Failure::Cancelled));
/// ```
#[doc(alias = "Future")]
#[doc(alias = "JoinHandle")]
#[must_use = "a task that is dropped goes on by itself: await it, or say `detach`"]
pub struct Task<T: 'static> {
    state: State<T>,
    runnable: Rc<dyn Spawned>,
}

/// ```text
///        poll             the result is there            taken
///   New -----> Awaited ------------------------> Ready --------> Taken
/// ```
enum State<T: 'static> {
    /// Dropping it detaches.
    New(Deferred<T, Infallible>),
    /// Dropping it cancels.
    Awaited(DeferredFuture<T, Infallible>),
    Ready(Result<T, Failure<Infallible>>),
    Taken,
}

impl<T: 'static> Task<T> {
    /// Ask the task to end: its future is dropped at the await point where it is, as soon as
    /// nobody else runs, and the result is [`Failure::Cancelled`]. One that never began never
    /// will.
    ///
    /// Nothing happens if it has ended, or if it cancels itself and reaches its end without
    /// another await. Wait for the end by awaiting the task.
    #[doc(alias = "Task.cancel")]
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        Rc::clone(&self.runnable).cancel();
    }

    /// Let it go on by itself: the same as `drop`, but says so, and does it also in the middle of
    /// an await. A panic in it is reported.
    pub fn detach(mut self) {
        drop(self.take_deferred());
    }

    /// Whether it has ended, whichever way.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.runnable.ended_at().is_some()
    }

    /// The Deferred of it: cancelling that cancels the task, dropping it detaches.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use torsade_futures::spawn;
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// let seen = Rc::new(Cell::new(0));
    /// let slot = Rc::clone(&seen);
    /// let task = spawn(reactor.net(), async { 42 });
    /// task.into_deferred().map(|answer| answer + 1).finish(move |it| slot.set(it.unwrap()));
    /// reactor.settle();
    /// assert_eq!(seen.get(), 43);
    /// ```
    pub fn into_deferred(mut self) -> Deferred<T, Infallible> {
        Rc::clone(&self.runnable).cancel_with_deferred();
        match self.take_deferred() {
            Ok(deferred) => deferred,
            Err(Some(result)) => Deferred::settled(result),
            Err(None) => Deferred::settled(Err(Failure::Abandoned)),
        }
    }

    /// Wait until it has ended, but leave the result where it is.
    pub(crate) fn poll_ended(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let State::New(_) = self.state
            && let State::New(deferred) = mem::replace(&mut self.state, State::Taken)
        {
            self.state = State::Awaited(deferred.into_future());
        }
        if let State::Awaited(future) = &mut self.state {
            let Poll::Ready(result) = Pin::new(future).poll(context) else {
                return Poll::Pending;
            };
            self.state = State::Ready(result);
        }
        Poll::Ready(())
    }

    /// The result, of one that has ended and was polled.
    pub(crate) fn result(&self) -> Option<&Result<T, Failure<Infallible>>> {
        match &self.state {
            State::Ready(result) => Some(result),
            State::New(_) | State::Awaited(_) | State::Taken => None,
        }
    }

    /// When it ended, to compare with others of its reactor.
    pub(crate) fn ended_at(&self) -> Option<u64> {
        self.runnable.ended_at()
    }

    /// What cancels it while its Deferred is in other hands, and lets it reach its end first.
    pub(crate) fn runnable(&self) -> Rc<dyn Runnable> {
        Rc::<dyn Spawned>::clone(&self.runnable)
    }

    fn take_deferred(&mut self) -> Result<Deferred<T, Infallible>, Ended<T>> {
        match mem::replace(&mut self.state, State::Taken) {
            State::New(deferred) => Ok(deferred),
            State::Awaited(future) => Ok(future.into_deferred()),
            State::Ready(result) => Err(Some(result)),
            State::Taken => Err(None),
        }
    }
}

/// Waits for the end. Cancel safe in this sense: dropped in the middle, it cancels the task.
///
/// # Panics
/// Polling it again after it was ready panics.
impl<T: 'static> Future for Task<T> {
    type Output = Result<T, Failure<Infallible>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.poll_ended(context).is_pending() {
            return Poll::Pending;
        }
        match self.take_deferred() {
            Err(Some(result)) => Poll::Ready(result),
            Ok(_) | Err(None) => panic!("a task was polled after it had been ready"),
        }
    }
}

impl<T: 'static> Unpin for Task<T> {}

impl<T: 'static> From<Task<T>> for Deferred<T, Infallible> {
    fn from(task: Task<T>) -> Self {
        task.into_deferred()
    }
}

impl<T: 'static> Drop for Task<T> {
    fn drop(&mut self) {
        match mem::replace(&mut self.state, State::Taken) {
            State::Awaited(future) => {
                drop(future);
                self.cancel();
            }
            // It was waited for, and then nobody looked.
            State::Ready(Err(failure @ Failure::Panicked(_))) => {
                Deferred::<T, Infallible>::settled(Err(failure)).detach();
            }
            State::New(deferred) => deferred.detach(),
            State::Ready(_) | State::Taken => {}
        }
    }
}

impl<T: 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// What a handle asks of its task.
trait Spawned: Runnable {
    /// From now on, a cancellation of the Deferred cancels the task.
    fn cancel_with_deferred(self: Rc<Self>);
}

#[track_caller]
fn begin<O: 'static, T: 'static, E: 'static>(
    net: &Net,
    future: impl Future<Output = O> + 'static,
    end: fn(O) -> Result<T, Failure<E>>,
) -> (Deferred<T, E>, Rc<dyn Spawned>) {
    let (resolver, deferred) = Deferred::new();
    let executor = Executor::of(net);
    let canceller = deferred.canceller();
    let cell = Rc::clone(&executor).add(|key, waker| {
        Rc::new(TaskCell {
            executor,
            key,
            waker,
            phase: Cell::new(Phase::Queued),
            future: Cell::new(Some(Box::pin(future))),
            resolver: Cell::new(Some(resolver)),
            canceller,
            end,
        })
    });
    if net.is_alive() {
        net.enqueue(Rc::<TaskCell<_, _, _>>::clone(&cell));
    } else {
        // Nobody will ever run it: what it holds goes now.
        cell.abandon();
    }
    (deferred, cell)
}

/// What a task found when it had ended, if that was not taken yet.
type Ended<T> = Option<Result<T, Failure<Infallible>>>;

/// The future of a task.
type Work<O> = Pin<Box<dyn Future<Output = O>>>;

/// A task, as its executor and the thread's queue see it.
struct TaskCell<O, T: 'static, E: 'static> {
    executor: Rc<Executor>,
    key: Key,
    waker: Waker,
    phase: Cell<Phase>,
    /// Taken out while it is polled.
    future: Cell<Option<Work<O>>>,
    resolver: Cell<Option<Resolver<T, E>>>,
    canceller: Canceller,
    end: fn(O) -> Result<T, Failure<E>>,
}

/// ```text
///             wake                poll                          pending
///   Waiting ---------> Queued -----------> Running ------------------------> Waiting
///      |                  |                 |   | wake: Rewoken, then         (Rewoken: Queued,
///      |                  |                 |   |                             behind all others)
///      | cancel           | cancel          |   | cancel: Stopping
///      v                  v                 |   v
///   Doomed (queued) <- - -+                 |  Stopping
///      |                                    |   | pending: the future is dropped
///      | the future is dropped              v   v
///      +--------------------------------> Over(n) <-- ready, or a panic, whatever was asked
/// ```
#[derive(Clone, Copy)]
enum Phase {
    Waiting,
    Queued,
    Running,
    /// Woken while it ran.
    Rewoken,
    /// Cancelled while it ran.
    Stopping,
    /// Cancelled, and queued for its end.
    Doomed,
    /// Ended, as the n-th of its executor.
    Over(u64),
}

impl<O: 'static, T: 'static, E: 'static> TaskCell<O, T, E> {
    fn poll(self: Rc<Self>) {
        self.phase.set(Phase::Running);
        let Some(mut future) = self.future.take() else {
            return;
        };
        self.executor.polls(self.key);
        let mut context = Context::from_waker(&self.waker);
        match guard::catch(|| future.as_mut().poll(&mut context)) {
            Ok(Poll::Pending) => self.pending(future),
            Ok(Poll::Ready(output)) => self.finish(future, |cell, resolver| {
                resolver.settle((cell.end)(output));
            }),
            Err(panic) => self.finish(future, |_, resolver| {
                resolver.settle(Err(Failure::Panicked(panic)));
            }),
        }
    }

    fn pending(self: Rc<Self>, future: Work<O>) {
        match self.phase.get() {
            Phase::Stopping => self.finish(future, Self::settle_cancelled),
            Phase::Rewoken => {
                self.future.set(Some(future));
                self.phase.set(Phase::Queued);
                self.enqueue();
            }
            _ => {
                self.future.set(Some(future));
                self.phase.set(Phase::Waiting);
            }
        }
    }

    /// The end: the future is dropped first, then the result is there.
    fn finish(&self, future: Work<O>, settle: impl FnOnce(&Self, Resolver<T, E>)) {
        self.phase.set(Phase::Over(self.executor.remove(self.key)));
        let dropped = guard::catch(|| drop(future));
        if let Some(resolver) = self.resolver.take() {
            settle(self, resolver);
        }
        if let Err(panic) = dropped {
            guard::resume(&panic);
        }
    }

    /// In the way that is known to have been asked for, and is not reported.
    fn settle_cancelled(&self, resolver: Resolver<T, E>) {
        self.canceller.cancel();
        drop(resolver);
    }

    fn enqueue(self: Rc<Self>) {
        let executor = Rc::clone(&self.executor);
        executor.net().enqueue(self);
    }
}

impl<O: 'static, T: 'static, E: 'static> Job for TaskCell<O, T, E> {
    fn run(self: Rc<Self>) {
        let executor = Rc::clone(&self.executor);
        if !executor.net().is_in_turn() {
            // Whoever runs the queue now has no budget, and would poll us for ever.
            executor.net().put_off(self);
            return;
        }
        match self.phase.get() {
            Phase::Queued => self.poll(),
            Phase::Doomed => {
                if let Some(future) = self.future.take() {
                    self.finish(future, Self::settle_cancelled);
                }
            }
            Phase::Waiting | Phase::Running | Phase::Rewoken | Phase::Stopping | Phase::Over(_) => {
            }
        }
    }
}

impl<O: 'static, T: 'static, E: 'static> Runnable for TaskCell<O, T, E> {
    fn wake(self: Rc<Self>) {
        match self.phase.get() {
            Phase::Waiting => {
                self.phase.set(Phase::Queued);
                self.enqueue();
            }
            Phase::Running => self.phase.set(Phase::Rewoken),
            Phase::Queued | Phase::Rewoken | Phase::Stopping | Phase::Doomed | Phase::Over(_) => {}
        }
    }

    fn wake_last(self: Rc<Self>) {
        match self.phase.get() {
            Phase::Waiting => {
                self.phase.set(Phase::Queued);
                let executor = Rc::clone(&self.executor);
                executor.net().run_last(self);
            }
            _ => self.wake(),
        }
    }

    fn cancel(self: Rc<Self>) {
        match self.phase.get() {
            Phase::Waiting => {
                self.phase.set(Phase::Doomed);
                self.enqueue();
            }
            Phase::Queued => self.phase.set(Phase::Doomed),
            Phase::Running | Phase::Rewoken => self.phase.set(Phase::Stopping),
            Phase::Stopping | Phase::Doomed | Phase::Over(_) => {}
        }
    }

    fn abandon(&self) {
        if let Some(future) = self.future.take() {
            // The resolver is dropped: the result is `Abandoned`.
            self.finish(future, |_, resolver| drop(resolver));
        }
    }

    fn ended_at(&self) -> Option<u64> {
        match self.phase.get() {
            Phase::Over(ended) => Some(ended),
            _ => None,
        }
    }
}

impl<O: 'static, T: 'static, E: 'static> Spawned for TaskCell<O, T, E> {
    fn cancel_with_deferred(self: Rc<Self>) {
        if let Some(resolver) = self.resolver.take() {
            let cell = Rc::downgrade(&self);
            resolver.on_cancel(move || {
                if let Some(cell) = cell.upgrade() {
                    cell.cancel();
                }
            });
            self.resolver.set(Some(resolver));
        }
    }
}
