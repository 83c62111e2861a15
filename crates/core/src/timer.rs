use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::shared::Shared;
use crate::slots::Key;
use crate::timers::Action;

/// A handle of something that runs later. Dropping it does not stop it.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// # use torsade_core::{Protocol, Transport};
/// # use torsade_testing::StringTransport;
/// # struct Quiet;
/// # impl Protocol for Quiet {
/// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// # }
/// # let mut t = StringTransport::serve(Quiet);
/// let rang = Rc::new(Cell::new(false));
/// let bell = rang.clone();
/// let timer = t.net().call_later(Duration::from_secs(3), move |_| bell.set(true));
///
/// t.advance(Duration::from_secs(2));
/// assert!(timer.reset(Duration::from_secs(2))); // from now, not from when it was set
/// t.advance(Duration::from_millis(1999));
/// assert!(!rang.get());
/// t.advance(Duration::from_millis(1));
/// assert!(rang.get());
/// assert!(!timer.cancel()); // too late
/// ```
#[doc(alias = "IDelayedCall")]
#[doc(alias = "DelayedCall")]
#[doc(alias = "TimerHandle")]
#[doc(alias = "Handle")]
#[derive(Clone)]
pub struct Timer {
    /// What it keeps of an engine that is gone has no timers any more.
    shared: Rc<Shared>,
    key: Key,
}

impl Timer {
    pub(crate) fn new(shared: &Rc<Shared>, key: Key) -> Self {
        Self {
            shared: Rc::clone(shared),
            key,
        }
    }

    /// Do not run it. Returns whether there was still something to stop.
    #[doc(alias = "AlreadyCalled")]
    #[doc(alias = "AlreadyCancelled")]
    pub fn cancel(&self) -> bool {
        let shared = &self.shared;
        if planted!("cancelled_timer_runs") {
            return self.is_active();
        }
        let action = shared.timers.borrow_mut().remove(self.key);
        match action {
            // The usual case, by itself: it costs the least.
            Some(Action::Free(closure, _)) => shared.actions.discard(closure),
            Some(action) => action.leave(),
            None => return false,
        }
        true
    }

    /// Run it `after` this long from now instead. Returns whether it was still to run.
    pub fn reset(&self, after: Duration) -> bool {
        self.change(|shared| shared.timers.borrow_mut().reset(self.key, after))
    }

    /// Run it `by` this much later than it was planned. Returns whether it was still to run.
    pub fn delay(&self, by: Duration) -> bool {
        self.change(|shared| shared.timers.borrow_mut().delay(self.key, by))
    }

    fn change(&self, change: impl FnOnce(&Shared) -> bool) -> bool {
        let armed = change(&self.shared);
        self.shared.timers_changed();
        armed
    }

    /// Whether it is still to run.
    #[doc(alias = "active")]
    #[doc(alias = "cancelled")]
    pub fn is_active(&self) -> bool {
        self.shared.timers.borrow().get(self.key).is_some()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("key", &self.key)
            .field("active", &self.is_active())
            .finish()
    }
}
