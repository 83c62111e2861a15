use super::When;
use crate::Time;

pub(super) struct Node<T> {
    pub(super) moment: Moment,
    /// Nothing in those that are free.
    pub(super) value: Option<T>,
    pub(super) generation: u32,
    /// In which list it is, by its head.
    pub(super) list: u32,
    /// Of its last setting.
    pub(super) number: u64,
}

/// Neighbours in a list.
#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) before: u32,
    pub(super) after: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// Counts from the end of the turn.
    Fresh(When),
    Settled(Time),
}

/// `NONE` while its list is empty.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    /// Not later than any deadline in the slot.
    pub(super) least: Time,
    /// Whose deadline it is or was. Nobody's if it is known to be early.
    pub(super) of: u32,
}

/// A timer that has become due, ordered as they run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Passed {
    pub(super) deadline: Time,
    /// Of its last setting.
    pub(super) number: u64,
    pub(super) node: u32,
}

/// Of a bound whose timer is not known.
pub(super) const NOBODY: u32 = u32::MAX;

impl<T> Node<T> {
    #[inline]
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.moment {
            Moment::Settled(deadline) => Some(deadline),
            Moment::Fresh(_) => None,
        }
    }
}

impl Link {
    /// A list without nodes is a ring of its head.
    pub(super) const fn alone(link: u32) -> Self {
        Self {
            before: link,
            after: link,
        }
    }
}

impl Bound {
    pub(super) const NONE: Self = Self {
        least: Time::MAX,
        of: NOBODY,
    };
}
