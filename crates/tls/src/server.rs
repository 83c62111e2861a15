use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use torsade_core::{Endpoint, EndpointError, ToEndpoint};

use crate::filter::Role;
use crate::provider::{Common, provider};
use crate::resolver::Resolver;
use crate::verifier::Clients;
use crate::{Identity, Roots, TlsConfigError, TlsEnd, TlsFilter, TlsVersion};

/// The server's end of TLS: who it is, and what it demands of its clients.
///
/// It is made once and shared; clones are the same. Listen [with it](Self::endpoint), or let a
/// connection [become secure](crate::TlsExt::start_tls) in the middle of its stream.
///
/// ```
/// use torsade_core::{Protocol, Transport, factory};
/// use torsade_testing::MemoryReactor;
/// use torsade_tls::{TlsServer, throw_away::Authority};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let made = Authority::new("Test").issue(["localhost"]); // or Identity::from_pem(..)
/// let tls = TlsServer::builder().identity(made.identity()).build()?;
/// let reactor = MemoryReactor::new();
/// reactor.net().listen(tls.endpoint("127.0.0.1:8443")?, factory(|_| Echo))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "CertificateOptions")]
#[doc(alias = "listenSSL")]
#[doc(alias = "wrapServerTLS")]
#[doc(alias = "SSLContext")]
#[derive(Clone)]
pub struct TlsServer {
    config: Arc<ServerConfig>,
    resolver: Arc<Resolver>,
}

/// How to make a [`TlsServer`].
#[derive(Clone, Default)]
pub struct TlsServerBuilder {
    common: Common,
    identities: Vec<Identity>,
    strict: bool,
    clients: Clientele,
    forgets: bool,
}

#[derive(Clone, Default)]
enum Clientele {
    #[default]
    Anybody,
    Asked(Roots),
    Required(Roots),
}

impl TlsServer {
    /// A server without an identity yet.
    pub fn builder() -> TlsServerBuilder {
        TlsServerBuilder::default()
    }

    /// This place, with TLS on every connection from its beginning.
    ///
    /// # Errors
    /// Those of the place.
    #[doc(alias = "wrapServerTLS")]
    #[doc(alias = "listenSSL")]
    pub fn endpoint(&self, at: impl ToEndpoint) -> Result<Endpoint, EndpointError> {
        let server = self.clone();
        Ok(at.to_endpoint()?.filter(move |_| server.tls_filter()))
    }

    /// Be these from now on: connections that come later are shown the new certificates, without a
    /// restart and on the same listener. Those that are there keep what they have.
    ///
    /// ```
    /// use torsade_tls::{TlsServer, throw_away::Authority};
    ///
    /// let ours = Authority::new("Test");
    /// let tls = TlsServer::builder().identity(ours.issue(["localhost"]).identity()).build()?;
    /// // When the files have changed:
    /// tls.set_identities([ours.issue(["localhost"]).identity()])?;
    /// # Ok::<(), torsade_tls::TlsConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`TlsConfigError::NoIdentity`]; those that are there stay.
    pub fn set_identities(
        &self,
        identities: impl IntoIterator<Item = Identity>,
    ) -> Result<(), TlsConfigError> {
        self.resolver.set(identities.into_iter().collect())
    }
}

impl TlsEnd for TlsServer {
    fn tls_filter(&self) -> TlsFilter {
        TlsFilter::new(Role::Server(Arc::clone(&self.config)))
    }
}

/// Who it is.
impl TlsServerBuilder {
    /// Be this. Given several, a client is shown the one whose certificate is for the name it asks
    /// for, and one that asks for none, or for an unknown one, is shown the first. Of several for
    /// one name, the first that it can check: one may be of another kind of key than the other.
    #[doc(alias = "sni_callback")]
    #[doc(alias = "contextForServerName")]
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identities.push(identity);
        self
    }

    /// Refuse clients that ask for a name that no certificate here is for, or for none.
    #[must_use]
    pub fn only_known_names(mut self) -> Self {
        self.strict = true;
        self
    }
}

