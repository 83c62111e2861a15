//! `tls:` and `ssl:` in endpoints' texts.

mod client;
mod files;
mod place;
mod server;
mod ssl_server;

use torsade_core::Endpoint;
use torsade_service::{Arguments, Endpoints, TextError, Value};
use torsade_tls::TlsServerBuilder;

pub use self::client::TlsClientEndpoint;
pub use self::server::TlsServerEndpoint;
pub use self::ssl_server::SslServerEndpoint;

pub(super) fn with_tls(endpoints: Endpoints) -> Endpoints {
    endpoints
        .with_client("tls", client::client)
        .with_client("ssl", client::client)
        .with_server("tls", server::server)
        .with_server("ssl", ssl_server::server)
}

/// What a port has to be.
const PORT: &str = "a number from 0 to 65535";

/// What stands in an argument, without its place in the text.
fn plain(value: &Option<Value>) -> Option<String> {
    value.as_ref().map(|value| value.as_str().to_owned())
}

/// A place, behind TLS.
fn secured(
    arguments: &Arguments<'_>,
    builder: TlsServerBuilder,
    place: Endpoint,
) -> Result<Endpoint, TextError> {
    let server = builder.build();
    let server = server.map_err(|error| arguments.no_endpoint(error))?;
    let secure = server.endpoint(place);
    secure.map_err(|error| arguments.refused(error))
}
