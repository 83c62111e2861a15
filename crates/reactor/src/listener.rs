use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use torsade_core::driver::Interest;
use torsade_core::{Address, Limits, ListenOptions, ListenerId, Peer, WhenFull};

use crate::accepting::Accept;
#[cfg(unix)]
use crate::adopting;
#[cfg(unix)]
use crate::local::{self, Bound};
use crate::poller::Poller;
#[cfg(unix)]
use crate::ports::Carries;
use crate::ports::{self, Prepare};
use crate::reserve::Reserve;
use crate::socket::Registered;
use crate::token::Token;

/// The listening sockets of a reactor. Programs reach it through `listen` and `close`, in the
/// middle of their callbacks, so it is never left borrowed.
#[derive(Debug)]
pub(crate) struct Listeners<P: Poller> {
    table: RefCell<HashMap<ListenerId, Listening<P>>>,
    poller: P,
    backlog: u32,
    sheds: bool,
    /// Kept while there are listeners, if connections are to be shed.
    pub(crate) reserve: Reserve,
}

/// One listening socket. It is in the poller unless it rests.
#[derive(Debug)]
struct Listening<P: Poller> {
    /// Goes before the socket does.
    #[cfg(unix)]
    #[expect(dead_code, reason = "its drop removes the file")]
    file: Option<Arc<Bound>>,
    socket: Registered<P>,
    address: Address,
    /// Whether others may listen on the socket, too.
    is_shared: bool,
}

impl<P: Poller> Drop for Listening<P> {
    fn drop(&mut self) {
        if !self.is_shared {
            shut(self.socket.socket());
        }
    }
}

/// Nobody comes in from now on and the port is free, whoever else has the descriptor: a process that
/// somebody is about to start has it for a moment.
pub(crate) fn shut(listening: &Socket) {
    // If it fails, its close does the same.
    let _ = listening.shutdown(Shutdown::Both);
}

/// A socket that listens, before it is a reactor's.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) socket: Socket,
    pub(crate) address: Address,
    /// Whether others may listen on it, too.
    pub(crate) is_shared: bool,
    /// The file of a Unix socket, as long as somebody listens.
    #[cfg(unix)]
    pub(crate) file: Option<Arc<Bound>>,
}

impl Door {
    pub(crate) fn new(socket: Socket, address: Address) -> Self {
        Self {
            socket,
            address,
            is_shared: false,
            #[cfg(unix)]
            file: None,
        }
    }

    /// The same door for somebody else.
    pub(crate) fn share(&mut self) -> io::Result<Self> {
        let socket = self.socket.try_clone()?;
        self.is_shared = true;
        Ok(Self {
            is_shared: true,
            #[cfg(unix)]
            file: self.file.clone(),
            ..Self::new(socket, self.address.clone())
        })
    }
}

const READABLE: Interest = Interest {
    readable: true,
    writable: false,
};
const NOTHING: Interest = Interest {
    readable: false,
    writable: false,
};

impl<P: Poller> Listeners<P> {
    pub(crate) fn new(poller: &P, limits: &Limits) -> Self {
        Self {
            table: RefCell::default(),
            poller: poller.clone(),
            backlog: limits.backlog,
            sheds: limits.when_full == WhenFull::Shed,
            reserve: Reserve::default(),
        }
    }

    pub(crate) fn listen(
        &self,
        wanted: &Address,
        options: &ListenOptions,
        id: ListenerId,
    ) -> io::Result<Address> {
        let door = open(wanted, options, self.backlog)?;
        let address = door.address;
        let mut socket = Registered::new(door.socket, &self.poller);
        socket.want(Token::Listener(id), READABLE)?;
        if self.sheds {
            // Without it, those who come when there are no descriptors wait.
            let _ = self.reserve.take();
        }
        let listening = Listening {
            #[cfg(unix)]
            file: door.file,
            socket,
            address: address.clone(),
            is_shared: door.is_shared,
        };
        self.table.borrow_mut().insert(id, listening);
        Ok(address)
    }

