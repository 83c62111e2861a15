use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Address, Connection, ConnectionId, Disconnect, Factory, Net, Peer, Time, Timer,
};
use torsade_deferred::{Deferred, Resolver};

use super::service::too_slow;

/// How a server's connections ended when it was stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// So many ended by themselves in time, when they were asked to.
    pub ended: usize,
    /// These had not, and were aborted.
    pub cut: Vec<Cut>,
}

/// A connection that did not end in time when its server was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Names it, as in the log.
    pub id: ConnectionId,
    /// Whose it was.
    pub peer: Peer,
    /// How long it had been there.
    pub age: Duration,
    /// Bytes of output that the peer had not taken, and that are lost.
    pub unsent: usize,
}

/// The connection, and why it may matter that it was cut.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            peer,
            age,
            unsent,
        } = self;
        write!(f, "{id} from {peer}, {age:?} old, {unsent} bytes unsent")
    }
}

/// The connections of one server, each until it is lost.
///
/// ```text
///         begin_drain               the last is lost
///   Open --------------> Draining --------------------> Open
///                           | deadline: the rest is cut
/// ```
#[derive(Default)]
pub(super) struct Room {
    guests: RefCell<BTreeMap<u64, Guest>>,
    next: Cell<u64>,
    state: RefCell<State>,
}

struct Guest {
    connection: Connection,
    since: Time,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Draining {
        report: Drained,
        deadline: Timer,
        done: Resolver<Drained, Infallible>,
    },
}

impl Room {
    pub(super) fn len(&self) -> usize {
        self.guests.borrow().len()
    }

    fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open)
    }

    fn enter(self: &Rc<Self>, connection: &Connection) {
        let key = self.next.get();
        self.next.set(key + 1);
        let guest = Guest {
            connection: connection.clone(),
            since: connection.net().now(),
        };
        self.guests.borrow_mut().insert(key, guest);
        let room = Rc::clone(self);
        connection.closed().finish(move |_| room.leave(key));
    }

    fn leave(&self, key: u64) {
        let gone = self.guests.borrow_mut().remove(&key);
        if let (Some(_), State::Draining { report, .. }) = (&gone, &mut *self.state.borrow_mut()) {
            report.ended += 1;
        }
        drop(gone);
        self.end_if_empty();
    }

    /// Ask everybody to come to an end, and abort those that have not after so long.
    pub(super) fn drain(
        self: &Rc<Self>,
        net: &Net,
        grace: Duration,
    ) -> Deferred<Drained, Infallible> {
        let (done, drained) = Deferred::new();
        let room = Rc::clone(self);
        let deadline = net.call_later(grace, move |net| room.cut(net.now()));
        let before = self.state.replace(State::Draining {
            report: Drained::default(),
            deadline,
            done,
        });
        drop(before);
        let connections: Vec<_> = {
            let guests = self.guests.borrow();
            guests
                .values()
                .map(|guest| guest.connection.clone())
                .collect()
        };
        for connection in connections {
            connection.ask_to_stop();
        }
        self.end_if_empty();
        drained
    }

    fn cut(&self, now: Time) {
        // They leave at once, as far as the report goes; their loss comes with the end of the turn.
        let late = mem::take(&mut *self.guests.borrow_mut());
        if let State::Draining { report, .. } = &mut *self.state.borrow_mut() {
            let cut = late.values().map(|Guest { connection, since }| Cut {
                id: connection.id(),
                peer: connection.peer().clone(),
                age: now - *since,
                unsent: connection.buffered(),
            });
            report.cut.extend(cut);
        }
        for guest in late.into_values() {
            guest.connection.abort_with(too_slow());
        }
        self.end_if_empty();
    }

    fn end_if_empty(&self) {
        if self.len() > 0 {
            return;
        }
        if let State::Draining {
            report,
            deadline,
            done,
        } = self.state.take()
        {
            deadline.cancel();
            done.resolve(report);
        }
    }
}

/// A factory that lasts longer than one listener, and whose connections stand in a [`Room`].
pub(super) struct Counting<F> {
    pub(super) factory: Rc<RefCell<F>>,
    pub(super) room: Rc<Room>,
}

impl<F: Factory> Factory for Counting<F> {
    type Protocol = F::Protocol;

    /// Only the engine makes connections, and it calls the other method.
    fn build(&mut self, peer: &Peer) -> Option<F::Protocol> {
        self.factory.borrow_mut().build(peer)
    }

    fn build_for(&mut self, connection: &Connection) -> Option<F::Protocol> {
        if !self.room.is_open() {
            // Its handshake took longer than the server was there.
            return None;
        }
        let protocol = self.factory.borrow_mut().build_for(connection)?;
        self.room.enter(connection);
        Some(protocol)
    }

    fn started(&mut self, address: &Address) {
        self.factory.borrow_mut().started(address);
    }

    fn stopped(&mut self) {
        self.factory.borrow_mut().stopped();
    }

    fn failed(&mut self, peer: &Peer, reason: &Disconnect) {
        self.factory.borrow_mut().failed(peer, reason);
    }
}
