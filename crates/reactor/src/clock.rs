use std::cell::Cell;
use std::fmt;
use std::time::Instant;

use torsade_core::Time;

/// The time of a reactor: the system's monotonic clock, or what its builder was given.
pub(crate) struct Clock {
    read: Box<dyn Fn() -> Time>,
    last: Cell<Time>,
}

impl Clock {
    /// The system's monotonic clock, counted from now.
    pub(crate) fn system() -> Self {
        let start = Instant::now();
        Self::new(move || Time::ZERO + start.elapsed())
    }

    pub(crate) fn new(read: impl Fn() -> Time + 'static) -> Self {
        Self {
            read: Box::new(read),
            last: Cell::default(),
        }
    }

    /// The time. A clock that goes back stands still instead.
    pub(crate) fn now(&self) -> Time {
        let now = (self.read)().max(self.last.get());
        self.last.set(now);
        now
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.last.get()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let hand = Rc::new(Cell::new(Time::from_nanos(5)));
        let read = Rc::clone(&hand);
        let clock = Clock::new(move || read.get());
        assert_eq!(clock.now().as_nanos(), 5);
        hand.set(Time::from_nanos(3));
        assert_eq!(clock.now().as_nanos(), 5);
        hand.set(Time::from_nanos(6));
        assert_eq!(clock.now().as_nanos(), 6);
    }
}
