use std::fmt;
use std::str::FromStr;

use torsade_core::{Endpoint, EndpointError, ToEndpoint, UnixAddress};

use super::arguments::{self, Read};
use super::{Arguments, TextError, quote};

/// Where to listen on a Unix socket: what `unix:/run/app.socket` says; `unix:@name` is a name of
/// Linux's abstract space.
///
/// ```
/// use torsade_service::UnixServerEndpoint;
///
/// let here = UnixServerEndpoint::new("/run/app.socket");
/// assert_eq!(here.to_string(), "unix:/run/app.socket");
/// assert_eq!("unix:address=/run/app.socket".parse(), Ok(here));
/// ```
#[doc(alias = "UNIXServerEndpoint")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixServerEndpoint {
    name: String,
}

impl UnixServerEndpoint {
    /// At this path, or at the abstract name behind an `@`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    pub(crate) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        Ok(Self::new(read_name(arguments, "address")?))
    }
}

impl ToEndpoint for UnixServerEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        address(&self.name).to_endpoint()
    }
}

/// As it is written.
impl fmt::Display for UnixServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", quote(&self.name))
    }
}

impl FromStr for UnixServerEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        arguments::whole(text, &["unix"], Self::read)
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
        arguments::whole(text, &["unix"], Self::read)
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
    let Some(name) = arguments.take_piece(called, Some(0))? else {
        return Err(arguments.missing(called));
    };
    if matches!(name.value.as_str(), "" | "@") {
        return Err(arguments.invalid(called, &name, "a path, or @ and a name"));
    }
    Ok(name.value)
}

fn address(name: &str) -> UnixAddress {
    match name.strip_prefix('@') {
        Some(name) => UnixAddress::abstract_name(name),
        None => UnixAddress::path(name),
    }
}
