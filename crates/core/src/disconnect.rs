use std::borrow::Cow;
use std::fmt;
use std::io;

use torsade_deferred::Panic;

use crate::TlsFailure;

/// Why a connection ended, by blame: what `connection_lost` is told.
///
/// Twisted tells it as a `Failure` of `ConnectionDone`, `ConnectionLost` or `ConnectionAborted`;
/// asyncio as `None` or an exception.
///
/// | who ended it | value |
/// |---|---|
/// | the peer, in good order | [`PeerClosed`](Self::PeerClosed) |
/// | we, in good order | [`Closed`](Self::Closed) |
/// | the peer or the network, rudely | [`Reset`](Self::Reset), [`Io`](Self::Io) |
/// | we, rudely | [`Aborted`](Self::Aborted) |
/// | a clock or a bound | [`TimedOut`](Self::TimedOut), [`LimitPassed`](Self::LimitPassed) |
/// | the peer or somebody between us, by an end that TLS does not vouch for | [`TruncatedTls`](Self::TruncatedTls) |
/// | what the peer said | [`Protocol`](Self::Protocol) |
/// | who it is, or how it encrypts | [`Tls`](Self::Tls) |
/// | our own code | [`Application`](Self::Application), [`Panicked`](Self::Panicked) |
/// | the end of everything | [`ReactorGone`](Self::ReactorGone) |
///
/// ```
/// use torsade_core::Disconnect;
///
/// let reason = Disconnect::protocol("a length of 70000 where 65535 is the most");
/// assert!(!reason.is_clean());
/// assert_eq!(
///     reason.to_string(),
///     "the peer broke the protocol: a length of 70000 where 65535 is the most",
/// );
/// ```
#[doc(alias = "ConnectionDone")]
#[doc(alias = "ConnectionLost")]
#[doc(alias = "ConnectionAborted")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// We closed it, and what was written had been handed to the kernel.
    Closed,
    /// The peer had ended its side before we ended ours, both in good order.
    PeerClosed,
    /// The peer reset the connection, or was gone when we wrote to it.
    Reset,
    /// `abort` was called here.
    Aborted,
    /// A clock ran out; which one is said.
    TimedOut(Timeout),
    /// A bound was passed; which one is said.
    LimitPassed(Limit),
    /// The stream ended without TLS's own word for it: it may have been cut off by somebody else.
    TruncatedTls,
    /// TLS could not be agreed upon, or kept up; why is said.
    Tls(Box<TlsFailure>),
    /// The peer broke the protocol that is spoken; in words.
    Protocol(Cow<'static, str>),
    /// The application gave up the connection; in words.
    Application(Cow<'static, str>),
    /// A callback of this connection panicked.
    Panicked(Panic),
    /// The reactor stopped or was dropped while the connection lived.
    ReactorGone,
    /// The system reported another error.
    Io(IoFailure),
}

/// Which clock ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// Output that should have been flushed before the close made no progress.
    Flush,
    /// The connection outlived the reactor's stop.
    Stop,
    /// Nothing came from the peer, and nothing went to it, for as long as the protocol was ready to
    /// wait.
    Idle,
    /// Nothing came from the peer for as long as the protocol was ready to wait.
    Read,
    /// Output waited, and the peer took none of it, for as long as the protocol was ready to wait.
    Write,
    /// The connection's filters were not ready in time: the peer did not shake hands.
    Handshake,
    /// A descriptor of a process that has exited was held by others, who did not use it.
    AfterExit,
}

/// Which bound a connection passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// More output waited on the connection than `Limits::write_cap`.
    WriteBuffer,
    /// All connections together held more output than `Limits::total_write_cap`, and this one
    /// held the most.
    TotalWriteBuffer,
    /// More input was left unread than `Limits::unread`.
    Unread,
    /// A message of the peer, a line for instance, was longer than its framing allows.
    Message,
    /// More descriptors came, or came at once, than `Limits::descriptors` and nobody took them.
    Descriptors,
    /// There were `Limits::max_connections` already. Told to `Factory::failed`.
    Connections,
}

/// An error of the system, kept as its kind and number so that a reason can be compared, cloned
/// and sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IoFailure {
    kind: io::ErrorKind,
    code: Option<i32>,
}

impl Disconnect {
    /// The peer broke the protocol; say how.
    ///
    /// ```
    /// # use torsade_core::Disconnect;
    /// let reason = Disconnect::protocol("command before greeting");
    /// assert_eq!(reason.to_string(), "the peer broke the protocol: command before greeting");
    /// ```
    pub fn protocol(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Protocol(what.into())
    }

