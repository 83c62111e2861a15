use std::borrow::Cow;

use thiserror::Error;
use torsade_core::EndpointError;

/// Why there is no such server or client of TLS: its settings do not fit together.
///
/// ```
/// use torsade_tls::{TlsConfigError, TlsServer};
///
/// assert!(matches!(TlsServer::builder().build(), Err(TlsConfigError::NoIdentity)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A server shows who it is, and was not told.
    #[error("a server needs an identity: a certificate and its key")]
    NoIdentity,
    /// There is no certificate in a text that should hold some, or what is there is none.
    #[error("not a certificate: {0}")]
    Certificate(Cow<'static, str>),
    /// There is no private key in a text that should hold one, or nothing that can be used as such.
    #[error("not a private key: {0}")]
    Key(Cow<'static, str>),
    /// The key is not the one of the certificate.
    #[error("the key belongs to another certificate")]
    WrongKey,
    /// Nobody is trusted, so that every peer would be refused.
    #[error("nobody is trusted: no certificate of an authority was given")]
    NoRoots,
    /// The system's own authorities could not be read.
    #[error("the system's authorities cannot be read: {0}")]
    PlatformRoots(String),
    /// This is neither a name of a host nor an address.
    #[error("{0:?} is neither the name of a host nor an address")]
    Name(String),
    /// An application protocol's name is empty, or longer than 255 bytes.
    #[error("the name of an application protocol has 1 to 255 bytes")]
    Alpn,
    /// No version of TLS was left.
    #[error("no version of TLS is allowed")]
    NoVersion,
    /// The place is none.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The library that speaks TLS refused for another reason.
    #[error("TLS cannot be set up: {0}")]
    Other(String),
}

impl From<rustls::Error> for TlsConfigError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::WrongKey,
            rustls::Error::InvalidCertificate(why) => Self::Certificate(format!("{why}").into()),
            error => Self::Other(error.to_string()),
        }
    }
}
