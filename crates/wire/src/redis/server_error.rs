use std::fmt;

use bytes::Bytes;

/// An error that the server answered: a word that says which, and a text.
///
/// ```
/// use torsade_wire::redis::{ErrorCode, ServerError};
///
/// let error = ServerError::new("WRONGTYPE Operation against a key holding the wrong kind of value");
/// assert_eq!(error.code(), ErrorCode::WrongType);
/// assert_eq!(error.word(), "WRONGTYPE");
/// assert_eq!(error.message(), "Operation against a key holding the wrong kind of value");
/// ```
#[doc(alias = "ResponseError")]
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    text: Bytes,
}

/// Which error a server answered, by the first word of it.
///
/// Servers and their modules may say words that are not here; those are [`Other`](Self::Other),
/// and [`ServerError::word`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `ERR`: any error without a word of its own.
    Err,
    /// `WRONGTYPE`: the key holds a value of another type.
    WrongType,
    /// `NOAUTH`: the server wants a password first.
    #[doc(alias = "AuthenticationError")]
    NoAuth,
    /// `WRONGPASS`: the name or the password is not right.
    WrongPass,
    /// `NOPERM`: this user may not do that.
    #[doc(alias = "NoPermissionError")]
    NoPerm,
    /// `NOPROTO`: the server does not speak the version of the protocol that was asked for.
    NoProto,
    /// `MOVED`: the key lives on another node of the cluster. See [`ServerError::redirection`].
    #[doc(alias = "MovedError")]
    Moved,
    /// `ASK`: the key is on its way to another node of the cluster. See
    /// [`ServerError::redirection`].
    #[doc(alias = "AskError")]
    Ask,
    /// `TRYAGAIN`: some of the keys are on their way to another node.
    TryAgain,
    /// `CROSSSLOT`: the keys of the command belong to different nodes.
    CrossSlot,
    /// `CLUSTERDOWN`: the cluster does not serve now.
    ClusterDown,
    /// `LOADING`: the server still reads its data from disk.
    #[doc(alias = "BusyLoadingError")]
    Loading,
    /// `BUSY`: a script runs for too long.
    Busy,
    /// `BUSYKEY`: the key to restore exists.
    BusyKey,
    /// `BUSYGROUP`: the consumer group exists.
    BusyGroup,
    /// `NOGROUP`: there is no such consumer group.
    NoGroup,
    /// `NOSCRIPT`: no script has that digest; send its text with `EVAL`.
    #[doc(alias = "NoScriptError")]
    NoScript,
    /// `NOTBUSY`: no script runs that could be killed.
    NotBusy,
    /// `UNKILLABLE`: the script has written already.
    Unkillable,
    /// `READONLY`: this server is a replica.
    #[doc(alias = "ReadOnlyError")]
    ReadOnly,
    /// `MASTERDOWN`: a replica without its master.
    MasterDown,
    /// `NOREPLICAS`: too few replicas to write.
    NoReplicas,
    /// `MISCONF`: the server could not save, and takes no writes.
    Misconf,
    /// `OOM`: the server's memory is full.
    #[doc(alias = "OutOfMemoryError")]
    OutOfMemory,
    /// `EXECABORT`: a command of the transaction was refused when it was queued.
    #[doc(alias = "ExecAbortError")]
    ExecAbort,
    /// `UNBLOCKED`: somebody ended a blocking command from outside.
    Unblocked,
    /// Another word.
    Other,
}

/// Where a node of a cluster says that a key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The slot of the key, 0 to 16383.
    pub slot: u16,
    /// The node to ask, `HOST:PORT`. The host may be empty: then it is the one that answered.
    pub address: String,
}

impl ServerError {
    /// An error with this text, as a server would send it. Line ends in it become spaces.
    pub fn new(text: impl Into<String>) -> Self {
        let text: String = text.into();
        Self {
            text: Bytes::from(text.replace(['\r', '\n'], " ")),
        }
    }

    pub(super) fn from_wire(text: Bytes) -> Self {
        Self { text }
    }

    /// Which error it is, for a `match`.
    pub fn code(&self) -> ErrorCode {
        match self.word_bytes() {
            b"ERR" => ErrorCode::Err,
            b"WRONGTYPE" => ErrorCode::WrongType,
            b"NOAUTH" => ErrorCode::NoAuth,
            b"WRONGPASS" => ErrorCode::WrongPass,
            b"NOPERM" => ErrorCode::NoPerm,
            b"NOPROTO" => ErrorCode::NoProto,
            b"MOVED" => ErrorCode::Moved,
            b"ASK" => ErrorCode::Ask,
            b"TRYAGAIN" => ErrorCode::TryAgain,
            b"CROSSSLOT" => ErrorCode::CrossSlot,
            b"CLUSTERDOWN" => ErrorCode::ClusterDown,
            b"LOADING" => ErrorCode::Loading,
            b"BUSY" => ErrorCode::Busy,
            b"BUSYKEY" => ErrorCode::BusyKey,
            b"BUSYGROUP" => ErrorCode::BusyGroup,
            b"NOGROUP" => ErrorCode::NoGroup,
            b"NOSCRIPT" => ErrorCode::NoScript,
            b"NOTBUSY" => ErrorCode::NotBusy,
            b"UNKILLABLE" => ErrorCode::Unkillable,
            b"READONLY" => ErrorCode::ReadOnly,
            b"MASTERDOWN" => ErrorCode::MasterDown,
            b"NOREPLICAS" => ErrorCode::NoReplicas,
            b"MISCONF" => ErrorCode::Misconf,
            b"OOM" => ErrorCode::OutOfMemory,
            b"EXECABORT" => ErrorCode::ExecAbort,
            b"UNBLOCKED" => ErrorCode::Unblocked,
            _ => ErrorCode::Other,
        }
    }

    /// The first word, as it came. Empty if it is no text.
    pub fn word(&self) -> &str {
        std::str::from_utf8(self.word_bytes()).unwrap_or_default()
    }

    /// What comes after the first word. Bytes that are no UTF-8 are replaced.
    pub fn message(&self) -> String {
        let word = self.word_bytes().len();
        let rest = self.text.get(word + 1..).unwrap_or_default();
        String::from_utf8_lossy(rest).into_owned()
    }

    /// All of it, as it came.
    pub fn as_bytes(&self) -> &Bytes {
        &self.text
    }

    /// Where the key lives, if this is a `MOVED` or an `ASK`.
    ///
    /// ```
    /// use torsade_wire::redis::ServerError;
    ///
    /// let moved = ServerError::new("MOVED 3999 127.0.0.1:6381").redirection().unwrap();
    /// assert_eq!((moved.slot, moved.address.as_str()), (3999, "127.0.0.1:6381"));
    /// ```
    pub fn redirection(&self) -> Option<Redirection> {
        if !matches!(self.code(), ErrorCode::Moved | ErrorCode::Ask) {
            return None;
        }
        let message = self.message();
        let (slot, address) = message.split_once(' ')?;
        Some(Redirection {
            slot: slot.parse().ok()?,
            address: address.to_owned(),
        })
    }

    /// Whether a server that is older than the command answered so.
    pub(super) fn is_unknown_command(&self) -> bool {
        self.code() == ErrorCode::Err && self.message().starts_with("unknown command")
    }

    fn word_bytes(&self) -> &[u8] {
        self.text.split(|byte| *byte == b' ').next().unwrap_or(&[])
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({self})")
    }
}

impl std::error::Error for ServerError {}
