use std::time::Duration;

use crate::grid::Grid;

/// When a timer is due, as seen from the end of the turn in which it is set.
#[derive(Clone, Copy)]
pub(crate) enum When {
    After(Duration),
    /// At the next moment of the grid, so that how long the turn takes does not add up.
    On(Grid),
}

impl From<Duration> for When {
    fn from(after: Duration) -> Self {
        Self::After(after)
    }
}
