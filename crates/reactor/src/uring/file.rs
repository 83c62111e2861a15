use std::cell::{Cell, RefCell};
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
    table: Table,
}

/// What is known of the ring's own table of files: which place a file comes to is the kernel's
/// choice, but if there is none the kernel closes the connection that it accepted. So a place is
/// reserved for each accept that wants one.
///
/// ```text
///   free --> reserved --> a slot --> closing --> free
///              |                                  ^
///              +----------------------------------+
///                  nobody was accepted
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Table(Rc<Places>);

#[derive(Debug)]
struct Places {
    free: Cell<u32>,
    /// Those whose files are to be closed.
    closing: RefCell<Vec<u32>>,
}

impl Slot {
    /// What has come to a place that was reserved.
    pub(crate) fn new(number: u32, table: &Table) -> Self {
        Self {
            number,
            table: table.clone(),
        }
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.table.0.closing.borrow_mut().push(self.number);
    }
}

impl Table {
    pub(crate) fn new(places: u32) -> Self {
        Self(Rc::new(Places {
            free: Cell::new(places),
            closing: RefCell::default(),
        }))
    }

    /// Have a place kept for an accept. False if there is none.
    pub(crate) fn reserve(&self) -> bool {
        let left = self.0.free.get().checked_sub(1);
        if let Some(left) = left {
            self.0.free.set(left);
        }
        left.is_some()
    }

    /// A place was not needed.
    pub(crate) fn give_back(&self) {
        self.0.free.set(self.0.free.get() + 1);
    }

    /// A place whose file is to be closed before anything else is asked of the kernel.
    pub(crate) fn close_next(&self) -> Option<u32> {
        let number = self.0.closing.borrow_mut().pop()?;
        self.give_back();
        Some(number)
    }
}
