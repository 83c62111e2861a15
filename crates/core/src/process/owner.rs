use std::rc::Rc;

use torsade_deferred::queue;

use super::child::{Phase, Queued};
use super::{Child, ProcessTransport};
use crate::continuation::{Continuation, Owner, Seats};
use crate::layer::Place;
use crate::shared::{Ready, Shared};
use crate::timers::Action;

impl Owner for Child {
    type Transport<P> = ProcessTransport<P>;

    fn transport<P>(self: &Rc<Self>, _: Place) -> ProcessTransport<P> {
        ProcessTransport::new(Rc::clone(self))
    }

    fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    fn seats(&self) -> &Seats<Self> {
        &self.waits
    }

    fn is_over(&self, _: Place) -> bool {
        let over = self.phase() == Phase::Ended || !self.shared.is_alive();
        if over {
            log::debug!(
                "process {}: dropping a continuation, it has ended",
                self.pid()
            );
        }
        over
    }

    /// A process holds nothing back.
    fn waits(self: &Rc<Self>, _: &dyn Continuation<Self>) {}

    fn ready(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) {
        self.enqueue(Queued::Call(continuation));
    }

    fn action(self: &Rc<Self>, continuation: Rc<dyn Continuation<Self>>) -> Action {
        Action::Process(Rc::clone(self), continuation)
    }
}

/// As a connection is: each entry in the thread's queue hands it to the engine that owns it.
impl queue::Job for Child {
    fn run(self: Rc<Self>) {
        let shared = Rc::clone(&self.shared);
        if shared.is_alive() {
            shared.push_ready(Ready::Process(self));
        }
    }
}

impl Child {
    pub(crate) fn leave(&self, continuation: &dyn Continuation<Self>) {
        self.waits.leave(continuation);
    }
}
