//! What the handles of a connection share with the engine.

mod end;
mod filters;
mod input;
mod mark;
mod output;
mod queued;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use torsade_deferred::queue;

pub(crate) use self::end::Ending;
use self::mark::Mark;
use self::queued::Pending;
pub(crate) use self::queued::Queued;
use crate::continuation::Seats;
use crate::flow::Flow;
use crate::gate::{Gate, hold};
use crate::layer::Layers;
use crate::outbox::Outbox;
use crate::shared::{Ready, Shared};
use crate::watch::Watches;
use crate::{ConnectionId, Peer};

/// What the handles of a connection reach: everything but the protocol and the socket, which the
/// engine owns.
///
/// All of it is cells that are never left borrowed while user code runs.
pub(crate) struct Link {
    shared: Rc<Shared>,
    id: ConnectionId,
    /// As the system has it.
    peer: Peer,
    /// As a filter has it, who was told by a proxy.
    told_peer: OnceCell<Box<Peer>>,
    phase: Cell<Phase>,
    output: Cell<Output>,
    pub(crate) outbox: RefCell<Outbox>,
    /// Where what is staged begins.
    staged: Cell<u32>,
    buffered: Cell<usize>,
    sent: Cell<u64>,
    received: Cell<u64>,
    dropped: Cell<u64>,
    flow: Cell<Flow>,
    low: Cell<Mark>,
    high: Cell<Mark>,
    /// Whether output above the high mark holds back input.
    throttled: Cell<bool>,
    gate: Gate,
    peer_ended: Cell<bool>,
    unread: Cell<u32>,
    unread_limit: Cell<Mark>,
    pub(crate) layers: Layers,
    /// What is to run on this connection, once there was any.
    pending: RefCell<Option<Box<Pending>>>,
    pub(crate) waits: Seats<Self>,
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
            told_peer: OnceCell::new(),
            phase: Cell::new(Phase::Open),
            output: Cell::new(Output::Open),
            outbox: RefCell::default(),
            staged: Cell::default(),
            buffered: Cell::new(0),
            sent: Cell::new(0),
            received: Cell::new(0),
            dropped: Cell::new(0),
            flow: Cell::default(),
            low: Cell::new(Mark::new(low)),
            high: Cell::new(Mark::new(high)),
            throttled: Cell::new(throttled),
            gate: Gate::unsettled(),
            peer_ended: Cell::new(false),
            unread: Cell::new(0),
            unread_limit: Cell::new(Mark::new(unread_limit)),
            layers: Layers::default(),
            pending: RefCell::default(),
            waits: Seats::default(),
            watches: Watches::default(),
        }
    }

    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whose connection it is: whoever a filter says, else who the system says is at the other end.
    pub(crate) fn peer(&self) -> &Peer {
        self.told_peer.get().map_or(&self.peer, |told| told)
    }

    /// A filter knows better whose connection it is. Once there is a protocol, that has asked, and
    /// what it was told stays true; so does what a first filter said.
    pub(crate) fn learn_peer(&self, peer: Peer) {
        if self.is_made() || self.told_peer.set(Box::new(peer)).is_err() {
            log::debug!("connection {}: told too late whose it is", self.id);
        }
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
    /// Something changed that the engine must act on. It comes by after a callback of this
    /// connection in any case.
    #[inline]
    pub(crate) fn touch(self: &Rc<Self>) {
        if !self.gate.has(hold::RUNNING | hold::LISTED) {
            self.list();
        }
    }

    #[inline]
    fn list(&self) {
        self.gate.set(hold::LISTED, true);
        self.shared.touched.borrow_mut().push(self.id);
        self.shared.work();
    }

    /// Whether a message may take the short way: both directions are open, nothing is held back,
    /// nothing is left over, and no callback runs.
    #[inline(always)]
    pub(crate) fn is_calm(&self) -> bool {
        self.gate.is_calm()
    }

    /// The same, and nobody wrote since the engine came by.
    #[inline(always)]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.gate.is(0)
    }

    /// Whether a callback of this connection runs, and perhaps wrote, and that is all there is.
    #[inline(always)]
    pub(crate) fn only_runs(&self) -> bool {
        self.gate.is_but_for_output(hold::RUNNING)
    }

    /// A callback of this connection begins.
    #[inline(always)]
    pub(crate) fn begin_callback(&self) {
        self.gate.set(hold::RUNNING, true);
    }

    /// The engine came by after this connection's callbacks; what is listed stays listed.
    #[inline(always)]
    pub(crate) fn end_callback(&self) {
        self.gate.set(hold::RUNNING, false);
    }

    /// The engine came by: whether there is more to do than to deliver and to send.
    #[inline]
    pub(crate) fn set_unsettled(&self, unsettled: bool) {
        self.gate.set(hold::UNSETTLED, unsettled);
        self.gate.set(hold::SIGNALLED, false);
    }

    /// A layer told the one around it something.
    pub(crate) fn note_signal(self: &Rc<Self>) {
        self.gate.set(hold::SIGNALLED, true);
        self.touch();
    }

    /// The engine takes the link from its list.
    #[inline(always)]
    pub(crate) fn unlist(&self) {
        self.gate.set(hold::LISTED, false);
    }

    /// Callbacks were made, and the engine will not come by at once: more of them are queued.
    pub(crate) fn settle_later(self: &Rc<Self>) {
        if !self.gate.has(hold::LISTED) {
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
