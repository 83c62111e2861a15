//! Sockets that whoever started the process made for it.
#![expect(
    unsafe_code,
    reason = "descriptors that are inherited have no owner in the program before somebody says so"
)]

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use torsade_core::Adopted;

/// A socket that a service manager passed, see [`activated_sockets`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActivatedSocket {
    /// What its unit calls it (`FileDescriptorName=`), if the manager says.
    pub name: Option<String>,
    /// To be listened on, or to be connected.
    pub socket: Adopted,
}

/// The sockets that a service manager such as systemd made for this process and passed to it, in
/// the order of its unit file (`LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`); none if it was started
/// otherwise. They are given once: a second call has none.
///
/// The environment stays as it is. A child that inherits it does not mistake it for its own,
/// because it names this process, and has not the sockets: they are closed on `exec`.
///
/// Call it first, before the program opens anything: descriptors from 3 on are the manager's by
/// agreement, and if there is no such agreement the variables must not be there.
///
/// ```
/// use torsade_core::{Net, Protocol, Transport, factory};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {}
/// # }
///
/// fn serve(net: &Net) -> Result<(), Box<dyn std::error::Error>> {
///     let passed = torsade_reactor::activated_sockets()?;
///     if passed.is_empty() {
///         net.listen("127.0.0.1:0", factory(|_| Echo))?; // started by hand
///     }
///     for socket in passed {
///         net.listen(socket.socket, factory(|_| Echo))?;
///     }
///     Ok(())
/// }
/// # let reactor = torsade_reactor::Reactor::new()?;
/// # serve(reactor.net())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the variables are there, but what they say makes no sense, or a descriptor is not open.
#[doc(alias = "sd_listen_fds")]
#[doc(alias = "ListenFDs")]
#[doc(alias = "LISTEN_FDS")]
pub fn activated_sockets() -> io::Result<Vec<ActivatedSocket>> {
    /// They have an owner then.
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let pid = env::var_os("LISTEN_PID");
    if pid.as_deref() != Some(OsStr::new(&process::id().to_string())) {
        return Ok(Vec::new());
    }
    let count = env::var("LISTEN_FDS").ok();
    let count: Option<u16> = count.and_then(|count| count.parse().ok());
    let count = count.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "LISTEN_FDS"))?;
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let range = FIRST..FIRST + RawFd::from(count);
    for number in range.clone() {
        check(number)?;
    }
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let own = |number| {
        // SAFETY: it is open, see above. The manager named this very process as the one that these
        // numbers are for, and nobody in it can have owned them before: they were there when it
        // began. They are taken only once.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        ActivatedSocket {
            name: names.next().filter(|it| !it.is_empty()).map(str::to_owned),
            socket: Adopted::new(descriptor),
        }
    };
    Ok(range.map(own).collect())
}

/// Where they begin, behind the standard streams.
const FIRST: RawFd = 3;

/// See that a descriptor is open, and have it closed on `exec`.
fn check(number: RawFd) -> io::Result<()> {
    // SAFETY: it is not -1. If it is not open, the call below fails and does nothing else.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_setfd(
        descriptor,
        rustix::io::FdFlags::CLOEXEC,
    )?)
}
