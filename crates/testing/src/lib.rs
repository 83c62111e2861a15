//! Test protocols in microseconds: no sockets, no sleeps, no flakes.
//!
//! The fakes here are not imitations. Behind them runs the engine that runs on sockets, so what a
//! test sees of flow control, half-close, the order of callbacks and the rules of closing is what
//! a real connection does.
//!
//! # Which one
//! | to test | take | the other end |
//! |---|---|---|
//! | one protocol | [`StringTransport`] | the test: it feeds bytes, and takes what was sent |
//! | two protocols that talk to each other, with queues as small as you like | [`Pump`] | each other |
//! | a program: whatever takes a `&Net`, and listens, connects and stops | [`MemoryReactor`] | the test, or another program |
//! | programs on many hosts, with the network between them, and what goes wrong there | [`sim::Sim`] | each other |
//! | the other side of a conversation, by the book | [`Script`] | on a far end, or as a peer of its own |
//! | that nothing depends on how a stream is cut | [`Splits`], for codecs [`Codec`] | |
//! | that nothing is left at the end | [`Leaks`] | |
//!
//! Most tests are of the first kind. A [`FarEnd`] is what the test holds of a connection: a string
//! transport is one, and a memory reactor gives one for each.
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
//! What kernels do beyond that, a peer that is gone without having said so, a reset on the heels of
//! a reply, a send queue that fills, are steps of a [`FarEnd`], too.
//!
//! # Two protocols with each other
//! [`Pump`] joins a client and a server by queues as finite as a kernel's, in segments of any
//! size: what stalls only when buffers are small stalls here.
//!
//! # A program
//! A [`MemoryReactor`] gives the `Net` that a real reactor would. Who connects to the program is
//! dialled by the test, and what the program connects to waits for the test's answer:
//! ```
//! use std::io::ErrorKind;
//! use torsade_core::{ListenError, Net, Protocol, Transport, factory};
//! use torsade_testing::MemoryReactor;
//!
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! /// Serves, and announces itself to a directory.
//! fn program(net: &Net) -> Result<(), ListenError> {
//!     net.listen("127.0.0.1:8007", factory(|_| Echo))?;
//!     net.connect("192.0.2.1:53", Echo).finish(|directory| match directory {
//!         Ok(directory) => directory.write("here I am"),
//!         Err(error) => eprintln!("not announced: {error}"),
//!     });
//!     Ok(())
//! }
//!
//! let reactor = MemoryReactor::new();
//! program(reactor.net())?;
//! let mut directory = reactor.next_connect().succeed();
//! assert_eq!(directory.take_sent(), b"here I am");
//! let mut client = reactor.dial("127.0.0.1:8007");
//! client.feed("hello");
//! assert_eq!(client.take_sent(), b"hello");
//!
//! let elsewhere = MemoryReactor::new(); // another program of the same machine
//! elsewhere.join(); // its connects go to whoever listens
//! elsewhere.net().connect("127.0.0.1:8007", Echo).detach();
//! elsewhere.settle();
//! assert_eq!(reactor.net().connections(), 3);
//! # Ok::<(), ListenError>(())
//! ```
//!
//! # A network
//! In a [simulated network](sim) every program has a host. Latency, lost segments, partitions,
//! crashes and clocks that differ are there, and a seed that repeats them:
//! ```
//! use std::time::Duration;
//! use torsade_core::{ListenError, Protocol, Transport, factory};
//! use torsade_testing::sim::Sim;
//!
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! let mut net = Sim::new(7);
//! net.host("server").net().listen("0.0.0.0:7", factory(|_| Echo))?;
//! let connecting = net.host("ann").net().connect("server:7", Echo);
//! net.settle();
//! assert!(connecting.try_take().unwrap().is_ok());
//!
//! let crashed = net.crash("server");
//! net.advance(Duration::from_secs(3600)); // at once
//! drop(crashed);
//! # Ok::<(), ListenError>(())
//! ```
//! [`sim::Seeds`] tries many seeds, each with [faults](sim::Faults) of its own, and leaves out of a
//! failing run all that it does not take. A [trace](sim::Trace) says what happened, as a diagram or
//! as a capture that Wireshark opens, too.
//!
//! # What fails a test by itself
//! A caught panic, a Deferred error that nobody took, and a timer that is still armed though
//! nothing is left that could need it: each with where it came from, when the fake is dropped.
//! Whoever asks for it with [`Leaks::check`] is told of everything that is left.
//!
//! # Rooms
//! The fakes of one thread share a clock and come to rest together, so several of them may share a
//! room of connections as a server's do.
#![forbid(unsafe_code)]

#[macro_use]
mod planted;

mod clock;
mod codec;
pub mod conformance;
mod connects;
mod differ;
mod end;
mod fake_datagrams;
mod fake_process;
mod far_end;
mod far_port;
mod joint;
mod leaks;
mod ledger;
mod memory_reactor;
mod network;
mod pending_connect;
mod play;
mod pump;
mod script;
mod scripted_peer;
mod signals;
pub mod sim;
mod sockets;
mod splits;
mod string_transport;
mod world;
mod xor;

pub use self::clock::Clock;
pub use self::codec::Codec;
pub use self::fake_datagrams::FakeDatagrams;
pub use self::fake_process::FakeProcess;
pub use self::far_end::FarEnd;
pub use self::far_port::FarPort;
pub use self::leaks::Leaks;
pub use self::memory_reactor::MemoryReactor;
pub use self::pending_connect::PendingConnect;
pub use self::pump::Pump;
pub use self::script::Script;
pub use self::scripted_peer::{Progress, ScriptedPeer};
pub use self::splits::{Calls, Splits};
pub use self::string_transport::{Builder, StringTransport};
pub use self::xor::Xor;
