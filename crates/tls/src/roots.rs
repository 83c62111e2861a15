use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::identity::certificates;
use crate::{TlsConfigError, platform_roots};

/// Who is trusted to vouch for others.
///
/// ```
/// use torsade_tls::{Roots, throw_away::Authority};
///
/// let ours = Roots::from_pem(Authority::new("Ours").certificate_pem())?;
/// assert_eq!(ours.len(), 1);
/// # Ok::<(), torsade_tls::TlsConfigError>(())
/// ```
#[doc(alias = "trustRoot")]
#[doc(alias = "platformTrust")]
#[doc(alias = "trustRootFromCertificates")]
#[doc(alias = "load_verify_locations")]
#[doc(alias = "create_default_context")]
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Whom the system trusts. Reads its files, or asks its key chain: do it once, when the program
    /// starts. `SSL_CERT_FILE` and `SSL_CERT_DIR` of the environment are followed, as OpenSSL does.
    ///
    /// # Errors
    /// [`TlsConfigError::PlatformRoots`] if there are none.
    pub fn platform() -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        // Those that cannot be understood are of no use to us, and no harm.
        store.add_parsable_certificates(platform_roots::load()?);
        match store.is_empty() {
            true => Err(TlsConfigError::PlatformRoots("there are none".into())),
            false => Ok(Self(Arc::new(store))),
        }
    }

    /// The certificates of a text.
    ///
    /// # Errors
    /// [`TlsConfigError::Certificate`] if there is none, or one of them is not what it should be.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsConfigError> {
        Self::new(certificates(pem.as_ref())?)
    }

    /// Certificates in DER.
    ///
    /// # Errors
    /// [`TlsConfigError::Certificate`] if one of them is not what it should be.
    pub fn from_der(
        certificates: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Self, TlsConfigError> {
        Self::new(certificates.into_iter().map(CertificateDer::from))
    }

    fn new(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            store.add(certificate)?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let mut store = Arc::unwrap_or_clone(self.0);
        store.roots.extend(other.0.roots.iter().cloned());
        Self(Arc::new(store))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// To be checked against; there must be some.
    pub(crate) fn store(&self) -> Result<Arc<RootCertStore>, TlsConfigError> {
        match self.is_empty() {
            true => Err(TlsConfigError::NoRoots),
            false => Ok(Arc::clone(&self.0)),
        }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.len())
    }
}
