//! A future as asyncio has it, for programs that are ported from there.
//!
//! New code is better served by a [`Deferred`], whose two ends have two types: what
//! [`InvalidState`] says when it runs does not compile there.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use torsade_core::Net;
use torsade_deferred::queue::Job;
use torsade_deferred::{Deferred, Failure};

use crate::sync::Event;

/// A result that somebody will set: any holder may set it, wait for it, cancel it, or be told.
///
/// A clone is the same future. Each who asks gets a copy of the result, so it must be `Clone`; an
/// `Rc` of it is. Awaiting one and giving up does not cancel it: others may wait.
///
/// ```
/// use torsade_futures::asyncio::Future;
///
/// let mut reactor = torsade_testing::MemoryReactor::new();
/// let net = reactor.net().clone();
/// let future = Future::<_, String>::new(&net);
/// let setter = future.clone();
/// net.call_later(std::time::Duration::from_secs(1), move |_| setter.set_result(42).unwrap());
/// assert_eq!(reactor.block_on(async move { future.wait().await }), Ok(42));
/// ```
#[doc(alias = "create_future")]
pub struct Future<T: Clone + 'static, E: Clone + 'static>(Rc<Shared<T, E>>);

/// Identifies a callback, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u64);

/// It has a result already, so it cannot be given another; or it has none yet.
#[doc(alias = "InvalidStateError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the future is not in the state that this needs")]
pub struct InvalidState;

type Outcome<T, E> = Result<T, Failure<E>>;

type Callback<T, E> = Box<dyn FnOnce(&Future<T, E>)>;

struct Shared<T: Clone + 'static, E: Clone + 'static> {
    net: Net,
    /// Shared, because copying it is the user's code, which may ask for it, and panic.
    result: RefCell<Option<Rc<Outcome<T, E>>>>,
    /// Whether anybody has seen the error, if it is one.
    seen: Cell<bool>,
    next: Cell<u64>,
    callbacks: RefCell<Vec<(u64, Callback<T, E>)>>,
    done: Event,
}

impl<T: Clone + 'static, E: Clone + 'static> Future<T, E> {
    /// A result to come, whose callbacks run on this reactor.
    pub fn new(net: &Net) -> Self {
        Self(Rc::new(Shared {
            net: net.clone(),
            result: RefCell::new(None),
            seen: Cell::new(false),
            next: Cell::new(0),
            callbacks: RefCell::default(),
            done: Event::new(),
        }))
    }

    /// One that takes over the result of a Deferred. Cancelling it leaves the Deferred alone.
    #[doc(alias = "wrap_future")]
    #[doc(alias = "asFuture")]
    pub fn wrap(net: &Net, deferred: Deferred<T, E>) -> Self {
        let future = Self::new(net);
        let waiting = future.clone();
        deferred.finish(move |result| {
            // It may have been cancelled meanwhile.
            let _ = waiting.set(result);
        });
        future
    }

    /// Bring the value.
    ///
    /// # Errors
    /// [`InvalidState`] if there is a result already; the value is dropped.
    pub fn set_result(&self, value: T) -> Result<(), InvalidState> {
        self.set(Ok(value))
    }

    /// Bring an error. If nobody ever asks for it, it is reported when the last handle goes.
    ///
    /// # Errors
    /// [`InvalidState`] if there is a result already; the error is dropped.
    pub fn set_exception(&self, error: E) -> Result<(), InvalidState> {
        self.set(Err(Failure::Error(error)))
    }

    /// End it with [`Failure::Cancelled`]. Returns false, and changes nothing, if it has ended.
    pub fn cancel(&self) -> bool {
        self.set(Err(Failure::Cancelled)).is_ok()
    }

    fn set(&self, result: Result<T, Failure<E>>) -> Result<(), InvalidState> {
        if self.done() {
            return Err(InvalidState);
        }
        *self.0.result.borrow_mut() = Some(Rc::new(result));
        let callbacks = self.0.callbacks.take();
        for (_, callback) in callbacks {
            self.call(callback);
        }
        self.0.done.set();
        Ok(())
    }

    /// Whether it has ended, whichever way.
    pub fn done(&self) -> bool {
        self.0.result.borrow().is_some()
    }

    /// Whether it was cancelled.
    pub fn cancelled(&self) -> bool {
        let result = self.0.result.borrow();
        matches!(result.as_deref(), Some(Err(Failure::Cancelled)))
    }

    /// The result, without waiting.
    ///
    /// # Errors
    /// [`InvalidState`] if there is none yet. The inner error is the future's own.
    pub fn result(&self) -> Result<Result<T, Failure<E>>, InvalidState> {
        let result = self.0.result.borrow().clone().ok_or(InvalidState)?;
        self.0.seen.set(true);
        Ok((*result).clone())
    }

