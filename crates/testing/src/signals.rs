use std::io;

use torsade_core::Signal;

/// Whether a program may hear this signal, as systems have it.
pub(crate) fn catchable(signal: Signal) -> io::Result<()> {
    match signal {
        Signal::Kill | Signal::Stop | Signal::Segv | Signal::Fpe | Signal::Ill => {
            Err(io::ErrorKind::InvalidInput.into())
        }
        _ => Ok(()),
    }
}
