use std::mem;
use std::rc::Rc;

use torsade_deferred::queue;

use super::{Link, Phase};
use crate::Transport;
use crate::continuation::{Continuation, Owner, Seats};
use crate::gate::hold;
use crate::layer::Place;
use crate::shared::Shared;
use crate::stack::Unplaced;
use crate::timers::Action;

/// Something that is to run on a connection when its place in the thread's queue comes.
pub(crate) enum Queued {
    /// A call, or a result that is there.
    Call(Rc<dyn Continuation<Link>>),
    /// `pause_writing` or `resume_writing`, whichever is owed then.
    Flow,
    /// Another protocol is to be put in this place, and given this first, if the old one had read
    /// ahead.
    Switch(Place, Box<dyn Unplaced>, Option<Box<[u8]>>),
    /// The protocol is to be told that the reactor stops.
    Stopping,
    /// It was cancelled. It keeps its place, so that those behind it keep theirs.
    Nothing,
}

/// The queue.
impl Link {
    /// Put something at the end of the thread's queue. Facts wait until it has run.
    pub(crate) fn enqueue(self: &Rc<Self>, what: Queued) {
        if self.phase.get() != Phase::Lost {
            self.gate.set(hold::QUEUED, true);
            self.queued.borrow_mut().push_back(what);
            // Outside a turn nothing is run here: that is for the engine's next one.
            queue::leave(Rc::<Self>::clone(self));
            self.shared.work();
        }
    }

    /// What the next entry of the thread's queue stands for.
    pub(crate) fn dequeue(&self) -> Option<Queued> {
        let mut queued = self.queued.borrow_mut();
        let next = queued.pop_front();
        if queued.is_empty() {
            self.gate.set(hold::QUEUED, false);
        }
        next
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.gate.has(hold::QUEUED)
    }

    /// Whether a fact may reach the protocol now: input is wanted, and nothing is queued, because
    /// that comes first.
    #[inline]
    pub(crate) fn takes_facts(&self) -> bool {
        self.gate.lets_facts()
    }

    /// The same for bytes straight from the wire, without filters in between.
    #[inline]
    pub(crate) fn takes_bytes(&self) -> bool {
        self.gate.lets_bytes()
    }

    /// The reactor stops; the protocol is told when its connection's turn comes.
    pub(crate) fn tell_stopping(self: &Rc<Self>) {
        self.enqueue(Queued::Stopping);
    }
}

/// Continuations.
impl Link {
    /// Whether continuations may still run.
    pub(crate) fn is_listening(&self) -> bool {
        self.phase.get() != Phase::Lost && self.shared.is_alive()
    }

    /// Where the outermost protocol is now.
    pub(crate) fn outermost(&self) -> Place {
        Place {
            epoch: self.layers.epoch(),
            depth: 0,
        }
    }

    #[inline]
    pub(crate) fn is_current(&self, place: Place) -> bool {
        self.layers.is_current(place)
    }

    /// The continuation has run or will not: if it held input back, that is over.
    pub(crate) fn finish_call(self: &Rc<Self>, continuation: &dyn Continuation<Self>) {
        if continuation.holds_input() {
            self.gate.release_from_continuation();
            self.touch();
        }
    }

    /// What waits or is queued for such places, to be cancelled.
    pub(crate) fn take_continuations(
        self: &Rc<Self>,
        which: impl Fn(Place) -> bool,
    ) -> Vec<Rc<dyn Continuation<Self>>> {
        let mut taken = self.waits.take(&which);
        for queued in self.queued.borrow_mut().iter_mut() {
            if let Queued::Call(continuation) = queued
                && which(continuation.place())
            {
                taken.push(Rc::clone(continuation));
                *queued = Queued::Nothing;
            }
        }
        for continuation in &taken {
            self.finish_call(&**continuation);
        }
        taken
    }
}

impl Owner for Link {
    type Transport<P> = Transport<P>;

    fn transport<P>(self: &Rc<Self>, place: Place) -> Transport<P> {
        Transport::new(Rc::clone(self), place)
    }

    fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    fn seats(&self) -> &Seats<Self> {
        &self.waits
    }

    fn is_over(&self, place: Place) -> bool {
        let over = !self.is_listening() || !self.is_current(place);
        if over {
            log::debug!(
                "connection {}: dropping a continuation, its protocol is gone",
                self.id
            );
        }
        over
    }

    fn waits(self: &Rc<Self>, continuation: &dyn Continuation<Self>) {
        if continuation.holds_input() {
            self.gate.hold_for_continuation();
            self.touch();
        }
    }

    fn ready(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) {
        self.enqueue(Queued::Call(continuation));
    }

    fn action(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) -> Action {
        Action::Connection(Rc::clone(self), continuation)
    }
}

/// Switching.
impl Link {
    /// Put a new protocol in this place after this callback. The last one for a place counts.
    pub(crate) fn switch(
        self: &Rc<Self>,
        place: Place,
        protocol: Box<dyn Unplaced>,
        ahead: Option<Box<[u8]>>,
    ) {
        if self.phase.get() != Phase::Open {
            log::debug!("connection {}: not switching, it has ended", self.id);
            return;
        }
        let mut queued = self.queued.borrow_mut();
        let before = queued.iter_mut().find(
            |queued| matches!(queued, Queued::Switch(other, ..) if other.depth == place.depth),
        );
        let unused = before.map(|before| mem::replace(before, Queued::Nothing));
        drop(queued);
        self.gate.set(hold::SWITCH, true);
        self.enqueue(Queued::Switch(place, protocol, ahead));
        drop(unused);
    }

    /// A switch takes effect, or came too late. What it replaces is outdated from here on.
    pub(crate) fn begin_switch(self: &Rc<Self>, place: Place) -> Option<Place> {
        let more = self.queued.borrow();
        let more = more.iter().any(|one| matches!(one, Queued::Switch(..)));
        self.gate.set(hold::SWITCH, more);
        self.touch();
        if !self.is_current(place) {
            return None;
        }
        self.gate.forget_layers(place.depth);
        let epoch = self.layers.switch(place.depth);
        Some(Place { epoch, ..place })
    }
}
