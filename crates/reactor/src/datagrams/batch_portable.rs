//! Datagrams one by one, where the system has no call for several.
#![expect(
    unsafe_code,
    reason = "socket2 receives into memory that need not be initialised, and the memory here is"
)]

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;

use socket2::{SockAddr, Socket};
#[cfg(unix)]
use torsade_core::UnixAddress;
use torsade_core::driver::{Arrived, Departures};
use torsade_core::{Address, Limits};

use crate::transfer::NO_SIGNAL;

/// What is received into.
#[derive(Debug)]
pub(crate) struct Receiver {
    /// Room for one more byte than is wanted, which says that a datagram was longer.
    buffer: Vec<u8>,
    most: usize,
    arrived: Option<(SockAddr, usize)>,
}

impl Receiver {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            buffer: Vec::new(),
            most: limits.datagram.max(1),
            arrived: None,
        }
    }

    pub(crate) fn receive(&mut self, socket: &Socket, _: bool) -> io::Result<usize> {
        self.arrived = None;
        self.buffer.resize(self.most + 1, 0);
        let buffer: &mut [u8] = &mut self.buffer;
        // SAFETY: every byte is initialised before, and stays so: socket2 promises to write no
        // uninitialised byte into a buffer of this kind.
        let buffer = unsafe { &mut *(std::ptr::from_mut(buffer) as *mut [MaybeUninit<u8>]) };
        let (length, from) = match socket.recv_from(buffer) {
            // What Windows says of a datagram that is longer.
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(10_040) => {
                return Err(error);
            }
            received => received?,
        };
        self.arrived = Some((from, length));
        Ok(length)
    }

    /// Nothing comes as a packet of several here.
    pub(crate) fn is_coalesced(&self) -> bool {
        false
    }

    pub(crate) fn coalesced(&self, family: Family) -> impl Iterator<Item = Arrived<'_>> {
        self.arrived(family)
    }

    /// What has come, to a port of this family.
    pub(crate) fn arrived(&self, family: Family) -> impl Iterator<Item = Arrived<'_>> {
        self.arrived.iter().filter_map(move |(from, length)| {
            Some(Arrived {
                from: family.read(from)?,
                data: &self.buffer[..(*length).min(self.most)],
                whole: (*length > self.most).then_some(*length),
            })
        })
    }
}

/// No system but Linux hands over several datagrams as one packet.
pub(super) fn coalesce(_: &Socket) -> bool {
    false
}

/// What is to be known of a socket for sending: nothing.
#[derive(Debug)]
pub(crate) struct Eagerness;

impl Eagerness {
    pub(crate) fn of(_: &Socket, _: &Address) -> Self {
        Self
    }

    pub(crate) fn is_connected(&mut self) {}
}

#[derive(Debug, Default)]
pub(crate) struct Sender;

impl Sender {
    pub(crate) fn send(&mut self, socket: &Socket, all: &mut Departures, _: &mut Eagerness) {
        let mut retried = false;
        while let Some(first) = all.first() {
            let sent = match first.to {
                Some(to) => {
                    write(to).and_then(|to| socket.send_to_with_flags(first.data, &to, NO_SIGNAL))
                }
                None => socket.send_with_flags(first.data, NO_SIGNAL),
            };
            match sent {
                Ok(_) => all.sent(1),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    all.no_room();
                    return;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && !retried => {
                    all.reported(error);
                    retried = true;
                    continue;
                }
                Err(error) => all.failed(error),
            }
            retried = false;
        }
    }
}

/// Of what kind a port's addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Inet,
    Unix,
}

impl Family {
    pub(crate) fn of(address: &Address) -> Self {
        match address.unix() {
            Some(_) => Self::Unix,
            None => Self::Inet,
        }
    }

    /// An address as the system says it to such a port.
    fn read(self, address: &SockAddr) -> Option<Address> {
        match self {
            // Who has no name is not even said to be of the family, on some systems.
            #[cfg(unix)]
            Self::Unix => {
                Some(crate::local::address(address).unwrap_or_else(|| UnixAddress::Unnamed.into()))
            }
            _ => address.as_socket().map(Address::from),
        }
    }
}

/// The same, the other way.
fn write(address: &Address) -> io::Result<SockAddr> {
    match address {
        Address::Inet(inet) => Ok((*inet).into()),
        #[cfg(unix)]
        Address::Unix(unix) => crate::local::system(unix),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}