    /// The application gives up; say why.
    ///
    /// ```
    /// # use torsade_core::Disconnect;
    /// let reason = Disconnect::application("the database went away");
    /// assert_eq!(reason.to_string(), "the application failed: the database went away");
    /// ```
    pub fn application(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Application(what.into())
    }

    /// Whether both sides ended in good order: [`Closed`](Self::Closed) or
    /// [`PeerClosed`](Self::PeerClosed).
    ///
    /// ```
    /// # use torsade_core::Disconnect;
    /// assert!(Disconnect::PeerClosed.is_clean());
    /// assert!(!Disconnect::Reset.is_clean());
    /// ```
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Closed | Self::PeerClosed)
    }
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed here"),
            Self::PeerClosed => f.write_str("closed by the peer"),
            Self::Reset => f.write_str("reset by the peer"),
            Self::Aborted => f.write_str("aborted here"),
            Self::TimedOut(Timeout::Flush) => {
                f.write_str("timed out: the peer took no output before the close")
            }
            Self::TimedOut(Timeout::Stop) => {
                f.write_str("timed out: still open when the reactor had to stop")
            }
            Self::TimedOut(Timeout::Idle) => f.write_str("timed out: the peer was silent"),
            Self::TimedOut(Timeout::Read) => f.write_str("timed out: the peer sent nothing"),
            Self::TimedOut(Timeout::Write) => f.write_str("timed out: the peer took no output"),
            Self::TimedOut(Timeout::Handshake) => f.write_str("timed out: no handshake"),
            Self::TimedOut(Timeout::AfterExit) => {
                f.write_str("timed out: held by others after the exit of its process")
            }
            Self::LimitPassed(Limit::WriteBuffer) => {
                f.write_str("limit passed: output piled up on the connection")
            }
            Self::LimitPassed(Limit::TotalWriteBuffer) => {
                f.write_str("limit passed: output piled up over all connections, here the most")
            }
            Self::LimitPassed(Limit::Unread) => {
                f.write_str("limit passed: too much input left unread")
            }
            Self::LimitPassed(Limit::Descriptors) => {
                f.write_str("too many descriptors came and were not taken")
            }
            Self::LimitPassed(Limit::Message) => {
                f.write_str("limit passed: the peer sent too long a message")
            }
            Self::LimitPassed(Limit::Connections) => {
                f.write_str("limit passed: there are as many connections as may be")
            }
            Self::TruncatedTls => f.write_str("cut off: TLS was not ended by the peer"),
            Self::Tls(failure) => write!(f, "no TLS: {failure}"),
            Self::Protocol(what) => write!(f, "the peer broke the protocol: {what}"),
            Self::Application(what) => write!(f, "the application failed: {what}"),
            Self::Panicked(panic) => write!(f, "a callback panicked: {}", panic.message()),
            Self::ReactorGone => f.write_str("the reactor is gone"),
            Self::Io(error) => write!(f, "input/output error: {error}"),
        }
    }
}

impl std::error::Error for Disconnect {}

impl From<TlsFailure> for Disconnect {
    fn from(failure: TlsFailure) -> Self {
        Self::Tls(Box::new(failure))
    }
}

/// Resets in all the spellings that systems have become [`Disconnect::Reset`].
impl From<io::Error> for Disconnect {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
        match error.kind() {
            ConnectionReset | BrokenPipe | ConnectionAborted | NotConnected => Self::Reset,
            _ => Self::Io(IoFailure::from(&error)),
        }
    }
}

impl IoFailure {
    /// What kind of error it was.
    ///
    /// ```
    /// use std::io;
    /// use torsade_core::IoFailure;
    ///
    /// let failure = IoFailure::from(&io::Error::from(io::ErrorKind::TimedOut));
    /// assert_eq!(failure.kind(), io::ErrorKind::TimedOut);
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// The system's number for it, if it came from the system.
    ///
    /// ```
    /// use std::io;
    /// use torsade_core::IoFailure;
    ///
    /// assert_eq!(IoFailure::from(&io::Error::other("made up")).raw_os_error(), None);
    /// ```
    pub fn raw_os_error(&self) -> Option<i32> {
        self.code
    }
}

impl From<&io::Error> for IoFailure {
    fn from(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            code: error.raw_os_error(),
        }
    }
}

impl fmt::Display for IoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => io::Error::from_raw_os_error(code).fmt(f),
            None => self.kind.fmt(f),
        }
    }
}

impl fmt::Debug for IoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IoFailure({self})")
    }
}
