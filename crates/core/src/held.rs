use std::mem;
use std::time::Duration;

use torsade_deferred::Resolver;

use crate::{Disconnect, Time};

/// How long a connection's input has been held back, since somebody first asked, and who waits for
/// it to go on.
#[derive(Default)]
pub(crate) struct Held {
    /// When it stopped, if it is held back.
    since: Option<Time>,
    before: Duration,
    waiting: Vec<Resolver<(), Disconnect>>,
}

impl Held {
    /// Input is held back now, or it is not. Returns who waited for what has come.
    #[must_use]
    pub(crate) fn note(&mut self, now: Time, held: bool) -> Vec<Resolver<(), Disconnect>> {
        match (self.since, held) {
            (None, true) => self.since = Some(now),
            (Some(since), false) => {
                self.since = None;
                self.before += now - since;
                return mem::take(&mut self.waiting);
            }
            (None, false) | (Some(_), true) => {}
        }
        Vec::new()
    }

    pub(crate) fn total(&self, now: Time) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now - since)
    }

    pub(crate) fn wait(&mut self, resolver: Resolver<(), Disconnect>) {
        self.waiting.push(resolver);
    }

    pub(crate) fn into_waiting(self) -> Vec<Resolver<(), Disconnect>> {
        self.waiting
    }
}
