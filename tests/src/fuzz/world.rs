use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use torsade_core::driver::{Caught, Host};
use torsade_core::{
    Address, AttemptId, Limits, ListenOptions, Listener, ListenerId, Net, Time, Timer,
};
use torsade_deferred::{Canceller, Resolver};

use super::conn::{Abrupt, Conn, Life};
use super::counts::{Contract, Counts};
use super::token::Token;
use crate::rng::Rng;

/// Everything that one run's user code and driver share: the model.
pub(super) struct World {
    pub(super) net: RefCell<Option<Net>>,
    pub(super) limits: Limits,
    /// Whether budgets never bite, so that more can be said about the order.
    pub(super) roomy: bool,
    pub(super) now: Cell<u64>,
    /// What user code draws from in this step.
    pub(super) script: Rng,
    /// Which of the step's first 32 user actions may happen; later ones never do.
    pub(super) allowed: Cell<u32>,
    pub(super) acted: Cell<u32>,
    pub(super) depth: Cell<u32>,
    /// Calls of the library under way, in which a value may be dropped.
    pub(super) in_call: Cell<u32>,
    /// Whether values dropped just now do nothing.
    pub(super) no_drops: Cell<bool>,
    /// Whether a value of the user's is being dropped.
    pub(super) in_drop: Cell<bool>,
    /// The connection whose socket was last offered something.
    pub(super) sending: Cell<Option<usize>>,
    /// Whether a delivery now is one of bytes that had come before.
    pub(super) redelivers: Cell<bool>,
    pub(super) in_turn: Cell<bool>,
    pub(super) turn: Cell<u64>,
    /// The time at which this turn began.
    pub(super) began: Cell<u64>,
    /// Whether losses may be delivered: at the end of a turn, or of the engine.
    pub(super) losing: Cell<bool>,
    pub(super) gone: Cell<bool>,
    pub(super) facts_left: Cell<bool>,
    /// Whether everything is to be aborted when the turn ends.
    pub(super) aborting: Cell<bool>,
    /// Whether the engine is being shut down.
    pub(super) ending: Cell<bool>,
    /// Whether the driver was seen to be free to sleep since the last turn.
    pub(super) asleep: Cell<bool>,
    /// When a stop's deadline was set, or the first time at which it may have been.
    pub(super) stopping: Cell<Option<u64>>,
    pub(super) total: Cell<usize>,
    pub(super) over_total: Cell<bool>,
    pub(super) dropped_writes: Cell<u64>,
    /// How often the driver had been woken when the last turn ended.
    pub(super) woken: Cell<u64>,
    pub(super) wakes: Rc<super::host::Wakes>,

    pub(super) conns: RefCell<Vec<Rc<Conn>>>,
    pub(super) made_conns: Cell<usize>,
    /// The connection whose factory is being asked.
    pub(super) arriving: RefCell<Option<Rc<Conn>>>,
    pub(super) failed_told: Cell<u64>,
    pub(super) attempts: RefCell<Vec<(AttemptId, Rc<Conn>)>>,
    pub(super) connects: RefCell<Vec<Rc<Conn>>>,
    pub(super) connecting: RefCell<Vec<(Rc<Token>, Canceller)>>,
    pub(super) listeners: RefCell<Vec<Listener>>,
    pub(super) closed_listeners: RefCell<Vec<ListenerId>>,
    pub(super) timers: RefCell<Vec<(Timer, Rc<Token>)>>,
    pub(super) resolvers: RefCell<Vec<Waiting>>,
    pub(super) cancellers: RefCell<Vec<(Rc<Token>, Canceller)>>,
    pub(super) tokens: RefCell<BTreeMap<u64, Rc<Token>>>,
    pub(super) next_token: Cell<u64>,
    /// The order in which continuations were queued.
    pub(super) queue: RefCell<std::collections::VecDeque<u64>>,
    pub(super) posts: RefCell<std::collections::VecDeque<u64>>,
    pub(super) next_post: Cell<u64>,
    pub(super) posts_run: Cell<usize>,
    /// Continuations and the like that ran in this turn.
    pub(super) worked: Cell<usize>,
    /// Deliveries in this turn of what had come before.
    pub(super) redelivered: Cell<usize>,

    /// Hooks before a stop that were not called, in their order.
    pub(super) hooks: RefCell<std::collections::VecDeque<u64>>,
    /// Those that were called and have no result.
    pub(super) awaited_hooks: RefCell<Vec<Resolver<(), u32>>>,

    pub(super) panics: Cell<u64>,
    pub(super) uncaught: RefCell<Vec<u64>>,
    pub(super) violations: RefCell<Vec<Violation>>,
    pub(super) trace: Option<RefCell<Vec<String>>>,
    pub(super) counts: Rc<Counts>,
}

/// What brings a result, and what waits for it.
pub(super) type Waiting = (Resolver<u32, u32>, Rc<Token>);

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which contract it belongs to.
    pub contract: Contract,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.contract, self.what)
    }
}

