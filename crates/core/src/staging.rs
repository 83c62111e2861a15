use std::cell::{Cell, Ref, RefCell, RefMut};
use std::ops::Range;

/// Output of many connections in one buffer, for the short time between the callbacks that write
/// it and the sends that take it.
///
/// ```text
///          write                     write, if nothing was         sent, or moved to the outbox
///   (none) -----> [a a a] [b b] ...  staged behind it: grows  ---------------> (none)
/// ```
///
/// What one line makes a room of a hundred say needs a hundred small places for a moment; here
/// they cost no chunk each. When nobody has anything here, the buffer begins again. Each
/// connection has one piece at most, and bytes go here only while nothing else of it waits, so
/// they always go first.
///
/// The connection that is given a delivery has its piece here, too, but only until its callback has
/// returned: it belongs to [`Lending`](crate::lending::Lending), and is counted nowhere.
#[derive(Default)]
pub(crate) struct Staging {
    /// Made when it is first needed, and never larger or smaller from then on.
    buffer: RefCell<Box<[u8]>>,
    /// How much of it is used.
    end: Cell<usize>,
    /// How much of what is used still waits.
    waiting: Cell<usize>,
}

/// A connection's piece.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Staged {
    start: u32,
    len: usize,
}

impl Staged {
    #[inline(always)]
    pub(crate) fn new(start: u32, len: usize) -> Self {
        Self { start, len }
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len
    }
}

impl Staging {
    /// No more than this is staged at once; the rest goes into chunks, which are shared out.
    const ROOM: usize = 64 * 1024;

    /// Begin a piece with these bytes, `len` in all, if there is room. Returns where.
    #[inline(always)]
    pub(crate) fn begin(&self, parts: &[&[u8]], len: usize) -> Option<u32> {
        let start = self.end.get();
        let is_put = self.put(start, parts, len) || self.put_first(parts, len);
        is_put.then(|| {
            self.waiting.set(self.waiting.get() + len);
            start as u32
        })
    }

    /// Begin a piece of `len` bytes, if there is room: where it begins, and the place for them.
    #[inline(always)]
    pub(crate) fn room(&self, len: usize) -> Option<(u32, RefMut<'_, [u8]>)> {
        let start = self.end.get();
        let buffer = self.buffer.borrow_mut();
        let room = RefMut::filter_map(buffer, |buffer| buffer.get_mut(start..)?.get_mut(..len));
        let room = room.ok()?;
        self.end.set(start + len);
        self.waiting.set(self.waiting.get() + len);
        Some((start as u32, room))
    }

    /// Add bytes to the piece that ends here, if it is the last one and there is room.
    #[inline(always)]
    pub(crate) fn grow(&self, end: usize, parts: &[&[u8]], len: usize) -> bool {
        let is_put = end == self.end.get() && self.put(end, parts, len);
        if is_put {
            self.waiting.set(self.waiting.get() + len);
        }
        is_put
    }

    /// Where the next piece goes.
    #[inline(always)]
    pub(crate) fn end(&self) -> usize {
        self.end.get()
    }

    /// Put bytes, `len` in all, behind all others, which end there, if there is room.
    #[inline(always)]
    pub(crate) fn put(&self, end: usize, parts: &[&[u8]], len: usize) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        let Some(mut room) = buffer.get_mut(end..).and_then(|room| room.get_mut(..len)) else {
            return false;
        };
        for part in parts {
            let Some((place, rest)) = room.split_at_mut_checked(part.len()) else {
                return false;
            };
            place.copy_from_slice(part);
            room = rest;
        }
        self.end.set(end + len);
        true
    }

    /// The same where there was no room: it is made, unless it was.
    #[cold]
    fn put_first(&self, parts: &[&[u8]], len: usize) -> bool {
        let mut buffer = self.buffer.borrow_mut();
        let is_first = buffer.is_empty() && len <= Self::ROOM;
        if is_first {
            *buffer = vec![0; Self::ROOM].into();
        }
        drop(buffer);
        is_first && self.put(0, parts, len)
    }

    /// How many bytes wait here.
    pub(crate) fn len(&self) -> usize {
        self.waiting.get()
    }

    /// Look at a piece that is to be taken.
    #[inline(always)]
    pub(crate) fn with<R>(&self, piece: Staged, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.borrow()[piece.range()])
    }

    #[inline(always)]
    pub(crate) fn borrow(&self) -> Ref<'_, Box<[u8]>> {
        self.buffer.borrow()
    }

    /// So many bytes are not needed any more.
    #[inline(always)]
    pub(crate) fn release(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() - bytes);
    }

    /// Begin again, if nobody has anything here: to be called while nothing is lent from here.
    #[inline(always)]
    pub(crate) fn rewind(&self) {
        if self.waiting.get() == 0 {
            self.end.set(0);
        }
    }
}
