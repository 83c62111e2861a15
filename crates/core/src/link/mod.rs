//! What the handles of a connection share with the engine.

mod end;
mod filters;
mod input;
mod output;
mod queued;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use torsade_deferred::queue;

pub(crate) use self::end::Ending;
pub(crate) use self::queued::Queued;
use crate::continuation::Continuation;
use crate::flow::Flow;
use crate::gate::{Gate, hold};
use crate::layer::Layers;
use crate::outbox::Outbox;
use crate::shared::{Ready, Shared};
use crate::staging::Staged;
use crate::watch::Watches;
use crate::{ConnectionId, Peer};

/// What the handles of a connection reach: everything but the protocol and the socket, which the
/// engine owns.
///
/// All of it is cells that are never left borrowed while user code runs.
pub(crate) struct Link {
    shared: Rc<Shared>,
    id: ConnectionId,
    peer: Peer,
    phase: Cell<Phase>,
    output: Cell<Output>,
    touched: Cell<Touched>,
    pub(crate) outbox: RefCell<Outbox>,
    staged: Cell<Staged>,
    buffered: Cell<usize>,
    sent: Cell<u64>,
    received: Cell<u64>,
    dropped: Cell<u64>,
    flow: Cell<Flow>,
    low: Cell<usize>,
    high: Cell<usize>,
    /// Whether output above the high mark holds back input.
    throttled: Cell<bool>,
    gate: Gate,
    peer_ended: Cell<bool>,
    unread: Cell<usize>,
    unread_limit: Cell<usize>,
    pub(crate) layers: Layers,
    /// What is to run on this connection. For each there is an entry in the thread's queue, which
    /// says when.
    queued: RefCell<VecDeque<Queued>>,
    waits: RefCell<Vec<Rc<dyn Continuation>>>,
    pub(crate) watches: Watches,
}

/// Where a connection is in its life.
///
/// ```text
///               close, fail                  flushed                    socket gone
///   Open ---------------------> Closing ----------------> Ended ---------------------> Lost
///    |                            |                         ^     (end of the turn,
///    | abort, panic, limit,       | the same                |      connection_lost)
///    | reset                      v                         |
///    +----------------------> Aborting ---------------------+
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Data is delivered, writes are accepted.
    Open,
    /// Nothing more is delivered or accepted; what was written is flushed.
    Closing,
    /// To be closed without flushing, as soon as the engine comes by.
    Aborting,
    /// The socket has been given back to the driver; the loss is on its way.
    Ended,
    /// `connection_lost` has been called.
    Lost,
}

/// Our half of the stream.
///
/// ```text
///         close_write            flushed
///   Open -------------> Ending -----------> Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Open,
    Ending,
    Ended,
}

/// Whether the engine will come by and act on what the handles did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// It will not: the next change must put the link on its list.
    No,
    /// One of this connection's callbacks runs; the engine comes by right after it.
    Running,
    /// It is on the list, which is worked through before the engine sleeps.
    Listed,
}

impl Link {
    pub(crate) fn new(shared: Rc<Shared>, id: ConnectionId, peer: Peer, throttled: bool) -> Self {
        let limits = shared.limits();
        let high = limits.write_high.min(limits.write_cap);
        let low = limits.write_low.min(high);
        let unread_limit = limits.unread;
        Self {
            shared,
            id,
            peer,
            phase: Cell::new(Phase::Open),
            output: Cell::new(Output::Open),
            touched: Cell::new(Touched::No),
            outbox: RefCell::default(),
            staged: Cell::default(),
            buffered: Cell::new(0),
            sent: Cell::new(0),
            received: Cell::new(0),
            dropped: Cell::new(0),
            flow: Cell::default(),
            low: Cell::new(low),
            high: Cell::new(high),
            throttled: Cell::new(throttled),
            gate: Gate::default(),
            peer_ended: Cell::new(false),
            unread: Cell::new(0),
            unread_limit: Cell::new(unread_limit),
            layers: Layers::default(),
            queued: RefCell::default(),
            waits: RefCell::default(),
            watches: Watches::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn output(&self) -> Output {
        self.output.get()
    }

    pub(crate) fn set_output(&self, output: Output) {
        self.output.set(output);
        self.gate.set(hold::OUTPUT_END, output != Output::Open);
    }
}

/// Being seen by the engine.
impl Link {
    /// Something changed that the engine must act on.
    #[inline]
    pub(crate) fn touch(self: &Rc<Self>) {
        if self.touched.get() == Touched::No {
            self.list();
        }
    }

    #[inline(always)]
    fn list(&self) {
        self.touched.set(Touched::Listed);
        self.shared.touched.borrow_mut().push(self.id);
        self.shared.work();
    }

    /// Whether both directions are open and nothing holds input back.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        self.gate.is_clear()
    }

    /// A callback of this connection begins.
    #[inline]
    pub(crate) fn begin_callback(&self) {
        if self.touched.get() == Touched::No {
            self.touched.set(Touched::Running);
        }
    }

    /// The engine came by after this connection's callbacks; what is listed stays listed.
    #[inline]
    pub(crate) fn end_callback(&self) {
        if self.touched.get() == Touched::Running {
            self.touched.set(Touched::No);
        }
    }

    /// The engine takes the link from its list.
    pub(crate) fn unlist(&self) {
        self.touched.set(Touched::No);
    }

    /// Callbacks were made, and the engine will not come by at once: more of them are queued.
    pub(crate) fn settle_later(self: &Rc<Self>) {
        if self.touched.get() != Touched::Listed {
            self.list();
        }
    }
}

/// A connection is itself a job of the run-to-completion queue, as often as something is to run on
/// it: each turn there hands it to the engine that owns its protocol, at once if that engine is the
/// one that runs.
impl queue::Job for Link {
    fn run(self: Rc<Self>) {
        let shared = Rc::clone(&self.shared);
        if !shared.is_alive() {
            return;
        }
        shared.push_ready(Ready::Link(self));
    }
}
