use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use torsade_core::{Disconnect, ListenError, Net};
use torsade_deferred::{Deferred, Failure};

/// A part of a program that is started and stopped: a server, a client that reconnects, a timer, or
/// [several](crate::MultiService) of them.
///
/// Services are handles: a clone is the same service, so a program keeps one and gives another to
/// the tree.
///
/// ```
/// use std::convert::Infallible;
/// use torsade_core::Net;
/// use torsade_deferred::Deferred;
/// use torsade_service::{MultiService, Service, ServiceError};
///
/// struct Greeter;
/// impl Service for Greeter {
///     fn start(&self, _: &Net) -> Deferred<(), ServiceError> {
///         println!("good morning");
///         Deferred::succeed(())
///     }
///     fn stop(&self) -> Deferred<(), Infallible> {
///         println!("good night");
///         Deferred::succeed(())
///     }
/// }
///
/// let program = MultiService::new();
/// program.add(Greeter);
/// let reactor = torsade_testing::MemoryReactor::new();
/// assert!(program.start(reactor.net()).try_take().unwrap().is_ok());
/// assert!(program.stop().try_take().unwrap().is_ok());
/// ```
#[doc(alias = "IService")]
#[doc(alias = "startService")]
#[doc(alias = "stopService")]
#[doc(alias = "privilegedStartService")]
pub trait Service: 'static {
    /// Start. It has started when the Deferred resolves, and has not if that is rejected: there is
    /// nothing to stop then. Cancelling the Deferred gives the start up.
    #[doc(alias = "startService")]
    #[doc(alias = "privilegedStartService")]
    fn start(&self, net: &Net) -> Deferred<(), ServiceError>;

    /// Stop. It has stopped when the Deferred resolves, and can be started again then. At any time:
    /// while it starts, which is given up, and where nothing runs, which does nothing.
    #[doc(alias = "stopService")]
    fn stop(&self) -> Deferred<(), Infallible>;
}

/// Why a service did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServiceError {
    /// It has started already, or is about to.
    Running,
    /// It is being stopped.
    Stopping,
    /// It was stopped before it had started.
    Stopped,
    /// There is a service of this name already.
    Name(String),
    /// The server could not listen.
    Listen(ListenError),
    /// What it needs is not there.
    Other(Box<dyn Error + Send + Sync>),
}

impl ServiceError {
    /// Something of the service's own went wrong.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("the service runs already"),
            Self::Stopping => f.write_str("the service is being stopped"),
            Self::Stopped => f.write_str("the service was stopped before it had started"),
            Self::Name(name) => write!(f, "there is a service {name:?} already"),
            Self::Listen(error) => error.fmt(f),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Listen(error) => error.source(),
            Self::Other(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ListenError> for ServiceError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

/// A stop cannot fail, but what it waits for can panic or go with the reactor: said, not passed on.
pub(super) fn note_stop(result: &Result<(), Failure<Infallible>>) {
    if let Err(failure) = result {
        log::warn!("a service did not stop in order: {failure}");
    }
}

/// Why a connection is cut that did not end when it was asked to.
pub(super) fn too_slow() -> Disconnect {
    Disconnect::TimedOut(torsade_core::Timeout::Stop)
}
