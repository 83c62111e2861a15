//! The engine: every connection's state machine, without a socket, a clock or a thread.

mod accepting;
mod birth;
mod chain;
mod crowded;
mod filtered;
mod inbox;
mod kept;
mod listing;
mod output;
mod ports;
mod reading;
mod slot;
mod stopping;
mod turn;

use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use torsade_deferred::queue::{self, Turn};
use torsade_deferred::report;

use self::accepting::ShedLog;
use self::birth::Birth;
use self::crowded::Crowded;
pub(crate) use self::inbox::Spare;
use self::slot::Slot;
use self::stopping::Stopping;
use crate::calls::Whose;
use crate::chunk::Chunk;
use crate::connect;
use crate::guard::{self, Caught};
use crate::host::Host;
use crate::link::{Ending, Link, Output, Phase};
use crate::shared::{Ready, Shared, State};
use crate::slots::Slots;
use crate::stack::Stack;
use crate::touched::Touched;
use crate::wire::{Op, Ways, Wire};
use crate::{
    AttemptId, Connection, ConnectionId, Disconnect, Limits, ListenerId, Net, Peer, PortId,
    Protocol, Time, Transport,
};

/// A reactor without input and output: it takes facts and asks for operations.
///
/// This is for those who write drivers; users of torsade meet it as a `Reactor` or as a test
/// transport. `S` is the driver's socket.
///
/// # A turn
/// The driver waits for events until [`next_deadline`](Self::next_deadline), or not at all if
/// there [is work](Self::has_work). Then it calls [`begin`](Self::begin), tells what happened by
/// the methods below "facts", calls [`end`](Self::end), and carries out what
/// [`poll_op`](Self::poll_op) asks for. Facts for a connection that is gone are ignored, so a
/// driver need not sort out stale events.
///
/// Whatever a fact leads to has been done when its method returns: callbacks, their continuations
/// and the flush. Nothing is ever called back into the driver but its [`Wire`].
///
/// # Panics
/// Every method that says "in a turn" panics outside of one: that is a driver's mistake.
pub struct Engine<S> {
    shared: Rc<Shared>,
    net: Net,
    slots: Slots<Slot<S>>,
    spare: Spare,
    /// Where turns are entered.
    queue: queue::Entrance,
    turn: Option<Turn>,
    /// Counts turns; never 0 within one.
    number: u32,
    /// Continuations left to this turn.
    budget: usize,
    /// Deliveries of what was left over that are left to this turn. Apart from the others, so that
    /// a call that queues itself again keeps nobody from input.
    redeliveries: usize,
    /// Connections with input that a budget left over.
    leftover: Vec<Rc<Link>>,
    /// The list of touched connections that is being worked through; kept for its room.
    settling: Touched,
    losses: Vec<ConnectionId>,
    /// The list of losses that is being worked through; kept for its room.
    losing: Vec<ConnectionId>,
    /// Datagram ports whose sockets are closed and that are to be told so.
    closed_ports: Vec<PortId>,
    /// Datagram ports with input that a budget left over.
    late_ports: Vec<PortId>,
    /// Whether events of this poll are known to be missing from this turn.
    facts_left: bool,
    crowded: Crowded,
    /// Whether this turn had more in it than messages that came and were answered.
    stirred: bool,
    stopping: Stopping,
    shed_log: ShedLog,
}

impl<S> Engine<S> {
    /// An engine with no connections, driven by whoever owns it.
    ///
    /// `waker` ends the driver's wait. It is woken once when the first work comes in between two
    /// turns. Deferred errors that nobody took are logged from now on, unless the thread has
    /// another sink for them.
    pub fn new(host: Rc<dyn Host>, waker: Waker, limits: Limits) -> Self {
        log_unhandled_errors();
        let shared = Shared::new(host, waker, limits);
        Self {
            net: Net(Rc::clone(&shared)),
            shared,
            slots: Slots::new(),
            spare: Spare::default(),
            queue: queue::Entrance::of_this_thread(),
            turn: None,
            number: 0,
            budget: 0,
            redeliveries: 0,
            leftover: Vec::new(),
            settling: Touched::default(),
            losses: Vec::new(),
            losing: Vec::new(),
            closed_ports: Vec::new(),
            late_ports: Vec::new(),
            facts_left: false,
            crowded: Crowded::default(),
            stirred: false,
            stopping: Stopping::No,
            shed_log: ShedLog::default(),
        }
    }

