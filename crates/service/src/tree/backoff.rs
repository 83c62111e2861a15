use std::time::Duration;

/// How long to wait before trying again, by how often it has failed.
///
/// The first wait is [`initial`](Self::initial); each further one is [`factor`](Self::factor) times
/// as long, up to [`most`](Self::most), and to each is added a random part of
/// [`jitter`](Self::jitter), so that a thousand clients of a server that comes back do not all come
/// at once.
///
/// ```
/// use std::time::Duration;
/// use torsade_service::Backoff;
///
/// let backoff = Backoff::default().jitter(Duration::ZERO);
/// let waits: Vec<_> = (0..4).map(|failures| backoff.delay(failures, 0).as_millis()).collect();
/// assert_eq!(waits, [1000, 1500, 2250, 3375]);
/// assert_eq!(backoff.delay(1000, 0), Duration::from_secs(60));
/// ```
#[doc(alias = "backoffPolicy")]
#[doc(alias = "initialDelay")]
#[doc(alias = "maxDelay")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    initial: Duration,
    most: Duration,
    factor: f64,
    jitter: Duration,
}

impl Default for Backoff {
    /// 1 s, 1.5 times as long each time, up to 60 s, and up to a second of jitter.
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            most: Duration::from_secs(60),
            factor: 1.5,
            jitter: Duration::from_secs(1),
        }
    }
}

impl Backoff {
    /// The same wait each time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_service::Backoff;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Backoff::constant(second).delay(7, u64::MAX), second);
    /// ```
    pub fn constant(wait: Duration) -> Self {
        Self {
            initial: wait,
            most: wait,
            factor: 1.0,
            jitter: Duration::ZERO,
        }
    }

    /// The first wait. 1 s.
    #[must_use]
    pub fn initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// The longest wait, its jitter not counted. 60 s.
    #[must_use]
    pub fn most(self, most: Duration) -> Self {
        Self { most, ..self }
    }

    /// How many times as long as the one before each wait is. 1.5; below 1, and what is no number,
    /// counts as 1.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        // `max` gives the other one for what is no number.
        let factor = factor.max(1.0);
        Self { factor, ..self }
    }

    /// At most this much is added to a wait. 1 s.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The wait after so many failures before this one; `random` chooses within the jitter, evenly:
    /// [`Net::random`](torsade_core::Net::random).
    pub fn delay(&self, failures: u32, random: u64) -> Duration {
        let exponent = i32::try_from(failures).unwrap_or(i32::MAX);
        let factor = self.factor.powi(exponent);
        let wait = Duration::try_from_secs_f64(self.initial.as_secs_f64() * factor);
        let wait = wait.unwrap_or(Duration::MAX).min(self.most);
        let nanos = u64::try_from(self.jitter.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of the product is below the bound.
        let part = (u128::from(nanos) * u128::from(random)) >> 64;
        wait.saturating_add(Duration::from_nanos(part as u64))
    }
}
