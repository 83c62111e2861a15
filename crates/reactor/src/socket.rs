//! Sockets that are known to a poller, and what is asked of them.
#![expect(
    unsafe_code,
    reason = "no crate has a safe call for what a socket's send queue holds, nor a sound one for \
              who is at the other end"
)]

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::sync::Arc;

use socket2::Socket;
#[cfg(unix)]
use torsade_core::Credentials;
use torsade_core::PortId;
use torsade_core::driver::Interest;
#[cfg(unix)]
use torsade_core::driver::Ways;

use crate::datagrams::PortSocket;
#[cfg(unix)]
use crate::event_loop::{Registrar, Registration};
#[cfg(unix)]
use crate::pipes::Pipes;
use crate::poller::{Often, Poller};
#[cfg(unix)]
use crate::stdio::Outlet;
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
pub(crate) struct Registered<P: Poller>(Ends<P>);

/// What is owned. What every message needs of either lies at the same place in both, so that no
/// message costs a look which it is.
#[derive(Debug)]
enum Ends<P: Poller> {
    Socket {
        socket: Socket,
        /// The interest that the poller knows of. With neither wanted the socket is not in it.
        interest: Interest,
        poller: P,
    },
    #[cfg(unix)]
    Pipes {
        /// What is read from; without that, what is written to.
        socket: Socket,
        interest: Interest,
        more: Box<Piped<P>>,
    },
}

/// What a connection over pipes has beside the first of them.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Piped<P: Poller> {
    poller: P,
    /// What is written to, if that is not what is read from.
    output: Option<Registered<P>>,
    pub(crate) pipes: Pipes,
}

impl<P: Poller> Registered<P> {
    /// A socket that nobody is interested in yet.
    pub(crate) fn new(socket: Socket, poller: &P) -> Self {
        Self(Ends::Socket {
            socket,
            interest: Interest::default(),
            poller: poller.clone(),
        })
    }

    #[inline]
    pub(crate) fn socket(&self) -> &Socket {
        match &self.0 {
            Ends::Socket { socket, .. } => socket,
            #[cfg(unix)]
            Ends::Pipes { socket, .. } => socket,
        }
    }

    /// What the poller reports of the socket.
    #[inline]
    pub(crate) fn interest(&self) -> Interest {
        match self.0 {
            Ends::Socket { interest, .. } => interest,
            #[cfg(unix)]
            Ends::Pipes { interest, .. } => interest,
        }
    }

    /// Whether it is one socket, and no pipes.
    #[inline]
    pub(crate) fn is_socket(&self) -> bool {
        matches!(self.0, Ends::Socket { .. })
    }

    /// From now on report these events, as being about `token`.
    pub(crate) fn want(&mut self, token: Token, interest: Interest) -> io::Result<()> {
        #[cfg(unix)]
        if let Ends::Pipes { .. } = &self.0 {
            return self.want_of_pipes(token, interest);
        }
        self.want_own(token, interest)
    }

    fn want_own(&mut self, token: Token, interest: Interest) -> io::Result<()> {
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
        let (socket, poller) = (self.socket(), self.poller());
        let asked = self.asked(interest);
        if is_in(self.interest()) {
            poller.modify(socket, token, asked, often)?;
        } else {
            // The socket is open, because it is owned. It stays so until `self` is dropped, and
            // `drop` tells the poller first: from here on `self.interest` says that it has to,
            // unless adding it failed. If `self` is forgotten instead, the socket is never closed.
            // The poller itself outlives the registration by the handle that `self` holds.
            poller.add(Kept(socket), token, asked, often)?;
        }
        self.set_interest(interest);
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        if is_in(self.interest()) {
            self.poller().delete(self.socket())?;
            self.set_interest(Interest::default());
        }
        Ok(())
    }

    #[inline]
    fn poller(&self) -> &P {
        match &self.0 {
            Ends::Socket { poller, .. } => poller,
            #[cfg(unix)]
            Ends::Pipes { more, .. } => &more.poller,
        }
    }

    fn set_interest(&mut self, now: Interest) {
        match &mut self.0 {
            Ends::Socket { interest, .. } => *interest = now,
            #[cfg(unix)]
            Ends::Pipes { interest, .. } => *interest = now,
        }
    }

