/// A number of bytes in half the room, because every connection has some of these. Beyond 4 GiB
/// there is only one: more than ever waits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u32);

impl Mark {
    pub(super) fn new(bytes: usize) -> Self {
        Self(u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    pub(super) fn bytes(self) -> usize {
        match self.0 {
            u32::MAX => usize::MAX,
            bytes => bytes as usize,
        }
    }

    /// Whether that is more than the mark, or at least may be.
    #[inline(always)]
    pub(super) fn may_be_below(self, bytes: usize) -> bool {
        bytes > self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_exact_below_four_gibibytes_and_none_above() {
        for bytes in [0, 1, 65536, u32::MAX as usize - 1] {
            let mark = Mark::new(bytes);
            assert_eq!(mark.bytes(), bytes);
            assert!(mark.may_be_below(bytes + 1) && !mark.may_be_below(bytes));
        }
        assert_eq!(Mark::new(usize::MAX).bytes(), usize::MAX);
        assert_eq!(Mark::new(1 << 40).bytes(), usize::MAX);
    }
}
