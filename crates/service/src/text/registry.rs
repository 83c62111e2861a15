use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use torsade_core::{Endpoint, Stdio, ToEndpoint};

use super::syntax::split;
use super::{Arguments, PassedSocket, TextError, TextFault, Value, process, systemd, tcp, unix};
use crate::proxy;

/// What endpoints' texts may begin with, and who makes an [`Endpoint`] of the rest.
///
/// A value: a program that has kinds of its own passes it on to where texts are read, and two
/// parts of a program may understand different ones. [`server`] and [`client`] are those of
/// [`Endpoints::new`].
///
/// | text | listens on, connects to |
/// |---|---|
/// | `tcp:8007`, `tcp:8007:interface=127.0.0.1` | a port of all IPv4 addresses, or of one |
/// | `tcp6:8007`, `tcp6:8007:interface=\:\:1` | the same for IPv6; with `v6only=0`, all addresses of both |
/// | `..:backlog=16` | (server, with all but `systemd:`) so many may wait to be accepted |
/// | `tcp:example.org:80`, `tcp:host=example.org:port=80` | (client) a port of a host; with `timeout=5` in so many seconds, with `bindAddress=192.0.2.1` from there |
/// | `unix:/run/app.socket`, `unix:@name` | a Unix socket, by path or abstract name |
/// | `unix:/run/app.socket:mode=660:lockfile=0` | (server) the file has this mode; one that a killed server has left is not replaced |
/// | `systemd:domain=INET:index=0`, `systemd:domain=UNIX:name=web` | (server, [where there are some](Self::with_sockets)) a socket that the service manager made |
/// | `process:sort:-n` | (client) a program, whose standard input and output are the connection: [`ProcessClientEndpoint`](crate::ProcessClientEndpoint) |
/// | `stdio:` | the standard streams: [`Stdio`] |
/// | `haproxy:tcp:8007` | what is wrapped, behind a proxy: [`ProxyProtocol`](crate::ProxyProtocol) |
/// | `haproxy:trust=10.0.0.0/8,192.0.2.1:tcp:8007` | the same; nobody else is believed |
/// | `haproxy:tcp:example.org:80`, `haproxy:version=1:tcp:..` | (client) tells whose connection it is: [`SendProxy`](crate::SendProxy) |
///
/// `tls:`, `ssl:`, `systemd:`, `fd:` are known by name: where no plug-in
/// brings them, the error says that this program does not support them. The crate `torsade` brings
/// those that need files and the environment, `torsade::service::endpoints()`.
///
/// ```
/// use torsade_service::{Endpoints, TextFault};
///
/// let endpoints = Endpoints::new();
/// let here = endpoints.server("tcp:8007:interface=127.0.0.1")?;
/// assert_eq!(here.places()[0].to_string(), "127.0.0.1:8007");
/// let wrong = endpoints.server("ftp:21").unwrap_err();
/// assert!(matches!(wrong.fault(), TextFault::Prefix { .. }));
/// # Ok::<(), torsade_service::TextError>(())
/// ```
#[doc(alias = "IStreamServerEndpointStringParser")]
#[doc(alias = "IStreamClientEndpointStringParserWithReactor")]
#[derive(Clone)]
pub struct Endpoints {
    servers: BTreeMap<String, Parser>,
    clients: BTreeMap<String, Parser>,
}

