use std::fmt;
use std::io::IoSlice;
use std::mem;

use bytes::{Buf, Bytes};

use crate::Descriptor;

/// Output on its way: made by the engine, sent by a driver, and returned to the engine.
///
/// Bytes that were copied in lie in one buffer; shared [`Bytes`] are spliced in where they belong
/// without being copied. A chunk moves as one pointer and is used again when it is empty, so a
/// connection in a steady state allocates nothing.
#[derive(Default)]
pub struct Chunk {
    copied: Vec<u8>,
    spliced: Vec<Splice>,
    /// Position in `copied` up to which everything was sent.
    sent: usize,
    /// Splices before this one were sent. They are dropped when the chunk is reused, by the
    /// engine: the `Drop` of such bytes can be a user's, and a driver is no place for it.
    sent_splices: usize,
    len: usize,
}

struct Splice {
    /// The position in `copied` in front of which these bytes go.
    at: usize,
    bytes: Bytes,
    /// What goes with the first of them.
    descriptors: Vec<Descriptor>,
}

impl Chunk {
    /// Bytes left to send.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether everything was sent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is left to send, if it lies in one piece; the usual case, and cheaper to send.
    #[inline]
    pub fn as_slice(&self) -> Option<&[u8]> {
        (self.sent_splices == self.spliced.len()).then(|| &self.copied[self.sent..])
    }

