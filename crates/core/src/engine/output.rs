use std::io;
use std::rc::Rc;

use super::inbox::{Spare, Tail};
use super::slot::{Flushing, Input, Slot};
use crate::chunk::Chunk;
use crate::continuation::Continuation;
use crate::flow::FlowCall;
use crate::guard;
use crate::link::{Ending, Link, Output, Phase};
use crate::shared::Shared;
use crate::timers::Action;
use crate::wire::{Close, Closing, Sending, Wire};
use crate::{ConnectionId, Disconnect, Timeout};

/// Output and the end.
impl<S> Slot<S> {
    /// Send what was written, unless the kernel has no room or the driver still has the last
    /// chunk; then end what is to be ended after it.
    #[inline]
    pub(super) fn flush<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Rc<Shared>,
        losses: &mut Vec<ConnectionId>,
    ) {
        match self.link.phase() {
            Phase::Open | Phase::Closing => {
                if !self.link.outbox.borrow().is_held() {
                    self.send(wire, shared);
                }
                if self.link.output() != Output::Open || self.link.phase() != Phase::Open {
                    self.end_output(wire);
                    self.end_if_over(wire, shared, losses);
                }
            }
            Phase::Aborting => {
                self.link.discard_output();
                self.close(wire, shared, losses);
            }
            Phase::Ended | Phase::Lost => {}
        }
    }

    /// Whether nothing stands in the way of anything.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        !self.interest.writable && self.link.is_calm()
    }

    /// The usual end of a delivery: what it wrote is sent whole, bytes of the delivery itself from
    /// where they lie. Returns whether all went.
    #[inline(always)]
    pub(super) fn flush_calm<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Shared,
        data: &[u8],
    ) -> bool {
        let mut lent = &data[shared.lending.end()];
        // Bytes written behind them go along, in one send of a chunk.
        if self.link.buffered() == lent.len()
            && !lent.is_empty()
            && let Some(socket) = &mut self.socket
        {
            let sent = wire.send_lent(socket, self.link.id(), lent);
            self.link.unbuffer(sent);
            lent = &lent[sent..];
        }
        if self.link.buffered() > 0 && !self.flush_copied(wire, shared, lent) {
            return false;
        }
        self.link.end_callback();
        true
    }

    /// Send what lies in the outbox, with what could not be sent from the delivery in front.
    /// Returns whether all went.
    #[inline(never)]
    fn flush_copied<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared, lent: &[u8]) -> bool {
        self.link.copy_lent(lent);
        self.offer(wire, shared) && self.link.buffered() == 0
    }

    /// Offer the driver what waits, until it takes no more.
    pub(super) fn send<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) {
        while self.link.buffered() > 0 && self.offer(wire, shared) {}
    }

    /// Offer the driver the next chunk. Returns whether it took all of it.
    #[inline(always)]
    fn offer<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) -> bool {
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
                self.send_failed(error.into());
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
        self.link.outbox.borrow_mut().came_back();
        if matches!(self.link.phase(), Phase::Open | Phase::Closing) {
            if chunk.is_empty() {
                shared.recycle(chunk);
            } else {
                self.link.outbox.borrow_mut().hold(chunk);
            }
            self.link.unbuffer(sent);
            if let Some(error) = error {
                self.send_failed(error.into());
            }
        } else {
            // Given up meanwhile: its bytes are no longer counted.
            shared.recycle(chunk);
        }
    }

    /// The kernel refused output. What has arrived may still be read: the peer's last words.
    #[cold]
    fn send_failed(&mut self, reason: Disconnect) {
        self.link.discard_output();
        if self.link.phase() == Phase::Open && self.link.wants_input() && self.reads() {
            self.link.set_output(Output::Ended);
            self.failure = Some(Box::new(reason));
        } else {
            self.link.end(reason, Ending::Abrupt);
        }
    }

    fn reads(&self) -> bool {
        matches!(self.input, Input::Open)
    }

    /// Everything was sent: end our side, if that was asked for.
    #[inline]
    fn end_output<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.link.output() == Output::Ending
            && self.link.phase() == Phase::Open
            && self.link.outbox.borrow().is_empty()
            && let Some(socket) = &mut self.socket
        {
            wire.shutdown(socket, self.link.id());
            self.link.set_output(Output::Ended);
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
            Phase::Closing if self.link.outbox.borrow().is_empty() => {
                self.close(wire, shared, losses);
            }
            Phase::Closing => self.set_flush_deadline(wire, shared),
            Phase::Aborting => self.close(wire, shared, losses),
            Phase::Ended | Phase::Lost => {}
        }
    }

    /// Give the socket back to the driver. The loss follows at the end of the turn.
    fn close<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared, losses: &mut Vec<ConnectionId>) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        let how = match (self.link.phase(), &self.input) {
            (Phase::Closing, Input::Open) => Close::Linger,
            (Phase::Closing, _) | (_, Input::Failed(_)) => Close::Plain,
            _ => Close::Reset,
        };
        if let Some(flushing) = self.flushing.take() {
            // One of ours: nothing of the user's is dropped.
            let _ = shared.timers.borrow_mut().remove(flushing.timer);
        }
        self.link.set_phase(Phase::Ended);
        if wire.close(socket, self.link.id(), how) == Closing::Closed {
            losses.push(self.link.id());
        }
    }

    /// A close waits for the kernel to take its output, but not for ever without progress.
    fn set_flush_deadline<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) {
        if self.flushing.is_none()
            && let Some(socket) = &self.socket
        {
            let timeout = shared.limits().flush_timeout;
            self.flushing = Some(Box::new(Flushing {
                timer: shared.set_timer(timeout, Action::Flush(self.link.id())),
                sent: self.link.sent(),
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
        let progress = self.link.sent() > before.sent || unsent < before.unsent;
        if progress {
            self.set_flush_deadline(wire, shared);
        } else {
            let reason = Disconnect::TimedOut(Timeout::Flush);
            self.link.end(reason, Ending::Abrupt);
        }
    }
}

/// Input that is due, and continuations.
impl<S> Slot<S> {
    #[inline]
    pub(super) fn has_due_input(&mut self) -> bool {
        if self.inbox.tail() == Tail::Waits && self.link.layers.take_signalled() {
            self.inbox.due();
        }
        self.inbox.tail() == Tail::Again || matches!(self.input, Input::Ended | Input::Failed(_))
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
            (Input::Failed(reason), None) => {
                self.link.end((**reason).clone(), Ending::Abrupt);
            }
            (Input::Ended, None) => self.deliver_end(shared),
            (Input::Open | Input::Told, _) => {}
        }
    }

    /// Run the next thing that is queued for this connection, and say whether there was one.
    pub(super) fn run_one(&mut self, link: &Rc<Link>) -> bool {
        if let Some(new) = link.take_switch() {
            self.inbox.due();
            let old = std::mem::replace(&mut self.stack, new);
            self.callback("the drop of a switched protocol", |_| drop(old));
            self.cancel_waits();
            self.callback("connection_made", |stack| stack.made());
        } else if let Some((call, flow)) = link.flow().settle_one() {
            link.set_flow(flow);
            match call {
                FlowCall::Pause => self.callback("pause_writing", |stack| stack.pause()),
                FlowCall::Resume => self.callback("resume_writing", |stack| stack.resume()),
            }
        } else if let Some(continuation) = link.next_call() {
            self.run_continuation(link, continuation);
        } else if link.take_stopping() {
            self.callback("stopping", |stack| stack.stopping());
        } else {
            return false;
        }
        true
    }

    /// End everything that is waited for or queued, each by itself: a panic in the drop of one
    /// must not keep the others.
    pub(super) fn cancel_waits(&mut self) {
        let link = Rc::clone(&self.link);
        while let Some(continuation) = link.take_wait() {
            let place = "the drop of a continuation";
            self.callback(place, |_| continuation.cancel(&link));
            self.callback(place, |_| drop(continuation));
        }
    }

    fn run_continuation(&mut self, link: &Rc<Link>, continuation: Rc<dyn Continuation>) {
        link.finish_call(&*continuation);
        let place = continuation.place();
        link.begin_callback();
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
