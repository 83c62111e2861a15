use std::io;
use std::mem;
use std::rc::Rc;

use super::inbox::{Spare, Tail};
use super::slot::{Flushing, Input, Slot};
use crate::chunk::Chunk;
use crate::continuation::Continuation;
use crate::flow::FlowCall;
use crate::guard;
use crate::layer::Place;
use crate::lending::Lent;
use crate::link::{Ending, Link, Output, Phase, Queued};
use crate::shared::Shared;
use crate::stack::{Stack, Unplaced};
use crate::timers::Action;
use crate::wire::{Close, Closing, Interest, Sending, Ways, Wire};
use crate::{AnyProtocol, ConnectionId, Disconnect, Timeout, WireEnd};

/// Output and the end.
impl<S> Slot<S> {
    /// Send what was written, unless the kernel has no room or the driver still has the last
    /// chunk; then end what is to be ended after it.
    #[inline]
    pub(super) fn flush<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Rc<Shared>,
        spare: &mut Spare,
        losses: &mut Vec<ConnectionId>,
    ) {
        match self.link.phase() {
            Phase::Open | Phase::Closing => {
                if self.link.is_filtered() {
                    self.flush_filtered(wire, shared, spare);
                } else if !self.link.outbox.borrow().is_held() {
                    self.send(wire, shared);
                }
                if self.link.output() != Output::Open || self.link.phase() != Phase::Open {
                    self.end_output(wire);
                    self.end_if_over(wire, shared, losses);
                }
            }
            Phase::Aborting => self.end_if_over(wire, shared, losses),
            Phase::Ended | Phase::Lost => {}
        }
    }

    /// Whether there is nothing to do but to deliver what comes and to send what is written.
    #[inline]
    pub(super) fn is_settled<W: Wire<S>>(&self, wire: &W) -> bool {
        const READS: Interest = Interest {
            readable: true,
            writable: false,
        };
        self.interest == READS
            && self.inbox.tail() == Tail::Empty
            && !self.link.watches.passes()
            && self.takes_short_way(wire)
    }

    #[inline]
    pub(super) fn takes_short_way<W: Wire<S>>(&self, wire: &W) -> bool {
        let socket = self.socket.as_ref();
        socket.is_none_or(|socket| wire.takes_short_way(socket))
    }

    /// The usual end of a delivery: what it wrote is sent whole from where it lies. Returns whether
    /// all went.
    #[inline(always)]
    pub(super) fn flush_calm<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Shared,
        data: &[u8],
    ) -> bool {
        let lent = shared.lending.end();
        let waiting = self.link.buffered();
        if waiting > 0 {
            if lent.len != waiting {
                // Bytes written behind lent ones go along, in one send of a chunk.
                self.keep_lent(shared, data, lent);
                return false;
            }
            if self
                .socket
                .as_ref()
                .is_some_and(|socket| wire.keeps(socket))
            {
                return self.flush_kept(wire, shared, data, lent);
            }
            if let Some(bytes) = lent.of(data)
                && let Some(socket) = &mut self.socket
            {
                let sent = wire.send_lent(socket, self.link.id(), bytes);
                if sent < bytes.len() {
                    self.copy_unsent(bytes, sent);
                    return false;
                }
            } else if !self.send_staged(wire, shared, data, lent) {
                return false;
            }
            self.link.sent_all(waiting);
        }
        if waiting == 0 || !planted!("running_marker_left") {
            self.link.end_callback();
        }
        true
    }

    /// Send what was lent from where output is staged. Returns whether all went.
    #[inline(always)]
    fn send_staged<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Shared,
        data: &[u8],
        lent: Lent,
    ) -> bool {
        let staging = &shared.staging;
        let buffer = staging.borrow();
        let (Some(bytes), Some(socket)) = (lent.staged(&buffer), &mut self.socket) else {
            drop(buffer);
            self.keep_lent(shared, data, lent);
            return false;
        };
        let sent = wire.send_lent(socket, self.link.id(), bytes);
        if sent < bytes.len() {
            self.copy_unsent(bytes, sent);
            drop(buffer);
            staging.rewind();
            return false;
        }
        drop(buffer);
        staging.rewind();
        true
    }

    /// Not all of what was lent was sent: the rest is copied.
    #[cold]
    fn copy_unsent(&self, bytes: &[u8], sent: usize) {
        let sent = if planted!("lent_piece_whole") {
            0
        } else {
            sent
        };
        if sent > 0 {
            self.link.sent_some(sent);
        }
        self.link.copy_lent(&bytes[sent..]);
    }

    /// What was lent goes where it may stay.
    #[cold]
    pub(super) fn keep_lent(&self, shared: &Shared, data: &[u8], lent: Lent) {
        if lent.len == 0 {
            return;
        }
        if let Some(bytes) = lent.of(data) {
            self.link.copy_lent(bytes);
        } else if let Some(bytes) = lent.staged(&shared.staging.borrow()) {
            self.link.copy_lent(bytes);
        }
        shared.staging.rewind();
    }

    /// Offer the driver what waits, until it takes no more.
    pub(super) fn send<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) {
        if self.link.is_filtered() {
            // Flushed with everything else, when the fact has been told.
            return;
        }
        if matches!(self.link.phase(), Phase::Open | Phase::Closing) {
            while self.link.buffered() > 0 && self.offer(wire, shared) {}
        }
    }

    /// Offer the driver the next chunk. Returns whether it took all of it.
    #[inline(always)]
    fn offer<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) -> bool {
        if self.link.staged().is_some() {
            return self.offer_staged(wire, shared);
        }
        let Some(socket) = &mut self.socket else {
            return false;
        };
        let Some(chunk) = self.link.outbox.borrow_mut().depart() else {
            return false;
        };
        let before = chunk.len();
        match wire.send(socket, self.link.id(), chunk) {
            Sending::Done(chunk) if chunk.is_empty() => {
                shared.recycle(chunk);
                self.link.unbuffer(before);
                true
            }
            other => {
                self.offered(shared, before, other);
                false
            }
        }
    }

    /// Offer the driver what is staged; a rest of it goes into a chunk.
    #[inline(never)]
    fn offer_staged<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) -> bool {
        let (Some(staged), Some(socket)) = (self.link.staged(), &mut self.socket) else {
            return false;
        };
        let id = self.link.id();
        let mut sent = 0;
        if wire.takes_short_way(socket) {
            sent = shared
                .staging
                .with(staged, |bytes| wire.send_lent(socket, id, bytes));
        }
        self.link.took_staged(staged, sent);
        self.link.buffered() == 0 || self.offer(wire, shared)
    }

    /// The driver did not take all of a chunk.
    #[cold]
    fn offered(&mut self, shared: &Shared, before: usize, sending: Sending) {
        match sending {
            Sending::Done(chunk) => {
                let sent = before - chunk.len();
                self.link.outbox.borrow_mut().hold(chunk);
                self.link.unbuffer(sent);
            }
            Sending::Pending => self.link.outbox.borrow_mut().keep_away(),
            Sending::Failed(chunk, error) => {
                shared.recycle(chunk);
                self.send_failed(shared, error.into());
            }
        }
    }

    /// A chunk that the driver kept comes back.
    pub(super) fn sent(
        &mut self,
        shared: &Shared,
        mut chunk: Box<Chunk>,
        sent: usize,
        error: Option<io::Error>,
    ) {
        chunk.advance(sent);
        // A filter may have come while the chunk was away, and have taken along where it belongs.
        if matches!(self.link.phase(), Phase::Open | Phase::Closing) {
            self.begin_chain();
        }
        if self.filters.is_some() {
            return self.sent_encoded(shared, chunk, sent, error);
        }
        self.link.outbox.borrow_mut().came_back();
        if matches!(self.link.phase(), Phase::Open | Phase::Closing) {
            if chunk.is_empty() {
                shared.recycle(chunk);
            } else {
                self.link.outbox.borrow_mut().hold(chunk);
            }
            self.link.unbuffer(sent);
            if let Some(error) = error {
                self.send_failed(shared, error.into());
            }
        } else {
            // Given up meanwhile: its bytes are no longer counted.
            shared.recycle(chunk);
        }
    }

    /// The kernel refused output. What has arrived may still be read: the peer's last words.
    #[cold]
    pub(super) fn send_failed(&mut self, shared: &Shared, reason: Disconnect) {
        if self.link.phase() == Phase::Open && self.link.wants_input() && self.reads() {
            self.link.set_output(Output::Ended);
            self.failure = Some(Box::new(reason));
        } else {
            self.link.end(reason, Ending::Abrupt);
        }
        // To drop it may run user code, whose writes are refused by now.
        self.discard_output(shared);
    }

    fn reads(&self) -> bool {
        matches!(self.input, Input::Open)
    }

    /// Everything was sent: end our side, if that was asked for.
    #[inline]
    fn end_output<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.link.output() == Output::Ending
            && self.link.phase() == Phase::Open
            && self.is_flushed()
            && let Some(socket) = &mut self.socket
        {
            let end = self.filters.as_ref().and_then(|chain| chain.ended());
            if end != Some(WireEnd::Stays) {
                wire.shutdown(socket, self.link.id());
            }
            let was_all = wire.ways(socket) == Ways::Out;
            self.link.set_output(Output::Ended);
            if was_all {
                self.link.end(Disconnect::Closed, Ending::Flushed);
            }
        }
    }

    /// End the connection if nothing is left to wait for.
    #[inline]
    fn end_if_over<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Rc<Shared>,
        losses: &mut Vec<ConnectionId>,
    ) {
        match self.link.phase() {
            Phase::Open => {
                if let Some(failure) = &self.failure {
                    // Held back in the meantime: nobody will read the last words.
                    if !self.link.wants_input() {
                        self.link.end((**failure).clone(), Ending::Abrupt);
                    }
                } else if self.link.output() != Output::Open && matches!(self.input, Input::Told) {
                    // Both halves: a close like any other, with its deadline.
                    self.link.end(Disconnect::PeerClosed, Ending::Flushed);
                }
                if self.link.phase() != Phase::Open {
                    self.end_if_over(wire, shared, losses);
                }
            }
            Phase::Closing if self.is_flushed() => {
                self.close(wire, shared, losses);
            }
            Phase::Closing => self.set_flush_deadline(wire, shared),
            Phase::Aborting => {
                self.discard_output(shared);
                self.close(wire, shared, losses);
            }
            Phase::Ended | Phase::Lost => {}
        }
    }

    /// Give the socket back to the driver. The loss follows at the end of the turn.
    fn close<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared, losses: &mut Vec<ConnectionId>) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        let how = match (self.link.phase(), &self.input) {
            (Phase::Closing, _) if planted!("linger_by_reset") => Close::Plain,
            (Phase::Closing, _) if self.wire_is_open() => Close::Linger,
            (Phase::Closing, _) | (_, Input::Failed(_)) => Close::Plain,
            _ => Close::Reset,
        };
        if let Some(flushing) = self.flushing.take() {
            // One of ours: nothing of the user's is dropped.
            let _ = shared.timers.borrow_mut().remove(flushing.timer);
        }
        self.disarm_filters(shared);
        self.link.set_phase(Phase::Ended);
        let swallowed = planted!("swallowed_loss") && how == Close::Reset;
        if wire.close(socket, self.link.id(), how) == Closing::Closed && !swallowed {
            losses.push(self.link.id());
        }
    }

    /// Whether the peer may still send something, wanted or not. What filters decode may end before
    /// the wire does, or after it.
    fn wire_is_open(&self) -> bool {
        match (&self.filters, &self.input) {
            (_, Input::Failed(_)) => false,
            (Some(chain), _) => !chain.wire_ended,
            (None, input) => matches!(input, Input::Open),
        }
    }

    /// A close waits for the kernel to take its output, but not for ever without progress.
    fn set_flush_deadline<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) {
        if self.flushing.is_none()
            && !planted!("flush_deadline_unset")
            && let Some(socket) = &self.socket
        {
            let timeout = shared.limits().flush_timeout;
            self.flushing = Some(Box::new(Flushing {
                timer: shared.set_timer(timeout, Action::Flush(self.link.id())),
                sent: self.progress(),
                unsent: wire.unsent(socket),
            }));
        }
    }

    /// The deadline of the flush struck: go on if there was progress, in the outbox or in the
    /// kernel.
    pub(super) fn flush_deadline<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) {
        let Some(before) = self.flushing.take() else {
            return;
        };
        let unsent = self.socket.as_ref().and_then(|socket| wire.unsent(socket));
        let progress = self.progress() > before.sent || unsent < before.unsent;
        if progress {
            self.set_flush_deadline(wire, shared);
        } else {
            let reason = Disconnect::TimedOut(Timeout::Flush);
            self.link.end(reason, Ending::Abrupt);
        }
    }
}

