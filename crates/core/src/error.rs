use std::io;

use thiserror::Error;

use crate::{Address, Disconnect, NameError, Place};

/// Why `listen` failed.
#[doc(alias = "CannotListenError")]
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The text names no address that can be listened on.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// It is a name: one listens at addresses of this machine.
    #[error(
        "cannot listen on the name {host:?}: give an address of this machine, 0.0.0.0:{port} or \
         [::]:{port} for all of them, localhost:{port} for this machine only"
    )]
    Name {
        /// The name.
        host: String,
        /// The port, as given.
        port: u16,
    },
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
    /// The text names no place that can be connected to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Every place was tried and failed.
    #[error("cannot connect to {}", told(.attempts))]
    Failed {
        /// All of them, in the order in which they failed. There is at least one.
        attempts: Vec<FailedAttempt>,
    },
    /// Nobody had answered when the time of [`Endpoint::timeout`](crate::Endpoint::timeout) or of
    /// `Limits::connect_timeout` was over.
    #[error("cannot connect in time to {}", told(.attempts))]
    TimedOut {
        /// What had failed, in that order, and then what had not answered.
        attempts: Vec<FailedAttempt>,
    },
    /// The connection was there, but its filters did not get ready: a handshake failed. No other
    /// address is tried then.
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

impl ConnectError {
    /// What was tried, as far as attempts were made.
    pub fn attempts(&self) -> &[FailedAttempt] {
        match self {
            Self::Failed { attempts } | Self::TimedOut { attempts } => attempts,
            _ => &[],
        }
    }

    /// The kind of it, as std has it: of several attempts that failed, the first one's, which was
    /// the best place to connect to.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_deferred::Failure;
    ///
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// # let reactor = torsade_testing::MemoryReactor::new();
    /// let connecting = reactor.net().connect("192.0.2.1:80", Quiet);
    /// reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    /// let Err(Failure::Error(error)) = connecting.try_take().unwrap() else { panic!() };
    /// assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    /// assert_eq!(error.to_string(), "cannot connect to 192.0.2.1:80: connection refused");
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Endpoint(_) => io::ErrorKind::InvalidInput,
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
            Self::Handshake { .. } => io::ErrorKind::ConnectionAborted,
            Self::Gone(_) => io::ErrorKind::NotConnected,
            Self::Failed { attempts } => match attempts.first().map(|it| &it.error) {
                Some(AttemptError::System(error)) => error.kind(),
                Some(AttemptError::Resolve(ResolveError::TimedOut { .. })) => {
                    io::ErrorKind::TimedOut
                }
                Some(AttemptError::Resolve(_)) => io::ErrorKind::NotFound,
                _ => io::ErrorKind::AddrNotAvailable,
            },
        }
    }
}

/// A place to which a connect was tried in vain.
#[derive(Debug, Error)]
#[error("{place}: {error}")]
#[non_exhaustive]
pub struct FailedAttempt {
    /// Where to.
    pub place: Place,
    /// What came of it.
    #[source]
    pub error: AttemptError,
}

/// Why an attempt to connect to one place failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The system refused, or the other end did.
    #[error(transparent)]
    System(io::Error),
    /// The look-up of the name failed.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// It has no address of the family that was asked for, or of the address to connect from.
    #[error("not of the family that is wanted")]
    Family,
    /// It had not answered when the time was over.
    #[error("no answer")]
    Unanswered,
}

/// All attempts, in one line.
fn told(attempts: &[FailedAttempt]) -> String {
    let told: Vec<_> = attempts.iter().map(ToString::to_string).collect();
    told.join("; ")
}

/// Why a name has no addresses.
#[doc(alias = "DNSLookupError")]
#[doc(alias = "gaierror")]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// It cannot be a name; nobody was asked.
    #[error(transparent)]
    Name(#[from] EndpointError),
    /// There is no such name, or it has no addresses.
    #[error("no address is known for {name:?}")]
    NotFound {
        /// The name.
        name: String,
    },
    /// Whoever was asked failed, and says why. With the system's own look-up it is this one also
    /// when there is no such name.
    #[error("cannot look up {name:?}: {why}")]
    Failed {
        /// The name.
        name: String,
        /// What was said.
        why: String,
    },
    /// There was no answer within `Limits::lookup_timeout`.
    #[error("cannot look up {name:?}: no answer in time")]
    TimedOut {
        /// The name.
        name: String,
    },
    /// As many look-ups are under way as may be: `Limits::lookups`.
    #[error("too many names are being looked up")]
    Full,
    /// The reactor has stopped or is gone.
    #[error("cannot look up a name: {0}")]
    Gone(#[from] Gone),
}

/// A text that names no endpoint.
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
    /// Colons that are not the one before the port: an IPv6 address without brackets, or a
    /// description like `tcp:127.0.0.1:80`.
    #[error(
        "{text:?} has too many colons: write [::1]:80 for an IPv6 address; what begins with tcp: or \
         the like must be parsed as a description of an endpoint first"
    )]
    Colons {
        /// What was given.
        text: String,
    },
    /// The host part is neither a numeric address nor a name that a host could have.
    #[error("{host:?} is no address and no name of a host: {why}")]
    Name {
        /// The host part of what was given.
        host: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// A program is connected to; nobody comes to it.
    #[error("{place} is not listened on")]
    Process {
        /// The program.
        place: String,
    },
    /// There is no such interface of the network here.
    #[error("there is no interface {zone:?}")]
    Zone {
        /// The part behind the `%`.
        zone: String,
    },
}

/// The reactor that should have done it has stopped or was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the reactor is gone")]
pub struct Gone;
