use std::cell::Cell;

use crate::staging::Staging;

/// What the connection that is given a delivery writes meanwhile, in one piece that needs no place
/// in its outbox: bytes of the delivery itself where they lie, others where output is staged.
///
/// ```text
///            begin                 write of a part of it            end
///   (none) --------> (delivering) -----------------------> (lent) -------> (none)
///                         |           <-- the next part --                   ^
///                         | write of other bytes                             |
///                         +--------------------------> (staged) -------------+
///                                     <-- more of them --
/// ```
///
/// A handle knows only the address of what it is given; that tells whether it lies in the
/// delivery, because no other live value can lie there. Bytes are lent only while nothing else
/// waits on the connection, so they always go first. When the callback has returned, the engine,
/// which has the delivery, sends them from where they lie; what the kernel does not take is
/// copied then, and only then.
pub(crate) struct Lending {
    start: Cell<usize>,
    len: Cell<usize>,
    /// Where the piece begins, in the delivery or, with this bit, where output is staged.
    lent_start: Cell<usize>,
    /// Its length. `NOTHING` outside of a delivery.
    lent: Cell<usize>,
}

const STAGED: usize = 1 << (usize::BITS - 1);
/// Not what waits on any connection.
const NOTHING: usize = usize::MAX;

impl Default for Lending {
    fn default() -> Self {
        Self {
            start: Cell::new(0),
            len: Cell::new(0),
            lent_start: Cell::new(0),
            lent: Cell::new(NOTHING),
        }
    }
}

impl Lending {
    #[inline(always)]
    pub(crate) fn begin(&self, data: &[u8]) {
        self.start.set(data.as_ptr().addr());
        self.len.set(data.len());
        self.lent.set(0);
    }

    /// Lend these bytes, if they lie in the delivery and follow what was lent before, and if that
    /// is all of what is `waiting`.
    #[inline(always)]
    pub(crate) fn lend(&self, bytes: &[u8], waiting: usize) -> bool {
        let at = bytes.as_ptr().addr().wrapping_sub(self.start.get());
        let lent = self.lent.get();
        if at >= self.len.get() || lent != waiting {
            return false;
        }
        if lent == 0 {
            self.lent_start.set(at);
        } else if at != self.lent_start.get() + lent {
            return false;
        }
        self.lent.set(lent + bytes.len());
        true
    }

    /// Stage these bytes, `len` in all, if they follow what was staged before, and if that is all
    /// of what is `waiting`.
    #[inline(always)]
    pub(crate) fn stage(
        &self,
        staging: &Staging,
        parts: &[&[u8]],
        len: usize,
        waiting: usize,
    ) -> bool {
        let lent = self.lent.get();
        if lent != waiting {
            return false;
        }
        let end = staging.end();
        if lent == 0 {
            self.lent_start.set(STAGED | end);
        } else if STAGED | end != self.lent_start.get().wrapping_add(lent) {
            return false;
        }
        let is_staged = staging.put(end, parts, len);
        if is_staged {
            self.lent.set(lent + len);
        }
        is_staged
    }

    /// Whether there is a piece.
    pub(crate) fn has_lent(&self) -> bool {
        !matches!(self.lent.get(), 0 | NOTHING)
    }

    /// The callback has returned: which piece there is.
    #[inline(always)]
    pub(crate) fn end(&self) -> Lent {
        Lent {
            start: self.lent_start.get(),
            len: self.lent.replace(NOTHING),
        }
    }
}

/// A piece of a delivery, or of what is staged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent {
    start: usize,
    pub(crate) len: usize,
}

impl Lent {
    /// Its bytes, in the delivery that it is a part of, if it is.
    #[inline(always)]
    pub(crate) fn of(self, delivery: &[u8]) -> Option<&[u8]> {
        // The bit alone tells, and most cheaply.
        if self.start & STAGED != 0 {
            return None;
        }
        delivery.get(self.start..)?.get(..self.len)
    }

    /// Its bytes, in the buffer where they were staged, if they were.
    #[inline(always)]
    pub(crate) fn staged(self, buffer: &[u8]) -> Option<&[u8]> {
        buffer.get(self.start ^ STAGED..)?.get(..self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_delivery_are_lent_while_they_follow_each_other() {
        let data = *b"abcdef";
        let lending = Lending::default();
        lending.begin(&data);
        assert!(lending.lend(&data[1..3], 0));
        assert!(lending.lend(&data[3..4], 2));
        assert!(!lending.lend(&data[5..6], 3), "there is a gap");
        assert!(!lending.lend(b"x", 3), "this is elsewhere");
        assert!(!lending.lend(&data[4..5], 4), "something else waits");
        assert_eq!(lending.end().of(&data), Some(&b"bcd"[..]));
        assert!(!lending.lend(&data[4..5], 0), "the delivery is over");
    }

    #[test]
    fn another_delivery_begins_anew() {
        let data = *b"abcdef";
        let lending = Lending::default();
        lending.begin(&data);
        assert!(lending.lend(&data, 0));
        assert_eq!(lending.end().of(&data), Some(&b"abcdef"[..]));
        lending.begin(&data[..2]);
        assert!(!lending.lend(&data[2..], 0), "outside of what is delivered");
        assert_eq!(lending.end().len, 0);
    }

    #[test]
    fn other_bytes_are_staged_while_they_follow_each_other() {
        let data = *b"abcdef";
        let (lending, staging) = (Lending::default(), Staging::default());
        let stage = |part: &[u8], waiting| lending.stage(&staging, &[part], part.len(), waiting);
        assert!(!stage(b"12", 0), "there is no delivery");
        lending.begin(&data);
        assert!(staging.begin(&[b"of another"], 10).is_some());
        assert!(stage(b"12", 0) && stage(b"3", 2));
        assert!(!lending.lend(&data[3..4], 3), "other bytes go first");
        assert!(!stage(b"4", 4), "something else waits");
        assert!(staging.begin(&[b"of another"], 10).is_some());
        assert!(!stage(b"4", 3), "another's lie there");
        let lent = lending.end();
        assert_eq!(lent.of(&data), None);
        assert_eq!(lent.staged(&staging.borrow()), Some(&b"123"[..]));

        lending.begin(&data);
        assert!(lending.lend(&data[..3], 0));
        assert!(!stage(b"4", 3), "a part of the delivery goes first");
        let lent = lending.end();
        assert_eq!(lent.staged(&staging.borrow()), None);
        assert_eq!(lent.of(&data), Some(&b"abc"[..]));
    }

    #[test]
    fn a_delivery_of_which_nothing_is_lent_knows_nothing_of_the_last() {
        let data = *b"abcdef";
        let lending = Lending::default();
        lending.begin(&data);
        assert!(lending.lend(&data[3..], 0));
        assert_eq!(lending.end().of(&data), Some(&b"def"[..]));
        lending.begin(&data[..1]);
        assert_eq!(lending.end().len, 0);
    }
}
