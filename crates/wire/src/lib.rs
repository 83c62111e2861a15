//! Framings: from a stream of bytes that is cut anywhere to whole messages.
//!
//! A [`Protocol`](torsade_core::Protocol) is given chunks. Most of what is spoken on the Internet
//! consists of messages, and the first of all framings is the line:
//!
//! ```
//! use torsade_core::Transport;
//! use torsade_testing::StringTransport;
//! use torsade_wire::{LineProtocol, LineTransport, Lines};
//!
//! struct Shout;
//!
//! impl LineProtocol for Shout {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         transport.send_line(line.to_ascii_uppercase());
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Shout));
//! t.feed(b"hel");
//! t.feed(b"lo\r\nagain\r\nand a");
//! assert_eq!(t.take_sent(), b"HELLO\r\nAGAIN\r\n");
//! ```
//!
//! A framing is a protocol that carries yours inside. [`Lines`] is one, [`LineProtocol`] is what
//! goes into it, and [`LineTransport`] is what the inner one may ask of it. All of a transport's
//! other methods are there too, and `then`, `hold`, `call` and `call_later` come back to the
//! *inner* `self`:
//!
//! ```
//! use torsade_core::Transport;
//! use torsade_deferred::{Deferred, Resolver};
//! use torsade_testing::StringTransport;
//! use torsade_wire::{LineProtocol, LineTransport, Lines};
//!
//! /// Looks users up, one at a time, and counts the answers.
//! #[derive(Default)]
//! struct Finger {
//!     asked: Vec<Resolver<&'static str, ()>>,
//!     answers: usize,
//! }
//!
//! impl LineProtocol for Finger {
//!     fn line_received(&mut self, transport: &Transport<Self>, _user: &[u8]) {
//!         let (resolver, plan) = Deferred::new();
//!         self.asked.push(resolver);
//!         // Until the answer is there, no further line is delivered, nor the peer's end.
//!         transport.hold(plan, |me, transport, plan| {
//!             me.answers += 1;
//!             transport.send_line(plan.unwrap_or("no such user"));
//!         });
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Lines::new(Finger::default()));
//! t.feed(b"ann\r\nbob\r\n");
//! let first = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! first.resolve("sleeping");
//! let second = t.protocol(|lines| lines.get_mut().asked.pop()).unwrap();
//! drop(second); // nobody knows
//! assert_eq!(t.take_sent(), b"sleeping\r\nno such user\r\n");
//! assert_eq!(t.protocol(|lines| lines.get_mut().answers), 2);
//! ```
//!
//! # What all framings here keep
//! - **No buffer.** A message is looked for in the bytes where the reactor has them. What is not
//!   complete yet is left unread there and comes again with more behind it, so a message that
//!   arrives whole is neither copied nor allocated, and an idle connection holds nothing.
//! - **At once.** Between two messages the framing asks whether input is still wanted. After
//!   `close` nothing more is delivered, not even from the same chunk; after `pause_reading`,
//!   `hold` or `switch` the rest waits, and comes in order.
//! - **However cut.** The same bytes give the same messages in whatever pieces they come, and a
//!   long message in tiny pieces costs no more for each byte than a short one.
//! - **Limits first.** A message that is too long is known to be before it has arrived.
#![forbid(unsafe_code)]

mod byte;
mod delimiter;
mod line_protocol;
mod line_transport;
mod lines;
mod traffic_log;

pub use self::line_protocol::LineProtocol;
pub use self::line_transport::LineTransport;
pub use self::lines::Lines;
pub use self::traffic_log::{Traffic, TrafficLog};
