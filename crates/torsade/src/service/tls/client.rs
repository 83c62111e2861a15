use std::fmt;
use std::str::FromStr;

use torsade_core::Endpoint;
use torsade_service::{Arguments, Endpoints, TcpClientEndpoint, TextError, Value, quote};
use torsade_tls::{TlsClient, TlsConfigError};

use super::files::{authorities, identity};
use super::place::Reached;
use super::plain;

/// Whom to connect to by TLS: what `tls:example.org:443:trustRoots=/etc/ours` says.
///
/// It says so as a text: files are named by their paths, and [`endpoint`](Self::endpoint) reads
/// them. A program that has certificates, not files, has a use for
/// [`TlsClient`].
///
/// ```
/// use torsade::service::{TlsClientEndpoint, client};
///
/// let there = TlsClientEndpoint::new("example.org", 443).trust_roots("/etc/ours");
/// assert_eq!(there.to_string(), "tls:example.org:443:trustRoots=/etc/ours");
/// assert_eq!(there.to_string().parse(), Ok(there.clone()));
/// // The older words say the same.
/// assert_eq!("ssl:example.org:443:caCertsDir=/etc/ours".parse(), Ok(there));
///
/// let anybody = TlsClientEndpoint::new("::1", 443).dangerously_trust_every_server();
/// assert_eq!(anybody.to_string(), r"tls:\:\:1:443:verify=no");
/// // net.connect(anybody.endpoint()?, Hello)
/// assert_eq!(anybody.endpoint()?.places(), client(r"tls:\:\:1:443:verify=no")?.places());
/// # Ok::<(), torsade::service::TextError>(())
/// ```
#[doc(alias = "wrapClientTLS")]
#[doc(alias = "SSL4ClientEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsClientEndpoint {
    said: Client<String>,
}

/// What a text says; a value in it knows its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client<W> {
    place: Reached<W>,
    hostname: Option<W>,
    certificate: Option<W>,
    key: Option<W>,
    trust: Trust<W>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Trust<W> {
    /// Those whom the system trusts.
    Platform,
    /// Those in this file, or in the files of this folder.
    Roots(W),
    /// `verify=no`
    Everybody,
}

impl TlsClientEndpoint {
    /// This port of this host, who has to show that it is the host.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self::over(TcpClientEndpoint::new(host, port))
    }

    /// The same, with more to say of the way there.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use torsade::service::{TcpClientEndpoint, TlsClientEndpoint};
    ///
    /// let tcp = TcpClientEndpoint::new("example.org", 443).bind(Ipv4Addr::LOCALHOST);
    /// let there = TlsClientEndpoint::over(tcp);
    /// assert_eq!(there.to_string(), "tls:example.org:443:bindAddress=127.0.0.1");
    /// ```
    pub fn over(tcp: TcpClientEndpoint) -> Self {
        Self::at(Reached::Tcp(tcp))
    }

    /// Inside of what this text says to connect to, where this host has to be; `endpoint=` in text.
    ///
    /// ```
    /// use torsade::service::TlsClientEndpoint;
    ///
    /// let there = TlsClientEndpoint::inside("example.org", "unix:/run/proxy");
    /// assert_eq!(there.to_string(), r"tls:example.org:endpoint=unix\:/run/proxy");
    /// ```
    pub fn inside(host: impl Into<String>, endpoint: impl Into<String>) -> Self {
        Self::at(Reached::Inside {
            host: host.into(),
            endpoint: endpoint.into(),
        })
    }

    fn at(place: Reached<String>) -> Self {
        let said = Client {
            place,
            hostname: None,
            certificate: None,
            key: None,
            trust: Trust::Platform,
        };
        Self { said }
    }

    /// It is this name or address that the server has to show; `hostname=` in text.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.said.hostname = Some(name.into());
        self
    }

    /// Show the certificates of this file, which may hold their key, too; `certificate=` in text.
    #[must_use]
    pub fn certificate(mut self, path: impl Into<String>) -> Self {
        self.said.certificate = Some(path.into());
        self
    }

    /// The key of what is shown is in this file; `privateKey=` in text.
    #[must_use]
    pub fn private_key(mut self, path: impl Into<String>) -> Self {
        self.said.key = Some(path.into());
        self
    }

    /// It is these who are trusted, and not those of the system: a file of certificates, or the
    /// `.pem` files of a folder; `trustRoots=` in text.
    #[must_use]
    pub fn trust_roots(mut self, path: impl Into<String>) -> Self {
        self.said.trust = Trust::Roots(path.into());
        self
    }

    /// Take every server for who it says it is, which protects from nobody who sits between;
    /// `verify=no` in text.
    #[must_use]
    pub fn dangerously_trust_every_server(mut self) -> Self {
        self.said.trust = Trust::Everybody;
        self
    }

    /// What this says to connect to; its files are read now.
    ///
    /// # Errors
    /// [`TextError`] of the text that this is.
    pub fn endpoint(&self) -> Result<Endpoint, TextError> {
        super::super::client(&self.to_string())
    }
}

