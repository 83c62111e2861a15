use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
#[cfg(unix)]
use std::sync::Arc;

use socket2::Socket;
use torsade_core::driver::{Departures, Interest, PortSetting};
use torsade_core::{Address, DatagramOptions, PortId};

use super::batch::{self, Eagerness, Sender};
pub(crate) use super::batch::{Family, Receiver};
use super::open;
#[cfg(unix)]
use crate::local;

/// The sockets of a reactor's datagram ports. Programs reach it in the middle of their callbacks,
/// so it is never left borrowed.
#[derive(Debug)]
pub(crate) struct Ports<S> {
    /// By their bits. A tree, because it is asked several times for each event and most programs
    /// have few.
    table: RefCell<BTreeMap<u64, Bound<S>>>,
    sender: RefCell<Sender>,
}

/// One socket, in its poller.
#[derive(Debug)]
struct Bound<S> {
    /// Of a Unix socket. Goes before the socket does.
    #[cfg(unix)]
    #[expect(dead_code, reason = "its drop removes the file")]
    file: Option<Arc<local::Bound>>,
    socket: S,
    local: Address,
    interest: Interest,
    eagerness: Eagerness,
    /// Whether several datagrams may come as one packet.
    coalesced: bool,
}

/// A socket as a driver watches it.
pub(crate) trait PortSocket {
    fn socket(&self) -> &Socket;

    /// From now on these events are wanted.
    fn want(&mut self, port: PortId, interest: Interest) -> io::Result<()>;
}

impl<S: PortSocket> Ports<S> {
    pub(crate) fn new() -> Self {
        Self {
            table: RefCell::default(),
            sender: RefCell::default(),
        }
    }

    /// Open a socket, and hear of what comes there from now on.
    pub(crate) fn bind(
        &self,
        wanted: &Address,
        options: &DatagramOptions,
        port: PortId,
        watch: impl FnOnce(Socket) -> S,
    ) -> io::Result<Address> {
        let door = open::open(wanted, options)?;
        let (socket, local) = (door.socket, door.address);
        let eagerness = Eagerness::of(&socket, &local);
        let coalesced = options.coalesces() && batch::coalesce(&socket);
        let interest = Interest {
            readable: true,
            writable: false,
        };
        let mut socket = watch(socket);
        socket.want(port, interest)?;
        let bound = Bound {
            #[cfg(unix)]
            file: door.file,
            socket,
            local: local.clone(),
            interest,
            eagerness,
            coalesced,
        };
        self.table.borrow_mut().insert(port.to_bits(), bound);
        Ok(local)
    }

    pub(crate) fn close(&self, port: PortId) {
        let removed = self.table.borrow_mut().remove(&port.to_bits());
        drop(removed);
    }

    pub(crate) fn connect(&self, port: PortId, peer: &Address) -> io::Result<Address> {
        match self.table.borrow_mut().get_mut(&port.to_bits()) {
            Some(bound) => {
                if let Some(local) = open::connect(bound.socket.socket(), peer)? {
                    bound.local = local;
                }
                bound.eagerness.is_connected();
                Ok(bound.local.clone())
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn set(&self, port: PortId, setting: &PortSetting) -> io::Result<()> {
        match self.table.borrow().get(&port.to_bits()) {
            Some(bound) => open::set(bound.socket.socket(), setting),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn want(&self, port: PortId, interest: Interest) -> io::Result<()> {
        match self.table.borrow_mut().get_mut(&port.to_bits()) {
            Some(bound) => {
                bound.interest = interest;
                bound.socket.want(port, interest)
            }
            None => Ok(()),
        }
    }

    /// What is wanted of a port, while it is there.
    pub(crate) fn interest(&self, port: PortId) -> Option<Interest> {
        Some(self.table.borrow().get(&port.to_bits())?.interest)
    }

    /// Look at the driver's side of a port.
    #[cfg(all(target_os = "linux", feature = "io-uring"))]
    pub(crate) fn with<R>(&self, port: PortId, look: impl FnOnce(&mut S) -> R) -> Option<R> {
        let mut table = self.table.borrow_mut();
        Some(look(&mut table.get_mut(&port.to_bits())?.socket))
    }

    /// Receive what there is. Returns how many bytes that is; the datagrams are in the receiver, and
    /// of that family.
    pub(crate) fn receive(
        &self,
        port: PortId,
        receiver: &mut Receiver,
    ) -> io::Result<(usize, Family)> {
        match self.table.borrow().get(&port.to_bits()) {
            Some(bound) => {
                let bytes = receiver.receive(bound.socket.socket(), bound.coalesced)?;
                Ok((bytes, Family::of(&bound.local)))
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Send what the kernel takes.
    pub(crate) fn send(&self, port: PortId, departures: &mut Departures) {
        if let Some(bound) = self.table.borrow_mut().get_mut(&port.to_bits()) {
            let sender = &mut *self.sender.borrow_mut();
            let socket = bound.socket.socket();
            sender.send(socket, departures, &mut bound.eagerness);
        }
    }
}
