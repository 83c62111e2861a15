use std::fmt;
use std::str::FromStr;

use torsade_core::Endpoint;
use torsade_service::{Arguments, Endpoints, TcpServerEndpoint, TextError, Value, quote};
use torsade_tls::{TlsServer, TlsVersion};

use super::files::identity;
use super::place::Listened;
use super::{PORT, plain, secured};

/// Where to listen for TLS with one identity: what `ssl:443:privateKey=key.pem:certKey=cert.pem`
/// says.
///
/// ```
/// use torsade::service::SslServerEndpoint;
/// use torsade::tls::TlsVersion;
///
/// let here = SslServerEndpoint::new(443, "key.pem").certificate("cert.pem");
/// assert_eq!(here.to_string(), "ssl:443:privateKey=key.pem:certKey=cert.pem");
/// assert_eq!("ssl:port=443:certKey=cert.pem:privateKey=key.pem".parse(), Ok(here.clone()));
/// let old = here.extra_chain("more.pem").only(TlsVersion::Tls12);
/// assert_eq!(
///     old.to_string(),
///     "ssl:443:privateKey=key.pem:certKey=cert.pem:extraCertChain=more.pem:sslmethod=TLSv1_2_METHOD",
/// );
/// // net.listen(old.endpoint()?, factory(|_| Echo))?;
/// assert_eq!(old.endpoint().unwrap_err().position(), 35); // there is no such certificate
/// ```
#[doc(alias = "SSL4ServerEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SslServerEndpoint {
    said: Said<String>,
}

/// What a text of `ssl:` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said<W> {
    place: Listened<W>,
    key: W,
    certificate: Option<W>,
    chain: Option<W>,
    only: Option<TlsVersion>,
}

impl SslServerEndpoint {
    /// At this port of all IPv4 addresses, with the key in this file, which may hold its
    /// certificates, too.
    pub fn new(port: u16, private_key: impl Into<String>) -> Self {
        let said = Said {
            place: Listened::Tcp(TcpServerEndpoint::new(port)),
            key: private_key.into(),
            certificate: None,
            chain: None,
            only: None,
        };
        Self { said }
    }

    /// At this place.
    #[must_use]
    pub fn over(mut self, tcp: TcpServerEndpoint) -> Self {
        self.said.place = Listened::Tcp(tcp);
        self
    }

    /// Inside of what this text says to listen on; `endpoint=` in text.
    #[must_use]
    pub fn inside(mut self, endpoint: impl Into<String>) -> Self {
        self.said.place = Listened::Inside(endpoint.into());
        self
    }

    /// The certificates are in this file; `certKey=` in text.
    #[must_use]
    pub fn certificate(mut self, path: impl Into<String>) -> Self {
        self.said.certificate = Some(path.into());
        self
    }

    /// Show those of this file behind them; `extraCertChain=` in text.
    #[must_use]
    pub fn extra_chain(mut self, path: impl Into<String>) -> Self {
        self.said.chain = Some(path.into());
        self
    }

    /// Speak this version alone; `sslmethod=` in text.
    #[must_use]
    pub fn only(mut self, version: TlsVersion) -> Self {
        self.said.only = Some(version);
        self
    }

    /// What this says to listen on; its files are read now.
    ///
    /// # Errors
    /// [`TextError`] of the text that this is.
    pub fn endpoint(&self) -> Result<Endpoint, TextError> {
        super::super::server(&self.to_string())
    }
}

/// As it is written.
impl fmt::Display for SslServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &self.said;
        write!(f, "ssl:{}:privateKey={}", said.place, quote(&said.key))?;
        if let Some(path) = &said.certificate {
            write!(f, ":certKey={}", quote(path))?;
        }
        if let Some(path) = &said.chain {
            write!(f, ":extraCertChain={}", quote(path))?;
        }
        match said.only {
            None => Ok(()),
            Some(TlsVersion::Tls12) => f.write_str(":sslmethod=TLSv1_2_METHOD"),
            // There is no other yet.
            Some(_) => f.write_str(":sslmethod=TLSv1_3_METHOD"),
        }
    }
}

impl FromStr for SslServerEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let said = Arguments::whole(text, &["ssl"], Said::read)?;
        let said = Said {
            place: said.place.plain(),
            key: said.key.as_str().to_owned(),
            certificate: plain(&said.certificate),
            chain: plain(&said.chain),
            only: said.only,
        };
        Ok(Self { said })
    }
}

impl Said<Value> {
    fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let place = Listened::read(arguments, |arguments| arguments.parse("port", 0, PORT))?;
        let key = arguments.value("privateKey", None)?;
        let key = key.ok_or_else(|| arguments.missing("privateKey"))?;
        let certificate = arguments.value("certKey", None)?;
        let chain = arguments.value("extraCertChain", None)?;
        let only = match arguments.value("sslmethod", None)? {
            None => None,
            Some(method) => match method.as_str() {
                "TLS_METHOD" | "SSLv23_METHOD" => None,
                "TLSv1_2_METHOD" => Some(TlsVersion::Tls12),
                "TLSv1_3_METHOD" => Some(TlsVersion::Tls13),
                _ => {
                    let why = "TLS 1.2 and 1.3 are spoken, no other";
                    return Err(arguments.unusable(&method, why));
                }
            },
        };
        if let Some(value) = arguments.value("dhParameters", None)? {
            let why = "keys are agreed upon over elliptic curves, which needs none";
            return Err(arguments.unusable(&value, why));
        }
        Ok(Self {
            place,
            key,
            certificate,
            chain,
            only,
        })
    }
}

/// `ssl:443:privateKey=key.pem:certKey=cert.pem`
pub(super) fn server(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<Endpoint, TextError> {
    let said = Said::read(arguments)?;
    let place = said.place.open(endpoints, arguments)?;
    let mut builder = TlsServer::builder();
    let (certificate, chain) = (said.certificate.as_ref(), said.chain.as_ref());
    if let Some(identity) = identity(arguments, certificate, Some(&said.key), chain)? {
        builder = builder.identity(identity);
    }
    if let Some(version) = said.only {
        builder = builder.only(version);
    }
    secured(arguments, builder, place)
}
