//! Errors: where each is told, what ends with it, and what does not.
//!
//! At the end of this page every way to fail has one place in your program. Callbacks return
//! nothing, so there is no `Result` to hand upward; what went wrong is told to whom it concerns.
//! The promises are contracts [C6](crate::contracts#c6-reasons-are-typed) and
//! [C8](crate::contracts#c8-one-rule-for-errors).
//!
//! | what fails | who is told | as |
//! |---|---|---|
//! | a connection ends, for whatever reason | its `connection_lost` | [`Disconnect`](crate::Disconnect) |
//! | `listen` | the caller, at once | [`ListenError`](crate::ListenError) |
//! | `connect` | whoever has the Deferred | [`ConnectError`](crate::ConnectError) |
//! | work with a result that comes later | whoever has the Deferred | [`Failure`](crate::Failure) |
//! | an error of a Deferred that nobody took | the log | a line at level `error` |
//! | your code panics | that connection, and the log | [`Disconnect::Panicked`](crate::Disconnect::Panicked) |
//! | a post to a reactor that is gone | the caller, at once | [`Gone`](crate::Gone) |
//!
//! # The peer breaks the protocol
//! Parse in a function that returns a `Result` whose error is a `Disconnect`, and let the callback
//! be the one place that ends the connection. `?` works inside, and the reason says whose fault it
//! was:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Disconnect, Transport};
//!
//! struct Divider;
//!
//! impl Divider {
//!     fn quotient(&self, line: &[u8]) -> Result<u32, Disconnect> {
//!         let line = str::from_utf8(line).map_err(|_| Disconnect::protocol("not UTF-8"))?;
//!         let (a, b) = line.split_once('/').ok_or(Disconnect::protocol("no `/`"))?;
//!         let number = |text: &str| {
//!             text.parse::<u32>().map_err(|why| Disconnect::protocol(format!("{text:?}: {why}")))
//!         };
//!         number(a)?.checked_div(number(b)?).ok_or(Disconnect::protocol("divided by zero"))
//!     }
//! }
//!
//! impl LineProtocol for Divider {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         match self.quotient(line) {
//!             Ok(quotient) => transport.send_line(quotient.to_string()),
//!             Err(reason) => {
//!                 transport.send_line(format!("error: {reason}")); // it still leaves
//!                 transport.fail(reason);
//!             }
//!         }
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Divider));
//! t.feed("6/2\r\n1/0\r\n8/2\r\n");
//! let sent = String::from_utf8(t.take_sent()).unwrap();
//! assert_eq!(sent, "3\r\nerror: the peer broke the protocol: divided by zero\r\n");
//! assert_eq!(t.lost(), Some(Disconnect::protocol("divided by zero")));
//! ```
//! If it is not the peer's fault, it is [`Disconnect::application`](crate::Disconnect::application).
//!
//! # Reading a reason
//! `Disconnect` is a closed enum: a `match` can be complete, and a new kind of end would be a new
//! version. Most code asks one question of it:
//! ```
//! use torsade::Disconnect;
//!
//! fn what_to_do(reason: &Disconnect) -> &'static str {
//!     match reason {
//!         reason if reason.is_clean() => "nothing",
//!         Disconnect::Reset | Disconnect::TimedOut(_) | Disconnect::Io(_) => "connect again",
//!         Disconnect::ReactorGone | Disconnect::Aborted => "nothing: it was us",
//!         Disconnect::TruncatedTls => "distrust what has come",
//!         Disconnect::Tls(_) => "look at the certificates",
//!         Disconnect::LimitPassed(_) | Disconnect::Protocol(_) => "complain about the peer",
//!         _ => "look at the log",
//!     }
//! }
//! assert_eq!(what_to_do(&Disconnect::PeerClosed), "nothing");
//! assert_eq!(what_to_do(&Disconnect::Reset), "connect again");
//! assert_eq!(what_to_do(&Disconnect::application("no database")), "look at the log");
//! ```
//! It can be cloned, compared and sent to other threads, and its `Display` is a sentence for a log.
//!
//! # A panic costs one connection
//! A panic in a callback or in a closure given to a transport is caught. The connection is
//! aborted, is told so in `connection_lost`, and is the only one: the listener goes on, the
//! others do not notice.
//! ```
//! use std::{cell::Cell, rc::Rc};
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! struct Indexing(Rc<Cell<u32>>);
//! impl Protocol for Indexing {
//!     fn connection_made(&mut self, _: &Transport<Self>) {
//!         self.0.set(self.0.get() + 1);
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write([data[2]]); // what if there are two?
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
//!         self.0.set(self.0.get() - 1);
//!     }
//! }
//!
//! let online = Rc::new(Cell::new(0));
//! let mut fine = StringTransport::serve(Indexing(online.clone()));
//! let mut t = StringTransport::serve(Indexing(online.clone()));
//! t.expect_panic("index out of bounds");
//! t.feed("ab");
//! assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))) && t.has_reset());
//! assert_eq!(online.get(), 1); // it was still cleaned up
//! fine.feed("abc");
//! assert_eq!(fine.take_sent(), b"c");
//! ```
//! It is a net, not a way to handle errors: state that the panic left half-changed stays so, for
//! the connections that share it. A program built with `panic = "abort"` gives the net up. A
//! factory that panics loses the one connection it was to build for; like any other connection
//! that was accepted and could not be made, it is told to
//! [`Factory::failed`](crate::Factory::failed). A free timer or a posted call that panics is
//! logged.
//!
//! # A result that does not come
//! A [`Deferred`](crate::Deferred) ends with its value or with a [`Failure`](crate::Failure): the
//! work's own error, `Cancelled`, `TimedOut`, `Abandoned` when whoever was to bring it dropped the
//! [`Resolver`](crate::Resolver), `Panicked`. So it always ends, and a consumer never hangs.
//! `connect` is such work:
//! ```
//! # use torsade::testing::StringTransport;
//! use torsade::{ConnectError, Failure, Protocol, Transport};
//!
//! struct Upstream;
//! # impl Protocol for Upstream {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! struct Proxy;
//!
//! impl Protocol for Proxy {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let upstream = transport.net().connect("127.0.0.1:9", Upstream);
//!         transport.hold(upstream, |_, transport, upstream| match upstream {
//!             Ok(_upstream) => transport.write("go on"),
//!             Err(Failure::Error(ConnectError::TimedOut { .. })) => transport.write("no answer"),
//!             Err(why) => {
//!                 transport.write(why.to_string());
//!                 transport.close();
//!             }
//!         });
//!     }
//! #   fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::serve(Proxy); // on the `Net` of a fake every connect is refused
//! assert_eq!(t.take_sent(), b"cannot connect to 127.0.0.1:9: connection refused");
//! ```
//! A protocol whose connect fails is dropped without a callback: the Deferred has told it all.
//!
//! Dropping a Deferred lets the work go on. If it fails then, the error is logged once, with the
//! places in the source where it was made and rejected; a test fails of it. To say that you do
//! not care for a result write [`detach`](crate::Deferred::detach), for the error too
//! `finish(|_| ())`.
//!
//! # Pitfalls
//! **Looking for errors of `write`.** There are none. A connection that is gone drops what is
//! written and counts it; that it is gone is told once, in `connection_lost`.
//!
//! **Treating `Reset` as a bug.** Peers reset: phones lose their network, browsers close tabs.
//! Log it at level `debug`, if at all.
//!
//! **A log that nobody reads.** torsade speaks through the `log` crate. Without a logger, a caught
//! panic is seen only as what the panic hook prints.
