//! A raw end that speaks TLS: with another library's face than ours, so that two ends that make the
//! same mistake do not hide it.

use std::io::{Cursor, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig};
use rustls::{ServerConnection, SupportedProtocolVersion};
use torsade_core::Endpoint;
use torsade_testing::conformance::Role;
use torsade_tls::throw_away::{Authority, ThrowAway};
use torsade_tls::{TlsClient, TlsConnector, TlsEnd, TlsServer};

/// The settings of all ends.
struct Ends {
    server: TlsServer,
    connector: TlsConnector,
    raw_server: Arc<ServerConfig>,
    raw_client: Arc<ClientConfig>,
}

/// The peer's end of a connection, which is opened by one of ours.
pub(crate) struct FarTls {
    session: Connection,
    /// The peer ends its side as soon as it can say so.
    ends: bool,
    /// Said before hands were shaken.
    early: Vec<u8>,
}

/// What came for the peer.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) plain: Vec<u8>,
    /// Our end has said that its side is over.
    pub(crate) ended: bool,
}

/// This place, with TLS for a probe of this role.
pub(crate) fn dress(endpoint: Endpoint, role: Role) -> Endpoint {
    let ends = ends();
    match role {
        Role::Accepted => endpoint.filter(|_| ends.server.tls_filter()),
        Role::Connecting => endpoint.filter(|_| ends.connector.tls_filter()),
    }
}

impl FarTls {
    /// The peer of a probe of this role.
    pub(crate) fn of(role: Role) -> Self {
        let ends = ends();
        let session = match role {
            Role::Accepted => {
                let config = Arc::clone(&ends.raw_client);
                need(
                    ServerName::try_from("localhost")
                        .map(|name| Connection::from(need(ClientConnection::new(config, name)))),
                )
            }
            Role::Connecting => {
                Connection::from(need(ServerConnection::new(Arc::clone(&ends.raw_server))))
            }
        };
        let mut far = Self {
            session,
            ends: false,
            early: Vec::new(),
        };
        far.session.set_buffer_limit(None);
        far
    }

    /// The peer says this; what is to be sent for it comes with [`outgoing`](Self::outgoing).
    pub(crate) fn say(&mut self, data: &[u8]) {
        self.early.extend_from_slice(data);
    }

    /// The peer ends its side.
    pub(crate) fn finish(&mut self) {
        self.ends = true;
    }

    /// Whether the peer has said that it is over.
    pub(crate) fn has_finished(&self) -> bool {
        self.ends && self.early.is_empty() && !self.session.is_handshaking()
    }

    /// Bytes for the wire.
    pub(crate) fn outgoing(&mut self) -> Vec<u8> {
        if !self.session.is_handshaking() {
            let early = std::mem::take(&mut self.early);
            need(self.session.writer().write_all(&early));
            if std::mem::take(&mut self.ends) {
                self.session.send_close_notify();
                self.ends = true;
            }
        }
        let mut bytes = Vec::new();
        while self.session.wants_write() {
            need(self.session.write_tls(&mut bytes));
        }
        bytes
    }

    /// Bytes from the wire.
    pub(crate) fn take(&mut self, wire: &[u8]) -> Taken {
        let mut taken = Taken::default();
        let mut wire = Cursor::new(wire);
        while (wire.position() as usize) < wire.get_ref().len() {
            need(self.session.read_tls(&mut wire));
            let state = need(self.session.process_new_packets());
            taken.ended |= state.peer_has_closed();
            match self.session.reader().read_to_end(&mut taken.plain) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
            if taken.ended {
                break;
            }
        }
        taken
    }
}

fn ends() -> &'static Ends {
    static ENDS: OnceLock<Ends> = OnceLock::new();
    ENDS.get_or_init(|| {
        let authority = Authority::new("Conformance");
        let made = authority.issue(["localhost"]);
        let client = need(TlsClient::builder().roots(&authority.roots()).build());
        Ends {
            server: need(TlsServer::builder().identity(made.identity()).build()),
            connector: need(client.to("localhost")),
            raw_server: Arc::new(raw_server(&made)),
            raw_client: Arc::new(raw_client(&authority)),
        }
    })
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn raw_server(made: &ThrowAway) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::pem_slice_iter(made.chain_pem().as_bytes());
    let chain: Vec<_> = chain.map(need).collect();
    let key = need(PrivateKeyDer::from_pem_slice(made.key_pem().as_bytes()));
    let config = ServerConfig::builder_with_provider(provider);
    let config = need(config.with_protocol_versions(VERSIONS)).with_no_client_auth();
    need(config.with_single_cert(chain, key))
}

fn raw_client(authority: &Authority) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    let pem = authority.certificate_pem();
    need(roots.add(need(CertificateDer::from_pem_slice(pem.as_bytes()))));
    let config = ClientConfig::builder_with_provider(provider);
    let config = need(config.with_protocol_versions(VERSIONS));
    config.with_root_certificates(roots).with_no_client_auth()
}

#[track_caller]
fn need<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the far end's TLS: {error}"),
    }
}
