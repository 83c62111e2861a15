use std::cell::{Cell, RefCell};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use socket2::Socket;

/// A file that operations are about: a descriptor of the process's, or a place in the ring's own
/// table, which no other system call can name. Dropped, it is closed: at once, or as soon as the
/// kernel has seen every entry that names it.
///
/// Entries name it by a number, which must not come to mean another file before the kernel has
/// looked it up. It does so when they are submitted, and keeps the file for as long as the operation
/// takes, so that a descriptor needs to wait for no more than that; and a place is closed by an
/// entry behind them.
#[derive(Debug)]
pub(crate) struct File {
    /// `None` if it is in the ring's own table.
    socket: Option<Socket>,
    /// There, the place. Of a descriptor, the submission that an entry which names it is a part of;
    /// the last one of them.
    number: Cell<u32>,
    files: Files,
}

/// How an entry names a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    Descriptor(RawFd),
    Place(u32),
}

/// What is known of the files of a ring.
///
/// Which place of the ring's own table a file comes to is the kernel's choice, but if there is none
/// the kernel closes the connection that it accepted. So a place is reserved for each accept that
/// wants one.
///
/// ```text
///   free --> reserved --> a file --> closing --> free
///              |                                  ^
///              +----------------------------------+
///                  nobody was accepted
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Files(Rc<State>);

#[derive(Debug)]
struct State {
    /// Places that are free.
    free: Cell<u32>,
    /// Places whose files are to be closed.
    closing: RefCell<Vec<u32>>,
    /// Counts submissions; never 0.
    submission: Cell<u32>,
    /// Descriptors to be closed after this submission.
    waiting: RefCell<Vec<Socket>>,
}

impl File {
    /// A descriptor that the ring may work on.
    pub(crate) fn new(socket: Socket, files: &Files) -> Self {
        Self {
            socket: Some(socket),
            number: Cell::new(0),
            files: files.clone(),
        }
    }

    /// What has come to a place that was reserved.
    pub(crate) fn at_place(place: u32, files: &Files) -> Self {
        Self {
            socket: None,
            number: Cell::new(place),
            files: files.clone(),
        }
    }

    pub(crate) fn descriptor(&self) -> Option<&Socket> {
        self.socket.as_ref()
    }

    /// For an entry of the next submission.
    #[inline(always)]
    pub(crate) fn to_name(&self) -> Name {
        match &self.socket {
            Some(socket) => {
                self.number.set(self.files.0.submission.get());
                Name::Descriptor(socket.as_raw_fd())
            }
            None => Name::Place(self.number.get()),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let (state, number) = (&self.files.0, self.number.get());
        match self.socket.take() {
            None => state.closing.borrow_mut().push(number),
            Some(socket) if number == state.submission.get() => {
                state.waiting.borrow_mut().push(socket);
            }
            Some(socket) => drop(socket),
        }
    }
}

impl Files {
    /// Of a ring whose own table has so many places.
    pub(crate) fn new(places: u32) -> Self {
        Self(Rc::new(State {
            free: Cell::new(places),
            closing: RefCell::default(),
            submission: Cell::new(1),
            waiting: RefCell::default(),
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

    /// Whether descriptors wait for the submission to be closed.
    pub(crate) fn wait(&self) -> bool {
        !self.0.waiting.borrow().is_empty()
    }

    /// The kernel has seen all entries.
    #[inline]
    pub(crate) fn submitted(&self) {
        let next = self.0.submission.get().wrapping_add(1).max(1);
        self.0.submission.set(next);
        if self.wait() {
            drop(mem::take(&mut *self.0.waiting.borrow_mut()));
        }
    }
}
