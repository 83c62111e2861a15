use std::cell::Cell;
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
    told: Cell<usize>,
    len: usize,
    /// Over all waits.
    all: u64,
}

impl<P: Poller> Batch<P> {
    pub(crate) fn new() -> Self {
        Self {
            events: P::events(),
            told: Cell::new(0),
            len: 0,
            all: 0,
        }
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.told.get() >= self.len
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
    #[inline(always)]
    pub(crate) fn wait(&mut self, poller: &P, timeout: Option<Duration>) -> io::Result<()> {
        self.told.set(0);
        self.len = 0;
        self.len = poller.wait(&mut self.events, timeout)?;
        self.all += self.len as u64;
        Ok(())
    }

    /// The events that are left. One that was had is one that was told.
    #[inline(always)]
    pub(crate) fn untold(&self) -> impl Iterator<Item = Ready> {
        P::ready(&self.events, self.told.get()).inspect(|_| self.told.set(self.told.get() + 1))
    }
}
