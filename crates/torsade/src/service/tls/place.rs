use std::fmt;

use torsade_core::{Endpoint, ToEndpoint};
use torsade_service::{
    Arguments, Endpoints, TcpClientEndpoint, TcpServerEndpoint, TextError, Value, quote,
};

/// What TLS is spoken over by a client, and what the server there is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reached<W> {
    Tcp(TcpClientEndpoint),
    /// The text of an endpoint, in the argument of that name.
    Inside {
        host: W,
        endpoint: W,
    },
}

impl Reached<Value> {
    pub(super) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let Some(endpoint) = arguments.value("endpoint", None)? else {
            return Ok(Self::Tcp(TcpClientEndpoint::read(arguments)?));
        };
        let host = arguments.value("host", Some(0))?;
        let host = host.ok_or_else(|| arguments.missing("host"))?;
        // Twisted wants a port there, which means nothing then.
        let _ = arguments.value("port", Some(1))?;
        Ok(Self::Inside { host, endpoint })
    }

    pub(super) fn open(
        &self,
        endpoints: &Endpoints,
        arguments: &Arguments<'_>,
    ) -> Result<Endpoint, TextError> {
        match self {
            Self::Tcp(tcp) => {
                let place = tcp.to_endpoint();
                place.map_err(|error| arguments.refused(error))
            }
            Self::Inside { endpoint, .. } => endpoints.client_in(arguments, endpoint),
        }
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Self::Tcp(tcp) => tcp.host(),
            Self::Inside { host, .. } => host.as_str(),
        }
    }

    pub(super) fn plain(&self) -> Reached<String> {
        match self {
            Self::Tcp(tcp) => Reached::Tcp(tcp.clone()),
            Self::Inside { host, endpoint } => Reached::Inside {
                host: host.as_str().to_owned(),
                endpoint: endpoint.as_str().to_owned(),
            },
        }
    }
}

impl fmt::Display for Reached<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => tcp.arguments().fmt(f),
            Self::Inside { host, endpoint } => {
                write!(f, "{}:endpoint={}", quote(host), quote(endpoint))
            }
        }
    }
}

/// What TLS is spoken over by a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listened<W> {
    Tcp(TcpServerEndpoint),
    /// The text of an endpoint, in the argument of that name.
    Inside(W),
}

impl Listened<Value> {
    /// A port, which `port` reads, or the endpoint in the argument of that name.
    pub(super) fn read(
        arguments: &mut Arguments<'_>,
        port: impl FnOnce(&mut Arguments<'_>) -> Result<u16, TextError>,
    ) -> Result<Self, TextError> {
        if let Some(inner) = arguments.value("endpoint", None)? {
            return Ok(Self::Inside(inner));
        }
        let tcp = TcpServerEndpoint::new(port(arguments)?);
        Ok(Self::Tcp(tcp.reading(arguments)?))
    }

    pub(super) fn open(
        &self,
        endpoints: &Endpoints,
        arguments: &Arguments<'_>,
    ) -> Result<Endpoint, TextError> {
        match self {
            Self::Tcp(tcp) => {
                let place = tcp.to_endpoint();
                place.map_err(|error| arguments.refused(error))
            }
            Self::Inside(endpoint) => endpoints.server_in(arguments, endpoint),
        }
    }

    pub(super) fn plain(&self) -> Listened<String> {
        match self {
            Self::Tcp(tcp) => Listened::Tcp(tcp.clone()),
            Self::Inside(endpoint) => Listened::Inside(endpoint.as_str().to_owned()),
        }
    }
}

impl fmt::Display for Listened<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => tcp.arguments().fmt(f),
            Self::Inside(endpoint) => write!(f, "endpoint={}", quote(endpoint)),
        }
    }
}
