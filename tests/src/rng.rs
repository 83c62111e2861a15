//! Chance from a seed.

use std::cell::Cell;

/// A small seeded generator (splitmix64): the same seed gives the same run on every machine.
#[derive(Debug)]
pub struct Rng(Cell<u64>);

impl Rng {
    /// One that begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(crate) fn reseed(&self, seed: u64) {
        self.0.set(seed);
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&self, end: usize) -> usize {
        // The bias of a remainder does not matter here.
        (self.next() >> 11) as usize % end.max(1)
    }

    pub(crate) fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// One of the weighted choices.
    pub(crate) fn weighted<T: Copy>(&self, choices: &[(usize, T)]) -> T {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices[0].1
    }

    /// A length: mostly small, seldom large.
    pub(crate) fn len(&self) -> usize {
        match self.below(16) {
            0 => 0,
            1..=8 => 1 + self.below(8),
            9..=13 => 1 + self.below(60),
            14 => 1 + self.below(400),
            _ => 1000 + self.below(1500),
        }
    }

    pub(crate) fn bytes(&self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}