    pub(crate) fn close(&self, id: ListenerId) {
        let mut table = self.table.borrow_mut();
        table.remove(&id);
        if table.is_empty() {
            self.reserve.release();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Accept one connection.
    pub(crate) fn accept(&self, id: ListenerId) -> Accept<Registered<P>> {
        let table = self.table.borrow();
        let Some(listening) = table.get(&id) else {
            return Accept::Empty;
        };
        match (accept(listening.socket.socket()), &listening.address) {
            (Ok((socket, Some(remote))), Address::Inet(local)) => {
                self.prepare(socket, remote, *local)
            }
            #[cfg(unix)]
            (Ok((socket, _)), local @ Address::Unix(_)) => {
                match local::peer(&socket, Some(local)) {
                    Ok(peer) => Accept::Made(Registered::new(socket, &self.poller), peer),
                    Err(_) => Accept::Broken,
                }
            }
            (Ok(_), _) => Accept::Broken,
            (Err(error), _) => Accept::refused(error),
        }
    }

    fn prepare(
        &self,
        socket: Socket,
        remote: SocketAddr,
        listening: SocketAddr,
    ) -> Accept<Registered<P>> {
        let mut local = Some(listening);
        if listening.ip().is_unspecified() {
            local = socket.local_addr().ok().and_then(|local| local.as_socket());
        }
        let peer = peer(remote, local.unwrap_or(listening));
        #[cfg(not(target_os = "linux"))]
        if let Err(error) = fit(&socket) {
            return Accept::Unfit(peer, error);
        }
        Accept::Made(Registered::new(socket, &self.poller), peer)
    }

    /// Where a listener listens.
    pub(crate) fn address(&self, id: ListenerId) -> Option<Address> {
        self.table
            .borrow()
            .get(&id)
            .map(|listening| listening.address.clone())
    }

    /// Take a listener out of the poller.
    pub(crate) fn rest(&self, id: ListenerId) {
        if let Some(listening) = self.table.borrow_mut().get_mut(&id) {
            // At worst it stays in the poller and is sent to rest again.
            let _ = listening.socket.want(Token::Listener(id), NOTHING);
        }
    }

    /// Put a listener back into the poller. False if that failed.
    pub(crate) fn resume(&self, id: ListenerId) -> bool {
        match self.table.borrow_mut().get_mut(&id) {
            Some(listening) => listening.socket.want(Token::Listener(id), READABLE).is_ok(),
            // Closed meanwhile.
            None => true,
        }
    }
}

/// The ends of a connection, of the family that it really has: IPv4 that comes in at a listener for
/// both looks like IPv6 to the system.
pub(crate) fn peer(remote: SocketAddr, local: SocketAddr) -> Peer {
    Peer::new(canonical(remote), canonical(local))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(six) => match six.ip().to_ipv4_mapped() {
            Some(four) => SocketAddr::new(four.into(), six.port()),
            // With its scope.
            None => address,
        },
    }
}

/// A connection, fit for use: what it has not from the call, it has from the listening socket.
#[cfg(target_os = "linux")]
fn accept(listening: &Socket) -> io::Result<(Socket, Option<SocketAddr>)> {
    use rustix::net::{SocketFlags, acceptfrom_with};

    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (socket, remote) = acceptfrom_with(listening, flags)?;
    Ok((socket.into(), remote.and_then(|it| it.try_into().ok())))
}

#[cfg(not(target_os = "linux"))]
fn accept(listening: &Socket) -> io::Result<(Socket, Option<SocketAddr>)> {
    let (socket, remote) = listening.accept()?;
    Ok((socket, remote.as_socket()))
}

#[cfg(not(target_os = "linux"))]
fn fit(socket: &Socket) -> io::Result<()> {
    // Without it the connection is slower, not wrong.
    let _ = socket.set_tcp_nodelay(true);
    socket.set_nonblocking(true)
}

/// A socket that listens and does not block.
pub(crate) fn open(wanted: &Address, options: &ListenOptions, backlog: u32) -> io::Result<Door> {
    let backlog = options.backlog.unwrap_or(backlog);
    let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
    match wanted {
        Address::Inet(wanted) => {
            let only_v6 = !options.dual_stack;
            let listen = |address, prepare: Prepare| bind(address, (backlog, only_v6), prepare);
            let socket = ports::listen(*wanted, listen)?;
            let address = socket.local_addr()?.as_socket().unwrap_or(*wanted);
            Ok(Door {
                is_shared: ports::have_it_in_common(),
                ..Door::new(socket, address.into())
            })
        }
        #[cfg(unix)]
        Address::Unix(unix) => ports::share(wanted, Carries::Streams, || {
            local::listen(unix, options, backlog)
        }),
        #[cfg(unix)]
        Address::Adopted(adopted) => {
            ports::share(wanted, Carries::Streams, || adopting::listener(adopted))
        }
        _ => {
            let _ = options;
            Err(io::ErrorKind::Unsupported.into())
        }
    }
}

fn bind(
    address: SocketAddr,
    (backlog, only_v6): (i32, bool),
    prepare: Prepare,
) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the same option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // Whatever the system's default is.
        socket.set_only_v6(only_v6)?;
    }
    prepare(&socket)?;
    socket.bind(&address.into())?;
    // For its connections: on Linux they have it from the listening socket.
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_nodelay(true);
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
