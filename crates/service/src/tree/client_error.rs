use std::rc::Rc;

use thiserror::Error;
use torsade_core::{ConnectError, Disconnect};
use torsade_deferred::Failure;

use super::ServiceError;

/// Why somebody who waited for a [`ClientService`](super::ClientService)'s connection got none.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The service was stopped, or runs no more because its reactor does not.
    #[error("the client service was stopped")]
    Stopped,
    /// As many attempts failed as the caller would wait for; this is how the last one did.
    #[error("{0}")]
    Failed(Rc<ClientFailure>),
}

/// How one attempt of a [`ClientService`](super::ClientService) failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientFailure {
    /// There was no connection.
    #[error(transparent)]
    Connect(Failure<ConnectError>),
    /// There was one, which was lost before it was prepared.
    #[error("lost before it was prepared: {0}")]
    Lost(Disconnect),
    /// There was one, and the prepare step failed on it.
    #[error("could not be prepared: {0}")]
    Prepare(Failure<ServiceError>),
}
