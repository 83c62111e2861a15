use std::rc::Rc;

use super::{Ending, Link, Phase};
use crate::gate::{Gate, hold};
use crate::{Descriptor, Disconnect, Limit};

/// Input.
impl Link {
    /// Whether the protocol may be given bytes now.
    #[inline]
    pub(crate) fn wants_input(&self) -> bool {
        self.gate.lets_in()
    }

    /// The same, and whether no layer was told anything.
    #[inline(always)]
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.gate.lets_on()
    }

    pub(crate) fn set_layer_paused(self: &Rc<Self>, depth: u16, paused: bool) {
        self.set_held(Gate::layer(depth), paused);
    }

    pub(crate) fn set_handle_paused(self: &Rc<Self>, paused: bool) {
        self.set_held(hold::HANDLE, paused);
    }

    /// Keep the account of how long input is held back.
    pub(crate) fn note_input(&self) {
        let now = self.shared.now();
        self.watches.note_input(now, !self.wants_input());
    }

    fn set_held(self: &Rc<Self>, bit: u32, held: bool) {
        if self.gate.set(bit, held) {
            self.touch();
        }
    }

    pub(crate) fn set_throttle(self: &Rc<Self>, on: bool) -> bool {
        let before = self.throttled.replace(on);
        self.throttle();
        before
    }

    /// The peer's end is being told to the protocol.
    pub(crate) fn note_peer_ended(&self) {
        self.peer_ended.set(true);
    }

    pub(crate) fn peer_has_ended(&self) -> bool {
        self.peer_ended.get()
    }

    pub(crate) fn unread(&self, n: usize) {
        if n > self.unread.get() {
            self.unread.set(n);
            self.gate.set(hold::UNREAD, true);
        }
    }

    #[inline]
    pub(crate) fn take_unread(&self) -> usize {
        self.gate.set(hold::UNREAD, false);
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

/// Descriptors that come along.
impl Link {
    pub(crate) fn want_descriptors(self: &Rc<Self>, wanted: bool) {
        if self.peer.remote().unix().is_none() || self.phase.get() == Phase::Lost {
            return;
        }
        self.watches.set_passes(wanted);
        if wanted {
            // From the next bytes on, also if they come before the engine does.
            self.gate.set(hold::UNSETTLED, true);
        }
        self.touch();
    }

    /// These came with what is delivered next.
    pub(crate) fn hold_descriptors(self: &Rc<Self>, descriptors: Vec<Descriptor>) {
        if descriptors.is_empty() || !self.watches.passes() {
            return;
        }
        let most = self.shared.limits().descriptors;
        if !self.watches.hold_descriptors(descriptors, most) {
            let limit = Limit::Descriptors;
            self.end(Disconnect::LimitPassed(limit), Ending::Abrupt);
        }
    }
}
