//! [`Failure`]: every way in which a result can fail to come, and [`Panic`], the text of a caught one.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Why a [`Deferred`](crate::Deferred) did not end with its value.
///
/// `E` is the error of the work itself; the other variants are ends that any work can meet. The
/// enum is closed, so that a `match` over it is complete:
///
/// ```
/// use torsade_deferred::Failure;
///
/// fn advice(failure: &Failure<std::io::Error>) -> &'static str {
///     match failure {
///         Failure::Error(_) => "look at the error",
///         Failure::Cancelled => "somebody asked for this",
///         Failure::TimedOut => "try again",
///         Failure::Abandoned => "the work was dropped half-way",
///         Failure::Panicked(_) => "a bug: look at the log",
///     }
/// }
/// assert_eq!(advice(&Failure::Cancelled), "somebody asked for this");
/// ```
#[doc(alias = "CancelledError")]
#[doc(alias = "TimeoutError")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure<E> {
    /// The work failed with its own error.
    Error(E),
    /// The consumer, or whoever held a [`Canceller`](crate::Canceller), asked to stop.
    Cancelled,
    /// A deadline passed first.
    TimedOut,
    /// The [`Resolver`](crate::Resolver) was dropped: nobody is left who could bring a result.
    Abandoned,
    /// A closure of the chain panicked.
    Panicked(Panic),
}

impl<E> Failure<E> {
    /// The work's own error, if that is what it was.
    ///
    /// ```
    /// use torsade_deferred::Failure;
    ///
    /// assert_eq!(Failure::Error("no such user").error(), Some("no such user"));
    /// assert_eq!(Failure::<&str>::TimedOut.error(), None);
    /// ```
    #[must_use]
    pub fn error(self) -> Option<E> {
        match self {
            Self::Error(error) => Some(error),
            Self::Cancelled | Self::TimedOut | Self::Abandoned | Self::Panicked(_) => None,
        }
    }

    /// Changes the type of the work's own error; every other variant passes unchanged.
    ///
    /// ```
    /// use torsade_deferred::Failure;
    ///
    /// assert_eq!(Failure::Error(7).map(|code| code + 1), Failure::Error(8));
    /// assert_eq!(Failure::<u8>::Abandoned.map(|code| code + 1), Failure::Abandoned);
    /// ```
    #[must_use]
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Failure<F> {
        match self {
            Self::Error(error) => Failure::Error(f(error)),
            Self::Cancelled => Failure::Cancelled,
            Self::TimedOut => Failure::TimedOut,
            Self::Abandoned => Failure::Abandoned,
            Self::Panicked(panic) => Failure::Panicked(panic),
        }
    }

    /// Whether this is [`Failure::Cancelled`].
    ///
    /// ```
    /// use torsade_deferred::Failure;
    ///
    /// assert!(Failure::<()>::Cancelled.is_cancelled());
    /// assert!(!Failure::<()>::TimedOut.is_cancelled());
    /// ```
    #[doc(alias = "cancelled")]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::Error(error)
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Cancelled => f.write_str("cancelled"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Abandoned => f.write_str("abandoned: the resolver was dropped"),
            Self::Panicked(panic) => panic.fmt(f),
        }
    }
}

impl<E: Error> Error for Failure<E> {
    /// `Failure::Error` speaks with the voice of its error, so its source is that error's source.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Error(error) => error.source(),
            Self::Cancelled | Self::TimedOut | Self::Abandoned | Self::Panicked(_) => None,
        }
    }
}

/// What a caught panic said.
///
/// Only the text is kept: the payload is dropped where it was caught, because a payload is a value
/// of the user, and may panic once more in its `Drop`.
///
/// ```
/// use torsade_deferred::{Deferred, Failure};
///
/// let deferred = Deferred::<_, ()>::succeed(1)
///     .map(|_| -> u32 { panic!("the cat sat on the keyboard") });
/// match deferred.try_take().unwrap() {
///     Err(Failure::Panicked(panic)) => assert_eq!(panic.message(), "the cat sat on the keyboard"),
///     other => unreachable!("{other:?}"),
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Panic {
    message: Arc<str>,
}

impl Panic {
    /// Takes the text out of a payload of [`catch_unwind`] and drops the payload.
    ///
    /// Payloads that are not text (`panic_any`) become a sentence that says so.
    ///
    /// ```
    /// use torsade_deferred::Panic;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("bang")).unwrap_err();
    /// assert_eq!(Panic::from_payload(payload).message(), "bang");
    /// ```
    #[must_use]
    pub fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
            Arc::from(*text)
        } else if let Some(text) = payload.downcast_ref::<String>() {
            Arc::from(text.as_str())
        } else {
            Arc::from("(the payload of the panic is not text)")
        };
        // The payload of a payload is where we stop: a type whose every `Drop` panics with itself
        // would keep us here for ever, so the second one is leaked.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        Self { message }
    }

    /// The text that was given to `panic!`.
    ///
    /// ```
    /// use torsade_deferred::Panic;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("{} bottles", 99)).unwrap_err();
    /// assert_eq!(Panic::from_payload(payload).message(), "99 bottles");
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.message)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({:?})", self.message)
    }
}

impl Error for Panic {}
