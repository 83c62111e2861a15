//! The words of torsade, and the engine behind all of its transports.
//!
//! Programs depend on the crate `torsade`, which has everything here under the same names. This
//! crate is for those who write framings, fakes and drivers: it knows no socket, no clock and no
//! thread, so whatever is built on it runs on real connections and on made-up ones alike.
//!
//! # The words
//! A [`Protocol`] is one connection's behaviour. It is given a [`Transport`] in every callback, to
//! write to, close, pause, and to run things later with `&mut self`:
//!
//! ```
//! use torsade_core::{Protocol, Transport};
//!
//! /// Answers each chunk with its length, and hangs up on an empty line.
//! struct Lengths;
//!
//! impl Protocol for Lengths {
//!     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
//!         if data == b"\n" {
//!             transport.close();
//!         } else {
//!             transport.write(format!("{}\n", data.len()));
//!         }
//!     }
//! }
//!
//! let mut t = torsade_testing::StringTransport::serve(Lengths);
//! t.feed(b"abc\n");
//! t.feed(b"\n");
//! assert_eq!(t.take_sent(), b"4\n");
//! assert!(t.lost().is_some());
//! ```
//!
//! A [`Factory`] makes one for each connection that [`Net::listen`] accepts; [`Net::connect`]
//! takes one and makes its connection. [`Connection`] is the untyped part of a transport, for
//! rooms of mixed kinds; [`Layered`] is how one protocol carries another.
//!
//! # The engine
//! ```text
//!    Protocol    Protocol    Protocol          user code: called, never calling back in
//!        |           |           |
//!   +----+-----------+-----------+----+
//!   |              Engine             |        order, flow control, closing, timers, losses:
//!   +----+----------------------+-----+        no socket, no clock, no thread
//!        ^ facts                | operations
//!        | bytes came, n sent,  | send this, stop reading, close
//!        | the time is t        v
//!   +----+----------------------+-----+
//!   |              driver             |        polling + sockets, or a test's hands
//!   +---------------------------------+
//! ```
//! The [engine](driver::Engine) is passive. A driver tells it facts and carries out what it asks
//! for; the rules of every contract are in the engine, once. What a driver has to do is on the
//! page of the module [`driver`].
//!
//! # Where things are
//! | what the user holds | what the engine owns | between them |
//! |---|---|---|
//! | [`Transport`], [`Connection`]: one `Rc` | the protocol, the driver's socket, unread input | cells: the outbox, pauses, queued continuations |
//!
//! Handles only ever change cells and note that they did; the engine comes by and acts. That is
//! why no method calls back, and why nothing is borrowed while user code runs.
#![forbid(unsafe_code)]

#[macro_use]
mod planted;

mod address;
mod any;
mod calls;
mod chunk;
mod connect;
mod connection;
mod continuation;
mod cooperator;
mod datagram;
mod descriptor;
mod disconnect;
mod endpoint;
mod engine;
mod error;
mod extension;
mod factory;
mod filter;
mod flow;
mod gate;
mod grid;
mod guard;
mod held;
mod hooks;
mod host;
mod id;
mod layer;
mod lending;
mod limits;
mod link;
mod listen_options;
mod listener;
mod lookup;
mod looping_call;
mod net;
mod netstat;
mod outbox;
mod place;
mod pooled;
mod process;
mod protocol;
mod race;
mod random;
mod remote;
mod shared;
mod signals;
mod slots;
mod stack;
mod staging;
mod stdio;
mod threads;
mod time;
mod timer;
mod timers;
mod tls_failure;
mod touched;
mod transport;
mod unix;
mod waits;
mod watch;
mod wheel;
mod wire;
mod wrapper;

pub use self::address::{Address, Peer, UnixAddress};
pub use self::any::AnyProtocol;
pub use self::connection::Connection;
pub use self::cooperator::{CooperativeTask, Cooperator};
pub use self::datagram::{
    DatagramAddress, DatagramError, DatagramOptions, DatagramPort, DatagramProtocol,
    DatagramTransport, Interface,
};
pub use self::descriptor::{Adopted, Descriptor, DescriptorError, Taken};
pub use self::disconnect::{Disconnect, IoFailure, Limit, Timeout};
pub use self::endpoint::{Endpoint, Family, ToEndpoint};
pub use self::error::{
    AttemptError, ConnectError, EndpointError, FailedAttempt, Gone, ListenError, ResolveError,
};
pub use self::factory::{Built, Factory, connection_factory, factory};
pub use self::filter::{Filter, Sides, WireEnd};
pub use self::id::{AttemptId, ConnectionId, ListenerId, LookupId, PortId, ProcessId};
pub use self::layer::Layered;
pub use self::limits::{Limits, WhenFull};
pub use self::listen_options::ListenOptions;
pub use self::listener::Listener;
pub use self::looping_call::{LoopingCall, Ticked};
pub use self::net::Net;
pub use self::netstat::{Netstat, NetstatRow, NetstatState};
pub use self::place::{NameError, Place};
pub use self::process::{
    ChildFd, Command, ExitStatus, OutputError, Process, ProcessEnd, ProcessOutput, ProcessProtocol,
    ProcessTransport, Signal, SignalError, SpawnError, TerminalSize, UnknownSignal,
};
pub use self::protocol::Protocol;
pub use self::remote::Remote;
pub use self::signals::SignalWatch;
pub use self::stdio::Stdio;
pub use self::threads::ThreadError;
pub use self::time::Time;
pub use self::timer::Timer;
pub use self::tls_failure::{CertificateFault, TlsFailure};
pub use self::transport::Transport;
pub use self::unix::{Credentials, UnixListen};
pub use self::wrapper::{Pass, Wrapper};

/// For those who write drivers: the engine, what it asks for, and what it must be told.
pub mod driver {
    pub use crate::chunk::Chunk;
    pub use crate::datagram::{Arrived, Departure, Departures, PortSetting};
    pub use crate::engine::Engine;
    pub use crate::extension::Extension;
    pub use crate::guard::Caught;
    pub use crate::host::Host;
    pub use crate::lookup::resolved;
    pub use crate::process::{ChildControl, Spawned};
    pub use crate::signals::signalled;
    pub use crate::threads::{NoThreads, NotTaken, Work, defer_to};
    pub use crate::wire::{Close, Closing, Interest, Op, Sending, Ways, Wire};
}
