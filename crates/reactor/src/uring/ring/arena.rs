//! What little is sent is copied to. Why it is sound is said in the module above.
#![expect(unsafe_code, reason = "a part of the ring's module, see there")]

use std::alloc::{self, Layout};
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::slice;

use super::super::file::File;

/// Room for what is sent from a place where it cannot stay. A send is over as soon as it is
/// submitted, so that this is empty again in every turn, and costs little more than the copy.
///
/// ```text
///            copy              copy                    the last one is dropped
///   (empty) -----> [a a a] .. -----> [a a a] [b b] .. ------------------------> (empty)
/// ```
#[derive(Debug)]
pub(super) struct Arena {
    bytes: *mut u8,
    /// How much of it is used.
    end: Cell<usize>,
    /// One after the other, also those that are over.
    pieces: RefCell<Vec<Piece>>,
    /// How many of them are under way, or [`Copied`] ones that somebody looks at.
    in_use: Cell<usize>,
}

/// A piece of an [`Arena`].
#[derive(Debug)]
struct Piece {
    /// Keeps the file open while the kernel has the piece.
    file: Option<Rc<File>>,
    /// Whose it is.
    place: usize,
    start: u32,
    len: u32,
}

/// A copy of bytes that were sent, as they were.
#[derive(Debug)]
pub(crate) struct Copied {
    arena: Rc<Arena>,
    start: u32,
    len: u32,
}

/// More than that is not copied here in a turn. It is resident as far as it was used.
const ROOM: usize = 256 * 1024;
const LAYOUT: Layout = Layout::new::<[u8; ROOM]>();

impl Arena {
    pub(super) fn new() -> Self {
        // SAFETY: the layout's size is not zero.
        let bytes = unsafe { alloc::alloc_zeroed(LAYOUT) };
        if bytes.is_null() {
            alloc::handle_alloc_error(LAYOUT);
        }
        Self {
            bytes,
            end: Cell::new(0),
            pieces: RefCell::default(),
            in_use: Cell::new(0),
        }
    }

    /// Copy bytes, if there is room. Returns the number of the copy, and where it is.
    #[inline(always)]
    pub(super) fn copy(
        &self,
        file: &Rc<File>,
        place: usize,
        bytes: &[u8],
    ) -> Option<(u32, *const u8)> {
        let start = self.end.get();
        if bytes.len() > ROOM - start {
            return None;
        }
        // SAFETY: there is room behind what is used, and nobody else has that: all pieces lie
        // before it. So `bytes` is elsewhere, too.
        let copy = unsafe {
            let copy = self.bytes.add(start);
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            copy
        };
        self.end.set(start + bytes.len());
        self.in_use.set(self.in_use.get() + 1);
        let mut pieces = self.pieces.borrow_mut();
        // None is empty, so that there are fewer than bytes.
        let number = pieces.len() as u32;
        pieces.push(Piece {
            file: Some(Rc::clone(file)),
            place,
            start: start as u32,
            len: bytes.len() as u32,
        });
        Some((number, copy))
    }

    /// The kernel is done with a copy: whose it is, and what it is.
    #[inline(always)]
    pub(super) fn over(arena: &Rc<Self>, number: u32) -> Option<(usize, Copied)> {
        let mut pieces = arena.pieces.borrow_mut();
        let piece = pieces.get_mut(number as usize)?;
        // What was told once is not told again.
        piece.file.take()?;
        let copied = Copied {
            arena: Rc::clone(arena),
            start: piece.start,
            len: piece.len,
        };
        Some((piece.place, copied))
    }

    /// How many copies the kernel or somebody else has.
    pub(super) fn in_use(&self) -> usize {
        self.in_use.get()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout. The kernel has none of it: the ring that sends
        // from it was drained, or else it holds a reference and we are not here; and no `Copied` is
        // left, because each holds one too.
        unsafe { alloc::dealloc(self.bytes, LAYOUT) };
    }
}

impl Deref for Copied {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the piece was written when it was made, and is nobody else's until `self` is
        // dropped.
        unsafe {
            let start = self.arena.bytes.add(self.start as usize);
            slice::from_raw_parts(start, self.len as usize)
        }
    }
}

impl Drop for Copied {
    #[inline]
    fn drop(&mut self) {
        let arena = &*self.arena;
        let left = arena.in_use.get() - 1;
        arena.in_use.set(left);
        if left == 0 {
            arena.end.set(0);
            arena.pieces.borrow_mut().clear();
        }
    }
}
