use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::{ConnectionId, PortId, Time};

/// The callbacks of an engine, for those who want to know of each.
///
/// A callback ends, for this account, when the next one begins or when the turn is over: so what
/// the engine did on its behalf counts, and a turn in which nobody wants to know pays nothing.
#[derive(Default)]
pub(crate) struct Calls {
    /// Longer ones are slow.
    limit: Option<Duration>,
    running: Cell<Option<(Call, Time)>>,
    slow: Cell<u64>,
}

/// A callback, by its name and by whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) place: &'static str,
    pub(crate) whose: Whose,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    /// With the type of its protocol.
    Connection(ConnectionId, &'static str),
    Port(PortId),
    /// Of nothing but the line that asked for it.
    Site(&'static Location<'static>),
    Nobody,
}

impl Calls {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Whether anybody looks at how long they take.
    pub(crate) fn are_timed(&self) -> bool {
        self.limit.is_some()
    }

    /// Callbacks that were slow.
    pub(crate) fn slow(&self) -> u64 {
        self.slow.get()
    }

    /// The callback that ran is over, and this one begins.
    pub(crate) fn pass_to(&self, next: Option<Call>, now: Time) {
        let Some(limit) = self.limit else { return };
        let ended = self.running.replace(next.map(|call| (call, now)));
        let Some((call, since)) = ended else { return };
        let took = now - since;
        if took > limit {
            self.slow.set(self.slow.get() + 1);
            log::warn!("{call} took {took:?}; everybody else on this reactor waited for it");
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place;
        match self.whose {
            Whose::Connection(id, name) => write!(f, "{place} of connection {id}, a {name},"),
            Whose::Port(id) => write!(f, "{place} of port {id}"),
            Whose::Site(site) => write!(f, "{place}, asked for at {site},"),
            Whose::Nobody => f.write_str(place),
        }
    }
}
