use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{ExitStatus, ProcessEnd};
use crate::Gone;

/// Why no process was started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program, or no such directory to run it in.
    #[error("cannot run {program:?}: it is not found, or its directory is not: {error}")]
    NotFound {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// It may not be run, or not as the user that was asked for.
    #[error("cannot run {program:?}: it is not allowed: {error}")]
    NotPermitted {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The system refused for another reason: too many processes, too many descriptors.
    #[error("cannot run {program:?}: {error}")]
    System {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The reactor is gone.
    #[error("cannot run a process: {0}")]
    Gone(#[from] Gone),
}

impl SpawnError {
    pub(super) fn new(program: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { program, error },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { program, error },
            _ => Self::System { program, error },
        }
    }

    /// The kind of it, as std has it.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::NotFound { error, .. }
            | Self::NotPermitted { error, .. }
            | Self::System { error, .. } => error.kind(),
            Self::Gone(_) => io::ErrorKind::NotConnected,
        }
    }
}

/// Why a signal was not sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The process has exited, or was let go. Whatever has its number now is not it, and gets
    /// nothing.
    #[doc(alias = "ProcessExitedAlready")]
    #[doc(alias = "ProcessLookupError")]
    #[error("the process has exited already")]
    Exited,
    /// The system refused: the process belongs to another user by now, or there is no such signal.
    #[error("the signal was not sent: {0}")]
    System(#[from] io::Error),
}

/// Why there is no output of a process; see [`Net::communicate`](crate::Net::communicate).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The process was not started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It wrote more than [`Command::output_limit`](crate::Command::output_limit), and was killed.
    #[error("the process wrote more than {most} bytes")]
    TooMuch {
        /// How many bytes it might write.
        most: usize,
    },
    /// It had not ended after [`Command::deadline`](crate::Command::deadline), and was killed.
    #[error("the process did not end in time")]
    TimedOut,
    /// It wrote to its standard error.
    #[doc(alias = "_UnexpectedErrorOutput")]
    #[error("the process complained: {}", .0.escape_ascii())]
    ErrorOutput(Vec<u8>),
    /// It did not exit with code 0.
    #[error("the process failed: {status}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
    },
    /// It was let go before it ended, as by a stop of the reactor, or a descriptor was kept open by
    /// others, so that its output is not whole.
    #[error("the output of the process is not whole: {0}")]
    Unfinished(ProcessEnd),
}

/// A process that is an endpoint.
impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        Self::new(error.kind(), error)
    }
}
