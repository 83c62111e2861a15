//! The standard streams as one connection.
//!
//! Who started this process has descriptors of the same open files, and so may its children and its
//! neighbours in a pipeline: a mode that is set here is set for all of them, and stays when we are
//! gone. So it never is. What can be opened anew is, which makes an open file of our own: pipes and
//! terminals, on Linux, if their permissions let us. Everything else has a thread that moves bytes
//! between the stream, which blocks, and a pipe of ours.

mod inlet;
mod outlet;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use socket2::Socket;
use torsade_core::{Address, ListenerId, Peer};

pub(crate) use self::outlet::{Outlet, wait_for_output};
use crate::adopting::Stream;

/// Listeners on the standard streams: each gets one connection, in the turn that follows.
#[derive(Debug, Default)]
pub(crate) struct Standing(RefCell<VecDeque<ListenerId>>);

impl Standing {
    pub(crate) fn add(&self, listener: ListenerId) -> Address {
        self.0.borrow_mut().push_back(listener);
        Address::Stdio
    }

    pub(crate) fn take(&self) -> Option<ListenerId> {
        self.0.borrow_mut().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

/// How each end of the connection is called.
pub(crate) fn peer() -> Peer {
    let name: Arc<str> = "stdio".into();
    Peer::new(Address::Named(Arc::clone(&name)), Address::Named(name))
}

/// Both of them.
pub(crate) fn open() -> io::Result<(Stream, Peer)> {
    let input = match reopen::input(io::stdin().as_fd()) {
        Some(anew) => anew,
        None => inlet::start(duplicate(io::stdin().as_fd())?)?,
    };
    let (output, outlet) = match reopen::output(io::stdout().as_fd()) {
        Some(anew) => (anew, None),
        None => {
            let (pipe, outlet) = outlet::start(duplicate(io::stdout().as_fd())?)?;
            (pipe, Some(outlet))
        }
    };
    let stream = Stream::Pipes {
        input: Some(ours(input)?),
        output: Some(ours(output)?),
        outlet,
    };
    Ok((stream, peer()))
}

/// A descriptor that the program cannot close under us. It is of the same open file.
fn duplicate(stream: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    stream.try_clone_to_owned()
}

/// An open file of our own, which may have a mode of our own.
fn ours(file: OwnedFd) -> io::Result<Socket> {
    let file = Socket::from(file);
    file.set_nonblocking(true)?;
    Ok(file)
}

/// Open files opened anew.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod reopen {
    use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fstat, open};
    use rustix::termios::isatty;

    pub(super) fn input(stream: BorrowedFd<'_>) -> Option<OwnedFd> {
        let anew = anew(stream, OFlags::RDONLY)?;
        // Of a FIFO that nobody writes to any more, who opens it now is never told the end, but who
        // has had it open is.
        let mut asked = [PollFd::new(&stream, PollFlags::empty())];
        poll(&mut asked, Some(&Timespec::default())).ok()?;
        let has_ended = asked[0].revents().contains(PollFlags::HUP);
        (!has_ended).then_some(anew)
    }

    /// If nobody reads the stream any more, it is refused.
    pub(super) fn output(stream: BorrowedFd<'_>) -> Option<OwnedFd> {
        anew(stream, OFlags::WRONLY)
    }

    /// The same in this direction, if it can be had and waited for.
    fn anew(stream: BorrowedFd<'_>, way: OFlags) -> Option<OwnedFd> {
        let kind = FileType::from_raw_mode(fstat(stream).ok()?.st_mode);
        if kind != FileType::Fifo && !isatty(stream) {
            return None;
        }
        // What the permissions allow is not what was passed on to us.
        let mode = fcntl_getfl(stream).ok()? & OFlags::RWMODE;
        if mode != way && mode != OFlags::RDWR {
            return None;
        }
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let flags = way | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        open(path, flags, Mode::empty()).ok()
    }
}

/// There is no way to.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod reopen {
    use std::os::fd::{BorrowedFd, OwnedFd};

    pub(super) fn input(_: BorrowedFd<'_>) -> Option<OwnedFd> {
        None
    }

    pub(super) fn output(_: BorrowedFd<'_>) -> Option<OwnedFd> {
        None
    }
}
