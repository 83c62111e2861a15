use std::io;
use std::mem;
use std::rc::Rc;

use super::chain::{Chain, Fault};
use super::inbox::{Spare, Tail};
use super::slot::{Input, Slot};
use crate::chunk::Chunk;
use crate::link::{Ending, Output, Phase};
use crate::shared::Shared;
use crate::timers::Action;
use crate::wire::{Sending, Wire};
use crate::{Disconnect, Filter, Limit, Timeout};

/// A connection with filters: what the engine does for others with bytes, it does with the two
/// sides of a [`Chain`].
///
/// Plain output waits in the connection's outbox until the filters want it and the driver has
/// taken what was encoded before, so that what waits is counted where the protocol sees it.
impl<S> Slot<S> {
    /// Bytes came from the wire.
    #[cold]
    pub(super) fn take_encoded(&mut self, shared: &Rc<Shared>, spare: &mut Spare, data: &[u8]) {
        if let Some(chain) = &mut self.filters
            && !chain.failed
        {
            let outcome = chain.receive(shared, data);
            self.absorb(shared, spare, outcome);
        }
    }

    /// The peer ended its side of the wire.
    pub(super) fn end_encoded(&mut self, shared: &Rc<Shared>, spare: &mut Spare) {
        let Some(chain) = &mut self.filters else {
            return;
        };
        if chain.wire_ended {
            return;
        }
        if chain.failed {
            chain.wire_ended = true;
        } else if self.link.phase() == Phase::Open {
            let outcome = chain.end_wire(shared);
            self.absorb(shared, spare, outcome);
        } else {
            // Only output is left, which needs nothing more of the peer but a handshake.
            chain.wire_ended = true;
            if !chain.is_ready() {
                chain.failed = true;
                self.discard_output(shared);
            }
        }
    }

    /// Whether bytes from the wire are wanted now: for the protocol, or by filters that shake
    /// hands. Where the protocol's input is held back, filters still see a little of what comes.
    pub(super) fn wants_encoded(&self, chain: &Chain) -> bool {
        let limits = self.link.shared().limits();
        if chain.wire_ended
            || chain.failed
            || !matches!(self.input, Input::Open)
            || chain.undecoded() >= limits.filter_input
            || (!chain.wants_wire() && chain.is_ready())
        {
            return false;
        }
        match self.link.phase() {
            Phase::Open => {
                (self.inbox.tail() != Tail::Again && self.link.takes_facts())
                    || self.inbox.len() < limits.filter_ahead
                    || !chain.is_ready()
            }
            // Output waits for the handshake.
            Phase::Closing => {
                let waits = !self.link.outbox.borrow().is_empty() || !chain.may_end();
                !chain.is_ready() && waits
            }
            Phase::Aborting | Phase::Ended | Phase::Lost => false,
        }
    }

