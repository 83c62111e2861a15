//! Flow control: how a slow peer slows you down instead of filling your memory.
//!
//! At the end of this page you can send a file of any size in constant memory, write a relay, and
//! say what happens to the one member of a room that does not read. Most protocols need none of
//! this: a server that answers what it is asked is bounded without a line of yours. The promises
//! are contract [C7](crate::contracts#c7-flow-control-is-on-by-default-and-enforced).
//!
//! # The outbox and its marks
//! `write` never waits. What the kernel does not take stays in the connection's outbox. Above the
//! high mark, [64 KiB](crate::Limits::write_high), output *waits*; it flows again at or below the
//! low mark, [16 KiB](crate::Limits::write_low). Both can be moved for one connection with
//! [`set_write_limits`](crate::Connection::set_write_limits). In between nothing changes, so that
//! a connection does not flicker.
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Protocol, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! const KIB: usize = 1024;
//! let mut t = StringTransport::builder().window(0).serve(Quiet); // a peer that does not read
//! t.with_protocol(|_, transport| {
//!     transport.write(vec![0; 64 * KIB]);
//!     assert!(transport.wants_output()); // at the mark is not above it
//!     transport.write("!");
//!     assert!(!transport.wants_output()); // at once, inside the write
//! });
//! t.set_window(48 * KIB); // the peer reads so much: 16 KiB and a byte are left
//! assert!(!t.connection().wants_output());
//! t.set_window(1);
//! assert!(t.connection().wants_output());
//! ```
//! [`wants_output`](crate::Connection::wants_output) is the state. The callbacks
//! [`pause_writing`](crate::Protocol::pause_writing) and
//! [`resume_writing`](crate::Protocol::resume_writing) follow it when the current callback has
//! returned, strictly in turns. Whoever has seen `false` is told when it is `true` again.
//!
//! # A producer
//! Write while output is welcome; go on when you are told to. It is one function, called from two
//! places:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! /// Sends so many bytes, from a file for instance, and closes.
//! struct Sender(usize);
//!
//! impl Sender {
//!     fn produce(&mut self, transport: &Transport<Self>) {
//!         while self.0 > 0 && transport.wants_output() {
//!             let piece = self.0.min(8192);
//!             self.0 -= piece;
//!             transport.write(vec![b'x'; piece]);
//!         }
//!         if self.0 == 0 {
//!             transport.close();
//!         }
//!     }
//! }
//!
//! impl Protocol for Sender {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.produce(transport);
//!     }
//!     fn resume_writing(&mut self, transport: &Transport<Self>) {
//!         self.produce(transport);
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::builder().window(0).serve(Sender(10_000_000));
//! let mut received = 0;
//! while t.lost().is_none() {
//!     assert!(t.connection().buffered() <= (64 + 8) * 1024); // the mark, and one piece
//!     t.set_window(1000); // the peer reads, slowly
//!     received += t.take_sent().len();
//! }
//! assert_eq!(received, 10_000_000);
//! ```
//! What asyncio writes as `await drain()` is nearest to
//! `transport.then(transport.flushed(), ..)`, which waits until nothing is left; see
//! [`flushed`](crate::Connection::flushed).
//!
//! # Input follows output
//! A server that answers every question could be filled by a peer that asks and never reads. So a
//! connection that a listener accepted is not read while its own output is above the mark. That is
//! why an echo needs no flow control of its own. A connection that *we* asked for is read all the
//! same: if both ends of a conversation waited for their own output, they could wait for each
//! other for ever. [`throttle_input`](crate::Connection::throttle_input) says otherwise.
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Protocol, Transport};
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut t = StringTransport::builder().window(0).serve(Echo);
//! t.feed(vec![0; 1_000_000]);
//! assert_eq!(t.connection().buffered(), 128 * 1024); // two reads of 64 KiB, and no third
//! let mut t = StringTransport::builder().window(0).connect(Echo);
//! t.feed(vec![0; 1_000_000]);
//! assert_eq!(t.connection().buffered(), 1_000_000);
//! ```
//! By hand it is [`pause_reading`](crate::Transport::pause_reading) and
//! [`resume_reading`](crate::Transport::resume_reading). Pauses are kept by holder: yours, those
//! of the layers around you, a [`hold`](crate::Transport::hold), the throttle. Pausing twice is
//! pausing once. Input flows when nobody holds it, and what arrives meanwhile stays in the kernel,
//! which tells the peer to wait.
//!
//! # A relay
//! What comes from one side goes to the other, no faster than the other takes it. The output of
//! this side is the input of that one, so each holds back the other:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Connection, Disconnect, Protocol, Transport};
//!
//! /// One side of a relay. A real one gets its other side from `net.connect`.
//! #[derive(Default)]
//! struct Side {
//!     other: Option<Connection>,
//! }
//!
//! impl Side {
//!     fn other(&self, act: impl FnOnce(&Connection)) {
//!         if let Some(other) = &self.other {
//!             act(other);
//!         }
//!     }
//! }
//!
//! impl Protocol for Side {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.throttle_input(false); // the other side's output counts, not our own
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.other(|other| other.write(data));
//!     }
//!     fn eof_received(&mut self, _: &Transport<Self>) {
//!         self.other(|other| other.close_write());
//!     }
//!     fn pause_writing(&mut self, _: &Transport<Self>) {
//!         self.other(|other| other.pause_reading());
//!     }
//!     fn resume_writing(&mut self, _: &Transport<Self>) {
//!         self.other(|other| other.resume_reading());
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         self.other(|other| match reason.is_clean() {
//!             true => other.close(),
//!             false => other.abort(), // half of something must not look like the whole
//!         });
//!     }
//! }
//!
//! let mut near = StringTransport::serve(Side::default());
//! let mut far = StringTransport::builder().window(0).connect(Side::default());
//! let (to_near, to_far) = (near.connection().clone(), far.connection().clone());
//! near.protocol(|side| side.other = Some(to_far));
//! far.protocol(|side| side.other = Some(to_near));
//!
//! near.feed(vec![b'x'; 10_000_000]);
//! near.end();
//! assert!(far.connection().buffered() <= 128 * 1024); // it does not pile up in between
//! assert!(!near.is_reading());
//! far.set_window(usize::MAX);
//! assert_eq!(far.take_sent().len(), 10_000_000);
//! assert!(far.has_ended()); // the end was relayed, and only it:
//! far.feed("thank you");
//! assert_eq!(near.take_sent(), b"thank you");
//! ```
//! In a program one side comes first and connects the other. What if it is lost before that is
//! there? The example `proxy` answers such questions: it holds the client's input until the upstream
//! is connected, switches both to a relay, and there each side waits for the other's
//! [`closed()`](crate::Connection::closed), which tells also who was lost before anybody listened.
//!
//! # Who writes to others
//! In a room nobody is slowed down by the slowest. Output for a member that does not read piles
//! up, and the hard cap ends that: a write when more than
//! [16 MiB](crate::Limits::write_cap) wait already is refused, and the connection is lost with
//! [`Limit::WriteBuffer`](crate::Limit::WriteBuffer). All connections of a reactor together may
//! hold [256 MiB](crate::Limits::total_write_cap); past that the fullest goes. A single write of
//! any size is accepted: the cap bounds piling up, not the size of a message. Who would rather
//! lose messages than members asks before each write:
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Connection, Protocol, Transport};
//! use torsade::{Disconnect, Limit, Limits};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//!
//! fn tell(member: &Connection, news: &[u8]) {
//!     if member.wants_output() {
//!         member.write(news);
//!     } // else this one misses it
//! }
//!
//! let mut limits = Limits::default();
//! (limits.write_low, limits.write_high, limits.write_cap) = (10, 50, 100); // to test with
//! let mut deaf = StringTransport::builder().limits(limits).window(0).serve(Quiet);
//! for _ in 0..1000 {
//!     tell(deaf.connection(), b"20 bytes of bad news");
//! }
//! assert_eq!(deaf.connection().buffered(), 60); // the other 997 were missed
//! deaf.connection().write([0; 1000]); // 60 bytes are below the cap: accepted whole
//! assert_eq!(deaf.connection().buffered(), 1060);
//! assert_eq!(deaf.lost(), None);
//! deaf.connection().write("!"); // without asking, and now above it
//! assert_eq!(deaf.lost(), Some(Disconnect::LimitPassed(Limit::WriteBuffer)));
//! ```
//!
//! # Pitfalls
//! **A loop without the question.** `for row in rows { transport.write(row) }` is right for an
//! answer of kilobytes and wrong for a table of gigabytes. The loop above costs two more lines.
//!
//! **Producing in `pause_writing`'s absence.** That no pause was called yet does not mean that
//! output is welcome: the callback waits for yours to return. Ask `wants_output`.
//!
//! **Collecting input.** What you keep in your own `Vec` is bounded by nobody. Bytes left with
//! [`unread`](crate::Connection::unread) are, by [1 MiB](crate::Limits::unread).
