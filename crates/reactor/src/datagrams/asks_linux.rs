//! How many datagrams to ask the kernel for.

/// How many datagrams to ask for: as many as came lately, and some more.
///
/// The call for one costs the kernel less than that for several does when one has come. But whoever
/// asks for one does not see that more are waiting, and takes each in a turn of its own. So one is
/// asked for only where they have come one by one for a while, and for several now and then.
///
/// ```text
///              one came, `ALONE` times running         `TIMES` ones were asked for
///   Several ------------------------------------> One ----------------------------> Several
/// ```
///
/// Where one comes again then, it is `One` at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    /// How many at once. If it is 1, only so many `times` more.
    pub(super) datagrams: usize,
    times: u32,
    /// How often one came alone of several that were asked for, since more came.
    alone: u32,
}

impl Asks {
    /// At least so many are asked for, if it is not one.
    const FEW: usize = 4;
    const ALONE: u32 = 4;
    const TIMES: u32 = 8;

    /// With room for so many.
    pub(super) fn begin(places: usize) -> Self {
        Self {
            datagrams: Self::FEW.min(places),
            times: 0,
            alone: 0,
        }
    }

    /// So many came of those that were asked for.
    pub(super) fn came(&mut self, datagrams: usize, places: usize) {
        if self.times > 0 {
            self.times -= 1;
            if self.times == 0 {
                self.datagrams = Self::FEW.min(places);
            }
        } else if datagrams <= 1 {
            self.alone = (self.alone + 1).min(Self::ALONE);
            if self.alone == Self::ALONE {
                self.datagrams = 1;
                self.times = Self::TIMES;
            }
        } else {
            self.alone = 0;
            self.datagrams = (2 * datagrams).max(Self::FEW).min(places);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(came: &[usize]) -> Vec<usize> {
        let mut asks = Asks::begin(64);
        let mut asked = Vec::new();
        for waiting in came {
            asked.push(asks.datagrams);
            asks.came(asks.datagrams.min(*waiting), 64);
        }
        asked
    }

    #[test]
    fn those_who_get_them_one_by_one_ask_for_one_and_seldom_for_more() {
        let asked = asked(&[1; 1000]);
        let several = asked.iter().filter(|asks| **asks > 1).count();
        assert!((110..=120).contains(&several), "{several}");
    }

    #[test]
    fn one_alone_among_several_changes_nothing() {
        let asked = asked(&[9, 1, 9, 1, 1, 9, 1, 1, 1, 9]);
        assert_eq!(asked, [4, 8, 8, 16, 16, 16, 18, 18, 18, 18]);
    }

    #[test]
    fn a_flood_is_taken_in_ever_larger_pieces() {
        assert_eq!(asked(&[1000; 6]), [4, 8, 16, 32, 64, 64]);
        assert_eq!(asked(&[1, 9, 9, 9, 9]), [4, 4, 8, 16, 18]);
        // After a lull the size is soon there again.
        let mut lull = [1; 40];
        lull[13..].fill(64);
        assert_eq!(
            asked(&lull)[..18],
            [4, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1, 1]
        );
        assert_eq!(asked(&lull)[20..25], [1, 4, 8, 16, 32]);
    }

    #[test]
    fn a_port_that_may_have_one_place_only_asks_for_one() {
        let mut asks = Asks::begin(1);
        for _ in 0..30 {
            assert_eq!(asks.datagrams, 1);
            asks.came(1, 1);
        }
    }
}
