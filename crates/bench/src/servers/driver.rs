//! Which of torsade's drivers a program of this package runs on.

use std::io;

use torsade::{Driver, Reactor};

/// The environment variable that chooses it.
pub const VARIABLE: &str = "TORSADE_DRIVER";

/// All drivers, in the order of the table's columns.
pub const ALL: &[&str] = &["polling", "epoll", "io_uring"];

/// A reactor on the driver that the environment asks for, or on the one that torsade chooses.
///
/// # Errors
/// The reactor's own. `Unsupported` if it fell back to another driver than the one that was
/// asked for: what would be measured then is not what the table says.
pub fn reactor() -> io::Result<Reactor> {
    let reactor = Reactor::new()?;
    let runs = name(&reactor);
    match std::env::var(VARIABLE) {
        Ok(wanted) if wanted != runs => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("the driver {wanted} is not available here: it would be {runs}"),
        )),
        _ => Ok(reactor),
    }
}

/// The driver of a reactor.
pub(super) fn name(reactor: &Reactor) -> &'static str {
    match reactor.driver() {
        Driver::Polling => "polling",
        Driver::Epoll => "epoll",
        Driver::IoUring => "io_uring",
        _ => "another",
    }
}
