use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use polling::Poller;
use socket2::{Domain, Protocol, Socket, Type};
use torsade_core::driver::Interest;
use torsade_core::{ListenerId, Peer};

use crate::socket::Registered;
use crate::token::Token;

/// The listening sockets of a reactor. Programs reach it through `listen` and `close`, in the
/// middle of their callbacks, so it is never left borrowed.
#[derive(Debug)]
pub(crate) struct Listeners {
    table: RefCell<HashMap<ListenerId, Listening>>,
    poller: Arc<Poller>,
    backlog: i32,
}

/// One listening socket.
///
/// ```text
///            accept fails for want of resources
///   accepts -----------------------------------> rests: out of the poller
///       <---------------------------------------
///                     a second later
/// ```
#[derive(Debug)]
struct Listening {
    socket: Registered,
    address: SocketAddr,
    /// Whether the failure that goes on was logged.
    complained: bool,
}

/// What came of one accept.
pub(crate) enum Accept {
    /// A connection.
    Made(Socket, Peer),
    /// That one failed or broke off; the next may not.
    Broken,
    /// None waits.
    Empty,
    /// The system is out of something, or worse.
    Failed(io::Error),
}

const READABLE: Interest = Interest {
    readable: true,
    writable: false,
};
const NOTHING: Interest = Interest {
    readable: false,
    writable: false,
};

impl Listeners {
    pub(crate) fn new(poller: &Arc<Poller>, backlog: u32) -> Self {
        Self {
            table: RefCell::default(),
            poller: Arc::clone(poller),
            backlog: i32::try_from(backlog).unwrap_or(i32::MAX),
        }
    }

    pub(crate) fn listen(&self, wanted: SocketAddr, id: ListenerId) -> io::Result<SocketAddr> {
        let socket = bind(wanted, self.backlog)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(wanted);
        let mut socket = Registered::new(socket, &self.poller);
        socket.want(Token::Listener(id), READABLE)?;
        let listening = Listening {
            socket,
            address,
            complained: false,
        };
        self.table.borrow_mut().insert(id, listening);
        Ok(address)
    }

    pub(crate) fn close(&self, id: ListenerId) {
        self.table.borrow_mut().remove(&id);
    }

    pub(crate) fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Accept one connection.
    pub(crate) fn accept(&self, id: ListenerId) -> Accept {
        let mut table = self.table.borrow_mut();
        let Some(listening) = table.get_mut(&id) else {
            return Accept::Empty;
        };
        match listening.socket.socket().accept() {
            Ok((socket, remote)) => {
                listening.complained = false;
                prepare(socket, remote.as_socket(), listening.address)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Accept::Empty,
                // What happened to the connection before it was accepted; some systems tell the
                // error of its network here.
                ErrorKind::Interrupted
                | ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionReset
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::NetworkUnreachable => Accept::Broken,
                _ => Accept::Failed(error),
            },
        }
    }

    /// Take a listener out of the poller. Says where it listens if this is the first failure
    /// since it last accepted.
    pub(crate) fn rest(&self, id: ListenerId) -> Option<SocketAddr> {
        let mut table = self.table.borrow_mut();
        let listening = table.get_mut(&id)?;
        // At worst it stays in the poller and fails again.
        let _ = listening.socket.want(Token::Listener(id), NOTHING);
        let first = !std::mem::replace(&mut listening.complained, true);
        first.then_some(listening.address)
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

fn bind(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // On Windows the same option would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // One listener, one family, whatever the system's default is.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn prepare(socket: Socket, remote: Option<SocketAddr>, listening: SocketAddr) -> Accept {
    let local = if listening.ip().is_unspecified() {
        socket.local_addr().ok().and_then(|local| local.as_socket())
    } else {
        Some(listening)
    };
    match (remote, local, socket.set_nonblocking(true)) {
        (Some(remote), Some(local), Ok(())) => {
            // Without it the connection is slower, not wrong.
            let _ = socket.set_tcp_nodelay(true);
            Accept::Made(socket, Peer::new(remote, local))
        }
        _ => Accept::Broken,
    }
}
