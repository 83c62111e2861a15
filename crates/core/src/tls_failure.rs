use std::borrow::Cow;
use std::fmt;

/// Why two ends did not come to terms about TLS, or could not go on: inside
/// [`Disconnect::Tls`](crate::Disconnect::Tls).
///
/// It is plain data, so that whoever is told a reason can tell one from the other without knowing
/// which library speaks TLS. By blame:
///
/// | who is to blame | value |
/// |---|---|
/// | who made the peer's certificate, or who attacks us | [`Certificate`](Self::Certificate) |
/// | the peer | [`NoCertificate`](Self::NoCertificate), [`Broken`](Self::Broken) |
/// | the peer blames us | [`Alert`](Self::Alert) |
/// | nobody | [`NothingInCommon`](Self::NothingInCommon) |
/// | we | [`UnknownName`](Self::UnknownName), [`Here`](Self::Here) |
///
/// ```
/// use torsade_core::{CertificateFault, Disconnect, TlsFailure};
///
/// let reason = Disconnect::from(TlsFailure::Certificate {
///     certificate: "CN=old.example".to_owned(),
///     why: CertificateFault::Expired { days: 3 },
/// });
/// assert_eq!(
///     reason.to_string(),
///     "no TLS: the peer's certificate \"CN=old.example\" is not good: it expired 3 days ago",
/// );
/// ```
#[doc(alias = "VerificationError")]
#[doc(alias = "SSLError")]
#[doc(alias = "SSLCertVerificationError")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// A certificate that the peer showed was not accepted.
    Certificate {
        /// Which: what it says it is about.
        certificate: String,
        /// What was wrong with it.
        why: CertificateFault,
    },
    /// The peer showed no certificate, though it has to.
    NoCertificate,
    /// The peer gave up, and said why with an alert: its name as RFC 8446 section 6 has it.
    Alert(Cow<'static, str>),
    /// There is no version, or no way to encrypt, or no application protocol that both know.
    NothingInCommon(Cow<'static, str>),
    /// A client asked for a name for which there is no certificate here; none if it gave no name.
    UnknownName(Option<String>),
    /// The peer does not speak TLS, or not as it should.
    Broken(Cow<'static, str>),
    /// It was our fault.
    Here(Cow<'static, str>),
}

/// What is wrong with a certificate.
///
/// ```
/// use torsade_core::CertificateFault;
///
/// let fault = CertificateFault::WrongName {
///     wanted: "example.org".to_owned(),
///     names: vec!["example.com".to_owned()],
/// };
/// assert_eq!(fault.to_string(), "it is for example.com, not for example.org");
/// ```
#[doc(alias = "VerificationError")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// It was valid once.
    Expired {
        /// Since so many days; 0 on the first.
        days: u64,
    },
    /// It will be valid.
    NotYetValid {
        /// In so many days; 0 on the last.
        days: u64,
    },
    /// Nobody whom we trust vouches for it.
    UnknownIssuer {
        /// Who does: the issuer of the last certificate that was shown.
        issuer: String,
    },
    /// It is somebody else's.
    WrongName {
        /// Whose it should be.
        wanted: String,
        /// Whose it is.
        names: Vec<String>,
    },
    /// Who made it has taken it back.
    Revoked,
    /// It was not signed by who is said to have signed it, or it was changed since.
    BadSignature,
    /// Who shows it has not its key: it is somebody else's, shown by an impostor.
    WrongKey,
    /// It is for another purpose: one for clients shown by a server, or the other way round.
    WrongPurpose,
    /// Something else, in words.
    Other(Cow<'static, str>),
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { certificate, why } => {
                write!(
                    f,
                    "the peer's certificate {certificate:?} is not good: {why}"
                )
            }
            Self::NoCertificate => f.write_str("the peer showed no certificate"),
            Self::Alert(alert) => write!(f, "the peer refuses: {alert}"),
            Self::NothingInCommon(what) => write!(f, "nothing in common: {what}"),
            Self::UnknownName(Some(name)) => write!(f, "there is no certificate for {name:?}"),
            Self::UnknownName(None) => {
                f.write_str("there is no certificate for a client that gives no name")
            }
            Self::Broken(what) => write!(f, "the peer broke TLS: {what}"),
            Self::Here(what) => write!(f, "our own fault: {what}"),
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { days } => write!(f, "it expired {} ago", Days(*days)),
            Self::NotYetValid { days } => write!(f, "it will be valid in {}", Days(*days)),
            Self::UnknownIssuer { issuer } => {
                write!(
                    f,
                    "nobody whom we trust vouches for it, but {issuer:?} does"
                )
            }
            Self::WrongName { wanted, names } if names.is_empty() => {
                write!(f, "it names nobody, so it is not for {wanted}")
            }
            Self::WrongName { wanted, names } => {
                write!(f, "it is for {}, not for {wanted}", names.join(", "))
            }
            Self::Revoked => f.write_str("it was revoked"),
            Self::BadSignature => f.write_str("its signature is wrong"),
            Self::WrongKey => f.write_str("who shows it does not have its key"),
            Self::WrongPurpose => f.write_str("it is for another purpose"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

struct Days(u64);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("less than a day"),
            1 => f.write_str("a day"),
            days => write!(f, "{days} days"),
        }
    }
}

impl std::error::Error for TlsFailure {}

impl std::error::Error for CertificateFault {}
