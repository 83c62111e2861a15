//! [`DeferredFuture`]: a Deferred that is awaited.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::guard;
use crate::queue;
use crate::state::cancel_chain;

/// The future of a [`Deferred`]; `deferred.await` makes one.
///
/// Dropping it before it is ready **cancels** the work, as with any future; dropping the `Deferred`
/// itself does not. (An `async` block that was never polled holds the `Deferred` still.)
///
/// ```
/// use std::future::{Future, IntoFuture};
/// use std::task::{Context, Poll, Waker};
/// use torsade_deferred::Deferred;
///
/// let (resolver, deferred) = Deferred::<u32, ()>::new();
/// let mut answer = Box::pin(async { deferred.await.map(|half| half * 2) });
/// let mut context = Context::from_waker(Waker::noop());
/// assert!(answer.as_mut().poll(&mut context).is_pending());
/// resolver.resolve(21);
/// assert_eq!(answer.as_mut().poll(&mut context), Poll::Ready(Ok(42)));
/// ```
///
/// # Panics
///
/// Polling it again after it was ready panics.
#[doc(alias = "asFuture")]
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled, and cancels its work when it is dropped"]
pub struct DeferredFuture<T: 'static, E: 'static> {
    /// `None` once the result was handed out.
    deferred: Option<Deferred<T, E>>,
}

impl<T: 'static, E: 'static> DeferredFuture<T, E> {
    /// Stops waiting without cancelling: the Deferred, as it was before the await.
    ///
    /// ```
    /// use std::future::{Future, IntoFuture};
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use torsade_deferred::Deferred;
    ///
    /// let (resolver, deferred) = Deferred::<u32, ()>::new();
    /// let mut waiting = deferred.into_future();
    /// let mut context = Context::from_waker(Waker::noop());
    /// assert!(pin!(&mut waiting).poll(&mut context).is_pending());
    /// let deferred = waiting.into_deferred();
    /// resolver.resolve(7); // it was not cancelled
    /// assert_eq!(deferred.try_take().unwrap(), Ok(7));
    /// ```
    ///
    /// # Panics
    ///
    /// If it was ready: the result is gone.
    pub fn into_deferred(mut self) -> Deferred<T, E> {
        match self.deferred.take() {
            Some(deferred) => deferred,
            None => panic!("a DeferredFuture that had been ready has no Deferred any more"),
        }
    }
}

impl<T: 'static, E: 'static> IntoFuture for Deferred<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = DeferredFuture<T, E>;

    fn into_future(self) -> DeferredFuture<T, E> {
        DeferredFuture {
            deferred: Some(self),
        }
    }
}

impl<T: 'static, E: 'static> Future for DeferredFuture<T, E> {
    type Output = Result<T, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(deferred) = &self.deferred else {
            panic!("a DeferredFuture was polled after it had been ready");
        };
        let core = deferred.source().core();
        if core.is_awaited_by(context.waker()) {
            return Poll::Pending;
        }
        let outcome = match core.take() {
            Some(outcome) => outcome,
            // Cloning a waker is user code, and may even settle this very Deferred.
            None => match core.awaited(context.waker().clone()) {
                Ok(replaced) => {
                    guard::discard(replaced);
                    return Poll::Pending;
                }
                Err((outcome, waker)) => {
                    guard::discard(waker);
                    outcome
                }
            },
        };
        self.deferred = None;
        Poll::Ready(outcome.map_err(|failed| failed.failure))
    }
}

impl<T: 'static, E: 'static> Drop for DeferredFuture<T, E> {
    fn drop(&mut self) {
        if let Some(deferred) = self.deferred.take() {
            let _hold = queue::hold();
            let source = Rc::clone(deferred.source());
            // First, so that the cancellation does not wake whoever drops us.
            drop(deferred);
            cancel_chain(source as _);
        }
    }
}
