use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use torsade_core::Time;

/// A token bucket: how many bytes may pass in a second, and how many at once.
///
/// Within any time of `t` seconds no more than `burst + rate * t` bytes pass, to the nanosecond;
/// nothing is lost to rounding. A clone is the same bucket: connections that each have a clone share
/// the rate fairly, taking turns, and may together pass the burst by [one piece](Self::piece) for
/// each of them but one.
///
/// ```
/// use torsade_wire::Bucket;
///
/// let bucket = Bucket::new(1_000_000, 64 * 1024);
/// assert_eq!(bucket.piece(), 32 * 1024);
/// ```
///
/// It counts time on the clock of a reactor, so all connections that share it must live on the same
/// one.
#[doc(alias = "htb")]
#[derive(Clone)]
pub struct Bucket {
    /// Behind a lock only because filters are `Send`.
    level: Arc<Mutex<Level>>,
    rate: u64,
    burst: u64,
    piece: usize,
}

/// When the next piece may pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    /// At once, of so many bytes.
    Now(usize),
    /// Then, a whole one. Until then the level rises to zero; who waits together waits for what
    /// those before have passed in advance, so they take turns.
    At(Time),
}

/// How full it is, in parts of a byte, [`PARTS`] of them. Below zero is what was passed in
/// advance.
struct Level {
    parts: i128,
    at: Time,
}

/// As many as a second has nanoseconds: then `rate` of them flow in with each of these.
const PARTS: i128 = 1_000_000_000;

impl Bucket {
    /// A full one, through which `rate` bytes a second may pass, and `burst` bytes at once after a
    /// rest. No rate is below 1, and no burst below 2.
    pub fn new(rate: u64, burst: u64) -> Self {
        let (rate, burst) = (rate.max(1), burst.max(2));
        // What a tenth of a second brings, so that pieces are neither rare nor tiny.
        let piece = (rate / 10).min(burst / 2).clamp(1, 64 * 1024);
        let bucket = Self {
            level: Arc::new(Mutex::new(Level {
                parts: 0,
                at: Time::ZERO,
            })),
            rate,
            burst,
            piece: usize::try_from(piece).unwrap_or(usize::MAX),
        };
        bucket.lock().parts = bucket.full();
        bucket
    }

    /// Bytes a second.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Bytes at once.
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// The most bytes that pass in one piece: what a tenth of a second brings, at most half the
    /// burst and 64 KiB.
    pub fn piece(&self) -> usize {
        self.piece
    }

    /// A piece of so many bytes passes.
    pub(super) fn pass(&self, bytes: usize, now: Time) -> Next {
        let mut level = self.lock();
        let passed = i128::try_from((now - level.at).as_nanos()).unwrap_or(i128::MAX);
        let flowed = passed.saturating_mul(i128::from(self.rate));
        level.parts = level.parts.saturating_add(flowed).min(self.full());
        level.at = level.at.max(now);
        let used = i128::try_from(bytes).unwrap_or(i128::MAX);
        level.parts -= used.saturating_mul(PARTS);
        let room = level.parts.div_euclid(PARTS) + i128::try_from(self.piece).unwrap_or(i128::MAX);
        if room > 0 {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            return Next::Now(room.min(self.piece));
        }
        let missing = u128::try_from(-level.parts).unwrap_or(0);
        let nanos = missing.div_ceil(u128::from(self.rate));
        Next::At(now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// The highest level. Bytes may pass until it is a piece below zero, so that is a piece less than
    /// the burst.
    fn full(&self) -> i128 {
        let piece = i128::try_from(self.piece).unwrap_or(i128::MAX);
        (i128::from(self.burst) - piece).saturating_mul(PARTS)
    }

    fn lock(&self) -> MutexGuard<'_, Level> {
        // Nobody panics while holding it, and any level is a valid one.
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("rate", &self.rate)
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}
