//! Certificates that are made on the spot, for tests and examples. Feature `throw-away`.
//!
//! They are as good as any, but nobody else trusts them, and they are gone when the program is.
//!
//! ```
//! use torsade_tls::throw_away::Authority;
//! use torsade_tls::{TlsClient, TlsServer};
//!
//! let authority = Authority::new("Test");
//! let made = authority.issue(["localhost", "127.0.0.1"]);
//! let server = TlsServer::builder().identity(made.identity()).build()?;
//! let client = TlsClient::builder().roots(&authority.roots()).build()?;
//! # let _ = (server, client);
//! # Ok::<(), torsade_tls::TlsConfigError>(())
//! ```

use std::fmt;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::{Identity, Roots};

/// Somebody who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate, and its key.
#[derive(Clone)]
pub struct ThrowAway {
    chain: String,
    der: Vec<Vec<u8>>,
    key: String,
}

impl Authority {
    /// A new one of this name.
    ///
    /// # Panics
    /// If there is no randomness to be had, or the name cannot be part of a certificate.
    pub fn new(name: &str) -> Self {
        let key = need(KeyPair::generate());
        Self(need(CertifiedIssuer::self_signed(authority(name), key)))
    }

    /// One that this one vouches for.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    pub fn delegate(&self, name: &str) -> Self {
        self.delegated(authority(name))
    }

    /// The same, valid between these times, counted from the beginning of 1970, only.
    ///
    /// # Panics
    /// As for [`new`](Self::new), or if a time cannot be part of a certificate.
    pub fn delegate_valid(&self, name: &str, from: Duration, until: Duration) -> Self {
        let mut params = authority(name);
        limit(&mut params, from, until);
        self.delegated(params)
    }

    fn delegated(&self, params: CertificateParams) -> Self {
        let key = need(KeyPair::generate());
        Self(need(CertifiedIssuer::signed_by(params, key, &self.0)))
    }

    /// A certificate for these names and addresses, of servers or of clients. It is valid from 1975
    /// to 4096.
    ///
    /// # Panics
    /// If a name cannot be part of a certificate.
    pub fn issue<N: Into<String>>(&self, names: impl IntoIterator<Item = N>) -> ThrowAway {
        self.issue_between(names, None)
    }

    /// The same, valid between these times, counted from the beginning of 1970, only.
    ///
    /// # Panics
    /// If a name or a time cannot be part of a certificate.
    pub fn issue_valid<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
        from: Duration,
        until: Duration,
    ) -> ThrowAway {
        self.issue_between(names, Some((from, until)))
    }

    fn issue_between<N: Into<String>>(
        &self,
        names: impl IntoIterator<Item = N>,
        valid: Option<(Duration, Duration)>,
    ) -> ThrowAway {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let common = names.first().cloned().unwrap_or_default();
        let mut params = need(CertificateParams::new(names));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        if let Some((from, until)) = valid {
            limit(&mut params, from, until);
        }
        let key = need(KeyPair::generate());
        let own = need(params.signed_by(&key, &self.0));
        ThrowAway {
            chain: own.pem() + &self.certificate_pem(),
            der: vec![own.der().to_vec(), self.0.der().to_vec()],
            key: key.serialize_pem(),
        }
    }

    /// To trust whom it vouches for.
    ///
    /// # Panics
    /// Never: it is a certificate.
    pub fn roots(&self) -> Roots {
        need(Roots::from_der([self.0.der().to_vec()]))
    }

    /// Its certificate, for other programs.
    pub fn certificate_pem(&self) -> String {
        self.0.pem()
    }
}

impl ThrowAway {
    /// To be this.
    ///
    /// # Panics
    /// Never: the key is the certificate's.
    pub fn identity(&self) -> Identity {
        need(Identity::from_pem(&self.chain, &self.key))
    }

    /// The certificate, and its authority's, for other programs.
    pub fn chain_pem(&self) -> &str {
        &self.chain
    }

    /// The same as bytes, each by itself.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.der
    }

    /// The key, for other programs.
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

fn limit(params: &mut CertificateParams, from: Duration, until: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + from;
    params.not_after = epoch + until;
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

#[track_caller]
fn need<T, E: fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("no certificate could be made: {error}"),
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Shows nothing of the key.
impl fmt::Debug for ThrowAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrowAway").finish_non_exhaustive()
    }
}
