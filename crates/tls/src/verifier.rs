//! Verdicts on certificates: those of rustls, with a note of which certificate it was and why.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use torsade_core::{CertificateFault, TlsFailure};

use crate::certificate::PeerCertificate;
use crate::notes::note;
use crate::provider::provider;

/// Checks servers.
#[derive(Debug)]
pub(crate) struct Servers(pub(crate) Arc<dyn ServerCertVerifier>);

/// Checks clients.
#[derive(Debug)]
pub(crate) struct Clients(pub(crate) Arc<dyn ClientCertVerifier>);

/// Takes everybody for who they say they are, if they have the key of what they show.
#[derive(Debug)]
pub(crate) struct Anybody;

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.0.verify_server_cert(own, others, name, ocsp, now);
        verdict.inspect_err(|error| blame(error, own, others, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.0.verify_tls12_signature(message, own, signed);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.0.verify_tls13_signature(message, own, signed);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verdict = self.0.verify_client_cert(own, others, now);
        verdict.inspect_err(|error| blame(error, own, others, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.0.verify_tls12_signature(message, own, signed);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verdict = self.0.verify_tls13_signature(message, own, signed);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &provider().signature_verification_algorithms;
        let verdict = verify_tls12_signature(message, own, signed, known);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &provider().signature_verification_algorithms;
        let verdict = verify_tls13_signature(message, own, signed, known);
        verdict.inspect_err(|error| doubt(error, own))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Note whose certificate was shown by somebody who has not its key.
fn doubt(error: &Error, own: &CertificateDer<'_>) {
    if matches!(
        error,
        Error::InvalidCertificate(CertificateError::BadSignature)
    ) {
        let certificate = PeerCertificate::new(own).description();
        let why = CertificateFault::WrongKey;
        note(|notes| notes.failure = Some(TlsFailure::Certificate { certificate, why }));
    }
}

/// Note which certificate was refused, and why.
fn blame(error: &Error, own: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) {
    let Error::InvalidCertificate(error) = error else {
        return;
    };
    let chain: Vec<PeerCertificate> = std::iter::once(own)
        .chain(others)
        .map(PeerCertificate::new)
        .collect();
    let now = Duration::from_secs(now.as_secs());
    let why = fault(error, &chain, now);
    // Of a chain, another than the first may be the one that is too old or too young.
    let guilty = match why {
        CertificateFault::Expired { .. } => {
            let mut chain = chain.iter();
            chain.find(|it| it.not_after().is_some_and(|end| end < now))
        }
        CertificateFault::NotYetValid { .. } => {
            let mut chain = chain.iter();
            chain.find(|it| it.not_before().is_some_and(|begin| begin > now))
        }
        _ => None,
    };
    let certificate = guilty.unwrap_or(&chain[0]).description();
    note(|notes| notes.failure = Some(TlsFailure::Certificate { certificate, why }));
}

fn fault(error: &CertificateError, chain: &[PeerCertificate], now: Duration) -> CertificateFault {
    let days = |since: Duration, until: Duration| until.saturating_sub(since).as_secs() / DAY;
    match error {
        CertificateError::ExpiredContext { not_after, .. } => CertificateFault::Expired {
            days: days(Duration::from_secs(not_after.as_secs()), now),
        },
        CertificateError::NotValidYetContext { not_before, .. } => CertificateFault::NotYetValid {
            days: days(now, Duration::from_secs(not_before.as_secs())),
        },
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer {
            issuer: chain
                .last()
                .map(PeerCertificate::issuer)
                .unwrap_or_default(),
        },
        CertificateError::NotValidForNameContext { expected, .. } => CertificateFault::WrongName {
            wanted: expected.to_str().into_owned(),
            names: chain
                .first()
                .map(PeerCertificate::names)
                .unwrap_or_default(),
        },
        CertificateError::Revoked => CertificateFault::Revoked,
        CertificateError::BadSignature => CertificateFault::BadSignature,
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            CertificateFault::WrongPurpose
        }
        error => CertificateFault::Other(error.to_string().into()),
    }
}

const DAY: u64 = 24 * 60 * 60;
