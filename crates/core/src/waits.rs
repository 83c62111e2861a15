//! Waiting, as a Deferred.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Failure};

use crate::{Net, Timer};

/// Time, as Deferreds.
impl Net {
    /// Resolves after this long. Cancelling it disarms its timer.
    ///
    /// It ends `Abandoned` when the reactor stops first. See [`call_later`](Self::call_later) for
    /// the order of what comes due together.
    ///
    /// ```
    /// use std::time::Duration;
    /// # let mut reactor = torsade_testing::MemoryReactor::new();
    /// let net = reactor.net().clone();
    /// let tea = net.sleep(Duration::from_secs(180)).map(|()| "tea");
    /// reactor.advance(Duration::from_secs(180));
    /// assert_eq!(tea.try_take().unwrap(), Ok("tea"));
    /// ```
    #[track_caller]
    pub fn sleep(&self, duration: Duration) -> Deferred<(), Infallible> {
        self.defer_later(duration, |_| ())
    }

    /// Calls `f` after this long, and resolves with what it returns. Cancelling it disarms its
    /// timer.
    ///
    /// A panic in `f` is [`Failure::Panicked`].
    ///
    /// ```
    /// use std::time::Duration;
    /// # let mut reactor = torsade_testing::MemoryReactor::new();
    /// # let start = reactor.net().now();
    /// let second = Duration::from_secs(1);
    /// let then = reactor.net().defer_later(second, |net| net.now());
    /// reactor.advance(second);
    /// assert_eq!(then.try_take().unwrap(), Ok(start + second));
    /// ```
    #[doc(alias = "deferLater")]
    #[track_caller]
    pub fn defer_later<T: 'static>(
        &self,
        after: Duration,
        f: impl FnOnce(&Self) -> T + 'static,
    ) -> Deferred<T, Infallible> {
        let (resolver, due) = Deferred::new();
        let armed: Rc<Cell<Option<Timer>>> = Rc::default();
        let disarmed = Rc::clone(&armed);
        resolver.on_cancel(move || {
            if let Some(timer) = disarmed.take() {
                timer.cancel();
            }
        });
        let timer = self.call_later(after, move |net| resolver.resolve(net.clone()));
        armed.set(Some(timer));
        due.map(move |net: Self| f(&net))
    }

    /// Gives `deferred` this long, then cancels it; the result is [`Failure::TimedOut`].
    ///
    /// What it covers is what `deferred` does: steps that are attached to the returned Deferred run
    /// without the deadline. A result that comes in time passes, and disarms the timer; so does a
    /// cancellation from elsewhere, which stays `Cancelled`. If the net is gone there is no
    /// deadline, for there is no time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use torsade_deferred::{Deferred, Failure};
    /// # let mut reactor = torsade_testing::MemoryReactor::new();
    /// let (resolver, answer) = Deferred::<u32, String>::new();
    /// let answer = reactor.net().timeout(Duration::from_secs(5), answer);
    /// reactor.advance(Duration::from_secs(5));
    /// assert_eq!(answer.try_take().unwrap(), Err(Failure::TimedOut));
    /// assert!(resolver.is_cancelled());
    /// ```
    #[doc(alias = "addTimeout")]
    #[doc(alias = "wait_for")]
    #[track_caller]
    pub fn timeout<T: 'static, E: 'static>(
        &self,
        duration: Duration,
        deferred: Deferred<T, E>,
    ) -> Deferred<T, E> {
        let expired = Rc::new(Cell::new(false));
        let (strike, canceller) = (Rc::clone(&expired), deferred.canceller());
        let timer = self.call_later(duration, move |_| {
            strike.set(true);
            canceller.cancel();
        });
        deferred.map_result(move |result| {
            timer.cancel();
            match result {
                Err(Failure::Cancelled) if expired.get() => Err(Failure::TimedOut),
                other => other,
            }
        })
    }
}
