use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use torsade_core::{AttemptId, Peer};

use crate::poller::Poller;
use crate::socket::Registered;
use crate::token::Token;

/// Sockets on their way to the other end. The engine tries one address at a time for an attempt,
/// and says when it gives the attempt up.
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

    /// Begin to connect. How it ended is known when the socket turns writable.
    pub(crate) fn begin(&mut self, attempt: AttemptId, address: SocketAddr) -> io::Result<()> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Without it the connection is slower, not wrong.
        let _ = socket.set_tcp_nodelay(true);
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            Ok(()) | Err(_) => {}
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
            // The event was an older socket's of this attempt.
            None => Err(socket.want_writable_once(Token::Attempt(attempt)).err()?),
        };
        let socket = self.sockets.remove(&attempt)?;
        Some(outcome.map(|peer| (socket, peer)))
    }
}

/// Whether a connect goes on in the background.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn outcome(socket: &Socket) -> Option<io::Result<Peer>> {
    match socket.take_error() {
        Ok(None) => {}
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
    }
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
        // No error and no peer: it is not over.
        Err(error) if error.kind() == ErrorKind::NotConnected => return None,
        Err(error) => Err(error),
    })
}
