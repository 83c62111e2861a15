//! Test protocols in microseconds: no sockets, no sleeps, no flakes.
//!
//! The fakes here are not imitations. Behind them runs the engine that runs on sockets, so what a
//! test sees of flow control, half-close, the order of callbacks and the rules of closing is what
//! a real connection does.
//!
//! # One protocol, and the test as its peer
//! ```
//! use std::time::Duration;
//! use torsade_core::{Disconnect, Protocol, Timeout, Transport};
//! use torsade_testing::StringTransport;
//!
//! /// Says hello to whoever gives a name within ten seconds.
//! struct Doorman;
//!
//! impl Protocol for Doorman {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("who is there?\n");
//!         transport.call_later(Duration::from_secs(10), |_, transport| {
//!             transport.fail(Disconnect::TimedOut(Timeout::Idle));
//!         });
//!     }
//!
//!     fn data_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
//!         transport.write_parts(&[b"hello, ", name]);
//!         transport.close();
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Doorman);
//! assert_eq!(t.take_sent(), b"who is there?\n");
//! t.feed(b"ann\n");
//! assert_eq!(t.take_sent(), b"hello, ann\n");
//! assert_eq!(t.lost(), Some(Disconnect::Closed));
//!
//! let mut t = StringTransport::serve(Doorman);
//! t.advance(Duration::from_secs(10)); // at once
//! assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Idle)));
//! ```
//!
//! # What to do to it
//! | the peer | method |
//! |---|---|
//! | sends, in one piece or byte by byte | [`feed`](FarEnd::feed), [`feed_bytewise`](FarEnd::feed_bytewise) |
//! | ends its side, resets | [`end`](FarEnd::end), [`reset`](FarEnd::reset) |
//! | stops reading | [`set_window(0)`](FarEnd::set_window) |
//! | waits | [`advance`](StringTransport::advance); [`Clock::stall`] inside a callback makes it slow |
//!
//! # Two protocols with each other
//! [`Pump`] joins a client and a server by queues as finite as a kernel's, in segments of any
//! size.
//!
//! # What fails a test by itself
//! A caught panic, a Deferred error that nobody took, and a timer that is still armed though its
//! connection is over: each with where it came from, when the fake is dropped.
//!
//! # Rooms
//! Test transports of one thread share a clock and come to rest together, so several of them may
//! share a room of connections as a server's do.
#![forbid(unsafe_code)]

mod clock;
pub mod conformance;
mod connects;
mod end;
mod far_end;
mod joint;
mod ledger;
mod memory_reactor;
mod network;
mod pending_connect;
mod pump;
mod string_transport;
mod world;
mod xor;

pub use self::clock::Clock;
pub use self::far_end::FarEnd;
pub use self::memory_reactor::MemoryReactor;
pub use self::pending_connect::PendingConnect;
pub use self::pump::Pump;
pub use self::string_transport::{Builder, StringTransport};
pub use self::xor::Xor;
