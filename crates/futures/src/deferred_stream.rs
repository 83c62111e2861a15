use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use torsade_deferred::{Deferred, DeferredFuture, Failure};

/// What `next` gives, call after call, as a [`Stream`], up to its `None` or its first error.
///
/// For whatever hands its values over one by one, such as a subscription of `torsade_wire::redis`:
/// `deferred_stream(move || subscription.next())`. The next value is asked for when the stream is
/// polled, not before. Dropping the stream cancels the Deferred that it waits for.
///
/// ```
/// use futures_util::StreamExt;
/// use torsade_deferred::{Deferred, Failure};
/// use torsade_futures::deferred_stream;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let mut left = 2;
/// let mut countdown = deferred_stream(move || {
///     left -= 1;
///     Deferred::<_, String>::succeed((left >= 0).then_some(left))
/// });
/// let all = reactor.block_on(async move { countdown.collect::<Vec<_>>().await });
/// assert_eq!(all, [Ok(1), Ok(0)]);
/// ```
#[doc(alias = "aiter")]
pub fn deferred_stream<N, T: 'static, E: 'static>(next: N) -> DeferredStream<N, T, E>
where
    N: FnMut() -> Deferred<Option<T>, E>,
{
    DeferredStream {
        next,
        state: State::Idle,
    }
}

/// See [`deferred_stream`].
pub struct DeferredStream<N, T: 'static, E: 'static> {
    next: N,
    state: State<T, E>,
}

/// ```text
///          polled               a value
///   Idle ----------> Waits ---------------> Idle
///                      | None, an error
///                      +------------------> Ended
/// ```
enum State<T: 'static, E: 'static> {
    Idle,
    Waits(DeferredFuture<Option<T>, E>),
    Ended,
}

impl<N, T: 'static, E: 'static> Stream for DeferredStream<N, T, E>
where
    N: FnMut() -> Deferred<Option<T>, E> + Unpin,
{
    type Item = Result<T, Failure<E>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let me = self.get_mut();
        if let State::Idle = me.state {
            me.state = State::Waits((me.next)().into_future());
        }
        let State::Waits(waiting) = &mut me.state else {
            return Poll::Ready(None);
        };
        let item = ready!(Pin::new(waiting).poll(context)).transpose();
        me.state = match &item {
            Some(Ok(_)) => State::Idle,
            Some(Err(_)) | None => State::Ended,
        };
        Poll::Ready(item)
    }
}

impl<N, T: 'static, E: 'static> fmt::Debug for DeferredStream<N, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = matches!(self.state, State::Waits(_));
        f.debug_struct("DeferredStream")
            .field("waits", &waits)
            .finish()
    }
}