impl World {
    pub(super) fn net(&self) -> Net {
        match &*self.net.borrow() {
            Some(net) => net.clone(),
            None => unreachable!("a run has its net until it is over"),
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Check an invariant.
    pub(super) fn check(&self, contract: Contract, holds: bool, what: impl FnOnce() -> String) {
        self.counts.checked(contract);
        if !holds {
            let what = what();
            self.note(|| format!("VIOLATION {contract:?}: {what}"));
            self.violations
                .borrow_mut()
                .push(Violation { contract, what });
        }
    }

    /// Write down what happens, if a failure is being explained.
    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace
            && self.violations.borrow().is_empty()
        {
            let indent = "  ".repeat(1 + self.depth.get() as usize);
            trace.borrow_mut().push(format!("{indent}{}", what()));
        }
    }

    /// User code begins, called by the library.
    pub(super) fn enter(&self, what: &str, conn: Option<&Conn>) -> UserCode<'_> {
        self.note(|| match conn {
            Some(conn) => format!("{what} of {}", conn.number),
            None => what.to_owned(),
        });
        let depth = self.depth.get();
        // Outside of a turn, what resolves a Deferred runs what waited for it.
        let nested = depth == 0 || !self.in_turn.get();
        self.check(Contract::C1, nested, || {
            format!("{what} was called while user code ran")
        });
        self.sending.set(None);
        self.enter_nested()
    }

    /// User code begins that may run inside other user code: the drop of a value.
    pub(super) fn enter_nested(&self) -> UserCode<'_> {
        self.depth.set(self.depth.get() + 1);
        UserCode(self, self.in_call.replace(0), self.in_drop.replace(false))
    }

    /// The library is called: values given to it may be dropped meanwhile.
    pub(super) fn call<R>(&self, call: impl FnOnce() -> R) -> R {
        let _calling = Calling(self, self.in_call.replace(self.in_call.get() + 1));
        call()
    }

    /// Panic in user code, as planned.
    pub(super) fn panic(&self) -> ! {
        let number = self.panics.get() + 1;
        self.panics.set(number);
        self.uncaught.borrow_mut().push(number);
        self.note(|| format!("panic {number}"));
        // Without a panic's message on the terminal.
        std::panic::resume_unwind(Box::new(format!("planned {number}")))
    }

    /// A panic with this message was reported.
    pub(super) fn caught(&self, message: &str) {
        let number = message
            .strip_prefix("planned ")
            .and_then(|n| n.parse().ok());
        let known = number.and_then(|number: u64| {
            let mut uncaught = self.uncaught.borrow_mut();
            let index = uncaught.iter().position(|one| *one == number)?;
            Some(uncaught.swap_remove(index))
        });
        self.check(Contract::C8, known.is_some(), || {
            format!("a panic was reported that is none, or twice: {message}")
        });
    }

    pub(super) fn conn(&self, id: torsade_core::ConnectionId) -> Option<Rc<Conn>> {
        let conns = self.conns.borrow();
        conns.iter().find(|conn| conn.id.get() == Some(id)).cloned()
    }

    /// The connections whose protocol was made and not lost.
    pub(super) fn made(&self) -> Vec<Rc<Conn>> {
        let conns = self.conns.borrow();
        conns
            .iter()
            .filter(|conn| conn.is_made())
            .cloned()
            .collect()
    }

    pub(super) fn new_conn(&self, accepted: bool) -> Rc<Conn> {
        let number = self.made_conns.get();
        self.made_conns.set(number + 1);
        Conn::new(number, accepted, &self.limits)
    }

    /// A cause of an end of every connection, that acts at some time from now on.
    pub(super) fn loom(&self, reason: &torsade_core::Disconnect) {
        for conn in &*self.conns.borrow() {
            if conn.life.get() != Life::Lost {
                conn.loom(reason.clone(), Abrupt::Yes);
            }
        }
    }

    pub(super) fn add_total(&self, len: usize) {
        self.total.set(self.total.get() + len);
        if self.total.get() > self.limits.total_write_cap {
            self.over_total.set(true);
        }
    }
}

/// User code runs; ends when this is dropped, also by a panic.
pub(super) struct UserCode<'a>(&'a World, u32, bool);

impl Drop for UserCode<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
        self.0.in_call.set(self.1);
        self.0.in_drop.set(self.2);
    }
}

/// A value of the user's is being dropped; ends when this is.
pub(super) struct Dropping<'a>(&'a World, bool);

impl World {
    pub(super) fn dropping(&self) -> Dropping<'_> {
        Dropping(self, self.in_drop.replace(true))
    }
}

impl Drop for Dropping<'_> {
    fn drop(&mut self) {
        self.0.in_drop.set(self.1);
    }
}

struct Calling<'a>(&'a World, u32);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.in_call.set(self.1);
    }
}

/// What answers the engine at once.
pub(super) struct ModelHost(pub(super) std::rc::Weak<World>);

impl Host for ModelHost {
    fn now(&self) -> Time {
        Time::from_nanos(self.0.upgrade().map_or(0, |world| world.now()))
    }

    fn listen(
        &self,
        address: &Address,
        _: &ListenOptions,
        _: ListenerId,
    ) -> std::io::Result<Address> {
        Ok(address.clone())
    }

    fn close_listener(&self, listener: ListenerId) {
        if let Some(world) = self.0.upgrade() {
            world.closed_listeners.borrow_mut().push(listener);
        }
    }

    fn caught(&self, caught: &Caught) {
        let Some(world) = self.0.upgrade() else {
            return;
        };
        world.note(|| format!("caught: {caught}"));
        world.caught(caught.panic().message());
        if let Some(id) = caught.connection()
            && let Some(conn) = world.conn(id)
            && conn.life.get() == Life::Made
            && !conn.losing.get()
        {
            let reason = torsade_core::Disconnect::Panicked(caught.panic().clone());
            conn.end(&reason, Abrupt::Yes);
        }
    }
}
