//! How many datagrams to ask the kernel for.

/// How many datagrams to ask for: as many as came lately, and some more.
///
/// The call for one costs the kernel less than that for several does when one has come, so those
/// who get them one by one ask for one, and for several only now and then.
///
/// ```text
///            one came                     `times` ones came
///   Several ----------> One{times: 1, 2 .. 8} ----------> Several
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    /// How many at once. If it is 1, only so many `times` more.
    pub(super) datagrams: usize,
    times: u32,
    /// What `times` begins with when one comes alone.
    patience: u32,
}

impl Asks {
    pub(super) const BEGIN: Self = Self {
        datagrams: 1,
        times: 1,
        patience: 1,
    };
    /// At least so many are asked for, if it is not one.
    const FEW: usize = 4;
    const MOST_PATIENCE: u32 = 8;

    /// So many came of those that were asked for.
    pub(super) fn came(&mut self, datagrams: usize, places: usize) {
        if self.datagrams == 1 {
            self.times -= 1;
            if self.times == 0 {
                self.datagrams = Self::FEW.min(places);
                self.times = 1;
            }
        } else if datagrams <= 1 {
            self.patience = (2 * self.patience).min(Self::MOST_PATIENCE);
            self.times = self.patience;
            self.datagrams = 1;
        } else {
            self.patience = 1;
            self.datagrams = match datagrams == self.datagrams {
                true => (2 * datagrams).min(places),
                false => (2 * datagrams).max(Self::FEW).min(places),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(came: &[usize]) -> Vec<usize> {
        let mut asks = Asks::BEGIN;
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
        assert!((100..=130).contains(&several), "{several}");
    }

    #[test]
    fn a_flood_is_taken_in_ever_larger_pieces() {
        assert_eq!(asked(&[1000; 7]), [1, 4, 8, 16, 32, 64, 64]);
        assert_eq!(asked(&[1, 9, 9, 9, 9, 9]), [1, 4, 8, 16, 18, 18]);
        // After a lull the size is soon there again.
        assert_eq!(asked(&[1, 1, 1, 1, 64, 64]), [1, 4, 1, 1, 4, 8]);
    }
}
