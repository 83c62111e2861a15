use std::io;
use std::rc::{Rc, Weak};
use torsade_core::driver::{Host, NotTaken, PortSetting, Spawned, Work};
use torsade_core::{
    Address, Command, DatagramOptions, Limits, ListenOptions, ListenerId, Net, PortId, Signal, Time,
};

use super::file::{File, Files};
use super::listeners::Listeners;
use super::port::RingPort;
use super::ring::Ring;
use super::streams::Socket;
use crate::accepting::{Accept, Doors};
use crate::clock::Clock;
use crate::datagrams::Ports;
use crate::hearing::Hearing;
use crate::names::{self, Names};
use crate::reserve::Reserve;
use crate::stdio::Standing;
use crate::threads::{Bounds, Pool};
use crate::watches::Watches;

/// What the engine asks for and must have at once. Shared between the engine, which calls it in
/// the middle of user code, and the driver.
#[derive(Debug)]
pub(crate) struct RingHost {
    pub(crate) clock: Clock,
    pub(crate) listeners: Listeners,
    pub(crate) names: Names,
    pub(crate) ports: Ports<RingPort>,
    pub(crate) watches: Rc<Watches>,
    hearing: Hearing,
    ring: Weak<Ring>,
    files: Files,
    pool: Pool,
    pub(crate) standing: Standing,
}

impl RingHost {
    pub(crate) fn new(
        clock: Clock,
        names: Names,
        ring: &Rc<Ring>,
        watches: &Rc<Watches>,
        limits: &Limits,
        direct: bool,
    ) -> Self {
        Self {
            clock,
            listeners: Listeners::new(ring, limits, direct),
            names,
            ports: Ports::new(),
            watches: Rc::clone(watches),
            hearing: Hearing::new(watches),
            ring: Rc::downgrade(ring),
            files: ring.files(),
            pool: Pool::new(Bounds::of(limits)),
            standing: Standing::default(),
        }
    }
}

impl Host for RingHost {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn listen(
        &self,
        address: &Address,
        options: &ListenOptions,
        listener: ListenerId,
    ) -> io::Result<Address> {
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
            RingPort::new(File::new(socket, &self.files), &self.ring)
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
        crate::host::seed()
    }

    fn spawn(&self, net: &Net, command: &Command) -> io::Result<Spawned> {
        crate::processes::spawn(&self.watches, net, command)
    }

    fn watch_signal(&self, net: &Net, signal: Signal) -> io::Result<()> {
        self.hearing.begin(net, signal)
    }

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

impl Doors for RingHost {
    type Socket = Socket;

    fn now(&self) -> Time {
        self.clock.now()
    }

    fn accept(&self, id: ListenerId) -> Accept<Socket> {
        match self.listeners.accept(id) {
            Accept::Made(file, peer) => Accept::Made(Socket::New(file), peer),
            Accept::Unfit(peer, error) => Accept::Unfit(peer, error),
            Accept::Broken => Accept::Broken,
            Accept::Empty => Accept::Empty,
            Accept::Failed(error) => Accept::Failed(error),
        }
    }

    fn address(&self, id: ListenerId) -> Option<Address> {
        self.listeners.address(id)
    }

    fn rest(&self, id: ListenerId) {
        self.listeners.rest(id);
    }

    fn resume(&self, id: ListenerId) -> bool {
        self.listeners.resume(id);
        true
    }

    fn reserve(&self) -> &Reserve {
        &self.listeners.reserve
    }
}
