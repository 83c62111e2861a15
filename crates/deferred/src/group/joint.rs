//! [`Joint`]: the result of a group, and who is still to bring something for it.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::canceller::Canceller;
use crate::deferred::Deferred;
use crate::guard;
use crate::queue::{self, Hold};
use crate::resolver::Resolver;
use crate::state::{Failed, Outcome, drop_late, let_go};

use super::{Ending, Late, Rest};

/// What becomes of a member's outcome.
pub(super) enum Put<T, E, U, F> {
    /// It was kept for the end.
    Kept,
    /// It is the group's outcome.
    Ends(Outcome<U, F>),
    /// The group had ended: this is what came.
    Late(Outcome<T, E>),
}

/// The result of a group. Owned by the members that are still to come; what it holds of them is
/// weak.
///
/// ```text
///                  the last member came: complete
///   Open(complete) ------------------------------> Over
///        |                                          ^
///        +------ a member ends it, cancelled -------+
/// ```
pub(super) struct Joint<U: 'static, F: 'static> {
    state: Cell<State<U, F>>,
    left: Cell<usize>,
    members: RefCell<Vec<Canceller>>,
    ending: Ending,
    site: &'static Location<'static>,
}

enum State<U: 'static, F: 'static> {
    Open(Resolver<U, F>, Box<dyn Complete<U, F>>),
    Over,
}

/// What was kept of the members, until it is the group's value.
pub(super) trait Complete<U, F> {
    /// All have come.
    fn complete(self: Box<Self>) -> Outcome<U, F>;

    /// All have come, and nobody wants to know: what was kept is let go, one by one. Dropping it
    /// does the same.
    fn unwanted(self: Box<Self>) {}
}

/// A group under construction: nothing is delivered before all members are in.
pub(super) struct Joining<U: 'static, F: 'static> {
    joint: Rc<Joint<U, F>>,
    deferred: Deferred<U, F>,
    _hold: Hold,
}

impl<U: 'static, F: 'static> Joining<U, F> {
    pub(super) fn new(
        complete: impl Complete<U, F> + 'static,
        ending: Ending,
        site: &'static Location<'static>,
    ) -> Self {
        let hold = queue::hold();
        let (resolver, deferred) = Deferred::new_at(site);
        let joint = Rc::new(Joint {
            state: Cell::new(State::Over),
            left: Cell::new(0),
            members: RefCell::default(),
            ending,
            site,
        });
        let cancelled: Weak<Joint<U, F>> = Rc::downgrade(&joint);
        resolver.on_cancel(move || {
            if let Some(joint) = cancelled.upgrade() {
                joint.cancel();
            }
        });
        joint.state.set(State::Open(resolver, Box::new(complete)));
        Self {
            joint,
            deferred,
            _hold: hold,
        }
    }

    /// Takes a member in. `put` is called with what it brings.
    pub(super) fn join<T: 'static, E: 'static>(
        &self,
        member: Deferred<T, E>,
        put: impl FnOnce(Outcome<T, E>) -> Put<T, E, U, F> + 'static,
    ) {
        let joint = Rc::clone(&self.joint);
        joint.left.set(joint.left.get() + 1);
        joint.members.borrow_mut().push(member.canceller());
        let site = joint.site;
        member.take_outcome(move |outcome| joint.came(outcome, put), site);
    }

    /// All members are in.
    pub(super) fn done(self) -> Deferred<U, F> {
        if self.joint.left.get() == 0 {
            self.joint.complete();
        }
        self.deferred
    }
}

impl<U: 'static, F: 'static> Joint<U, F> {
    fn came<T: 'static, E: 'static>(
        &self,
        outcome: Outcome<T, E>,
        put: impl FnOnce(Outcome<T, E>) -> Put<T, E, U, F>,
    ) {
        self.left.set(self.left.get() - 1);
        let put = if self.is_open() {
            put(outcome)
        } else {
            guard::discard(put);
            Put::Late(outcome)
        };
        match put {
            Put::Kept if self.left.get() == 0 => self.complete(),
            Put::Kept => {}
            Put::Ends(outcome) => self.end(outcome),
            Put::Late(outcome) => match self.ending.late {
                Late::Report => let_go(outcome),
                Late::Consume => drop_late(outcome),
            },
        }
    }

    fn is_open(&self) -> bool {
        let state = self.state.replace(State::Over);
        let open = matches!(&state, State::Open(resolver, _) if !resolver.is_cancelled());
        self.state.set(state);
        open
    }

    fn complete(&self) {
        let members = self.members.take();
        drop(members);
        if let State::Open(resolver, kept) = self.state.replace(State::Over) {
            if resolver.is_watched() {
                resolver.bring(kept.complete());
            } else {
                kept.unwanted();
                // Nobody is told that nobody is told.
                resolver.give_up();
            }
        }
    }

    fn end(&self, outcome: Outcome<U, F>) {
        let State::Open(resolver, kept) = self.state.replace(State::Over) else {
            return let_go(outcome);
        };
        let members = self.members.take();
        guard::discard(kept);
        // First, so that who hears of the end finds the rest told.
        if self.ending.rest == Rest::Cancel {
            members.iter().for_each(Canceller::cancel);
        }
        resolver.bring(outcome);
    }

    /// The consumer of the group cancelled.
    fn cancel(&self) {
        let state = self.state.replace(State::Over);
        let members = self.members.take();
        members.iter().for_each(Canceller::cancel);
        guard::discard(state);
    }
}

/// An outcome that is kept until all have come. If it is never asked for, it is let go.
pub(super) struct Kept<T: 'static, E: 'static>(Cell<Option<Outcome<T, E>>>);

impl<T: 'static, E: 'static> Default for Kept<T, E> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<T: 'static, E: 'static> Kept<T, E> {
    pub(super) fn keep(&self, outcome: Outcome<T, E>) {
        self.0.set(Some(outcome));
    }

    /// What came. Every member brings something: one that is dropped brings `Abandoned`.
    pub(super) fn take(&self, site: &'static Location<'static>) -> Outcome<T, E> {
        let kept = self.0.take();
        kept.unwrap_or_else(|| Err(Failed::abandoned(site)))
    }

    /// An error that is no news any more.
    pub(super) fn forget(&self) {
        self.0.take().into_iter().for_each(drop_late);
    }
}

impl<T: 'static, E: 'static> Drop for Kept<T, E> {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(let_go);
    }
}
