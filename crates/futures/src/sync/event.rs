use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::waiters::{Wait, Waiters};

/// Something that happens, for all who wait for it, until it is cleared. A clone is the same event.
///
/// ```
/// use torsade_futures::spawn;
/// use torsade_futures::sync::Event;
///
/// let reactor = torsade_testing::MemoryReactor::new();
/// let ready = Event::new();
/// let (waited, there) = (ready.clone(), ready.clone());
/// let waiting = spawn(reactor.net(), async move { waited.wait().await });
/// reactor.settle();
/// assert!(!waiting.is_finished());
/// there.set();
/// there.clear(); // those who waited are woken all the same
/// reactor.settle();
/// assert!(waiting.is_finished());
/// ```
#[doc(alias = "Notify")]
#[derive(Clone, Default)]
pub struct Event(Rc<Shared>);

#[derive(Default)]
struct Shared {
    set: Cell<bool>,
    waiters: Waiters,
}

impl Event {
    /// One that has not happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// It happened: everybody who waits goes on, in order, and nobody waits from now on.
    pub fn set(&self) {
        self.0.set.set(true);
        self.0.waiters.grant_all();
    }

    /// It has not happened any more. Those who were woken by a `set` go on all the same.
    pub fn clear(&self) {
        self.0.set.set(false);
    }

    /// Whether it has happened.
    pub fn is_set(&self) -> bool {
        self.0.set.get()
    }

    /// Wait until it happens; not at all if it has.
    ///
    /// Cancel safe: nothing is lost but the wait.
    pub async fn wait(&self) {
        if !self.is_set() {
            Wait::new(&self.0.waiters, || ()).granted().await;
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("set", &self.is_set())
            .field("waiting", &self.0.waiters.len())
            .finish()
    }
}
