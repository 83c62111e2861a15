//! The words of torsade and its engine. (Front page to come.)
#![forbid(unsafe_code)]

mod address;
mod chunk;
mod connect;
mod connection;
mod continuation;
mod disconnect;
mod engine;
mod error;
mod factory;
mod flow;
mod guard;
mod host;
mod id;
mod layer;
mod limits;
mod link;
mod listener;
mod net;
mod outbox;
mod protocol;
mod remote;
mod shared;
mod slots;
mod stack;
mod time;
mod timer;
mod timers;
mod transport;
mod watch;
mod wire;

pub use self::address::{Peer, ToEndpoint};
pub use self::connection::Connection;
pub use self::disconnect::{Disconnect, IoFailure, Limit, Timeout};
pub use self::error::{ConnectError, EndpointError, Gone, ListenError};
pub use self::factory::{Built, Factory, factory};
pub use self::id::{AttemptId, ConnectionId, ListenerId};
pub use self::layer::Layered;
pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::net::Net;
pub use self::protocol::Protocol;
pub use self::remote::Remote;
pub use self::time::Time;
pub use self::timer::Timer;
pub use self::transport::Transport;

/// For those who write drivers: the engine, what it asks for, and what it must be told.
pub mod driver {
    pub use crate::chunk::Chunk;
    pub use crate::engine::Engine;
    pub use crate::guard::Caught;
    pub use crate::host::Host;
    pub use crate::wire::{Close, Closing, Interest, Op, Sending, Wire};
}
