/// Whether output flows, and which callbacks the protocol is owed about it.
///
/// ```text
///             a write passes the high mark
///   flowing --------------------------------> paused
///           <--------------------------------
///             the outbox drains to the low mark
/// ```
///
/// The state changes at once, inside the write; `pause_writing` and `resume_writing` follow when
/// the current callback has returned. Every change owes one callback. Two owed callbacks followed
/// by a third change are one owed callback: the last two would tell the protocol nothing. So the
/// protocol sees strict alternation, whoever saw `wants_output()` false is told when it is true
/// again, and what is owed is bounded, as is the number of places taken in the queue for it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow {
    paused: bool,
    owed: u8,
    /// Places in the queue. As many as are owed, or more, if what was owed came to nothing.
    queued: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowCall {
    Pause,
    Resume,
}

impl Flow {
    pub(crate) fn is_paused(self) -> bool {
        self.paused
    }

    /// The state for `buffered` bytes of output between these marks, and whether it is a change.
    pub(crate) fn evaluate(self, buffered: usize, low: usize, high: usize) -> Option<Self> {
        let changes = if self.paused {
            buffered <= low
        } else {
            buffered > high
        };
        changes.then_some(Self {
            paused: !self.paused,
            owed: if self.owed == 2 { 1 } else { self.owed + 1 },
            ..self
        })
    }

    /// The same state, for a protocol that is told about it at once.
    pub(crate) fn told(self) -> Self {
        Self { owed: 0, ..self }
    }

    /// The state with a place in the queue for each callback that is owed, and whether one is to be
    /// taken for that.
    pub(crate) fn call(self) -> (Self, bool) {
        let missing = self.owed > self.queued;
        let queued = self.queued + u8::from(missing);
        (Self { queued, ..self }, missing)
    }

    /// A place in the queue came up: the callback to make, and the state after it was made.
    pub(crate) fn settle_one(self) -> (Option<FlowCall>, Self) {
        let queued = self.queued.saturating_sub(1);
        let told_paused = self.told_paused();
        let call = (self.owed > 0).then_some(if told_paused {
            FlowCall::Resume
        } else {
            FlowCall::Pause
        });
        let owed = self.owed.saturating_sub(1);
        (
            call,
            Self {
                owed,
                queued,
                ..self
            },
        )
    }

    /// Whether the protocol was last told that output is paused.
    pub(crate) fn told_paused(self) -> bool {
        self.paused ^ (self.owed % 2 == 1)
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;

    /// Whatever the outbox does, calls alternate and the last one tells the present state.
    #[test]
    fn calls_alternate_however_the_outbox_moves() {
        for pattern in 0..1_u32 << 12 {
            let mut flow = Flow::default();
            let (mut told, mut places) = (false, 0);
            for bit in 0..12 {
                let buffered = if pattern >> bit & 1 == 1 { 100 } else { 0 };
                if let Some(next) = flow.evaluate(buffered, 10, 50) {
                    let (next, call) = next.call();
                    flow = next;
                    places += u32::from(call);
                    assert!(places <= 2, "pattern {pattern:b}");
                }
                if pattern >> (bit / 2) & 1 == 1 {
                    for _ in 0..mem::take(&mut places) {
                        let (call, next) = flow.settle_one();
                        if let Some(call) = call {
                            assert_eq!(call == FlowCall::Pause, !told, "pattern {pattern:b}");
                            told = !told;
                        }
                        flow = next;
                    }
                    assert_eq!(told, flow.is_paused());
                }
            }
        }
    }

    #[test]
    fn both_marks_belong_to_the_side_that_flows() {
        let flow = Flow::default();
        assert!(flow.evaluate(50, 10, 50).is_none());
        let paused = flow.evaluate(51, 10, 50).expect("above high pauses");
        assert!(paused.evaluate(11, 10, 50).is_none());
        assert!(paused.evaluate(10, 10, 50).is_some());
    }
}
