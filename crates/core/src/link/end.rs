use std::rc::Rc;

use super::{Link, Output, Phase};
use crate::Disconnect;
use crate::gate::hold;

/// How a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// After what was written has been flushed.
    Flushed,
    /// At once; what waits is dropped.
    Abrupt,
}

/// The end.
impl Link {
    /// Begin to end, for this reason. The first reason stands, but an abrupt end overtakes a
    /// flush that is under way, and a panic is the reason whatever was before.
    pub(crate) fn end(self: &Rc<Self>, reason: Disconnect, how: Ending) {
        let next = match (self.phase.get(), how) {
            (Phase::Open, Ending::Flushed) => Phase::Closing,
            (Phase::Open | Phase::Closing, Ending::Abrupt) => Phase::Aborting,
            (phase @ (Phase::Aborting | Phase::Ended), Ending::Abrupt)
                if matches!(reason, Disconnect::Panicked(_)) =>
            {
                phase
            }
            _ => return,
        };
        self.set_phase(next);
        self.watches.set_reason(reason);
        self.touch();
    }

    pub(crate) fn close_write(self: &Rc<Self>) {
        if self.phase.get() == Phase::Open && self.output.get() == Output::Open {
            self.set_output(Output::Ending);
            self.touch();
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        self.gate.set(hold::ENDING, phase != Phase::Open);
    }
}
