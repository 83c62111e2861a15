use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use torsade_deferred::{Canceller, Deferred, Failure, report};

use crate::shared::Shared;
use crate::slots::{Key, Slots};

/// What a stop calls before everything else, and what it waits for.
///
/// ```text
///         before_stop               call                     its Deferred has a result, or
///   (none) ---------> to be called ------> being waited for ------------------------------> gone
///                                                              nobody waits any longer
/// ```
#[derive(Default)]
pub(crate) struct Hooks {
    to_call: RefCell<VecDeque<Hook>>,
    /// What was called and has no result yet; the canceller comes when the call has returned.
    awaited: RefCell<Slots<Option<Canceller>>>,
}

/// Calls the user's closure and waits for its Deferred.
pub(crate) type Hook = Box<dyn FnOnce(&Rc<Shared>)>;

impl Default for Slots<Option<Canceller>> {
    fn default() -> Self {
        Self::new()
    }
}

/// A hook from the user's closure.
pub(crate) fn hook<E: std::fmt::Display + 'static>(
    call: impl FnOnce() -> Deferred<(), E> + 'static,
) -> Hook {
    report::describe::<E>();
    Box::new(move |shared| {
        // Before the call: if that panics, the hook is over.
        let awaited = Awaited::begin(shared);
        let result = call();
        shared.hooks.set_canceller(awaited.key, result.canceller());
        result.finish(move |result| {
            drop(awaited);
            match result {
                // Nobody works for it any more, which is what was waited for.
                Ok(()) | Err(Failure::Cancelled | Failure::Abandoned) => {}
                // The stop takes no notice of it, so it is reported like one that nobody took.
                Err(failure) => Deferred::<(), E>::settled(Err(failure)).detach(),
            }
        });
    })
}

impl Hooks {
    pub(crate) fn add(&self, hook: Hook) {
        self.to_call.borrow_mut().push_back(hook);
    }

    /// How many are to be called.
    pub(crate) fn to_call(&self) -> usize {
        self.to_call.borrow().len()
    }

    pub(crate) fn next_call(&self) -> Option<Hook> {
        self.to_call.borrow_mut().pop_front()
    }

    /// Take out those that were not called.
    pub(crate) fn drain(&self) -> VecDeque<Hook> {
        self.to_call.take()
    }

    /// Whether all were called and have results.
    pub(crate) fn is_settled(&self) -> bool {
        self.awaited.borrow().is_empty() && self.to_call.borrow().is_empty()
    }

    /// Wait no longer: what can be cancelled is returned for it.
    pub(crate) fn give_up(&self) -> Vec<Canceller> {
        let mut awaited = self.awaited.borrow_mut();
        let keys: Vec<_> = awaited.keys().collect();
        keys.into_iter()
            .filter_map(|key| awaited.remove(key).flatten())
            .collect()
    }

    fn set_canceller(&self, key: Key, canceller: Canceller) {
        if let Some(place) = self.awaited.borrow_mut().get_mut(key) {
            *place = Some(canceller);
        }
    }

    fn end(&self, key: Key) {
        // A canceller holds nothing of the user's.
        let _ = self.awaited.borrow_mut().remove(key);
    }
}

/// One hook is being waited for as long as this exists, wherever its Deferred takes it.
struct Awaited {
    shared: Weak<Shared>,
    key: Key,
}

impl Awaited {
    fn begin(shared: &Rc<Shared>) -> Self {
        Self {
            shared: Rc::downgrade(shared),
            key: shared.hooks.awaited.borrow_mut().insert(None),
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.hooks.end(self.key);
            shared.work();
        }
    }
}
