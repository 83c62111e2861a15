use std::io;

use thiserror::Error;

use crate::{Address, Disconnect};

/// Why `listen` failed.
#[doc(alias = "CannotListenError")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The text names no address that can be listened on.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The system refused, because the address is in use for instance.
    #[error("cannot listen on {address}: {error}")]
    System {
        /// The address that was asked for.
        address: Address,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The reactor has stopped or is gone.
    #[error("cannot listen: {0}")]
    Gone(#[from] Gone),
}

/// Why `connect` failed.
#[doc(alias = "clientConnectionFailed")]
#[doc(alias = "ConnectBindError")]
#[doc(alias = "ConnectionRefusedError")]
#[doc(alias = "TimeoutError")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text names no address that can be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Every address was tried, in order, and refused; the last one's error is told.
    #[error("cannot connect to {address}: {error}")]
    System {
        /// The address that was tried last.
        address: Address,
        /// What the system said of it.
        #[source]
        error: io::Error,
    },
    /// No address had answered when `Limits::connect_timeout` ran out.
    #[error("cannot connect to {address}: no answer in time")]
    TimedOut {
        /// The address that was being tried.
        address: Address,
    },
    /// The connection was there, but its filters did not get ready: a handshake failed.
    #[error("cannot connect to {address}: {reason}")]
    Handshake {
        /// The address that was connected to.
        address: Address,
        /// Why the connection ended.
        reason: Disconnect,
    },
    /// The reactor has stopped or is gone.
    #[error("cannot connect: {0}")]
    Gone(#[from] Gone),
}

/// A text that names no endpoint.
#[doc(alias = "DNSLookupError")]
#[doc(alias = "ServiceNameUnknownError")]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There was no address at all.
    #[error("no address was given")]
    Empty,
    /// The port is missing or is no number below 65536.
    #[error("{text:?} has no valid port: write ADDRESS:PORT, for example 127.0.0.1:8007")]
    Port {
        /// What was given.
        text: String,
    },
    /// No Unix socket can have this name: it is empty, too long, or a path with a NUL in it.
    #[error(
        "{name:?} is no name for a Unix socket: it has {length} bytes, and {most} are the most"
    )]
    UnixName {
        /// What was given, as it is written.
        name: String,
        /// How long it is.
        length: usize,
        /// How long it may be on this system.
        most: usize,
    },
    /// The host part is no numeric address and not `localhost`, and what drives the engine knows
    /// no such name: a real reactor knows none.
    #[error("{host:?} is not a numeric address: names are not looked up, give 127.0.0.1 or [::1]")]
    Name {
        /// The host part of what was given.
        host: String,
        /// The port, as given.
        port: u16,
    },
}

/// The reactor that should have done it has stopped or was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the reactor is gone")]
pub struct Gone;