    /// Fill `slices` with what is left to send, in order, and return how many were filled. What
    /// does not fit follows in the next send, and so does what must not go together: bytes that
    /// carry descriptors begin a send.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(self.message()) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// The pieces left to send, none of them empty.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces_to(self.spliced.len(), self.copied.len())
    }

    /// Those of them that may go in one send, with the [`descriptors`](Self::descriptors).
    pub fn message(&self) -> impl Iterator<Item = &[u8]> {
        let splices = self.spliced.iter().enumerate().skip(self.sent_splices);
        let carrying = splices.filter(|(_, splice)| !splice.descriptors.is_empty());
        // One that lies at the front begins this send.
        let mut others = carrying
            .skip_while(|(place, splice)| *place == self.sent_splices && splice.at == self.sent);
        match others.next() {
            Some((place, splice)) => self.pieces_to(place, splice.at),
            None => self.pieces_to(self.spliced.len(), self.copied.len()),
        }
    }

    /// What must go with the next byte.
    pub fn descriptors(&self) -> &[Descriptor] {
        match self.spliced.get(self.sent_splices) {
            Some(splice) if splice.at == self.sent => &splice.descriptors,
            _ => &[],
        }
    }

    /// The descriptors that go with the next `n` bytes, for who delivers them itself.
    pub fn take_descriptors(&mut self, n: usize) -> Vec<Descriptor> {
        let mut taken = Vec::new();
        let (mut before, mut position) = (0, self.sent);
        for splice in &mut self.spliced[self.sent_splices..] {
            before += splice.at - position;
            position = splice.at;
            if before >= n {
                break;
            }
            taken.append(&mut splice.descriptors);
            before += splice.bytes.len();
        }
        taken
    }

    /// How many descriptors wait here.
    pub(crate) fn count_descriptors(&self) -> usize {
        self.spliced.iter().map(|it| it.descriptors.len()).sum()
    }

    /// The pieces before this splice and this position.
    fn pieces_to(&self, splice: usize, end: usize) -> impl Iterator<Item = &[u8]> {
        let splices = &self.spliced[self.sent_splices..splice];
        let mut position = self.sent;
        let mut next = 0;
        std::iter::from_fn(move || {
            if let Some(splice) = splices.get(next) {
                if splice.at > position {
                    let piece = &self.copied[position..splice.at];
                    position = splice.at;
                    return Some(piece);
                }
                next += 1;
                return Some(&splice.bytes[..]);
            }
            let piece = &self.copied[position..end];
            position = end;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// The first `n` bytes were sent.
    ///
    /// # Panics
    /// If `n` is more than [`len`](Self::len).
    #[inline(always)]
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len, "a driver sent more than it was given");
        self.len -= n;
        if self.spliced.is_empty() {
            self.sent += n;
        } else {
            self.advance_spliced(n);
        }
    }

    fn advance_spliced(&mut self, n: usize) {
        let mut left = n;
        while left > 0 {
            let Some(splice) = self.spliced.get_mut(self.sent_splices) else {
                self.sent += left;
                return;
            };
            let before = (splice.at - self.sent).min(left);
            self.sent += before;
            left -= before;
            if splice.at > self.sent {
                return;
            }
            // `advance` to the end leaves an empty handle that still keeps the allocation; it is
            // dropped in `reset`.
            let within = splice.bytes.len().min(left);
            if within > 0 {
                // They went with the first byte; ours are closed.
                splice.descriptors.clear();
            }
            if within == splice.bytes.len() {
                self.sent_splices += 1;
            } else {
                splice.bytes.advance(within);
            }
            left -= within;
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// The same with bytes that are nobody else's: where nothing was copied in they are taken as they
    /// lie, and what was their room is given in exchange.
    pub(crate) fn push_all(&mut self, bytes: &mut Vec<u8>) {
        if self.copied.is_empty() && fills(bytes) {
            self.len += bytes.len();
            mem::swap(&mut self.copied, bytes);
            bytes.clear();
        } else {
            self.push(bytes);
        }
    }

    /// Put bytes in front of a chunk of which nothing was sent.
    pub(crate) fn put_in_front(&mut self, bytes: &[u8]) {
        debug_assert_eq!((self.sent, self.sent_splices), (0, 0));
        self.copied.splice(0..0, bytes.iter().copied());
        for splice in &mut self.spliced {
            splice.at += bytes.len();
        }
        self.len += bytes.len();
    }

    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        self.push_passing(bytes, Vec::new());
    }

    /// Bytes, and what goes with the first of them.
    pub(crate) fn push_passing(&mut self, bytes: Bytes, descriptors: Vec<Descriptor>) {
        self.len += bytes.len();
        self.spliced.push(Splice {
            at: self.copied.len(),
            bytes,
            descriptors,
        });
    }

    /// Make the chunk fit for its next use. It must carry no shared bytes any more.
    #[inline(always)]
    pub(crate) fn reset(&mut self) {
        /// A buffer that grew beyond this for one large write is not kept.
        const KEPT: usize = 64 * 1024;
        self.sent = 0;
        self.len = 0;
        self.copied.clear();
        if self.copied.capacity() > KEPT {
            self.copied = Vec::new();
        }
    }

    /// Whether the chunk carries shared bytes, sent or not.
    #[inline]
    pub(crate) fn carries_shared(&self) -> bool {
        !self.spliced.is_empty()
    }

    /// Take the shared bytes out, for the caller to drop where user code may run.
    pub(crate) fn take_shared(&mut self) -> impl Iterator<Item = Bytes> + use<> {
        self.sent_splices = 0;
        mem::take(&mut self.spliced)
            .into_iter()
            .map(|splice| splice.bytes)
    }
}

/// Whether a buffer is worth keeping for what it holds: a few bytes that wait for long must not keep
/// much room.
pub(crate) fn fills(bytes: &Vec<u8>) -> bool {
    bytes.len() >= bytes.capacity() / 4
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("len", &self.len)
            .field("pieces", &self.pieces().count())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed() -> Chunk {
        let mut chunk = Chunk::default();
        chunk.push(b"ab");
        chunk.push_shared(Bytes::from_static(b"CDE"));
        chunk.push_shared(Bytes::from_static(b"FG"));
        chunk.push(b"hi");
        chunk
    }

    #[test]
    fn pieces_come_in_the_order_they_were_pushed() {
        let chunk = mixed();
        let pieces: Vec<_> = chunk.pieces().collect();
        assert_eq!(pieces, [&b"ab"[..], b"CDE", b"FG", b"hi"]);
        assert_eq!(chunk.len(), 9);
        assert!(chunk.as_slice().is_none());
    }

    #[test]
    fn advancing_by_any_two_steps_leaves_the_rest() {
        let whole: Vec<u8> = mixed().pieces().flatten().copied().collect();
        for first in 0..=9 {
            for second in 0..=9 - first {
                let mut chunk = mixed();
                chunk.advance(first);
                chunk.advance(second);
                let rest: Vec<u8> = chunk.pieces().flatten().copied().collect();
                assert_eq!(rest, whole[first + second..], "after {first} and {second}");
                assert_eq!(chunk.len(), rest.len());
                assert!(chunk.pieces().all(|piece| !piece.is_empty()));
            }
        }
    }

    #[cfg(unix)]
    fn descriptor() -> Descriptor {
        std::io::pipe().unwrap().0.into()
    }

    /// `ab`, then `CD` with one, `e`, and `FG` with two.
    #[cfg(unix)]
    fn passing() -> Chunk {
        let mut chunk = Chunk::default();
        chunk.push(b"ab");
        chunk.push_passing(Bytes::from_static(b"CD"), vec![descriptor()]);
        chunk.push(b"e");
        chunk.push_passing(Bytes::from_static(b"FG"), vec![descriptor(), descriptor()]);
        chunk
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_carry_descriptors_begin_a_send() {
        let mut chunk = passing();
        let mut sends = Vec::new();
        while !chunk.is_empty() {
            let send: Vec<u8> = chunk.message().flatten().copied().collect();
            sends.push((chunk.descriptors().len(), send.clone()));
            chunk.advance(send.len());
        }
        assert_eq!(sends[0], (0, b"ab".to_vec()));
        assert_eq!(sends[1], (1, b"CDe".to_vec()));
        assert_eq!(sends[2], (2, b"FG".to_vec()));
        assert_eq!(sends.len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn descriptors_go_with_the_first_byte_and_only_once() {
        let mut chunk = passing();
        chunk.advance(3);
        assert_eq!(chunk.descriptors().len(), 0, "C took them along");
        let rest: Vec<u8> = chunk.message().flatten().copied().collect();
        assert_eq!(rest, b"De");
        assert_eq!(chunk.count_descriptors(), 2);
        assert_eq!(chunk.take_descriptors(2).len(), 0);
        assert_eq!(chunk.take_descriptors(3).len(), 2);
        assert_eq!(chunk.count_descriptors(), 0);
    }

    #[test]
    fn what_is_put_in_front_comes_first() {
        let mut chunk = mixed();
        chunk.put_in_front(b"12");
        let all: Vec<u8> = chunk.pieces().flatten().copied().collect();
        assert_eq!(all, b"12abCDEFGhi");
        assert_eq!(chunk.len(), all.len());
    }

    #[test]
    fn a_used_chunk_starts_again_empty() {
        let mut chunk = mixed();
        chunk.advance(4);
        assert!(chunk.carries_shared());
        assert_eq!(chunk.take_shared().count(), 2);
        chunk.reset();
        assert!(chunk.is_empty());
        chunk.push(b"next");
        assert_eq!(chunk.as_slice(), Some(&b"next"[..]));
    }

    #[test]
    #[should_panic(expected = "more than it was given")]
    fn advancing_past_the_end_is_a_drivers_bug() {
        mixed().advance(10);
    }
}
