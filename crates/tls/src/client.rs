use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use torsade_core::{Endpoint, EndpointError, ToEndpoint};

use crate::filter::Role;
use crate::provider::{Common, provider};
use crate::verifier::{Anybody, Servers};
use crate::{Identity, Roots, TlsConfigError, TlsEnd, TlsFilter, TlsVersion};

/// The client's end of TLS: whom it trusts, and who it is if it is asked.
///
/// It checks that a server is who it is said to be, always: the certificate must be valid now, for
/// that name, and be vouched for by somebody who is trusted. It is made once and shared, which also
/// lets its connections be [resumed](crate::TlsInfo::is_resumed); clones are the same.
///
/// ```
/// use torsade_tls::{Roots, TlsClient};
///
/// let tls = TlsClient::new()?; // who is trusted is the system's business
/// # let in_house = torsade_tls::throw_away::Authority::new("House").certificate_pem().to_owned();
/// let ours = TlsClient::builder().roots(&Roots::from_pem(&in_house)?).build()?;
/// let secure = ours.endpoint("localhost:8443")?;
/// // net.connect(secure, Echo)
/// # let _ = (tls, secure);
/// # Ok::<(), torsade_tls::TlsConfigError>(())
/// ```
#[doc(alias = "optionsForClientTLS")]
#[doc(alias = "connectSSL")]
#[doc(alias = "SSLContext")]
#[doc(alias = "create_default_context")]
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

/// A [`TlsClient`] that knows whom it talks to.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_tls::{Roots, TlsClient, TlsEnd, throw_away::Authority};
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
///
/// let tls = TlsClient::builder().roots(&Authority::new("Test").roots()).build()?;
/// let example = tls.to("example.org")?;
/// let mut t = StringTransport::builder().filter(move |_| example.tls_filter()).connect(Quiet);
/// assert_eq!(t.take_sent()[0], 22); // the record of a handshake
/// # Ok::<(), torsade_tls::TlsConfigError>(())
/// ```
#[derive(Clone)]
pub struct TlsConnector {
    client: TlsClient,
    name: ServerName<'static>,
}

/// How to make a [`TlsClient`].
#[derive(Clone, Default)]
pub struct TlsClientBuilder {
    common: Common,
    trust: Trust,
    identity: Option<Identity>,
    forgets: bool,
}

#[derive(Clone, Default)]
enum Trust {
    #[default]
    Platform,
    These(Roots),
    Anybody,
}

impl TlsClient {
    /// A client that trusts whom [the system trusts](Roots::platform), without an identity of its
    /// own.
    ///
    /// # Errors
    /// [`TlsConfigError::PlatformRoots`].
    pub fn new() -> Result<Self, TlsConfigError> {
        Self::builder().build()
    }

    /// For other settings.
    pub fn builder() -> TlsClientBuilder {
        TlsClientBuilder::default()
    }

    /// A connection to this place, `example.org:443` for instance, with TLS from its beginning. The
    /// server must be the one of that name or address.
    ///
    /// Where the address is known and the name is another thing, see [`to`](Self::to).
    ///
    /// # Errors
    /// Those of the place, and [`TlsConfigError::Name`].
    #[doc(alias = "wrapClientTLS")]
    #[doc(alias = "connectSSL")]
    pub fn endpoint(&self, to: &str) -> Result<Endpoint, TlsConfigError> {
        let place = to.to_endpoint()?;
        let host = to.rsplit_once(':').map_or(to, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(self.to(host)?.endpoint(place)?)
    }

    /// The same client, for a server of this name or address.
    ///
    /// # Errors
    /// [`TlsConfigError::Name`] if it is neither.
    #[doc(alias = "server_hostname")]
    pub fn to(&self, name: &str) -> Result<TlsConnector, TlsConfigError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TlsConfigError::Name(name.to_owned()))?;
        Ok(TlsConnector {
            client: self.clone(),
            name,
        })
    }
}

