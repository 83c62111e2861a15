use std::convert::Infallible;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use torsade_core::{Net, Time, Timer};
use torsade_deferred::{Deferred, DeferredFuture};

/// Ready after this long, counted from the call.
///
/// Never early. Zero waits for one turn of input and output. Those that are due together are ready
/// in the order in which they were made. When the reactor's stop is complete, the timer is dropped
/// as all free timers are, and the task that sleeps with it.
///
/// Cancel safe: dropping it takes the timer away.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::sleep;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let slept = reactor.block_on(async move {
///     let before = net.now();
///     sleep(&net, Duration::from_secs(3600)).await;
///     net.now() - before
/// });
/// assert_eq!(slept, Duration::from_secs(3600));
/// ```
#[doc(alias = "deferLater")]
#[track_caller]
pub fn sleep(net: &Net, duration: Duration) -> Sleep {
    let (resolver, over) = Deferred::new();
    let timer = net.call_later(duration, move |_| resolver.resolve(()));
    Sleep {
        timer,
        state: State::Asleep(over.into_future()),
    }
}

/// Ready at this moment of the reactor's clock; at the next turn if that is past.
///
/// Cancel safe, as [`sleep`] is.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::sleep_until;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let noon = reactor.net().now() + Duration::from_secs(60);
/// reactor.block_on(sleep_until(reactor.net(), noon));
/// assert_eq!(reactor.net().now(), noon);
/// ```
#[track_caller]
pub fn sleep_until(net: &Net, moment: Time) -> Sleep {
    let now = net.now();
    let left = if moment > now {
        moment - now
    } else {
        Duration::ZERO
    };
    sleep(net, left)
}

/// The future of [`sleep`].
#[must_use = "a future does nothing until it is polled"]
pub struct Sleep {
    timer: Timer,
    state: State,
}

/// ```text
///   Asleep -- the timer strikes --> Awake
///      +----- the reactor ends ---> Lost
/// ```
enum State {
    Asleep(DeferredFuture<(), Infallible>),
    Awake,
    /// Whoever sleeps here is dropped, too.
    Lost,
}

impl Sleep {
    /// Sleep until this long from now instead. Returns whether it was still asleep.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_futures::sleep;
    ///
    /// let mut reactor = torsade_testing::MemoryReactor::new();
    /// let nap = sleep(reactor.net(), Duration::from_secs(1));
    /// assert!(nap.reset(Duration::from_secs(5)));
    /// let before = reactor.net().now();
    /// reactor.block_on(nap);
    /// assert_eq!(reactor.net().now() - before, Duration::from_secs(5));
    /// ```
    #[doc(alias = "reschedule")]
    pub fn reset(&self, duration: Duration) -> bool {
        self.timer.reset(duration)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let State::Asleep(over) = &mut self.state {
            match Pin::new(over).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => self.state = State::Awake,
                Poll::Ready(Err(_)) => self.state = State::Lost,
            }
        }
        match self.state {
            State::Awake => Poll::Ready(()),
            State::Asleep(_) | State::Lost => Poll::Pending,
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timer.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("timer", &self.timer).finish()
    }
}

/// The time of a [`timeout`] ran out.
#[doc(alias = "TimeoutError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time ran out")]
pub struct Elapsed;

/// What `future` ends with, if it ends within this long, counted from the call; else it is dropped
/// and the result is [`Elapsed`].
///
/// The future is polled first, so what is there at the deadline counts. It is dropped before the
/// error is there: nothing of it goes on, unless it was [shielded](crate::shield()).
///
/// Cancel safe if the future is: dropping this drops it.
///
/// # Errors
/// [`Elapsed`], if the time ran out first.
///
/// ```
/// use std::time::Duration;
/// use torsade_futures::{Elapsed, sleep, timeout};
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let slow = sleep(&net, Duration::from_secs(10));
/// assert_eq!(reactor.block_on(timeout(&net, Duration::from_secs(1), slow)), Err(Elapsed));
/// ```
#[doc(alias = "wait_for")]
#[doc(alias = "timeout_at")]
#[doc(alias = "addTimeout")]
#[track_caller]
pub fn timeout<F: Future>(
    net: &Net,
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> + use<F> {
    let mut deadline = sleep(net, duration);
    async move {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            Pin::new(&mut deadline).poll(context).map(|()| Err(Elapsed))
        })
        .await
    }
}
