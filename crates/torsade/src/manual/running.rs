//! Running: from a tested protocol to a process that serves, connects, and ends well.
//!
//! At the end of this page you have a `main`, you can connect to others, come in from another
//! thread, stop in good order, and run inside somebody else's loop. All code here uses real
//! sockets.
//!
//! # A server process
//! ```
//! use torsade::{ListenError, Listener, Net, Protocol, Reactor, Transport, factory};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn serve(net: &Net, address: &str) -> Result<Listener, ListenError> {
//!     net.listen(address, factory(|_peer| Echo))
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // env_logger::init(); // or another logger: caught panics are said there
//!     let mut reactor = Reactor::new()?;
//!     let listener = serve(reactor.net(), "127.0.0.1:0")?;
//!     println!("listening on {}", listener.address());
//! #   if cfg!(unix) {
//!     reactor.stop_on_signals()?;
//! #   }
//! #   reactor.stop();
//!     Ok(reactor.run()?) // until Ctrl-C, SIGTERM or `stop`
//! }
//! ```
//! - A [`Reactor`](crate::Reactor) is a value. It stays in the thread that made it; a program may
//!   have many.
//! - What a program needs of it is its [`Net`](crate::Net). Write `serve` against that, and a
//!   test can call it with the `Net` of a fake.
//! - Port 0 takes a free one, and [`Listener::address`](crate::Listener::address) says which. An
//!   address is text like `"0.0.0.0:80"`, `"[::]:80"` or `"localhost:8007"`, or a `SocketAddr`;
//!   one does not listen on other names.
//! - The closure is called once for each connection, and may return an `Option` to refuse one.
//!   What connections share is captured in it. [`Factory`](crate::Factory) is the long form, which
//!   is also told when the listener starts and stops.
//! - Dropping the [`Listener`](crate::Listener) does not stop it;
//!   [`close`](crate::Listener::close) does. Connections live on.
//!
//! # A client
//! [`connect`](crate::Net::connect) takes the protocol and resolves with its transport, after
//! `connection_made` has returned. Text with a name, `"example.org:80"`, is looked up in a thread
//! of its own kind, so that a name server that is silent keeps nobody else waiting, and the name's
//! addresses are raced: the next one is tried when one has failed, or is silent for 250 ms. It
//! gives up after 30 s over all of that
//! ([`Limits::connect_timeout`](crate::Limits::connect_timeout)), and the error tells what came of
//! [each address](crate::ConnectError::attempts). An [`Endpoint`](crate::Endpoint) says it
//! otherwise: one [family](crate::Endpoint::family) only, another
//! [timeout](crate::Endpoint::timeout), [from](crate::Endpoint::bind) which address.
//! [`run_until`](crate::Reactor::run_until) runs the reactor until a result is there:
//! ```
//! # use torsade::{Net, Transport, factory};
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! use torsade::{ConnectError, Deferred, Disconnect, Failure, Protocol, Reactor, Resolver};
//!
//! /// Collects what the peer says until it ends.
//! struct Collect(Vec<u8>, Option<Resolver<Vec<u8>, Disconnect>>);
//!
//! impl Protocol for Collect {
//!     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
//!         self.0.extend_from_slice(data);
//!     }
//!     fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
//!         if let Some(resolver) = self.1.take() {
//!             match reason.is_clean() {
//!                 true => resolver.resolve(std::mem::take(&mut self.0)),
//!                 false => resolver.reject(reason.clone()),
//!             }
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = Reactor::new()?;
//! let echo = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
//!
//! let (resolver, answer) = Deferred::new();
//! let connecting = reactor.net().connect(echo.address(), Collect(vec![], Some(resolver)));
//! let transport = reactor.run_until(connecting)??; // the reactor's error, then the connect's
//! transport.write("hello");
//! transport.close_write(); // the echo closes when it has sent all
//! assert_eq!(reactor.run_until(answer)??, b"hello");
//!
//! echo.close(); // nobody listens there any more
//! let refused = reactor.net().connect(echo.address(), Collect(vec![], None));
//! let refused = reactor.run_until(refused)?.unwrap_err();
//! assert!(matches!(refused, Failure::Error(ConnectError::Failed { .. })));
//! # Ok(())
//! # }
//! ```
//! Inside a callback you do not run anything: give the Deferred to
//! [`then`](crate::Transport::then) or [`hold`](crate::Transport::hold), or
//! [`finish`](crate::Deferred::finish) it. A `run` in there panics.
//!
//! # Which driver
//! A reactor asks the system through a [`Driver`](crate::Driver). On Linux that is epoll, elsewhere
//! the portable crate `polling` (kqueue, IOCP, event ports). Nothing of a program depends on it:
//! callbacks come in the same order, and what the [contracts](crate::contracts) say holds on each.
//! What differs is what a message costs: with a timer armed anywhere, three system calls on epoll
//! and seven on `polling` over epoll.
//!
//! Who starts a program can choose, to compare or to get around trouble:
//! `TORSADE_DRIVER=polling ./server`. A name that means nothing here is a warning in the log, not
//! an error. A program that must have one names it, and gets that one or an error:
//! ```
//! use torsade::{Driver, Reactor};
//!
//! let reactor = Reactor::builder().driver(Driver::Polling).build()?;
//! println!("on {}", reactor.driver()); // also in the log, at level info
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Timers, other threads
//! [`Net::call_later`](crate::Net::call_later) is for what belongs to no connection. Everything
//! of a reactor lives in one thread; [`Remote`](crate::Remote) is the handle that travels. It
//! posts closures, first in, first out, and wakes a reactor that sleeps. Blocking work goes into
//! a thread and comes back like this:
//! ```
//! use std::time::Duration;
//! use torsade::Reactor;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = Reactor::new()?;
//! let watchdog = reactor.net().call_later(Duration::from_secs(60), |net| net.stop());
//! let remote = reactor.remote();
//! # let (done, results) = std::sync::mpsc::channel();
//! let worker = std::thread::spawn(move || {
//!     let result = (1..=10).product::<u64>(); // or a blocking call
//!     remote.post(move |net| { // runs in the reactor's thread
//!         println!("the product is {result}");
//! #       done.send(result).unwrap();
//!         net.stop();
//!     })
//! });
//! reactor.run()?; // sleeps until the post comes
//! worker.join().unwrap()?;
//! # assert_eq!(results.try_recv(), Ok(3_628_800));
//! assert!(!watchdog.is_active()); // a stop drops the timers that are left
//!
//! let remote = reactor.remote();
//! drop(reactor);
//! assert!(remote.post(|_| ()).is_err()); // an error, not a hang
//! # Ok(())
//! # }
//! ```
//!
//! # Stopping
//! [`stop`](crate::Net::stop) returns at once. Then, in this order:
//!
//! 1. Hooks given to [`before_stop`](crate::Net::before_stop) are called, and their Deferreds
//!    waited for, 30 s at most ([`Limits::before_stop_timeout`](crate::Limits::before_stop_timeout)).
//!    Everything else goes on meanwhile.
//! 2. Listeners accept who is queued, and are closed.
//! 3. Every connection is told [`stopping`](crate::Protocol::stopping). Its default closes; a
//!    protocol with a farewell says it there. What is still open after 5 s
//!    ([`Limits::stop_timeout`](crate::Limits::stop_timeout)) is aborted. Every one gets its loss.
//! 4. Timers of no connection and posted calls that are left are dropped, and `run` returns. It
//!    can be called again.
//!
//! A second signal during the stop aborts at once. Dropping a reactor aborts everything and
//! delivers the losses, too.
//! ```
//! use std::io::Read;
//! use torsade::{Protocol, Reactor, Transport, factory};
//!
//! struct Polite;
//! impl Protocol for Polite {
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.net().stop(); // for this page
//!     }
//!     fn stopping(&mut self, transport: &Transport<Self>) {
//!         transport.write("we are closing\n");
//!         transport.close();
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = Reactor::new()?;
//! let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Polite))?;
//! let mut client = std::net::TcpStream::connect(listener.address())?;
//! reactor.run()?;
//! let mut said = String::new();
//! client.read_to_string(&mut said)?;
//! assert_eq!((said.as_str(), listener.is_open()), ("we are closing\n", false));
//! # Ok(())
//! # }
//! ```
//!
//! # More cores
//! A reactor uses one. [`Reactors`](crate::Reactors) are several, each in a thread of its own, that
//! share the ports they listen on. The function that would set up one sets up each of them:
//! ```
//! use torsade::{Protocol, Reactors, Transport, factory};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactors = Reactors::per_core().start(|net| {
//!     let listener = net.listen("127.0.0.1:0", factory(|_| Echo))?;
//!     Ok(listener.address()) // the same in all of them
//! })?;
//! println!("listening on {}", reactors.results()[0]);
//! reactors.stop(); // or `net.stop()` in any of them
//! reactors.join()?;
//! # Ok(())
//! # }
//! ```
//! A server says `Reactors::per_core().stop_on_signals().run(serve)`. An error or a panic while one
//! is set up, or of its loop, ends all and is returned.
//!
//! The threads share nothing else, so they need no locks: what is captured in a factory is one for
//! each thread, a room too, and limits are each reactor's. To tell the others something, post it
//! to their [`remotes`](crate::ReactorThreads::remotes). A connection stays in the thread that got
//! it; on Linux the kernel deals them out by a hash, evenly among many, by chance among few.
//!
//! Take more than one if one core is busy with your callbacks. Two reactors are no remedy for a
//! callback that blocks: its thread still gets its share of the connections.
//!
//! # Unix sockets
//! A Unix socket is a place like any other, for `listen` as for `connect`: the file
//! [`UnixAddress::path`](crate::UnixAddress::path), or on Linux a name that is no file,
//! [`abstract_name`](crate::UnixAddress::abstract_name). The factory sees who has come, and may send
//! him away:
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use torsade::{Peer, Protocol, Reactor, Transport, UnixListen, factory};
//! # struct Control;
//! # impl Protocol for Control {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//!
//! let reactor = Reactor::new()?;
//! let me = 1000;
//! # let socket = std::env::temp_dir().join(format!("torsade-manual-{}", std::process::id()));
//! # let socket = socket.as_path();
//! // let socket = "/run/app/control.socket";
//! let at = UnixListen::at(socket).mode(0o660).replace_stale();
//! let listener = reactor.net().listen(at, factory(move |peer: &Peer| {
//!     let uid = peer.credentials().map(|who| who.uid);
//!     (uid == Some(me)).then_some(Control)
//! }))?;
//! # listener.close();
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//! The file has its mode before anybody can connect, and goes with the listener. What a server that
//! was killed has left behind is in the way, unless
//! [`replace_stale`](crate::UnixListen::replace_stale) says otherwise. Open files go along with the
//! bytes: [`write_with_descriptors`](crate::Connection::write_with_descriptors); the example
//! `unix_fd_pass` hands them out. On the fakes all of this is there, too:
//! [`MemoryReactor::dial_with`](crate::testing::MemoryReactor::dial_with) dials as any user.
//!
//! # Sockets that are there already
//! A listener or a stream that the program has, or was given, is adopted:
//! `net.listen(Adopted::new(listener), factory)`. A service manager that listens for a program
//! before it runs, as systemd does for a unit with a `.socket`, passes its sockets by
//! `activated_sockets`:
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use torsade::{Protocol, Reactor, Transport, factory};
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! let passed = torsade::activated_sockets()?; // before anything is opened
//! let reactor = Reactor::new()?;
//! if passed.is_empty() {
//!     reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?; // started by hand
//! }
//! for socket in passed {
//!     reactor.net().listen(socket.socket, factory(|_| Echo))?;
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # Signals
//! To a stop at Ctrl-C or SIGTERM a program asks for
//! [`stop_on_signals`](crate::Reactor::stop_on_signals). Other signals are events like any other:
//! ```
//! use torsade::testing::MemoryReactor;
//! use torsade::{Net, Signal, SignalWatch};
//!
//! /// Reads its configuration again when it is sent a hangup.
//! fn reload_on_hangup(net: &Net) -> std::io::Result<SignalWatch> {
//!     net.on_signal(Signal::Hup, |net| {
//!         println!("reading the configuration again");
//!         # net.stop();
//!     })
//! }
//!
//! let reactor = MemoryReactor::new(); // a test of it needs no signal
//! let watch = reload_on_hangup(reactor.net())?;
//! assert!(reactor.raise(Signal::Hup));
//! # assert!(reactor.has_stopped());
//! drop(watch); // heard no more
//! # Ok::<(), std::io::Error>(())
//! ```
//! The callback is no signal handler: it runs in a turn, and may do whatever callbacks may.
//!
//! # Bounds
//! Every bound is a field of [`Limits`](crate::Limits) with a default, given to the builder. The
//! one to set for a server is [`max_connections`](crate::Limits::max_connections): by default only
//! the system's descriptors bound it. Number 1001 is closed at once, or left to wait:
//! ```
//! use torsade::{Limits, Reactor, WhenFull};
//!
//! let mut limits = Limits::default();
//! limits.max_connections = 1000;
//! limits.when_full = WhenFull::Wait; // `Shed` closes at once, and is the default
//! limits.total_write_cap = 64 * 1024 * 1024; // a small machine
//! let reactor = Reactor::builder().limits(limits).build()?;
//! # assert_eq!(reactor.net().limits().max_connections, 1000);
//! # assert_eq!(reactor.net().limits().total_write_cap, 64 << 20);
//! # assert_eq!(Limits::default().max_connections, usize::MAX);
//! # assert_eq!(Limits::default().when_full, WhenFull::Shed);
//! # assert_eq!(reactor.counters().accepts, 0);
//! # Ok::<(), std::io::Error>(())
//! ```
//! How near a server is to them is said by [`Reactor::counters`](crate::Reactor::counters).
//!
//! # As a filter
//! The standard streams are a connection: [`Stdio`](crate::Stdio) is an address for `connect` and
//! for `listen`, whatever they are. Who listens there gets one connection, which reads no faster
//! than its output is taken, as any that is accepted:
//! ```no_run
//! # // It would read the test's own input.
//! use torsade::{Disconnect, Protocol, Reactor, Stdio, Transport, factory};
//!
//! /// `printf hello | shout | tac`
//! struct Shout;
//! impl Protocol for Shout {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data.to_ascii_uppercase());
//!     }
//!     fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
//!         transport.net().stop();
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! reactor.net().listen(Stdio, factory(|_| Shout))?;
//! reactor.run()?; // everything was written when this returns
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! `examples/stdio_client.rs` is a telnet-like client, and a filter when it stands in a pipeline.
//! Pipes of the program's own, and FIFOs, are adopted:
//! [`Adopted::pipes`](crate::Adopted::pipes).
//!
//! At a terminal the system gives lines, when they are finished, and shows what is typed. Who wants
//! keys says so; the mode ends with the value, and a panic ends it too:
//! ```no_run
//! # // It would change the terminal that the tests are run at.
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use torsade::{Protocol, Transport};
//! use torsade::{Reactor, Stdio, Terminal};
//!
//! # struct Game;
//! # impl Protocol for Game {
//! #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! # }
//! let mut reactor = Reactor::new()?;
//! reactor.stop_on_signals()?; // or Ctrl-C would leave the terminal as it is
//! let terminal = Terminal::new(&std::io::stdin())?;
//! let _keys = terminal.cbreak()?; // or `raw`, or `no_echo` for a password
//! reactor.net().connect(Stdio, Game).detach();
//! let _watch = terminal.on_resize(reactor.net(), |_, size| println!("{} lines", size.rows))?;
//! reactor.run()?;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//! What gives it back, and what leaves it, is said at `Terminal`.
//!
//! # What it is doing
//! [`Net::netstat`](crate::Net::netstat) lists everything that is open: listeners, ports, child
//! processes, connects under way, and each connection with its state, its protocol, its bytes and
//! what it waits for.
//! It prints as a table, so a server that shows it to its operator has a line or two for that:
//! ```
//! use torsade::{Protocol, Transport};
//!
//! struct Status;
//! impl Protocol for Status {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         let listing = transport.net().netstat();
//!         transport.then(listing, |_, transport, listing| {
//!             transport.write(listing.map_or_else(|_| String::new(), |listing| listing.to_string()));
//!             transport.close();
//!         });
//!     }
//!     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
//! }
//! # let mut t = torsade::testing::StringTransport::serve(Status);
//! # assert!(String::from_utf8(t.take_sent()).unwrap().contains("Status"));
//! ```
//! And [`Limits::slow_callback`](crate::Limits::slow_callback) has every callback timed: one that
//! takes longer is named in the log, with its connection and protocol or with the line that asked
//! for it, and counted.
//!
//! # As a guest
//! A program that has a loop already, of a GUI or a game, takes turns instead of running:
//! [`turn(Some(Duration::ZERO))`](crate::Reactor::turn) does what there is to do and returns. To
//! sleep in between, wait until the reactor's descriptor is readable (`Reactor` is `AsFd`) or
//! [`next_deadline`](crate::Reactor::next_deadline) has come. Whatever the program does to a
//! connection between two turns, a `write` or a `close`, makes the descriptor readable.
//!
//! Two of the examples are such programs: `examples/guest_poll.rs` has a loop around `poll(2)`, and
//! `examples/guest_tokio.rs` runs a reactor inside a tokio runtime, beside async tasks of the same
//! thread. A loop that hears of changes only, as tokio's does, asks again whether the descriptor
//! is readable before it sleeps: a turn is bounded, and may leave something over.
//!
//! # As a host
//! The other way round, the reactor waits for descriptors that are not its own: a pipe, a
//! terminal, the socket of a library that does its own reading. On Unix,
//! [`Reactor::watcher`](crate::Reactor::watcher) gives the handle:
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::io::{Read, Write};
//! use torsade::Reactor;
//!
//! let mut reactor = Reactor::new()?;
//! let (mut reader, mut writer) = std::io::pipe()?;
//! let watch = reactor.watcher().add_reader(&reader.try_clone()?, move |net| {
//!     let mut buffer = [0; 512];
//!     match reader.read(&mut buffer) {
//!         Ok(n) if n > 0 => println!("{}", String::from_utf8_lossy(&buffer[..n])),
//!         _ => net.stop(), // the end
//!     }
//! })?;
//! writer.write_all(b"hello")?;
//! drop(writer);
//! reactor.run()?;
//! watch.remove(); // or drop it
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//! The callback runs in a turn, like any other, and again in the next one as long as there is
//! something to read.
//!
//! # Pitfalls
//! **Blocking in a callback.** A callback that sleeps, reads a file from a slow disk or asks a
//! blocking database holds up every connection of its reactor. Use a thread and a `Remote`. Which
//! callback it is, [the log can tell](#what-it-is-doing).
//!
//! **`panic = "abort"`** in the profile turns a panic in one callback into the end of the process.
