//! Your own framing in 30 lines: a type byte, a length, and a value.
//!
//! Most binary protocols consist of messages that say how long they are. TCP does not keep
//! messages together: two may arrive in one chunk, one in fifty. A framing puts them together
//! again. This page writes one that copies nothing, allocates nothing, refuses a message that is
//! too long before it has arrived, and can be used around any protocol.
//!
//! # The framing
//! A message is one byte that says what it is, four bytes that say how long its value is, most
//! significant first, and the value.
//! ```
//! use torsade::{Disconnect, Layered, Limit, Protocol, Transport};
//!
//! trait MessageProtocol: Sized + 'static {
//!     fn message_received(&mut self, transport: &Transport<Self>, kind: u8, value: &[u8]);
//! }
//!
//! struct Messages<P>(P);
//!
//! impl<P: MessageProtocol> Protocol for Messages<P> {
//!     fn data_received(&mut self, transport: &Transport<Self>, mut data: &[u8]) {
//!         const LONGEST: u32 = 100_000;
//!         let inner = transport.inner();
//!         while transport.wants_input()
//!             && let Some(([kind, length @ ..], rest)) = data.split_first_chunk::<5>()
//!         {
//!             let length = u32::from_be_bytes(*length);
//!             if length > LONGEST {
//!                 return transport.fail(Disconnect::LimitPassed(Limit::Message));
//!             }
//!             let Some((value, rest)) = rest.split_at_checked(length as usize) else { break };
//!             self.0.message_received(&inner, *kind, value);
//!             data = rest;
//!         }
//!         transport.unread(data.len());
//!     }
//! }
//!
//! impl<P: MessageProtocol> Layered for Messages<P> {
//!     type Inner = P;
//!     fn inner_mut(&mut self) -> &mut P { &mut self.0 }
//! }
//! # struct Any;
//! # impl MessageProtocol for Any {
//! #     fn message_received(&mut self, transport: &Transport<Self>, kind: u8, value: &[u8]) {
//! #         transport.write_parts(&[&[kind], value]);
//! #     }
//! # }
//! # let mut t = torsade::testing::StringTransport::serve(Messages(Any));
//! # t.feed(b"a\0\0\0\x03bcd");
//! # assert_eq!(t.take_sent(), b"abcd");
//! ```
//! Four lines of it matter:
//!
//! - [`unread`](crate::Connection::unread) at the end gives back what is no whole message. It
//!   comes again, in front of the bytes that arrive next. There is no buffer of ours, and a
//!   message that arrives whole is never copied.
//! - [`wants_input`](crate::Connection::wants_input) between two messages asks whether the next
//!   one may be delivered. After `close` it may not, ever; after `pause_reading`, `hold` or
//!   `switch` not yet, and what is unread comes again by itself when it may.
//! - The length is looked at as soon as its four bytes are there.
//!   [`fail`](crate::Connection::fail) sends what was written and closes with a reason that says
//!   which limit it was; nothing is ever allocated from a number that a peer sent.
//! - [`Layered`](crate::Layered) says what is inside. `transport.inner()` is then the inner
//!   protocol's own transport, whose continuations are given the inner `self`.
//!
//! # Its test, in every cut there is
//! ```
//! # use torsade::{Disconnect, Layered, Limit, Protocol, Transport};
//! # trait MessageProtocol: Sized + 'static {
//! #     fn message_received(&mut self, transport: &Transport<Self>, kind: u8, value: &[u8]);
//! # }
//! # struct Messages<P>(P);
//! # impl<P: MessageProtocol> Protocol for Messages<P> {
//! #     fn data_received(&mut self, transport: &Transport<Self>, mut data: &[u8]) {
//! #         const LONGEST: u32 = 100_000;
//! #         let inner = transport.inner();
//! #         while transport.wants_input()
//! #             && let Some(([kind, length @ ..], rest)) = data.split_first_chunk::<5>()
//! #         {
//! #             let length = u32::from_be_bytes(*length);
//! #             if length > LONGEST {
//! #                 return transport.fail(Disconnect::LimitPassed(Limit::Message));
//! #             }
//! #             let Some((value, rest)) = rest.split_at_checked(length as usize) else { break };
//! #             self.0.message_received(&inner, *kind, value);
//! #             data = rest;
//! #         }
//! #         transport.unread(data.len());
//! #     }
//! # }
//! # impl<P: MessageProtocol> Layered for Messages<P> {
//! #     type Inner = P;
//! #     fn inner_mut(&mut self) -> &mut P { &mut self.0 }
//! # }
//! use torsade::testing::StringTransport;
//!
//! /// Answers `+` with the sum of the value's bytes, modulo 256; `.` closes.
//! struct Adder;
//!
//! impl MessageProtocol for Adder {
//!     fn message_received(&mut self, transport: &Transport<Self>, kind: u8, value: &[u8]) {
//!         match kind {
//!             b'+' => transport.write([value.iter().fold(0_u8, |sum, n| sum.wrapping_add(*n))]),
//!             b'.' => transport.close(),
//!             _ => transport.fail(Disconnect::protocol("an unknown kind of message")),
//!         }
//!     }
//! }
//!
//! // Two sums, an end, and one more sum that comes too late, cut in two at every place:
//! let bytes = b"+\0\0\0\x02\x01\x02+\0\0\0\0.\0\0\0\0+\0\0\0\x01\x07";
//! for cut in 0..=bytes.len() {
//!     let mut t = StringTransport::serve(Messages(Adder));
//!     t.feed(&bytes[..cut]);
//!     t.feed(&bytes[cut..]);
//!     assert_eq!(t.take_sent(), [3, 0], "cut after {cut} bytes");
//!     assert_eq!(t.lost(), Some(Disconnect::Closed));
//! }
//! // ... and byte by byte:
//! let mut t = StringTransport::serve(Messages(Adder));
//! t.feed_bytewise(bytes);
//! assert_eq!(t.take_sent(), [3, 0]);
//!
//! // A message of 100,001 bytes is refused when its fifth byte is there:
//! let mut t = StringTransport::serve(Messages(Adder));
//! t.feed(b"+\0\x01\x86");
//! assert_eq!(t.lost(), None);
//! t.feed(b"\xa1");
//! assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
//!
//! // One of 100,000 is not, though it takes two deliveries of at most 64 KiB:
//! let mut t = StringTransport::serve(Messages(Adder));
//! t.feed(b"+\0\x01\x86\xa0");
//! t.feed(vec![0; 100_000]);
//! assert_eq!(t.take_sent(), [0]);
//! ```
//!
//! # What a framing for others adds
//! **Room.** [`Limits::unread`](crate::Limits::unread) bounds what may stay unread on a
//! connection: 1 MiB. A framing whose messages may be longer says so when the connection is made.
//!
//! **The other callbacks**, handed on with `transport.inner()`. An inner protocol whose
//! `connection_lost` is never called leaks what it cleans up there. The same goes for
//! `pause_writing`, `resume_writing` and `stopping`, left out here.
//!
//! **An end in the middle of a message** is the framing's to see: what is left unread is readable
//! in `eof_received`, and gone afterwards.
//! ```
//! # use std::{cell::Cell, rc::Rc};
//! # use torsade::testing::StringTransport;
//! # use torsade::{Disconnect, Layered, Protocol, Transport};
//! # struct Messages<P>(P);
//! # impl<P: MessageProtocol> Layered for Messages<P> {
//! #     type Inner = P;
//! #     fn inner_mut(&mut self) -> &mut P { &mut self.0 }
//! # }
//! trait MessageProtocol: Sized + 'static {
//!     // message_received, and with defaults that do nothing:
//!     fn connection_made(&mut self, _: &Transport<Self>) {}
//!     fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {}
//! }
//!
//! const LONGEST: usize = 4 * 1024 * 1024;
//!
//! impl<P: MessageProtocol> Protocol for Messages<P> {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.unread(data.len());
//! #     }
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.set_unread_limit(5 + LONGEST);
//!         self.0.connection_made(&transport.inner());
//!     }
//!     // data_received as above
//!     fn eof_received(&mut self, transport: &Transport<Self>) {
//!         if transport.with_unread(|rest| rest.is_empty()) {
//!             transport.close();
//!         } else {
//!             transport.fail(Disconnect::protocol("the end came inside a message"));
//!         }
//!     }
//!     fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
//!         self.0.connection_lost(&transport.inner(), reason);
//!     }
//! }
//! # struct Guest(Rc<Cell<u32>>);
//! # impl MessageProtocol for Guest {
//! #     fn connection_made(&mut self, _: &Transport<Self>) { self.0.set(self.0.get() + 1) }
//! #     fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
//! #         self.0.set(self.0.get() - 1);
//! #     }
//! # }
//! # let guests = Rc::new(Cell::new(0));
//! # let mut t = StringTransport::serve(Messages(Guest(guests.clone())));
//! # assert_eq!((guests.get(), t.connection().unread_limit()), (1, 4_194_309));
//! # t.feed(b"+\0");
//! # t.end();
//! # assert_eq!(t.lost(), Some(Disconnect::protocol("the end came inside a message")));
//! # assert_eq!(guests.get(), 0);
//! # let mut t = StringTransport::serve(Messages(Guest(guests.clone())));
//! # t.end();
//! # assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
//! ```
//!
//! # Pitfalls
//! **Not asking `wants_input`.** A loop that only looks at its bytes delivers what must not be
//! delivered any more:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! struct Greedy(Vec<u8>);
//!
//! impl Protocol for Greedy {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         for &message in data { // a framing of one byte, without the question
//!             self.0.push(message);
//!             if message == b'.' {
//!                 transport.pause_reading();
//!             }
//!         }
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Greedy(vec![]));
//! t.feed("a.b");
//! assert_eq!(t.protocol(|me| me.0.clone()), b"a.b"); // the b came during the pause
//! ```
//! **Searching from the start each time.** The unread rest comes again with every chunk. Looking
//! at five bytes of it is nothing; looking for a delimiter through all of it makes a message of n
//! bytes in tiny pieces cost n² steps. Remember how far you have searched, as
//! [`Lines`](crate::wire::Lines) does.
//!
//! **Calling `unread` twice.** The larger number counts; the numbers do not add up. Call it once,
//! with the length of what is left.
