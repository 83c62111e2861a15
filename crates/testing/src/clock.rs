use std::cell::Cell;
use std::time::Duration;

use torsade_core::Time;

thread_local! {
    static NOW: Cell<Time> = const { Cell::new(Time::ZERO) };
}

/// The virtual clock of this thread: all its test transports tell the same time, and it stands
/// still until a test turns it.
///
/// `advance` of any test transport turns it too, and then runs what has come due; this one only
/// turns it, as a callback does that takes long. Inside a callback on a host of a
/// [`Sim`](crate::sim::Sim) it is that host's clock.
///
/// ```
/// use std::time::Duration;
/// use torsade_testing::Clock;
///
/// let before = Clock::now();
/// Clock::stall(Duration::from_secs(3));
/// assert_eq!(Clock::now() - before, Duration::from_secs(3));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Clock {}

impl Clock {
    /// The time it is.
    #[doc(alias = "seconds")]
    pub fn now() -> Time {
        NOW.get()
    }

    /// Let time pass without running anything. Inside a callback this makes it a slow one.
    pub fn stall(duration: Duration) {
        Self::set(Self::now() + duration);
    }

    pub(crate) fn set(now: Time) {
        NOW.set(now.max(NOW.get()));
    }

    /// From here on it is a simulated host's. Returns what it showed.
    pub(crate) fn enter(host: Time) -> Time {
        NOW.replace(host)
    }

    /// It is what it was. Returns what the host's shows.
    pub(crate) fn leave(outside: Time) -> Time {
        NOW.replace(outside)
    }
}
