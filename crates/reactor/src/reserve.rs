use std::cell::RefCell;
use std::io;

use socket2::{Domain, Socket, Type};

/// A descriptor that is kept for the day when there is no other: to accept a connection with it,
/// only to close it, so that its client is not left hanging.
#[derive(Debug, Default)]
pub(crate) struct Reserve(RefCell<Option<Socket>>);

impl Reserve {
    /// Have it, if it is not there already.
    pub(crate) fn take(&self) -> io::Result<()> {
        let mut kept = self.0.borrow_mut();
        if kept.is_none() {
            // A socket, because one needs no file system, and counts as what it stands for.
            *kept = Some(Socket::new(Domain::IPV4, Type::STREAM, None)?);
        }
        Ok(())
    }

    /// Let another have it.
    pub(crate) fn release(&self) {
        self.0.borrow_mut().take();
    }
}