impl<S> Slot<S> {
    /// Rises with everything that the driver takes.
    fn progress(&self) -> u64 {
        let encoded = self.filters.as_ref().map_or(0, |chain| chain.wire_sent);
        self.link.sent() + encoded
    }
}

/// Input that is due, and continuations.
impl<S> Slot<S> {
    #[inline]
    pub(super) fn has_due_input(&mut self) -> bool {
        if self.inbox.tail() == Tail::Waits && self.link.layers.take_signalled() {
            self.inbox.due();
        }
        self.inbox.tail() == Tail::Again
            || matches!(
                self.input,
                Input::Ended | Input::Failed(_) | Input::Broken(_)
            )
    }

    /// Deliver the next thing that is due.
    pub(super) fn deliver_due(&mut self, shared: &Shared, spare: &mut Spare) {
        if self.inbox.tail() == Tail::Again {
            self.deliver_inbox(spare);
            return;
        }
        match (&self.input, &self.failure) {
            (Input::Ended | Input::Failed(_), Some(failure)) => {
                self.link.end((**failure).clone(), Ending::Abrupt);
            }
            (Input::Broken(reason), _) => {
                self.link.end((**reason).clone(), Ending::Flushed);
            }
            (Input::Failed(reason), None) => {
                self.link.end((**reason).clone(), Ending::Abrupt);
            }
            (Input::Ended, None) => self.deliver_end(shared),
            (Input::Open | Input::Told, _) => {}
        }
    }

