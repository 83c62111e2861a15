use std::cell::Cell;

use crate::Net;
use crate::host::Host;

/// Randomness.
impl Net {
    /// A random number: for delays that must not be the same everywhere, for picking one of many.
    ///
    /// A fake and a simulated host give the same numbers in every run; a real reactor gives others
    /// each time. Who knows some of them can tell the next, so this is no way to make secrets.
    ///
    /// ```
    /// let one = torsade_testing::MemoryReactor::new();
    /// let other = torsade_testing::MemoryReactor::new();
    /// let first = one.net().random();
    /// assert_eq!(first, other.net().random());
    /// assert_ne!(first, one.net().random());
    /// ```
    pub fn random(&self) -> u64 {
        self.0.random.next(self.0.host())
    }
}

/// A sequence that looks random and follows from the host's seed: SplitMix64 (Steele, Lea and Flood
/// 2014), a counter and a function that scatters it.
#[derive(Default)]
pub(crate) struct Random(Cell<Option<u64>>);

impl Random {
    fn next(&self, host: &dyn Host) -> u64 {
        let before = self.0.get().unwrap_or_else(|| host.seed());
        let counter = before.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(Some(counter));
        let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, ListenOptions, ListenerId, Time};

    struct Seeded(u64);

    impl Host for Seeded {
        fn now(&self) -> Time {
            Time::ZERO
        }
        fn listen(
            &self,
            address: &Address,
            _: &ListenOptions,
            _: ListenerId,
        ) -> std::io::Result<Address> {
            Ok(address.clone())
        }
        fn close_listener(&self, _: ListenerId) {}
        fn seed(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn the_seed_makes_the_sequence() {
        let take = |seed| {
            let random = Random::default();
            [0; 3].map(|_: u64| random.next(&Seeded(seed)))
        };
        // What the generator's authors give for the seed 0.
        assert_eq!(take(0)[0], 0xe220_a839_7b1d_cdaf);
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }
}
