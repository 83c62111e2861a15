//! Sockets that the program has already.

use std::io::{self, ErrorKind};

use socket2::{Socket, Type};
use torsade_core::{Adopted, Peer};

use crate::listener::Door;
use crate::local;

/// One that listens.
pub(crate) fn listener(adopted: &Adopted) -> io::Result<Door> {
    let socket = take(adopted)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        let text = "the adopted socket does not listen";
        return Err(io::Error::new(ErrorKind::InvalidInput, text));
    }
    let address = local::address(&socket.local_addr()?).ok_or(ErrorKind::Unsupported)?;
    if address.inet().is_some() {
        // For its connections, see `listener`.
        let _ = socket.set_tcp_nodelay(true);
    }
    Ok(Door {
        is_shared: true,
        ..Door::new(socket, address)
    })
}

/// One that is connected.
pub(crate) fn stream(adopted: &Adopted) -> io::Result<(Socket, Peer)> {
    let socket = take(adopted)?;
    let peer = local::peer(&socket, None)?;
    if peer.remote().inet().is_some() {
        let _ = socket.set_tcp_nodelay(true);
    }
    Ok((socket, peer))
}

fn take(adopted: &Adopted) -> io::Result<Socket> {
    let refused = |text: &str| io::Error::new(ErrorKind::InvalidInput, text);
    let descriptor = adopted.take();
    let descriptor = descriptor.ok_or_else(|| refused("the socket was adopted before"))?;
    let socket = Socket::from(descriptor);
    if socket.r#type()? != Type::STREAM {
        return Err(refused("the adopted socket is not one of streams"));
    }
    socket.set_nonblocking(true)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    Ok(socket)
}
