use std::rc::Rc;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::{Ending, Link, Mark, Output, Phase, Queued};
use crate::flow::Flow;
use crate::gate::hold;
use crate::staging::Staged;
use crate::{Descriptor, DescriptorError, Disconnect, Limit};

/// Output.
///
/// ```text
///           by the callback that is given a delivery, nothing else waits   the callback returned
///   write -------------------------------------------------------> lent ----------+--------> sent
///     |     by others, nothing else waits                                         |
///     +----------------------------------------------------------> staged --------+
///     |     anything else                                            | what is    |
///     +----------------------------------------------------------> in chunks <----+ not sent
/// ```
///
/// What is lent or staged stays so until the engine comes by, which is soon, and is bounded; only
/// what lies in chunks counts as waiting in the reactor.
impl Link {
    /// Write bytes that may be a part of the delivery.
    #[inline]
    pub(crate) fn write(self: &Rc<Self>, bytes: &[u8]) {
        if !(self.gate.is(hold::RUNNING) && self.lend(bytes)) {
            self.write_other(bytes);
        }
    }

    /// By itself, so that what is lent costs little.
    #[inline(never)]
    fn write_other(self: &Rc<Self>, bytes: &[u8]) {
        self.write_owned(bytes);
    }

    /// Write bytes that are no part of the delivery, or may be copied though they are. A part of
    /// the callback, which knows how long constants are.
    #[inline(always)]
    pub(crate) fn write_owned(self: &Rc<Self>, bytes: &[u8]) {
        if !(self.gate.is(hold::RUNNING) && self.lend_copy(&[bytes])) {
            self.write_copied(bytes);
        }
    }

    /// Leave bytes of the delivery that is being made where they are, if they are all that waits.
    #[inline(always)]
    fn lend(self: &Rc<Self>, bytes: &[u8]) -> bool {
        let buffered = self.buffered.get();
        if !self.shared.lending.lend(bytes, buffered) {
            return false;
        }
        self.count_written(buffered + bytes.len());
        true
    }

