use std::io;
use std::net::SocketAddr;

use torsade_core::driver::{Host, NotTaken, Work};
use torsade_core::{Address, Limits, ListenerId, Time};

use crate::accepting::{Accept, Doors};
use crate::clock::Clock;
use crate::listener::Listeners;
use crate::names::{self, Names};
use crate::poller::Poller;
use crate::reserve::Reserve;
use crate::socket::Registered;
use crate::threads::{Bounds, Pool};

/// What the engine asks for and must have at once. Shared between the engine, which calls it in
/// the middle of user code, and the driver.
#[derive(Debug)]
pub(crate) struct SystemHost<P: Poller> {
    pub(crate) clock: Clock,
    pub(crate) listeners: Listeners<P>,
    pub(crate) names: Names,
    pool: Pool,
}

impl<P: Poller> SystemHost<P> {
    pub(crate) fn new(clock: Clock, names: Names, poller: &P, limits: &Limits) -> Self {
        Self {
            clock,
            listeners: Listeners::new(poller, limits),
            names,
            pool: Pool::new(Bounds::of(limits)),
        }
    }
}

impl<P: Poller> Host for SystemHost<P> {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn listen(&self, address: &Address, listener: ListenerId) -> io::Result<Address> {
        let address = address.inet().ok_or(io::ErrorKind::Unsupported)?;
        Ok(self.listeners.listen(address, listener)?.into())
    }

    fn close_listener(&self, listener: ListenerId) {
        self.listeners.close(listener);
    }

    fn thread(&self, work: Work) -> Result<(), NotTaken> {
        self.pool.give(work)
    }

    fn join_threads(&self) {
        self.names.end();
        self.pool.end();
    }

    fn interface(&self, name: &str) -> Option<u32> {
        names::interface(name)
    }
}

impl<P: Poller> Doors for SystemHost<P> {
    type Socket = Registered<P>;

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn accept(&self, id: ListenerId) -> Accept<Registered<P>> {
        self.listeners.accept(id)
    }

    fn address(&self, id: ListenerId) -> Option<SocketAddr> {
        self.listeners.address(id)
    }

    fn rest(&self, id: ListenerId) {
        self.listeners.rest(id);
    }

    fn resume(&self, id: ListenerId) -> bool {
        self.listeners.resume(id)
    }

    fn reserve(&self) -> &Reserve {
        &self.listeners.reserve
    }
}
