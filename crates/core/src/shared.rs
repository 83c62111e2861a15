use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use torsade_deferred::Resolver;
use torsade_deferred::queue::{Job, Turn};

use crate::calls::{Call, Calls, Whose};
use crate::chunk::Chunk;
use crate::connect::{Attempt, Connecting};
use crate::datagram::Port;
use crate::engine::Spare;
use crate::extension::Extensions;
use crate::guard::{self, Caught};
use crate::hooks::Hooks;
use crate::host::Host;
use crate::lending::Lending;
use crate::link::Link;
use crate::listener::Listening;
use crate::lookup::Lookups;
use crate::netstat::Netstat;
use crate::outbox::Pool;
use crate::pooled::Pools;
use crate::process::Child;
use crate::random::Random;
use crate::remote::Mailbox;
use crate::signals::Signals;
use crate::slots::{Key, Slots};
use crate::staging::Staging;
use crate::threads::Asked;
use crate::timers::{Action, Timers};
use crate::touched::Touched;
use crate::wheel::When;
use crate::wire::Op;
use crate::{Limits, PortId, Time};

/// What an engine shares with its handles: lists of what they did, and what they may look at.
pub(crate) struct Shared {
    host: Rc<dyn Host>,
    waker: Waker,
    limits: Limits,
    /// Whether anybody wants to know of every callback: the host, or who looks for slow ones.
    notes_calls: bool,
    pub(crate) calls: Calls,
    state: Cell<State>,
    /// Whether the driver was woken since the last turn began.
    woken: Cell<bool>,
    /// Whether anything was put into the lists here since the engine last found them empty: a turn
    /// in which nothing was looks at none of them.
    busy: Cell<bool>,
    /// The time of this turn, once somebody asked.
    now: Cell<Option<Time>>,
    /// Connections that the engine must look at before it sleeps. Those that are lost by then are
    /// passed over.
    pub(crate) touched: RefCell<Touched>,
    /// The same for datagram ports.
    pub(crate) touched_ports: RefCell<Vec<PortId>>,
    ready: RefCell<VecDeque<Ready>>,
    /// Whether `ready` has any: asked after every callback.
    any_ready: Cell<bool>,
    pub(crate) ops: RefCell<VecDeque<Op>>,
    pub(crate) timers: RefCell<Timers>,
    /// What the timers of no connection do.
    pub(crate) actions: Pools,
    pub(crate) listening: RefCell<Slots<Rc<Listening>>>,
    pub(crate) connects: RefCell<Slots<Rc<Connecting>>>,
    /// Sockets on their way, of all connects.
    pub(crate) attempts: RefCell<Slots<Attempt>>,
    pub(crate) lookups: Lookups,
    pub(crate) ports: RefCell<Slots<Rc<Port>>>,
    pub(crate) processes: RefCell<Slots<Rc<Child>>>,
    /// What waits for answers of threads.
    pub(crate) asked: RefCell<Slots<Asked>>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) pool: Pool,
    pub(crate) lending: Lending,
    /// Output on its short way from callbacks to sends.
    pub(crate) staging: Staging,
    /// What filters fill, between two of them.
    pub(crate) sides: Cell<[Vec<u8>; 2]>,
    /// Buffers for what lies between filters.
    pub(crate) rests: RefCell<Spare>,
    buffered: Cell<usize>,
    dropped_writes: Cell<u64>,
    dropped_datagrams: Cell<u64>,
    connections: Cell<usize>,
    accepted: Cell<u64>,
    shed: Cell<u64>,
    stop_asked: Cell<StopAsked>,
    pub(crate) hooks: Hooks,
    pub(crate) signals: Signals,
    pub(crate) random: Random,
    pub(crate) extensions: Extensions,
    /// What `with_unread` reads, and which connection may.
    pub(crate) rest: RefCell<Vec<u8>>,
    pub(crate) rest_of: Cell<Option<Key>>,
}

/// Whether an engine runs.
///
/// ```text
///            begin
///   Asleep ---------> InTurn        Asleep, InTurn --(dropped)--> Gone
///          <---------
///             end
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Asleep,
    InTurn,
    Gone,
}

/// Which stop was asked for since the engine last looked, the more urgent the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StopAsked {
    No,
    /// In good order: with hooks, callbacks and a deadline.
    Gently,
    /// Without waiting for anybody.
    Abruptly,
}

