use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use torsade_deferred::Panic;

use crate::{ConnectionId, PortId};

/// Run user code; a panic in it is an `Err`.
///
/// Unwind safety is asserted because of what follows a panic: no fact is told to the protocol any
/// more but its `connection_lost`; only what was queued before runs until then, as after every
/// abort. Nothing of ours is borrowed while user code runs.
#[inline]
pub(crate) fn run<R>(user: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(user)).map_err(Panic::from_payload)
}

/// A panic in user code that the engine caught, as it is told to [`Host::caught`].
///
/// [`Host::caught`]: crate::driver::Host::caught
#[derive(Clone, Debug)]
pub struct Caught {
    place: &'static str,
    connection: Option<ConnectionId>,
    port: Option<PortId>,
    process: Option<u32>,
    panic: Panic,
}

impl Caught {
    pub(crate) fn on(connection: ConnectionId, place: &'static str, panic: Panic) -> Self {
        Self {
            place,
            connection: Some(connection),
            port: None,
            process: None,
            panic,
        }
    }

    pub(crate) fn at(port: PortId, place: &'static str, panic: Panic) -> Self {
        Self {
            place,
            connection: None,
            port: Some(port),
            process: None,
            panic,
        }
    }

    pub(crate) fn of_process(pid: u32, place: &'static str, panic: Panic) -> Self {
        Self {
            process: Some(pid),
            ..Self::elsewhere(place, panic)
        }
    }

    pub(crate) fn elsewhere(place: &'static str, panic: Panic) -> Self {
        Self {
            place,
            connection: None,
            port: None,
            process: None,
            panic,
        }
    }

    /// What was being called, such as `data_received`.
    pub fn place(&self) -> &'static str {
        self.place
    }

    /// The connection it belonged to, if to one.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// On which datagram port, if it was a port's.
    pub fn port(&self) -> Option<PortId> {
        self.port
    }

    /// The number of the process, if it was a process's.
    pub fn process(&self) -> Option<u32> {
        self.process
    }

    /// The panic.
    pub fn panic(&self) -> &Panic {
        &self.panic
    }
}

impl fmt::Display for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            connection,
            port,
            process,
            panic,
        } = self;
        write!(f, "panic in {place}")?;
        if let Some(connection) = connection {
            write!(f, " of connection {connection}")?;
        }
        if let Some(port) = port {
            write!(f, " of port {port}")?;
        }
        if let Some(process) = process {
            write!(f, " of process {process}")?;
        }
        write!(f, ": {}", panic.message())
    }
}
