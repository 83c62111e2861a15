use std::cell::Cell;
use std::rc::Rc;

use super::conn::{Conn, Life};
use super::counts::Contract;
use super::world::World;
use super::{actions, later};

/// One closure that was given to the library: what became of it.
///
/// ```text
///   Given --call returned--> Waits --its time--> Queued --> Ran
///     \-----------------------\--------------------\------> Dropped
/// ```
pub(super) struct Token {
    pub(super) number: u64,
    pub(super) kind: Kind,
    /// The connection it runs on, and which of its stacks, and how deep in it.
    pub(super) place: Option<Place>,
    pub(super) state: Cell<State>,
    pub(super) holds: bool,
    /// Whether it must never run.
    pub(super) cancelled: Cell<bool>,
    /// The turn in which it was given.
    pub(super) turn: Cell<u64>,
    pub(super) after: Cell<u64>,
    /// When it is due; `None` while its time does not count yet.
    pub(super) deadline: Cell<Option<u64>>,
    /// The turn in which it was last put off.
    pub(super) delayed: Cell<u64>,
    /// Whether its deadline was moved since it was set: then it has no set place among equal ones.
    pub(super) moved: Cell<bool>,
    /// Whether it was late when it was moved: then it counts as due when the engine last looked,
    /// which the model does not know.
    pub(super) late: Cell<bool>,
    /// Orders timers with equal deadlines.
    pub(super) sequence: Cell<u64>,
}

pub(super) struct Place {
    pub(super) conn: Rc<Conn>,
    pub(super) stack: u32,
    pub(super) depth: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Then,
    Timer,
    Finish,
    Connect,
    CancelHook,
    Hook,
    Thread,
    Job,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Given,
    Waits,
    Queued,
    Ran,
    Dropped,
}

impl Token {
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state.get(), State::Ran | State::Dropped)
    }

    pub(super) fn conn(&self) -> Option<&Rc<Conn>> {
        self.place.as_ref().map(|place| &place.conn)
    }

    /// Whether its connection, or the stack it belongs to, is gone.
    pub(super) fn is_stale(&self) -> bool {
        self.place.as_ref().is_some_and(|place| {
            place.conn.losing.get()
                || place.conn.life.get() == Life::Lost
                || place.conn.stack.get() != place.stack
        })
    }
}

/// Goes into a closure; says when that runs or is dropped.
pub(super) struct Ticket {
    world: Rc<World>,
    pub(super) token: Rc<Token>,
}

impl World {
    pub(super) fn ticket(
        self: &Rc<Self>,
        kind: Kind,
        place: Option<Place>,
        holds: bool,
    ) -> (Ticket, Rc<Token>) {
        let number = self.next_token.get();
        self.next_token.set(number + 1);
        if let Some(place) = &place {
            place.conn.live.set(place.conn.live.get() + 1);
            if holds {
                place.conn.holds.set(place.conn.holds.get() + 1);
            }
        }
        let token = Rc::new(Token {
            number,
            kind,
            place,
            state: Cell::new(State::Given),
            holds,
            cancelled: Cell::new(false),
            turn: Cell::new(self.turn.get()),
            after: Cell::new(0),
            deadline: Cell::new(None),
            delayed: Cell::new(0),
            moved: Cell::new(false),
            late: Cell::new(false),
            sequence: Cell::new(number),
        });
        self.tokens.borrow_mut().insert(number, Rc::clone(&token));
        let ticket = Ticket {
            world: Rc::clone(self),
            token: Rc::clone(&token),
        };
        (ticket, token)
    }

    /// The token will be queued by the call that follows.
    pub(super) fn announce(&self, token: &Token) {
        self.queue.borrow_mut().push_back(token.number);
    }

    /// The call has queued it, unless it was dropped.
    pub(super) fn announced(&self, token: &Token) {
        if !token.is_over() {
            token.state.set(State::Queued);
        }
    }

    /// The token is in the queue from now on.
    pub(super) fn queued(&self, token: &Token) {
        if !token.is_over() {
            token.state.set(State::Queued);
            self.announce(token);
        }
    }

    fn settle_token(&self, token: &Token, state: State) {
        token.state.set(state);
        self.tokens.borrow_mut().remove(&token.number);
        if let Some(conn) = token.conn() {
            conn.live.set(conn.live.get() - 1);
            if token.holds {
                conn.holds.set(conn.holds.get() - 1);
            }
        }
    }

    fn check_run(&self, token: &Token, stack: Option<u32>, depth: u16) {
        let number = token.number;
        let kind = token.kind;
        self.check(Contract::C16, !token.is_over(), || {
            format!("{kind:?} {number} ran twice")
        });
        self.check(Contract::C16, !token.cancelled.get(), || {
            format!("{kind:?} {number} ran although it was cancelled")
        });
        self.check(Contract::C16, !token.is_stale(), || {
            format!("{kind:?} {number} ran after its protocol was gone")
        });
        if let Some(place) = &token.place {
            let right = Some(place.stack) == stack && place.depth == depth;
            self.check(Contract::C16, right, || {
                format!("{kind:?} {number} ran on another layer: {stack:?} {depth}")
            });
        }
        if self.queue.borrow().contains(&number) {
            self.check_queue(token);
        }
        if token.kind == Kind::Timer {
            self.check_timer(token);
        }
    }