    /// What the poller is to say for this interest.
    fn asked(&self, interest: Interest) -> Interest {
        #[cfg(unix)]
        if let Ends::Pipes { more, .. } = &self.0
            && more.pipes.ways() == Ways::Out
        {
            // A terminal that is only written to may have input, which is not ours. That it is
            // broken is said to who wants nothing.
            let readable = false;
            return Interest {
                readable,
                ..interest
            };
        }
        interest
    }
}

/// Pipes: one descriptor, or one for each direction.
#[cfg(unix)]
impl<P: Poller> Registered<P> {
    /// Pipes that nobody is interested in yet; none of neither.
    pub(crate) fn of_pipes(
        (input, output): (Option<Socket>, Option<Socket>),
        outlet: Option<Arc<Outlet>>,
        poller: &P,
    ) -> Option<Self> {
        let pipes = Pipes::of(input.is_some(), output.is_some(), outlet)?;
        let (socket, output) = match (input, output) {
            (Some(input), output) => (input, output),
            (None, output) => (output?, None),
        };
        let more = Piped {
            poller: poller.clone(),
            output: output.map(|output| Self::new(output, poller)),
            pipes,
        };
        Some(Self(Ends::Pipes {
            socket,
            interest: Interest::default(),
            more: Box::new(more),
        }))
    }

    /// What is special of pipes, and what is read from, if these are pipes.
    #[inline]
    pub(crate) fn piped(&mut self) -> Option<(&Socket, &mut Piped<P>)> {
        match &mut self.0 {
            Ends::Socket { .. } => None,
            Ends::Pipes { socket, more, .. } => Some((socket, more)),
        }
    }

    pub(crate) fn ways(&self) -> Ways {
        match &self.0 {
            Ends::Socket { .. } => Ways::Both,
            Ends::Pipes { more, .. } => more.pipes.ways(),
        }
    }

    /// What is written to, as long as it is open.
    pub(crate) fn output(&self) -> Option<&Socket> {
        match &self.0 {
            Ends::Socket { socket, .. } => Some(socket),
            Ends::Pipes { socket, more, .. } => match more.pipes.ways() {
                Ways::Out => Some(socket),
                _ => more.output.as_ref().map(Self::socket),
            },
        }
    }

    #[cold]
    fn want_of_pipes(&mut self, token: Token, interest: Interest) -> io::Result<()> {
        let mut own = interest;
        if let Ends::Pipes { more, .. } = &mut self.0
            && more.pipes.ways() != Ways::Out
        {
            own.writable = false;
            let theirs = Interest {
                readable: false,
                ..interest
            };
            if let Some(output) = &mut more.output {
                output.want(token, theirs)?;
            }
        }
        self.want_own(token, own)
    }
}

/// Whether somebody waits for room for output.
impl<P: Poller> Registered<P> {
    pub(crate) fn wants_room(&self) -> bool {
        #[cfg(unix)]
        if let Ends::Pipes { more, .. } = &self.0
            && let Some(output) = &more.output
        {
            return output.interest().writable;
        }
        self.interest().writable
    }
}

#[cfg(unix)]
impl<P: Poller> Piped<P> {
    /// Close what is written to. What is read from as well stays open.
    pub(crate) fn close_output(&mut self) {
        self.output = None;
    }
}

/// A socket with the promise that is given to pollers: before it is closed it is taken out, by
/// [`Poller::delete`].
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
        // Not left to the close: where somebody has another descriptor of the open file, as a
        // process has that is being started, events would go on to be reported, to nobody.
        //
        // It can fail only if the poller does not know it, which is what is wanted.
        let _ = self.leave();
    }
}

impl<P: Poller> PortSocket for Registered<P> {
    fn socket(&self) -> &Socket {
        self.socket()
    }

    fn want(&mut self, port: PortId, interest: Interest) -> io::Result<()> {
        self.want(Token::Port(port), interest)
    }
}

#[cfg(unix)]
impl<P: Poller> Registrar for P {
    fn register(
        &self,
        own: OwnedFd,
        token: Token,
        interest: Interest,
    ) -> io::Result<Box<dyn Registration>> {
        let mut registered = Registered::new(own.into(), self);
        registered.want(token, interest)?;
        Ok(Box::new(registered))
    }
}

#[cfg(unix)]
impl<P: Poller> Registration for Registered<P> {
    fn socket(&self) -> &Socket {
        self.socket()
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
