//! Results that come later, for programs made of callbacks: Twisted's `Deferred`, typed.
//!
//! A [`Deferred<T, E>`](Deferred) stands for a `T` that is not there yet. Whoever does the work
//! keeps its other end, the [`Resolver`], and brings the value or an error when it is known. Whoever
//! wants the value says what shall happen then:
//!
//! ```
//! use torsade_deferred::{Deferred, Failure};
//!
//! let (resolver, user) = Deferred::<&str, String>::new();
//!
//! let greeting = user
//!     .map(|name| format!("hello, {name}"))                       // the value, changed
//!     .and_then(|text| {                                          // more work, which may fail
//!         if text.is_ascii() { Deferred::succeed(text) } else { Deferred::fail(text) }
//!     })
//!     .map_err(|text| format!("cannot spell {text}"))             // the error, changed
//!     .or_else(|failure| match failure {                          // any failure, recovered from
//!         Failure::TimedOut => Deferred::succeed("hello, whoever".to_owned()),
//!         other => Deferred::settled(Err(other)),
//!     });
//!
//! resolver.resolve("Ada");
//! assert_eq!(greeting.try_take().unwrap(), Ok("hello, Ada".to_owned()));
//! ```
//!
//! A chain usually ends in [`finish`](Deferred::finish), which takes the result whatever it is, or
//! in `.await`: a Deferred is an [`IntoFuture`].
//!
//! # For those who know Twisted or asyncio
//!
//! | Twisted | asyncio | here |
//! |---|---|---|
//! | `Deferred()` | `Future()` | [`Deferred::new`], two ends of two types |
//! | `d.callback(v)`, `d.errback(e)` | `set_result`, `set_exception` | [`Resolver::resolve`], [`Resolver::reject`] |
//! | `AlreadyCalledError` | `InvalidStateError` | does not compile: the resolver is consumed |
//! | `addCallback`, returning a value | | [`Deferred::map`] |
//! | `addCallback`, returning a Deferred | | [`Deferred::and_then`] |
//! | `addErrback` | | [`Deferred::or_else`], [`Deferred::map_err`] |
//! | `addBoth` | `add_done_callback` | [`Deferred::finish`] |
//! | `succeed`, `fail` | | [`Deferred::succeed`], [`Deferred::fail`] |
//! | `Deferred(canceller)`, `d.cancel()` | `cancel()` | [`Resolver::on_cancel`], [`Canceller`] |
//! | `successResultOf` | `result()` | [`Deferred::try_take`] |
//! | "Unhandled error in Deferred" | "exception was never retrieved" | [`report`] |
//!
//! # How a result can fail to come
//!
//! [`Failure<E>`](Failure) is closed: the work's own `Error(E)`, `Cancelled`, `TimedOut`,
//! `Abandoned` (the resolver was dropped, so that a consumer never hangs) and `Panicked` (a closure
//! of the chain panicked; the panic goes no further). `map_err` sees the `E` alone, `or_else` and
//! `finish` see everything.
//!
//! # Nobody calls you back while you are running
//!
//! Closures, cancel hooks, wakers and report sinks run from the [`queue`] of the thread, one after
//! the other, never one inside the other. An event loop holds a [`queue::Turn`] while it calls its
//! callbacks; what they resolve is queued until they have returned. Outside of a turn, the outermost
//! call (the `resolve`, the combinator on a result that is there, the `cancel`, the drop) runs the
//! queue before it returns; hold no `RefCell` borrow across it that a closure could want.
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use torsade_deferred::Deferred;
//!
//! let order = Rc::new(RefCell::new(Vec::new()));
//! let (resolver, deferred) = Deferred::<(), ()>::new();
//! let (first, second) = (Rc::clone(&order), Rc::clone(&order));
//! deferred.finish(move |_| second.borrow_mut().push("second"));
//! Deferred::<_, ()>::succeed(resolver).finish(move |resolver| {
//!     let mut order = first.borrow_mut(); // held across a resolve, and no trouble
//!     resolver.unwrap().resolve(());      // queued: we are running
//!     order.push("first");
//! });
//! assert_eq!(*order.borrow(), ["first", "second"]);
//! ```
//!
//! # Letting go, and stopping
//!
//! Dropping a Deferred *detaches*: the work goes on ([`detach`](Deferred::detach) says so aloud).
//! [`cancel`](Deferred::cancel), a [`Canceller`], or dropping an *await* asks the work to stop.
//!
//! An error that nobody took is reported once, at the moment its last consumer goes, with the places
//! in the source where its Deferred was made and where it was rejected; see [`report`].
//!
//! # What it costs
//!
//! One allocation for a Deferred and one for each step. Chains of any length, and recursions of
//! `and_then` of any depth, run, are cancelled and are dropped in constant stack. Everything here
//! belongs to one thread: neither end is `Send`.
#![forbid(unsafe_code)]

#[macro_use]
mod planted;

mod canceller;
mod deferred;
mod failure;
mod future;
mod group;
mod guard;
mod lock;
pub mod pending;
pub mod queue;
pub mod report;
mod resolver;
mod semaphore;
mod shared;
mod state;
mod step;
mod store;
mod waiters;
mod waking;

pub use canceller::Canceller;
pub use deferred::Deferred;
pub use failure::{Failure, Panic};
pub use future::DeferredFuture;
#[doc(hidden)]
pub use group::Ending;
pub use group::{Alike, AllFailed, FirstError, Group, Members, gather, list, race};
pub use lock::DeferredLock;
pub use resolver::Resolver;
pub use semaphore::{DeferredSemaphore, Permit};
pub use shared::Shared;
pub use store::{DeferredQueue, QueueOverflow, QueueUnderflow};
