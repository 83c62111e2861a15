//! Differences from Twisted, and from asyncio: what a porter has to know, and why it is so.
//!
//! Most of a Twisted program ports line for line: the callbacks have the names and the order you
//! know. This page is about the rest. At its end you can say of each habit whether it still works,
//! what to write instead, and what it buys.
//!
//! Twisted's networking core is held together by rules that its tests check. We wrote down 62 of
//! them, R1 to R62, in `tests/rules.txt` of the repository, each with the test that shows what
//! became of it here. A number in brackets below is one of those. What is not on this page is as
//! in Twisted.
//!
//! # The words
//! | Twisted | asyncio | here |
//! |---|---|---|
//! | the reactor | the loop | [`Reactor`](crate::Reactor) runs, [`Net`](crate::Net) is what programs use |
//! | `connectionMade`, `dataReceived`, `connectionLost` | `connection_made`, ... | the same, of [`Protocol`](crate::Protocol) |
//! | `readConnectionLost` | `eof_received` | [`eof_received`](crate::Protocol::eof_received) |
//! | `loseConnection`, `abortConnection` | `close`, `abort` | [`close`](crate::Connection::close), [`abort`](crate::Connection::abort) |
//! | `loseWriteConnection` | `write_eof` | [`close_write`](crate::Connection::close_write) |
//! | `pauseProducing` of a transport | `pause_reading` | [`pause_reading`](crate::Transport::pause_reading) |
//! | `registerProducer`, `pauseProducing` | `pause_writing` | [`wants_output`](crate::Connection::wants_output), [`pause_writing`](crate::Protocol::pause_writing); for objects [`Consumer`](crate::wire::Consumer) |
//! | `Factory.buildProtocol` | a protocol factory | [`factory`](crate::factory()), [`Factory`](crate::Factory) |
//! | `listenTCP`, `stopListening` | `create_server`, `close` | [`listen`](crate::Net::listen), [`Listener::close`](crate::Listener::close) |
//! | `connectTCP` with a `ClientFactory` | `create_connection` | [`connect`](crate::Net::connect), which returns a `Deferred` |
//! | `callLater`, `DelayedCall` | `call_later` | [`Net::call_later`](crate::Net::call_later), [`Transport::call_later`](crate::Transport::call_later), [`Timer`](crate::Timer) |
//! | `LoopingCall` | | [`LoopingCall`](crate::LoopingCall) |
//! | `callFromThread` | `call_soon_threadsafe` | [`Remote::post`](crate::Remote::post) |
//! | `addCallback`, `addErrback`, `addBoth` | `add_done_callback` | [`map`](crate::Deferred::map), [`or_else`](crate::Deferred::or_else), [`finish`](crate::Deferred::finish) |
//!
//! All others are in [`twisted_names`](super::twisted_names) and in
//! [`coming_from_asyncio`](super::coming_from_asyncio#every-name).
//!
//! # In general
//! - **Callbacks never nest.** Whatever would call you waits until you have returned, so shared
//!   state in an `Rc<RefCell<_>>` can stay borrowed while you write to others.
//! - **Close means close**, on every transport and in every framing: no message is delivered after
//!   it, not even from the same chunk. Twisted's length-prefixed and netstring receivers go on.
//! - **Buffers are bounded.** Twisted's grow for ever when nobody registers a producer. Here a
//!   server's connection is not read while its own output piles up, and past 16 MiB it ends:
//!   [`Limits`](crate::Limits) has every number.
//! - **Every wait has a deadline**: connecting, flushing before a close, stopping.
//! - **Reactors are values.** There is no global one, and none is made by an import.
//! - **Fakes are the real thing.** `torsade::testing::StringTransport` runs the
//!   engine that sockets run on, so a test sees closes, pauses and losses as they really are.
//!
//! # Life cycle
//!
//! ## The transport is an argument
//! (R1) Nobody sets `self.transport`: every callback is given its transport, and
//! `connection_made` comes in one go with the accept, as in Twisted. Store a clone where you need
//! it later, in a room for instance; for a protocol's own timers and results, the closures of
//! [`call_later`](crate::Transport::call_later) and [`then`](crate::Transport::then) are given
//! `self` and transport anew, so most protocols store nothing. It is typed by its protocol, which
//! makes those closures safe; [`Connection`](crate::Connection) is the untyped part. Where
//! [filters](crate::Filter) shake hands first, the protocol is built when they have, and is told
//! then.
//!
//! ## A closed socket may linger without its protocol
//! (R2) `connection_lost` comes once, last, for all that was made, also for connections that were
//! paused when the reactor stopped, which Twisted forgets. But the socket need not be closed yet:
//! if the peer had not ended its side, the bare descriptor is kept for at most 5 s, and what
//! comes is read and thrown away. A socket that is closed with unread input is reset by the
//! kernel, and the reset overtakes the reply: of 5 MB that Twisted sent, 2.26 arrived.
//!
//! ## A client has no factory
//! (R4, R5) A client is one protocol, given to [`connect`](crate::Net::connect). Who else wants
//! to know of its loss asks [`closed`](crate::Connection::closed), and is told after the protocol.
//! What `clientConnectionLost` did with `connector.connect()`, `connection_lost` does with
//! `connect`:
//! ```
//! use torsade::{Address, Disconnect, Protocol, Reactor, Transport, factory};
//!
//! /// Comes back, twice.
//! struct Faithful {
//!     to: Address,
//!     times: u32,
//! }
//! impl Protocol for Faithful {
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//!     fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
//!         let net = transport.net();
//!         if self.times == 0 {
//!             return net.stop();
//!         }
//!         let again = Self { to: self.to.clone(), times: self.times - 1 };
//!         net.connect(&self.to, again).detach();
//!     }
//! }
//! struct Rude;
//! impl Protocol for Rude {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.close();
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let to = reactor.net().listen("127.0.0.1:0", factory(|_| Rude))?.address();
//! reactor.net().connect(&to, Faithful { to: to.clone(), times: 2 }).detach();
//! reactor.run()?; // until the third loss
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## An attempt to connect is a Deferred
//! (R6, R8) `clientConnectionFailed` is the Deferred's rejection with a
//! [`ConnectError`](crate::ConnectError), and `stopConnecting` is
//! [`cancel`](crate::Deferred::cancel), or a [`canceller`](crate::Deferred::canceller) kept aside:
//! the result is `Failure::Cancelled`. The protocol exists before the attempt, because the caller
//! makes it; if the attempt fails it is dropped without having been called.
//!
//! ## A connect goes on at once when an address fails
//! (R85, R86) [`connect`](crate::Net::connect) looks names up itself and races what it finds as
//! `HostnameEndpoint` does: one more attempt after every
//! [delay](crate::Limits::connect_attempt_delay), the first connection ends the others. But an
//! address that refuses is followed by the next one at once, where Twisted waits its 0.3 s; the
//! families take turns (RFC 8305), where Twisted keeps the resolver's order; all failures are
//! [kept](crate::ConnectError::attempts), where Twisted tells of the last; and cancelling is
//! `Failure::Cancelled` in every state, also during the look-up, which Twisted reports as
//! `DNSLookupError`. `connectTCP` of a name is the same here, not IPv4 only.
//! ```
//! # use std::io::ErrorKind;
//! # use torsade::testing::MemoryReactor;
//! # use torsade::{Protocol, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! let reactor = MemoryReactor::new();
//! reactor.name("example.org", ["2001:db8::1", "192.0.2.1"].map(|ip| ip.parse().unwrap()));
//! let connecting = reactor.net().connect("example.org:80", Quiet);
//! reactor.next_connect().fail(ErrorKind::NetworkUnreachable); // no IPv6 here
//! let next = reactor.next_connect(); // without any time passing
//! assert_eq!(next.address().to_string(), "192.0.2.1:80");
//! # connecting.cancel();
//! ```
//!
//! # Write, close, abort
//!
//! ## Nothing is written after the close
//! (R9) Twisted's TCP still sends what is written while the close flushes, its TLS does not.
//! Here it is dropped everywhere and counted
//! ([`bytes_dropped`](crate::Connection::bytes_dropped)), so a protocol does the same on every
//! transport. To port: write first, close then.
//! ```
//! # use torsade::testing::StringTransport;
//! # use torsade::{Protocol, Transport};
//! # struct Quiet;
//! # impl Protocol for Quiet {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! let mut t = StringTransport::builder().window(0).serve(Quiet);
//! let connection = t.connection().clone();
//! connection.write("sent");
//! connection.close();
//! connection.write("dropped");
//! t.set_window(usize::MAX); // now the peer reads
//! assert_eq!(t.take_sent(), b"sent");
//! assert_eq!(connection.bytes_dropped(), 7);
//! ```
//!
//! ## TLS closes as everything does
//! (R10, R12) Twisted's TLS drops what is written after a close unless a producer is registered, and
//! goes on delivering what comes. Here it is as on any connection: nothing that is written after the
//! close leaves, and nothing is delivered. What comes after `connection_made` is known then, too:
//! it is called when hands are shaken.
//!
//! ## A close has a deadline
//! (R13) All that was written before `close` reaches the kernel, in order, however slowly the peer
//! reads. But if it takes nothing at all for 120 s
//! ([`Limits::flush_timeout`](crate::Limits::flush_timeout)), the connection is aborted and the
//! reason is `TimedOut(Flush)`. In Twisted one stalled peer keeps its connection, and the memory
//! of its output, for ever.
//!
//! ## The loss comes at the end of the turn
//! (R16) An `abort` inside a callback calls nobody back, as in Twisted, and the peer sees a reset.
//! The loss then comes at the end of this turn, not in a later one: a timer of no delay that was
//! set just before the abort runs after the loss, where in Twisted it runs before it.
//!
//! ## Reasons say who is to blame
//! (R19) Instead of a `Failure` around an exception of any class, the reason is a closed enum,
//! [`Disconnect`](crate::Disconnect). `ConnectionDone` was two things, which are apart now:
//!
//! | in Twisted | here |
//! |---|---|
//! | `ConnectionDone`, the peer closed | `PeerClosed` |
//! | `ConnectionDone`, we closed | `Closed` |
//! | `ConnectionLost` by a reset | `Reset` |
//! | `ConnectionLost` by another error | `Io` |
//! | `ConnectionLost` at shutdown | `Closed`, or `TimedOut(Stop)` after 5 s |
//! | `ConnectionAborted` | `Aborted` |
//! | what a callback raised | `Panicked`; what you told `fail` |
//!
//! `reason.check(ConnectionDone)` becomes [`is_clean`](crate::Disconnect::is_clean).
//!
//! ## Text is written as UTF-8
//! (R20) `write` takes whatever is bytes already, and `str` is: it is sent as its UTF-8. What is
//! not bytes does not compile, so there is no exception and nothing half written.
//! ```compile_fail,E0277
//! # use torsade::{Protocol, Transport};
//! # struct Wrong;
//! # impl Protocol for Wrong {
//! fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!     transport.write(data.len()); // a number has no bytes: say `.to_string()`
//! }
//! # }
//! ```
//!
//! # Half-close
//!
//! ## Every protocol knows of half-closes
//! (R23) There is no `IHalfCloseableProtocol`: the peer's end is
//! [`eof_received`](crate::Protocol::eof_received), and wrappers and framings pass it on. Its
//! default is `close`, which flushes: a peer that ends right after its question gets the answer,
//! where Twisted drops the connection, and all of the answer with it. Override it to go on
//! writing.
//!
//! ## A half-close tells whoever asks
//! (R22, R25) There is no `writeConnectionLost`. Whoever wants to know when the last byte of a
//! [`close_write`](crate::Connection::close_write) has left asks for
//! [`flushed`](crate::Connection::flushed), and may close there. What is written after
//! `close_write` is dropped, as after `close`; Twisted still sent it.
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! struct OneWay;
//! impl Protocol for OneWay {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("all I have");
//!         transport.close_write();
//!         transport.then(transport.flushed(), |_, transport, _| transport.close());
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::serve(OneWay);
//! assert_eq!(t.take_sent(), b"all I have");
//! assert!(t.lost().is_some());
//! ```
//!
//! # Flow control
//!
//! ## Producers are loops
//! (R28, R29, R30) A producer is not an object that you register but a loop of your own:
//! `while wants_output() { write }`, begun in a callback and again in `resume_writing`. Producers
//! that exist as objects are registered with a [`Consumer`](crate::wire::Consumer), to the same
//! rules.
//! - The *state* changes inside the write that passes the mark, so that the loop ends. The
//!   *callback* `pause_writing` comes when you have returned; Twisted calls it from inside your
//!   write, which may be inside your `resumeProducing`.
//! - Pause and resume strictly alternate. Twisted repeats the pause for each further write.
//! - Output resumes at 16 KiB, not when nothing is left, so that the kernel never runs dry.
//!   `set_write_limits(0, 65536)` is Twisted's behaviour to the byte.
//! - A pull producer, one piece for each time the buffer has drained, waits for `flushed`.
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Protocol, Transport};
//!
//! /// Sends the numbers from 1 to a million, a line each.
//! struct Numbers(u32);
//! impl Numbers {
//!     fn produce(&mut self, transport: &Transport<Self>) {
//!         while self.0 < 1_000_000 && transport.wants_output() {
//!             self.0 += 1;
//!             transport.write(format!("{}\n", self.0));
//!         }
//!         if self.0 == 1_000_000 {
//!             transport.close();
//!         }
//!     }
//! }
//! impl Protocol for Numbers {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.produce(transport);
//!     }
//!     fn resume_writing(&mut self, transport: &Transport<Self>) {
//!         self.produce(transport);
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::builder().window(0).serve(Numbers(0));
//! assert!(t.connection().buffered() < 70_000); // and not 7 MB
//! t.set_window(usize::MAX);
//! assert!(t.take_sent().ends_with(b"999999\n1000000\n"));
//!
//! /// One piece at a time, the next when the last has gone: a pull producer.
//! struct Countdown(u32);
//! impl Countdown {
//!     fn next(&mut self, transport: &Transport<Self>) {
//!         if self.0 == 0 {
//!             return transport.close();
//!         }
//!         transport.write(format!("{}...", self.0));
//!         self.0 -= 1;
//!         transport.then(transport.flushed(), |me, transport, _| me.next(transport));
//!     }
//! }
//! impl Protocol for Countdown {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         self.next(transport);
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! let mut t = StringTransport::builder().window(4).serve(Countdown(3));
//! assert_eq!(t.take_sent(), b"3...");
//! assert_eq!(t.connection().buffered(), 4); // the second one, and not the third
//! t.set_window(usize::MAX);
//! assert_eq!(t.take_sent(), b"2...1...");
//! ```
//!
//! ## A close waits for bytes, not for producers
//! (R32, R33) In Twisted a pull producer holds a close open until it is unregistered, a push
//! producer does so on TLS but on TCP only while it happens to be paused; a producer that never
//! finishes keeps the connection for ever. Here a close is for what was written, whoever calls
//! it: after it `wants_output` is false and a loop ends. So the producer closes, when it has
//! given all, as the two above do. The `close` of a [`Consumer`](crate::wire::Consumer) is the
//! other one: it waits for a producer of either kind to be unregistered, on every transport, and so
//! does its `close_write`.
//!
//! # Exceptions
//!
//! ## A panic is a bug, and fail is an error
//! (R24, R38) Twisted has one way for both: raise. Here an error that can happen is told with
//! [`fail`](crate::Connection::fail), which closes in good order, so that an error reply that was
//! written still leaves, and makes it the reason. A panic is a bug: it is caught and logged with
//! the connection, what the callback wrote is not sent, the connection is reset, and the reason is
//! `Panicked`. Both hold in every callback alike, `eof_received` too.
//! ```
//! use torsade::testing::StringTransport;
//! use torsade::{Disconnect, Protocol, Transport};
//!
//! /// Adds up numbers.
//! struct Sum(u64);
//! impl Protocol for Sum {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         let number = std::str::from_utf8(data).ok().and_then(|text| text.parse::<u64>().ok());
//!         match number {
//!             Some(number) => self.0 += number, // an overflow would be a panic, in a debug build
//!             None => {
//!                 transport.write("numbers only\n");
//!                 transport.fail(Disconnect::protocol("not a number"));
//!             }
//!         }
//!     }
//! }
//!
//! let mut t = StringTransport::serve(Sum(0));
//! t.feed("twelve");
//! assert_eq!(t.take_sent(), b"numbers only\n");
//! assert_eq!(t.lost(), Some(Disconnect::protocol("not a number")));
//! ```
//!
//! ## A panic in connection_made ends that connection
//! (R39, R40) In Twisted a server's connection survives an exception in `connectionMade`: it is
//! only logged, and the half-made protocol goes on receiving. Here a server's connection and a
//! client's end alike, aborted, with `Panicked`. The Deferred of `connect` still brings the
//! transport, because the connection was made: ask its [`closed`](crate::Connection::closed). A
//! panic in a factory's `build` closes that socket and is told to the factory,
//! [`failed`](crate::Factory::failed). The listener goes on in either case, as in Twisted.
//!
//! # Listening
//!
//! ## A listener is closed when close returns
//! (R44) [`Listener::close`](crate::Listener::close) has no Deferred: when it returns, the port
//! can be bound again. Connections that were accepted live on, as in Twisted. A listener is not
//! started again; `listen` makes another.
//!
//! ## A factory belongs to one listener
//! (R45, R46) `listen` takes the factory, so [`started`](crate::Factory::started) and
//! [`stopped`](crate::Factory::stopped) come once each, and nothing is counted over ports. What
//! several listeners share is an `Rc` that each factory holds. A panic in `stopped` is caught and
//! logged; it stops no stop, and the port is free.
//! ```
//! use std::{cell::Cell, rc::Rc};
//! use torsade::{Net, Protocol, Reactor, Transport, factory};
//!
//! struct Visitor(u32);
//! impl Protocol for Visitor {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write(format!("you are number {}\n", self.0));
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//!
//! /// On two ports, counted together.
//! fn serve(net: &Net) -> Result<(), torsade::ListenError> {
//!     let visitors = Rc::new(Cell::new(0));
//!     for address in ["127.0.0.1:0", "127.0.0.1:0"] {
//!         let visitors = Rc::clone(&visitors);
//!         net.listen(address, factory(move |_| {
//!             visitors.set(visitors.get() + 1);
//!             Visitor(visitors.get())
//!         }))?;
//!     }
//!     Ok(())
//! }
//! let reactor = Reactor::new()?;
//! serve(reactor.net())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## A listener without descriptors rests
//! (R48) No error of `accept` ends a listener. When descriptors run out, Twisted closes whoever
//! waits, again and again for as long as it lasts. Here that is one of two policies,
//! [`Limits::when_full`](crate::Limits::when_full): shed them, or let them wait. After a few
//! accepts in vain the listener leaves the poller for a second, and the log has one line for it,
//! so that a shortage costs neither the processor nor the disk.
//!
//! ## Every IPv6 address is not every IPv4 address
//! Twisted leaves that to the system, and on Linux a listener at `::` takes both. Here it takes IPv6
//! alone wherever it runs, as asyncio's do, so that `0.0.0.0` and `[::]` can be listened on side by
//! side; [`only_v6(false)`](crate::Endpoint::only_v6) is for one listener that takes both, and whoever
//! comes to that by IPv4 is told with an IPv4 address.
//!
//! # Unix sockets
//!
//! ## A full queue is waited for
//! Where a listener's queue is full, a connect to it fails at once on Linux (`EAGAIN`). Twisted tries
//! again in every turn until it works, which keeps a processor busy; Node's and Go's connects fail.
//! Here it is tried again after 1 ms, 2 ms and so on up to 64 ms, within the connect's own time, as
//! TCP would do by itself. Systems other than Linux say "refused", which is believed.
//!
//! ## The umask says who may connect
//! `listenUNIX` lets everybody connect, by a mode of 0666 that it sets when the socket is there
//! already. Here a plain [`UnixAddress`](crate::UnixAddress) leaves it to the umask, as every
//! other file of the program does, and [`UnixListen::mode`](crate::UnixListen::mode) sets one
//! before anybody can connect.
//!
//! ## A dead socket is found out by asking it
//! Twisted's `wantPID` puts a lock file beside the socket, and `checkPID` looks at it. asyncio's
//! `create_unix_server` removes any socket that is in the way, also one that is served. Here
//! [`replace_stale`](crate::UnixListen::replace_stale) connects to what it finds: it is replaced only
//! if it is a socket and nobody listens on it. Meanwhile the folder is locked (`flock`), so that of
//! several servers that start at once one wins; there is no file of its own. At the close the
//! socket is removed only if it is still the listener's, by device and inode.
//!
//! ## Descriptors are pulled
//! (R99) They come no later than the bytes that they were sent with, as in Twisted, but
//! without a callback: [`take_descriptors`](crate::Connection::take_descriptors) has them. A
//! protocol says first that it wants them, so that nobody else pays for it; for others the system
//! closes them. They are sent with their bytes in one call,
//! [`write_with_descriptors`](crate::Connection::write_with_descriptors), so a descriptor without
//! a byte cannot be queued, and whatever is wrong is told to who sends, not to the connection.
//! Wrappers and layers have all of it, because it is on every transport.
//! ```
//! # #[cfg(unix)]
//! # fn main() {
//! use std::os::unix::net::UnixStream;
//! use torsade::testing::StringTransport;
//! use torsade::{Peer, Protocol, Transport, UnixAddress};
//!
//! /// Passes on whatever it is handed.
//! struct Relay;
//! impl Protocol for Relay {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.receive_descriptors(true);
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         let descriptors = transport.take_descriptors();
//!         transport.write_with_descriptors(data, descriptors).unwrap();
//!     }
//! }
//!
//! let peer = Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/relay"));
//! let mut t = StringTransport::builder().peer(peer).serve(Relay);
//! t.feed_with_descriptors("x", [UnixStream::pair().unwrap().0]);
//! assert_eq!(t.take_sent_descriptors().len(), 1);
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! ## An adopted socket is given away
//! `adoptStreamPort` and `adoptStreamConnection` work on a duplicate, and want it non-blocking
//! already. An [`Adopted`](crate::Adopted) is the socket itself: the reactor makes it non-blocking
//! and closes it. Who wants to keep it gives a `try_clone`.
//!
//! # Standard streams keep their mode
//! `StandardIO` sets the descriptors 0 and 1 to non-blocking mode, which is one of the open file:
//! the shell and the neighbours in a pipeline get it too, and keep it when the program is gone.
//! [`Stdio`](crate::Stdio) sets none: it opens the streams anew where the system can, and has a
//! thread for each direction where it cannot, so that regular files work as well. It is an address:
//! `net.connect(Stdio, protocol)` is the transport, and `net.listen(Stdio, factory)` builds one
//! protocol. The descriptors stay open until the process ends.
//!
//! A pipe that is only written to is noticed to be broken at once (on Linux), as Twisted notices
//! it; of two pipes as one connection the next write finds out.
//!
//! # Reactor and time
//!
//! ## Too late is false
//! (R53) Cancelling a timer that has run, that runs now or that was cancelled raises in Twisted,
//! so programs keep the call and ask `active()` first. [`Timer`](crate::Timer)'s `cancel`, `reset`
//! and `delay` say whether there was still something to change.
//! ```
//! # use std::time::Duration;
//! # let reactor = torsade::Reactor::new()?;
//! let timer = reactor.net().call_later(Duration::from_secs(5), |_| println!("too slow"));
//! assert!(timer.cancel());
//! assert!(!timer.cancel()); // and no exception
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! ## Three steps of a stop
//! (R56) `addSystemEventTrigger` has three phases for whatever you like; here each step of a stop
//! has its purpose. `before`, with its Deferreds, is
//! [`before_stop`](crate::Net::before_stop): connections and listeners still work, and all hooks
//! are waited for, also when one fails, but for 30 s at most. `during` is
//! [`stopping`](crate::Protocol::stopping), which every connection is told, paused ones too, and
//! then the losses. `after` is what stands behind `run`.
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use torsade::{Deferred, Reactor};
//!
//! let mut reactor = Reactor::new()?;
//! let net = reactor.net().clone();
//! reactor.net().before_stop(move || {
//!     let (saved, done) = Deferred::<(), Infallible>::new();
//!     net.call_later(Duration::from_millis(1), |_| saved.resolve(()));
//!     done
//! });
//! reactor.stop();
//! reactor.run()?;
//! println!("stopped, and saved before");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! ## A reactor is a value and can be run again
//! (R59) `ReactorNotRestartable` does not exist: a test, or a program with phases, runs one
//! reactor as often as it likes, or makes others. Each run begins clean: timers of no connection
//! and posted calls that are left when a stop is through are dropped. What `crash` was for, ending
//! the loop without ending its connections, is [`run_until`](crate::Reactor::run_until): it
//! returns when its Deferred has a result, and everything else goes on in the next run. Running a
//! reactor inside a callback panics, where Twisted raises `ReactorAlreadyRunning`.
//!
//! ## Descriptors of others are duplicated
//! (R60) [`add_reader`](crate::Watcher::add_reader) takes a descriptor and a callback, watches a
//! duplicate, and answers with a [`Watch`](crate::Watch): watched is until that is dropped. The
//! caller may close its own descriptor at any time, and old is told from new by a number that is
//! never used again, not by one that the system gives to the next file. In return the open file
//! lives as long as the watch. `removeAll` and `getReaders` do not exist: who has something
//! watched holds the `Watch`.
//!
//! ## Signals are left alone until you ask
//! (R62) Twisted takes SIGINT and SIGTERM when it runs and does not give them back. Here nothing
//! is installed until [`stop_on_signals`](crate::Reactor::stop_on_signals): then a signal begins a
//! stop in the usual way, and a second one aborts what still takes its time. Other signals are
//! heard with [`on_signal`](crate::Net::on_signal), by as many as want to; asyncio has one handler
//! for each, which the next one replaces.
//!
//! # Deferreds
//!
//! ## A result has one way
//! (R63, R66) A Deferred is two things here: the [`Resolver`](crate::Resolver), which bringing a
//! result consumes, and the [`Deferred`](crate::Deferred), which attaching the next step consumes.
//! So a second result does not compile (`AlreadyCalledError`), and a Deferred that was returned
//! from [`and_then`](crate::Deferred::and_then) cannot be found with `None` in it, as in Twisted:
//! it is gone. Where several want a result, [`share`](crate::Deferred::share) it.
//!
//! ## Closures wait for their turn
//! (R64) In a program without a reactor, or between its turns, a closure that is attached to a
//! result that is there runs before the call returns, as in Twisted. Inside a callback it runs
//! after that has returned, so that callbacks never nest.
//!
//! ## Cancelling asks nobody
//! (R71) The hook of [`on_cancel`](crate::Resolver::on_cancel) runs once and stops the work. But
//! the result is `Cancelled` already, whatever the hook does: in Twisted a canceller may bring
//! another result, or none, and then a late one raises. A panic in a hook is reported, and the
//! other hooks run. (R80) A coroutine that is cancelled is dropped where it awaits, and what it waits
//! for is cancelled with it, through tasks and Deferreds in any mix; it cannot refuse. Only what was
//! cancelled further down reaches a body, as an error from which it may go on.
//! ```
//! use torsade::{Deferred, Failure};
//!
//! let (resolver, answer) = Deferred::<u32, ()>::new();
//! resolver.on_cancel(|| println!("hangs up"));
//! let canceller = answer.canceller();
//! canceller.cancel();
//! resolver.resolve(7); // nobody is there to hear it
//! assert_eq!(answer.try_take().unwrap(), Err(Failure::Cancelled));
//! ```
//!
//! ## A deadline cannot be talked out of
//! (R75) [`Net::timeout`](crate::Net::timeout) covers what was attached before it, disarms its timer
//! in every case, and leaves a cancellation by hand alone, as `addTimeout` does. A canceller or an
//! errback *above* it cannot make a value of the cancellation; an
//! [`or_else`](crate::Deferred::or_else) *below* it can, and sees `TimedOut`.
//!
//! ## Groups take their errors
//! (R76) A [`list`](crate::list()) hands out the errors of its members with the list, so they are not
//! reported as well: it is Twisted's `DeferredList` with `consumeErrors`. The options that changed
//! what a `DeferredList` brings are functions, since they change its type:
//! [`gather`](crate::gather()) ends with the first error, [`race`](crate::race()) with the first
//! value. Both cancel the rest, unless told to
//! [`let_rest_run`](crate::Group::let_rest_run), and a race of nobody fails, where Twisted's never
//! ends.
//!
//! ## A program's end is its main's
//! (R83) [`react`](crate::service::react) returns the exit code, for `main` to return; it does not
//! end the process. [`run_until`](crate::Reactor::run_until) gives the result itself. A stop that
//! comes first makes the result `Abandoned`, which is no failure of the program.
//!
//! ## Stopped works end cancelled
//! (R84) What `TaskStopped` and `SchedulerStopped` said is `Failure::Cancelled` here, whether a
//! work or the whole [`Cooperator`](crate::Cooperator) was stopped. A turn has so many steps, not so
//! many milliseconds, so that a test and a simulator see the same turns.
//!
//! # Every error of a datagram is told
//! Twisted calls `connectionRefused` and raises `MessageLengthError` out of `write`; what else goes
//! wrong it drops. Here [`send_to`](crate::DatagramPort::send_to) returns nothing and nothing
//! nests: a refusal, a datagram that is too long, one that cannot be routed and one that came cut
//! all come to [`error_received`](crate::DatagramProtocol::error_received), and the port lives. A
//! full queue drops the newest datagram and counts it; asyncio queues without a bound. Names are
//! no addresses here, as in Twisted, and the compiler says so.
//!
//! # A group is joined when the call returns
//! Twisted's `joinGroup` gives a Deferred, because it may look up a name. An address needs no
//! looking up, so [`join_group`](crate::DatagramPort::join_group) answers at once. A port hears the
//! groups that it joined and no others, also where Linux would give it those of other sockets.
//!
//! ## Endpoints are places
//! (R85) Where Twisted has objects that listen and connect, an [`Endpoint`](crate::Endpoint) is a
//! place, which [`listen`](crate::Net::listen) and [`connect`](crate::Net::connect) take. Cancelling
//! the Deferred of `connect` gives the attempt up, and leaves no timer; the result is `Cancelled`.
//!
//! ## Endpoint strings are strict
//! (R87) The syntax and the escapes are Twisted's. An argument that means nothing, or that is given
//! twice, is an error here, and so is a prefix that no plug-in brings; plug-ins belong to a value,
//! [`Endpoints`](crate::service::Endpoints), and not to what is installed. `tcp:` clients take names
//! and addresses of both kinds. `interface=` is every IPv4 address where it is left out, for `tls:`,
//! too. `unix:` leaves the mode of its file to the umask, and its `lockfile=1`, which is the default,
//! makes no file.
//!
//! `ssl:` clients check the name and the chain as `tls:` clients do, where Twisted's check nothing
//! unless they are given `hostname=` and `caCertsDir=`; `verify=no` is how not to. `privateKey=` of
//! an `ssl:` server has no default. `dhParameters=` is refused, and so is an `sslmethod=` of a version
//! older than TLS 1.2. The folder of a `tls:` server is read once. A PROXY header in front of TLS
//! needs `endpoint=`, see [`endpoints`](crate::service::endpoints), and servers have that, too.
//!
//! ## A client service counts what was steady
//! (R88) [`ClientService`](crate::service::ClientService) has `ClientService`'s states. It begins
//! with its initial wait (Twisted's first one is 1.5 times as long), and a connection has to last
//! for the count of failures to be 0 again, because a server that accepts and closes would be asked
//! at the initial wait for ever. A stop tells the connection `stopping`; one that does not end is
//! aborted. A connection that is lost while it is prepared is a failed attempt.
//!
//! # Processes
//! ## A process inherits the environment
//! `spawnProcess` gives the child an empty environment unless told otherwise; here it is inherited,
//! as `std` has it, and [`env_clear`](crate::Command::env_clear) is the other one. The zeroth
//! argument is the program's name unless [said otherwise](crate::Command::arg0), where Twisted has
//! its caller repeat it. A program that cannot be run is always an
//! [error of the spawn](crate::SpawnError), where Twisted tells of it by exit code 1 on some paths.
//! Descriptors are closed on `exec`, as all are that Rust opens; what this process was started with
//! and left open for others is passed on, where Twisted closes every number. So is it with signals
//! that this process ignores, because somebody started it with `nohup` for instance: the child
//! ignores them, too, where Twisted gives it the usual ones. `env --default-signal` in front of a
//! program does that.
//!
//! ## The end of a process waits for nobody who is silent
//! (R100) `process_exited` and [`process_ended`](crate::ProcessProtocol::process_ended) are as they
//! were, but for a descriptor that somebody else keeps open after the exit, as a daemon does: in
//! Twisted `processEnded` waits for that one for ever. Here it is closed when it was unused for
//! [`after_exit_timeout`](crate::Command::after_exit_timeout), and the end says that it was
//! [cut](crate::ProcessEnd::Cut); `Duration::MAX` is Twisted's way. The reason is a value and no
//! exception: [`ExitStatus`](crate::ExitStatus) has the code or the signal.
//! [`get_process_output`](crate::Net::get_process_output) takes another code than 0 for an error,
//! too. Nobody installs a handler of `SIGCHLD`, so it does not matter which thread has the reactor.
//! The rest is Twisted's, callback by callback: `tests/tests/parity` has the same programs run by
//! both.
//!
//! # Coming from asyncio
//! - `write` while a close flushes, and after: dropped and counted; asyncio still sends the first.
//! - `eof_received` does not answer with a truth value: closing is its default, and whoever
//!   overrides it and does not call `close` keeps the connection.
//! - The write marks are the same, 64 and 16 KiB. `pause_writing` is not called from inside
//!   `write`, but afterwards; `wants_output` is there for the loop in between.
//! - `connection_lost(None)` is `PeerClosed` or `Closed`, and after an `abort` it is `Aborted`.
//! - An exception in `connection_made` went to the loop's handler, and the connection lived; a
//!   panic here ends it.
//! - `call_soon` is [`Transport::call`](crate::Transport::call), which runs right after this
//!   callback with `&mut self`, or a `call_later` of no delay, which lets input and output come
//!   first.
//! - [`Net::stop`](crate::Net::stop) closes everything; `loop.stop()` only ends the run. The same
//!   run until something is known is [`run_until`](crate::Reactor::run_until).
//! - Nothing needs a running loop to be made, and there is no current one: a
//!   [`Net`](crate::Net) is passed.