/// Makes an endpoint of what stands behind a prefix.
type Parser =
    Arc<dyn Fn(&Endpoints, &mut Arguments<'_>) -> Result<Endpoint, TextError> + Send + Sync>;

/// Endpoints wrapped in one another: more than anybody needs, and no stack is too small for them.
const DEPTH: usize = 8;

/// Prefixes that mean something in Twisted or here, each with what it takes.
const NOT_HERE: &[(&str, &str)] = &[
    ("tls", "no plug-in for TLS is registered"),
    ("ssl", "no plug-in for TLS is registered"),
    ("systemd", "no plug-in for inherited sockets is registered"),
    ("fd", "no plug-in for inherited sockets is registered"),
    ("process", "a program is connected to, nobody comes to it"),
];

impl Endpoints {
    /// Those that this crate brings.
    pub fn new() -> Self {
        let none = Self {
            servers: BTreeMap::new(),
            clients: BTreeMap::new(),
        };
        none.with_server("tcp", |_, arguments| tcp::server(arguments))
            .with_server("tcp6", |_, arguments| tcp::server(arguments))
            .with_server("unix", |_, arguments| unix::server(arguments))
            .with_server("stdio", |_, arguments| stdio(arguments))
            .with_server("haproxy", proxy::server)
            .with_client("tcp", |_, arguments| tcp::client(arguments))
            .with_client("unix", |_, arguments| unix::client(arguments))
            .with_client("stdio", |_, arguments| stdio(arguments))
            .with_client("process", |_, arguments| process::client(arguments))
            .with_client("haproxy", proxy::client)
    }

    /// Let `parse` make what servers listen on of texts with this prefix, instead of who did so
    /// before. It takes its [`Arguments`]; what it leaves is an error.
    #[must_use]
    pub fn with_server(
        mut self,
        prefix: impl Into<String>,
        parse: impl Fn(&Self, &mut Arguments<'_>) -> Result<Endpoint, TextError> + Send + Sync + 'static,
    ) -> Self {
        self.servers.insert(prefix.into(), Arc::new(parse));
        self
    }

    /// The same for what clients connect to.
    #[must_use]
    pub fn with_client(
        mut self,
        prefix: impl Into<String>,
        parse: impl Fn(&Self, &mut Arguments<'_>) -> Result<Endpoint, TextError> + Send + Sync + 'static,
    ) -> Self {
        self.clients.insert(prefix.into(), Arc::new(parse));
        self
    }

    /// The same with `systemd:`, which means one of these sockets: by its place among them, from 0,
    /// or by its name. Each can be listened on once.
    ///
    /// ```
    /// use std::net::TcpListener;
    /// use std::os::fd::OwnedFd;
    /// use torsade_core::Adopted;
    /// use torsade_service::{Endpoints, PassedSocket};
    ///
    /// // In a program: torsade::activated_sockets()?
    /// let socket = Adopted::new(OwnedFd::from(TcpListener::bind("127.0.0.1:0")?));
    /// let name = Some("web".to_owned());
    /// let endpoints = Endpoints::new().with_sockets([PassedSocket { name, socket }]);
    /// let web = endpoints.server("systemd:domain=INET:name=web")?;
    /// assert_eq!(endpoints.server("systemd:domain=INET:index=0")?.places(), web.places());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_sockets(self, sockets: impl IntoIterator<Item = PassedSocket>) -> Self {
        let sockets: Vec<PassedSocket> = sockets.into_iter().collect();
        self.with_server("systemd", move |_, arguments| {
            systemd::server(&sockets, arguments)
        })
    }

    /// What this text says to listen on.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it, and where.
    pub fn server(&self, text: &str) -> Result<Endpoint, TextError> {
        self.wrapped_server(&mut Arguments::new(split(text)?))
    }

    /// What this text says to connect to.
    ///
    /// # Errors
    /// [`TextError`] says what is wrong with it, and where.
    pub fn client(&self, text: &str) -> Result<Endpoint, TextError> {
        self.wrapped_client(&mut Arguments::new(split(text)?))
    }

    /// What these arguments say to listen on: for plug-ins that wrap others, with
    /// [`Arguments::take_wrapped`].
    ///
    /// # Errors
    /// [`TextError`], as for [`server`](Self::server).
    pub fn wrapped_server(&self, arguments: &mut Arguments<'_>) -> Result<Endpoint, TextError> {
        self.ask(&self.servers, arguments)
    }

    /// What these arguments say to connect to: for plug-ins that wrap others.
    ///
    /// # Errors
    /// [`TextError`], as for [`client`](Self::client).
    pub fn wrapped_client(&self, arguments: &mut Arguments<'_>) -> Result<Endpoint, TextError> {
        self.ask(&self.clients, arguments)
    }

    /// What the text in an argument says to listen on: for plug-ins that wrap others and have
    /// arguments behind it, as `ssl:..:endpoint=haproxy\:tcp\:443`.
    ///
    /// # Errors
    /// [`TextError`], which points at all of the argument.
    pub fn server_in(
        &self,
        arguments: &Arguments<'_>,
        value: &Value,
    ) -> Result<Endpoint, TextError> {
        let inner = arguments.inner(value);
        let endpoint = inner.and_then(|mut inner| self.wrapped_server(&mut inner));
        endpoint.map_err(|error| arguments.within(value, &error))
    }

    /// What the text in an argument says to connect to.
    ///
    /// # Errors
    /// [`TextError`], which points at all of the argument.
    pub fn client_in(
        &self,
        arguments: &Arguments<'_>,
        value: &Value,
    ) -> Result<Endpoint, TextError> {
        let inner = arguments.inner(value);
        let endpoint = inner.and_then(|mut inner| self.wrapped_client(&mut inner));
        endpoint.map_err(|error| arguments.within(value, &error))
    }

    fn ask(
        &self,
        parsers: &BTreeMap<String, Parser>,
        arguments: &mut Arguments<'_>,
    ) -> Result<Endpoint, TextError> {
        if arguments.depth() > DEPTH {
            return Err(arguments.wrong_prefix(TextFault::Depth));
        }
        let Some(parse) = parsers.get(arguments.prefix()) else {
            return Err(arguments.wrong_prefix(unknown(parsers, arguments.prefix())));
        };
        let endpoint = parse(self, arguments)?;
        arguments.finish()?;
        Ok(endpoint)
    }
}

fn unknown(parsers: &BTreeMap<String, Parser>, prefix: &str) -> TextFault {
    let prefix = prefix.to_owned();
    if let Some((_, why)) = NOT_HERE.iter().find(|(known, _)| *known == prefix) {
        return TextFault::NotSupported { prefix, why };
    }
    let known: Vec<_> = parsers.keys().map(|known| format!("{known}:")).collect();
    TextFault::Prefix {
        prefix,
        known: known.join(", "),
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("servers", &self.servers.keys())
            .field("clients", &self.clients.keys())
            .finish()
    }
}

/// There is nothing to be said about them.
fn stdio(arguments: &Arguments<'_>) -> Result<Endpoint, TextError> {
    Stdio
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}

/// What this text says to listen on, as Twisted has it; [`Endpoints`] lists what may be said.
///
/// ```
/// let here = torsade_service::server("tcp:0:interface=127.0.0.1")?;
/// // net.listen(here, factory(|_| Echo))?;
/// # assert_eq!(here.places().len(), 1);
/// # Ok::<(), torsade_service::TextError>(())
/// ```
///
/// # Errors
/// [`TextError`] says what is wrong with it, and where.
#[doc(alias = "serverFromString")]
pub fn server(text: &str) -> Result<Endpoint, TextError> {
    Endpoints::new().server(text)
}

/// What this text says to connect to, as Twisted has it; [`Endpoints`] lists what may be said.
///
/// ```
/// let there = torsade_service::client("tcp:127.0.0.1:8007")?;
/// // net.connect(there, Hello)
/// # assert_eq!(there.places().len(), 1);
/// # Ok::<(), torsade_service::TextError>(())
/// ```
///
/// # Errors
/// [`TextError`] says what is wrong with it, and where.
#[doc(alias = "clientFromString")]
pub fn client(text: &str) -> Result<Endpoint, TextError> {
    Endpoints::new().client(text)
}
