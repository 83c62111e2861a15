use std::io;
use std::time::Duration;

use crate::poller::{Poller, Ready};

/// The events of one wait, told to the engine over as many turns as the budget asks for.
///
/// ```text
///            wait                     the last was told
///   (done) --------> to be told ... ---------------------> (done)
/// ```
///
/// While some are left there is no new wait. In level mode that loses nothing, nobody gets a
/// second place in the queue before the last one had its first, and the queue cannot grow.
#[derive(Debug)]
pub(crate) struct Batch<P: Poller> {
    events: P::Events,
    /// How many were told.
    told: usize,
    len: usize,
    /// Over all waits.
    all: u64,
}

impl<P: Poller> Batch<P> {
    pub(crate) fn new() -> Self {
        Self {
            events: P::events(),
            told: 0,
            len: 0,
            all: 0,
        }
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.told >= self.len
    }

    /// Whether there may have been more events than fit.
    #[inline]
    pub(crate) fn was_full(&self) -> bool {
        P::was_full(&self.events, self.len)
    }

    /// How many events there were over all waits.
    pub(crate) fn events(&self) -> u64 {
        self.all
    }

    /// Wait for events. With no timeout, for as long as it takes.
    #[inline]
    pub(crate) fn wait(&mut self, poller: &P, timeout: Option<Duration>) -> io::Result<()> {
        self.told = 0;
        self.len = 0;
        self.len = poller.wait(&mut self.events, timeout)?;
        self.all += self.len as u64;
        Ok(())
    }

    /// Tell what is left, until `tell` wants no more in this turn.
    #[inline]
    pub(crate) fn tell(&mut self, mut tell: impl FnMut(Ready) -> Budget) {
        let mut told = self.told;
        for event in P::ready(&self.events, told) {
            told += 1;
            if tell(event) == Budget::Spent {
                break;
            }
        }
        self.told = told;
    }
}

/// Whether a turn may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    Left,
    Spent,
}
