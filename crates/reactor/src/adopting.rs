//! Sockets and pipes that the program has already.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{FdFlags, fcntl_setfd};
use socket2::{Socket, Type};
use torsade_core::{Address, Adopted, Peer, Taken};

use crate::listener::Door;
use crate::local;
use crate::stdio::Outlet;

/// One that listens.
pub(crate) fn listener(adopted: &Adopted) -> io::Result<Door> {
    let Taken::Socket(descriptor) = take(adopted)? else {
        return Err(refused("pipes do not listen"));
    };
    let socket = socket(descriptor)?;
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

/// What is a connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Socket(Socket),
    /// At least one of them.
    Pipes {
        input: Option<Socket>,
        output: Option<Socket>,
        /// Who moves what goes to the output on to where it belongs.
        outlet: Option<Arc<Outlet>>,
    },
}

/// One that is connected, or pipes.
pub(crate) fn stream(adopted: &Adopted) -> io::Result<(Stream, Peer)> {
    let descriptor = match take(adopted)? {
        Taken::Socket(descriptor) => descriptor,
        Taken::Pipes {
            input,
            output,
            name,
        } => {
            let stream = Stream::Pipes {
                input: input.map(|it| pipe(it, OFlags::WRONLY)).transpose()?,
                output: output.map(|it| pipe(it, OFlags::RDONLY)).transpose()?,
                outlet: None,
            };
            return Ok((
                stream,
                Peer::new(Address::Named(Arc::clone(&name)), Address::Named(name)),
            ));
        }
    };
    let socket = socket(descriptor)?;
    let peer = local::peer(&socket, None)?;
    if peer.remote().inet().is_some() {
        let _ = socket.set_tcp_nodelay(true);
    }
    Ok((Stream::Socket(socket), peer))
}

fn take(adopted: &Adopted) -> io::Result<Taken> {
    let taken = adopted.take();
    taken.ok_or_else(|| refused("it was adopted before"))
}

fn socket(descriptor: OwnedFd) -> io::Result<Socket> {
    let socket = Socket::from(descriptor);
    if socket.r#type()? != Type::STREAM {
        return Err(refused("the adopted socket is not one of streams"));
    }
    prepare(socket)
}

/// One that bytes come from or go to; `wrong` is the mode in which they could not.
fn pipe(descriptor: OwnedFd, wrong: OFlags) -> io::Result<Socket> {
    let kind = FileType::from_raw_mode(fstat(&descriptor)?.st_mode);
    if !matches!(
        kind,
        FileType::Fifo | FileType::CharacterDevice | FileType::Socket
    ) {
        return Err(refused("what was adopted is no pipe"));
    }
    if fcntl_getfl(&descriptor)? & OFlags::RWMODE == wrong {
        return Err(refused("the adopted pipe is open for the other direction"));
    }
    prepare(Socket::from(descriptor))
}

fn prepare(socket: Socket) -> io::Result<Socket> {
    socket.set_nonblocking(true)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    Ok(socket)
}

fn refused(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, text)
}
