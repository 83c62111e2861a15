use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::TlsConfigError;
use crate::certificate::PeerCertificate;
use crate::provider::provider;

/// Who this end is: a certificate, those of who vouches for it, and its private key.
///
/// Servers have [one or more](crate::TlsServerBuilder::identity), clients have one if their servers
/// [ask for it](crate::TlsClientBuilder::identity). It is made of bytes, not of files, so a program
/// reads those itself: `Identity::from_pem(&fs::read("chain.pem")?, &fs::read("key.pem")?)?`. Cheap
/// to clone.
///
/// ```
/// use torsade_tls::{Identity, throw_away::Authority};
///
/// let made = Authority::new("Test").issue(["localhost"]);
/// let identity = Identity::from_pem(made.chain_pem(), made.key_pem())?;
/// assert_eq!(identity.names(), ["localhost"]);
/// # Ok::<(), torsade_tls::TlsConfigError>(())
/// ```
#[doc(alias = "CertificateOptions")]
#[doc(alias = "PrivateCertificate")]
#[doc(alias = "load_cert_chain")]
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    names: Arc<[String]>,
}

impl Identity {
    /// From text: the certificates, this end's own first, then who vouches for it in order; and the
    /// key, in PKCS#8, PKCS#1 or SEC1 form. What else is in the texts is passed over, so both may
    /// be the same.
    ///
    /// # Errors
    /// [`TlsConfigError::Certificate`], [`TlsConfigError::Key`] (a key under a password is one that
    /// cannot be used) or [`TlsConfigError::WrongKey`].
    #[doc(alias = "loadPEM")]
    pub fn from_pem(
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsConfigError> {
        let chain = certificates(chain.as_ref())?;
        let key = PrivateKeyDer::from_pem_slice(key.as_ref()).map_err(|error| {
            TlsConfigError::Key(match error {
                pem::Error::NoItemsFound => "there is none in the text".into(),
                error => error.to_string().into(),
            })
        })?;
        Self::new(chain, key)
    }

    /// From the bytes that such texts stand for.
    ///
    /// # Errors
    /// As for [`from_pem`](Self::from_pem).
    pub fn from_der(chain: Vec<Vec<u8>>, key: Vec<u8>) -> Result<Self, TlsConfigError> {
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let key = PrivateKeyDer::try_from(key).map_err(|why| TlsConfigError::Key(why.into()))?;
        Self::new(chain, key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let Some(own) = chain.first() else {
            return Err(TlsConfigError::Certificate("there is none".into()));
        };
        let own = PeerCertificate::new(own);
        if !own.is_readable() {
            return Err(TlsConfigError::Certificate("it cannot be read".into()));
        }
        let names = own.names().into();
        let signer = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| TlsConfigError::Key(error.to_string().into()))?;
        let key = CertifiedKey::new(chain, signer);
        key.keys_match()?;
        Ok(Self {
            key: Arc::new(key),
            names,
        })
    }

    /// The names that its certificate is for.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// Whether its certificate is for this name, which is in small letters.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| covers(own, name))
    }
}

/// Whether a certificate's name is this one: a `*` stands for the whole first part of it (RFC 6125
/// section 6.4.3).
fn covers(own: &str, name: &str) -> bool {
    match own.strip_prefix("*.") {
        None => own.eq_ignore_ascii_case(name),
        Some(rest) => name
            .split_once('.')
            .is_some_and(|(first, tail)| !first.is_empty() && tail.eq_ignore_ascii_case(rest)),
    }
}

/// All certificates of a text.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| TlsConfigError::Certificate(error.to_string().into()))?;
    if found.is_empty() {
        return Err(TlsConfigError::Certificate(
            "there is none in the text".into(),
        ));
    }
    Ok(found)
}

/// Shows whose it is, and nothing of the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
