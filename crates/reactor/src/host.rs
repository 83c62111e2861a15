use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
#[cfg(unix)]
use std::rc::Rc;

use torsade_core::driver::{Host, NotTaken, PortSetting, Work};
use torsade_core::{Address, DatagramOptions, Limits, ListenOptions, ListenerId, PortId, Time};
#[cfg(unix)]
use torsade_core::{Net, Signal};

use crate::accepting::{Accept, Doors};
use crate::clock::Clock;
use crate::datagrams::Ports;
#[cfg(unix)]
use crate::hearing::Hearing;
use crate::listener::Listeners;
use crate::names::{self, Names};
use crate::poller::Poller;
use crate::reserve::Reserve;
use crate::socket::Registered;
#[cfg(unix)]
use crate::stdio::Standing;
use crate::threads::{Bounds, Pool};
#[cfg(unix)]
use crate::watches::Watches;

/// What the engine asks for and must have at once. Shared between the engine, which calls it in
/// the middle of user code, and the driver.
#[derive(Debug)]
pub(crate) struct SystemHost<P: Poller> {
    pub(crate) clock: Clock,
    pub(crate) listeners: Listeners<P>,
    pub(crate) names: Names,
    pub(crate) ports: Ports<Registered<P>>,
    #[cfg(unix)]
    pub(crate) watches: Rc<Watches>,
    #[cfg(unix)]
    hearing: Hearing,
    poller: P,
    pool: Pool,
    #[cfg(unix)]
    pub(crate) standing: Standing,
}

impl<P: Poller> SystemHost<P> {
    pub(crate) fn new(clock: Clock, names: Names, poller: &P, limits: &Limits) -> Self {
        #[cfg(unix)]
        let watches = Watches::new(Box::new(poller.clone()));
        Self {
            clock,
            listeners: Listeners::new(poller, limits),
            names,
            ports: Ports::new(),
            #[cfg(unix)]
            hearing: Hearing::new(&watches),
            #[cfg(unix)]
            watches,
            poller: poller.clone(),
            pool: Pool::new(Bounds::of(limits)),
            #[cfg(unix)]
            standing: Standing::default(),
        }
    }
}

impl<P: Poller> Host for SystemHost<P> {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn listen(
        &self,
        address: &Address,
        options: &ListenOptions,
        listener: ListenerId,
    ) -> io::Result<Address> {
        #[cfg(unix)]
        if let Address::Stdio = address {
            return Ok(self.standing.add(listener));
        }
        self.listeners.listen(address, options, listener)
    }

    fn close_listener(&self, listener: ListenerId) {
        self.listeners.close(listener);
    }

    fn bind(
        &self,
        address: &Address,
        options: &DatagramOptions,
        port: PortId,
    ) -> io::Result<Address> {
        self.ports.bind(address, options, port, |socket| {
            Registered::new(socket, &self.poller)
        })
    }

    fn close_port(&self, port: PortId) {
        self.ports.close(port);
    }

    fn connect_port(&self, port: PortId, peer: &Address) -> io::Result<Address> {
        self.ports.connect(port, peer)
    }

    fn set_port(&self, port: PortId, setting: &PortSetting) -> io::Result<()> {
        self.ports.set(port, setting)
    }

    fn seed(&self) -> u64 {
        seed()
    }

    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "dragonfly",
    ))]
    fn spawn(
        &self,
        net: &Net,
        command: &torsade_core::Command,
    ) -> io::Result<torsade_core::driver::Spawned> {
        crate::processes::spawn(&self.watches, net, command)
    }

    #[cfg(unix)]
    fn watch_signal(&self, net: &Net, signal: Signal) -> io::Result<()> {
        self.hearing.begin(net, signal)
    }

    #[cfg(unix)]
    fn unwatch_signal(&self, signal: Signal) {
        self.hearing.end(signal);
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

/// Another number each time: of what std seeds its maps with, against floods of equal hashes.
pub(crate) fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl<P: Poller> Doors for SystemHost<P> {
    type Socket = Registered<P>;

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn accept(&self, id: ListenerId) -> Accept<Registered<P>> {
        self.listeners.accept(id)
    }

    fn address(&self, id: ListenerId) -> Option<Address> {
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
