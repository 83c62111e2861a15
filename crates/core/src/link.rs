use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use torsade_deferred::queue;

use crate::continuation::Continuation;
use crate::flow::Flow;
use crate::layer::{Layers, Place};
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::stack::Stack;
use crate::watch::Watches;
use crate::{ConnectionId, Disconnect, Limit, Peer};

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
    /// Whether this link waits in the thread's queue for its continuations to run.
    queued: Cell<bool>,
    pub(crate) outbox: RefCell<Outbox>,
    buffered: Cell<usize>,
    sent: Cell<u64>,
    received: Cell<u64>,
    dropped: Cell<u64>,
    flow: Cell<Flow>,
    low: Cell<usize>,
    high: Cell<usize>,
    holds: Holds,
    peer_ended: Cell<bool>,
    unread: Cell<usize>,
    unread_limit: Cell<usize>,
    epoch: Cell<u32>,
    pub(crate) layers: Layers,
    calls: RefCell<VecDeque<Rc<dyn Continuation>>>,
    waits: RefCell<Vec<Rc<dyn Continuation>>>,
    next: RefCell<Option<Box<dyn Stack>>>,
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

/// Who holds back input. Reading runs while nobody does.
#[derive(Default)]
struct Holds {
    /// One bit a layer that paused reading, and one for untyped handles.
    paused: Cell<u32>,
    /// Continuations that hold input until they have run.
    continuations: Cell<u32>,
    /// Whether output above the high mark holds input.
    throttled: Cell<bool>,
    /// Whether a switch of the protocol is queued.
    switching: Cell<bool>,
}

/// The bit in `Holds::paused` of a layer; all beyond the last one share it.
fn layer_bit(depth: u16) -> u32 {
    1 << u32::from(depth).min(30)
}

/// The bit of an untyped handle, which belongs to no layer.
const HANDLE_BIT: u32 = 1 << 31;

impl Link {
    pub(crate) fn new(shared: Rc<Shared>, id: ConnectionId, peer: Peer, throttled: bool) -> Self {
        let limits = shared.limits();
        let (low, high) = (limits.write_low, limits.write_high);
        let unread_limit = limits.unread;
        Self {
            shared,
            id,
            peer,
            phase: Cell::new(Phase::Open),
            output: Cell::new(Output::Open),
            touched: Cell::new(Touched::No),
            queued: Cell::new(false),
            outbox: RefCell::default(),
            buffered: Cell::new(0),
            sent: Cell::new(0),
            received: Cell::new(0),
            dropped: Cell::new(0),
            flow: Cell::default(),
            low: Cell::new(low),
            high: Cell::new(high),
            holds: Holds {
                throttled: Cell::new(throttled),
                ..Holds::default()
            },
            peer_ended: Cell::new(false),
            unread: Cell::new(0),
            unread_limit: Cell::new(unread_limit),
            epoch: Cell::new(0),
            layers: Layers::default(),
            calls: RefCell::default(),
            waits: RefCell::default(),
            next: RefCell::default(),
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
    }
}

/// Being seen by the engine.
impl Link {
    /// Something changed that the engine must act on.
    #[inline]
    pub(crate) fn touch(self: &Rc<Self>) {
        if self.touched.get() == Touched::No {
            self.touched.set(Touched::Listed);
            self.shared.touched.borrow_mut().push(Rc::clone(self));
            self.shared.work();
        }
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

    /// Put the link into the thread's queue: continuations are ready.
    pub(crate) fn enqueue(self: &Rc<Self>) {
        if self.phase.get() != Phase::Lost && !self.queued.replace(true) {
            queue::push(Rc::<Self>::clone(self));
        }
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }

    pub(crate) fn leave_queue(&self) {
        self.queued.set(false);
    }
}

/// A connection is itself a job of the run-to-completion queue: its turn there hands it to the
/// engine that owns its protocol, at once if that engine is the one that runs.
impl queue::Job for Link {
    fn run(self: Rc<Self>) {
        let shared = Rc::clone(&self.shared);
        if !shared.is_alive() {
            return;
        }
        shared.ready.borrow_mut().push_back(self);
        shared.work();
    }
}

/// Output.
impl Link {
    #[inline]
    pub(crate) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if !bytes.is_empty() && self.may_write(bytes.len()) {
            self.push(bytes);
        }
    }

    /// Write without asking again whether that is allowed.
    #[inline]
    pub(crate) fn push(self: &Rc<Self>, bytes: &[u8]) {
        self.outbox.borrow_mut().push(&self.shared.pool, bytes);
        self.wrote(bytes.len());
    }

    pub(crate) fn write_shared(self: &Rc<Self>, bytes: Bytes) {
        let len = bytes.len();
        if len > 0 && self.may_write(len) {
            self.outbox
                .borrow_mut()
                .push_shared(&self.shared.pool, bytes);
            self.wrote(len);
        }
    }

