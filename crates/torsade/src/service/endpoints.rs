use torsade_core::Endpoint;
use torsade_service::{Endpoints, TextError};
#[cfg(unix)]
use {
    crate::activated_sockets,
    std::sync::OnceLock,
    torsade_service::{Arguments, PassedSocket},
};

/// What this text says to listen on, as Twisted has it; [`endpoints`] lists what may be said.
///
/// ```
/// use torsade::service::server;
///
/// let here = server("tcp:0:interface=127.0.0.1")?;
/// // net.listen(here, factory(|_| Echo))?;
/// # assert_eq!(here.places().len(), 1);
/// # Ok::<(), torsade::service::TextError>(())
/// ```
///
/// # Errors
/// [`TextError`] says what is wrong with it, and where.
#[doc(alias = "serverFromString")]
pub fn server(text: &str) -> Result<Endpoint, TextError> {
    endpoints().server(text)
}

/// What this text says to connect to, as Twisted has it; [`endpoints`] lists what may be said.
///
/// ```
/// use torsade::service::client;
///
/// let there = client("tcp:127.0.0.1:8007")?;
/// // net.connect(there, Hello)
/// # assert_eq!(there.places().len(), 1);
/// # Ok::<(), torsade::service::TextError>(())
/// ```
///
/// # Errors
/// [`TextError`] says what is wrong with it, and where.
#[doc(alias = "clientFromString")]
pub fn client(text: &str) -> Result<Endpoint, TextError> {
    endpoints().client(text)
}

/// Everything that endpoints' texts may begin with: what [`Endpoints`] lists, the sockets of a
/// service manager (`systemd:`, on Unix), and with the feature `tls` these:
///
/// | text | listens on, connects to |
/// |---|---|
/// | `tls:example.org:443` | (client) a server that shows that it is example.org, to whom the system trusts |
/// | `..:trustRoots=/etc/ours` | (client) the same, but it is these who are trusted: a file of certificates, or the `.pem` files of a folder |
/// | `..:certificate=us.pem:privateKey=us.key` | (client) shows who it is itself; the key may stand in the same file |
/// | `..:hostname=example.org` | (client) it is this name or address that the server has to show, and `host` is where it is |
/// | `..:verify=no` | (client) takes every server for who it says it is, which protects from nobody who sits between |
/// | `ssl:443:privateKey=key.pem:certKey=cert.pem` | (server) TLS with this identity; `extraCertChain=` has more certificates to show |
/// | `..:sslmethod=TLSv1_2_METHOD` | (server of `ssl:`) this version only; `TLS_METHOD`, which is the default, is 1.2 and 1.3 |
/// | `tls:/etc/certs:443` | (server) TLS with the identities of a file, or of the `.pem` files of a folder: each holds certificates and their key, and the client is shown the one of the name it asks for |
/// | `ssl:example.org:443` | (client) the same as `tls:`, with Twisted's older words: `certKey=`, `caCertsDir=` |
/// | `..:endpoint=haproxy\:tcp\:443` | (both sides) TLS inside of that endpoint, whose text is quoted, instead of TCP |
///
/// Beside these, `timeout=`, `bindAddress=`, `interface=`, `backlog=` and `v6only=` mean what they
/// do after `tcp:`. Files are read when the text is, so what is wrong with one is told with its
/// place in the text.
///
/// `TlsClientEndpoint`, `TlsServerEndpoint` and `SslServerEndpoint` of this module are such texts
/// as values, as [`TcpClientEndpoint`](super::TcpClientEndpoint) is one of `tcp:`.
///
/// `haproxy:ssl:443:..` is a PROXY header inside of TLS, `ssl:..:endpoint=haproxy\:tcp\:443` one in
/// front of it, which is what haproxy's `send-proxy` and nginx's `proxy_protocol` send.
///
/// ```
/// use torsade::service::{TextFault, endpoints};
///
/// let endpoints = endpoints();
/// let there = endpoints.client("tcp:example.org:80")?;
/// # #[cfg(feature = "tls")] {
/// let secure = endpoints.client("tls:example.org:443:verify=no")?;
/// let wrong = endpoints.server("ssl:443:privateKey=nowhere.pem").unwrap_err();
/// assert!(matches!(wrong.fault(), TextFault::Unusable { name, .. } if name == "privateKey"));
/// # drop(secure);
/// # }
/// # drop(there);
/// # Ok::<(), torsade::service::TextError>(())
/// ```
pub fn endpoints() -> Endpoints {
    let endpoints = Endpoints::new();
    #[cfg(feature = "tls")]
    let endpoints = super::tls::with_tls(endpoints);
    #[cfg(unix)]
    let endpoints = endpoints.with_server("systemd", activated);
    endpoints
}

/// The sockets are the process's, and are given once: whoever asks for them by text first has them
/// for everybody who does, and a program that never does can take them itself.
#[cfg(unix)]
fn activated(_: &Endpoints, arguments: &mut Arguments<'_>) -> Result<Endpoint, TextError> {
    static PASSED: OnceLock<Result<Vec<PassedSocket>, String>> = OnceLock::new();
    let passed = PASSED.get_or_init(|| match activated_sockets() {
        Ok(sockets) => Ok(sockets
            .into_iter()
            .map(|it| PassedSocket {
                name: it.name,
                socket: it.socket,
            })
            .collect()),
        Err(error) => Err(error.to_string()),
    });
    match passed {
        Ok(passed) => Endpoints::new()
            .with_sockets(passed.iter().cloned())
            .wrapped_server(arguments),
        Err(error) => Err(arguments.no_endpoint(error)),
    }
}
