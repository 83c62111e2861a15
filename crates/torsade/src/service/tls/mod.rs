//! `tls:` and `ssl:` in endpoints' texts.

mod client;
mod files;
mod place;
mod server;

use torsade_service::{Endpoints, Value};

pub use self::client::TlsClientEndpoint;
pub use self::server::{SslServerEndpoint, TlsServerEndpoint};

pub(super) fn with_tls(endpoints: Endpoints) -> Endpoints {
    endpoints
        .with_client("tls", client::client)
        .with_client("ssl", client::client)
        .with_server("tls", server::by_name)
        .with_server("ssl", server::one)
}

/// What stands in an argument, without its place in the text.
fn plain(value: &Option<Value>) -> Option<String> {
    value.as_ref().map(|value| value.as_str().to_owned())
}
