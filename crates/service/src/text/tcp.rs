use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use torsade_core::{Endpoint, EndpointError, ToEndpoint};

use super::arguments::Read;
use super::{Arguments, TextError, quote};

const PORT: &str = "a number from 0 to 65535";

/// Where to listen for TCP: what `tcp:8007:interface=127.0.0.1` says.
///
/// ```
/// use std::net::Ipv4Addr;
/// use torsade_core::ToEndpoint;
/// use torsade_service::TcpServerEndpoint;
///
/// let here = TcpServerEndpoint::new(8007).interface(Ipv4Addr::LOCALHOST);
/// assert_eq!(here.to_string(), "tcp:8007:interface=127.0.0.1");
/// assert_eq!("tcp:8007:interface=127.0.0.1".parse(), Ok(here.clone()));
/// // net.listen(here, factory(|_| Echo))?;
/// assert_eq!(here.to_endpoint()?.places()[0].to_string(), "127.0.0.1:8007");
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "TCP4ServerEndpoint")]
#[doc(alias = "TCP6ServerEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpServerEndpoint {
    port: u16,
    interface: IpAddr,
    backlog: Option<u32>,
    only_v6: bool,
}

impl TcpServerEndpoint {
    /// At this port of all IPv4 addresses of this machine. Port 0 takes a free one.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            interface: Ipv4Addr::UNSPECIFIED.into(),
            backlog: None,
            only_v6: true,
        }
    }

    /// At this port of all IPv6 addresses of this machine; `tcp6:8007` in text.
    pub fn v6(port: u16) -> Self {
        Self::new(port).interface(Ipv6Addr::UNSPECIFIED)
    }

    /// At this address only.
    #[must_use]
    pub fn interface(self, interface: impl Into<IpAddr>) -> Self {
        Self {
            interface: interface.into(),
            ..self
        }
    }

    /// Let so many wait to be accepted, instead of `Limits::backlog`; `backlog=` in text.
    #[must_use]
    pub fn backlog(self, connections: u32) -> Self {
        Self {
            backlog: Some(connections),
            ..self
        }
    }

    /// Whether every IPv6 address is that alone, which it is if nothing else is said, or every IPv4
    /// address, too; `v6only=0` in text, of IPv6 addresses only. See [`Endpoint::only_v6`].
    #[must_use]
    pub fn only_v6(self, on: bool) -> Self {
        Self {
            only_v6: on,
            ..self
        }
    }

    /// What these arguments say of the place besides its port: `interface=`, `backlog=`, `v6only=`.
    /// For plug-ins that put something on top of TCP.
    ///
    /// # Errors
    /// [`TextError`] where one of them is not what it has to be.
    pub fn reading(self, arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let mut server = self;
        let is_v6 = server.interface.is_ipv6();
        // Nothing is what Twisted takes for every address.
        let interface = arguments.value("interface", None)?;
        if let Some(value) = interface.filter(|value| !value.as_str().is_empty()) {
            server.interface = match value.as_str().parse::<IpAddr>() {
                Ok(interface) if interface.is_ipv6() || !is_v6 => interface,
                _ if is_v6 => return Err(arguments.invalid(&value, "an IPv6 address")),
                _ => return Err(arguments.invalid(&value, "an IP address of this machine")),
            };
        }
        server.backlog = arguments.parse_named("backlog", "a number of connections")?;
        if server.interface.is_ipv6() {
            server.only_v6 = arguments.flag("v6only")?.unwrap_or(true);
        }
        Ok(server)
    }

    /// What stands behind the prefix in its text, for texts that say more of the same place:
    /// [`reading`](Self::reading) understands it again behind the port, also after another prefix.
    ///
    /// ```
    /// use torsade_service::TcpServerEndpoint;
    ///
    /// let here = TcpServerEndpoint::v6(443).backlog(16);
    /// assert_eq!(here.to_string(), "tcp6:443:backlog=16");
    /// assert_eq!(here.arguments().to_string(), r"443:interface=\:\::backlog=16");
    /// ```
    pub fn arguments(&self) -> impl fmt::Display + '_ {
        ServerArguments {
            server: self,
            // Only `tcp6:` says this by itself.
            says_interface: self.interface != IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    pub(crate) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let is_v6 = arguments.prefix() == "tcp6";
        let port = arguments.parse("port", 0, PORT)?;
        let server = if is_v6 {
            Self::v6(port)
        } else {
            Self::new(port)
        };
        server.reading(arguments)
    }
}

impl ToEndpoint for TcpServerEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let endpoint = SocketAddr::new(self.interface, self.port).to_endpoint()?;
        let endpoint = endpoint.only_v6(self.only_v6);
        Ok(match self.backlog {
            Some(backlog) => endpoint.backlog(backlog),
            None => endpoint,
        })
    }
}

/// As it is written.
impl fmt::Display for TcpServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.interface {
            IpAddr::V4(_) => "tcp",
            IpAddr::V6(_) => "tcp6",
        };
        let arguments = ServerArguments {
            server: self,
            says_interface: !self.interface.is_unspecified(),
        };
        write!(f, "{prefix}:{arguments}")
    }
}