    /// The handle for programs.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Whether the next turn should begin without waiting.
    #[inline]
    pub fn has_work(&self) -> bool {
        self.shared.is_busy()
            || !self.leftover.is_empty()
            || !self.losses.is_empty()
            || !self.closed_ports.is_empty()
            || !self.late_ports.is_empty()
            || self.queue.has_jobs()
            || !self.shared.mailbox.is_empty()
            || self.is_prepared()
    }

    /// When to wake for timers, never later than the next is due. It may be earlier, if many are
    /// armed and the next was cancelled: then the turn finds nothing to do, and the following
    /// deadline is a later one.
    #[inline]
    pub fn next_deadline(&self) -> Option<Time> {
        self.shared.timers.borrow_mut().next_deadline()
    }

    /// The next rare operation, if one is asked for.
    #[inline]
    pub fn poll_op(&mut self) -> Option<Op> {
        if !self.shared.is_busy() {
            return None;
        }
        let op = self.shared.ops.borrow_mut().pop_front();
        if op.is_none() {
            self.shared.look_for_work();
        }
        op
    }
}

/// Facts, all of them in a turn.
impl<S> Engine<S> {
    /// A listener accepted a connection: which one it is from now on. If its factory refuses it,
    /// or if there are as many as may be, the socket is dropped.
    pub fn accepted<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        listener: ListenerId,
        socket: S,
        peer: Peer,
    ) -> Option<ConnectionId> {
        self.in_turn();
        let listening = self.shared.listening.borrow().get(listener.0).cloned()?;
        if self.is_full() {
            let reason = Disconnect::LimitPassed(crate::Limit::Connections);
            self.shed(wire, &listening, &peer, &reason);
            return None;
        }
        self.shared.count_accepted();
        let (id, link) = self.new_link(peer, true);
        if !listening.endpoint.is_plain() {
            let birth = Birth::Accepted(Rc::clone(&listening));
            self.open_filtered(wire, (id, &link), socket, &listening.endpoint, birth);
            return Some(id);
        }
        let stack = self.build(&listening, &link);
        let made = stack.is_some();
        if let Some(stack) = stack {
            self.open(id, socket, &link, stack);
        }
        self.after_fact(wire, id);
        made.then_some(id)
    }

    /// An attempt to connect succeeded: which connection it is from now on. If it was cancelled
    /// meanwhile, the socket is dropped.
    pub fn connected<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        attempt: AttemptId,
        socket: S,
        peer: Peer,
    ) -> Option<ConnectionId> {
        self.in_turn();
        let connecting = connect::won(&self.shared, attempt)?;
        let (id, link) = self.new_link(peer, false);
        if wire.ways(&socket) == Ways::In {
            link.set_output(Output::Ended);
        }
        connecting.tell(&link);
        if !connecting.endpoint().is_plain() {
            connecting.reach(&link);
            let birth = Birth::Connected(connecting.id());
            self.open_filtered(wire, (id, &link), socket, connecting.endpoint(), birth);
            return Some(id);
        }
        let taken = connect::take(&self.shared, connecting.id());
        let Some(stack) = connecting.connected(&link) else {
            self.user("the drop of a protocol", || drop((taken, connecting)));
            return None;
        };
        self.open(id, socket, &link, stack);
        connecting.made(&link);
        self.after_fact(wire, id);
        Some(id)
    }

    /// An attempt to connect failed.
    pub fn connect_failed<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        attempt: AttemptId,
        error: io::Error,
    ) {
        self.in_turn();
        connect::refused(&self.shared, attempt, error);
        self.run_queue(wire);
    }

    /// There is room for output that was held back.
    pub fn writable<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId) {
        self.in_turn();
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.send(wire, &self.shared);
            self.after_fact(wire, id);
        }
    }

    /// A chunk that the driver kept comes back: all sent, sent in part, or failed.
    pub fn sent<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        chunk: Box<Chunk>,
        sent: usize,
        error: Option<io::Error>,
    ) {
        self.in_turn();
        match self.slots.get_mut(id.0) {
            Some(slot) => {
                slot.sent(&self.shared, chunk, sent, error);
                slot.send(wire, &self.shared);
                self.after_fact(wire, id);
            }
            None => self.shared.recycle(chunk),
        }
    }

    /// Of bytes that the driver [kept](Wire::keep_lent), so many were sent; `bytes` are all of them.
    #[inline(always)]
    pub fn sent_kept<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        bytes: &[u8],
        sent: usize,
        error: Option<io::Error>,
    ) {
        if sent == bytes.len()
            && error.is_none()
            && let Some(slot) = self.slots.get_mut(id.0)
            && slot.sent_kept(&self.shared, sent)
        {
            return;
        }
        self.sent_kept_long(wire, id, bytes, sent, error);
    }

    /// The same where there is more to do: on it goes as with a chunk.
    #[inline(never)]
    fn sent_kept_long<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        bytes: &[u8],
        sent: usize,
        error: Option<io::Error>,
    ) {
        let mut chunk = self.shared.pool.take();
        chunk.push(bytes);
        self.sent(wire, id, chunk, sent, error);
    }

    /// A close that was pending is over.
    pub fn closed(&mut self, id: ConnectionId) {
        if let Some(slot) = self.slots.get_mut(id.0)
            && slot.link.phase() == Phase::Ended
        {
            self.stirred = true;
            self.losses.push(id);
        }
    }

    /// The driver's socket of a connection, until it is closed.
    #[inline]
    pub fn socket(&mut self, id: ConnectionId) -> Option<&mut S> {
        self.slots.get_mut(id.0)?.socket.as_mut()
    }

    /// A handle of a connection, until it is lost.
    pub fn connection(&self, id: ConnectionId) -> Option<Connection> {
        let slot = self.slots.get(id.0)?;
        Some(Connection(Rc::clone(&slot.link)))
    }

    /// Where a listener was asked for, in the program's source: for tools that say so.
    pub fn listener_site(&self, listener: ListenerId) -> Option<&'static Location<'static>> {
        let listening = self.shared.listening.borrow();
        listening.get(listener.0).map(|it| it.site)
    }

    /// Where an attempt to connect was asked for, in the program's source.
    pub fn attempt_site(&self, attempt: AttemptId) -> Option<&'static Location<'static>> {
        connect::site(&self.shared, attempt)
    }

    /// Run `f` on the outermost protocol of a connection, if it is a `P`. For tests, in a turn.
    ///
    /// A panic of `f` is returned, not treated as the protocol's.
    pub fn with_protocol<W: Wire<S>, P: Protocol, R>(
        &mut self,
        wire: &mut W,
        id: ConnectionId,
        f: impl FnOnce(&mut P, &Transport<P>) -> R,
    ) -> Option<std::thread::Result<R>> {
        self.in_turn();
        let slot = self.slots.get_mut(id.0)?;
        let transport = Transport::new(Rc::clone(&slot.link), slot.link.outermost());
        let protocol: &mut P = slot.stack.outermost().downcast_mut()?;
        let run = std::panic::AssertUnwindSafe(|| f(protocol, &transport));
        let result = std::panic::catch_unwind(run);
        self.after_fact(wire, id);
        Some(result)
    }
}

