use std::time::Duration;

/// Numbers that look random and follow from a seed.
///
/// Own code rather than a crate's, because a printed seed must mean the same run whatever version
/// of what else is linked. The generator is SplitMix64 (Steele, Lea and Flood 2014): a counter,
/// and a function that scatters it.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// One of the sequences of a seed: each stays the same however many numbers are taken of the
    /// others.
    pub(crate) fn fork(seed: u64, which: u64) -> Self {
        let mut forked = Self(seed ^ which.wrapping_mul(0xd134_2543_de82_ef95));
        Self(forked.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let scaled = u128::from(self.next()) * (bound as u128);
        // The upper half of the product is below `bound`.
        (scaled >> 64) as usize
    }

    /// True once in so many times, on average; never if that is 0.
    pub(crate) fn one_in(&mut self, times: u32) -> bool {
        times > 0 && self.below(times as usize) == 0
    }

    /// A duration up to and with `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return Duration::ZERO;
        }
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        let scaled = u128::from(self.next()) * (u128::from(nanos) + 1);
        Duration::from_nanos((scaled >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        let take = |mut random: Random| [0; 4].map(|_: u64| random.next());
        assert_eq!(take(Random(7)), take(Random(7)));
        assert_ne!(take(Random(7)), take(Random(8)));
        assert_ne!(take(Random::fork(7, 1)), take(Random::fork(7, 2)));
        // What the generator's authors give for the seed 0.
        assert_eq!(Random(0).next(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn numbers_stay_below_their_bound_and_get_everywhere() {
        let mut random = Random(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[random.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(random.below(0), 0);
        assert!(!random.one_in(0) && random.one_in(1));
    }
}