struct ServerArguments<'a> {
    server: &'a TcpServerEndpoint,
    says_interface: bool,
}

impl fmt::Display for ServerArguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server;
        write!(f, "{}", server.port)?;
        if self.says_interface {
            let interface = server.interface.to_string();
            write!(f, ":interface={}", quote(&interface))?;
        }
        if let Some(backlog) = server.backlog {
            write!(f, ":backlog={backlog}")?;
        }
        // Of an IPv4 address it says nothing.
        if !server.only_v6 && server.interface.is_ipv6() {
            write!(f, ":v6only=0")?;
        }
        Ok(())
    }
}

impl FromStr for TcpServerEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Arguments::whole(text, &["tcp", "tcp6"], Self::read)
    }
}

/// What to connect to by TCP: what `tcp:example.org:80:timeout=5` says.
///
/// ```
/// use std::time::Duration;
/// use torsade_service::TcpClientEndpoint;
///
/// let there = TcpClientEndpoint::new("::1", 80).timeout(Duration::from_millis(1500));
/// assert_eq!(there.to_string(), r"tcp:\:\:1:80:timeout=1.5");
/// assert_eq!(r"tcp:port=80:host=\:\:1:timeout=1.5".parse(), Ok(there));
/// ```
#[doc(alias = "TCP4ClientEndpoint")]
#[doc(alias = "TCP6ClientEndpoint")]
#[doc(alias = "HostnameEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpClientEndpoint {
    host: String,
    port: u16,
    timeout: Option<Duration>,
    bind: Option<IpAddr>,
}

impl TcpClientEndpoint {
    /// This port of this host: a name, or a numeric address without brackets.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            timeout: None,
            bind: None,
        }
    }

    /// Connecting has this long, its look-up included, instead of `Limits::connect_timeout`.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// Connect from this address; `bindAddress=` in text.
    #[must_use]
    pub fn bind(self, from: impl Into<IpAddr>) -> Self {
        Self {
            bind: Some(from.into()),
            ..self
        }
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What stands behind the prefix in its text, for texts that say more of the same place:
    /// [`read`](Self::read) understands it again, also after another prefix.
    pub fn arguments(&self) -> impl fmt::Display + '_ {
        ClientArguments(self)
    }

    /// What these arguments say: `host`, `port`, `timeout=`, `bindAddress=`. For plug-ins that put
    /// something on top of TCP.
    ///
    /// # Errors
    /// [`TextError`] where one of them is not what it has to be.
    pub fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let Some(host) = arguments.value("host", Some(0))? else {
            return Err(arguments.missing("host"));
        };
        if host.as_str().is_empty() {
            return Err(arguments.invalid(&host, "a name or an address"));
        }
        let mut client = Self::new(host.as_str(), arguments.parse("port", 1, PORT)?);
        if let Some(value) = arguments.value("timeout", None)? {
            let timeout = seconds(value.as_str());
            let timeout =
                timeout.ok_or_else(|| arguments.invalid(&value, "a number of seconds"))?;
            client.timeout = Some(timeout);
        }
        client.bind = arguments.parse_named("bindAddress", "an IP address of this machine")?;
        match client.to_endpoint() {
            Ok(_) => Ok(client),
            Err(error) => Err(arguments.refused_at(&host, error)),
        }
    }
}

/// A number of seconds in decimal digits, to the nanosecond.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 {
        return None;
    }
    let nanos = format!("{part:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

impl ToEndpoint for TcpClientEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let endpoint = match self.host.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, self.port).to_endpoint(),
            Err(_) => format!("{}:{}", self.host, self.port).to_endpoint(),
        };
        let endpoint = match self.timeout {
            Some(timeout) => endpoint?.timeout(timeout),
            None => endpoint?,
        };
        Ok(match self.bind {
            Some(from) => endpoint.bind(SocketAddr::new(from, 0)),
            None => endpoint,
        })
    }
}

/// As it is written.
impl fmt::Display for TcpClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp:{}", self.arguments())
    }
}

struct ClientArguments<'a>(&'a TcpClientEndpoint);

impl fmt::Display for ClientArguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.0;
        write!(f, "{}:{}", quote(&client.host), client.port)?;
        if let Some(timeout) = client.timeout {
            let part = format!("{:09}", timeout.subsec_nanos());
            let part = part.trim_end_matches('0');
            let point = if part.is_empty() { "" } else { "." };
            write!(f, ":timeout={}{point}{part}", timeout.as_secs())?;
        }
        if let Some(bind) = client.bind {
            write!(f, ":bindAddress={}", quote(&bind.to_string()))?;
        }
        Ok(())
    }
}

impl FromStr for TcpClientEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Arguments::whole(text, &["tcp"], Self::read)
    }
}

pub(crate) fn server(arguments: &mut Arguments<'_>) -> Read {
    let server = TcpServerEndpoint::read(arguments)?;
    server
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}

pub(crate) fn client(arguments: &mut Arguments<'_>) -> Read {
    let client = TcpClientEndpoint::read(arguments)?;
    client
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}
