use std::rc::Rc;

use bytes::Bytes;

use super::{Ending, Link, Output, Phase, Queued, Touched};
use crate::flow::Flow;
use crate::gate::hold;
use crate::staging::Staged;
use crate::{Disconnect, Limit};

/// Output.
impl Link {
    #[inline]
    pub(crate) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if bytes.is_empty() || !self.may_write(bytes.len()) {
            return;
        }
        if self.lend(bytes) {
            // Its own callback runs: the engine comes by in any case.
            self.count_written(bytes.len());
        } else {
            self.push(bytes);
        }
    }

    /// The same for bytes that are no part of a delivery.
    #[inline]
    pub(crate) fn write_copied(self: &Rc<Self>, bytes: &[u8]) {
        if !bytes.is_empty() && self.may_write(bytes.len()) {
            self.push(bytes);
        }
    }

    /// Leave bytes of the delivery that is being made where they are, if they are all that waits.
    #[inline]
    fn lend(&self, bytes: &[u8]) -> bool {
        let lending = &self.shared.lending;
        self.touched.get() == Touched::Running
            && !self.is_filtered()
            && self.buffered.get() == lending.lent()
            && lending.lend(bytes)
    }

    /// Lent bytes could not be sent from where they lay.
    pub(crate) fn copy_lent(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.unstage();
        let pool = &self.shared.pool;
        if self.is_filtered() {
            // Nothing is lent once there is a filter, so these were written before it.
            self.watches.put_in_front_of_unfiltered(pool, bytes);
        } else {
            self.outbox.borrow_mut().put_in_front(pool, bytes);
        }
    }

    /// Write without asking again whether that is allowed. By itself, so that what is lent costs
    /// little.
    #[inline(never)]
    pub(crate) fn push(self: &Rc<Self>, bytes: &[u8]) {
        if self.stage(bytes) {
            self.wrote(bytes.len());
        } else {
            self.push_chunk(bytes);
        }
    }

    #[inline(never)]
    fn push_chunk(self: &Rc<Self>, bytes: &[u8]) {
        self.unstage();
        self.outbox.borrow_mut().push(&self.shared.pool, bytes);
        self.wrote(bytes.len());
    }

    /// Put bytes where those of all connections lie, if nothing but such bytes waits.
    #[inline]
    fn stage(&self, bytes: &[u8]) -> bool {
        let staged = self.staged.get();
        if self.buffered.get() != staged.len() || self.is_filtered() {
            return false;
        }
        match self.shared.staging.push(staged, bytes) {
            Some(staged) => {
                self.staged.set(staged);
                true
            }
            None => false,
        }
    }

    /// Move what is staged to where it may stay.
    #[inline]
    pub(crate) fn unstage(&self) {
        if self.has_staged() {
            self.move_staged();
        }
    }

    #[inline]
    pub(crate) fn has_staged(&self) -> bool {
        self.staged.get().len() > 0
    }

    #[cold]
    fn move_staged(&self) {
        self.keep_unsent(self.staged.take(), 0);
        self.shared.staging.release(1);
    }

    /// What is staged, if that is all that waits.
    #[inline]
    pub(crate) fn all_staged(&self) -> Option<Staged> {
        let staged = self.staged.get();
        (staged.len() > 0 && staged.len() == self.buffered.get()).then_some(staged)
    }

    /// Offer what is staged to `send`, which says how much went; the rest is moved. Returns how
    /// much went.
    pub(crate) fn send_staged(&self, send: impl FnOnce(&[u8]) -> usize) -> usize {
        let staged = self.staged.get();
        if staged.len() == 0 {
            return 0;
        }
        let sent = self.shared.staging.with(staged, send);
        self.took_staged(staged, sent);
        sent
    }

    /// All of what is staged was sent, on a connection that is calm. The piece is still to be
    /// released.
    #[inline(always)]
    pub(crate) fn sent_staged(&self, staged: Staged) {
        self.staged.set(Staged::default());
        self.buffered.set(0);
        self.sent.set(self.sent.get() + staged.len() as u64);
        self.shared.unbuffer(staged.len());
        self.watches.flushed(self.sent.get());
    }

    /// So much of what is staged was sent; the rest is moved.
    #[inline(always)]
    pub(crate) fn took_staged(&self, staged: Staged, sent: usize) {
        if sent < staged.len() {
            self.keep_unsent(staged, sent);
        }
        self.staged.set(Staged::default());
        self.shared.staging.release(1);
    }

    #[cold]
    fn keep_unsent(&self, staged: Staged, sent: usize) {
        let pool = &self.shared.pool;
        let mut outbox = self.outbox.borrow_mut();
        self.shared
            .staging
            .with(staged, |bytes| outbox.push(pool, &bytes[sent..]));
    }

    /// Write these pieces, accepted or refused as one.
    #[inline]
    pub(crate) fn write_parts(self: &Rc<Self>, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if len > 0 && self.may_write(len) {
            self.unstage();
            self.outbox
                .borrow_mut()
                .push_parts(&self.shared.pool, parts);
            self.wrote(len);
        }
    }

    pub(crate) fn write_shared(self: &Rc<Self>, bytes: Bytes) {
        let len = bytes.len();
        if len > 0 && self.may_write(len) {
            self.unstage();
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

    #[inline(always)]
    fn wrote(self: &Rc<Self>, len: usize) {
        self.count_written(len);
        self.touch();
    }

    #[inline(always)]
    fn count_written(self: &Rc<Self>, len: usize) {
        let buffered = self.buffered.get() + len;
        self.buffered.set(buffered);
        self.shared.buffer(len);
        if buffered > self.high.get() {
            self.evaluate_flow();
        }
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
        self.unstage();
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
            let (next, call) = next.call();
            self.flow.set(next);
            self.throttle();
            if call {
                self.enqueue(Queued::Flow);
            }
        }
    }

    /// Note whether output waits, and hold input back for it if it is throttled.
    pub(super) fn throttle(self: &Rc<Self>) {
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
