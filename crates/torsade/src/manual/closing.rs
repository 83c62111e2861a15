//! Closing: how to end a connection so that the last words arrive, and how to know why one ended.
//!
//! At the end of this page you can choose between the four ways to end, answer a client that
//! half-closes, and bound how long a goodbye may take. The promises are contracts
//! [C4](crate::contracts#c4-closing) and [C5](crate::contracts#c5-half-close).
//!
//! # Four ways to end
//! | call | what was written | the peer sees | the reason at the loss |
//! |---|---|---|---|
//! | [`close`](crate::Connection::close) | is sent | an end in good order | `Closed`, or `PeerClosed` |
//! | [`fail(reason)`](crate::Connection::fail) | is sent | an end in good order | `reason` |
//! | [`abort`](crate::Connection::abort) | is dropped | a reset | `Aborted` |
//! | [`close_write`](crate::Connection::close_write) | is sent | an end; we go on reading | none yet |
//!
//! All four return at once, from anywhere. The reason is a
//! [`Disconnect`](crate::Disconnect), given to `connection_lost`.
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! struct Ender;
//! impl Protocol for Ender {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write("bye");
//!         match data {
//!             b"close" => transport.close(),
//!             b"abort" => transport.abort(),
//!             _ => transport.fail(Disconnect::protocol("close or abort, please")),
//!         }
//!         transport.write("one more thing"); // too late: dropped
//!         assert_eq!(transport.bytes_dropped(), 14);
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Ender);
//! t.feed("close");
//! assert_eq!((t.take_sent(), t.has_ended()), (b"bye".to_vec(), true));
//! assert_eq!(t.lost(), Some(Disconnect::Closed));
//!
//! let mut t = StringTransport::serve(Ender);
//! t.feed("abort");
//! assert_eq!((t.take_sent(), t.has_reset()), (vec![], true));
//! assert_eq!(t.lost(), Some(Disconnect::Aborted));
//!
//! let mut t = StringTransport::serve(Ender);
//! t.feed("what?");
//! assert_eq!(t.take_sent(), b"bye"); // an error reply leaves, too
//! assert_eq!(t.lost(), Some(Disconnect::protocol("close or abort, please")));
//! ```
//! After the first of them no more input is delivered, not even the rest of the same chunk when
//! a framing cuts it. The first reason stands: a second `close` or `fail` changes nothing. An
//! `abort` cuts short a `close` that is still sending.
//!
//! # A peer that takes its time
//! `close` waits for the kernel to take what was written. A slow reader is no reason to give up;
//! one that takes nothing for [`Limits::flush_timeout`](crate::Limits::flush_timeout), 120 s, is:
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Disconnect, Protocol, Timeout, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! use std::time::Duration;
//!
//! let mut t = StringTransport::builder().window(0).serve(Quiet);
//! t.with_protocol(|_, transport| {
//!     transport.write("a long answer");
//!     transport.close();
//! });
//! for _ in 0..10 {
//!     t.advance(Duration::from_secs(100));
//!     t.set_window(1); // it takes a byte, now and then
//!     assert_eq!(t.lost(), None);
//! }
//! t.advance(Duration::from_secs(240)); // and now no more
//! assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Flush)));
//! assert!(t.has_reset());
//! # let mut t = StringTransport::builder().window(0).serve(Quiet);
//! # t.with_protocol(|_, transport| {
//! #     transport.write("a long answer");
//! #     transport.close();
//! #     transport.fail(Disconnect::protocol("too late to be the reason"));
//! #     transport.call_later(Duration::from_secs(1), |_, transport| transport.abort());
//! # });
//! # t.advance(Duration::from_secs(1));
//! # assert_eq!(t.lost(), Some(Disconnect::Aborted));
//! ```
//! Closures given to `then` and `call_later` still run while a close is sending.
//!
//! On real sockets there is one more danger. A kernel that closes a socket with unread input
//! resets the connection, and the reset destroys what is still on its way: the peer never sees
//! why it was refused. So when the peer has not ended its side, the reactor keeps the bare socket
//! after the loss, and reads and discards what comes, for
//! [`Limits::linger`](crate::Limits::linger), 5 s. At most
//! [`Limits::lingering`](crate::Limits::lingering), 1024, sockets linger, and the oldest goes
//! first. Your protocol is long gone by then, and `run` does not wait for them.
//!
//! # When the peer ends first
//! `eof_received` is called after all data. Its default closes, which is right for a server that
//! answers at once. Who answers later has two ways. [`hold`](crate::Transport::hold) keeps back
//! the peer's end as it keeps back data, until the answer was given. Or override the callback:
//! our side stays open until we end it.
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! /// Collects everything, and answers when the peer has said all.
//! #[derive(Default)]
//! struct Sort(Vec<u8>);
//! impl Protocol for Sort {
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.0.extend_from_slice(data);
//!     }
//!     fn eof_received(&mut self, transport: &Transport<Self>) {
//!         transport.call(|me, transport| { // or any time later
//!             me.0.sort();
//!             transport.write(&me.0);
//!             transport.close();
//!         });
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Sort::default());
//! t.feed("cba");
//! assert_eq!(t.lost(), None);
//! t.end();
//! assert_eq!(t.take_sent(), b"abc");
//! assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
//! ```
//! The reason is `PeerClosed` because the peer ended before we did; both are
//! [in good order](crate::Disconnect::is_clean).
//!
//! A client that ends its side first calls `close_write` and goes on reading. When both sides
//! have ended, the connection is over without another call:
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Disconnect, Protocol, Transport};
//! struct Client(Vec<u8>);
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("cba");
//!         transport.close_write();
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.0.extend_from_slice(data);
//!     }
//!     fn eof_received(&mut self, _: &Transport<Self>) {}
//! }
//!
//! let mut t = StringTransport::connect(Client(vec![]));
//! assert!(t.has_ended() && t.lost().is_none());
//! t.feed("abc");
//! assert_eq!(t.protocol(|me| me.0.clone()), b"abc");
//! t.end();
//! assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
//! ```
//!
//! # Waiting for the end from elsewhere
//! [`flushed`](crate::Connection::flushed) resolves when everything written so far was handed to
//! the kernel, and is rejected with the reason if that will never be. It does not say that the
//! peer has read it; only an answer of the peer's does. [`closed`](crate::Connection::closed)
//! resolves with the reason when the connection is lost. It belongs to no protocol, so a room or
//! a supervisor can wait for it:
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Disconnect, Failure, Protocol, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! let mut t = StringTransport::builder().window(0).serve(Quiet);
//! let (flushed, closed) = t.with_protocol(|_, transport| {
//!     transport.write("news");
//!     (transport.flushed(), transport.closed())
//! });
//! let flushed = flushed.try_take().unwrap_err(); // not yet
//! t.reset();
//! assert_eq!(flushed.try_take().unwrap(), Err(Failure::Error(Disconnect::Reset)));
//! assert_eq!(closed.try_take().unwrap(), Ok(Disconnect::Reset));
//! ```
//!
//! # Pitfalls
//! **`close` is no `return`.** The callback goes on after it, with writes that are dropped. They
//! are counted in [`bytes_dropped`](crate::Connection::bytes_dropped) and
//! [`Net::dropped_writes`](crate::Net::dropped_writes); a server in which these grow has a bug.
//!
//! **`abort` after an error reply.** The reply is dropped with the rest. `fail` sends it.
//!
//! **A `then` where a `hold` was meant.** With `then`, the client that half-closes after its
//! question is closed by the default `eof_received` before the answer is there.
