use std::mem;

use super::lists::{Bound, Lists, NOBODY, YOUNG};
use super::parts::{Moment, Node};
use super::{FRESH, When};
use crate::Time;

/// What was set in this turn, whose end is still to come, and when turns before it ended.
pub(super) struct Turn {
    /// Whether anything was set.
    pub(super) is_stirred: bool,
    /// Those that are due soon, perhaps twice, and perhaps set again or removed since.
    soon: Vec<u32>,
    /// The least deadline of the others, as if the turn ended at `ZERO`.
    least: Bound,
    /// The number of the last setting.
    number: u64,
    /// When turns ended in which timers were set: those since timers were last told their deadlines.
    ends: Vec<Time>,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            is_stirred: false,
            soon: Vec::new(),
            least: Bound::NONE,
            number: 0,
            ends: Vec::new(),
        }
    }
}

impl Turn {
    /// What is due earlier than in so many nanoseconds goes into its slot at the end of the turn: if
    /// it were young, the others would not stay so for long.
    pub(super) const SOON: u64 = 16_000_000;

    #[inline]
    pub(super) fn moment(&self, when: When) -> Moment {
        // There are not more ends than nodes, or a few.
        Moment::new(self.ends.len() as u32, when)
    }

    /// A timer that is in no list is set, to a time that counts from the end of this turn.
    #[inline]
    pub(super) fn set<T>(
        &mut self,
        index: u32,
        node: &mut Node<T>,
        moment: Moment,
        lists: &mut Lists,
    ) {
        self.change(node, moment);
        self.wait(index, node, lists);
    }

    /// A timer stays where it is, and is due at another time.
    #[inline]
    pub(super) fn change<T>(&mut self, node: &mut Node<T>, moment: Moment) {
        self.is_stirred = true;
        self.number += 1;
        node.number = self.number;
        node.moment = moment;
    }

    /// A timer that is in no list waits for the end of this turn: as one of the young if it is due
    /// long after.
    #[inline]
    pub(super) fn wait<T>(&mut self, index: u32, node: &mut Node<T>, lists: &mut Lists) {
        match node.moment {
            Moment::After { nanos, .. } if nanos > Self::SOON => {
                node.list = YOUNG;
                lists.append(YOUNG, index);
                self.least.include(Time::from_nanos(nanos), index);
            }
            _ => {
                node.list = FRESH;
                self.soon.push(index);
            }
        }
    }

    /// One of the young that was set in this turn needs a bound.
    pub(super) fn include(&mut self, nanos: u64, of: u32) {
        self.least.include(Time::from_nanos(nanos), of);
    }

    /// The turn ends: what is due soon after, and the least deadline of the others.
    pub(super) fn end(&mut self, now: Time) -> (Vec<u32>, Bound) {
        self.is_stirred = false;
        self.ends.push(now);
        let mut bound = mem::replace(&mut self.least, Bound::NONE);
        if bound.of != NOBODY {
            bound.least = now.plus(bound.least.as_nanos());
        }
        (mem::take(&mut self.soon), bound)
    }

    /// What was due soon is in its slots.
    pub(super) fn give_back(&mut self, mut soon: Vec<u32>, kept: usize) {
        soon.clear();
        soon.shrink_to(kept);
        self.soon = soon;
    }

    #[inline]
    pub(super) fn ends(&self) -> &[Time] {
        &self.ends
    }

    /// Every timer knows its deadline, if any is left.
    pub(super) fn forget_ends(&mut self, kept: usize) {
        self.ends.clear();
        self.ends.shrink_to(kept);
    }

    /// There is no timer any more: give the memory back.
    pub(super) fn shed(&mut self) {
        self.soon = Vec::new();
        self.ends = Vec::new();
    }

    /// For how many timers there is memory.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.soon.capacity() + self.ends.capacity()
    }
}
