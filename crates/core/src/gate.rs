use std::cell::Cell;

/// What stands in the way of a connection's input and output, and whether the engine is at it, in
/// one word: a single comparison tells that a message may take the short way.
///
/// ```text
///            a callback begins          it wrote, and that was sent whole
///   (calm) --------------------> RUNNING --------------------------------> (calm)
///      |                            | anything else, by whoever: one bit more
///      | another wrote to it        v
///      +---------------------> the long way: every bit is looked at, until all is settled
/// ```
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
    /// Something is queued to run on the connection, which facts wait for.
    pub(crate) const QUEUED: u32 = 1 << 24;
    /// Filters lie between the protocol and the wire. Input goes on, by another way.
    pub(crate) const FILTERED: u32 = 1 << 23;
    /// A filter is to be put in place behind what was written so far.
    pub(crate) const SPLIT: u32 = 1 << 22;
    /// There is no protocol yet: filters are not ready.
    pub(crate) const UNMADE: u32 = 1 << 21;
    /// A callback said that it leaves bytes for later. Input goes on, by another way.
    pub(crate) const UNREAD: u32 = 1 << 20;
    /// Somebody waits for output to be flushed. Everything goes on.
    pub(crate) const WATCHED: u32 = 1 << 19;
    /// When the engine last came by, more was to be done here than to deliver what comes and to
    /// send what is written: input was left over, or output held. Everything goes on.
    pub(crate) const UNSETTLED: u32 = 1 << 18;
    /// One of the connection's callbacks runs: the engine comes by right after it.
    pub(crate) const RUNNING: u32 = 1 << 17;
    /// The connection is on the engine's list, which is worked through before it sleeps.
    pub(crate) const LISTED: u32 = 1 << 16;
    /// What was written lies where that of all connections does, and nothing else waits.
    pub(crate) const STAGED: u32 = 1 << 15;
    /// A layer told the one around it something since the engine last came by.
    pub(crate) const SIGNALLED: u32 = 1 << 14;
    /// The bits of layers lie below this one.
    pub(super) const LAYERS: u32 = 14;

    /// What does not stand in the way of input.
    pub(super) const PASSABLE: u32 = OUTPUT_END
        | OUTPUT_WAITS
        | FILTERED
        | UNREAD
        | WATCHED
        | UNSETTLED
        | RUNNING
        | LISTED
        | STAGED
        | SIGNALLED;
}

impl Gate {
    /// Of a connection that the engine has not come by yet.
    pub(crate) fn unsettled() -> Self {
        let gate = Self::default();
        gate.set(hold::UNSETTLED, true);
        gate
    }

    /// Whether nothing holds back input.
    #[inline]
    pub(crate) fn lets_in(&self) -> bool {
        self.bits.get() & !(hold::PASSABLE | hold::QUEUED) == 0
    }

    /// Whether a fact may be told now: nothing holds back input, and nothing comes before it.
    #[inline]
    pub(crate) fn lets_facts(&self) -> bool {
        self.bits.get() & !hold::PASSABLE == 0
    }

    /// Whether nothing holds back input, and no layer was told anything.
    #[inline(always)]
    pub(crate) fn lets_on(&self) -> bool {
        self.bits.get() & !(hold::PASSABLE & !hold::SIGNALLED | hold::QUEUED) == 0
    }

    /// Whether bytes from the wire may be told as they are.
    #[inline]
    pub(crate) fn lets_bytes(&self) -> bool {
        self.bits.get() & !(hold::PASSABLE & !hold::FILTERED) == 0
    }

    /// Whether more output is welcome.
    #[inline]
    pub(crate) fn lets_out(&self) -> bool {
        self.bits.get() & (hold::ENDING | hold::OUTPUT_END | hold::OUTPUT_WAITS) == 0
    }

    /// Whether nothing stands in the way of anything, and no callback runs.
    #[inline(always)]
    pub(crate) fn is_calm(&self) -> bool {
        self.bits.get() & !(hold::LISTED | hold::STAGED) == 0
    }

    /// Whether these bits are set and no other.
    #[inline(always)]
    pub(crate) fn is(&self, bits: u32) -> bool {
        self.bits.get() == bits
    }

    /// The same, whether or not output is staged.
    #[inline(always)]
    pub(crate) fn is_but_for_output(&self, bits: u32) -> bool {
        self.bits.get() & !hold::STAGED == bits
    }

    #[inline]
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.bits.get() & bits != 0
    }

    /// Hold with `bit`, or let go. Returns whether that is a change.
    #[inline]
    pub(crate) fn set(&self, bit: u32, held: bool) -> bool {
        let before = self.bits.get();
        let after = if held { before | bit } else { before & !bit };
        self.bits.set(after);
        after != before
    }

    /// Nothing is left of what was there.
    #[inline(always)]
    pub(crate) fn clear(&self) {
        self.bits.set(0);
    }

    pub(crate) fn hold_for_continuation(&self) {
        self.continuations.set(self.continuations.get() + 1);
        self.set(hold::CONTINUATION, true);
    }

    pub(crate) fn release_from_continuation(&self) {
        self.continuations.set(self.continuations.get() - 1);
        self.set(hold::CONTINUATION, self.continuations.get() > 0);
    }

    /// Pauses of layers that were switched away, from this depth inward, are over.
    pub(crate) fn forget_layers(&self, depth: u16) {
        let first = Self::layer(depth);
        self.set((1 << hold::LAYERS) - first, false);
    }

    /// The bit of a layer; all beyond the last one share it.
    pub(crate) fn layer(depth: u16) -> u32 {
        1 << u32::from(depth).min(hold::LAYERS - 1)
    }
}
