use std::sync::Arc;

use thiserror::Error;
use torsade_core::{ConnectError, Disconnect};

use super::ServerError;

/// Why a call of Redis has no result.
///
/// ```
/// use torsade_wire::redis::{ErrorCode, RedisError};
///
/// fn is_worth_a_retry(error: &RedisError) -> bool {
///     match error {
///         RedisError::Server(error) => error.code() == ErrorCode::Loading,
///         RedisError::Aborted | RedisError::Lost(_) | RedisError::Connect(_) => true,
///         _ => false,
///     }
/// }
/// assert!(is_worth_a_retry(&RedisError::Aborted));
/// ```
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum RedisError {
    /// The server answered with an error. The connection lives.
    #[doc(alias = "ResponseError")]
    #[error("redis: {0}")]
    Server(#[from] ServerError),
    /// The server answered with something of another type than this call expects. The connection
    /// lives: the reply was whole.
    #[error("redis: {got} where {wanted} was expected")]
    Unexpected {
        /// What the caller wanted.
        wanted: &'static str,
        /// What came.
        got: &'static str,
    },
    /// The connection ended before the reply. Whether the server did what was asked is not known.
    #[doc(alias = "ConnectionError")]
    #[error("redis: the connection was lost: {0}")]
    Lost(#[from] Disconnect),
    /// There was no connection.
    #[error("redis: {0}")]
    Connect(Arc<ConnectError>),
    /// The transaction did not take place, because a watched key had changed: `EXEC` answered nil.
    #[doc(alias = "WatchError")]
    #[error("redis: a watched key has changed")]
    Aborted,
    /// More calls wait than [`RedisLimits`](super::RedisLimits) allows. Nothing was sent; see
    /// [`Redis::ready`](super::Redis::ready).
    #[error("redis: too many calls wait")]
    TooManyCalls,
    /// The call makes no sense here, in words. Nothing was sent.
    #[error("redis: {0}")]
    Refused(&'static str),
}

impl RedisError {
    /// What the server said, if it was the server.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConnectError> for RedisError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(Arc::new(error))
    }
}
