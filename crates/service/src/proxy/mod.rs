//! The PROXY protocol: who a connection is from, told by the proxy that passes it on.

mod checksum;
mod header;
mod receive;
mod send;
mod trust;
mod v1;
mod v2;

use torsade_core::{Disconnect, Endpoint};

pub use self::header::{ProxyCommand, ProxyHeader, ProxyVersion, Tlv};
pub use self::receive::{ProxiedBy, ProxyProtocol, ReadProxy};
pub use self::send::SendProxy;
pub use self::trust::{Network, NetworkError};
use crate::text::{Arguments, Endpoints, TextError};

/// `haproxy:tcp:8007`, `haproxy:trust=10.0.0.0/8,192.0.2.1:tcp:8007`
pub(crate) fn server(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<Endpoint, TextError> {
    let mut wrapped = arguments.take_wrapped()?;
    let inner = endpoints.wrapped_server(&mut wrapped)?;
    let mut proxy = ProxyProtocol::required();
    if let Some(taken) = arguments.value("trust", None)? {
        let networks: Result<Vec<Network>, _> = taken.as_str().split(',').map(str::parse).collect();
        match networks {
            Ok(networks) => proxy = proxy.trust(networks),
            Err(_) => {
                let expected = "IP addresses or networks like 10.0.0.0/8, with commas between";
                return Err(arguments.invalid(&taken, expected));
            }
        }
    }
    Ok(proxy.on(inner))
}

/// `haproxy:tcp:example.org:80`, `haproxy:version=1:tcp:example.org:80`
pub(crate) fn client(
    endpoints: &Endpoints,
    arguments: &mut Arguments<'_>,
) -> Result<Endpoint, TextError> {
    let mut wrapped = arguments.take_wrapped()?;
    let inner = endpoints.wrapped_client(&mut wrapped)?;
    let version = match arguments.value("version", None)? {
        None => ProxyVersion::V2,
        Some(taken) => match taken.as_str() {
            "1" => ProxyVersion::V1,
            "2" => ProxyVersion::V2,
            _ => return Err(arguments.invalid(&taken, "1 or 2")),
        },
    };
    Ok(inner.filter(move |peer| SendProxy::own(version, peer)))
}

/// The peer's header is wrong.
fn wrong(what: &'static str) -> Disconnect {
    Disconnect::protocol(what)
}