    /// The same for bytes that are no part of the delivery.
    #[inline(always)]
    fn lend_copy(self: &Rc<Self>, parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|part| part.len()).sum();
        let (shared, buffered) = (&self.shared, self.buffered.get());
        if !shared.lending.stage(&shared.staging, parts, len, buffered) {
            return false;
        }
        self.count_written(buffered + len);
        true
    }

    /// Write from outside the delivery that is being made, or where something else waits.
    #[inline(never)]
    pub(crate) fn write_copied(self: &Rc<Self>, bytes: &[u8]) {
        if !(self.gate.is(0) && self.stage_for_another(bytes)) {
            self.write_one_anyhow(bytes);
        }
    }

    /// By itself, so that what a room costs has nothing to make room for.
    #[inline(never)]
    fn write_one_anyhow(self: &Rc<Self>, bytes: &[u8]) {
        self.write_anyhow(&[bytes]);
    }

    /// Nothing happens here but that another writes: what a room does, to each member.
    ///
    /// Everything is noted before the bytes are copied, so that nothing has to be kept meanwhile.
    #[inline(always)]
    fn stage_for_another(&self, bytes: &[u8]) -> bool {
        let (shared, len) = (&*self.shared, bytes.len());
        if len == 0 || self.buffered.get() > 0 || self.high.get().may_be_below(len) {
            return false;
        }
        let mut touched = shared.touched.borrow_mut();
        // The first member pays for waking whoever waits, those behind it do not.
        let Some((place, count)) = touched.behind() else {
            return false;
        };
        let Some((start, mut room)) = shared.staging.room(len) else {
            return false;
        };
        *place = self.id;
        *count += 1;
        self.staged.set(start);
        self.buffered.set(len);
        self.gate.set(hold::LISTED | hold::STAGED, true);
        drop(touched);
        room.copy_from_slice(bytes);
        true
    }

    /// Write these pieces, accepted or refused as one.
    #[inline(always)]
    pub(crate) fn write_parts(self: &Rc<Self>, parts: &[&[u8]]) {
        if !(self.gate.is(hold::RUNNING) && self.lend_copy(parts)) {
            self.write_anyhow(parts);
        }
    }

    /// The same for a message and what is before or behind it. Their slice is made only where
    /// somebody looks at it.
    #[inline(always)]
    pub(crate) fn write_two(self: &Rc<Self>, first: &[u8], second: &[u8]) {
        if !(self.gate.is(hold::RUNNING) && self.lend_copy(&[first, second])) {
            self.write_two_anyhow(first, second);
        }
    }

    #[inline(never)]
    fn write_two_anyhow(self: &Rc<Self>, first: &[u8], second: &[u8]) {
        self.write_anyhow(&[first, second]);
    }

    /// Write whatever the connection is at.
    #[inline(never)]
    fn write_anyhow(self: &Rc<Self>, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if len == 0 || !self.may_write(len) {
            return;
        }
        let staged = match self.gate.has(hold::STAGED) {
            true => self.grow(parts, len),
            // What has a filter in front of it need not be encoded at once.
            false => !self.is_filtered() && self.stage(parts, len),
        };
        if staged {
            self.count_written(self.buffered.get() + len);
            self.touch();
        } else {
            self.push_chunk(parts, len);
        }
    }

    #[inline(never)]
    fn push_chunk(self: &Rc<Self>, parts: &[&[u8]], len: usize) {
        self.unstage();
        self.outbox
            .borrow_mut()
            .push_parts(&self.shared.pool, parts);
        self.wrote_chunk(len);
    }

    fn wrote_chunk(self: &Rc<Self>, len: usize) {
        self.shared.buffer(len);
        self.count_written(self.buffered.get() + len);
        self.touch();
    }

    /// Put bytes where those of all connections lie, if nothing waits.
    #[inline(always)]
    fn stage(&self, parts: &[&[u8]], len: usize) -> bool {
        if self.buffered.get() > 0 || len == 0 {
            return false;
        }
        let Some(start) = self.shared.staging.begin(parts, len) else {
            return false;
        };
        self.staged.set(start);
        self.gate.set(hold::STAGED, true);
        true
    }

    /// Put more bytes behind what is staged, if those of others do not lie there.
    #[inline(always)]
    fn grow(&self, parts: &[&[u8]], len: usize) -> bool {
        let end = self.staged.get() as usize + self.buffered.get();
        self.shared.staging.grow(end, parts, len)
    }

    /// Lent bytes could not be sent from where they lay.
    #[cold]
    pub(crate) fn copy_lent(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.unstage();
        self.shared.buffer(bytes.len());
        let pool = &self.shared.pool;
        if self.is_filtered() {
            // Nothing is lent once there is a filter, so these were written before it.
            self.watches.put_in_front_of_unfiltered(pool, bytes);
        } else {
            self.outbox.borrow_mut().put_in_front(pool, bytes);
        }
    }

    /// Move what is staged to where it may stay.
    #[inline]
    pub(crate) fn unstage(&self) {
        if let Some(staged) = self.staged() {
            self.keep_unsent(staged, 0);
            self.forget_staged();
            self.shared.release_staged(staged.len());
        }
    }

    /// What is staged, if anything is: then it is all that waits.
    #[inline(always)]
    pub(crate) fn staged(&self) -> Option<Staged> {
        let staged = Staged::new(self.staged.get(), self.buffered.get());
        self.gate.has(hold::STAGED).then_some(staged)
    }

    /// All of what others wrote, which is all there is.
    #[inline(always)]
    pub(crate) fn written_by_others(&self) -> Option<Staged> {
        let staged = Staged::new(self.staged.get(), self.buffered.get());
        self.gate.is(hold::LISTED | hold::STAGED).then_some(staged)
    }

    /// The kernel took all of that.
    #[inline(always)]
    pub(crate) fn sent_of_others(&self, len: usize) {
        self.gate.clear();
        self.sent_all(len);
    }

    /// What was staged has been sent or moved.
    #[inline(always)]
    pub(crate) fn forget_staged(&self) {
        self.gate.set(hold::STAGED, false);
    }

    /// So much of what is staged was sent; the rest is moved.
    #[inline(never)]
    pub(crate) fn took_staged(self: &Rc<Self>, staged: Staged, sent: usize) {
        if sent < staged.len() {
            self.keep_unsent(staged, sent);
        }
        self.forget_staged();
        self.shared.release_staged(staged.len());
        self.sent_some(sent);
    }

    #[cold]
    fn keep_unsent(&self, staged: Staged, sent: usize) {
        let pool = &self.shared.pool;
        self.shared.buffer(staged.len() - sent);
        let mut outbox = self.outbox.borrow_mut();
        self.shared
            .staging
            .with(staged, |bytes| outbox.push(pool, &bytes[sent..]));
    }

    pub(crate) fn write_shared(self: &Rc<Self>, bytes: Bytes) {
        let len = bytes.len();
        if len > 0 && self.may_write(len) {
            self.unstage();
            self.outbox
                .borrow_mut()
                .push_shared(&self.shared.pool, bytes);
            self.wrote_chunk(len);
        }
    }

    /// Bytes with descriptors. They begin a send of their own, whatever lies before them.
    pub(crate) fn write_passing(
        self: &Rc<Self>,
        bytes: &[u8],
        descriptors: Vec<Descriptor>,
    ) -> Result<(), DescriptorError> {
        let most = self.shared.limits().descriptors;
        if self.peer.remote().unix().is_none() || self.is_filtered() {
            return Err(DescriptorError::NotCarried);
        }
        if bytes.is_empty() {
            return Err(DescriptorError::NoBytes);
        }
        if self.outbox.borrow().count_descriptors() + descriptors.len() > most {
            return Err(DescriptorError::TooMany { most });
        }
        if !self.may_write(bytes.len()) {
            return Err(DescriptorError::Closed);
        }
        self.unstage();
        let (pool, bytes) = (&self.shared.pool, Bytes::copy_from_slice(bytes));
        let len = bytes.len();
        let mut outbox = self.outbox.borrow_mut();
        outbox.push_passing(pool, bytes, descriptors);
        drop(outbox);
        self.wrote_chunk(len);
        Ok(())
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
    fn count_written(self: &Rc<Self>, buffered: usize) {
        self.buffered.set(buffered);
        if self.high.get().may_be_below(buffered) {
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

    /// The kernel took `len` bytes of a chunk.
    #[inline(always)]
    pub(crate) fn unbuffer(self: &Rc<Self>, len: usize) {
        self.shared.unbuffer(len);
        self.sent_some(len);
    }

    /// The kernel took `len` bytes from where they were lent or staged.
    #[inline(always)]
    pub(crate) fn sent_some(self: &Rc<Self>, len: usize) {
        self.buffered.set(self.buffered.get() - len);
        self.sent.set(self.sent.get() + len as u64);
        if self.gate.has(hold::OUTPUT_WAITS | hold::WATCHED) {
            self.note_sent();
        }
    }

    /// The kernel took all `len` bytes that waited, of a connection that is calm.
    #[inline(always)]
    pub(crate) fn sent_all(&self, len: usize) {
        self.buffered.set(0);
        self.sent.set(self.sent.get() + len as u64);
    }

    #[cold]
    fn note_sent(self: &Rc<Self>) {
        if self.gate.has(hold::OUTPUT_WAITS) {
            self.evaluate_flow();
        }
        let more = self.watches.flushed(self.sent.get());
        self.gate.set(hold::WATCHED, more);
    }

    /// Resolved when all that was written has been sent.
    pub(crate) fn watch_flush(&self, sent: u64) -> Deferred<(), Disconnect> {
        self.gate.set(hold::WATCHED, true);
        self.watches.watch_flush(sent)
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
        let (low, high) = (self.low.get().bytes(), self.high.get().bytes());
        if let Some(next) = flow.evaluate(self.buffered.get(), low, high) {
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
        let held = held || waits && planted!("double_throttle");
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
        self.low.set(Mark::new(low.min(high)));
        self.high.set(Mark::new(high));
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
