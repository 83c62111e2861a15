//! Testing: a whole conversation in microseconds, with peers worse than any real one.
//!
//! At the end of this page you can put a protocol through what the network will do to it: chunks
//! cut anywhere, peers that stop reading, half-closes, resets, hours of silence, and a program
//! through [a network](#from-a-string-to-a-network) that falls apart, from a seed. There is no
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
//! # From a string to a network
//! One program on its way through all of the kit. It begins as Twisted's tutorial on tests does,
//! with a calculator that is asked over the network, and ends where no tutorial could. The server
//! does sums, a line each:
//! ```
//! # mod calculator {
//! use torsade::Transport;
//! use torsade::wire::{LineProtocol, LineTransport};
//!
//! pub struct Calculator;
//!
//! impl LineProtocol for Calculator {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         match solve(&String::from_utf8_lossy(line)) {
//!             Some(result) => transport.send_line(result.to_string()),
//!             None => transport.send_line("what?"),
//!         }
//!     }
//! }
//!
//! fn solve(sum: &str) -> Option<i64> {
//!     let mut words = sum.split(' ');
//!     let (what, one, other) = (words.next()?, words.next()?, words.next()?);
//!     let (one, other): (i64, i64) = (one.parse().ok()?, other.parse().ok()?);
//!     match what {
//!         "add" => one.checked_add(other),
//!         "divide" => one.checked_div(other),
//!         _ => None,
//!     }
//! }
//! # }
//! # use calculator::Calculator;
//! # use torsade::wire::Lines;
//! use torsade::testing::{Script, Splits, StringTransport};
//!
//! // A string transport: feed this, take that. Or a script, which shows where they differ.
//! Script::new()
//!     .send("add 7 5\r\n")
//!     .expect("12\r\n")
//!     .send("divide 1 0\r\nadd -2 -3\r\n")
//!     .expect("what?\r\n-5\r\n")
//!     .run(&mut StringTransport::serve(Lines::new(Calculator)));
//!
//! // However the same conversation is cut.
//! Splits::of("add 7 5\r\nhello\r\ndivide 9 3\r\nadd").check(|_| Lines::new(Calculator));
//! ```
//! A [`Script`] that is not followed fails with both texts, a mark where they part, and what went
//! before. [`Splits`] compares what was sent by each byte of input over all ways to cut it in two
//! and some to cut it in many; what sends nothing is compared by what it notes.
//!
//! **The clock.** The client gives a [`Deferred`](crate::Deferred) for each sum, and gives the
//! server a minute. The test has no minute:
//! ```
//! # mod client {
//! use std::time::Duration;
//! use torsade::wire::{LineProtocol, LineTransport, Replies};
//! use torsade::{Deferred, Disconnect, Timeout, Timer, Transport};
//!
//! #[derive(Default)]
//! pub struct Asking {
//!     replies: Replies<String>,
//!     patience: Option<Timer>,
//! }
//!
//! impl Asking {
//!     pub fn ask(&mut self, transport: &Transport<Self>, sum: &str) -> Deferred<String, Disconnect> {
//!         transport.send_line(sum);
//!         self.patience = Some(transport.call_later(Duration::from_secs(60), |_, transport| {
//!             transport.fail(Disconnect::TimedOut(Timeout::Idle));
//!         }));
//!         self.replies.expect()
//!     }
//! }
//!
//! impl LineProtocol for Asking {
//!     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//!         self.patience.take().map(|timer| timer.cancel());
//!         let result = String::from_utf8_lossy(line).into_owned();
//!         if self.replies.resolve(result).is_err() {
//!             transport.fail(Disconnect::protocol("an answer that nobody asked for"));
//!         }
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         self.replies.lost(reason);
//!     }
//! }
//! # }
//! # use client::Asking;
//! # use std::time::Duration;
//! # use torsade::{Disconnect, Failure, Timeout, wire::Lines};
//! use torsade::testing::{Leaks, StringTransport};
//!
//! let _leaks = Leaks::check(); // nothing may be left at the end
//! let mut t = StringTransport::connect(Lines::new(Asking::default()));
//! let mut ask = |t: &mut StringTransport<Lines<Asking>>, sum| {
//!     t.with_protocol(|lines, transport| lines.get_mut().ask(&transport.inner(), sum))
//! };
//! let sum = ask(&mut t, "add 7 5");
//! assert_eq!(t.take_sent(), b"add 7 5\r\n");
//! t.feed("12\r\n");
//! assert_eq!(sum.try_take().unwrap(), Ok("12".to_owned()));
//! let sum = ask(&mut t, "add 1 1");
//! t.advance(Duration::from_secs(60)); // at once
//! let late = Disconnect::TimedOut(Timeout::Idle);
//! assert_eq!(sum.try_take().unwrap(), Err(Failure::Error(late)));
//! ```
//! [`Leaks`] fails the test for each connection, timer and Deferred that it leaves, and says where
//! it was made. It has to be the first line.
//!
//! **The network.** Both programs run on hosts of a [simulated network]. Everything
//! that chance decides there follows from the seed. While faults rage, what must never happen is
//! asserted: here, that an answer is right. When they are over, everybody must be served:
//! ```
//! # mod programs {
//! # use torsade::wire::{LineProtocol, LineTransport, Lines};
//! # use torsade::{Disconnect, Net, Transport, factory};
//! # use std::{cell::Cell, rc::Rc, time::Duration};
//! # struct Calculator;
//! # impl LineProtocol for Calculator {
//! #     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//! #         let text = String::from_utf8_lossy(line);
//! #         let sum: i64 = text.split(' ').filter_map(|word| word.parse::<i64>().ok()).sum();
//! #         transport.send_line(sum.to_string());
//! #     }
//! # }
//! # pub fn serve(net: &Net) {
//! #     if net.listen("0.0.0.0:7", factory(|_| Lines::new(Calculator))).is_err() {
//! #         net.call_later(Duration::from_secs(1), serve);
//! #     }
//! # }
//! # struct Pupil(Rc<Cell<u32>>);
//! # impl LineProtocol for Pupil {
//! #     fn connection_made(&mut self, transport: &Transport<Self>) {
//! #         transport.send_line("add 7 5");
//! #         transport.call_later(Duration::from_secs(60), |_, transport| transport.abort());
//! #     }
//! #     fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
//! #         assert_eq!(line, b"12");
//! #         self.0.set(self.0.get() + 1);
//! #         transport.close();
//! #     }
//! #     fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
//! #         again(&transport.net(), &self.0);
//! #     }
//! # }
//! # fn again(net: &Net, solved: &Rc<Cell<u32>>) {
//! #     let solved = Rc::clone(solved);
//! #     if net.is_alive() && solved.get() < 10 {
//! #         net.call_later(Duration::from_secs(1), move |net| learn(net, &solved));
//! #     }
//! # }
//! # pub fn learn(net: &Net, solved: &Rc<Cell<u32>>) {
//! #     let (later, kept) = (net.clone(), Rc::clone(solved));
//! #     let connecting = net.connect("server:7", Lines::new(Pupil(Rc::clone(solved))));
//! #     connecting.finish(move |made| if made.is_err() { again(&later, &kept) });
//! # }
//! # }
//! # use programs::{learn, serve};
//! use std::{cell::Cell, rc::Rc, time::Duration};
//! use torsade::testing::sim::{Faults, Seeds, Sim};
//!
//! let lesson = |seed| {
//!     let mut net = Sim::new(seed);
//!     net.host("server").boot(serve); // `fn serve(net: &Net)`, and again after a crash
//!     let solved = Rc::new(Cell::new(0));
//!     let counted = Rc::clone(&solved);
//!     net.host("ann").boot(move |net| learn(net, &counted)); // connects, asks, tries again
//!     net.swarm(Faults::all()); // each seed has a mix of its own
//!     net.advance(Duration::from_secs(60)); // first phase: nothing wrong happens
//!     net.calm();
//!     let all = || solved.get() >= 10; // second phase: everything comes to an end
//!     net.must_finish("ten sums", Duration::from_secs(600), all);
//! };
//! let tried = Seeds::run(30, lesson);
//! assert!(tried.faults > 100);
//! ```
//! **When a seed fails**, the run is repeated with fewer and fewer of its faults. What is printed is
//! the seed, the faults that it takes, the end of the trace, and the line that repeats it:
//! ```text
//! seed 3 failed: the simulated network saw what no assertion did:
//!   client: panic in connection_lost of connection 0v0: that never happens (at src/client.rs:32:9)
//! with 1 of its 17 faults:
//!   #10 13.604s to 15.668s: server crashes
//! the end of its trace:
//! (143 earlier lines were not kept)
//!    10.001715  server  #1 sends 1
//!    ..
//! again: Replay::seed(3).faults(&[10]).run(|seed| ..)
//! ```
//! `Sim::trace` gives the [trace] of any run: as this table, for one host with `of`,
//! as a sequence diagram with `diagram` (text) and `svg`, and as a capture that Wireshark opens with
//! `pcap`. Single faults are values, in force as long as they exist:
//! ```
//! use std::time::Duration;
//! use torsade::testing::{Script, sim::Sim};
//! use torsade::wire::{LineProtocol, LineTransport, Lines};
//! use torsade::{Transport, factory};
//! # struct Calculator;
//! # impl LineProtocol for Calculator {
//! #     fn line_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
//! #         transport.send_line("12");
//! #     }
//! # }
//!
//! let mut net = Sim::new(2);
//! net.host("server").net().listen("0.0.0.0:7", factory(|_| Lines::new(Calculator)))?;
//! let script = Script::new().send("add 7 5\r\n").expect("12\r\n").end().expect_end();
//! let ann = script.peer(); // a real peer, by the same book
//! let progress = ann.progress();
//! let cut = net.partition("ann", "server");
//! net.host("ann").net().connect("server:7", ann).detach();
//! net.advance(Duration::from_secs(5));
//! assert!(!progress.is_done());
//! drop(cut); // heals
//! net.settle();
//! assert!(progress.is_done());
//! assert!(net.trace().diagram().contains("add 7 5"));
//! # Ok::<(), torsade::ListenError>(())
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
    doc = "[`StringTransport`]: crate::testing::StringTransport\n[`FarEnd`]: crate::testing::FarEnd\n[`MemoryReactor`]: crate::testing::MemoryReactor\n[`Pump`]: crate::testing::Pump\n[`Clock`]: crate::testing::Clock\n[`Script`]: crate::testing::Script\n[`Splits`]: crate::testing::Splits\n[`Leaks`]: crate::testing::Leaks\n[simulated network]: crate::testing::sim\n[trace]: crate::testing::sim::Trace"
)]
#![cfg_attr(
    not(feature = "testing"),
    doc = "[`StringTransport`]: crate#features\n[`FarEnd`]: crate#features\n[`MemoryReactor`]: crate#features\n[`Pump`]: crate#features\n[`Clock`]: crate#features\n[`Script`]: crate#features\n[`Splits`]: crate#features\n[`Leaks`]: crate#features\n[simulated network]: crate#features\n[trace]: crate#features"
)]
