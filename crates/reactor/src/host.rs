use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use polling::Poller;
use torsade_core::driver::Host;
use torsade_core::{Limits, ListenerId, Time};

use crate::clock::Clock;
use crate::listener::Listeners;

/// What the engine asks for and must have at once. Shared between the engine, which calls it in
/// the middle of user code, and the driver.
#[derive(Debug)]
pub(crate) struct SystemHost {
    pub(crate) clock: Clock,
    pub(crate) listeners: Listeners,
}

impl SystemHost {
    pub(crate) fn new(clock: Clock, poller: &Arc<Poller>, limits: &Limits) -> Self {
        Self {
            clock,
            listeners: Listeners::new(poller, limits),
        }
    }
}

impl Host for SystemHost {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn listen(&self, address: SocketAddr, listener: ListenerId) -> io::Result<SocketAddr> {
        self.listeners.listen(address, listener)
    }

    fn close_listener(&self, listener: ListenerId) {
        self.listeners.close(listener);
    }
}
