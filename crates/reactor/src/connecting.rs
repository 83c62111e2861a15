use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::Socket;
use torsade_core::{Address, AttemptId, Peer};

use crate::poller::Poller;
use crate::socket::Registered;
use crate::token::Token;
#[cfg(unix)]
use crate::{
    adopting::{self, Stream},
    local, stdio,
};

/// Sockets on their way to the other end, one for an attempt. The engine says when it gives one up.
#[derive(Debug)]
pub(crate) struct Connecting<P: Poller> {
    sockets: HashMap<AttemptId, Registered<P>>,
    poller: P,
}

impl<P: Poller> Connecting<P> {
    pub(crate) fn new(poller: &P) -> Self {
        Self {
            sockets: HashMap::new(),
            poller: poller.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Begin to connect. How it ended is known when the socket turns writable, or at once.
    pub(crate) fn begin(
        &mut self,
        attempt: AttemptId,
        address: &Address,
        local: Option<&Address>,
    ) -> io::Result<Option<(Registered<P>, Peer)>> {
        let Address::Inet(address) = address else {
            return self.reach(address).map(Some);
        };
        self.begin_inet(attempt, *address, local)?;
        Ok(None)
    }

    /// Connect where that takes no time.
    #[cfg(unix)]
    pub(crate) fn reach(&self, address: &Address) -> io::Result<(Registered<P>, Peer)> {
        let (stream, peer) = reach(address)?;
        let socket = match stream {
            Stream::Socket(socket) => Registered::new(socket, &self.poller),
            Stream::Pipes {
                input,
                output,
                outlet,
            } => {
                let ends = (input, output);
                Registered::of_pipes(ends, outlet, &self.poller).ok_or(ErrorKind::InvalidInput)?
            }
        };
        Ok((socket, peer))
    }

    /// There are no such addresses here.
    #[cfg(not(unix))]
    fn reach(&self, _: &Address) -> io::Result<(Registered<P>, Peer)> {
        Err(ErrorKind::Unsupported.into())
    }

    fn begin_inet(
        &mut self,
        attempt: AttemptId,
        address: SocketAddr,
        local: Option<&Address>,
    ) -> io::Result<()> {
        let socket = open(address)?;
        prepare(&socket, local)?;
        loop {
            match socket.connect(&address.into()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if !is_under_way(&error) => return Err(error),
                Ok(()) | Err(_) => break,
            }
        }
        let mut socket = Registered::new(socket, &self.poller);
        socket.want_writable_once(Token::Attempt(attempt))?;
        self.sockets.insert(attempt, socket);
        Ok(())
    }

    /// Forget an attempt.
    pub(crate) fn cancel(&mut self, attempt: AttemptId) {
        self.sockets.remove(&attempt);
    }

    /// The socket turned writable: how the attempt ended, if it did.
    pub(crate) fn writable(
        &mut self,
        attempt: AttemptId,
    ) -> Option<io::Result<(Registered<P>, Peer)>> {
        let socket = self.sockets.get_mut(&attempt)?;
        let outcome = match outcome(socket.socket()) {
            Some(outcome) => outcome,
            // The poller said so for another reason, or too early.
            None => Err(socket.want_writable_once(Token::Attempt(attempt)).err()?),
        };
        let socket = self.sockets.remove(&attempt)?;
        Some(outcome.map(|peer| (socket, peer)))
    }
}

/// What a socket of the internet needs before it connects, from there if that is said.
pub(crate) fn prepare(socket: &Socket, local: Option<&Address>) -> io::Result<()> {
    if let Some(local) = local {
        let local = local.inet().ok_or(ErrorKind::InvalidInput)?;
        socket.bind(&local.into())?;
    }
    // Without it the connection is slower, not wrong.
    let _ = socket.set_tcp_nodelay(true);
    Ok(())
}

/// Connect where that takes no time.
#[cfg(unix)]
pub(crate) fn reach(address: &Address) -> io::Result<(Stream, Peer)> {
    match address {
        Address::Unix(unix) => {
            let socket = local::connect(unix)?;
            let peer = local::peer(&socket, None)?;
            Ok((Stream::Socket(socket), peer))
        }
        Address::Adopted(adopted) => adopting::stream(adopted),
        Address::Stdio => stdio::open(),
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// Whether a connect goes on in the background. One that was interrupted may do so already.
#[cfg(unix)]
fn is_under_way(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINPROGRESS | libc::EALREADY)
    )
}

/// Whether a connect goes on in the background.
#[cfg(not(unix))]
fn is_under_way(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

/// A socket that does not block.
#[cfg(target_os = "linux")]
fn open(address: SocketAddr) -> io::Result<Socket> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    Ok(socket.into())
}

/// A socket that does not block.
#[cfg(not(target_os = "linux"))]
fn open(address: SocketAddr) -> io::Result<Socket> {
    use socket2::{Domain, Protocol, Type};

    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How a connect ended; `None` if it goes on. A connected socket is not asked for its error.
pub(crate) fn outcome(socket: &Socket) -> Option<io::Result<Peer>> {
    let ends = socket.peer_addr().and_then(|remote| {
        let local = socket.local_addr()?;
        Ok((remote.as_socket(), local.as_socket()))
    });
    Some(match ends {
        // A system that found the port it was to connect from to be the one to connect to: nobody
        // listens there, the socket met itself.
        Ok((Some(remote), Some(local))) if remote == local => {
            Err(ErrorKind::ConnectionRefused.into())
        }
        Ok((Some(remote), Some(local))) => Ok(Peer::new(remote, local)),
        Ok(_) => Err(ErrorKind::Unsupported.into()),
        Err(no_peer) => match socket.take_error() {
            Ok(Some(error)) | Err(error) => Err(error),
            Ok(None) if no_peer.kind() == ErrorKind::NotConnected => return None,
            Ok(None) => Err(no_peer),
        },
    })
}