    /// Whether `len` bytes are accepted. If not, they are counted as dropped.
    #[inline]
    pub(crate) fn may_write(self: &Rc<Self>, len: usize) -> bool {
        if self.phase.get() != Phase::Open || self.output.get() != Output::Open {
            self.drop_write(len);
            return false;
        }
        if self.buffered.get() > self.shared.limits().write_cap {
            self.drop_write(len);
            self.end(Disconnect::LimitPassed(Limit::WriteBuffer), Ending::Abrupt);
            return false;
        }
        true
    }

    #[inline]
    fn wrote(self: &Rc<Self>, len: usize) {
        self.buffered.set(self.buffered.get() + len);
        self.shared.buffer(len);
        self.evaluate_flow();
        self.touch();
    }

    #[cold]
    fn drop_write(&self, len: usize) {
        let before = self.dropped.get();
        self.dropped.set(before.saturating_add(len as u64));
        self.shared.count_dropped_write();
        if before == 0 {
            log::debug!(
                "connection {} to {}: dropping what is written after the close",
                self.id,
                self.peer,
            );
        }
    }

    /// The kernel took `len` bytes.
    #[inline]
    pub(crate) fn unbuffer(self: &Rc<Self>, len: usize) {
        self.buffered.set(self.buffered.get() - len);
        self.sent.set(self.sent.get() + len as u64);
        self.shared.unbuffer(len);
        self.evaluate_flow();
        self.watches.flushed(self.sent.get());
    }

    /// What still waits will never be sent.
    pub(crate) fn discard_output(&self) {
        let chunks = self.outbox.borrow_mut().discard();
        self.shared.unbuffer(self.buffered.replace(0));
        for chunk in chunks.into_iter().flatten() {
            self.shared.recycle(chunk);
        }
    }

    #[inline]
    fn evaluate_flow(self: &Rc<Self>) {
        let flow = self.flow.get();
        if let Some(next) = flow.evaluate(self.buffered.get(), self.low.get(), self.high.get()) {
            self.flow.set(next);
            self.enqueue();
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow.get()
    }

    pub(crate) fn set_flow(&self, flow: Flow) {
        self.flow.set(flow);
    }

    pub(crate) fn set_write_limits(self: &Rc<Self>, low: usize, high: usize) {
        self.low.set(low);
        self.high.set(high);
        self.evaluate_flow();
        self.touch();
    }

    #[inline]
    pub(crate) fn buffered(&self) -> usize {
        self.buffered.get()
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent.get()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    pub(crate) fn wants_output(&self) -> bool {
        self.phase.get() == Phase::Open
            && self.output.get() == Output::Open
            && !self.flow.get().is_paused()
    }
}

/// Input.
impl Link {
    /// Whether the protocol may be given bytes now.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        self.phase.get() == Phase::Open
            && self.holds.paused.get() == 0
            && self.holds.continuations.get() == 0
            && !self.holds.switching.get()
            && !(self.holds.throttled.get() && self.flow.get().is_paused())
    }

    pub(crate) fn pause_layer(self: &Rc<Self>, depth: u16) {
        self.set_paused(self.holds.paused.get() | layer_bit(depth));
    }

    pub(crate) fn resume_layer(self: &Rc<Self>, depth: u16) {
        self.set_paused(self.holds.paused.get() & !layer_bit(depth));
    }

    pub(crate) fn pause_handle(self: &Rc<Self>) {
        self.set_paused(self.holds.paused.get() | HANDLE_BIT);
    }

    pub(crate) fn resume_handle(self: &Rc<Self>) {
        self.set_paused(self.holds.paused.get() & !HANDLE_BIT);
    }

    fn set_paused(self: &Rc<Self>, paused: u32) {
        if self.holds.paused.replace(paused) != paused {
            self.touch();
        }
    }

    pub(crate) fn set_throttle(self: &Rc<Self>, on: bool) {
        if self.holds.throttled.replace(on) != on {
            self.touch();
        }
    }

    fn hold(&self) {
        let holds = &self.holds.continuations;
        holds.set(holds.get() + 1);
    }

    fn release(self: &Rc<Self>) {
        let holds = &self.holds.continuations;
        holds.set(holds.get() - 1);
        self.touch();
    }

    /// The peer's end is being told to the protocol.
    pub(crate) fn note_peer_ended(&self) {
        self.peer_ended.set(true);
    }

    pub(crate) fn peer_has_ended(&self) -> bool {
        self.peer_ended.get()
    }

    pub(crate) fn unread(&self, n: usize) {
        self.unread.set(self.unread.get().max(n));
    }

    #[inline]
    pub(crate) fn take_unread(&self) -> usize {
        self.unread.replace(0)
    }

    pub(crate) fn unread_limit(&self) -> usize {
        self.unread_limit.get()
    }

    pub(crate) fn set_unread_limit(&self, bytes: usize) {
        self.unread_limit.set(bytes);
    }

    #[inline]
    pub(crate) fn count_received(&self, len: usize) {
        self.received.set(self.received.get() + len as u64);
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.get()
    }
}

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// After what was written has been flushed.
    Flushed,
    /// At once; what waits is dropped.
    Abrupt,
}

/// The end.
impl Link {
    /// Begin to end, for this reason. The first reason stands, but an abrupt end overtakes a
    /// flush that is under way, and a panic overtakes an abort.
    pub(crate) fn end(self: &Rc<Self>, reason: Disconnect, how: Ending) {
        let next = match (self.phase.get(), how) {
            (Phase::Open, Ending::Flushed) => Phase::Closing,
            (Phase::Open | Phase::Closing, Ending::Abrupt) => Phase::Aborting,
            (Phase::Aborting, Ending::Abrupt) if matches!(reason, Disconnect::Panicked(_)) => {
                Phase::Aborting
            }
            _ => return,
        };
        self.phase.set(next);
        self.watches.set_reason(reason);
        self.touch();
    }

