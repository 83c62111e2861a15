use std::cell::Cell;
use std::io;
use std::rc::Rc;

use torsade_core::driver::{
    Caught, Chunk, Close, Closing, Departures, Host, Interest, PortSetting, Sending, Spawned, Wire,
};
use torsade_core::{
    Address, Command, ConnectionId, DatagramOptions, Descriptor, ListenOptions, ListenerId, Net,
    Peer, PortId, Signal, Time, UnixAddress,
};

use super::kernel::Shared;
use super::slab::Key;
use super::trace::What;
use crate::fake_process::Programs;
use crate::ledger;
use crate::network::{EndWire, Network, Socket as EndSocket};
use crate::{Clock, signals};

/// What an engine has of a connection.
#[derive(Debug)]
pub(super) enum Socket {
    /// An end on the network.
    Held(Held),
    /// A pipe to a process of the same host, which is no part of the network.
    Pipe(EndSocket),
}

/// An engine's hold on an end: closed when it is dropped, as a socket is.
#[derive(Debug)]
pub(super) struct Held {
    kernel: Shared,
    key: Key,
}

impl Socket {
    pub(super) fn new(kernel: &Shared, key: Key) -> Self {
        Self::Held(Held {
            kernel: Rc::clone(kernel),
            key,
        })
    }

    /// What has arrived on the network: pipes are told of by themselves.
    pub(super) fn receive(&self, kernel: &Shared, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Held(held) => kernel.borrow_mut().receive(held.key, buffer),
            Self::Pipe(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nothing, if it was closed.
        self.kernel.borrow_mut().close(self.key, Close::Plain);
    }
}

/// The driver of one host's engine.
#[derive(Debug)]
pub(super) struct SimWire {
    pub(super) kernel: Shared,
    pub(super) host: u32,
    /// That of the pipes.
    pub(super) pipes: EndWire,
}

impl Wire<Socket> for SimWire {
    fn send(&mut self, socket: &mut Socket, id: ConnectionId, mut chunk: Box<Chunk>) -> Sending {
        let key = match socket {
            Socket::Held(held) => held.key,
            Socket::Pipe(pipe) => return self.pipes.send(pipe, id, chunk),
        };
        let sent = self.kernel.borrow_mut().send(key, chunk.pieces());
        match sent {
            Ok(sent) => {
                let descriptors = chunk.take_descriptors(sent);
                if !descriptors.is_empty() {
                    let mut kernel = self.kernel.borrow_mut();
                    kernel.pass(key, sent, descriptors);
                }
                chunk.advance(sent);
                Sending::Done(chunk)
            }
            Err(error) => Sending::Failed(chunk, error),
        }
    }

    fn send_lent(&mut self, socket: &mut Socket, id: ConnectionId, bytes: &[u8]) -> usize {
        match socket {
            Socket::Held(held) => {
                let mut kernel = self.kernel.borrow_mut();
                kernel.send(held.key, std::iter::once(bytes)).unwrap_or(0)
            }
            Socket::Pipe(pipe) => self.pipes.send_lent(pipe, id, bytes),
        }
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        let key = match socket {
            Socket::Held(held) => held.key,
            Socket::Pipe(pipe) => return self.pipes.receive(pipe, buffer, descriptors),
        };
        let mut kernel = self.kernel.borrow_mut();
        let received = kernel.receive(key, buffer);
        if let Some(end) = kernel.ends.get_mut(key) {
            descriptors.append(&mut end.arrived);
        }
        received
    }

    fn interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        match socket {
            Socket::Held(held) => {
                let mut kernel = self.kernel.borrow_mut();
                kernel.set_interest(held.key, id, interest);
            }
            Socket::Pipe(pipe) => self.pipes.interest(pipe, id, interest),
        }
    }

    fn shutdown(&mut self, socket: &mut Socket, id: ConnectionId) {
        match socket {
            Socket::Held(held) => self.kernel.borrow_mut().shutdown(held.key),
            Socket::Pipe(pipe) => self.pipes.shutdown(pipe, id),
        }
    }

    fn close(&mut self, socket: Socket, id: ConnectionId, how: Close) -> Closing {
        match socket {
            Socket::Held(held) => {
                self.kernel.borrow_mut().close(held.key, how);
                Closing::Closed
            }
            Socket::Pipe(pipe) => self.pipes.close(pipe, id, how),
        }
    }

    fn accept(&mut self, listener: ListenerId) -> Option<(Socket, Peer)> {
        let (_, key) = self.kernel.borrow_mut().accept(self.host, Some(listener))?;
        let peer = peer_of(&self.kernel, key)?;
        Some((Socket::new(&self.kernel, key), peer))
    }

    fn send_datagrams(&mut self, port: PortId, departures: &mut Departures) {
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.send_datagrams(self.host, port, departures);
    }

