use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;

/// A certificate that a peer showed.
///
/// The bytes are kept; what they say is read when it is asked for.
///
/// ```
/// use torsade_tls::{PeerCertificate, throw_away::Authority};
///
/// let made = Authority::new("Test").issue(["localhost", "::1"]);
/// let certificate = PeerCertificate::from_der(made.chain_der()[0].clone());
/// assert_eq!(certificate.names(), ["localhost", "::1"]);
/// assert_eq!(certificate.issuer(), "CN=Test");
/// ```
#[doc(alias = "getPeerCertificate")]
#[doc(alias = "getpeercert")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerCertificate(CertificateDer<'static>);

impl PeerCertificate {
    pub(crate) fn new(der: &CertificateDer<'_>) -> Self {
        Self(der.clone().into_owned())
    }

    /// From bytes, of a file for instance, to compare with.
    pub fn from_der(der: Vec<u8>) -> Self {
        Self(CertificateDer::from(der))
    }

    /// The certificate itself, in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// Who it says that it is about, such as `CN=example.org`. Empty where it has names only, or
    /// cannot be read.
    pub fn subject(&self) -> String {
        self.read(|it| it.subject().to_string()).unwrap_or_default()
    }

    /// Who vouches for it, by its own account.
    pub fn issuer(&self) -> String {
        self.read(|it| it.issuer().to_string()).unwrap_or_default()
    }

    /// The hosts and addresses that it is for.
    pub fn names(&self) -> Vec<String> {
        self.read(names).unwrap_or_default()
    }

    /// Since when it is valid, counted from the beginning of 1970.
    pub fn not_before(&self) -> Option<Duration> {
        self.read(|it| since_1970(&it.validity().not_before))
    }

    /// Until when it is valid, counted from the beginning of 1970.
    pub fn not_after(&self) -> Option<Duration> {
        self.read(|it| since_1970(&it.validity().not_after))
    }

    /// Words by which somebody finds it again.
    pub(crate) fn description(&self) -> String {
        let subject = self.subject();
        match (subject.is_empty(), self.is_readable()) {
            (false, _) => subject,
            (true, true) => self.names().join(", "),
            (true, false) => "unreadable".to_owned(),
        }
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.read(|_| ()).is_some()
    }

    fn read<R>(&self, ask: impl FnOnce(&X509Certificate<'_>) -> R) -> Option<R> {
        let (_, certificate) = x509_parser::parse_x509_certificate(&self.0).ok()?;
        Some(ask(&certificate))
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names.filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}

fn since_1970(time: &ASN1Time) -> Duration {
    Duration::from_secs(time.timestamp().try_into().unwrap_or(0))
}

/// Shows what it says of itself.
impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}
