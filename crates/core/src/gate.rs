use std::cell::Cell;

/// What stands in the way of a connection's input and output, in one word, because it is asked
/// several times for each message: 0 is a connection on which everything flows.
///
/// One bit for each layer that paused reading and one for untyped handles; the others say what
/// the engine or the framework holds. Continuations that hold are counted, because several may.
#[derive(Default)]
pub(crate) struct Gate {
    bits: Cell<u32>,
    continuations: Cell<u32>,
}

/// Bits of [`Gate`] that do not belong to a layer.
pub(crate) mod hold {
    /// Paused through an untyped handle.
    pub(crate) const HANDLE: u32 = 1 << 31;
    /// The connection has begun to end.
    pub(crate) const ENDING: u32 = 1 << 30;
    /// A continuation holds input until it has run.
    pub(crate) const CONTINUATION: u32 = 1 << 29;
    /// A switch of the protocol is queued.
    pub(crate) const SWITCH: u32 = 1 << 28;
    /// The connection is throttled and its output waits.
    pub(crate) const THROTTLE: u32 = 1 << 27;
    /// Our side of the stream has ended, or is to end: no more output. Input goes on.
    pub(crate) const OUTPUT_END: u32 = 1 << 26;
    /// Output waits above its mark. Input goes on.
    pub(crate) const OUTPUT_WAITS: u32 = 1 << 25;
    /// The bits of layers lie below this one.
    pub(super) const LAYERS: u32 = 25;
}

impl Gate {
    /// Whether nothing holds back input.
    #[inline]
    pub(crate) fn lets_in(&self) -> bool {
        self.bits.get() & !(hold::OUTPUT_END | hold::OUTPUT_WAITS) == 0
    }

    /// Whether more output is welcome.
    #[inline]
    pub(crate) fn lets_out(&self) -> bool {
        self.bits.get() & (hold::ENDING | hold::OUTPUT_END | hold::OUTPUT_WAITS) == 0
    }

    /// Whether nothing stands in the way of anything.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.bits.get() == 0
    }

    pub(crate) fn has(&self, bit: u32) -> bool {
        self.bits.get() & bit != 0
    }

    /// Hold with `bit`, or let go. Returns whether that is a change.
    pub(crate) fn set(&self, bit: u32, held: bool) -> bool {
        let before = self.bits.get();
        let after = if held { before | bit } else { before & !bit };
        self.bits.set(after);
        after != before
    }

    pub(crate) fn hold_for_continuation(&self) {
        self.continuations.set(self.continuations.get() + 1);
        self.set(hold::CONTINUATION, true);
    }

    pub(crate) fn release_from_continuation(&self) {
        self.continuations.set(self.continuations.get() - 1);
        self.set(hold::CONTINUATION, self.continuations.get() > 0);
    }

    /// Pauses of a stack that was switched away are over.
    pub(crate) fn forget_layers(&self) {
        self.set((1 << hold::LAYERS) - 1, false);
    }

    /// The bit of a layer; all beyond the last one share it.
    pub(crate) fn layer(depth: u16) -> u32 {
        1 << u32::from(depth).min(hold::LAYERS - 1)
    }
}