    fn port_interest(&mut self, port: PortId, interest: Interest) {
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.want_of_port(self.host, port, interest);
    }

    fn unsent(&mut self, socket: &Socket) -> Option<usize> {
        match socket {
            Socket::Held(held) => Some(self.kernel.borrow().ends.get(held.key)?.out.len()),
            Socket::Pipe(pipe) => self.pipes.unsent(pipe),
        }
    }
}

/// The addresses of an end, as its program sees them.
pub(super) fn peer_of(kernel: &Shared, key: Key) -> Option<Peer> {
    let kernel = kernel.borrow();
    let end = kernel.ends.get(key)?;
    let names = &kernel.unix;
    Some(Peer::new(
        names.address(end.remote),
        names.address(end.local),
    ))
}

/// Answers what a host's engine must know at once.
pub(super) struct SimHost {
    pub(super) kernel: Shared,
    pub(super) host: u32,
    /// Whether a turn of this host is under way: then its time is the thread's.
    pub(super) in_turn: Cell<bool>,
    /// Whether its program still runs.
    pub(super) alive: Cell<bool>,
    /// The processes that the program has spawned.
    pub(super) programs: Programs,
    pub(super) pipes: Rc<Network>,
}

impl SimHost {
    pub(super) fn new(kernel: &Shared, host: u32) -> Self {
        Self {
            kernel: Rc::clone(kernel),
            host,
            in_turn: Cell::new(false),
            alive: Cell::new(true),
            programs: Programs::default(),
            pipes: Rc::default(),
        }
    }

    /// Whether a process has something to tell.
    pub(super) fn hears_of_processes(&self) -> bool {
        self.pipes.has_facts()
    }
}

impl Host for SimHost {
    fn now(&self) -> Time {
        if self.in_turn.get() {
            Clock::now()
        } else {
            self.kernel.borrow().host_now(self.host)
        }
    }

    fn listen(
        &self,
        address: &Address,
        options: &ListenOptions,
        listener: ListenerId,
    ) -> io::Result<Address> {
        let mut kernel = self.kernel.borrow_mut();
        let place = kernel.unix.place(address)?;
        let place = kernel.listen(self.host, place, options, listener)?;
        Ok(kernel.unix.address(place))
    }

    fn close_listener(&self, listener: ListenerId) {
        self.kernel.borrow_mut().close_listener(self.host, listener);
    }

    fn bind(
        &self,
        address: &Address,
        options: &DatagramOptions,
        port: PortId,
    ) -> io::Result<Address> {
        let kernel = &mut *self.kernel.borrow_mut();
        let wanted = match address.unix() {
            Some(UnixAddress::Unnamed) => kernel.unnamed(self.host),
            _ => kernel.unix.place(address)?,
        };
        let place = kernel.bind(self.host, wanted, options, port)?;
        Ok(kernel.unix.address(place))
    }

    fn close_port(&self, port: PortId) {
        self.kernel.borrow_mut().close_port(self.host, port);
    }

    fn connect_port(&self, port: PortId, peer: &Address) -> io::Result<Address> {
        let kernel = &mut *self.kernel.borrow_mut();
        let peer = kernel.unix.place(peer)?;
        let own = kernel.connect_port(self.host, port, peer)?;
        Ok(kernel.unix.address(own))
    }

    fn set_port(&self, port: PortId, setting: &PortSetting) -> io::Result<()> {
        self.kernel.borrow_mut().set_port(self.host, port, setting)
    }

    fn spawn(&self, _: &Net, command: &Command) -> io::Result<Spawned> {
        let spawned = self.programs.spawn(command)?;
        self.kernel.borrow_mut().has_processes(self.host);
        Ok(spawned)
    }

    fn seed(&self) -> u64 {
        self.kernel.borrow().seed_of(self.host)
    }

    fn watch_signal(&self, _: &Net, signal: Signal) -> io::Result<()> {
        signals::catchable(signal)
    }

    fn notes_calls(&self) -> bool {
        true
    }

    fn calls(&self, connection: ConnectionId, place: &'static str) {
        let connection = connection.to_bits();
        let kernel = &mut *self.kernel.borrow_mut();
        let what = What::Calls { connection, place };
        kernel.trace.note(kernel.now, self.host, what, &[]);
    }

    fn port_calls(&self, port: PortId, place: &'static str) {
        let port = port.to_bits();
        let kernel = &mut *self.kernel.borrow_mut();
        let what = What::PortCalls { port, place };
        kernel.trace.note(kernel.now, self.host, what, &[]);
    }

    fn caught(&self, caught: &Caught) {
        let place = ledger::last_panic().unwrap_or_else(|| "an unknown place".into());
        let name = self.kernel.borrow().name_of(self.host);
        let text = format!("{name}: {caught} (at {place})");
        self.kernel.borrow_mut().say(self.host, text.clone());
        ledger::fail(text);
    }
}
