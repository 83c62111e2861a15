use std::panic::Location;
use std::rc::Rc;

use crate::connect::ConnectId;
use crate::continuation::Continuation;
use crate::datagram::Port;
use crate::link::Link;
use crate::pooled::{Pooled, Pools};
use crate::process::Child;
use crate::slots::Key;
use crate::wheel::Wheel;
use crate::{ConnectionId, LookupId, ProcessId};

/// All timers of an engine.
pub(crate) type Timers = Wheel<Action>;

/// What a timer does. Dropping one may run user code, so who takes it out of the timers ends
/// their borrow first. One of the user's is not merely dropped: see [`discard`](Self::discard).
pub(crate) enum Action {
    /// The user's, belonging to no connection, and where it was set.
    Free(Pooled, &'static Location<'static>),
    /// The user's, belonging to a connection.
    Connection(Rc<Link>, Rc<dyn Continuation<Link>>),
    /// The user's, belonging to a datagram port.
    Port(Rc<Port>, Rc<dyn Continuation<Port>>),
    /// The user's, belonging to a process.
    Process(Rc<Child>, Rc<dyn Continuation<Child>>),
    /// When what others hold of a process that has exited is closed.
    AfterExit(ProcessId),
    /// The deadline of a connect.
    Connect(ConnectId),
    /// When a connect tries its next place.
    NextAttempt(ConnectId),
    /// When a step of a connect that found no room tries again.
    Again(ConnectId, u32),
    /// The deadline of a look-up.
    Lookup(LookupId),
    /// The deadline of a close that is being flushed.
    Flush(ConnectionId),
    /// What a connection's filters wait for.
    Filter(ConnectionId),
    /// The deadline of a connection's filters to be ready.
    Handshake(ConnectionId),
    /// The deadline of a stop.
    Stop,
}

impl Action {
    /// It will not be done: drop what it holds.
    #[inline]
    pub(crate) fn discard(self, pools: &Pools) {
        if let Self::Free(closure, _) = self {
            pools.discard(closure);
        }
    }

    /// Of one that was cancelled and is not free: if it has an owner, that one does not wait for it
    /// any more.
    #[inline(never)]
    pub(crate) fn leave(self) {
        match &self {
            Self::Connection(link, continuation) => {
                link.waits.leave(&**continuation);
            }
            Self::Port(port, continuation) => {
                port.waits.leave(&**continuation);
            }
            Self::Process(child, continuation) => child.leave(&**continuation),
            _ => {}
        }
    }
}

impl Timers {
    /// Where the user's timers that belong to no connection were set.
    pub(crate) fn free(&self) -> Vec<&'static Location<'static>> {
        self.values()
            .filter_map(|action| match action {
                Action::Free(_, site) => Some(*site),
                _ => None,
            })
            .collect()
    }

    /// Take out the user's timers that belong to no connection, for the end of a stop.
    pub(crate) fn drain_free(&mut self) -> Vec<Action> {
        let keys: Vec<_> = self
            .keys()
            .filter(|key| matches!(self.get(*key), Some(Action::Free(..))))
            .collect();
        self.take_all(keys)
    }

    /// Take out every timer, for the end of the engine.
    pub(crate) fn drain(&mut self) -> Vec<Action> {
        let keys = self.keys().collect();
        self.take_all(keys)
    }

    fn take_all(&mut self, keys: Vec<Key>) -> Vec<Action> {
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }
}
