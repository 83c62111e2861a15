use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on an engine's monotonic clock, in nanoseconds since that clock began.
///
/// Where it comes from is the driver's business: a real reactor reads the system's monotonic
/// clock, a test turns its own by hand. Times of two engines are not comparable.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::Time;
///
/// let start = Time::ZERO;
/// let later = start + Duration::from_millis(20);
/// assert_eq!(later - start, Duration::from_millis(20));
/// assert_eq!(start - later, Duration::ZERO); // never negative, never a panic
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// The moment at which the clock began.
    pub const ZERO: Self = Self(0);

    /// The last moment the clock can tell, some 584 years after it began.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the clock began.
    ///
    /// ```
    /// # use torsade_core::Time;
    /// assert_eq!(Time::from_nanos(7).as_nanos(), 7);
    /// ```
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock began.
    ///
    /// ```
    /// # use torsade_core::Time;
    /// assert_eq!(Time::ZERO.as_nanos(), 0);
    /// ```
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// So many nanoseconds later.
    #[inline]
    pub(crate) const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

/// A duration's nanoseconds; what is too long for their number is as long as can be.
#[inline]
pub(crate) const fn nanos(duration: Duration) -> u64 {
    // Not by way of 128 bits: every timer that is set comes along here.
    (duration.as_secs().saturating_mul(1_000_000_000))
        .saturating_add(duration.subsec_nanos() as u64)
}

/// Saturates at [`Time::MAX`], so that "in a thousand years" is merely never.
impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.plus(nanos(duration))
    }
}

/// The time that passed between two moments; zero if the right one is the later.
impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}
