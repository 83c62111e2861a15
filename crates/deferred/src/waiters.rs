//! [`Waiters`]: who waits for something of which there is not enough, first come, first served.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use crate::deferred::Deferred;
use crate::resolver::Resolver;

/// A line of resolvers, from which those who cancel leave.
pub(crate) struct Waiters<T: 'static, E: 'static> {
    /// By the order in which they came.
    line: RefCell<BTreeMap<u64, Resolver<T, E>>>,
    next: Cell<u64>,
}

impl<T: 'static, E: 'static> Waiters<T, E> {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            line: RefCell::default(),
            next: Cell::new(0),
        })
    }

    /// Takes a place at the end of the line.
    #[track_caller]
    pub(crate) fn wait(self: &Rc<Self>) -> Deferred<T, E> {
        let (resolver, deferred) = Deferred::new();
        let place = self.next.replace(self.next.get() + 1);
        let line: Weak<Self> = Rc::downgrade(self);
        resolver.on_cancel(move || {
            let left = line
                .upgrade()
                .and_then(|line| line.line.borrow_mut().remove(&place));
            // Ours, and it has nobody: nothing of the user's is dropped.
            drop(left);
        });
        self.line.borrow_mut().insert(place, resolver);
        deferred
    }

    /// The first who still waits. Those whose Deferred was dropped, or cancelled and not yet taken
    /// out, would take something for nobody: they are passed over.
    pub(crate) fn first(&self) -> Option<Resolver<T, E>> {
        loop {
            let (_, resolver) = self.line.borrow_mut().pop_first()?;
            if resolver.is_watched() && !resolver.is_cancelled() {
                return Some(resolver);
            }
            resolver.give_up();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.line.borrow().len()
    }
}