impl TlsConnector {
    /// A connection to this place, with TLS from its beginning.
    ///
    /// # Errors
    /// Those of the place.
    pub fn endpoint(&self, to: impl ToEndpoint) -> Result<Endpoint, EndpointError> {
        let connector = self.clone();
        Ok(to.to_endpoint()?.filter(move |_| connector.tls_filter()))
    }
}

impl TlsEnd for TlsConnector {
    fn tls_filter(&self) -> TlsFilter {
        let config = Arc::clone(&self.client.0);
        TlsFilter::new(Role::Client(config, self.name.clone()))
    }
}

impl TlsClientBuilder {
    /// Trust these, instead of whom the system trusts.
    #[doc(alias = "trustRoot")]
    #[must_use]
    pub fn roots(mut self, roots: &Roots) -> Self {
        self.trust = Trust::These(roots.clone());
        self
    }

    /// Be this, to servers that ask.
    #[doc(alias = "clientCertificate")]
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The application protocols that it speaks, the best first.
    #[doc(alias = "acceptableProtocols")]
    #[doc(alias = "set_alpn_protocols")]
    #[must_use]
    pub fn alpn<N: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = N>) -> Self {
        let protocols = protocols.into_iter();
        self.common.alpn = protocols.map(|name| name.as_ref().to_vec()).collect();
        self
    }

    /// Speak this version of TLS only, instead of 1.3 and 1.2.
    #[must_use]
    pub fn only(mut self, version: TlsVersion) -> Self {
        self.common.only = Some(version);
        self
    }

    /// Greet a server that is known like a stranger. Otherwise the last 256 are remembered.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// Give the secrets of every connection to `sink`, a line each in the form of the
    /// `SSLKEYLOGFILE`, so that Wireshark can read what was captured. Whoever has them can read
    /// everything.
    #[doc(alias = "keylog_filename")]
    #[must_use]
    pub fn key_log(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.common.log_keys(sink);
        self
    }

    /// Take the time from here, since the beginning of 1970, instead of from the system: what
    /// servers' certificates are checked against.
    #[must_use]
    pub fn wall_clock(mut self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.common.set_clock(now);
        self
    }

    /// Take every server for who it says it is: no name, no date and no authority is checked.
    ///
    /// Whoever sits between can then read and change everything, so that the encryption is worth
    /// next to nothing. To trust a certificate that is of no authority, trust it:
    /// [`Roots::from_pem`].
    #[doc(alias = "CERT_NONE")]
    #[doc(alias = "check_hostname")]
    #[must_use]
    pub fn dangerously_trust_every_server(mut self) -> Self {
        self.trust = Trust::Anybody;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what does not fit together.
    pub fn build(self) -> Result<TlsClient, TlsConfigError> {
        self.common.check_alpn()?;
        let config =
            ClientConfig::builder_with_details(Arc::clone(provider()), self.common.clock())
                .with_protocol_versions(self.common.versions())?;
        let roots = match &self.trust {
            Trust::Platform => Some(Roots::platform()?),
            Trust::These(roots) => Some(roots.clone()),
            Trust::Anybody => None,
        };
        let config = config.dangerous();
        let config = match roots {
            Some(roots) => {
                let verifier = WebPkiServerVerifier::builder_with_provider(
                    roots.store()?,
                    Arc::clone(provider()),
                );
                let verifier = verifier
                    .build()
                    .map_err(|error| TlsConfigError::Other(error.to_string()))?;
                config.with_custom_certificate_verifier(Arc::new(Servers(verifier)))
            }
            None => config.with_custom_certificate_verifier(Arc::new(Anybody)),
        };
        let mut config = match &self.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = Arc::clone(identity.key());
                config
                    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
            }
        };
        config.alpn_protocols = self.common.alpn.clone();
        if let Some(log) = self.common.key_log() {
            config.key_log = log;
        }
        if self.forgets {
            config.resumption = Resumption::disabled();
        }
        Ok(TlsClient(Arc::new(config)))
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsConnector({:?})", self.name.to_str())
    }
}

impl fmt::Debug for TlsClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClientBuilder").finish_non_exhaustive()
    }
}