    /// Continuations run in the order in which they were queued, on whatever connection.
    fn check_queue(&self, token: &Token) {
        let mut queue = self.queue.borrow_mut();
        if !self.in_turn.get() {
            // Resolving runs at once what belongs to no connection; the others wait for a turn.
            queue.retain(|number| *number != token.number);
            return;
        }
        let tokens = self.tokens.borrow();
        let mut passed = None;
        while let Some(first) = queue.pop_front() {
            if first == token.number {
                break;
            }
            if tokens.get(&first).is_some_and(|first| !first.is_stale()) {
                passed = Some(first);
                break;
            }
        }
        drop((queue, tokens));
        self.check(Contract::C1, passed.is_none(), || {
            format!(
                "{} ran before {passed:?}, which was queued earlier",
                token.number
            )
        });
    }

    fn check_timer(&self, token: &Token) {
        let number = token.number;
        let now = self.now();
        let early = token.deadline.get().is_none_or(|deadline| deadline > now);
        self.check(Contract::C9, !early, || {
            format!(
                "timer {number} of {:?} fired at {now}",
                token.deadline.get()
            )
        });
        let (turn, set) = (self.turn.get(), token.turn.get());
        self.check(Contract::C9, set < turn, || {
            format!("timer {number} fired in the turn in which it was set")
        });
        let mine = (token.deadline.get(), token.sequence.get());
        // One that is put off by another one due in the same turn keeps its place in that turn.
        let delayed = token.delayed.get() == turn;
        // One that waited for input may be passed when that is held back, or the end has begun.
        let waited = |conn: &Rc<Conn>| conn.waited.get() || !conn.is_surely_open();
        let exempt = delayed || token.late.get() || token.conn().is_some_and(waited);
        let passed = self.passed_timer(token, mine).filter(|_| !exempt);
        self.check(Contract::C9, passed.is_none(), || {
            format!("timer {number} fired before {passed:?}, which was due earlier")
        });
        let Some(conn) = token.conn().filter(|_| self.roomy) else {
            return;
        };
        let waiting = conn.wants_input()
            && conn.is_surely_open()
            && (conn.left.get() == turn
                || self.facts_left.get()
                || (!conn.pending.borrow().is_empty() && !conn.waits.get()));
        self.check(Contract::C9, !waiting, || {
            format!("timer {number} ran before input that was waiting")
        });
    }

    /// A timer of the same kind that should have run before.
    fn passed_timer(&self, token: &Token, mine: (Option<u64>, u64)) -> Option<u64> {
        let tokens = self.tokens.borrow();
        let conn = token.conn().map(Rc::as_ptr);
        let mut others = tokens.values().filter(|other| {
            other.kind == Kind::Timer
                && other.number != token.number
                && !other.cancelled.get()
                && !other.is_stale()
                && !other.late.get()
                // One that was late and is put off counts as due now, behind those that were due.
                && other.delayed.get() != self.turn.get()
                && other.conn().map(Rc::as_ptr) == conn
        });
        others
            .find(|other| {
                let equal = other.deadline.get() == mine.0;
                other.deadline.get().is_some()
                    && !(equal && (token.moved.get() || other.moved.get()))
                    && (other.deadline.get(), other.sequence.get()) < mine
            })
            .map(|other| other.number)
    }

    fn check_drop(&self, token: &Token) {
        let number = token.number;
        let kind = token.kind;
        let gone = self.ending.get();
        // A stop that is complete drops what belongs to no connection.
        let stopped = token.place.is_none() && self.stopping.get().is_some();
        let over = token.is_stale() || token.cancelled.get() || gone || stopped;
        let closed = token.conn().is_some_and(|conn| conn.is_closed());
        let fine = match (token.state.get(), token.kind) {
            (_, Kind::CancelHook) => true,
            (State::Given, _) => over || closed,
            (State::Queued, _) => over,
            _ => over || closed,
        };
        self.check(Contract::C16, fine, || {
            format!(
                "{kind:?} {number} was dropped unrun, {:?}",
                token.state.get()
            )
        });
        let nested = self.depth.get() == 0 || self.in_call.get() > 0 || !self.in_turn.get();
        self.check(Contract::C1, nested, || {
            format!("{kind:?} {number} was dropped inside user code that had not given it")
        });
    }
}

impl Ticket {
    /// The closure runs. Returns what it does then.
    pub(super) fn run(self, stack: Option<u32>, depth: u16) {
        let token = Rc::clone(&self.token);
        let world = Rc::clone(&self.world);
        world.check_run(&token, stack, depth);
        world.settle_token(&token, State::Ran);
        world.worked.set(world.worked.get() + 1);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.token.is_over() {
            return;
        }
        let (world, token) = (&self.world, &self.token);
        world.note(|| format!("{:?} {} is dropped", token.kind, token.number));
        if !std::thread::panicking() {
            world.check_drop(token);
        }
        let given = token.state.get() == State::Given;
        world.settle_token(token, State::Dropped);
        if token.kind == Kind::Connect && given {
            // The call that would have begun it was left by a panic.
            let mut connects = world.connects.borrow_mut();
            connects.retain(|conn| conn.connect.get() != Some(token.number));
        }
        if let Some(conn) = token.conn().filter(|conn| conn.is_closed())
            && !given
            && !token.cancelled.get()
            && !token.is_stale()
        {
            conn.losing.set(true);
        }
        actions::in_drop(world);
    }
}

/// A value of the user's in something that the library holds; its drop is user code.
pub(super) struct Debris(pub(super) Rc<World>);

impl Drop for Debris {
    fn drop(&mut self) {
        actions::in_drop(&self.0);
    }
}

/// Shared bytes of the user's own, which may be dropped anywhere.
pub(super) struct OwnBytes(pub(super) Vec<u8>);

impl AsRef<[u8]> for OwnBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for OwnBytes {
    fn drop(&mut self) {
        if let Some(world) = later::here() {
            actions::in_drop(&world);
        }
    }
}
