//! What a child does between `fork` and `exec`, that std has no name for.
#![expect(
    unsafe_code,
    reason = "code that runs in a copy of this process may not do everything, and a descriptor's \
              number is taken there whoever had it"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Keeps the numbers that the child's descriptors will have taken here until it is started: so
/// nothing that std opens for itself, to be told of a failed `exec`, has one of them and is lost.
pub(super) struct Places(#[expect(dead_code, reason = "held, not used")] Vec<OwnedFd>);

/// Have the child put these descriptors at these numbers, and lead a session whose terminal its
/// standard input is.
pub(super) fn prepare(
    command: &mut Command,
    descriptors: Vec<(u32, OwnedFd)>,
    on_terminal: bool,
) -> io::Result<Places> {
    if descriptors.is_empty() && !on_terminal {
        // Then std need not copy this process.
        return Ok(Places(Vec::new()));
    }
    let mut moves = Vec::with_capacity(descriptors.len());
    for (number, descriptor) in descriptors {
        let number = RawFd::try_from(number).map_err(|_| io::ErrorKind::InvalidInput)?;
        moves.push(Move {
            from: descriptor.as_raw_fd(),
            to: number,
            _source: descriptor,
        });
    }
    let places = take_places(&moves)?;
    let above = moves.iter().map(|it| it.to + 1).max().unwrap_or(0);
    // SAFETY: the closure runs in the child, a copy of this process with one thread, after its
    // standard streams were put into place. It makes system calls and nothing else: it allocates and
    // frees nothing (the vector is full already, the errors are numbers), takes no lock and calls no
    // code of others. Where it closes a descriptor by taking its number, that is the child's copy,
    // which nothing in the child uses any more: std has none of these numbers, see `Places`, and
    // what this process had under them is meant for nobody after `exec`.
    unsafe {
        command.pre_exec(move || {
            put_into_place(&mut moves, above)?;
            if on_terminal {
                lead_session()?;
            }
            Ok(())
        });
    }
    Ok(places)
}

/// A descriptor, and the number that it is to have in the child.
struct Move {
    from: RawFd,
    to: RawFd,
    /// Open until the child is started.
    _source: OwnedFd,
}

fn take_places(moves: &[Move]) -> io::Result<Places> {
    let mut places = Vec::new();
    let null = File::open("/dev/null")?;
    for wanted in moves {
        let place = rustix::io::fcntl_dupfd_cloexec(&null, wanted.to)?;
        if place.as_raw_fd() == wanted.to {
            places.push(place);
        }
        // Otherwise somebody has that number already, and std does not get it either.
    }
    Ok(Places(places))
}

/// First out of each other's way, then to where they belong.
fn put_into_place(moves: &mut [Move], above: RawFd) -> io::Result<()> {
    for it in moves.iter_mut().filter(|it| it.from < above) {
        // SAFETY: a system call on numbers; whether they are open is for it to say.
        it.from = unsafe { libc::fcntl(it.from, libc::F_DUPFD_CLOEXEC, above) };
        if it.from < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    for it in moves.iter() {
        // SAFETY: as above; what had the number is closed in the child only, see `prepare`.
        if unsafe { libc::dup2(it.from, it.to) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A session of its own, whose controlling terminal its standard input is.
fn lead_session() -> io::Result<()> {
    rustix::process::setsid()?;
    rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
    Ok(())
}
