//! Sockets that are known to a poller, and what is asked of them.
#![expect(
    unsafe_code,
    reason = "no crate has a safe call for what a socket's send queue holds, nor a sound one for \
              who is at the other end"
)]

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;

use socket2::Socket;
#[cfg(unix)]
use torsade_core::Credentials;
use torsade_core::PortId;
use torsade_core::driver::Interest;

use crate::datagrams::PortSocket;
#[cfg(unix)]
use crate::event_loop::{Registrar, Registration};
use crate::poller::{Often, Poller};
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
/// The socket is owned here, is never given away, and is taken out of the poller before it is
/// closed: that is the promise of [`Kept`], which `unsafe` code relies on. That is why there is no
/// way to take it out and no `&mut` to replace it through.
#[derive(Debug)]
pub(crate) struct Registered<P: Poller> {
    socket: Socket,
    poller: P,
    /// The interest that the poller knows of. With neither wanted the socket is not in it.
    interest: Interest,
}

impl<P: Poller> Registered<P> {
    /// A socket that nobody is interested in yet.
    pub(crate) fn new(socket: Socket, poller: &P) -> Self {
        Self {
            socket,
            poller: poller.clone(),
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

    /// From now on report these events, as being about `token`.
    pub(crate) fn want(&mut self, token: Token, interest: Interest) -> io::Result<()> {
        if !is_in(interest) {
            return self.leave();
        }
        self.put(token, interest, Often::Always)
    }

    /// Report once that the socket is writable. Whatever is wanted next finds it in the poller,
    /// which spares a system call.
    pub(crate) fn want_writable_once(&mut self, token: Token) -> io::Result<()> {
        let writable = Interest {
            readable: false,
            writable: true,
        };
        self.put(token, writable, Often::Once)
    }

    fn put(&mut self, token: Token, interest: Interest, often: Often) -> io::Result<()> {
        if is_in(self.interest) {
            self.poller.modify(&self.socket, token, interest, often)?;
        } else {
            // The socket is open, because it is owned. It stays so until `self` is dropped, and
            // `drop` tells the poller first: from here on `self.interest` says that it has to,
            // unless adding it failed. If `self` is forgotten instead, the socket is never closed.
            // The poller itself outlives the registration by the handle that `self` holds.
            self.poller
                .add(Kept(&self.socket), token, interest, often)?;
        }
        self.interest = interest;
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        if is_in(self.interest) {
            self.poller.delete(&self.socket)?;
            self.interest = Interest::default();
        }
        Ok(())
    }
}

/// A socket with the promise that is given to pollers: before it is closed it is taken out, by
/// [`Poller::delete`], or by [`Poller::closes`] with the close right behind it.
///
/// `unsafe` code relies on it, so only [`Registered`] can make one.
#[derive(Debug)]
pub(crate) struct Kept<'a>(&'a Socket);

impl Kept<'_> {
    pub(crate) fn socket(&self) -> &Socket {
        self.0
    }
}

impl<P: Poller> Drop for Registered<P> {
    fn drop(&mut self) {
        if is_in(self.interest) {
            self.poller.closes(&self.socket);
        }
    }
}

impl<P: Poller> PortSocket for Registered<P> {
    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn want(&mut self, port: PortId, interest: Interest) -> io::Result<()> {
        self.want(Token::Port(port), interest)
    }
}

/// A descriptor that has others of the same open file, which closing it leaves open.
#[cfg(unix)]
#[derive(Debug)]
struct Foreign<P: Poller>(Registered<P>);

#[cfg(unix)]
impl<P: Poller> Registrar for P {
    fn register(
        &self,
        own: OwnedFd,
        token: Token,
        interest: Interest,
    ) -> io::Result<Box<dyn Registration>> {
        let mut foreign = Foreign(Registered::new(own.into(), self));
        foreign.0.want(token, interest)?;
        Ok(Box::new(foreign))
    }
}

#[cfg(unix)]
impl<P: Poller> Registration for Foreign<P> {
    fn socket(&self) -> &Socket {
        &self.0.socket
    }
}

#[cfg(unix)]
impl<P: Poller> Drop for Foreign<P> {
    fn drop(&mut self) {
        // It can fail only if the poller does not know it, which is what is wanted.
        let _ = self.0.leave();
    }
}

/// Whether a socket with this interest is in the poller.
fn is_in(interest: Interest) -> bool {
    interest.readable || interest.writable
}

/// Who is at the other end of a Unix socket.
#[cfg(target_os = "linux")]
pub(crate) fn credentials(socket: &Socket) -> Option<Credentials> {
    use std::os::fd::AsRawFd;

    let mut found = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the option is one that writes a `ucred`, which `found` is and `len` says the size of;
    // what has no such option returns an error and writes nothing. Every value of its numbers is
    // one, and the 0 of a process that cannot be named here is why no safe call is used: the type
    // there has no 0.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut len,
        )
    };
    let pid = u32::try_from(found.pid).ok().filter(|pid| *pid > 0);
    // A pair that was never connected has nobody, whom the system gives no user.
    (result == 0 && found.uid != u32::MAX).then(|| Credentials::new(found.uid, found.gid, pid))
}

/// Not told: the call for it is another one on each system.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn credentials(_: &Socket) -> Option<Credentials> {
    None
}

/// Bytes that were handed to the system and that the peer's has not acknowledged.
#[cfg(target_os = "linux")]
pub(crate) fn unsent(socket: &Socket) -> Option<usize> {
    use std::ffi::c_int;

    use rustix::ioctl::{Getter, ioctl};

    /// By its other name `TIOCOUTQ`, which asks the same of a terminal.
    const SIOCOUTQ: rustix::ioctl::Opcode = libc::TIOCOUTQ as rustix::ioctl::Opcode;
    // SAFETY: the opcode is one that writes a `c_int` through its argument, to sockets and
    // terminals alike, and does nothing else: that is what a `Getter` of a `c_int` has room for.
    // What does not know it returns an error and writes nothing.
    let unsent = unsafe { ioctl(socket, Getter::<SIOCOUTQ, c_int>::new()) };
    usize::try_from(unsent.ok()?).ok()
}

/// Not told: the call for it is another one on each system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn unsent(_: &Socket) -> Option<usize> {
    None
}