/// What it demands.
impl TlsServerBuilder {
    /// Clients show a certificate that one of these vouches for, or are refused.
    #[doc(alias = "requireCertificate")]
    #[doc(alias = "CERT_REQUIRED")]
    #[must_use]
    pub fn require_clients(mut self, roots: &Roots) -> Self {
        self.clients = Clientele::Required(roots.clone());
        self
    }

    /// Clients may show a certificate, and need not; one that none of these vouches for is refused.
    /// [`TlsInfo::certificates`](crate::TlsInfo::certificates) says whether they did.
    #[doc(alias = "CERT_OPTIONAL")]
    #[must_use]
    pub fn ask_clients(mut self, roots: &Roots) -> Self {
        self.clients = Clientele::Asked(roots.clone());
        self
    }

    /// The application protocols that it speaks, the best first. A client that offers some and none
    /// of these is refused; one that offers none is not.
    #[doc(alias = "acceptableProtocols")]
    #[doc(alias = "set_alpn_protocols")]
    #[must_use]
    pub fn alpn<N: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = N>) -> Self {
        let protocols = protocols.into_iter();
        self.common.alpn = protocols.map(|name| name.as_ref().to_vec()).collect();
        self
    }

    /// Speak this version of TLS only, instead of 1.3 and 1.2.
    #[doc(alias = "lowerMaximumSecurityTo")]
    #[doc(alias = "raiseMinimumTo")]
    #[doc(alias = "minimum_version")]
    #[must_use]
    pub fn only(mut self, version: TlsVersion) -> Self {
        self.common.only = Some(version);
        self
    }

    /// Do not let clients come back by a ticket of an earlier connection, which they may for 12
    /// hours otherwise.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// Give the secrets of every connection to `sink`, a line each in the form of the
    /// `SSLKEYLOGFILE`, so that Wireshark can read what was captured. Whoever has them can read
    /// everything.
    #[doc(alias = "keylog_filename")]
    #[doc(alias = "SSLKEYLOGFILE")]
    #[must_use]
    pub fn key_log(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.common.log_keys(sink);
        self
    }

    /// Take the time from here, since the beginning of 1970, instead of from the system: what
    /// clients' certificates are checked against.
    #[must_use]
    pub fn wall_clock(mut self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.common.set_clock(now);
        self
    }

    /// The server.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what does not fit together.
    pub fn build(self) -> Result<TlsServer, TlsConfigError> {
        self.common.check_alpn()?;
        let resolver = Arc::new(Resolver::new(self.identities, self.strict)?);
        let config =
            ServerConfig::builder_with_details(Arc::clone(provider()), self.common.clock())
                .with_protocol_versions(self.common.versions())?;
        let verifier = match &self.clients {
            Clientele::Anybody => None,
            Clientele::Asked(roots) | Clientele::Required(roots) => Some(
                WebPkiClientVerifier::builder_with_provider(roots.store()?, Arc::clone(provider())),
            ),
        };
        let verifier = match (verifier, &self.clients) {
            (Some(verifier), Clientele::Asked(_)) => Some(verifier.allow_unauthenticated()),
            (verifier, _) => verifier,
        };
        let config = match verifier {
            None => config.with_no_client_auth(),
            Some(verifier) => {
                let verifier = verifier
                    .build()
                    .map_err(|error| TlsConfigError::Other(error.to_string()))?;
                config.with_client_cert_verifier(Arc::new(Clients(verifier)))
            }
        };
        let chosen: Arc<Resolver> = Arc::clone(&resolver);
        let mut config = config.with_cert_resolver(chosen);
        config.alpn_protocols = self.common.alpn.clone();
        if let Some(log) = self.common.key_log() {
            config.key_log = log;
        }
        // What a client needs to come back it keeps itself, encrypted, so that a server remembers
        // nobody.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        match self.forgets {
            true => config.send_tls13_tickets = 0,
            false => config.ticketer = rustls::crypto::ring::Ticketer::new()?,
        }
        Ok(TlsServer {
            config: Arc::new(config),
            resolver,
        })
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsServer").field(&self.resolver).finish()
    }
}

impl fmt::Debug for TlsServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServerBuilder")
            .field("identities", &self.identities)
            .finish_non_exhaustive()
    }
}
