//! What little is sent is copied to. Why it is sound is said in the module above.
#![expect(unsafe_code, reason = "a part of the ring's module, see there")]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::mem;
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::slice;

/// Where bytes are copied to that are sent from a place where they cannot stay. A send is over as
/// soon as it is submitted, so that this is empty again in every turn, and costs little more than
/// the copy.
///
/// ```text
///            copy              copy                   the last copy is dropped
///   (empty) -----> [a a a] .. -----> [a a a] [b b] .. ------------------------> (empty)
/// ```
#[derive(Debug)]
pub(super) struct Arena {
    room: Rc<Room>,
    /// How much of the room is used.
    end: usize,
    /// One after the other, kept for the next ones.
    pieces: Vec<Piece>,
    /// How many of them are of copies since the room was empty.
    copies: usize,
}

/// The bytes.
#[derive(Debug)]
struct Room {
    bytes: *mut u8,
    /// How many copies the kernel has, or somebody else.
    in_use: Cell<usize>,
}

/// A piece of the room.
#[derive(Debug)]
struct Piece {
    /// Whether the kernel is done with it.
    is_sent: bool,
    /// Whose it is.
    place: usize,
    start: u32,
    len: u32,
}

/// A copy of bytes that were sent, as they were.
#[derive(Debug)]
pub(crate) struct Copied {
    room: Rc<Room>,
    start: u32,
    len: u32,
}

/// More than that is not copied here in a turn. It is resident as far as it was used.
const ROOM: usize = 256 * 1024;
const LAYOUT: Layout = Layout::new::<[u8; ROOM]>();

impl Arena {
    pub(super) fn new() -> Self {
        Self {
            room: Rc::new(Room::new()),
            end: 0,
            pieces: Vec::new(),
            copies: 0,
        }
    }

    /// Copy bytes, if there is room. Returns the number of the copy, and where it is.
    #[inline(always)]
    pub(super) fn copy(&mut self, place: usize, bytes: &[u8]) -> Option<(u32, *const u8)> {
        if self.in_use() == 0 {
            (self.end, self.copies) = (0, 0);
        }
        let start = self.end;
        if bytes.len() > ROOM - start {
            return None;
        }
        // SAFETY: there is room behind what is used, and nobody else has that: all pieces that are
        // in use lie before it. So `bytes` is elsewhere, too.
        let copy = unsafe {
            let copy = self.room.bytes.add(start);
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            copy
        };
        self.room.in_use.set(self.in_use() + 1);
        self.end += bytes.len();
        let number = self.copies;
        self.copies += 1;
        let piece = Piece {
            is_sent: false,
            place,
            start: start as u32,
            len: bytes.len() as u32,
        };
        match self.pieces.get_mut(number) {
            Some(over) => *over = piece,
            None => self.add(piece),
        }
        // None is empty, so that there are fewer than bytes.
        Some((number as u32, copy))
    }

    #[cold]
    fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }

    /// The kernel is done with a copy: whose it is, and what it is.
    #[inline(always)]
    pub(super) fn over(&mut self, number: u32) -> Option<(usize, Copied)> {
        let piece = self.pieces.get_mut(number as usize)?;
        // What was told once is not told again.
        if mem::replace(&mut piece.is_sent, true) {
            return None;
        }
        let copied = Copied {
            room: Rc::clone(&self.room),
            start: piece.start,
            len: piece.len,
        };
        Some((piece.place, copied))
    }

    /// How many copies the kernel has, or somebody else.
    #[inline(always)]
    pub(super) fn in_use(&self) -> usize {
        self.room.in_use.get()
    }

    /// The kernel keeps for ever what it has.
    pub(super) fn leak(&self) {
        mem::forget(Rc::clone(&self.room));
    }
}

impl Room {
    fn new() -> Self {
        // SAFETY: the layout's size is not zero.
        let bytes = unsafe { alloc::alloc_zeroed(LAYOUT) };
        if bytes.is_null() {
            alloc::handle_alloc_error(LAYOUT);
        }
        Self {
            bytes,
            in_use: Cell::new(0),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout. The kernel has none of it: the ring that sends
        // from it was drained, or else it was leaked and we are not here; and no `Copied` is left,
        // because each holds a reference.
        unsafe { alloc::dealloc(self.bytes, LAYOUT) };
    }
}

impl Deref for Copied {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: the piece was written when it was made, and is nobody else's until `self` is
        // dropped: it counts as in use.
        unsafe {
            let start = self.room.bytes.add(self.start as usize);
            slice::from_raw_parts(start, self.len as usize)
        }
    }
}

impl Drop for Copied {
    #[inline(always)]
    fn drop(&mut self) {
        let in_use = &self.room.in_use;
        in_use.set(in_use.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_lie_one_behind_the_other_until_the_last_one_is_dropped() {
        let mut arena = Arena::new();
        let (first, at) = arena.copy(7, b"one").unwrap();
        let (second, behind) = arena.copy(8, b"two").unwrap();
        assert_eq!(at.wrapping_add(3), behind);
        let (place, two) = arena.over(second).unwrap();
        assert_eq!((place, &*two), (8, &b"two"[..]));
        assert!(arena.over(second).is_none(), "it was told");
        // What is read is in use, though the kernel is done with it.
        assert_eq!(arena.in_use(), 2);
        drop(two);
        let (_, one) = arena.over(first).unwrap();
        let (third, further) = arena.copy(9, b"three").unwrap();
        assert_eq!(at.wrapping_add(6), further, "one is still in use");
        assert_eq!(&*one, b"one");
        drop((one, arena.over(third)));
        assert_eq!(arena.in_use(), 0);
        assert_eq!(arena.copy(1, b"x").unwrap(), (0, at));
    }

    #[test]
    fn where_there_is_no_room_nothing_is_copied() {
        let mut arena = Arena::new();
        let most = vec![b'x'; ROOM - 1];
        let (number, _) = arena.copy(0, &most).unwrap();
        assert!(arena.copy(1, b"yz").is_none());
        let (last, _) = arena.copy(1, b"y").unwrap();
        assert!(arena.copy(2, b"z").is_none());
        assert_eq!(arena.in_use(), 2);
        assert_eq!(&*arena.over(last).unwrap().1, b"y");
        assert_eq!(arena.over(number).unwrap().1.len(), most.len());
        assert!(arena.copy(2, &most).is_some());
    }
}
