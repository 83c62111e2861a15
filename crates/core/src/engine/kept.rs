//! What a driver that cannot send at once keeps a copy of, until it was sent.

use super::slot::Slot;
use crate::lending::Lent;
use crate::shared::Shared;
use crate::wire::Wire;

impl<S> Slot<S> {
    /// Have the driver keep what was lent. Returns whether it does.
    #[inline(always)]
    pub(super) fn flush_kept<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Shared,
        data: &[u8],
        lent: Lent,
    ) -> bool {
        let id = self.link.id();
        let buffer = shared.staging.borrow();
        let bytes = lent.of(data).or_else(|| lent.staged(&buffer));
        let is_kept = match (bytes, &mut self.socket) {
            (Some(bytes), Some(socket)) => wire.keep_lent(socket, id, bytes),
            _ => false,
        };
        drop(buffer);
        if !is_kept {
            self.keep_lent(shared, data, lent);
            return false;
        }
        shared.staging.rewind();
        // It counts as a chunk that the driver has: what is written meanwhile goes behind it.
        shared.buffer(lent.len);
        if shared.is_over_cap() {
            // Somebody is to be shed at the end of the turn, which must not be a quiet one.
            shared.work();
        }
        self.link.outbox.borrow_mut().keep_away();
        self.link.end_callback();
        true
    }

    /// All of what the driver kept was sent. Returns whether that is all that there was to do.
    #[inline(always)]
    pub(super) fn sent_kept(&self, shared: &Shared, len: usize) -> bool {
        let is_all = self.link.is_at_rest() && self.link.buffered() == len;
        if is_all {
            self.link.outbox.borrow_mut().came_back();
            shared.unbuffer(len);
            self.link.sent_all(len);
        }
        is_all
    }
}