/// As it is written, with the words of `tls:`.
impl fmt::Display for TlsClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &self.said;
        write!(f, "tls:{}", said.place)?;
        for (name, word) in [
            ("hostname", &said.hostname),
            ("certificate", &said.certificate),
            ("privateKey", &said.key),
        ] {
            if let Some(word) = word {
                write!(f, ":{name}={}", quote(word))?;
            }
        }
        match &said.trust {
            Trust::Platform => Ok(()),
            Trust::Roots(path) => write!(f, ":trustRoots={}", quote(path)),
            Trust::Everybody => f.write_str(":verify=no"),
        }
    }
}

impl FromStr for TlsClientEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let said = Arguments::whole(text, &["tls", "ssl"], Client::read)?;
        Ok(Self { said: said.plain() })
    }
}

/// `tls:example.org:443`, `ssl:example.org:443`
pub(super) fn client(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<Endpoint, TextError> {
    Client::read(arguments)?.open(endpoints, arguments)
}

impl Client<Value> {
    fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let (certificate, roots) = match arguments.prefix() {
            "ssl" => ("certKey", "caCertsDir"),
            _ => ("certificate", "trustRoots"),
        };
        let place = Reached::read(arguments)?;
        let hostname = arguments.value("hostname", None)?;
        let certificate = arguments.value(certificate, None)?;
        let key = arguments.value("privateKey", None)?;
        let roots = arguments.value(roots, None)?;
        let verifies = arguments.flag("verify")?.unwrap_or(true);
        let trust = match roots {
            Some(roots) if verifies => Trust::Roots(roots),
            Some(roots) => {
                return Err(arguments.unusable(&roots, "nobody is checked (`verify=no`)"));
            }
            None if verifies => Trust::Platform,
            None => Trust::Everybody,
        };
        Ok(Self {
            place,
            hostname,
            certificate,
            key,
            trust,
        })
    }

    fn open(
        &self,
        endpoints: &Endpoints,
        arguments: &Arguments<'_>,
    ) -> Result<Endpoint, TextError> {
        let place = self.place.open(endpoints, arguments)?;
        let name = match &self.hostname {
            Some(name) => name.as_str(),
            None => self.place.host(),
        };
        let mut builder = TlsClient::builder();
        match &self.trust {
            Trust::Platform => {}
            Trust::Roots(path) => builder = builder.roots(&authorities(arguments, path)?),
            Trust::Everybody => builder = builder.dangerously_trust_every_server(),
        }
        let (certificate, key) = (self.certificate.as_ref(), self.key.as_ref());
        if let Some(identity) = identity(arguments, certificate, key, None)? {
            builder = builder.identity(identity);
        }
        let refused = |error: TlsConfigError| arguments.no_endpoint(error);
        let connector = builder.build().and_then(|client| client.to(name));
        let secure = connector.map_err(refused)?.endpoint(place);
        secure.map_err(|error| arguments.refused(error))
    }

    fn plain(&self) -> Client<String> {
        Client {
            place: self.place.plain(),
            hostname: plain(&self.hostname),
            certificate: plain(&self.certificate),
            key: plain(&self.key),
            trust: match &self.trust {
                Trust::Platform => Trust::Platform,
                Trust::Roots(path) => Trust::Roots(path.as_str().to_owned()),
                Trust::Everybody => Trust::Everybody,
            },
        }
    }
}
