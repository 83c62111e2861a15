use std::convert::Infallible;
use std::fmt;
use std::io;

use torsade_deferred::Deferred;

use super::{ExitStatus, Signal, SignalError};
use crate::Address;

/// A process that a driver has started.
pub struct Spawned {
    /// Its number in the system.
    pub pid: u32,
    /// The ends of its pipes that are ours, by the number that the child has them under: addresses
    /// that the driver can connect to. A terminal is one pipe, of number 1, for both directions.
    pub pipes: Vec<(u32, Address)>,
    /// Resolves when it has exited and was reaped. Only its driver waits for it, so no other child
    /// of the program is touched.
    pub exit: Deferred<ExitStatus, Infallible>,
    /// What can be done to it. Dropped before the exit, nobody waits for it any more; the driver
    /// sees to it that it leaves no zombie.
    pub control: Box<dyn ChildControl>,
}

/// What can be done to a process that runs. Never calls user code.
pub trait ChildControl {
    /// Send it a signal. Must not reach another process that has its number by now.
    ///
    /// # Errors
    /// [`SignalError`].
    fn signal(&self, signal: Signal) -> Result<(), SignalError>;

    /// Its terminal has another size.
    ///
    /// # Errors
    /// The system's. By default there is no terminal: `Unsupported`.
    fn resize(&self, size: super::TerminalSize) -> io::Result<()> {
        let _ = size;
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl fmt::Debug for Spawned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned")
            .field("pid", &self.pid)
            .field("pipes", &self.pipes)
            .finish_non_exhaustive()
    }
}
