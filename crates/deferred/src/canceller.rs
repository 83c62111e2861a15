//! [`Canceller`]: a handle that can stop work whose Deferred is in other hands.

use std::fmt;
use std::rc::Weak;

use crate::state::{Upstream, cancel_chain};

/// Cancels the work of one [`Deferred`](crate::Deferred), of whatever types.
///
/// A clone is cheap, and holding one keeps nothing of the work going. The size is that of two
/// pointers.
///
/// ```
/// use torsade_deferred::{Canceller, Deferred};
///
/// let (_resolver, name) = Deferred::<String, ()>::new();
/// let (_resolver, age) = Deferred::<u32, ()>::new();
/// let pending: Vec<Canceller> = vec![name.canceller(), age.canceller()]; // types no longer matter
/// pending.iter().for_each(Canceller::cancel);
/// assert!(name.try_take().unwrap().is_err());
/// assert!(age.try_take().unwrap().is_err());
/// ```
#[derive(Clone)]
pub struct Canceller {
    node: Weak<dyn Upstream>,
}

impl Canceller {
    pub(crate) fn new(node: Weak<dyn Upstream>) -> Self {
        Self { node }
    }

    /// Asks the work to stop. Does nothing when the result was there already, or the second time.
    ///
    /// The request goes up to whatever is being waited for: through `map` and its like to the
    /// resolver, through an `and_then` that has run to the Deferred which its closure returned. There
    /// the [`on_cancel`](crate::Resolver::on_cancel) hooks are called, and the chain ends with
    /// [`Failure::Cancelled`](crate::Failure::Cancelled) at once, whether the resolver reacts or not.
    ///
    /// On the way down, every `or_else` above the cancelled point still runs once, to clean up, and
    /// sees `Cancelled`. It cannot bring the work back: what it returns is cancelled or dropped, and
    /// no `map` or `and_then` above that point runs any more. What was attached *below* sees
    /// `Cancelled` like any other failure.
    ///
    /// ```
    /// use torsade_deferred::{Deferred, Failure};
    ///
    /// let (resolver, connected) = Deferred::<&str, ()>::new();
    /// let page = connected.and_then(|_| -> Deferred<String, ()> { unreachable!() });
    /// let canceller = page.canceller();
    ///
    /// canceller.cancel();
    /// assert_eq!(page.try_take().unwrap(), Err(Failure::Cancelled));
    /// resolver.resolve("too late, and silently dropped");
    /// ```
    pub fn cancel(&self) {
        if let Some(node) = self.node.upgrade() {
            cancel_chain(node);
        }
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.node.strong_count() > 0 {
            "armed"
        } else {
            "over"
        };
        write!(f, "Canceller({state})")
    }
}
