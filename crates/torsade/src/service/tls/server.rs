use std::fmt;
use std::str::FromStr;

use torsade_core::Endpoint;
use torsade_service::{Arguments, Endpoints, TcpServerEndpoint, TextError, Value, quote};
use torsade_tls::TlsServer;

use super::files::identities;
use super::place::Listened;
use super::{PORT, secured};

const HTTPS: u16 = 443;

/// Where to listen for TLS with identities by name: what `tls:/etc/certs:443` says.
///
/// The path is that of a file, or of a folder whose `.pem` files are meant: each holds certificates
/// and their key. [`endpoint`](Self::endpoint) reads them.
///
/// ```
/// use std::net::Ipv4Addr;
/// use torsade::service::{TcpServerEndpoint, TlsServerEndpoint};
///
/// let here = TlsServerEndpoint::new("/etc/certs");
/// assert_eq!(here.to_string(), "tls:/etc/certs:443");
/// assert_eq!("tls:/etc/certs".parse(), Ok(here.clone()));
/// let here = here.over(TcpServerEndpoint::new(8443).interface(Ipv4Addr::LOCALHOST));
/// assert_eq!(here.to_string(), "tls:/etc/certs:8443:interface=127.0.0.1");
/// let here = here.inside("haproxy:tcp:8443");
/// assert_eq!(here.to_string(), r"tls:/etc/certs:endpoint=haproxy\:tcp\:8443");
/// // net.listen(here.endpoint()?, factory(|_| Echo))?;
/// assert_eq!(here.endpoint().unwrap_err().position(), 4); // there is no such folder
/// ```
#[doc(alias = "wrapServerTLS")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServerEndpoint {
    said: Said<String>,
}

/// What a text of `tls:` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said<W> {
    path: W,
    place: Listened<W>,
}

impl TlsServerEndpoint {
    /// With the identities of this file or folder, at port 443 of all IPv4 addresses.
    pub fn new(path: impl Into<String>) -> Self {
        let said = Said {
            path: path.into(),
            place: Listened::Tcp(TcpServerEndpoint::new(HTTPS)),
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

    /// What this says to listen on; its files are read now.
    ///
    /// # Errors
    /// [`TextError`] of the text that this is.
    pub fn endpoint(&self) -> Result<Endpoint, TextError> {
        super::super::server(&self.to_string())
    }
}

/// As it is written.
impl fmt::Display for TlsServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Said { path, place } = &self.said;
        write!(f, "tls:{}:{place}", quote(path))
    }
}

impl FromStr for TlsServerEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let said = Arguments::whole(text, &["tls"], Said::read)?;
        let said = Said {
            path: said.path.as_str().to_owned(),
            place: said.place.plain(),
        };
        Ok(Self { said })
    }
}

impl Said<Value> {
    fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let path = arguments.value("path", Some(0))?;
        let path = path.ok_or_else(|| arguments.missing("path"))?;
        let place = Listened::read(arguments, |arguments| {
            match arguments.value("port", Some(1))? {
                None => Ok(HTTPS),
                Some(port) => {
                    let number = port.as_str().parse();
                    number.map_err(|_| arguments.invalid(&port, PORT))
                }
            }
        })?;
        Ok(Self { path, place })
    }
}

/// `tls:/etc/certs:443`
pub(super) fn server(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<Endpoint, TextError> {
    let said = Said::read(arguments)?;
    let place = said.place.open(endpoints, arguments)?;
    let mut builder = TlsServer::builder();
    for identity in identities(arguments, &said.path)? {
        builder = builder.identity(identity);
    }
    secured(arguments, builder, place)
}
