use std::cell::{Cell, RefCell};
use std::mem;

use bytes::Bytes;

use crate::Descriptor;
use crate::chunk::Chunk;

/// One connection's output.
///
/// ```text
///            write                flush                      driver took all
///   (empty) -------> filling = some -----> with the driver ----------------------> (empty)
///                                            |   |    ^
///               driver took part of it: Held |   |    | writable
///               driver keeps it: Away        v   v    | sent
///                                          going = Held, Away
/// ```
///
/// What is written while a chunk is on its way fills the next one, so a chunk that a driver holds
/// is never touched, and order is kept without looking inside.
#[derive(Default)]
pub(crate) struct Outbox {
    filling: Option<Box<Chunk>>,
    going: Going,
}

#[derive(Default)]
enum Going {
    #[default]
    Nothing,
    /// Came back in part; goes first when there is room again.
    Held(Box<Chunk>),
    /// With the driver.
    Away,
}

impl Outbox {
    #[inline]
    pub(crate) fn push(&mut self, pool: &Pool, bytes: &[u8]) {
        self.filling(pool).push(bytes);
    }

    /// The same, without copying them where that can be; another buffer is given in exchange.
    pub(crate) fn push_all(&mut self, pool: &Pool, bytes: &mut Vec<u8>) {
        self.filling(pool).push_all(bytes);
    }

    #[inline]
    pub(crate) fn push_parts(&mut self, pool: &Pool, parts: &[&[u8]]) {
        let chunk = self.filling(pool);
        for part in parts {
            chunk.push(part);
        }
    }

    /// Bytes that were written before all that fills the next chunk.
    pub(crate) fn put_in_front(&mut self, pool: &Pool, bytes: &[u8]) {
        self.filling(pool).put_in_front(bytes);
    }

    pub(crate) fn push_shared(&mut self, pool: &Pool, bytes: Bytes) {
        self.filling(pool).push_shared(bytes);
    }

    /// Bytes, and what goes with them.
    pub(crate) fn push_passing(&mut self, pool: &Pool, bytes: Bytes, passed: Vec<Descriptor>) {
        self.filling(pool).push_passing(bytes, passed);
    }

    /// Descriptors that wait, but for those of a chunk that is with the driver.
    pub(crate) fn count_descriptors(&self) -> usize {
        let held = match &self.going {
            Going::Held(chunk) => chunk.count_descriptors(),
            Going::Nothing | Going::Away => 0,
        };
        let filling = self.filling.as_ref();
        held + filling.map_or(0, |chunk| chunk.count_descriptors())
    }

    #[inline]
    fn filling(&mut self, pool: &Pool) -> &mut Chunk {
        self.filling.get_or_insert_with(|| pool.take())
    }

    /// What the driver should send next; `None` if there is nothing or it still has the last one.
    #[inline]
    pub(crate) fn depart(&mut self) -> Option<Box<Chunk>> {
        match self.going {
            Going::Nothing => self.filling.take(),
            Going::Away => None,
            Going::Held(_) => match mem::take(&mut self.going) {
                Going::Held(chunk) => Some(chunk),
                Going::Nothing | Going::Away => None,
            },
        }
    }

    /// The driver gave back the chunk with something left in it.
    pub(crate) fn hold(&mut self, chunk: Box<Chunk>) {
        self.going = Going::Held(chunk);
    }

    /// The driver keeps the chunk until it was sent.
    pub(crate) fn keep_away(&mut self) {
        self.going = Going::Away;
    }

    /// The chunk that the driver kept came back.
    pub(crate) fn came_back(&mut self) {
        self.going = Going::Nothing;
    }

    /// Whether the kernel has no room for a chunk that came back.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.going, Going::Held(_))
    }

    /// Whether everything that was written has been handed over.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.filling.is_none() && matches!(self.going, Going::Nothing)
    }

    /// Give up what waits, for the caller to drop where user code may run.
    pub(crate) fn discard(&mut self) -> [Option<Box<Chunk>>; 2] {
        let held = match mem::take(&mut self.going) {
            Going::Held(chunk) => Some(chunk),
            Going::Nothing => None,
            Going::Away => {
                self.going = Going::Away;
                None
            }
        };
        [held, self.filling.take()]
    }
}

/// Chunks waiting to be used again, so that output costs no allocation once the first was made
/// and an idle connection holds no buffer.
#[derive(Default)]
pub(crate) struct Pool {
    /// The one that goes round while no connection is blocked.
    hot: Cell<Option<Box<Chunk>>>,
    #[expect(
        clippy::vec_box,
        reason = "chunks travel to the driver and back as one pointer"
    )]
    more: RefCell<Vec<Box<Chunk>>>,
}

impl Pool {
    /// More chunks than this are only in use at once when many connections are blocked.
    const KEPT: usize = 64;

    #[inline]
    pub(crate) fn take(&self) -> Box<Chunk> {
        match self.hot.take() {
            Some(chunk) => chunk,
            None => self.take_more(),
        }
    }

    #[cold]
    fn take_more(&self) -> Box<Chunk> {
        self.more.borrow_mut().pop().unwrap_or_default()
    }

    /// Keep the chunk, which carries no shared bytes.
    #[inline(always)]
    pub(crate) fn give(&self, mut chunk: Box<Chunk>) {
        chunk.reset();
        if let Some(second) = self.hot.replace(Some(chunk)) {
            self.give_more(second);
        }
    }

    #[cold]
    fn give_more(&self, chunk: Box<Chunk>) {
        let mut more = self.more.borrow_mut();
        if more.len() < Self::KEPT {
            more.push(chunk);
        }
    }
}
