//! What is received into. Why it is sound is said in the module above.
#![expect(unsafe_code, reason = "a part of the ring's module, see there")]

use std::alloc::{self, Layout};
use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::BufRingEntry;

use super::op::Outcome;

/// Buffers that the kernel takes one of whenever there is something to receive.
#[derive(Debug)]
pub(super) struct Pool {
    /// The list of buffers that are the kernel's, in a shape that it knows. Its length is a power
    /// of two.
    pub(super) entries: *mut BufRingEntry,
    bytes: *mut u8,
    count: u16,
    size: usize,
    /// Where the next entry goes, counted without end.
    tail: Cell<u16>,
    /// How many it was ever given. It takes one after the other, so that those are in memory.
    given: Cell<u16>,
}

/// Buffers that the kernel has to begin with.
///
/// What finds none is received in the next turn, behind what others had left over: a burst of more
/// pieces than these is unfair by one round, once, until there are twice as many.
const FIRST: u16 = 64;

impl Pool {
    pub(super) fn new(count: u16, size: usize) -> Self {
        assert!(count.is_power_of_two() && size > 0, "a pool has buffers");
        let (list, room) = Self::layouts(count, size);
        // SAFETY: neither layout has a size of zero.
        let (entries, bytes) = unsafe { (alloc::alloc_zeroed(list), alloc::alloc_zeroed(room)) };
        for (pointer, layout) in [(entries, list), (bytes, room)] {
            if pointer.is_null() {
                alloc::handle_alloc_error(layout);
            }
        }
        let pool = Self {
            entries: entries.cast(),
            bytes,
            count,
            size,
            tail: Cell::new(0),
            given: Cell::new(0),
        };
        pool.give_more();
        pool
    }

    /// The kernel had too few: twice as many from now on, while there are as many.
    pub(super) fn give_more(&self) {
        let given = self.given.get();
        let enough = given.saturating_mul(2).max(FIRST).min(self.count);
        (given..enough).for_each(|id| self.give(id));
        self.given.set(enough);
    }

    fn layouts(count: u16, size: usize) -> (Layout, Layout) {
        const PAGE: usize = 4096;
        let list = usize::from(count) * size_of::<BufRingEntry>();
        let room = usize::from(count).saturating_mul(size);
        // What is received need not be aligned, and so much is zeroed only as it is used.
        match (
            Layout::from_size_align(list, PAGE),
            Layout::from_size_align(room, 1),
        ) {
            (Ok(list), Ok(room)) => (list, room),
            _ => panic!("buffers for all of memory"),
        }
    }

    /// Let the kernel have a buffer, which nobody else has.
    fn give(&self, id: u16) {
        let tail = self.tail.get();
        let place = usize::from(tail & (self.count - 1));
        // SAFETY: the place is in the list, which is `count` long; the buffer is in the room, which
        // is as many sizes long. The entry is ours to write, because there are as many places as
        // buffers, and the kernel looks at those before the tail only. The tail lies in the first
        // entry's unused field, aligned as a `u16` is, and only this thread writes it.
        unsafe {
            let entry = &mut *self.entries.add(place);
            entry.set_addr(
                self.bytes
                    .add(usize::from(id) * self.size)
                    .expose_provenance() as u64,
            );
            entry.set_len(self.size as u32);
            entry.set_bid(id);
            let shared = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(shared).store(tail.wrapping_add(1), Ordering::Release);
        }
        self.tail.set(tail.wrapping_add(1));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let (list, room) = Self::layouts(self.count, self.size);
        // SAFETY: they were allocated with these layouts. The kernel has no use for them: the ring
        // that knows of them was drained, or else it holds a reference and we are not here; and
        // no `Filled` is left, because each holds one too.
        unsafe {
            alloc::dealloc(self.entries.cast(), list);
            alloc::dealloc(self.bytes, room);
        }
    }
}

/// Bytes that were received, in a buffer that is the kernel's again when this is dropped.
#[derive(Debug)]
pub(crate) struct Filled {
    pool: Rc<Pool>,
    id: u16,
    len: u32,
}

impl Filled {
    /// # Safety
    /// The kernel must have given the buffer up just now.
    pub(super) unsafe fn new(pool: &Rc<Pool>, id: u16, received: Outcome) -> Self {
        assert!(id < pool.count, "the kernel gave up a buffer of another");
        let len = received.amount().map_or(0, |len| len.min(pool.size));
        Self {
            pool: Rc::clone(pool),
            id,
            len: len as u32,
        }
    }
}

impl Deref for Filled {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let pool = &*self.pool;
        // SAFETY: the buffer is in the room and has at least `len` bytes, all of them written: it
        // was zeroed when it was made. Until `self` is dropped nobody writes to it.
        unsafe {
            let start = pool.bytes.add(usize::from(self.id) * pool.size);
            slice::from_raw_parts(start, self.len as usize)
        }
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        self.pool.give(self.id);
    }
}