    /// Run the next thing that is queued for this connection.
    pub(super) fn run_one(&mut self, link: &Rc<Link>) {
        match link.dequeue() {
            Some(Queued::Call(continuation)) => self.run_continuation(link, continuation),
            Some(Queued::Flow) => self.tell_flow(link),
            Some(Queued::Switch(place, new, ahead)) => self.switch(link, place, new, ahead),
            Some(Queued::Stopping) if link.phase() == Phase::Open => {
                self.callback("stopping", |stack| stack.stopping());
            }
            Some(Queued::Stopping | Queued::Nothing) | None => {}
        }
    }

    fn tell_flow(&mut self, link: &Link) {
        let (call, flow) = link.flow().settle_one();
        link.set_flow(flow);
        match call {
            Some(FlowCall::Pause) if planted!("missing_pause") => {}
            Some(FlowCall::Pause) => self.callback("pause_writing", |stack| stack.pause()),
            Some(FlowCall::Resume) => self.callback("resume_writing", |stack| stack.resume()),
            None => {}
        }
    }

    fn switch(
        &mut self,
        link: &Rc<Link>,
        place: Place,
        new: Box<dyn Unplaced>,
        ahead: Option<Box<[u8]>>,
    ) {
        let Some(place) = link.begin_switch(place) else {
            log::debug!("connection {}: a switch came too late", link.id());
            self.callback("the drop of a protocol", |_| drop(new));
            return;
        };
        if !planted!("switch_strands_input") {
            self.inbox.due();
        }
        if let Some(ahead) = ahead {
            self.put_back(ahead);
        }
        let new = new.place(link, place);
        let old = match place.depth.checked_sub(1) {
            None => Some(mem::replace(&mut self.stack, new)),
            Some(around) => link
                .layers
                .reach(around, self.stack.outermost())
                .and_then(|layer| layer.downcast_mut::<AnyProtocol>())
                .and_then(|open| open.replace(new)),
        };
        self.callback("the drop of a switched protocol", |_| drop(old));
        self.cancel_waits(|place| !link.is_current(place));
        let paused = if place.depth == 0 {
            let flow = link.flow();
            link.set_flow(flow.told());
            flow.is_paused()
        } else {
            // What is owed is told to the layers around and passed on by them.
            link.flow().told_paused()
        };
        self.callback_at(place.depth, "connection_made", |stack| stack.made());
        if paused {
            self.callback_at(place.depth, "pause_writing", |stack| stack.pause());
        }
    }

