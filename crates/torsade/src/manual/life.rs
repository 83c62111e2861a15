//! The life of a connection: which callbacks come, in which order, and what may run between them.
//!
//! At the end of this page you know where to put what: what belongs in `connection_made`, what
//! may be kept, what is cancelled for you, and where clean-up goes. The promises are contracts
//! [C1](crate::contracts#c1-nobody-calls-you-back-while-you-are-running),
//! [C2](crate::contracts#c2-life-cycle) and
//! [C16](crate::contracts#c16-continuations-on-a-connection).
//!
//! # The drawing
//! ```text
//!     a listener accepted it                     somebody asked for it
//!     Factory::build(&peer)                      net.connect(to, protocol)
//!               |                                          |
//!               +--------------------+---------------------+
//!                                    v
//!                            connection_made              once, first
//!                                    |
//!   +--------------------------------v--------------------------------------------+
//!   |  data_received    any number of times, cut anywhere                         |
//!   |  eof_received     once at most; no data after it                            |
//!   |  pause_writing, resume_writing    in turns, beginning with a pause          |
//!   |  stopping         once at most: the reactor shuts down                      |
//!   |  closures given to then, hold, call, call_later                             |
//!   +--------------------------------+--------------------------------------------+
//!                                    |  close, fail, abort, a limit, a reset, a panic:
//!                                    |  from here on no input; the rest goes on
//!                                    v
//!                            connection_lost              once, last, with the reason
//!                                    |
//!                                  Drop
//! ```
//! The same as a program, in which every callback writes down that it was called:
//! ```
//! use std::{cell::RefCell, rc::Rc, time::Duration};
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! type Log = Rc<RefCell<Vec<String>>>;
//! struct Recorder(Log);
//! impl Recorder {
//!     fn note(&self, what: impl Into<String>) {
//!         self.0.borrow_mut().push(what.into());
//!     }
//! }
//!
//! impl Protocol for Recorder {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.note("made");
//!         transport.call(|me, _| me.note("called")); // when this callback has returned
//!         transport.call_later(Duration::from_secs(1), |me, _| me.note("a second later"));
//!         transport.call_later(Duration::from_secs(60), |me, _| me.note("never"));
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.note(format!("data {}", data.len()));
//!     }
//!     fn eof_received(&mut self, transport: &Transport<Self>) {
//!         self.note("eof");
//!         transport.close(); // what the default does
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         self.note(format!("lost: {reason}"));
//!     }
//! }
//! impl Drop for Recorder {
//!     fn drop(&mut self) {
//!         self.note("dropped");
//!     }
//! }
//!
//! let log = Log::default();
//! let mut t = StringTransport::serve(Recorder(log.clone()));
//! t.feed("hello");
//! t.advance(Duration::from_secs(1));
//! t.feed("!");
//! t.end();
//! let expected = [
//!     "made", "called", "data 5", "a second later", "data 1", "eof",
//!     "lost: closed by the peer", "dropped",
//! ];
//! assert_eq!(*log.borrow(), expected);
//! ```
//!
//! # Nobody calls you back while you are running
//! A method of a transport never leads into a callback, not into one of yours and not into one of
//! another connection. What it causes is queued and runs when the current callback has returned.
//! So state may stay borrowed while you write to everybody, and a list is not changed under the
//! loop that walks it:
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use torsade::testing::StringTransport;
//! use torsade::{Connection, Disconnect, Protocol, Transport};
//!
//! #[derive(Default)]
//! struct Room {
//!     members: Vec<Connection>,
//!     left: usize,
//! }
//! struct Member(Rc<RefCell<Room>>);
//!
//! impl Protocol for Member {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.0.borrow_mut().members.push(transport.connection());
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         let room = self.0.borrow_mut();
//!         for member in &room.members {
//!             member.write(data);
//!             member.close();
//!         }
//!         assert_eq!((room.members.len(), room.left), (3, 0)); // nothing has happened yet
//!     }
//!     fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
//!         let room = &mut *self.0.borrow_mut();
//!         room.members.retain(|member| *member != transport.connection());
//!         room.left += 1;
//!     }
//! }
//!
//! let room = Rc::new(RefCell::new(Room::default()));
//! let mut all = [(); 3].map(|()| StringTransport::serve(Member(room.clone())));
//! all[1].feed("the house closes\n");
//! assert!(all.iter_mut().all(|t| t.take_sent() == b"the house closes\n"));
//! assert_eq!(room.borrow().left, 3);
//! ```
//! What does run callbacks before it returns is all outside of callbacks: running a reactor, the
//! methods of the fakes in a test, and resolving a [`Deferred`](crate::Deferred) from there. Hold
//! no borrow across those.
//!
//! # What runs between the callbacks
//! | given to | runs | is given |
//! |---|---|---|
//! | [`call`](crate::Transport::call) | when this callback has returned | `me, transport` |
//! | [`then`](crate::Transport::then) | when the result is there | `me, transport, result` |
//! | [`hold`](crate::Transport::hold) | the same; input waits until then | `me, transport, result` |
//! | [`call_later`](crate::Transport::call_later) | after so long, never early | `me, transport` |
//!
//! `me` is the protocol, mutable, as in a callback: no `Rc<RefCell<Self>>` is needed to come back.
//! They run in the order in which they became due, pauses and resumes among them, and new input is
//! not delivered before them:
//! ```
//! # use std::{cell::RefCell, rc::Rc};
//! # use torsade::testing::StringTransport;
//! # use torsade::{Deferred, Protocol, Transport};
//! struct Orderly(Rc<RefCell<Vec<&'static str>>>);
//! impl Orderly {
//!     fn note(&self, what: &'static str) {
//!         self.0.borrow_mut().push(what);
//!     }
//! }
//! impl Protocol for Orderly {
//!     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
//!         self.note("data");
//!         transport.call(|me, _| me.note("call"));
//!         transport.write(vec![0; 70_000]); // more than the high mark
//!         transport.then(Deferred::<_, ()>::succeed(()), |me, _, _| me.note("then"));
//!         self.note("end of data");
//!     }
//!     fn pause_writing(&mut self, _: &Transport<Self>) {
//!         self.note("pause");
//!     }
//! }
//!
//! let log = Rc::default();
//! let mut t = StringTransport::builder().window(0).connect(Orderly(Rc::clone(&log)));
//! t.feed("a");
//! t.feed("b");
//! let first = ["data", "end of data", "call", "pause", "then"];
//! let second = ["data", "end of data", "call", "then"]; // the pause lasts
//! assert_eq!(log.take(), [&first[..], &second].concat());
//! ```
//!
//! All of them end with the connection: what is waited for is cancelled, and the closure is
//! dropped without having run. They may run after `close` until the loss; they never run after
//! `connection_lost`.
//! ```
//! use std::time::Duration;
//! use torsade::testing::StringTransport;
//! use torsade::{Deferred, Protocol, Resolver, Transport};
//!
//! struct Asking(Option<Resolver<u32, ()>>);
//! impl Protocol for Asking {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let (resolver, answer) = Deferred::new();
//!         self.0 = Some(resolver);
//!         transport.then(answer, |_, _, _| unreachable!("lost before"));
//!         transport.call_later(Duration::from_secs(1), |_, _| unreachable!("lost before"));
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::serve(Asking(None));
//! let resolver = t.protocol(|me| me.0.take()).unwrap();
//! t.reset();
//! assert!(resolver.is_cancelled()); // whoever works on the answer can stop
//! t.advance(Duration::from_secs(1));
//! resolver.resolve(42); // too late, and no trouble
//! ```
//!
//! # What goes where
//! - **The constructor**: everything that needs no connection. There is no half-made state.
//! - **`connection_made`**: the greeting, the first deadline, joining a room. Nothing is read
//!   before it returns, so nothing can arrive too early.
//! - **`connection_lost`**: leaving the room, and all clean-up that must happen. It comes for
//!   every connection that was made: also after a panic, also when the reactor stops or is
//!   dropped. Writes are dropped there. It never comes for one that was not made.
//! - **A stored handle**: a [`Transport`](crate::Transport) or
//!   [`Connection`](crate::Connection) may be kept anywhere and for as long as you like. It keeps
//!   no connection open, and does nothing when that is over.
//!
//! # Becoming something else
//! [`switch`](crate::Transport::switch) puts another protocol in the place of the whole, after the
//! callback. The new one gets a `connection_made` of its own and then the bytes that were left
//! unread; the old one is dropped, and gets no `connection_lost`. An HTTP connection turns into a
//! WebSocket like that, and a proxy into a pipe.
//!
//! # Pitfalls
//! **Clean-up in a closure.** One given to `then` or `call_later` may be dropped unrun. Use
//! `connection_lost`, the `Drop` of a value that the protocol owns, or
//! [`Deferred::finish`](crate::Deferred::finish), which belongs to no connection.
//!
//! **A free timer about a connection.** [`Net::call_later`](crate::Net::call_later) knows of no
//! connection and fires though that is long gone; a test says so. Use the transport's.
//!
//! **A protocol that owns its room, and the room the protocol.** Rooms keep connections, which
//! are handles; protocols are owned by the reactor alone, so the two make no cycle.
