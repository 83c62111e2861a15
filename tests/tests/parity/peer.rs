//! The plain peer: a raw socket that does what the scenario says.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::play::{Act, Seen};

/// So small that a flow stops soon when the peer does not read.
const RECEIVE_BUFFER: usize = 64 * 1024;

pub(crate) struct Peer {
    stream: Option<TcpStream>,
    pub(crate) received: Vec<u8>,
    pub(crate) seen: Seen,
    buffer: Vec<u8>,
}

/// Where a subject that connects finds its peer.
pub(crate) struct Door(TcpListener);

impl Door {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = small_socket()?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        socket.listen(8)?;
        Ok(Self(socket.into()))
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }

    pub(crate) fn accept(&self) -> io::Result<Peer> {
        Peer::new(self.0.accept()?.0)
    }
}

impl Peer {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let socket = small_socket()?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        Self::new(socket.into())
    }

    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: Some(stream),
            received: Vec::new(),
            seen: Seen::Open,
            buffer: vec![0; 256 * 1024],
        })
    }

    /// The socket, while it is worth to wait for it.
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
        match self.seen {
            Seen::Open => self.stream.as_ref(),
            Seen::Fin | Seen::Rst | Seen::FinRst | Seen::Left => None,
        }
    }

    pub(crate) fn act(&mut self, act: Act) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        match act {
            Act::Send(text) => {
                let sent = stream.write_all(text.as_bytes());
                self.unless_reset(sent)
            }
            Act::Finish => {
                let ended = stream.shutdown(Shutdown::Write);
                self.unless_reset(ended)
            }
            Act::Reset => {
                socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
                self.leave();
                Ok(())
            }
            Act::Close => {
                self.leave();
                Ok(())
            }
        }
    }

    /// The subject may have reset the connection before. A kernel says that once.
    fn unless_reset(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result.as_ref().map_err(io::Error::kind) {
            Err(ErrorKind::ConnectionReset) => self.seen = Seen::Rst,
            Err(ErrorKind::BrokenPipe | ErrorKind::NotConnected) => {}
            _ => return result,
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.stream = None;
        if self.seen == Seen::Open {
            self.seen = Seen::Left;
        }
    }

    /// Read some of what is there. Returns whether that was anything.
    pub(crate) fn read(&mut self) -> io::Result<bool> {
        let mut moved = false;
        if let (Seen::Open, Some(stream)) = (self.seen, &mut self.stream) {
            moved = true;
            match stream.read(&mut self.buffer) {
                Ok(0) => self.seen = Seen::Fin,
                Ok(n) => self.received.extend_from_slice(&self.buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => moved = false,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.seen = Seen::Rst,
                Err(error) => return Err(error),
            }
        }
        if let (Seen::Fin, Some(stream)) = (self.seen, &self.stream)
            && stream.take_error()?.is_some()
        {
            self.seen = Seen::FinRst;
        }
        Ok(moved)
    }
}

/// Two sockets of this process: what is sent through them arrives after what was sent before.
pub(crate) struct Marker(TcpStream, TcpStream);

impl Marker {
    pub(crate) fn new() -> io::Result<Self> {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let there = TcpStream::connect(door.local_addr()?)?;
        let (here, _) = door.accept()?;
        here.set_nodelay(true)?;
        Ok(Self(here, there))
    }

    /// Everything that was sent on this machine before has arrived when this returns: what a kernel
    /// does on loopback it does in order.
    pub(crate) fn pass(&mut self) -> io::Result<()> {
        self.0.write_all(&[0])?;
        self.1.read_exact(&mut [0])
    }
}

fn small_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    Ok(socket)
}
