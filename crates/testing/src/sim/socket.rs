use std::cell::Cell;
use std::io;
use std::rc::Rc;

use torsade_core::driver::{
    Caught, Chunk, Close, Closing, Departures, Host, Interest, PortSetting, Sending, Wire,
};
use torsade_core::{
    Address, ConnectionId, DatagramOptions, Descriptor, ListenOptions, ListenerId, Net, Peer,
    PortId, Signal, Time, UnixAddress,
};

use super::kernel::Shared;
use super::slab::Key;
use super::trace::What;
use crate::ledger;
use crate::{Clock, signals};

/// An engine's hold on an end: closed when it is dropped, as a socket is.
#[derive(Debug)]
pub(super) struct Socket {
    kernel: Shared,
    pub(super) key: Key,
}

impl Socket {
    pub(super) fn new(kernel: &Shared, key: Key) -> Self {
        Self {
            kernel: Rc::clone(kernel),
            key,
        }
    }
}

impl Drop for Socket {
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
}

impl Wire<Socket> for SimWire {
    fn send(&mut self, socket: &mut Socket, _: ConnectionId, mut chunk: Box<Chunk>) -> Sending {
        let sent = self.kernel.borrow_mut().send(socket.key, chunk.pieces());
        match sent {
            Ok(sent) => {
                let descriptors = chunk.take_descriptors(sent);
                if !descriptors.is_empty() {
                    let mut kernel = self.kernel.borrow_mut();
                    kernel.pass(socket.key, sent, descriptors);
                }
                chunk.advance(sent);
                Sending::Done(chunk)
            }
            Err(error) => Sending::Failed(chunk, error),
        }
    }

    fn send_lent(&mut self, socket: &mut Socket, _: ConnectionId, bytes: &[u8]) -> usize {
        let mut kernel = self.kernel.borrow_mut();
        kernel.send(socket.key, std::iter::once(bytes)).unwrap_or(0)
    }

    fn receive(
        &mut self,
        socket: &mut Socket,
        buffer: &mut [u8],
        descriptors: &mut Vec<Descriptor>,
    ) -> io::Result<usize> {
        let mut kernel = self.kernel.borrow_mut();
        let received = kernel.receive(socket.key, buffer);
        if let Some(end) = kernel.ends.get_mut(socket.key) {
            descriptors.append(&mut end.arrived);
        }
        received
    }

    fn interest(&mut self, socket: &mut Socket, id: ConnectionId, interest: Interest) {
        self.kernel
            .borrow_mut()
            .set_interest(socket.key, id, interest);
    }

    fn shutdown(&mut self, socket: &mut Socket, _: ConnectionId) {
        self.kernel.borrow_mut().shutdown(socket.key);
    }

    fn close(&mut self, socket: Socket, _: ConnectionId, how: Close) -> Closing {
        self.kernel.borrow_mut().close(socket.key, how);
        Closing::Closed
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
        let kernel = self.kernel.borrow();
        Some(kernel.ends.get(socket.key)?.out.len())
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
#[derive(Debug)]
pub(super) struct SimHost {
    pub(super) kernel: Shared,
    pub(super) host: u32,
    /// Whether a turn of this host is under way: then its time is the thread's.
    pub(super) in_turn: Cell<bool>,
    /// Whether its program still runs.
    pub(super) alive: Cell<bool>,
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