    /// Put filters in place that are due, encode what may be, and offer the driver what was.
    #[cold]
    pub(super) fn flush_filtered<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Rc<Shared>,
        spare: &mut Spare,
    ) {
        loop {
            self.install(shared, spare);
            // A filter that panicked has ended everything: nothing more of it is sent.
            let goes_on = matches!(self.link.phase(), Phase::Open | Phase::Closing);
            if !goes_on || !self.send_encoded(wire, shared) {
                break;
            }
            let outcome = self.encode_next(shared);
            let Some(outcome) = outcome else { break };
            self.absorb(shared, spare, outcome);
        }
        self.set_alarms(shared);
    }

    /// Offer the driver what is encoded; whether it took all.
    fn send_encoded<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) -> bool {
        while self.offer_encoded(wire, shared) {}
        self.count_encoded();
        self.filters
            .as_ref()
            .is_some_and(|chain| chain.wire.is_empty())
    }

    /// Plain bytes count as sent when the driver took all that they became.
    fn count_encoded(&mut self) {
        if let Some(chain) = &mut self.filters
            && chain.is_flushed()
            && matches!(self.link.phase(), Phase::Open | Phase::Closing)
        {
            let sent = mem::take(&mut chain.under_way);
            if sent > 0 {
                self.link.unbuffer(sent);
            }
        }
    }

    fn offer_encoded<W: Wire<S>>(&mut self, wire: &mut W, shared: &Shared) -> bool {
        let (Some(chain), Some(socket)) = (&mut self.filters, &mut self.socket) else {
            return false;
        };
        let Some(chunk) = chain.wire.depart() else {
            return false;
        };
        let before = chunk.len();
        match wire.send(socket, self.link.id(), chunk) {
            Sending::Done(chunk) => {
                chain.wire_sent += (before - chunk.len()) as u64;
                if chunk.is_empty() {
                    shared.recycle(chunk);
                    return true;
                }
                chain.wire.hold(chunk);
            }
            Sending::Pending => chain.wire.keep_away(),
            Sending::Failed(chunk, error) => {
                shared.recycle(chunk);
                self.send_failed(shared, error.into());
            }
        }
        false
    }

    /// A chunk of encoded bytes that the driver kept comes back.
    pub(super) fn sent_encoded(
        &mut self,
        shared: &Shared,
        chunk: Box<Chunk>,
        sent: usize,
        error: Option<io::Error>,
    ) {
        let Some(chain) = &mut self.filters else {
            return;
        };
        chain.wire.came_back();
        chain.wire_sent += sent as u64;
        if chunk.is_empty() || !matches!(self.link.phase(), Phase::Open | Phase::Closing) {
            shared.recycle(chunk);
        } else {
            chain.wire.hold(chunk);
        }
        // At once: a filter that comes next may fail, and what was sent before has been sent.
        self.count_encoded();
        if let Some(error) = error {
            self.send_failed(shared, error.into());
        }
    }

    /// Encode the next chunk of output, or the end; `None` if there is nothing to encode now.
    fn encode_next(&mut self, shared: &Shared) -> Option<Result<(), Fault>> {
        let chain = self.filters.as_mut()?;
        if chain.failed {
            return None;
        }
        // What a filter that is to come next must see is left to it.
        let most = match self.link.watches.next_filter() {
            Some(from) => usize::try_from(from - chain.encoded).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        // A statement of its own: the borrow must end before filters, which are user code, run.
        let next = if most > 0 && chain.wants_plain() {
            self.link.outbox.borrow_mut().depart()
        } else {
            None
        };
        if let Some(mut chunk) = next {
            let len = chunk.len().min(most).min(chain.most_plain());
            let len = match planted!("filter_encodes_by_halves") {
                false => len,
                true => len.div_ceil(2),
            };
            let outcome = chain.encode(shared, &chunk, len);
            chunk.advance(len);
            if chunk.is_empty() {
                shared.recycle(chunk);
            } else {
                self.link.outbox.borrow_mut().hold(chunk);
            }
            return Some(outcome);
        }
        let ends = self.link.output() == Output::Ending || self.link.phase() == Phase::Closing;
        let is_over = self.link.outbox.borrow().is_empty() && most == usize::MAX;
        let ends = ends && is_over && chain.ended().is_none() && chain.may_end();
        ends.then(|| chain.end(shared))
    }

    /// The first filter was given to the connection: from now on its output goes through a chain,
    /// though the filter may not be in its place yet.
    pub(super) fn begin_chain(&mut self) {
        if self.filters.is_none()
            && let Some(from) = self.link.watches.next_filter()
        {
            // What was written before the first filter goes as it is.
            let raw = self.link.watches.take_unfiltered();
            let waiting = from - self.link.sent();
            let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
            let mut chain = Chain::midstream(from, raw, waiting);
            chain.wire_ended = !matches!(self.input, Input::Open);
            self.filters = Some(Box::new(chain));
        }
    }

    /// Put the next filter in place, if everything written before it was encoded.
    fn install(&mut self, shared: &Rc<Shared>, spare: &mut Spare) {
        while matches!(self.link.phase(), Phase::Open | Phase::Closing)
            && let Some(from) = self.link.watches.next_filter()
        {
            self.begin_chain();
            let Some(chain) = &mut self.filters else {
                return;
            };
            if chain.failed || chain.encoded < from || !chain.is_ready() {
                return;
            }
            let Some(filter) = self.link.take_filter() else {
                return;
            };
            let ended = matches!(self.input, Input::Ended);
            if ended {
                self.input = Input::Open;
            }
            chain.decoded_end = false;
            let outcome = chain.push(shared, filter, self.inbox.take(), ended);
            self.absorb(shared, spare, outcome);
        }
    }

    /// One of the filters of a connection that is new. It comes back if another has failed.
    pub(super) fn add_filter(
        &mut self,
        shared: &Shared,
        spare: &mut Spare,
        filter: Box<dyn Filter>,
    ) -> Option<Box<dyn Filter>> {
        let Some(chain) = self.filters.as_mut().filter(|chain| !chain.failed) else {
            return Some(filter);
        };
        let outcome = chain.push(shared, filter, Vec::new(), false);
        self.absorb(shared, spare, outcome);
        None
    }

    /// Take over what the filters decoded, and what became of them.
    fn absorb(&mut self, shared: &Shared, spare: &mut Spare, outcome: Result<(), Fault>) {
        let Some(chain) = &mut self.filters else {
            return;
        };
        let mut decoded = mem::take(&mut chain.decoded);
        for fact in mem::take(&mut chain.facts) {
            self.link.watches.learn(fact);
        }
        if let Some(peer) = chain.peer.take() {
            self.link.learn_peer(peer);
        }
        if self.link.phase() == Phase::Open {
            if !decoded.is_empty() {
                self.link.count_received(decoded.len());
                decoded = self.inbox.append_all(decoded, spare);
            }
            if chain.decoded_end && matches!(self.input, Input::Open) {
                self.input = Input::Ended;
            }
        }
        shared.rests.borrow_mut().give(decoded);
        // What no filter can use, and none waits to use later, is more than they bear.
        let stuck = chain.undecoded() >= shared.limits().filter_input && chain.wake_at().is_none();
        match outcome {
            Ok(()) if stuck => self.filters_failed(Disconnect::LimitPassed(Limit::Message)),
            Ok(()) => {}
            Err(Fault::Panic(panic)) => {
                chain.failed = true;
                self.panicked("a filter", panic);
            }
            Err(Fault::Reason(reason)) => self.filters_failed(reason),
        }
    }

    /// Filters cannot go on. What they decoded is delivered, what they encoded is sent.
    fn filters_failed(&mut self, reason: Disconnect) {
        // Who failed first is to blame: a filter that misses the peer's end after a reset is not.
        let reason = match &self.failure {
            Some(first) => Disconnect::clone(first),
            None => reason,
        };
        if let Some(chain) = &mut self.filters {
            chain.fail(self.link.shared());
        }
        if self.link.phase() == Phase::Open && self.link.is_made() {
            self.link.set_output(Output::Ended);
            self.input = Input::Broken(Box::new(reason));
        } else {
            self.link.end(reason, Ending::Flushed);
        }
        // It will never be encoded. To drop it may run user code, whose writes are refused by now.
        self.link.discard_output();
    }

    /// Whether nothing that was written, and nothing that filters add at the end, is left to be
    /// handed to the driver.
    pub(super) fn is_flushed(&self) -> bool {
        match &self.filters {
            None => self.link.outbox.borrow().is_empty(),
            Some(chain) if chain.failed => chain.wire.is_empty(),
            Some(chain) => {
                chain.ended().is_some()
                    && chain.is_flushed()
                    && self.link.outbox.borrow().is_empty()
            }
        }
    }

    /// Arm timers for what filters wait for.
    fn set_alarms(&mut self, shared: &Rc<Shared>) {
        let Some(chain) = &mut self.filters else {
            return;
        };
        let id = self.link.id();
        let wanted = if chain.failed { None } else { chain.wake_at() };
        if wanted != chain.alarm.map(|(at, _)| at) {
            if let Some((_, timer)) = chain.alarm.take() {
                // One of ours: nothing of the user's is dropped.
                let _ = shared.timers.borrow_mut().remove(timer);
            }
            chain.alarm = wanted.map(|at| {
                let after = at - shared.now();
                (at, shared.set_timer(after, Action::Filter(id)))
            });
        }
        let waits = !chain.is_ready() && !chain.failed && self.link.phase() == Phase::Open;
        if chain.is_ready() && !self.link.watches.is_filter_due() {
            self.link.watches.filters_ready();
        }
        let deadline = chain.handshake_deadline().filter(|_| waits);
        if deadline != chain.handshake.map(|(at, _)| at) {
            if let Some((_, timer)) = chain.handshake.take() {
                let _ = shared.timers.borrow_mut().remove(timer);
            }
            chain.handshake = deadline.map(|at| {
                let after = at - shared.now();
                (at, shared.set_timer(after, Action::Handshake(id)))
            });
        }
    }

    /// The alarm struck.
    pub(super) fn wake_filters(&mut self, shared: &Shared, spare: &mut Spare) {
        if let Some(chain) = &mut self.filters {
            chain.alarm = None;
            if !chain.failed {
                let outcome = chain.wake(shared);
                self.absorb(shared, spare, outcome);
            }
        }
    }

    /// Filters have not shaken hands in time.
    pub(super) fn handshake_deadline(&mut self) {
        if let Some(chain) = &mut self.filters {
            chain.handshake = None;
            self.link
                .end(Disconnect::TimedOut(Timeout::Handshake), Ending::Abrupt);
        }
    }

    /// Output is given up, encoded or not.
    pub(super) fn discard_output(&mut self, shared: &Shared) {
        self.link.discard_output();
        if let Some(chain) = &mut self.filters {
            for chunk in chain.discard().into_iter().flatten() {
                shared.recycle(chunk);
            }
        }
    }

    /// All filters, also those that were to be put in place, to be dropped.
    pub(super) fn take_filters(&mut self) -> Vec<Box<dyn Filter>> {
        let mut filters = Vec::new();
        if let Some(chain) = self.filters.take() {
            filters.extend(chain.into_filters());
        }
        while let Some(filter) = self.link.take_filter() {
            filters.push(filter);
        }
        filters
    }

    /// The connection is over: what is armed for its filters goes.
    pub(super) fn disarm_filters(&mut self, shared: &Shared) {
        let Some(chain) = &mut self.filters else {
            return;
        };
        let alarm = chain.alarm.take().map(|(_, timer)| timer);
        let handshake = chain.handshake.take().map(|(_, timer)| timer);
        for timer in alarm.into_iter().chain(handshake) {
            // One of ours: nothing of the user's is dropped.
            let _ = shared.timers.borrow_mut().remove(timer);
        }
    }
}
