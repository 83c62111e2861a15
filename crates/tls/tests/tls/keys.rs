//! A certificate proves nothing without its key: here are peers who show one of others.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, Error, ServerConfig,
    ServerConnection, SignatureScheme, SupportedProtocolVersion,
};
use torsade_core::{CertificateFault, Disconnect, Protocol, TlsFailure};
use torsade_testing::StringTransport;
use torsade_tls::throw_away::ThrowAway;
use torsade_tls::{Identity, TlsClientBuilder, TlsEnd, TlsVersion};

use crate::support::{Log, Talker, VERSIONS, authority, client, server};

/// Someone who has the certificate of `shown`, and another one's key.
fn impostor(shown: &ThrowAway) -> Arc<SingleCertAndKey> {
    let chain = shown.chain_der().iter().cloned().map(CertificateDer::from);
    let other = authority().issue(["localhost"]);
    let key = PrivateKeyDer::from_pem_slice(other.key_pem().as_bytes()).unwrap();
    let key = ring::default_provider().key_provider.load_private_key(key);
    let both = CertifiedKey::new(chain.collect(), key.unwrap());
    Arc::new(SingleCertAndKey::from(both))
}

fn rustls_version(version: TlsVersion) -> &'static SupportedProtocolVersion {
    match version {
        TlsVersion::Tls12 => &rustls::version::TLS12,
        _ => &rustls::version::TLS13,
    }
}

/// Carry bytes between an end of ours and one of rustls until there are none.
fn shake<P: Protocol>(ours: &mut StringTransport<P>, raw: &mut Connection) {
    loop {
        let mut there = Vec::new();
        while raw.wants_write() {
            raw.write_tls(&mut there).unwrap();
        }
        let back = ours.take_sent();
        if there.is_empty() && back.is_empty() {
            break;
        }
        ours.feed(there);
        let mut rest = &back[..];
        while !rest.is_empty() {
            raw.read_tls(&mut rest).unwrap();
            // It may be the alert that we wait for.
            let _ = raw.process_new_packets();
        }
    }
}

#[test]
fn a_server_without_the_key_of_its_certificate_is_refused() {
    let shown = authority().issue(["localhost"]);
    for version in VERSIONS {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[rustls_version(version)])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(impostor(&shown));
        let config = Arc::new(config);
        let careless = |client: TlsClientBuilder| client.dangerously_trust_every_server();
        // Even who trusts everybody wants them to be who they say they are.
        for client in [client(), careless(client())] {
            let mut raw = ServerConnection::new(Arc::clone(&config)).unwrap().into();
            let tls = client.build().unwrap().to("localhost").unwrap();
            let log = Log::default();
            let mut victim = StringTransport::builder()
                .filter(move |_| tls.tls_filter())
                .connect(Talker(log.clone()));
            shake(&mut victim, &mut raw);
            assert_eq!(log.notes(), [""; 0], "{version}");
            expect_impostor(victim.lost(), "localhost");
            victim.expect_unhandled("cannot connect");
        }
    }
}

#[test]
fn a_client_without_the_key_of_its_certificate_is_refused() {
    let shown = authority().issue(["ann"]);
    for version in VERSIONS {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[rustls_version(version)])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Knows(
                SignatureScheme::ECDSA_NISTP256_SHA256,
            )))
            .with_client_cert_resolver(impostor(&shown));
        let name = ServerName::try_from("localhost").unwrap();
        let mut raw = ClientConnection::new(Arc::new(config), name)
            .unwrap()
            .into();
        let tls = server().require_clients(&authority().roots());
        let tls = tls.build().unwrap();
        let log = Log::default();
        let mut victim = StringTransport::builder()
            .filter(move |_| tls.tls_filter())
            .serve(Talker(log.clone()));
        shake(&mut victim, &mut raw);
        assert_eq!(log.notes(), [""; 0], "{version}");
        expect_impostor(victim.lost(), "ann");
    }
}

#[track_caller]
fn expect_impostor(lost: Option<Disconnect>, name: &str) {
    let certificate = format!("CN={name}");
    let why = CertificateFault::WrongKey;
    let failure = TlsFailure::Certificate { certificate, why };
    assert_eq!(lost, Some(failure.into()));
}

/// A client that can check one kind of signature, and takes everybody who has one.
#[derive(Debug)]
struct Knows(SignatureScheme);

impl ServerCertVerifier for Knows {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![self.0]
    }
}

/// Of several identities for one name a client is shown the one that it can check.
#[test]
fn a_client_is_shown_a_certificate_that_it_can_check() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let own = params.self_signed(&key).unwrap();
    let second = Identity::from_pem(own.pem(), key.serialize_pem()).unwrap();
    let tls = server().identity(second).build().unwrap();
    for (scheme, is_second) in [
        (SignatureScheme::ECDSA_NISTP256_SHA256, false),
        (SignatureScheme::ED25519, true),
    ] {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Knows(scheme)))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let mut raw = ClientConnection::new(Arc::new(config), name)
            .unwrap()
            .into();
        let tls = tls.clone();
        let log = Log::default();
        let mut ours = StringTransport::builder()
            .filter(move |_| tls.tls_filter())
            .serve(Talker(log.clone()));
        shake(&mut ours, &mut raw);
        assert_eq!(log.notes(), ["made"], "{scheme:?}");
        let shown = &raw.peer_certificates().unwrap()[0];
        assert_eq!(shown == own.der(), is_second, "{scheme:?}");
    }
}
