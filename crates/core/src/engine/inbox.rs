use std::mem;

use crate::chunk::fills;

/// Input that a protocol left unread, or that came while it was held back.
///
/// ```text
///             unread(n), input wanted               more bytes, hold lifted
///   Empty ---------------------------> Waits -------------------------------> (delivered)
///     |                                  |  bytes come while held, switch        ^
///     | unread(n), input not wanted      v                                       |
///     +------------------------------> Again ------------------------------------+
///                                              as soon as input is wanted
/// ```
#[derive(Default)]
pub(super) struct Inbox {
    unread: Option<Box<Unread>>,
    tail: Tail,
}

/// What an inbox holds while it holds anything.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    /// Bytes before this one were consumed. They are moved away only when they are the larger
    /// part, so that consuming bit by bit stays linear.
    start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Tail {
    /// Nothing is left.
    #[default]
    Empty,
    /// The protocol needs more bytes, or the end, before it can use these.
    Waits,
    /// To be delivered as soon as input is wanted.
    Again,
}

/// Buffers for inboxes, so that a message cut in two costs no allocation and an idle connection
/// holds no buffer.
#[derive(Default)]
pub(crate) struct Spare {
    buffers: Vec<Vec<u8>>,
    #[expect(clippy::vec_box, reason = "an inbox holds one pointer")]
    inboxes: Vec<Box<Unread>>,
}

impl Spare {
    const KEPT: usize = 64;
    const KEPT_BYTES: usize = 64 * 1024;

    pub(super) fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut bytes: Vec<u8>) {
        if self.buffers.len() < Self::KEPT && Self::keeps(&bytes) {
            bytes.clear();
            self.buffers.push(bytes);
        }
    }

    fn take_inbox(&mut self) -> Box<Unread> {
        self.inboxes.pop().unwrap_or_default()
    }

    fn give_inbox(&mut self, mut unread: Box<Unread>) {
        if self.inboxes.len() < Self::KEPT && Self::keeps(&unread.bytes) {
            unread.bytes.clear();
            unread.start = 0;
            self.inboxes.push(unread);
        }
    }

    fn keeps(bytes: &Vec<u8>) -> bool {
        (1..=Self::KEPT_BYTES).contains(&bytes.capacity())
    }
}

impl Inbox {
    #[inline]
    pub(super) fn tail(&self) -> Tail {
        self.tail
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.unread {
            Some(unread) => &unread.bytes[unread.start..],
            None => &[],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// More bytes came; they are due together with what was left.
    pub(super) fn append(&mut self, bytes: &[u8], spare: &mut Spare) {
        let unread = self.unread.get_or_insert_with(|| spare.take_inbox());
        if unread.start > unread.bytes.len() / 2 {
            unread.bytes.copy_within(unread.start.., 0);
            unread.bytes.truncate(unread.bytes.len() - unread.start);
            unread.start = 0;
        }
        unread.bytes.extend_from_slice(bytes);
        self.tail = Tail::Again;
    }

    /// The same, without copying them where nothing waits; gives a buffer in exchange, which may
    /// hold something old.
    pub(super) fn append_all(&mut self, bytes: Vec<u8>, spare: &mut Spare) -> Vec<u8> {
        if self.len() > 0 || !fills(&bytes) {
            self.append(&bytes, spare);
            return bytes;
        }
        let unread = self.unread.get_or_insert_with(|| spare.take_inbox());
        unread.start = 0;
        self.tail = Tail::Again;
        mem::replace(&mut unread.bytes, bytes)
    }

    /// The protocol left this much of a fresh delivery unread.
    pub(super) fn keep(&mut self, rest: &[u8], tail: Tail, spare: &mut Spare) {
        if !rest.is_empty() {
            self.append(rest, spare);
            self.tail = tail;
        }
    }

    /// The protocol consumed all but the last `rest` bytes.
    pub(super) fn consume(&mut self, rest: usize, tail: Tail, spare: &mut Spare) {
        self.tail = tail;
        match &mut self.unread {
            Some(unread) if rest > 0 => unread.start = unread.bytes.len() - rest,
            _ => self.clear(spare),
        }
    }

    /// These were consumed too early: they are due, in front of everything.
    pub(super) fn put_back(&mut self, bytes: Box<[u8]>) {
        if bytes.is_empty() {
            return;
        }
        let mut bytes = bytes.into_vec();
        bytes.extend_from_slice(self.bytes());
        self.unread = Some(Box::new(Unread { bytes, start: 0 }));
        self.tail = Tail::Again;
    }

    /// What waited for more bytes is due now, for another protocol for instance.
    pub(super) fn due(&mut self) {
        if self.tail == Tail::Waits {
            self.tail = Tail::Again;
        }
    }

    pub(super) fn clear(&mut self, spare: &mut Spare) {
        self.tail = Tail::Empty;
        if let Some(unread) = self.unread.take() {
            spare.give_inbox(unread);
        }
    }

    /// Take everything out, for `with_unread` at the end.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.tail = Tail::Empty;
        let Some(unread) = self.unread.take() else {
            return Vec::new();
        };
        let Unread { mut bytes, start } = *unread;
        bytes.drain(..start);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consuming_bit_by_bit_keeps_what_is_left() {
        let mut spare = Spare::default();
        let mut inbox = Inbox::default();
        let mut model = Vec::new();
        for round in 0_u8..200 {
            let piece = [round; 7];
            inbox.append(&piece, &mut spare);
            model.extend_from_slice(&piece);
            let rest = model.len() - usize::from(round % 9).min(model.len());
            model.drain(..model.len() - rest);
            inbox.consume(rest, Tail::Again, &mut spare);
            assert_eq!(inbox.bytes(), model);
        }
        assert_eq!(inbox.take(), model);
        assert_eq!(inbox.tail(), Tail::Empty);
    }

    #[test]
    fn what_fills_its_buffer_is_taken_with_it() {
        let mut spare = Spare::default();
        let mut inbox = Inbox::default();
        let first = vec![1; 100];
        let place = first.as_ptr();
        inbox.append_all(first, &mut spare);
        assert!(inbox.bytes() == [1; 100] && inbox.bytes().as_ptr() == place);
        // Behind what waits it is copied, and so are a few bytes that would keep much room.
        let back = inbox.append_all(vec![2; 100], &mut spare);
        assert_eq!((back.len(), inbox.len()), (100, 200));
        inbox.consume(0, Tail::Empty, &mut spare);
        let mut few = Vec::with_capacity(1000);
        few.push(3);
        assert_eq!(inbox.append_all(few, &mut spare).capacity(), 1000);
        assert_eq!(inbox.bytes(), [3]);
    }

    #[test]
    fn an_emptied_inbox_lends_its_buffer_to_the_next() {
        let mut spare = Spare::default();
        let mut one = Inbox::default();
        one.append(b"abc", &mut spare);
        one.consume(0, Tail::Waits, &mut spare);
        assert!(one.tail() == Tail::Empty && one.unread.is_none());
        assert_eq!(spare.inboxes.len(), 1);
        let mut two = Inbox::default();
        two.append(b"de", &mut spare);
        assert_eq!((two.bytes(), spare.inboxes.len()), (&b"de"[..], 0));
    }
}
