use std::io;

use thiserror::Error;

use crate::Address;

/// What went wrong with one datagram. The port lives (contract C18).
///
/// ```
/// use std::io;
/// use torsade_core::DatagramError;
///
/// let refused = DatagramError::Reported(io::ErrorKind::ConnectionRefused.into());
/// assert_eq!(refused.kind(), Some(io::ErrorKind::ConnectionRefused));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// A datagram was not sent: it is too long, there is no way to its address, nobody is at a Unix
    /// socket or its queue is full (`WouldBlock`), the system is out of buffers, broadcasting is
    /// not allowed.
    #[doc(alias = "MessageLengthError")]
    #[error("a datagram was not sent: {error}")]
    Unsent {
        /// Where it was to go; `None` is the peer that the port is connected to.
        to: Option<Address>,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The system reports something of a datagram that was sent earlier: on a connected port, that
    /// nobody is there to receive it (`ConnectionRefused`).
    #[error("an earlier datagram went wrong: {0}")]
    Reported(#[source] io::Error),
    /// A datagram came that is longer than `Limits::datagram`. Only this much of it is left.
    #[error("a datagram of {length} bytes was cut after {} bytes", received.len())]
    Truncated {
        /// Who sent it.
        from: Address,
        /// How long it was; where the system does not tell, one more than was received.
        length: usize,
        /// Its beginning.
        received: Box<[u8]>,
    },
}

impl DatagramError {
    /// The kind of the system's error, if it is one.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Unsent { error, .. } | Self::Reported(error) => Some(error.kind()),
            Self::Truncated { .. } => None,
        }
    }
}
