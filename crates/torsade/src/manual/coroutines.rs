//! Coroutines: from callbacks to `await` and back, on the same connection.
//!
//! Everything of this page is in [`torsade::futures`](crate::futures). At its end you have a server
//! that answers from a coroutine without giving up its callbacks, one that has no callbacks at all,
//! and know what a cancelled coroutine leaves behind.
//!
//! # A protocol that asks a coroutine
//! A [`Deferred`](crate::Deferred) is awaited like any future, and [`defer`](crate::futures::defer)
//! makes one of a coroutine. So a callback hands work to a coroutine as it hands it to anybody, and
//! goes on with `&mut self` when the result is there:
//! ```
//! use std::time::Duration;
//! use torsade::futures::{defer, sleep};
//! use torsade::testing::StringTransport;
//! use torsade::{Net, Protocol, Transport};
//!
//! /// Three steps, one after the other, where callbacks would be three methods.
//! async fn brew(net: Net, leaf: String) -> Result<String, String> {
//!     if leaf != "assam" {
//!         return Err(format!("no {leaf} left"));
//!     }
//!     sleep(&net, Duration::from_secs(60)).await; // the water
//!     sleep(&net, Duration::from_secs(180)).await; // the leaves
//!     Ok(format!("a cup of {leaf}"))
//! }
//!
//! struct Waiter {
//!     cups: u32,
//! }
//! impl Protocol for Waiter {
//!     fn data_received(&mut self, transport: &Transport<Self>, order: &[u8]) {
//!         let leaf = String::from_utf8_lossy(order).into_owned();
//!         let tea = defer(&transport.net(), brew(transport.net(), leaf));
//!         transport.hold(tea, |me, transport, tea| match tea {
//!             Ok(cup) => {
//!                 me.cups += 1;
//!                 transport.write(cup);
//!             }
//!             Err(why) => transport.write(why.to_string()),
//!         });
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Waiter { cups: 0 });
//! t.feed("assam");
//! t.advance(Duration::from_secs(240));
//! assert_eq!(t.take_sent(), b"a cup of assam");
//! assert_eq!(t.protocol(|me| me.cups), 1);
//! ```
//! `hold` keeps the next order waiting, so answers keep their order. If the guest leaves, the
//! Deferred is cancelled, and with it the coroutine: the kettle is put down at the `sleep` where it
//! stood.
//!
//! # And a coroutine that asks a protocol
//! The other way round, a protocol resolves what a coroutine awaits. Nothing is lost in between:
//! the Deferred is there before the answer is.
//! ```
//! use std::collections::VecDeque;
//! use torsade::testing::MemoryReactor;
//! use torsade::{Deferred, Disconnect, Protocol, Resolver, Transport};
//!
//! #[derive(Default)]
//! struct Client {
//!     waiting: VecDeque<Resolver<Vec<u8>, Disconnect>>,
//! }
//! impl Client {
//!     fn ask(&mut self, transport: &Transport<Self>, what: &str) -> Deferred<Vec<u8>, Disconnect> {
//!         transport.write(what);
//!         let (resolver, answer) = Deferred::new();
//!         self.waiting.push_back(resolver);
//!         answer
//!     }
//! }
//! impl Protocol for Client {
//!     fn data_received(&mut self, _: &Transport<Self>, answer: &[u8]) {
//!         if let Some(resolver) = self.waiting.pop_front() {
//!             resolver.resolve(answer.to_vec());
//!         }
//!     }
//! }
//!
//! let mut reactor = MemoryReactor::new();
//! let net = reactor.net().clone();
//! let talk = torsade::futures::spawn(reactor.net(), async move {
//!     let transport = net.connect("192.0.2.1:80", Client::default()).await.unwrap();
//!     let (resolver, answer) = Deferred::new();
//!     transport.call(|me, transport| me.ask(transport, "time?").finish(|it| resolver.settle(it)));
//!     answer.await
//! });
//! let mut far = reactor.next_connect().succeed();
//! assert_eq!(far.take_sent(), b"time?");
//! far.feed("noon");
//! assert_eq!(reactor.block_on(talk).unwrap(), Ok(b"noon".to_vec()));
//! ```
//!
//! # Without callbacks
//! [`start_server`](crate::futures::start_server) runs a coroutine for each connection, with a
//! reader and a writer; [`open_connection`](crate::futures::open_connection) gives such a pair. What
//! nobody reads waits with the peer; [`drain`](crate::futures::StreamWriter::drain) waits while the
//! peer is behind. A test is one line longer than the conversation:
//! ```
//! use torsade::futures::{ReadError, start_server};
//! use torsade::testing::MemoryReactor;
//!
//! let reactor = MemoryReactor::new();
//! start_server(reactor.net(), "0.0.0.0:7", async |mut reader, writer| {
//!     loop {
//!         let line = reader.read_until("\r\n").await?;
//!         if line == b"quit\r\n" {
//!             return Ok::<(), ReadError>(());
//!         }
//!         writer.write(&line);
//!         writer.drain().await?;
//!     }
//! })?;
//! let mut ann = reactor.dial("127.0.0.1:7");
//! ann.feed("hello\r\nquit\r\n");
//! assert_eq!(ann.take_sent(), b"hello\r\n");
//! assert!(ann.has_ended());
//! # Ok::<(), torsade::ListenError>(())
//! ```
//!
//! # From callbacks to streams and back
//! One connection may do both.
//! [`switch_to_streams`](crate::futures::switch_to_streams) gives it to a coroutine, with what the
//! protocol left unread; [`StreamReader::switch`](crate::futures::StreamReader::switch) gives it to
//! a protocol, with what was read ahead:
//! ```
//! use torsade::futures::{ReadError, switch_to_streams};
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! /// Asks for a name in a coroutine, because that is a conversation.
//! struct Door;
//! impl Protocol for Door {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         switch_to_streams(transport, async |mut reader, writer| {
//!             writer.write("name? ");
//!             let name = reader.read_line().await?;
//!             writer.write_parts(&[b"hello, ", &*name]);
//!             reader.switch(writer, Echo);
//!             Ok::<(), ReadError>(())
//!         });
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! /// Goes on in callbacks, because it has no state.
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Door);
//! t.feed("ann\nand more");
//! assert_eq!(t.take_sent(), b"name? hello, ann\nand more");
//! ```
//!
//! # Messages
//! Any framing of [`torsade::wire`](crate::wire) makes a `Stream` of a reader, with
//! [`Frames`](crate::futures::Frames), and a `Sink` of a writer, with
//! [`FrameWriter`](crate::futures::FrameWriter). What hands over its values one by one is a `Stream`
//! by [`deferred_stream`](crate::futures::deferred_stream): a subscription of Redis is
//! `deferred_stream(move || subscription.next())`.
//!
//! # Many at once
//! [`gather`](crate::futures::gather) for all results, [`wait`](crate::futures::wait) for the first
//! or for all, [`as_completed`](crate::futures::as_completed) one by one, and
//! [`task_group`](crate::futures::task_group) where nobody may outlive the others. They share what
//! they need in an `Rc<RefCell<..>>`: between two awaits nobody else runs. What spans several awaits
//! has [locks, events and queues](crate::futures::sync).
//!
//! # Which of the same name
//! A result may come to a callback, to a coroutine, or to a plain thread, and what deals with it has
//! one name in all three worlds. In an `async` block you want the middle column, though a Deferred is
//! awaited there like any future.
//!
//! | | callbacks: takes and gives Deferreds | coroutines: `torsade::futures` | plain threads, blocking: `torsade::threads` |
//! |---|---|---|---|
//! | begin something | call it; [`Net::call_later`](crate::Net::call_later) | [`spawn`](crate::futures::spawn), a `Task`; [`defer`](crate::futures::defer), a Deferred | [`Executor::submit`](crate::threads::Executor::submit); from the reactor [`Net::defer_to_thread`](crate::Net::defer_to_thread) |
//! | all values, or the first error | [`gather`](crate::gather()) | [`futures::gather`](crate::futures::gather), which spawns | |
//! | all results, errors among them | [`list`](crate::list()) | [`futures::wait`](crate::futures::wait()) for `AllCompleted` | [`threads::wait`](crate::threads::wait) until `AllDone` |
//! | the first that is there | [`race`](crate::race()): the first value | `futures::wait` for `FirstCompleted`: the first end | `threads::wait` until `FirstDone` |
//! | each as it comes | | [`futures::as_completed`](crate::futures::as_completed) | [`threads::as_completed`](crate::threads::as_completed) |
//! | nobody outlives the others | [`Group`](crate::Group) | [`task_group`](crate::futures::task_group) | |
//! | after a while | [`Net::sleep`](crate::Net::sleep) | [`futures::sleep`](crate::futures::sleep) | the system's own |
//! | not longer than | [`Net::timeout`](crate::Net::timeout): cancels, then `Failure::TimedOut` | [`futures::timeout`](crate::futures::timeout): drops, then `Elapsed` | the last argument of `threads::wait` |
//! | keep it going though its reader leaves | `share` a Deferred | [`shield`](crate::futures::shield()) | |
//! | take turns | [`DeferredLock`](crate::DeferredLock), [`DeferredSemaphore`](crate::DeferredSemaphore) | [`Lock`](crate::futures::sync::Lock), [`Semaphore`](crate::futures::sync::Semaphore) | those of `std::sync` |
//! | hand over | [`DeferredQueue`](crate::DeferredQueue) | [`Queue`](crate::futures::sync::Queue) | `std::sync::mpsc` |
//! | from the world outside | | `reactor.block_on` | [`Remote::block_on`](crate::Remote), by [`BlockOn`](crate::BlockOn) |
//!
//! # Cancelling
//! Cancelling drops the future at the await where it is, between two callbacks. Its `Drop`s run, and
//! may write, close, resolve and spawn; they cannot await. Then the result is known:
//! `Failure::Cancelled`. Who waits for a task and is cancelled cancels the task, unless it is
//! [shielded](crate::futures::shield); a handle that nobody awaited is dropped without harm.
//!
//! # With others
//! | who | how | example |
//! |---|---|---|
//! | hyper 1 | feature `hyper`: [`Duplex`](crate::futures::Duplex) is its `Read` and `Write`, `torsade::futures::hyper` has an executor and a timer | `http_server`, `http_client` |
//! | what wants tokio's `AsyncRead` and `AsyncWrite`, but not its runtime | feature `tokio`: readers, writers and `Duplex` have them | |
//! | what needs a tokio runtime: reqwest, drivers of databases | a runtime with a thread of its own; a task here awaits the handle of a task there, and dropping that aborts it | `tokio_bridge` |
//! | a program that has a tokio runtime already | the reactor is a guest in it | `guest_tokio` |
//!
//! # For those who know asyncio
//! | asyncio | here |
//! |---|---|
//! | `CancelledError` is raised at the await, and may be caught | the future is dropped there; nothing of it goes on |
//! | a task that nobody refers to may vanish | the reactor keeps its tasks |
//! | `gather` lets the others go on after an error | it cancels them |
//! | `wait` gives two sets | it takes those that are done out of the `Vec` |
//! | reads of a stream may lose what they had read when cancelled | they take only what they return |
//! | a loop of the thread is found by itself | a [`Net`](crate::Net) is passed |
//!
//! # For those who know tokio
//! | tokio | here |
//! |---|---|
//! | `tokio::spawn` wants `Send`, a `LocalSet` does not | nothing wants `Send` |
//! | dropping a `JoinHandle` detaches, always | so it does, unless it was being awaited: that cancels |
//! | `read_exact` and `write_all` lose bytes when dropped | `read_exactly` takes nothing before it has all; `write` takes all at once, and `drain` waits |
//! | the order in which woken tasks run is the scheduler's | it is that in which they were woken, and one with callbacks |
//! | time is paused for a test | a test's time is its own from the start |
