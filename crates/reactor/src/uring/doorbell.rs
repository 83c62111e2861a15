use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

use super::ring::Ring;
use crate::event_loop::Doorbell;

/// An eventfd that the ring reads: what other threads write to it ends the wait. It costs nothing
/// unless somebody does.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC)?))
    }

    /// For the ring, to read.
    pub(crate) fn reader(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }
}

impl Doorbell for Bell {
    fn ring(&self) -> io::Result<()> {
        // It cannot block before it was rung 2^64 times.
        rustix::io::write(&self.0, &1_u64.to_ne_bytes())?;
        Ok(())
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The same, to be waited on: the ring's own descriptor is readable when it has completions.
#[derive(Debug)]
pub(crate) struct Door {
    bell: Arc<Bell>,
    ring: OwnedFd,
}

impl Door {
    pub(crate) fn new(bell: &Arc<Bell>, ring: &Ring) -> io::Result<Self> {
        Ok(Self {
            bell: Arc::clone(bell),
            ring: ring.descriptor()?,
        })
    }
}

impl Doorbell for Door {
    fn ring(&self) -> io::Result<()> {
        self.bell.ring()
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
