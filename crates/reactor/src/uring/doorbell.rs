use std::io::{self, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

use crate::event_loop::Doorbell;

/// A pipe that the ring reads: what other threads write to it ends the wait. It costs nothing
/// unless somebody does.
///
/// Not an eventfd: the kernel is slow to signal one, that of [`Door`], because of another.
#[derive(Debug)]
pub(crate) struct Bell(PipeWriter);

impl Bell {
    /// A bell, and its other end for the ring to read.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&writer, true)?;
        Ok((Self(writer), reader.into()))
    }
}

impl Doorbell for Bell {
    fn ring(&self) -> io::Result<()> {
        match (&self.0).write(&[0]) {
            // So often that the reader has enough to hear.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other.map(drop),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The same, to be waited on. The ring's own descriptor would do for that if it woke those who
/// sleep on it; it tells only those who ask, because what is to be done waits for the reactor's
/// thread. So there is an eventfd, which the ring writes to once anybody has asked for it.
#[derive(Debug)]
pub(crate) struct Door {
    bell: Arc<Bell>,
    alarm: OwnedFd,
}

impl Door {
    pub(crate) fn new(bell: &Arc<Bell>) -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self {
            bell: Arc::clone(bell),
            alarm: eventfd(0, flags)?,
        })
    }

    /// Make it readable.
    pub(crate) fn alarm(&self) {
        // If it is full it is readable.
        let _ = rustix::io::write(&self.alarm, &1_u64.to_ne_bytes());
    }

    /// Make it unreadable, until something comes.
    pub(crate) fn calm(&self) {
        let _ = rustix::io::read(&self.alarm, &mut [0; 8]);
    }
}

impl Doorbell for Door {
    fn ring(&self) -> io::Result<()> {
        self.bell.ring()
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.alarm.as_fd()
    }
}
