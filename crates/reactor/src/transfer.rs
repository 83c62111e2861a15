//! Bytes between a socket and memory, once.
//!
//! On Linux these are the bare system calls: the C library's wrappers cost as much again as what
//! a readiness loop adds to a message around them.

use std::io;

use socket2::Socket;

#[cfg(target_os = "linux")]
#[inline(always)]
pub(crate) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(socket, buffer)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn receive(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut socket, buffer)
}

#[cfg(target_os = "linux")]
#[inline(always)]
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    let flags = rustix::net::SendFlags::NOSIGNAL;
    Ok(rustix::net::send(socket, bytes, flags)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn send(socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.send_with_flags(bytes, NO_SIGNAL)
}

/// Whether a send is to be tried again when the socket is writable. Some systems say that they are
/// out of buffers, which passes, where others say that it would block.
pub(crate) fn is_for_later(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::ENOBUFS) && !planted!("no_buffers_is_the_end") {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}

/// A peer that is gone must be an error, not a signal that ends the process. Rust programs ignore
/// the signal, but a library may live in another's. Apple's systems have an option of the socket
/// instead, which is set where sockets are made, and Windows has no signals.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(crate) const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
pub(crate) const NO_SIGNAL: i32 = 0;