    /// The failure, without waiting; `None` if it ended well.
    ///
    /// # Errors
    /// [`InvalidState`] if there is no result yet.
    pub fn exception(&self) -> Result<Option<Failure<E>>, InvalidState> {
        self.result().map(Result::err)
    }

    /// Call `callback` when it has ended: between two callbacks of the reactor, in the order in
    /// which they were added, never inside this call. One that panics is reported, and stops no
    /// other.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use torsade_futures::asyncio::Future;
    ///
    /// let reactor = torsade_testing::MemoryReactor::new();
    /// let future = Future::<u32, String>::new(reactor.net());
    /// let seen = Rc::new(RefCell::new(Vec::new()));
    /// let (first, second) = (Rc::clone(&seen), Rc::clone(&seen));
    /// let id = future.add_done_callback(move |_| first.borrow_mut().push("first"));
    /// future.add_done_callback(move |_| second.borrow_mut().push("second"));
    /// assert!(future.remove_done_callback(id));
    /// future.set_result(1).unwrap();
    /// assert!(seen.borrow().is_empty());
    /// reactor.settle();
    /// assert_eq!(*seen.borrow(), ["second"]);
    /// ```
    pub fn add_done_callback(&self, callback: impl FnOnce(&Self) + 'static) -> CallbackId {
        let id = self.0.next.get();
        self.0.next.set(id + 1);
        if self.done() {
            self.call(Box::new(callback));
        } else {
            let entry: (u64, Callback<T, E>) = (id, Box::new(callback));
            self.0.callbacks.borrow_mut().push(entry);
        }
        CallbackId(id)
    }

    /// Do not call this one. Returns whether it was still to be called.
    pub fn remove_done_callback(&self, id: CallbackId) -> bool {
        let mut callbacks = self.0.callbacks.borrow_mut();
        let Some(place) = callbacks.iter().position(|(other, _)| *other == id.0) else {
            return false;
        };
        let removed = callbacks.remove(place);
        drop(callbacks);
        drop(removed);
        true
    }

    fn call(&self, callback: Callback<T, E>) {
        self.0.net.enqueue(Rc::new(Call {
            future: self.clone(),
            callback: Cell::new(Some(callback)),
        }));
    }

    /// Wait for the result.
    ///
    /// Cancel safe: giving up changes nothing.
    ///
    /// # Errors
    /// The future's own: what was set, or [`Failure::Cancelled`].
    pub async fn wait(&self) -> Result<T, Failure<E>> {
        self.0.done.wait().await;
        self.result().unwrap_or(Err(Failure::Abandoned))
    }

    /// A Deferred of the result. Cancelling it leaves this future alone.
    pub fn deferred(&self) -> Deferred<T, E> {
        let (resolver, deferred) = Deferred::new();
        self.add_done_callback(move |future| {
            resolver.settle(future.result().unwrap_or(Err(Failure::Abandoned)));
        });
        deferred
    }
}

/// One callback on its way through the queue.
struct Call<T: Clone + 'static, E: Clone + 'static> {
    future: Future<T, E>,
    callback: Cell<Option<Callback<T, E>>>,
}

impl<T: Clone + 'static, E: Clone + 'static> Job for Call<T, E> {
    fn run(self: Rc<Self>) {
        let net = &self.future.0.net;
        if net.is_alive() && !net.is_in_turn() {
            net.clone().put_off(self);
        } else if let Some(callback) = self.callback.take() {
            callback(&self.future);
        }
    }
}

impl<T: Clone + 'static, E: Clone + 'static> Drop for Shared<T, E> {
    fn drop(&mut self) {
        if !self.seen.get()
            && let Some(result) = self.result.take().and_then(Rc::into_inner)
            && let Err(failure @ (Failure::Error(_) | Failure::Panicked(_))) = result
        {
            Deferred::<(), E>::settled(Err(failure)).detach();
        }
    }
}

impl<T: Clone + 'static, E: Clone + 'static> IntoFuture for Future<T, E> {
    type Output = Result<T, Failure<E>>;
    type IntoFuture = Waiting<T, E>;

    fn into_future(self) -> Waiting<T, E> {
        Waiting(Box::pin(async move { self.wait().await }))
    }
}

/// An awaited [`Future`].
#[must_use = "a future does nothing until it is polled"]
pub struct Waiting<T, E>(Pin<Box<dyn std::future::Future<Output = Result<T, Failure<E>>>>>);

impl<T, E> std::future::Future for Waiting<T, E> {
    type Output = Result<T, Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T, E> fmt::Debug for Waiting<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

impl<T: Clone + 'static, E: Clone + 'static> Clone for Future<T, E> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Clone + 'static, E: Clone + 'static> fmt::Debug for Future<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.done(), self.cancelled()) {
            (_, true) => "cancelled",
            (true, false) => "done",
            (false, false) => "pending",
        };
        write!(f, "Future({state})")
    }
}
