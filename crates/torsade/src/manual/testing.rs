//! Testing: a whole conversation in microseconds, with peers worse than any real one.
//!
//! At the end of this page you can put a protocol through what the network will do to it: chunks
//! cut anywhere, peers that stop reading, half-closes, resets, hours of silence. There is no
//! socket, no sleep and no mock in it. Behind the fakes runs the engine that runs on sockets, so
//! what a test sees of order, flow control and closing is what a real connection does. A
//! conformance suite holds both to the same [contracts](crate::contracts).
//!
//! The fakes are in `torsade::testing`, behind the feature `testing`, which belongs into
//! `[dev-dependencies]`: tests turn it on, and programs do not.
//!
//! # The protocol to be tested
//! A doorman asks for a name, waits ten seconds for it, and says hello:
//! ```
//! # mod doorman {
//! use std::time::Duration;
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Disconnect, Timeout, Transport};
//!
//! pub struct Doorman;
//!
//! impl LineProtocol for Doorman {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.send_line("who is there?");
//!         transport.call_later(Duration::from_secs(10), |_, transport| {
//!             transport.send_line("good night");
//!             transport.fail(Disconnect::TimedOut(Timeout::Idle));
//!         });
//!     }
//!     fn line_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
//!         transport.write_parts(&[b"hello, ", name, b"\r\n"]);
//!     }
//! }
//! # }
//! # use doorman::Doorman;
//! # use std::time::Duration;
//! # use torsade::{Disconnect, Timeout, wire::Lines};
//! use torsade::testing::StringTransport;
//!
//! // What it sends is there to take; what it is fed is received, whole or byte by byte.
//! let mut t = StringTransport::serve(Lines::new(Doorman));
//! assert_eq!(t.take_sent(), b"who is there?\r\n");
//! t.feed("ann\r\nbo");
//! t.feed_bytewise("b\r\n");
//! assert_eq!(t.take_sent(), b"hello, ann\r\nhello, bob\r\n");
//!
//! // Time stands still until the test turns it.
//! t.advance(Duration::from_millis(9_999));
//! assert_eq!(t.lost(), None);
//! t.advance(Duration::from_millis(1));
//! assert_eq!(t.take_sent(), b"good night\r\n");
//! assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Idle)));
//!
//! // The peer ends its side in good order, or does not.
//! let mut t = StringTransport::serve(Lines::new(Doorman));
//! t.end();
//! assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
//! let mut t = StringTransport::serve(Lines::new(Doorman));
//! t.reset();
//! assert_eq!(t.lost(), Some(Disconnect::Reset));
//! ```
//! [`StringTransport`]`::serve` is a connection that a listener accepted; `::connect` is one that
//! the protocol asked for. Nothing needs to be waited for: each method returns when everything
//! has come to rest, over all fakes of the thread. They share one clock, too;
//! [`Clock`]`::stall` in a callback makes it a slow one.
//!
//! # A peer that does not read
//! The fake kernel takes everything unless it is given a window. With a window of 0 the peer never
//! reads, and the test sees what your memory sees:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let mut t = StringTransport::builder().window(0).serve(Echo);
//! t.feed(vec![b'x'; 10_000_000]);
//! assert!(!t.is_reading()); // the rest waits in the peer's kernel
//! assert!(t.connection().buffered() <= 128 * 1024);
//! t.set_window(usize::MAX); // now it reads
//! assert_eq!(t.take_sent().len(), 10_000_000);
//! ```
//! The builder also takes other [`Limits`](crate::Limits), so that a bound is tested with ten
//! bytes instead of ten million, and other addresses.
//!
//! # Both ends are ours
//! [`Pump`] joins a client and a server by queues as finite as a kernel's, and moves bytes in
//! segments of any size. Deadlocks that show only with small buffers show here:
//! ```
//! use torsade::testing::Pump;
//! use torsade::{Disconnect, Protocol, Transport};
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//!
//! struct Client(usize);
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write(vec![7; 1_000_000]);
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         self.0 += data.len();
//!         if self.0 == 1_000_000 {
//!             transport.close();
//!         }
//!     }
//! }
//!
//! let mut pump = Pump::new(Client(0), Echo).queue(4096).segment(1000);
//! pump.run();
//! assert_eq!(pump.client_lost(), Some(Disconnect::Closed));
//! assert_eq!(pump.server_lost(), Some(Disconnect::PeerClosed));
//! ```
//!
//! # What kernels do
//! A peer that closes its socket while we still send, a reset that arrives together with the last
//! bytes, a close with input unread: rare on a desk, daily on a server. Each is one step of the
//! fake, and was compared with a real socket, same protocol, same log:
//! ```
//! use std::time::Duration;
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! /// Tells the time until somebody hangs up.
//! struct Ticker;
//! impl Protocol for Ticker {
//!     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
//!         transport.write("tick ");
//!         transport.call_later(Duration::from_secs(1), |_, transport| {
//!             transport.write("tock ");
//!         });
//!     }
//!     fn eof_received(&mut self, _: &Transport<Self>) {} // the peer may have more to hear
//! }
//!
//! let mut t = StringTransport::serve(Ticker);
//! t.feed("go");
//! t.end(); // a half-close: it is still there
//! t.advance(Duration::from_secs(1));
//! assert_eq!(t.take_sent(), b"tick tock ");
//!
//! let mut t = StringTransport::serve(Ticker);
//! t.feed("go");
//! t.hang_up(); // it is gone, and answers what comes with a reset
//! t.advance(Duration::from_secs(1));
//! assert_eq!(t.lost(), None); // this write is what provokes it
//! t.connection().write("tick ");
//! assert_eq!(t.lost(), Some(Disconnect::Reset));
//! ```
//! The others are `reset_after`, `fail_sends`, `reset_at_close_with_unread` and `set_send_queue`;
//! all are methods of [`FarEnd`].
//!
//! # Whole programs
//! What takes a [`Net`](crate::Net), and listens, connects, sets timers and stops, runs on a
//! [`MemoryReactor`]. The test is everybody else: it dials the program's listeners, and answers
//! its connects. Each such connection gives a [`FarEnd`], with the words of a string transport:
//! ```
//! use std::io::ErrorKind;
//! use torsade::testing::MemoryReactor;
//! use torsade::{Connection, ListenError, Net, Protocol, Transport, factory};
//!
//! /// Forwards what it gets to an upstream server, one connection for each client.
//! struct Client(Vec<u8>);
//! struct Upstream(Connection);
//!
//! impl Protocol for Client {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         let upstream = Upstream(transport.connection());
//!         let connecting = transport.net().connect("192.0.2.1:80", upstream);
//!         self.0 = data.to_vec();
//!         transport.hold(connecting, |me, transport, upstream| match upstream {
//!             Ok(upstream) => upstream.write(&*me.0),
//!             Err(_) => {
//!                 transport.write("503\n");
//!                 transport.close();
//!             }
//!         });
//!     }
//! }
//! impl Protocol for Upstream {
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.0.write(data);
//!     }
//! }
//! fn serve(net: &Net) -> Result<(), ListenError> {
//!     net.listen("127.0.0.1:8007", factory(|_| Client(Vec::new())))?;
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), ListenError> {
//! let reactor = MemoryReactor::new();
//! serve(reactor.net())?;
//!
//! let mut client = reactor.dial("127.0.0.1:8007");
//! client.feed("question");
//! let mut server = reactor.next_connect().succeed();
//! assert_eq!(server.take_sent(), b"question");
//! server.feed("answer");
//! assert_eq!(client.take_sent(), b"answer");
//!
//! let mut client = reactor.dial("127.0.0.1:8007");
//! client.feed("question");
//! reactor.next_connect().fail(ErrorKind::ConnectionRefused);
//! assert_eq!(client.take_sent(), b"503\n");
//! assert!(client.has_ended());
//! # Ok(())
//! # }
//! ```
//! [`MemoryReactor`]`::join` lets the connects go to whoever listens in a memory reactor of the
//! thread: a client program and a server program run against each other, in memory.
//!
//! # State, rooms, and work that comes later
//! `protocol` looks at the protocol, or changes it; `connection` is the handle that somebody else
//! in the program would have; `net` is the [`Net`](crate::Net) it lives on. Several fakes share a
//! room as the connections of a server do, and a test keeps the [`Resolver`](crate::Resolver) of
//! a [`Deferred`](crate::Deferred) to decide when an answer comes:
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use torsade::testing::StringTransport;
//! use torsade::{Connection, Deferred, Failure, Protocol, Transport};
//!
//! type Room = Rc<RefCell<Vec<Connection>>>;
//! struct Member(Room);
//! impl Protocol for Member {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.0.borrow_mut().push(transport.connection());
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         let me = transport.connection();
//!         let room = self.0.borrow();
//!         room.iter().filter(|member| **member != me).for_each(|member| member.write(data));
//!     }
//! }
//!
//! let room = Room::default();
//! let [mut ann, mut bob] = [(); 2].map(|()| StringTransport::serve(Member(room.clone())));
//! ann.feed("hi");
//! assert_eq!((ann.take_sent(), bob.take_sent()), (vec![], b"hi".to_vec()));
//! assert_eq!(bob.protocol(|me| me.0.borrow().len()), 2);
//!
//! let (resolver, answer) = Deferred::<&str, ()>::new();
//! ann.with_protocol(|_, transport| {
//!     transport.then(answer, |_, transport, answer| match answer {
//!         Err(Failure::Abandoned) => transport.write("nobody knows"),
//!         other => transport.write(format!("{other:?}")),
//!     });
//! });
//! drop(resolver); // an answer that never comes is told as well
//! assert_eq!(ann.take_sent(), b"nobody knows");
//! # let nobody = ann.net().connect("127.0.0.1:7", Member(room.clone()));
//! # ann.take_sent();
//! # assert!(matches!(nobody.try_take().unwrap(), Err(Failure::Error(_))));
//! # let none = ann.net().listen("127.0.0.1:0", torsade::factory(|_| None::<Member>));
//! # assert!(none.is_ok_and(|listener| listener.is_open()));
//! ```
//!
//! # What fails a test by itself
//! A callback that panics, an error of a Deferred that nobody took, and a timer left armed though
//! its connection is over. They fail the test when the fake is dropped, with the place in the
//! source. What is part of the test is announced:
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Deferred, Disconnect, Protocol, Transport};
//!
//! struct Careless;
//! impl Protocol for Careless {
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         match data {
//!             b"fail" => Deferred::<(), _>::fail("the disk is full").detach(),
//!             _ => panic!("cannot happen"),
//!         }
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Careless);
//! t.feed("fail");
//! let test = std::panic::AssertUnwindSafe(move || drop(t));
//! assert!(std::panic::catch_unwind(test).is_err()); // the test fails
//!
//! let mut t = StringTransport::serve(Careless);
//! t.expect_unhandled("the disk is full");
//! t.feed("fail");
//! t.expect_panic("cannot happen");
//! t.feed("x");
//! assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
//! ```
//!
//! # Pitfalls
//! **An `assert!` inside a callback** is a panic like any other: it is caught, the connection is
//! aborted, and the test fails when the fake is dropped, after assertions of the test that may
//! confuse you. Assert in the test, or record and compare.
//!
//! **Holding a borrow across a method of a fake.** Those are the calls that do run callbacks. Let
//! go of `room.borrow()` before `ann.feed(..)`.
//!
//! **Expecting somebody at the other end.** On the `Net` of a string transport or a pump every
//! [`connect`](crate::Net::connect) is refused, and nobody connects to what
//! [`listen`](crate::Net::listen) opens: that is what a memory reactor is for.
//!
#![cfg_attr(
    feature = "testing",
    doc = "[`StringTransport`]: crate::testing::StringTransport\n[`FarEnd`]: crate::testing::FarEnd\n[`MemoryReactor`]: crate::testing::MemoryReactor\n[`Pump`]: crate::testing::Pump\n[`Clock`]: crate::testing::Clock"
)]
#![cfg_attr(
    not(feature = "testing"),
    doc = "[`StringTransport`]: crate#features\n[`FarEnd`]: crate#features\n[`MemoryReactor`]: crate#features\n[`Pump`]: crate#features\n[`Clock`]: crate#features"
)]
