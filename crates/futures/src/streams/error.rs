use std::io::{self, ErrorKind};

use torsade_core::Disconnect;

/// Why a [`StreamReader`](super::StreamReader) did not get what was asked for.
#[doc(alias = "IncompleteReadError")]
#[doc(alias = "LimitOverrunError")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The peer ended before all was there. What had come is here, and consumed.
    #[error("the peer ended after {} bytes of what was read", partial.len())]
    Incomplete {
        /// What had come.
        partial: Vec<u8>,
    },
    /// More came than the limit allows before the end of what was asked for. It is still there to
    /// be read.
    #[error("what was read is longer than {limit} bytes")]
    LimitOverrun {
        /// The limit that was passed, in bytes.
        limit: usize,
    },
    /// The connection ended otherwise than in good order, and all that had come was read.
    #[error("the connection was lost: {0}")]
    Lost(#[from] Disconnect),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Incomplete { .. } => Self::new(ErrorKind::UnexpectedEof, error),
            ReadError::LimitOverrun { .. } => Self::new(ErrorKind::InvalidData, error),
            ReadError::Lost(reason) => lost(reason),
        }
    }
}

/// A loss, as those see it who know `io::Error` alone.
pub(super) fn lost(reason: Disconnect) -> io::Error {
    let kind = match &reason {
        Disconnect::Reset => ErrorKind::ConnectionReset,
        Disconnect::Aborted => ErrorKind::ConnectionAborted,
        Disconnect::TimedOut(_) => ErrorKind::TimedOut,
        Disconnect::Closed | Disconnect::PeerClosed => ErrorKind::BrokenPipe,
        Disconnect::TruncatedTls => ErrorKind::UnexpectedEof,
        Disconnect::Protocol(_) | Disconnect::Tls(_) | Disconnect::LimitPassed(_) => {
            ErrorKind::InvalidData
        }
        Disconnect::Io(failure) => failure.kind(),
        Disconnect::Application(_) | Disconnect::Panicked(_) | Disconnect::ReactorGone => {
            ErrorKind::Other
        }
    };
    io::Error::new(kind, reason)
}
