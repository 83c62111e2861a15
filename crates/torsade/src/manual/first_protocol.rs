//! A server from its specification, in an afternoon: finger, RFC 1288.
//!
//! At the end of this page you have a server that speaks a real protocol, answers from state that
//! its connections share, waits for answers that come later, and is bounded against peers that
//! send nothing or never stop. It is tested before it has seen a socket; the chapter
//! [`running`](super::running) puts it on a port.
//!
//! All it takes is a new package with torsade in it, and with the fakes for its tests:
//! ```toml
//! [dependencies]
//! torsade = "0.1"
//!
//! [dev-dependencies]
//! torsade = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # The specification in four sentences
//! A client connects and sends one line, ended by CR LF. An empty line asks who is there; a line
//! with a name asks about that user; `/W` in front of the name asks for more. A name with an `@`
//! in it asks the server to pass the question on to another host, which it may refuse. The server
//! answers in lines and closes.
//!
//! # A connection is a value
//! What a server does with one connection is a type with callbacks, and there is one value of it
//! for each connection. A plain [`Protocol`](crate::Protocol) is given bytes, cut anywhere.
//! Finger is spoken in lines, so ours is a [`LineProtocol`](crate::wire::LineProtocol), and
//! [`Lines`](crate::wire::Lines) around it finds them:
//! ```
//! use torsade::Transport;
//! use torsade::testing::StringTransport;
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//!
//! struct Finger;
//!
//! impl LineProtocol for Finger {
//!     fn line_received(&mut self, transport: &Transport<Self>, _line: &[u8]) {
//!         transport.send_line("no such user");
//!         transport.close();
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Finger));
//! t.feed("ann\r\n");
//! assert_eq!(t.take_sent(), b"no such user\r\n");
//! assert!(t.lost().is_some());
//! ```
//! The [`Transport`](crate::Transport) is the handle of the connection. It is lent to every
//! callback, is cheap to clone and to keep, and none of its methods waits or calls you back.
//! `close` sends what was written before it ends the connection. [`StringTransport`] is the other
//! end, in the hands of the test.
//!
//! # The grammar needs no connection
//! Keep it in a function of bytes. It is tested with bytes, and used in one place.
//!
//! # Everything together
//! In a program the last third of this is its `mod tests`.
//! ```
//! use std::cell::RefCell;
//! use std::collections::BTreeMap;
//! use std::rc::Rc;
//! use std::time::Duration;
//!
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Disconnect, Timeout, Transport};
//!
//! #[derive(Debug, PartialEq)]
//! enum Query<'a> {
//!     Everybody,
//!     User { name: &'a str, more: bool },
//!     Elsewhere,
//! }
//!
//! /// `None` for a line that is no query.
//! fn parse(line: &[u8]) -> Option<Query<'_>> {
//!     let line = str::from_utf8(line).ok()?.trim();
//!     let (more, name) = match line.strip_prefix("/W") {
//!         Some(name) => (true, name.trim()),
//!         None => (false, line),
//!     };
//!     match name {
//!         "" => Some(Query::Everybody),
//!         name if name.contains('@') => Some(Query::Elsewhere),
//!         name if name.contains(' ') => None,
//!         name => Some(Query::User { name, more }),
//!     }
//! }
//!
//! struct User {
//!     plan: &'static str,
//!     asked: u32,
//! }
//!
//! /// What all connections share. One thread, so no lock.
//! type Users = Rc<RefCell<BTreeMap<&'static str, User>>>;
//!
//! struct Finger(Users);
//!
//! impl Finger {
//!     fn new(users: &Users) -> Lines<Self> {
//!         Lines::new(Self(Rc::clone(users))).max_length(512)
//!     }
//!
//!     fn answer(&self, transport: &Transport<Self>, query: Option<Query<'_>>) {
//!         let mut users = self.0.borrow_mut(); // held while we write: nobody is called back
//!         match query {
//!             Some(Query::Everybody) => users.keys().for_each(|name| transport.send_line(name)),
//!             Some(Query::User { name, more }) => match users.get_mut(name) {
//!                 Some(user) => {
//!                     user.asked += 1;
//!                     transport.send_line(user.plan);
//!                     if more {
//!                         transport.send_line(format!("asked for {} times", user.asked));
//!                     }
//!                 }
//!                 None => transport.send_line("no such user"),
//!             },
//!             Some(Query::Elsewhere) => transport.send_line("ask that host yourself"),
//!             None => transport.send_line("that is no query"),
//!         }
//!     }
//! }
//!
//! impl LineProtocol for Finger {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.call_later(Duration::from_secs(30), |_, transport| {
//!             transport.fail(Disconnect::TimedOut(Timeout::Idle));
//!         });
//!     }
//!
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         self.answer(transport, parse(line));
//!         transport.close();
//!     }
//! }
//!
//! // The grammar:
//! assert_eq!(parse(b""), Some(Query::Everybody));
//! assert_eq!(parse(b"/W ann"), Some(Query::User { name: "ann", more: true }));
//! assert_eq!(parse(b"ann@example.org"), Some(Query::Elsewhere));
//! assert_eq!(parse(b"ann and bob"), None);
//! assert_eq!(parse(b"\xff"), None);
//!
//! // The server:
//! use torsade::Limit;
//! use torsade::testing::StringTransport;
//!
//! let users = Users::default();
//! users.borrow_mut().insert("ann", User { plan: "sailing", asked: 0 });
//! let ask = |query: &str| {
//!     let mut t = StringTransport::serve(Finger::new(&users));
//!     t.feed_bytewise(query); // in the worst pieces there are
//!     assert_eq!(t.lost(), Some(Disconnect::Closed));
//!     String::from_utf8(t.take_sent()).unwrap()
//! };
//! assert_eq!(ask("\r\n"), "ann\r\n");
//! assert_eq!(ask("ann\r\n"), "sailing\r\n");
//! assert_eq!(ask("/W ann\r\n"), "sailing\r\nasked for 2 times\r\n");
//! assert_eq!(ask("bob\r\n"), "no such user\r\n");
//! assert_eq!(ask("ann\r\nbob\r\n"), "sailing\r\n"); // after `close` no line is delivered
//!
//! let mut endless = StringTransport::serve(Finger::new(&users));
//! endless.feed([b'a'; 600]);
//! assert_eq!(endless.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
//!
//! let mut silent = StringTransport::serve(Finger::new(&users));
//! silent.advance(Duration::from_secs(30)); // takes no time
//! assert_eq!(silent.lost(), Some(Disconnect::TimedOut(Timeout::Idle)));
//! ```
//! What you did not have to write: a buffer for half a line, the second line that comes with the
//! first, the client that ends its side right after the question, the peer that does not read its
//! answer (`close` waits for it up to 120 s), the end of the timer (it goes with its connection).
//!
//! # An answer that comes later
//! A plan may have to be fetched. Work that is not done yet is a [`Deferred`](crate::Deferred):
//! a value that comes later, or a failure. [`hold`](crate::Transport::hold) waits for it, and
//! holds back further input meanwhile, so answers keep the order of their questions. The closure
//! is given the protocol, as every callback is:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Deferred, Resolver, Transport};
//!
//! struct Finger {
//!     answered: u32,
//!     asked: Vec<Resolver<String, String>>, // a real one would ask a database
//! }
//!
//! impl Finger {
//!     fn fetch(&mut self, _name: &[u8]) -> Deferred<String, String> {
//!         let (resolver, plan) = Deferred::new();
//!         self.asked.push(resolver);
//!         plan
//!     }
//! }
//!
//! impl LineProtocol for Finger {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         let plan = self.fetch(line);
//!         transport.hold(plan, |me, transport, plan| {
//!             me.answered += 1;
//!             match plan {
//!                 Ok(plan) => transport.send_line(plan),
//!                 Err(why) => transport.send_line(format!("sorry: {why}")),
//!             }
//!         });
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Finger { answered: 0, asked: vec![] }));
//! t.feed("ann\r\nbob\r\n");
//! t.end(); // the client has said all it had to say
//!
//! let ann = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! assert!(t.protocol(|lines| lines.get_mut().asked.is_empty())); // bob's line waits
//! ann.resolve("sailing".into());
//! let bob = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! bob.reject("the database is away".into());
//! assert_eq!(t.take_sent(), b"sailing\r\nsorry: the database is away\r\n");
//! assert!(t.lost().is_some()); // only now: the client's end waited behind its questions
//! ```
//! If the client goes away first, the work behind the Deferred is cancelled and the closure
//! dropped unrun. [`then`](crate::Transport::then) is the same without holding input back.
//!
//! # Next
//! [`testing`](super::testing) shows what else a test can do to it, [`running`](super::running)
//! puts it on a port. If your protocol is not made of lines, read [`framing`](super::framing).
//!
#![cfg_attr(
    feature = "testing",
    doc = "[`StringTransport`]: crate::testing::StringTransport"
)]
#![cfg_attr(not(feature = "testing"), doc = "[`StringTransport`]: crate#features")]
