//! Descriptors that go along with the bytes of a Unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use socket2::Socket;
use torsade_core::Descriptor;
use torsade_core::driver::Chunk;

/// Pieces that are sent at once.
const PIECES: usize = 64;
/// Linux has no message with more descriptors (`SCM_MAX_FD`).
const MOST: usize = 253;

/// Send the front of a chunk, with what must go with it. Returns how many bytes went; descriptors
/// go with the first.
pub(crate) fn send(socket: &Socket, chunk: &Chunk) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); PIECES];
    let filled = chunk.slices(&mut slices);
    let passed: Vec<BorrowedFd<'_>> = chunk.descriptors().iter().map(AsFd::as_fd).collect();
    let rights = SendAncillaryMessage::ScmRights(&passed);
    let mut space = vec![MaybeUninit::uninit(); rights.size()];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // There is room for exactly this.
    control.push(rights);
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(socket, &slices[..filled], &mut control, flags)?)
}

/// Read once, with the descriptors that come along. If some were lost, all of them are closed and
/// it is an error: nobody could tell which of them are missing.
pub(crate) fn receive(
    socket: &Socket,
    buffer: &mut [u8],
    descriptors: &mut Vec<Descriptor>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let buffers = &mut [IoSliceMut::new(buffer)];
    let message = recvmsg(socket, buffers, &mut control, flags())?;
    // Owned from here on, whatever becomes of the message.
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        descriptors.clear();
        // There is room for any message: what was missing is descriptors of this process.
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    #[cfg(not(target_os = "linux"))]
    for descriptor in descriptors.iter() {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok(message.bytes)
}

#[cfg(target_os = "linux")]
fn flags() -> RecvFlags {
    RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC
}

#[cfg(not(target_os = "linux"))]
fn flags() -> RecvFlags {
    RecvFlags::DONTWAIT
}
