use std::cell::Cell;

/// The delivery that is being made, whose bytes its connection may write back without a copy.
///
/// ```text
///            begin                 write of a part of it            end
///   (none) --------> (delivering) -----------------------> (lent) -------> (none)
///                                     <-- the next part --
/// ```
///
/// A handle knows only the address of what it is given; that tells whether it lies in the
/// delivery, because no other live value can lie there. Bytes are lent only while nothing else
/// waits on the connection, so they always go first. When the callback has returned, the engine,
/// which has the delivery, sends them from where they lie; what the kernel does not take is
/// copied then, and only then.
#[derive(Default)]
pub(crate) struct Lending {
    start: Cell<usize>,
    len: Cell<usize>,
    lent_start: Cell<usize>,
    lent: Cell<usize>,
}

impl Lending {
    #[inline]
    pub(crate) fn begin(&self, data: &[u8]) {
        self.start.set(data.as_ptr().addr());
        self.len.set(data.len());
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

    /// The callback has returned: which part of the delivery was lent.
    #[inline(always)]
    pub(crate) fn end(&self) -> Lent {
        self.len.set(0);
        Lent {
            start: self.lent_start.get(),
            len: self.lent.replace(0),
        }
    }
}

/// A part of a delivery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lent {
    start: usize,
    pub(crate) len: usize,
}

impl Lent {
    /// Its bytes, in the delivery that it is a part of.
    #[inline(always)]
    pub(crate) fn of(self, delivery: &[u8]) -> Option<&[u8]> {
        delivery.get(self.start..)?.get(..self.len)
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
