use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use torsade_deferred::queue;

use crate::continuation::Continuation;
use crate::flow::Flow;
use crate::gate::{Gate, hold};
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
    /// Whether the protocol is to be told that the reactor stops.
    stopping: Cell<bool>,
    pub(crate) outbox: RefCell<Outbox>,
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
    epoch: Cell<u32>,
    pub(crate) layers: Layers,
    calls: RefCell<VecDeque<Rc<dyn Continuation>>>,
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
            queued: Cell::new(false),
            stopping: Cell::new(false),
            outbox: RefCell::default(),
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
            epoch: Cell::new(0),
            layers: Layers::default(),
            calls: RefCell::default(),
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

    fn list(self: &Rc<Self>) {
        self.touched.set(Touched::Listed);
        self.shared.touched.borrow_mut().push(Rc::clone(self));
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

    /// The reactor stops; the protocol is told when its connection's turn comes.
    pub(crate) fn tell_stopping(self: &Rc<Self>) {
        self.stopping.set(true);
        self.enqueue();
    }

    pub(crate) fn take_stopping(&self) -> bool {
        self.stopping.replace(false) && self.phase.get() == Phase::Open
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
        shared.push_ready(self);
    }
}

/// Output.
impl Link {
    #[inline]
    pub(crate) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if bytes.is_empty() || !self.may_write(bytes.len()) {
            return;
        }
        if self.lend(bytes) {
            self.wrote(bytes.len());
        } else {
            self.push(bytes);
        }
    }

    /// Leave bytes of the delivery that is being made where they are, if they are all that waits.
    #[inline]
    fn lend(&self, bytes: &[u8]) -> bool {
        let lending = &self.shared.lending;
        self.touched.get() == Touched::Running
            && self.buffered.get() == lending.lent()
            && lending.lend(bytes)
    }

    /// Lent bytes could not be sent from where they lay.
    pub(crate) fn copy_lent(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.outbox
            .borrow_mut()
            .put_in_front(&self.shared.pool, bytes);
    }

    /// Write without asking again whether that is allowed. By itself, so that what is lent costs
    /// little.
    #[inline(never)]
    pub(crate) fn push(self: &Rc<Self>, bytes: &[u8]) {
        self.outbox.borrow_mut().push(&self.shared.pool, bytes);
        self.wrote(bytes.len());
    }

    /// Write these pieces, accepted or refused as one.
    #[inline]
    pub(crate) fn write_parts(self: &Rc<Self>, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if len > 0 && self.may_write(len) {
            self.outbox
                .borrow_mut()
                .push_parts(&self.shared.pool, parts);
            self.wrote(len);
        }
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
        // The cap is never below the high mark, so it is passed only while output waits.
        self.gate.lets_out() || self.may_write_more(len)
    }

    #[cold]
    fn may_write_more(self: &Rc<Self>, len: usize) -> bool {
        let accepts = self.phase.get() == Phase::Open && self.output.get() == Output::Open;
        let fits = self.buffered.get() <= self.shared.limits().write_cap;
        if accepts && fits {
            return true;
        }
        self.drop_write(len);
        if accepts {
            let limit = Limit::WriteBuffer;
            self.end(Disconnect::LimitPassed(limit), Ending::Abrupt);
        }
        false
    }

    #[inline]
    fn wrote(self: &Rc<Self>, len: usize) {
        let buffered = self.buffered.get() + len;
        self.buffered.set(buffered);
        self.shared.buffer(len);
        if buffered > self.high.get() {
            self.evaluate_flow();
        }
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
    #[inline(always)]
    pub(crate) fn unbuffer(self: &Rc<Self>, len: usize) {
        self.buffered.set(self.buffered.get() - len);
        self.sent.set(self.sent.get() + len as u64);
        self.shared.unbuffer(len);
        if !self.gate.is_clear() {
            self.evaluate_flow();
        }
        self.watches.flushed(self.sent.get());
    }

    /// What still waits will never be sent.
    pub(crate) fn discard_output(&self) {
        let chunks = self.outbox.borrow_mut().discard();
        let buffered = self.buffered.replace(0);
        if buffered > 0 {
            self.watches.give_up_output();
        }
        self.shared.unbuffer(buffered);
        for chunk in chunks.into_iter().flatten() {
            self.shared.recycle(chunk);
        }
    }

    #[cold]
    fn evaluate_flow(self: &Rc<Self>) {
        let flow = self.flow.get();
        if let Some(next) = flow.evaluate(self.buffered.get(), self.low.get(), self.high.get()) {
            self.flow.set(next);
            self.throttle();
            self.enqueue();
        }
    }

    /// Note whether output waits, and hold input back for it if it is throttled.
    fn throttle(self: &Rc<Self>) {
        let waits = self.flow.get().is_paused();
        self.gate.set(hold::OUTPUT_WAITS, waits);
        let held = waits && self.throttled.get();
        if self.gate.set(hold::THROTTLE, held) {
            self.touch();
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow.get()
    }

    pub(crate) fn set_flow(&self, flow: Flow) {
        self.flow.set(flow);
    }

    pub(crate) fn set_write_limits(self: &Rc<Self>, low: usize, high: usize) {
        let high = high.min(self.shared.limits().write_cap);
        self.low.set(low.min(high));
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
        self.gate.lets_out()
    }
}

/// Input.
impl Link {
    /// Whether the protocol may be given bytes now.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        self.gate.lets_in()
    }

    pub(crate) fn set_layer_paused(self: &Rc<Self>, depth: u16, paused: bool) {
        self.set_held(Gate::layer(depth), paused);
    }

    pub(crate) fn set_handle_paused(self: &Rc<Self>, paused: bool) {
        self.set_held(hold::HANDLE, paused);
    }

    fn set_held(self: &Rc<Self>, bit: u32, held: bool) {
        if self.gate.set(bit, held) {
            self.touch();
        }
    }

    pub(crate) fn set_throttle(self: &Rc<Self>, on: bool) {
        self.throttled.set(on);
        self.throttle();
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
    /// flush that is under way, and a panic is the reason whatever was before.
    pub(crate) fn end(self: &Rc<Self>, reason: Disconnect, how: Ending) {
        let next = match (self.phase.get(), how) {
            (Phase::Open, Ending::Flushed) => Phase::Closing,
            (Phase::Open | Phase::Closing, Ending::Abrupt) => Phase::Aborting,
            (phase @ (Phase::Aborting | Phase::Ended), Ending::Abrupt)
                if matches!(reason, Disconnect::Panicked(_)) =>
            {
                phase
            }
            _ => return,
        };
        self.set_phase(next);
        self.watches.set_reason(reason);
        self.touch();
    }

    pub(crate) fn close_write(self: &Rc<Self>) {
        if self.phase.get() == Phase::Open && self.output.get() == Output::Open {
            self.set_output(Output::Ending);
            self.touch();
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        self.gate.set(hold::ENDING, phase != Phase::Open);
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
            self.gate.hold_for_continuation();
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
            self.gate.release_from_continuation();
            self.touch();
        }
    }

    /// Something that is waited for or queued, to be cancelled. One at a time, because what is
    /// cancelled may cancel or begin another.
    pub(crate) fn take_wait(self: &Rc<Self>) -> Option<Rc<dyn Continuation>> {
        let waiting = self.waits.borrow_mut().pop();
        if let Some(waiting) = &waiting {
            waiting.seat().set(usize::MAX);
        }
        let continuation = waiting.or_else(|| self.next_call())?;
        self.finish_call(&*continuation);
        Some(continuation)
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
        self.gate.set(hold::SWITCH, true);
        let unused = self.watches.set_next(stack);
        self.enqueue();
        drop(unused);
    }

    /// The new stack, if one is to be put in place.
    #[inline]
    pub(crate) fn take_switch(self: &Rc<Self>) -> Option<Box<dyn Stack>> {
        if !self.gate.has(hold::SWITCH) {
            return None;
        }
        self.gate.set(hold::SWITCH, false);
        self.gate.forget_layers();
        self.epoch.set(self.next_epoch());
        self.layers.forget();
        self.flow.set(self.flow.get().untold());
        self.touch();
        self.watches.take_next()
    }
}
