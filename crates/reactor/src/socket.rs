//! Sockets that are known to a poller: the one place of torsade with `unsafe`.
#![expect(
    unsafe_code,
    reason = "a poller must be promised that a source is taken out before it is closed; \
              the type here keeps that promise, so that nobody else has to make it; and no crate \
              has a safe call for what a socket's send queue holds"
)]

use std::io;
use std::sync::Arc;

use polling::{PollMode, Poller};
use socket2::Socket;
use torsade_core::driver::Interest;

use crate::token::Token;

/// A socket, in its poller whenever somebody is interested in it.
///
/// ```text
///                want(some)
///   out of it ---------------> in the poller --+
///             <---------------                 | want(other)
///             want(nothing), drop  ^-----------+
/// ```
///
/// The existence of this value is the proof that [`Poller::add`] asks for: the socket is owned
/// here, is never given away, and is deleted from the poller before it is closed. That is why
/// there is no way to take it out and no `&mut` to replace it through.
#[derive(Debug)]
pub(crate) struct Registered {
    socket: Socket,
    poller: Arc<Poller>,
    /// The interest that the poller knows of. With neither wanted the socket is not in it.
    interest: Interest,
}

impl Registered {
    /// A socket that nobody is interested in yet.
    pub(crate) fn new(socket: Socket, poller: &Arc<Poller>) -> Self {
        Self {
            socket,
            poller: Arc::clone(poller),
            interest: Interest::default(),
        }
    }

    #[inline]
    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// What the poller reports.
    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        self.interest
    }

    /// Bytes that were handed to the system and that the peer's has not acknowledged.
    #[cfg(target_os = "linux")]
    pub(crate) fn unsent(&self) -> Option<usize> {
        use std::ffi::c_int;

        use rustix::ioctl::{Getter, ioctl};

        /// By its other name `TIOCOUTQ`, which asks the same of a terminal.
        const SIOCOUTQ: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;
        // SAFETY: the opcode is one that writes a `c_int` through its argument, to sockets and
        // terminals alike, and does nothing else: that is what a `Getter` of a `c_int` has room
        // for. What does not know it returns an error and writes nothing.
        let unsent = unsafe { ioctl(&self.socket, Getter::<SIOCOUTQ, c_int>::new()) };
        usize::try_from(unsent.ok()?).ok()
    }

    /// Not told: the call for it is another one on each system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn unsent(&self) -> Option<usize> {
        None
    }

    /// From now on report these events, as being about `token`.
    pub(crate) fn want(&mut self, token: Token, interest: Interest) -> io::Result<()> {
        let event = token.event(interest);
        match (is_in(self.interest), is_in(interest)) {
            (false, false) => {}
            (false, true) => {
                // SAFETY: `self.socket` is open, because it is owned. It stays so until `self` is
                // dropped, and `drop` deletes it from the poller first: from here on
                // `self.interest` says that it has to, unless adding it failed. If `self` is
                // forgotten instead, the socket is never closed. The poller itself outlives the
                // registration by the reference that `self` holds.
                unsafe {
                    self.poller
                        .add_with_mode(&self.socket, event, PollMode::Level)?;
                }
            }
            (true, true) => {
                self.poller
                    .modify_with_mode(&self.socket, event, PollMode::Level)?;
            }
            (true, false) => self.poller.delete(&self.socket)?,
        }
        self.interest = interest;
        Ok(())
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        if is_in(self.interest) {
            // It can fail only if the poller does not know the socket, which is what is wanted.
            let _ = self.poller.delete(&self.socket);
        }
    }
}

/// Whether a socket with this interest is in the poller.
fn is_in(interest: Interest) -> bool {
    interest.readable || interest.writable
}
