use std::time::Duration;

use crate::Time;

/// Moments at equal distances from the first one on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) origin: Time,
    pub(crate) every: Duration,
}

impl Grid {
    /// How many of its moments have come by `now`, without the first; none if there is no
    /// distance between them.
    pub(crate) fn passed(self, now: Time) -> u64 {
        let since = (now - self.origin).as_nanos();
        let passed = since.checked_div(self.every.as_nanos()).unwrap_or(0);
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// The next of its moments after `now`; `now` itself if there is no distance between them.
    pub(crate) fn next(self, now: Time) -> Time {
        if self.every.is_zero() {
            return now;
        }
        let number = u128::from(self.passed(now)) + 1;
        let since = self.every.as_nanos().saturating_mul(number);
        let at = since.saturating_add(u128::from(self.origin.as_nanos()));
        u64::try_from(at).map_or(Time::MAX, Time::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(origin: u64, every: u64) -> Grid {
        Grid {
            origin: Time::from_nanos(origin),
            every: Duration::from_nanos(every),
        }
    }

    #[test]
    fn the_next_moment_is_on_the_grid_and_never_now() {
        let next = |now| grid(5, 10).next(Time::from_nanos(now)).as_nanos();
        assert_eq!([5, 14, 15, 16, 38].map(next), [15, 15, 25, 25, 45]);
        let passed = |now| grid(5, 10).passed(Time::from_nanos(now));
        assert_eq!([0, 5, 14, 15, 38].map(passed), [0, 0, 0, 1, 3]);
    }

    #[test]
    fn a_grid_without_distance_is_now_and_a_far_one_never() {
        assert_eq!(grid(5, 0).next(Time::from_nanos(7)), Time::from_nanos(7));
        assert_eq!(grid(5, 0).passed(Time::from_nanos(7)), 0);
        let far = Grid {
            origin: Time::from_nanos(5),
            every: Duration::MAX,
        };
        assert_eq!(far.next(Time::from_nanos(7)), Time::MAX);
        assert_eq!(grid(5, 1).next(Time::MAX), Time::MAX);
    }
}
