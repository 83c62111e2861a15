use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use socket2::{Domain, Protocol, SockAddr, Type};
use torsade_core::{Address, AttemptId, Peer};

use super::file::{File, Files};
use super::ring::{Completion, OpId, Ring};
use super::streams::{NewPipes, Socket};
use super::tag::Tag;
use crate::adopting::Stream;
use crate::connecting::{outcome, prepare, reach};

/// Sockets on their way to the other end, one for an attempt. The engine says when it gives one up.
#[derive(Debug)]
pub(crate) struct Connecting {
    attempts: HashMap<AttemptId, (File, OpId)>,
    ring: Rc<Ring>,
}

impl Connecting {
    pub(crate) fn new(ring: &Rc<Ring>) -> Self {
        Self {
            attempts: HashMap::new(),
            ring: Rc::clone(ring),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Begin to connect. How it ended is told by the ring, or known at once.
    pub(crate) fn begin(
        &mut self,
        attempt: AttemptId,
        address: &Address,
        local: Option<&Address>,
    ) -> io::Result<Option<(Socket, Peer)>> {
        let Address::Inet(address) = address else {
            return reached(address, &self.ring.files()).map(Some);
        };
        self.begin_inet(attempt, *address, local)?;
        Ok(None)
    }

    fn begin_inet(
        &mut self,
        attempt: AttemptId,
        address: SocketAddr,
        local: Option<&Address>,
    ) -> io::Result<()> {
        let domain = Domain::for_address(address);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        prepare(&socket, local)?;
        let file = File::new(socket, &self.ring.files());
        let address = SockAddr::from(address);
        let op = self.ring.connect(&file, Tag::Attempt(attempt), address);
        self.attempts.insert(attempt, (file, op));
        Ok(())
    }

    /// Forget an attempt. Its socket is closed when the kernel has let go of it.
    pub(crate) fn cancel(&mut self, attempt: AttemptId) {
        if let Some((_, op)) = self.attempts.remove(&attempt) {
            self.ring.cancel(op);
        }
    }

    /// How an attempt ended; `None` if it was another socket's, which is forgotten.
    pub(crate) fn ended(
        &mut self,
        attempt: AttemptId,
        completion: &Completion,
    ) -> Option<io::Result<(File, Peer)>> {
        let (_, op) = self.attempts.get(&attempt)?;
        if *op != completion.op {
            return None;
        }
        let (file, _) = self.attempts.remove(&attempt)?;
        if let Err(error) = completion.outcome.result() {
            return Some(Err(error));
        }
        let ends = file.descriptor().and_then(outcome);
        // Connected, and gone again.
        let gone = || Err(io::ErrorKind::ConnectionReset.into());
        Some(ends.unwrap_or_else(gone).map(|peer| (file, peer)))
    }
}

/// Connect where that takes no time.
pub(crate) fn reached(address: &Address, files: &Files) -> io::Result<(Socket, Peer)> {
    let (stream, peer) = reach(address)?;
    let socket = match stream {
        Stream::Socket(socket) => Socket::New(File::new(socket, files)),
        Stream::Pipes {
            input,
            output,
            outlet,
        } => {
            let pipes = NewPipes::new((input, output), outlet, files);
            let pipes = pipes.ok_or(io::ErrorKind::InvalidInput)?;
            Socket::NewPipes(Box::new(pipes))
        }
    };
    Ok((socket, peer))
}
