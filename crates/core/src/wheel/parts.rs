use std::time::Duration;

use super::{DUE, NOWHERE, When};
use crate::Time;
use crate::grid::Grid;
use crate::time::nanos;

pub(super) struct Node<T> {
    pub(super) moment: Moment,
    /// Nothing in those that are free.
    pub(super) value: Option<T>,
    pub(super) generation: u32,
    /// In which list it is, or where else.
    pub(super) list: u32,
    /// Of its last setting.
    pub(super) number: u64,
    /// Of those that are free, the next.
    pub(super) next_free: u32,
}

/// When a timer is due.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// So long after the end of the turn with that number, which may not have come yet.
    After {
        turn: u32,
        nanos: u64,
    },
    /// At a moment of the grid after the end of this turn.
    On(Grid),
    Settled(Time),
}

/// A timer that has become due, ordered as they run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Passed {
    pub(super) deadline: Time,
    /// Of its last setting.
    pub(super) number: u64,
    pub(super) node: u32,
}

impl<T> Node<T> {
    pub(super) const fn free(next_free: u32, generation: u32) -> Self {
        Self {
            moment: Moment::Settled(Time::MAX),
            value: None,
            generation,
            list: NOWHERE,
            number: 0,
            next_free,
        }
    }
}

impl Moment {
    #[inline]
    pub(super) fn new(turn: u32, when: When) -> Self {
        match when {
            When::After(after) if planted!("timer_rounded_down") => Self::After {
                turn,
                nanos: nanos(after) / 1_000_000 * 1_000_000,
            },
            When::After(after) => Self::After {
                turn,
                nanos: nanos(after),
            },
            When::On(grid) => Self::On(grid),
        }
    }

    /// If that is known, by the ends of turns that are.
    #[inline]
    pub(super) fn deadline(self, ends: &[Time]) -> Option<Time> {
        match self {
            Self::After { turn, nanos } => ends.get(turn as usize).map(|end| end.plus(nanos)),
            Self::On(_) => None,
            Self::Settled(deadline) => Some(deadline),
        }
    }

    /// The turn in which it was set has ended at `now`.
    pub(super) fn seen_from(self, now: Time) -> Time {
        match self {
            Self::After { nanos, .. } => now.plus(nanos),
            Self::On(grid) => grid.next(now),
            Self::Settled(deadline) => deadline,
        }
    }

    pub(super) fn later(self, by: Duration) -> Self {
        match self {
            Self::After { turn, nanos: after } => Self::After {
                turn,
                nanos: after.saturating_add(nanos(by)),
            },
            Self::On(grid) => Self::On(Grid {
                origin: grid.origin + by,
                ..grid
            }),
            Self::Settled(deadline) => Self::Settled(deadline + by),
        }
    }
}

impl Passed {
    /// Whether its timer was neither removed nor set again meanwhile.
    #[inline]
    pub(super) fn is_still<T>(&self, node: &Node<T>) -> bool {
        node.list == DUE && node.number == self.number
    }
}
