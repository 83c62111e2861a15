use std::cell::RefCell;
use std::rc::Rc;

use socket2::Socket;

/// A file that operations are about. It is closed when nobody has it any more, and an operation
/// that is under way has it too.
#[derive(Debug)]
pub(crate) enum File {
    /// One of the process's.
    Descriptor(Socket),
    /// One of the ring's own, which no other system call can name.
    Slot(Slot),
}

impl File {
    pub(crate) fn descriptor(&self) -> Option<&Socket> {
        match self {
            Self::Descriptor(socket) => Some(socket),
            Self::Slot(_) => None,
        }
    }
}

/// A place in the ring's own table of files, and the file that is there.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u32,
    closing: Closing,
}

/// The places whose files are to be closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing(Rc<RefCell<Vec<u32>>>);

impl Slot {
    pub(crate) fn new(number: u32, closing: &Closing) -> Self {
        Self {
            number,
            closing: closing.clone(),
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.closing.0.borrow_mut().push(self.number);
    }
}

impl Closing {
    pub(crate) fn take(&self) -> Option<u32> {
        self.0.borrow_mut().pop()
    }
}