impl<S> Engine<S> {
    fn new_link(&self, peer: Peer, accepted: bool) -> (ConnectionId, Rc<Link>) {
        let id = ConnectionId(self.slots.next_key());
        let link = Link::new(Rc::clone(&self.shared), id, peer, accepted);
        (id, Rc::new(link))
    }

    /// Put a connection in place and tell its protocol.
    fn open(&mut self, id: ConnectionId, socket: S, link: &Rc<Link>, stack: Box<dyn Stack>) {
        self.insert(id, Slot::new(socket, Rc::clone(link), stack));
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.callback("connection_made", |stack| stack.made());
        }
    }

    fn insert(&mut self, id: ConnectionId, slot: Slot<S>) {
        let key = self.slots.insert(slot);
        debug_assert_eq!(key, id.0, "nothing inserts while user code runs");
        self.shared.set_connections(self.slots.len());
    }

    /// After a callback: its continuations, then its flush, until both have nothing to do.
    #[inline(never)]
    fn after_fact<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId) {
        self.in_turn();
        self.stirred = true;
        loop {
            if self.has_queued() {
                self.run_queue(wire);
            }
            self.settle(wire, id);
            if !self.has_queued() || self.budget == 0 {
                break;
            }
        }
        if self.shared.is_over_cap() {
            self.shed_output(wire);
        }
    }

    /// Bring one connection to rest: output flushed, input that is due delivered, the driver's
    /// interest as it should be.
    #[inline]
    fn settle<W: Wire<S>>(&mut self, wire: &mut W, id: ConnectionId) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        if slot.is_due_for_birth() {
            self.give_birth(id);
        }
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        loop {
            slot.flush(wire, &self.shared, &mut self.spare, &mut self.losses);
            if slot.link.phase() != Phase::Open {
                slot.inbox.clear(&mut self.spare);
                break;
            }
            if !slot.has_due_input() || !slot.link.takes_facts() {
                break;
            }
            if self.redeliveries == 0 {
                if !planted!("budget_drops") {
                    self.leftover.push(Rc::clone(&slot.link));
                }
                break;
            }
            self.redeliveries -= 1;
            slot.deliver_due(&self.shared, &mut self.spare);
            if self.shared.has_queued(&self.turn) {
                // Its continuations first, then one flush for all.
                slot.link.settle_later();
                break;
            }
        }
        // Whatever holds input back or lets it on has the engine come by here, so messages that take
        // the short way leave the account as it is.
        if slot.link.watches.minds_input() {
            slot.link.note_input();
        }
        let passes = slot.link.watches.passes();
        if passes != slot.passes
            && let Some(socket) = &mut slot.socket
        {
            slot.passes = passes;
            wire.pass_descriptors(socket, id, passes);
        }
        let wanted = slot.wanted();
        if wanted != slot.interest
            && (wanted.readable || !planted!("pause_not_told"))
            && let Some(socket) = &mut slot.socket
        {
            slot.interest = wanted;
            wire.interest(socket, id, wanted);
        }
        slot.link.set_unsettled(!slot.is_settled(wire));
        slot.link.end_callback();
    }

    #[inline]
    fn has_queued(&self) -> bool {
        self.shared.has_queued(&self.turn)
    }

    /// Run continuations, ours and the thread's, in the order in which they were queued.
    #[inline]
    fn run_queue<W: Wire<S>>(&mut self, wire: &mut W) {
        while self.has_queued() {
            if self.budget == 0 {
                return;
            }
            self.run_queued(wire);
        }
    }

    fn run_queued<W: Wire<S>>(&mut self, wire: &mut W) {
        self.budget -= 1;
        if !self.shared.has_ready()
            && let Some(job) = self.turn.as_ref().and_then(Turn::pop)
        {
            self.user("a queued job", || job.run());
        }
        // Perhaps that job was a connection of ours, whose next continuation this is.
        let ready = self.shared.pop_ready();
        match ready {
            Some(Ready::Link(link)) => self.run_link(wire, &link),
            Some(Ready::Port(port)) => self.run_port(wire, &port),
            Some(Ready::Process(child)) => child.run_one(),
            Some(Ready::Job(job)) => self.user("a queued job", || job.run()),
            Some(Ready::Netstat(asked)) => self.list(asked),
            None => {}
        }
    }

    /// Run the next continuation of a connection; after the last one, bring it to rest.
    fn run_link<W: Wire<S>>(&mut self, wire: &mut W, link: &Rc<Link>) {
        let id = link.id();
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        slot.run_one(link);
        if link.is_queued() {
            link.settle_later();
        } else {
            self.settle(wire, id);
        }
    }

    /// Run user code that belongs to no connection.
    fn user(&self, place: &'static str, code: impl FnOnce()) {
        self.shared.note_call(place, || Whose::Nobody);
        self.guard(place, code);
    }

    fn guard(&self, place: &'static str, code: impl FnOnce()) {
        if let Err(panic) = guard::run(code) {
            self.shared.host().caught(&Caught::elsewhere(place, panic));
        }
    }

    /// Output of all connections together is past its cap: the fullest go.
    #[cold]
    fn shed_output<W: Wire<S>>(&mut self, wire: &mut W) {
        while self.shared.is_over_cap() {
            let fullest = self
                .slots
                .values()
                .filter(|slot| matches!(slot.link.phase(), Phase::Open | Phase::Closing))
                .max_by_key(|slot| slot.link.buffered());
            let Some(link) = fullest.map(|slot| Rc::clone(&slot.link)) else {
                return;
            };
            let limit = crate::Limit::TotalWriteBuffer;
            link.end(Disconnect::LimitPassed(limit), Ending::Abrupt);
            self.settle(wire, link.id());
        }
    }

    #[inline]
    fn in_turn(&self) {
        if !self.is_in_turn() {
            outside_a_turn();
        }
    }

    #[inline]
    fn is_in_turn(&self) -> bool {
        self.shared.state() == State::InTurn
    }
}

#[cold]
fn outside_a_turn() -> ! {
    panic!("a fact was told outside a turn");
}

/// Errors of Deferreds that nobody took go to the log, unless the thread has a sink already. One
/// that was merely abandoned is common at the end of things, and no news.
fn log_unhandled_errors() {
    report::describe::<crate::ConnectError>();
    report::describe::<crate::ListenError>();
    report::describe::<Disconnect>();
    let before = report::set_sink(Some(Rc::new(|report: &report::Report| {
        if report.is_abandoned() {
            log::debug!("{report}");
        } else {
            log::error!("{report}");
        }
    })));
    if before.is_some() {
        report::set_sink(before);
    }
}

impl<S> fmt::Debug for Engine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.shared.state())
            .field("connections", &self.slots.len())
            .field("buffered", &self.shared.buffered())
            .finish()
    }
}
