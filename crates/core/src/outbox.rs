use std::mem;

use bytes::Bytes;

use crate::chunk::{Chunk, Spent};

/// One connection's output.
///
/// ```text
///            write                 flush                      driver took all
///   (empty) -------> filling = some -----> going = Away ------------------------> going = Nothing
///                                            |      ^
///                     driver took part of it |      | writable
///                                            v      |
///                                          going = Held
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
    pub(crate) fn push(&mut self, pool: &Pool, bytes: &[u8]) {
        self.filling(pool).push(bytes);
    }

    pub(crate) fn push_shared(&mut self, pool: &Pool, bytes: Bytes) {
        self.filling(pool).push_shared(bytes);
    }

    fn filling(&mut self, pool: &Pool) -> &mut Chunk {
        self.filling.get_or_insert_with(|| pool.take())
    }

    /// What the driver should send next; `None` if there is nothing or it still has the last one.
    pub(crate) fn depart(&mut self) -> Option<Box<Chunk>> {
        match mem::replace(&mut self.going, Going::Away) {
            Going::Held(chunk) => Some(chunk),
            Going::Away => None,
            Going::Nothing => {
                let next = self.filling.take();
                if next.is_none() {
                    self.going = Going::Nothing;
                }
                next
            }
        }
    }

    /// The driver gave back the chunk with something left in it.
    pub(crate) fn hold(&mut self, chunk: Box<Chunk>) {
        self.going = Going::Held(chunk);
    }

    /// The driver sent all of the chunk.
    pub(crate) fn arrived(&mut self) {
        self.going = Going::Nothing;
    }

    /// Whether the kernel has no room for a chunk that came back.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.going, Going::Held(_))
    }

    /// Whether everything that was written has been handed over.
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
pub(crate) struct Pool(std::cell::RefCell<Vec<Box<Chunk>>>);

impl Pool {
    /// More chunks than this are only in use at once when many connections are blocked.
    const KEPT: usize = 64;

    fn take(&self) -> Box<Chunk> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Keep the chunk and return the shared bytes it held.
    pub(crate) fn give(&self, mut chunk: Box<Chunk>) -> Spent {
        let spent = chunk.reset();
        let mut kept = self.0.borrow_mut();
        if kept.len() < Self::KEPT {
            kept.push(chunk);
        }
        spent
    }
}