    pub(crate) fn close_write(self: &Rc<Self>) {
        if self.phase.get() == Phase::Open && self.output.get() == Output::Open {
            self.output.set(Output::Ending);
            self.touch();
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
    }
}

/// Continuations.
impl Link {
    /// Whether continuations may still run.
    pub(crate) fn is_listening(&self) -> bool {
        self.phase.get() != Phase::Lost && self.shared.is_alive()
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    pub(crate) fn is_current(&self, place: Place) -> bool {
        place.epoch == self.epoch.get()
    }

    /// Remember something that the connection waits for.
    pub(crate) fn wait(&self, continuation: Rc<dyn Continuation>) {
        if continuation.holds_input() {
            self.hold();
        }
        let mut waits = self.waits.borrow_mut();
        continuation.seat().set(waits.len());
        waits.push(continuation);
    }

    /// It is not waited for any more. Returns whether it was.
    pub(crate) fn stop_waiting(&self, continuation: &dyn Continuation) -> bool {
        let mut waits = self.waits.borrow_mut();
        let seat = continuation.seat().replace(usize::MAX);
        if seat >= waits.len() {
            return false;
        }
        // The handle that goes is one of several, so nothing of the user's is dropped here.
        let _ = waits.swap_remove(seat);
        if let Some(moved) = waits.get(seat) {
            moved.seat().set(seat);
        }
        true
    }

    /// What was waited for is there: run the continuation when this connection's turn comes.
    pub(crate) fn ready(self: &Rc<Self>, continuation: Rc<dyn Continuation>) {
        self.calls.borrow_mut().push_back(continuation);
        self.enqueue();
    }

    #[inline]
    pub(crate) fn next_call(&self) -> Option<Rc<dyn Continuation>> {
        self.calls.borrow_mut().pop_front()
    }

    /// The continuation has run or will not: if it held input back, that is over.
    pub(crate) fn finish_call(self: &Rc<Self>, continuation: &dyn Continuation) {
        if continuation.holds_input() {
            self.release();
        }
    }

    /// End everything that is waited for or queued. Runs user code.
    pub(crate) fn cancel_waits(&self) {
        loop {
            // One at a time, because what is cancelled may cancel or begin another.
            let Some(continuation) = self.waits.borrow_mut().pop() else {
                break;
            };
            continuation.seat().set(usize::MAX);
            continuation.cancel(self);
        }
        while let Some(continuation) = self.next_call() {
            continuation.cancel(self);
        }
    }
}

/// Switching.
impl Link {
    pub(crate) fn next_epoch(&self) -> u32 {
        self.epoch.get().wrapping_add(1)
    }

    /// Put a new stack of protocols in place after this callback.
    pub(crate) fn switch(self: &Rc<Self>, stack: Box<dyn Stack>) {
        if self.phase.get() != Phase::Open {
            log::debug!("connection {}: not switching, it has ended", self.id);
            return;
        }
        self.holds.switching.set(true);
        let unused = self.next.replace(Some(stack));
        self.enqueue();
        drop(unused);
    }

    /// The new stack, if one is to be put in place.
    #[inline]
    pub(crate) fn take_switch(self: &Rc<Self>) -> Option<Box<dyn Stack>> {
        if !self.holds.switching.get() {
            return None;
        }
        self.holds.switching.set(false);
        self.holds.paused.set(0);
        self.epoch.set(self.next_epoch());
        self.layers.forget();
        self.touch();
        self.next.take()
    }
}
