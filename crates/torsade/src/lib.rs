//! Write network programs as callbacks, the way Twisted does, in Rust.
//!
//! A [`Reactor`] tells [`Protocol`] objects what happens on their connections:
//! `connection_made`, `data_received`, `connection_lost`. Results that come later are
//! [`Deferred`]s. There are no lifetimes to fight, framing and back-pressure are right by
//! default, and a whole server is tested in microseconds, without a socket or a sleep, on the
//! same engine that runs on sockets.
//!
//! # A server
//! ```
//! use torsade::{Protocol, Reactor, Transport, factory};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut reactor = Reactor::new()?;
//! let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
//! println!("listening on {}", listener.address());
//! # reactor.stop();
//! reactor.run()?; // until `stop`
//! # Ok(())
//! # }
//! ```
//!
//! # Its test
//! ```
//! # use torsade::{Protocol, Transport};
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! use torsade::testing::StringTransport; // the feature "testing"
//!
//! let mut t = StringTransport::serve(Echo);
//! t.feed(b"hello");
//! assert_eq!(t.take_sent(), b"hello");
//! ```
//!
//! # Where to go from here
//! | to | see |
//! |---|---|
//! | learn it, beginning with a first protocol | [`manual`] |
//! | understand a connection's callbacks | [`Protocol`] |
//! | write, close, pause, wait | [`Transport`] and [`Connection`] |
//! | receive lines instead of chunks | [`wire::Lines`] |
//! | send and receive datagrams | [`DatagramProtocol`], [`DatagramTransport`], [`manual::datagrams`] |
//! | run programs, talk to them | [`ProcessProtocol`], [`Command`], [`manual::processes`] |
//! | wrap a protocol, change it, change its bytes | [`manual::layers`] |
//! | share state between connections | [`Factory`], [`factory()`] |
//! | wait for a result | [`Deferred`], [`Transport::then`], [`Transport::hold`] |
//! | do something later, or again and again | [`Transport::call_later`], [`Net::call_later`], [`LoopingCall`] |
//! | write `async` and `await` | [`futures`], [`manual::coroutines`] |
//! | come in from another thread | [`Remote`] |
//! | encrypt, from the beginning or in the middle | [`tls`], [`manual::tls`] |
//! | know why a connection ended | [`Disconnect`] |
//! | bound something | [`Limits`] |
//! | listen where a setting says, start and stop parts in order, stay connected | [`service`], [`manual::services`] |
//! | port a program | [`manual::coming_from_twisted`], [`manual::coming_from_asyncio`] |
//! | rely on something | [`contracts`] |
//!
//! # Programs are written against [`Net`]
//! A reactor gives one and a test gives one. What takes a `&Net` runs on both:
//! ```
//! use torsade::{ListenError, ListenOptions, Listener, Net, Protocol, Transport, factory};
//!
//! # struct Echo;
//! # impl Protocol for Echo {
//! #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//! #         transport.write(data);
//! #     }
//! # }
//! fn serve(net: &Net) -> Result<Listener, ListenError> {
//!     net.listen("127.0.0.1:8007", factory(|_| Echo))
//! }
//! ```
//!
//! # Features
//! - `tls`: the module [`tls`]; `tls-throw-away`: certificates made on the spot, for tests.
//! - `testing`: the module `testing` with the fakes. Turn it on in `[dev-dependencies]`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(feature = "tls"),
    allow(
        rustdoc::broken_intra_doc_links,
        reason = "the manual's tables name what the feature brings"
    )
)]

pub mod contracts;
pub mod manual;
pub mod service;

pub use torsade_core::{
    Address, Adopted, AnyProtocol, AttemptError, Built, CertificateFault, ChildFd, Command,
    ConnectError, Connection, ConnectionId, CooperativeTask, Cooperator, Credentials,
    DatagramAddress, DatagramError, DatagramOptions, DatagramPort, DatagramProtocol,
    DatagramTransport, Descriptor, DescriptorError, Disconnect, Endpoint, EndpointError,
    ExitStatus, Factory, FailedAttempt, Family, Filter, Gone, Interface, IoFailure, Layered, Limit,
    Limits, ListenError, ListenOptions, Listener, ListenerId, LoopingCall, NameError, Net, Netstat,
    NetstatChild, NetstatRow, NetstatState, OutputError, Pass, Peer, Place, PortId, Process,
    ProcessEnd, ProcessId, ProcessOutput, ProcessProtocol, ProcessTransport, Protocol, Remote,
    ResolveError, Sides, Signal, SignalError, SignalWatch, SpawnError, Stdio, Taken, TerminalSize,
    ThreadError, Ticked, Time, Timeout, Timer, TlsFailure, ToEndpoint, Transport, UnixAddress,
    UnixListen, UnknownSignal, WhenFull, WireEnd, Wrapper, connection_factory, factory,
};
pub use torsade_deferred::{
    Deferred, DeferredLock, DeferredQueue, DeferredSemaphore, Failure, Group, Panic, Resolver,
    gather, list, race,
};
#[cfg(unix)]
pub use torsade_reactor::{
    ActivatedSocket, Terminal, TerminalMode, Watch, Watcher, activated_sockets,
};
pub use torsade_reactor::{
    BlockOn, Counters, Driver, DriverUnavailable, Reactor, ReactorBuilder, ReactorThreads,
    Reactors, ReactorsError, UnknownDriver,
};

/// Shared bytes, for [`Connection::write_bytes`].
pub use bytes::Bytes;

/// Results that come later, in full: cancelling, the queue, reports of what nobody took.
pub use torsade_deferred as deferred;
/// Coroutines: tasks, streams and synchronisation, on the same reactor and the same connections.
pub use torsade_futures as futures;
/// Messages out of bytes.
pub use torsade_wire as wire;

/// TLS, from the beginning of a connection or in the middle of its stream. Feature `tls`.
#[cfg(feature = "tls")]
pub use torsade_tls as tls;

/// Plain threads: pools of one's own, in the shape of Python's `concurrent.futures`, and the errors
/// of calls into a reactor.
pub mod threads {
    pub use torsade_reactor::{
        AsCompleted, BlockOn, BlockOnError, Executor, JobError, Mapped, Shutdown, Submitted, Until,
        Waited, as_completed, wait,
    };
}

/// For those who write drivers: the engine, what it asks for, and what it must be told.
pub use torsade_core::driver;

/// The testing kit: a connection whose other end is the test, a pump that joins two protocols, a
/// reactor for whole programs, a network of many hosts from a seed; scripts, splits, a leak check.
#[cfg(feature = "testing")]
pub use torsade_testing as testing;
