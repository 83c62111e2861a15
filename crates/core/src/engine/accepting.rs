use std::io;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use super::Engine;
use crate::listener::Listening;
use crate::wire::Wire;
use crate::{Disconnect, ListenerId, Peer, Time, WhenFull};

/// Connections that are not made.
impl<S> Engine<S> {
    /// Whether a driver may accept connections now. If not, it leaves them to the system's queue
    /// and asks again after every turn.
    ///
    /// False while there are `Limits::max_connections` and those who come are to wait. A driver
    /// that accepts nevertheless has the connection shed.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::task::Waker;
    /// use torsade_core::driver::{Engine, Host};
    /// use torsade_core::{Address, Limits, ListenOptions, ListenerId, Time, WhenFull};
    ///
    /// struct Nowhere;
    /// impl Host for Nowhere {
    ///     fn now(&self) -> Time {
    ///         Time::ZERO
    ///     }
    ///     fn listen(
    ///         &self,
    ///         address: &Address,
    ///         _: &ListenOptions,
    ///         _: ListenerId,
    ///     ) -> std::io::Result<Address> {
    ///         Ok(address.clone())
    ///     }
    ///     fn close_listener(&self, _: ListenerId) {}
    /// }
    ///
    /// let mut limits = Limits::default();
    /// limits.max_connections = 0;
    /// limits.when_full = WhenFull::Wait;
    /// let engine = Engine::<()>::new(Rc::new(Nowhere), Waker::noop().clone(), limits);
    /// assert!(!engine.may_accept());
    /// ```
    pub fn may_accept(&self) -> bool {
        !self.is_full() || self.shared.limits().when_full == WhenFull::Shed
    }

    /// A fact, in a turn: a listener accepted a connection, but the system lacked what it takes
    /// to serve it, and the driver closed it. The factory is told.
    pub fn accept_failed<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        listener: ListenerId,
        peer: Peer,
        error: io::Error,
    ) {
        self.in_turn();
        let listening = self.shared.listening.borrow().get(listener.0).cloned();
        if let Some(listening) = listening {
            self.shed(wire, &listening, &peer, &error.into());
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= self.shared.limits().max_connections
    }

    /// A connection came to nothing: its one outcome is that the factory hears of it.
    pub(super) fn shed<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        listening: &Rc<Listening>,
        peer: &Peer,
        reason: &Disconnect,
    ) {
        self.shared.count_shed();
        let rest = self.shared.limits().accept_rest;
        if let Some(shed) = self.shed_log.count(self.shared.now(), rest) {
            log::warn!("closed unserved: {shed}, the last one from {peer}: {reason}");
        }
        let factory = &listening.factory;
        self.user("a factory's failed", || factory.failed(peer, reason));
        self.run_queue(wire);
    }
}

/// Says how many connections were shed, and not so often that it fills the log.
#[derive(Debug, Default)]
pub(super) struct ShedLog {
    /// When there may be another line.
    next: Option<Time>,
    unsaid: u64,
}

impl ShedLog {
    /// One more was shed. Returns the number to say, if it is time to say one.
    fn count(&mut self, now: Time, rest: Duration) -> Option<u64> {
        self.unsaid += 1;
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + rest);
        Some(mem::take(&mut self.unsaid))
    }
}
