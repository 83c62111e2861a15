use std::any::Any;
use std::rc::Rc;

use super::Engine;
use super::chain::Chain;
use super::slot::Slot;
use crate::calls::Whose;
use crate::connect::{self, ConnectId};
use crate::guard::{self, Caught};
use crate::link::{Ending, Link, Phase};
use crate::listener::Listening;
use crate::stack::Stack;
use crate::wire::Wire;
use crate::{ConnectionId, Disconnect, Endpoint};

/// Who is to be asked for a connection's protocol when its filters are ready, or told that they
/// will never be.
///
/// ```text
///                          filters ready                       built
///   accepted, connected -----------------> the factory builds -------> connection_made
///      | lost                                 | refused, panicked
///      v                                      v
///   `failed` of the factory; `connect` is rejected
/// ```
pub(super) enum Birth {
    Accepted(Rc<Listening>),
    Connected(ConnectId),
}

impl<S> Engine<S> {
    /// A connection is there whose protocol comes when its filters are ready.
    pub(super) fn open_filtered<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        (id, link): (ConnectionId, &Rc<Link>),
        socket: S,
        endpoint: &Endpoint,
        birth: Birth,
    ) {
        link.begin_unmade();
        let mut slot = Slot::new(socket, Rc::clone(link), Box::new(Unmade(Rc::clone(link))));
        slot.filters = Some(Box::new(Chain::unborn(birth)));
        match guard::run(|| endpoint.make_filters(link.peer())) {
            Ok(filters) => {
                for filter in filters {
                    let left = slot.add_filter(&self.shared, &mut self.spare, filter);
                    self.user("the drop of a filter", || drop(left));
                }
            }
            Err(panic) => slot.panicked("the making of a filter", panic),
        }
        self.insert(id, slot);
        self.after_fact(wire, id);
    }

    /// Filters are ready: there is a protocol from now on, if somebody gives one.
    pub(super) fn give_birth(&mut self, id: ConnectionId) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        let Some(birth) = slot.take_birth() else {
            return;
        };
        let link = Rc::clone(&slot.link);
        match birth {
            Birth::Accepted(listening) => match self.build(&listening, &link) {
                Some(stack) => self.made(id, &link, stack),
                None => link.end(Disconnect::Closed, Ending::Flushed),
            },
            Birth::Connected(connect) => {
                let connecting = connect::take(&self.shared, connect);
                let stack = connecting
                    .as_ref()
                    .and_then(|connecting| connecting.connected(&link));
                match (connecting, stack) {
                    (Some(connecting), Some(stack)) => {
                        self.made(id, &link, stack);
                        connecting.made(&link);
                    }
                    _ => link.end(Disconnect::Aborted, Ending::Abrupt),
                }
            }
        }
    }

    fn made(&mut self, id: ConnectionId, link: &Link, stack: Box<dyn Stack>) {
        link.end_unmade();
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.stack = stack;
            slot.callback("connection_made", |stack| stack.made());
        }
    }

    /// Ask a factory for a protocol. A panic is its connection's end, of which it is told.
    pub(super) fn build(&self, listening: &Listening, link: &Rc<Link>) -> Option<Box<dyn Stack>> {
        let factory = &listening.factory;
        let place = "a factory's build";
        self.shared.note_call(place, || Whose::Site(listening.site));
        match guard::run(|| factory.build(link)) {
            Ok(stack) => {
                if stack.is_none() {
                    log::debug!("connection from {} refused by the factory", link.peer());
                }
                stack
            }
            Err(panic) => {
                let caught = Caught::elsewhere(place, panic.clone());
                self.shared.host().caught(&caught);
                let reason = Disconnect::Panicked(panic);
                self.user("a factory's failed", || {
                    factory.failed(link.peer(), &reason)
                });
                None
            }
        }
    }

    /// A connection was lost before it had a protocol.
    pub(super) fn stillborn(&self, birth: Birth, link: &Link, reason: &Disconnect) {
        match birth {
            Birth::Accepted(listening) => {
                let factory = &listening.factory;
                self.user("a factory's failed", || factory.failed(link.peer(), reason));
            }
            Birth::Connected(connect) => {
                if let Some(connecting) = connect::take(&self.shared, connect) {
                    connecting.lost(&self.shared, link, reason);
                }
            }
        }
    }
}

impl<S> Slot<S> {
    /// Whether a protocol is to be built now.
    pub(super) fn is_due_for_birth(&self) -> bool {
        !self.link.is_made()
            && self.link.phase() == Phase::Open
            && self
                .filters
                .as_ref()
                .is_some_and(|chain| chain.birth.is_some() && chain.is_ready())
    }

    pub(super) fn take_birth(&mut self) -> Option<Birth> {
        self.filters.as_mut()?.birth.take()
    }
}

/// Stands where a protocol will be.
struct Unmade(Rc<Link>);

impl Stack for Unmade {
    fn made(&mut self) {}
    fn data(&mut self, _: &[u8]) {}
    fn eof(&mut self) {}
    fn pause(&mut self) {}
    fn resume(&mut self) {}
    fn lost(&mut self, _: &Disconnect) {}

    /// Nobody waits for it: it is not a connection of the program yet.
    fn stopping(&mut self) {
        self.0.end(Disconnect::Closed, Ending::Abrupt);
    }

    fn outermost(&mut self) -> &mut dyn Any {
        &mut self.0
    }

    fn protocol(&self) -> &dyn Any {
        &self.0
    }

    fn name(&self) -> &'static str {
        "none yet"
    }
}
