use std::mem;
use std::rc::Rc;

use super::{Link, Phase};
use crate::Filter;
use crate::gate::hold;

/// Filters.
impl Link {
    /// Put a filter between what was written so far and what comes after.
    pub(crate) fn push_filter(self: &Rc<Self>, filter: Box<dyn Filter>) {
        if self.phase.get() != Phase::Open {
            log::debug!("connection {}: a filter comes too late", self.id);
            return;
        }
        if !self.gate.has(hold::FILTERED) {
            self.gate.set(hold::FILTERED, true);
            // Later output must not get into chunks with what goes as it is.
            self.unstage();
            let unfiltered = mem::take(&mut *self.outbox.borrow_mut());
            self.watches.set_unfiltered(unfiltered);
        }
        self.gate.set(hold::SPLIT, true);
        let written = self.sent.get() + self.buffered.get() as u64;
        self.watches.push_filter(written, filter);
        self.touch();
    }

    /// The next filter is put in place.
    pub(crate) fn take_filter(&self) -> Option<Box<dyn Filter>> {
        let filter = self.watches.take_filter();
        let more = self.watches.next_filter().is_some();
        self.gate.set(hold::SPLIT, more);
        filter
    }

    /// Whether filters lie between the protocol and the wire, or are to.
    #[inline]
    pub(crate) fn is_filtered(&self) -> bool {
        self.gate.has(hold::FILTERED)
    }

    /// There will be a protocol when the filters are ready.
    pub(crate) fn begin_unmade(&self) {
        self.gate.set(hold::FILTERED, true);
        self.gate.set(hold::UNMADE, true);
    }

    pub(crate) fn end_unmade(&self) {
        self.gate.set(hold::UNMADE, false);
    }

    pub(crate) fn is_made(&self) -> bool {
        !self.gate.has(hold::UNMADE)
    }
}
