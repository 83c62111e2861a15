//! The reactor: torsade's engine on real sockets.
//!
//! A program is written against [`Net`](torsade_core::Net), the handle with `listen`, `connect`
//! and `call_later`. A [`Reactor`] gives one whose connections are TCP and Unix sockets, and runs
//! it:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//! use torsade_core::{ListenError, Listener, Net, Protocol, Transport, factory};
//! use torsade_reactor::Reactor;
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn serve(net: &Net) -> Result<Listener, ListenError> {
//!     net.listen("127.0.0.1:0", factory(|_| Echo))
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut reactor = Reactor::new()?;
//!     let listener = serve(reactor.net())?;
//!     println!("listening on {}", listener.address());
//!
//!     // Somebody to talk to it, in a thread of its own, who stops the reactor when done.
//!     let (address, remote) = (listener.address(), reactor.remote());
//!     let client = std::thread::spawn(move || {
//!         let mut stream = TcpStream::connect(address)?;
//!         stream.write_all(b"hello")?;
//!         let mut answer = [0; 5];
//!         stream.read_exact(&mut answer)?;
//!         let _ = remote.post(|net| net.stop());
//!         std::io::Result::Ok(answer)
//!     });
//!
//!     reactor.run()?; // a server would first say `reactor.stop_on_signals()?`
//!     assert_eq!(&client.join().unwrap()?, b"hello");
//!     Ok(())
//! }
//! ```
//!
//! A client in the same words. [`run_until`](Reactor::run_until) runs until one thing is known:
//!
//! ```
//! # use torsade_core::{Protocol, Transport, factory};
//! # use torsade_reactor::Reactor;
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! use torsade_deferred::{Deferred, Resolver};
//!
//! /// Says something, and resolves with the first answer.
//! struct Ask(Option<Resolver<String, ()>>);
//!
//! impl Protocol for Ask {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("are you there?");
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         if let Some(answer) = self.0.take() {
//!             answer.resolve(String::from_utf8_lossy(data).into_owned());
//!         }
//!         transport.close();
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let server = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
//! let (resolver, answer) = Deferred::new();
//! let asking = reactor.net().connect(server.address(), Ask(Some(resolver)));
//! reactor.run_until(asking)??;
//! assert_eq!(reactor.run_until(answer)?.unwrap(), "are you there?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a turn is
//!
//! The reactor waits for events or for the next timer, tells the engine what happened, and the
//! engine makes the callbacks. [`run`](Reactor::run) does that until a stop is complete;
//! [`turn`](Reactor::turn) does it once, for a loop that is a guest in another one. A turn is
//! bounded: it reads at most [`turn_bytes`](torsade_core::Limits::turn_bytes), and what the
//! events of one wait still have to tell comes in the next turns, before any newer event.
//!
//! Timers are never early. How late they may be is a matter of the driver: on epoll the wait is
//! in nanoseconds from Linux 5.11 on, and rounded up to milliseconds before.
//!
//! Many reactors live in one process, each in the thread that made it. What may travel is
//! [`Remote`](torsade_core::Remote): it posts calls, and wakes the reactor for them.
//!
//! Descriptors of others, pipes and terminals and the sockets of other libraries, are put into it
//! with a [`Watcher`]. And a reactor is itself a guest in another loop: that one sleeps until the
//! reactor's descriptor (its `AsFd`) is readable or until
//! [`next_deadline`](Reactor::next_deadline), and then takes a turn.
//!
//! # What it does with sockets
//!
//! - What it asks the system with is its [`Driver`]: epoll itself on Linux; elsewhere the
//!   [`polling`] crate, which is kqueue on the BSDs and Apple's systems, and IOCP on Windows. A
//!   program can name one, and so can who starts it, with `TORSADE_DRIVER`.
//! - Events come level-triggered. Bytes that arrive are read with one call for each event, what
//!   callbacks wrote is sent with one call.
//! - Whose input is held back, by a pause or because its own output piles up, is not in the
//!   poller: the bytes stay in the kernel, the peer is slowed down, and a hang-up wakes nobody.
//! - Addresses: listeners set `SO_REUSEADDR` on Unix, and an IPv6 listener takes IPv6 only. Every
//!   connection sets `TCP_NODELAY`: output is gathered for a whole callback already.
//! - Names: `getaddrinfo` in threads that do nothing else, at most `Limits::lookup_threads`. One
//!   that waits for a name server cannot be interrupted: a stop does not wait for it.
//! - Unix sockets: a listener's file has its mode before anybody can connect, and goes with the
//!   listener if it is still the same file. A connect to one whose queue is full fails at once, with
//!   `WouldBlock`: the system has no way to wait for it. `abort` is an end for the peer, not a
//!   reset.
//! - A closed socket whose peer still talks *lingers* without its connection, for 5 s at most, so
//!   that the kernel does not destroy the last reply (contract C4).
//! - A listener that finds the system out of descriptors or memory first closes what lingers,
//!   then rests for a second and says so in the log, once. It never gives up (contract C12).
//! - Descriptors are closed on `exec`, and no write raises SIGPIPE. A child that forks without
//!   `exec` has them too, and holds connections open by that: epoll goes on reporting what this
//!   process has closed, and the reactor does not sleep, until the child closes it or ends.
//!
//! It needs 64-bit pointers, because an event carries an identity of 60 bits.
#![deny(unsafe_code)]

#[macro_use]
mod planted;

mod accepting;
#[cfg(unix)]
mod activation;
#[cfg(unix)]
mod adopting;
mod batch;
mod builder;
mod clock;
mod connecting;
mod counters;
mod datagrams;
mod driver;
mod eagerness;
#[cfg(target_os = "linux")]
mod epoll;
mod event_loop;
#[cfg(unix)]
mod hearing;
mod host;
mod linger;
mod listener;
#[cfg(unix)]
mod local;
mod names;
#[cfg(unix)]
mod passing;
#[cfg(unix)]
mod pipes;
mod poller;
mod portable;
mod ports;
// Where a child can be waited for without being reaped.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
))]
mod processes;
mod reactor;
mod readiness;
mod reserve;
mod several;
#[cfg(unix)]
mod signals;
mod socket;
#[cfg(unix)]
mod stdio;
mod system;
mod teller;
#[cfg(unix)]
mod terminal;
mod threads;
mod token;
mod transfer;
#[cfg(all(target_os = "linux", feature = "io-uring"))]
mod uring;
#[cfg(unix)]
mod watcher;
#[cfg(unix)]
mod watches;

#[cfg(unix)]
pub use self::activation::{ActivatedSocket, activated_sockets};
pub use self::builder::ReactorBuilder;
pub use self::counters::Counters;
pub use self::driver::{Driver, DriverUnavailable, UnknownDriver};
pub use self::reactor::Reactor;
pub use self::several::{ReactorThreads, Reactors, ReactorsError};
#[cfg(unix)]
pub use self::terminal::{Terminal, TerminalMode};
pub use self::threads::{
    AsCompleted, BlockOn, BlockOnError, Executor, JobError, Mapped, Shutdown, Submitted, Until,
    Waited, as_completed, wait,
};
#[cfg(unix)]
pub use self::watcher::{Watch, Watcher};
