use std::fmt;

use super::Signal;

/// How a process came to its end.
///
/// ```
/// use torsade_core::{ExitStatus, Signal};
///
/// assert!(ExitStatus::Code(0).is_success());
/// assert_eq!(ExitStatus::Code(3).to_string(), "exit code 3");
/// let crashed = ExitStatus::Signal { signal: Signal::Segv, core_dumped: true };
/// assert_eq!(crashed.to_string(), "ended by SIGSEGV, with a core dump");
/// assert_eq!((crashed.code(), crashed.signal()), (None, Some(Signal::Segv)));
/// ```
#[doc(alias = "ProcessDone")]
#[doc(alias = "ProcessTerminated")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited, with this code: 0 is success.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which one.
        signal: Signal,
        /// Whether the system wrote down its memory.
        core_dumped: bool,
    },
    /// It is gone, and its status went to somebody else: another part of the program that waits
    /// for every child, or a system that is told to keep no statuses (`SIGCHLD` ignored).
    Unknown,
}

impl ExitStatus {
    /// Whether it exited with code 0.
    pub fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }

    /// The code, if it exited by itself.
    #[doc(alias = "exitCode")]
    #[doc(alias = "returncode")]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            _ => None,
        }
    }

    /// The signal, if one ended it.
    pub fn signal(&self) -> Option<Signal> {
        match self {
            Self::Signal { signal, .. } => Some(*signal),
            _ => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal {
                signal,
                core_dumped: false,
            } => write!(f, "ended by {signal}"),
            Self::Signal { signal, .. } => write!(f, "ended by {signal}, with a core dump"),
            Self::Unknown => f.write_str("ended, nobody knows how"),
        }
    }
}

/// What [`process_ended`](crate::ProcessProtocol::process_ended) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessEnd {
    /// The process exited, and all of its descriptors came to their ends.
    Exited(ExitStatus),
    /// The process exited, and somebody else, a process that it started for instance, kept a
    /// descriptor open without using it for
    /// [`after_exit_timeout`](crate::Command::after_exit_timeout). It was closed here; what that
    /// one writes later is not read.
    Cut(ExitStatus),
    /// Nobody here waits for the exit: the reactor stopped, or was dropped, or
    /// [`let_go`](crate::Process::let_go) was called. The process runs on, unless it was
    /// [killed](crate::Command::kill_on_stop).
    LetGo,
}

impl ProcessEnd {
    /// How the process ended, if that is known.
    pub fn status(&self) -> Option<ExitStatus> {
        match self {
            Self::Exited(status) | Self::Cut(status) => Some(*status),
            Self::LetGo => None,
        }
    }

    /// Whether the process exited with code 0 and all of its output was read.
    ///
    /// ```
    /// use torsade_core::{ExitStatus, ProcessEnd};
    ///
    /// assert!(ProcessEnd::Exited(ExitStatus::Code(0)).is_success());
    /// assert!(!ProcessEnd::Cut(ExitStatus::Code(0)).is_success());
    /// ```
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(ExitStatus::Code(0))
    }
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => status.fmt(f),
            Self::Cut(status) => write!(f, "{status}, and a descriptor was kept open by others"),
            Self::LetGo => f.write_str("let go while it ran"),
        }
    }
}
