use std::fmt;
use std::str::FromStr;

use torsade_core::{ChildFd, Command, Endpoint, EndpointError, ToEndpoint};

use super::arguments::Read;
use super::{Arguments, TextError, quote};

/// The program to connect to: what `process:sort:-n` says to a client. Its standard input and
/// output are the connection, and what stands behind its name are its arguments, which no shell
/// looks at.
///
/// With `directory=/srv` it runs there. Its standard error goes to the log, with `stderr=inherit`
/// where this process's goes, with `stderr=drop` nowhere, as Twisted's `StandardErrorBehavior` has
/// it. What else there is to be said takes a [`Command`].
///
/// ```
/// use torsade_core::ToEndpoint;
/// use torsade_service::ProcessClientEndpoint;
///
/// let sort = ProcessClientEndpoint::new("sort").arg("-n").arg("--field-separator=:");
/// assert_eq!(sort.to_string(), r"process:sort:-n:--field-separator\=\:");
/// assert_eq!(sort.to_string().parse(), Ok(sort.clone()));
/// assert_eq!(sort.to_endpoint()?.places()[0].to_string(), "process:sort");
/// # Ok::<(), torsade_core::EndpointError>(())
/// ```
#[doc(alias = "ProcessEndpoint")]
#[doc(alias = "StandardErrorBehavior")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessClientEndpoint {
    program: String,
    arguments: Vec<String>,
    directory: Option<String>,
    stderr: Complaints,
}

/// Where the standard error goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Complaints {
    Log,
    Inherit,
    Drop,
}

impl ProcessClientEndpoint {
    /// This program: a path, or a name that is looked for in `PATH`.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            directory: None,
            stderr: Complaints::Log,
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// In this directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<String>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    pub(crate) fn read(arguments: &mut Arguments<'_>) -> Result<Self, TextError> {
        let mut read = Self::new(arguments.parse::<Program>("program", 0, "a program")?.0);
        while let Some(next) = arguments.take("argument", read.arguments.len() + 1)? {
            read.arguments.push(next);
        }
        read.directory = arguments.take_named("directory")?;
        let stderr = arguments.parse_named("stderr", "log, inherit or drop")?;
        read.stderr = stderr.unwrap_or(Complaints::Log);
        Ok(read)
    }
}

impl ToEndpoint for ProcessClientEndpoint {
    fn to_endpoint(&self) -> Result<Endpoint, EndpointError> {
        let mut command = Command::new(&self.program).args(&self.arguments);
        if let Some(directory) = &self.directory {
            command = command.current_dir(directory);
        }
        let command = match self.stderr {
            Complaints::Log => command,
            Complaints::Inherit => command.descriptor(2, ChildFd::Inherit),
            Complaints::Drop => command.descriptor(2, ChildFd::Null),
        };
        command.to_endpoint()
    }
}

/// As it is written.
impl fmt::Display for ProcessClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process:{}", quote(&self.program))?;
        for argument in &self.arguments {
            write!(f, ":{}", quote(argument))?;
        }
        if let Some(directory) = &self.directory {
            write!(f, ":directory={}", quote(directory))?;
        }
        match self.stderr {
            Complaints::Log => Ok(()),
            Complaints::Inherit => f.write_str(":stderr=inherit"),
            Complaints::Drop => f.write_str(":stderr=drop"),
        }
    }
}

impl FromStr for ProcessClientEndpoint {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Arguments::whole(text, &["process"], Self::read)
    }
}

pub(crate) fn client(arguments: &mut Arguments<'_>) -> Read {
    let client = ProcessClientEndpoint::read(arguments)?;
    client
        .to_endpoint()
        .map_err(|error| arguments.refused(error))
}

/// A name that is not empty.
struct Program(String);

impl FromStr for Program {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        if name.is_empty() {
            return Err(());
        }
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for Complaints {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "log" => Ok(Self::Log),
            "inherit" => Ok(Self::Inherit),
            "drop" => Ok(Self::Drop),
            _ => Err(()),
        }
    }
}