    /// What the old protocol had read ahead comes again for the new one, and so does the end that
    /// was told behind it.
    fn put_back(&mut self, ahead: Box<[u8]>) {
        self.inbox.put_back(ahead);
        if matches!(self.input, Input::Told) {
            self.input = Input::Ended;
        }
    }

    /// Make one callback on what a switch has just put in this depth.
    fn callback_at(&mut self, depth: u16, place: &'static str, call: impl FnOnce(&mut dyn Stack)) {
        let link = Rc::clone(&self.link);
        self.callback(place, |stack| match depth.checked_sub(1) {
            None => call(stack),
            Some(around) => {
                let layer = link.layers.reach(around, stack.outermost());
                let open = layer.and_then(|layer| layer.downcast_mut::<AnyProtocol>());
                if let Some(content) = open.and_then(AnyProtocol::content) {
                    call(content);
                }
            }
        });
    }

    /// End everything that is waited for or queued for such places, each by itself: a panic in the
    /// drop of one must not keep the others.
    pub(super) fn cancel_waits(&mut self, which: impl Fn(Place) -> bool) {
        let link = Rc::clone(&self.link);
        for continuation in link.take_continuations(which) {
            self.cancel(&link, continuation);
        }
    }

    fn cancel(&mut self, link: &Link, continuation: Rc<dyn Continuation<Link>>) {
        let place = "the drop of a continuation";
        self.callback(place, |_| continuation.cancel(link));
        self.callback(place, |_| drop(continuation));
    }

    fn run_continuation(&mut self, link: &Rc<Link>, continuation: Rc<dyn Continuation<Link>>) {
        link.finish_call(&*continuation);
        let place = continuation.place();
        link.begin_callback();
        self.note_call("a continuation");
        let outermost = self.stack.outermost();
        let outcome = guard::run(|| {
            if let Some(layer) = link.layers.reach(place.depth, outermost) {
                continuation.run(layer, link);
            }
            drop(continuation);
        });
        if let Err(panic) = outcome {
            self.panicked("a continuation", panic);
        }
    }
}