/// What came up in the thread's queue and is to run in a turn of this engine.
pub(crate) enum Ready {
    /// The link's next continuation.
    Link(Rc<Link>),
    /// The same of a datagram port.
    Port(Rc<Port>),
    /// The same of a process.
    Process(Rc<Child>),
    /// A job that came up outside of a turn.
    Job(Rc<dyn Job>),
    /// Somebody wants to know what is open.
    Netstat(Resolver<Netstat, Infallible>),
}

impl Shared {
    pub(crate) fn new(host: Rc<dyn Host>, waker: Waker, limits: Limits) -> Rc<Self> {
        let mailbox = Arc::new(Mailbox::new(waker.clone()));
        let calls = Calls::new(limits.slow_callback);
        Rc::new(Self {
            notes_calls: host.notes_calls() || calls.are_timed(),
            calls,
            host,
            waker,
            limits,
            state: Cell::new(State::Asleep),
            woken: Cell::new(false),
            busy: Cell::new(false),
            now: Cell::new(None),
            touched: RefCell::default(),
            touched_ports: RefCell::default(),
            ready: RefCell::default(),
            any_ready: Cell::new(false),
            ops: RefCell::default(),
            timers: RefCell::default(),
            actions: Pools::default(),
            listening: RefCell::new(Slots::new()),
            connects: RefCell::new(Slots::new()),
            attempts: RefCell::new(Slots::new()),
            lookups: Lookups::default(),
            ports: RefCell::new(Slots::new()),
            processes: RefCell::new(Slots::new()),
            asked: RefCell::new(Slots::new()),
            mailbox,
            pool: Pool::default(),
            lending: Lending::default(),
            staging: Staging::default(),
            sides: Cell::default(),
            rests: RefCell::default(),
            buffered: Cell::new(0),
            dropped_writes: Cell::new(0),
            dropped_datagrams: Cell::new(0),
            connections: Cell::new(0),
            accepted: Cell::new(0),
            shed: Cell::new(0),
            stop_asked: Cell::new(StopAsked::No),
            hooks: Hooks::default(),
            signals: Signals::default(),
            random: Random::default(),
            extensions: Extensions::default(),
            rest: RefCell::default(),
            rest_of: Cell::new(None),
        })
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// User code is about to be called.
    #[inline(always)]
    pub(crate) fn note_call(&self, place: &'static str, whose: impl FnOnce() -> Whose) {
        if self.notes_calls {
            let whose = whose();
            self.tell_call(Call { place, whose });
        }
    }

    #[cold]
    fn tell_call(&self, call: Call) {
        if self.calls.are_timed() {
            self.calls.pass_to(Some(call), self.host.now());
        }
        if self.host.notes_calls() {
            match call.whose {
                Whose::Connection(id, _) => self.host.calls(id, call.place),
                Whose::Port(id) => self.host.port_calls(id, call.place),
                Whose::Site(_) | Whose::Nobody => {}
            }
        }
    }

    /// The turn is over: no callback runs.
    pub(crate) fn end_calls(&self) {
        if self.calls.are_timed() {
            self.calls.pass_to(None, self.host.now());
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.state.get() != State::Gone
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.set(state);
        self.woken.set(false);
        self.now.set(None);
    }

    /// Another turn has begun: its time has not been asked for.
    #[inline]
    pub(crate) fn forget_now(&self) {
        self.now.set(None);
    }

    /// There is work for the engine. If it sleeps, its driver is woken, once a sleep.
    #[inline]
    pub(crate) fn work(&self) {
        self.busy.set(true);
        if self.state.get() == State::Asleep {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if !self.woken.replace(true) {
            self.waker.wake_by_ref();
        }
    }

    /// Whether there may be work for the engine.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.get()
    }

    /// Look whether there is work left.
    pub(crate) fn look_for_work(&self) {
        let left = self.is_stop_asked()
            || self.has_ready()
            || !self.touched.borrow().is_empty()
            || !self.touched_ports.borrow().is_empty()
            || !self.ops.borrow().is_empty();
        self.busy.set(left);
    }

    /// The time of this turn; outside one, the host's.
    pub(crate) fn now(&self) -> Time {
        if self.state.get() != State::InTurn {
            return self.host.now();
        }
        match self.now.get() {
            Some(now) => now,
            None => {
                let now = self.host.now();
                self.now.set(Some(now));
                now
            }
        }
    }

    /// This is to run in a turn of this engine, before anything of the thread's queue.
    pub(crate) fn push_ready(&self, ready: Ready) {
        self.ready.borrow_mut().push_back(ready);
        self.any_ready.set(true);
        self.work();
    }

    pub(crate) fn pop_ready(&self) -> Option<Ready> {
        let mut ready = self.ready.borrow_mut();
        let first = ready.pop_front();
        self.any_ready.set(!ready.is_empty());
        first
    }

    /// Whether continuations are to run, of this engine or of the thread.
    #[inline]
    pub(crate) fn has_queued(&self, turn: &Option<Turn>) -> bool {
        turn.as_ref().is_some_and(Turn::has_jobs) || self.has_ready()
    }

    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.any_ready.get()
    }

    /// Forget what was to run: the engine is gone.
    pub(crate) fn clear_ready(&self) {
        self.any_ready.set(false);
        let forgotten = self.ready.take();
        drop(forgotten);
    }

    /// Ask for an operation of the driver.
    pub(crate) fn ask(&self, op: Op) {
        self.ops.borrow_mut().push_back(op);
        self.work();
    }

    pub(crate) fn set_timer(&self, when: impl Into<When>, action: Action) -> Key {
        let key = self.timers.borrow_mut().set(when, action);
        self.timers_changed();
        key
    }

    /// A timer set outside a turn counts from now, and may be the next thing to wake for.
    #[inline]
    pub(crate) fn timers_changed(&self) {
        if self.state.get() == State::Asleep {
            self.settle_timers();
        } else {
            self.busy.set(true);
        }
    }

    #[cold]
    fn settle_timers(&self) {
        let now = self.host.now();
        self.timers.borrow_mut().settle(now);
        // It waits for a deadline that may be too late; there is nothing else to do.
        self.wake();
    }

    #[inline]
    pub(crate) fn buffer(&self, len: usize) {
        self.buffered.set(self.buffered.get() + len);
    }

    #[inline]
    pub(crate) fn unbuffer(&self, len: usize) {
        self.buffered.set(self.buffered.get() - len);
    }

    #[inline]
    pub(crate) fn is_over_cap(&self) -> bool {
        self.buffered.get() > self.limits.total_write_cap
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffered.get() + self.staging.len()
    }

    /// So many staged bytes are not needed any more.
    #[inline]
    pub(crate) fn release_staged(&self, bytes: usize) {
        self.staging.release(bytes);
        if !self.lending.has_lent() {
            self.staging.rewind();
        }
    }

    /// Take a chunk back. Drops the shared bytes it carried, which may run user code.
    #[inline(always)]
    pub(crate) fn recycle(&self, mut chunk: Box<Chunk>) {
        if chunk.carries_shared() {
            self.drop_shared(&mut chunk);
        }
        self.pool.give(chunk);
    }

    #[cold]
    fn drop_shared(&self, chunk: &mut Chunk) {
        // Each by itself: two panics in one drop would end the process.
        for bytes in chunk.take_shared() {
            if let Err(panic) = guard::run(|| drop(bytes)) {
                let caught = Caught::elsewhere("dropping bytes that were sent", panic);
                self.host.caught(&caught);
            }
        }
    }

    pub(crate) fn count_dropped_write(&self) {
        self.dropped_writes.set(self.dropped_writes.get() + 1);
    }

    pub(crate) fn dropped_writes(&self) -> u64 {
        self.dropped_writes.get()
    }

    pub(crate) fn count_dropped_datagrams(&self, datagrams: u64) {
        let before = self.dropped_datagrams.get();
        self.dropped_datagrams.set(before + datagrams);
    }

    pub(crate) fn dropped_datagrams(&self) -> u64 {
        self.dropped_datagrams.get()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(crate) fn set_connections(&self, connections: usize) {
        self.connections.set(connections);
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    pub(crate) fn count_accepted(&self) {
        self.accepted.set(self.accepted.get() + 1);
    }

    pub(crate) fn shed(&self) -> u64 {
        self.shed.get()
    }

    pub(crate) fn count_shed(&self) {
        self.shed.set(self.shed.get() + 1);
    }

    /// Ask for a stop. One that was asked for is not made gentler.
    pub(crate) fn ask_stop(&self, how: StopAsked) {
        self.stop_asked.set(self.stop_asked.get().max(how));
        self.work();
    }

    pub(crate) fn take_stop(&self) -> StopAsked {
        self.stop_asked.replace(StopAsked::No)
    }

    pub(crate) fn is_stop_asked(&self) -> bool {
        self.stop_asked.get() != StopAsked::No
    }
}
