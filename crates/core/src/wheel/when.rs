use std::time::Duration;

use crate::Time;
use crate::grid::Grid;

/// When a timer is due, as seen from the end of the turn in which it is set.
#[derive(Clone, Copy)]
pub(crate) enum When {
    After(Duration),
    /// At the next moment of the grid, so that how long the turn takes does not add up.
    On(Grid),
}

impl When {
    pub(super) fn seen_from(self, now: Time) -> Time {
        match self {
            Self::After(after) if planted!("timer_rounded_down") => {
                now + Duration::from_millis(after.as_millis() as u64)
            }
            Self::After(after) => now + after,
            Self::On(grid) => grid.next(now),
        }
    }

    pub(super) fn later(self, by: Duration) -> Self {
        match self {
            Self::After(after) => Self::After(after.saturating_add(by)),
            Self::On(grid) => Self::On(Grid {
                origin: grid.origin + by,
                ..grid
            }),
        }
    }
}

impl From<Duration> for When {
    fn from(after: Duration) -> Self {
        Self::After(after)
    }
}
