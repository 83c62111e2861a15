use std::fmt;
use std::str::FromStr;

use torsade_core::{Endpoint, EndpointError, ToEndpoint, UnixAddress, UnixListen};

use super::arguments::Read;
use super::{Arguments, TextError, quote};

/// Where to listen on a Unix socket: what `unix:/run/app.socket` says; `unix:@name` is a name of
/// Linux's abstract space.
///
/// ```
/// use torsade_service::UnixServerEndpoint;
///
/// let here = UnixServerEndpoint::new("/run/app.socket");
/// assert_eq!(here.to_string(), "unix:/run/app.socket");
/// assert_eq!("unix:address=/run/app.socket".parse(), Ok(here.clone()));
/// let ours = here.mode(0o660).backlog(16).lockfile(false);
/// assert_eq!(ours.to_string(), "unix:/run/app.socket:mode=660:backlog=16:lockfile=0");
/// ```
#[doc(alias = "UNIXServerEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixServerEndpoint {
    name: String,
    mode: Option<u32>,
    backlog: Option<u32>,
    lockfile: bool,
}

impl UnixServerEndpoint {
    /// At this path, or at the abstract name behind an `@`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mode: None,
            backlog: None,
            lockfile: true,
        }
    }

    /// The mode of the file, `mode=660` in text, in octal digits. Otherwise the process's umask
    /// decides. See [`UnixListen::mode`].
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self {
            mode: Some(mode & MODE),
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

    /// Whether a socket that a killed server has left behind is replaced, which it is if nothing
    /// else is said; `lockfile=0` in text, as Twisted has it, though no lock file is needed. See
    /// [`UnixListen::replace_stale`].
    #[must_use]
    pub fn lockfile(self, on: bool) -> Self {
        Self {
            lockfile: on,
            ..self
        }
    }

    pub(crate) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let mut server = Self::new(read_name(arguments, "address")?);
        if let Some(value) = arguments.value("mode", None)? {
            let mode = mode(value.as_str());
            let mode = mode.ok_or_else(|| arguments.invalid(&value, "octal digits like 660"))?;
            server.mode = Some(mode);
        }
        server.backlog = arguments.parse_named("backlog", "a number of connections")?;
        server.lockfile = arguments.flag("lockfile")?.unwrap_or(true);
        Ok(server)
    }
}

/// The bits that a mode has.
const MODE: u32 = 0o7777;

fn mode(text: &str) -> Option<u32> {
    let is_octal = text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok()?;
    (is_octal && mode <= MODE).then_some(mode)
}

impl ToEndpoint for UnixServerEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let mut listen = UnixListen::at(address(&self.name));
        if let Some(mode) = self.mode {
            listen = listen.mode(mode);
        }
        if let Some(backlog) = self.backlog {
            listen = listen.backlog(backlog);
        }
        if self.lockfile {
            listen = listen.replace_stale();
        }
        listen.to_endpoint()
    }
}

/// As it is written.
impl fmt::Display for UnixServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", quote(&self.name))?;
        if let Some(mode) = self.mode {
            write!(f, ":mode={mode:o}")?;
        }
        if let Some(backlog) = self.backlog {
            write!(f, ":backlog={backlog}")?;
        }
        match self.lockfile {
            true => Ok(()),
            false => write!(f, ":lockfile=0"),
        }
    }
}

impl FromStr for UnixServerEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Arguments::whole(text, &["unix"], Self::read)
    }
}

/// The Unix socket to connect to: what `unix:/run/app.socket` or `unix:@name` says to a client.
///
/// ```
/// use torsade_core::ToEndpoint;
/// use torsade_service::UnixClientEndpoint;
///
/// let there = UnixClientEndpoint::new("@app");
/// assert_eq!("unix:@app".parse(), Ok(there.clone()));
/// assert_eq!(there.to_endpoint()?.places()[0].to_string(), "unix:@app");
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "UNIXClientEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixClientEndpoint {
    name: String,
}

impl UnixClientEndpoint {
    /// The socket at this path, or of the abstract name behind an `@`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub(crate) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        Ok(Self::new(read_name(arguments, "path")?))
    }
}

impl ToEndpoint for UnixClientEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        address(&self.name).to_endpoint()
    }
}

/// As it is written.
impl fmt::Display for UnixClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", quote(&self.name))
    }
}

impl FromStr for UnixClientEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Arguments::whole(text, &["unix"], Self::read)
    }
}

pub(crate) fn server(arguments: &mut Arguments<'_>) -> Read {
    let server = UnixServerEndpoint::read(arguments)?;
    server
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}

pub(crate) fn client(arguments: &mut Arguments<'_>) -> Read {
    let client = UnixClientEndpoint::read(arguments)?;
    client
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}

/// The one argument both sides have; Twisted calls it differently for each.
fn read_name(arguments: &mut Arguments<'_>, called: &str) -> Result<String, TextError> {
    let Some(name) = arguments.value(called, Some(0))? else {
        return Err(arguments.missing(called));
    };
    if matches!(name.as_str(), "" | "@") {
        return Err(arguments.invalid(&name, "a path, or @ and a name"));
    }
    Ok(name.as_str().to_owned())
}

fn address(name: &str) -> UnixAddress {
    match name.strip_prefix('@') {
        Some(name) => UnixAddress::abstract_name(name),
        None => UnixAddress::path(name),
    }
}
