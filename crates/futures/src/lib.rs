//! Coroutines on a torsade reactor: tasks, streams and synchronisation.
//!
//! A program may go on in `async` and `await` where it likes, and come back to callbacks: on the
//! same reactor, the same thread, the same connection. There is no second runtime. A task is polled
//! from the queue that runs continuations, so tasks and callbacks have one order, and nobody is
//! called back while running (contract C1). Everything takes a [`Net`](torsade_core::Net), so it
//! runs on real sockets, in a test's memory and in a simulated network, by that one's clock.
//!
//! ```
//! use std::time::Duration;
//! use torsade_futures::{open_connection, start_server, timeout};
//!
//! let mut reactor = torsade_testing::MemoryReactor::new();
//! let net = reactor.net().clone();
//! start_server(&net, "127.0.0.1:8007", async |mut reader, writer| {
//!     while let Ok(line) = reader.read_line().await {
//!         if line.is_empty() {
//!             break; // the peer has ended; the writer is dropped, and so the connection closed
//!         }
//!         writer.write_parts(&[b"you said ", &*line]);
//!     }
//! })?;
//!
//! reactor.join(); // connects go to listeners of this thread
//! let answer = reactor.block_on(async move {
//!     let (mut reader, writer) = open_connection(&net, "127.0.0.1:8007").await?;
//!     writer.write("hello\n");
//!     let line = timeout(&net, Duration::from_secs(5), reader.read_line()).await??;
//!     Ok::<_, Box<dyn std::error::Error>>(line)
//! });
//! assert_eq!(answer.unwrap(), b"you said hello\n");
//! # Ok::<(), torsade_core::ListenError>(())
//! ```
//!
//! # Between callbacks and coroutines
//! | from | to | by |
//! |---|---|---|
//! | a [`Deferred`](torsade_deferred::Deferred) | a future | `.await`: it is one; a ready one costs no allocation |
//! | a future | a `Deferred` | [`defer`], for `Transport::then` and `hold`; [`Task::into_deferred`] |
//! | a callback | a task | [`spawn`]; it goes on by itself |
//! | a connection's protocol | streams | [`switch_to_streams`], with what it left unread |
//! | streams | a protocol | [`StreamReader::switch`], with what was read ahead |
//! | the outside | a coroutine | `reactor.block_on(future)`, on a real reactor and on a `MemoryReactor` |
//!
//! # What ends a task
//! | | the future | the result |
//! |---|---|---|
//! | it reaches its end | is dropped | what it gave |
//! | it panics | is dropped | [`Failure::Panicked`](torsade_deferred::Failure::Panicked); reported if nobody waits |
//! | [`Task::cancel`], or whoever awaits it is dropped | is dropped at its await point, between two callbacks | `Cancelled`, known after that |
//! | the reactor's stop is complete, or it is dropped | the same | `Abandoned` |
//!
//! Dropping a [`Task`] that nobody awaited lets it go on by itself.
//!
//! # Cancel safety
//! Any `.await` may be the last thing a future does. What each function here loses then is said on
//! its page; the rule is: nothing that another could have had. Reads take bytes only when they have
//! all that was asked for, what waits in line passes on what it was handed, sleeps take their timer
//! away, attempts to connect are given up, and groups cancel their tasks.
//!
//! # What it costs
//! A task is three allocations. A wake on the reactor's thread is none, and no system call; from
//! another thread it is one allocation, and at most one system call. Wakes keep their order. A task
//! that wakes itself for ever has the turn's budget and no more (contract C10).
//!
//! # Names
//! They are asyncio's where it has one: [`gather`], [`wait()`], [`as_completed`], [`shield()`],
//! [`task_group`], [`open_connection`], [`start_server`]; [`sync`] has the locks and queues, and
//! [`asyncio`] a `Future` with `set_result` for what is ported as it stands.
#![forbid(unsafe_code)]

pub mod asyncio;
mod deferred_stream;
mod executor;
mod group;
mod guard;
#[cfg(feature = "hyper")]
pub mod hyper;
mod shield;
mod streams;
pub mod sync;
mod task;
mod time;
mod wait;

pub use self::deferred_stream::{DeferredStream, deferred_stream};
pub use self::group::{Child, GroupError, Nursery, TaskGroup, task_group};
pub use self::shield::{Shield, shield};
pub use self::streams::{
    Duplex, FrameWriter, Frames, Handled, ReadError, SendError, StreamReader, StreamWriter,
    open_connection, start_server, switch_to_streams,
};
pub use self::task::{Task, defer, spawn, task_count, yield_now};
pub use self::time::{Elapsed, Sleep, sleep, sleep_until, timeout};
pub use self::wait::{
    AllCompleted, AsCompleted, FirstCompleted, FirstException, Gather, When, as_completed, gather,
    wait,
};
