use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::Connection;

/// An open file of the process, owned: std's `OwnedFd`.
///
/// Where there are none, on systems that are no Unix, this is a type without values, so that what
/// is about descriptors compiles there and is never called.
#[cfg(unix)]
pub type Descriptor = std::os::fd::OwnedFd;

/// There are no descriptors on this system.
#[cfg(not(unix))]
#[derive(Debug)]
pub enum Descriptor {}

/// Why descriptors were not taken to be sent. They are closed.
#[doc(alias = "FileDescriptorOverrun")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// The other end is not on this machine, or there is a filter in between: only the plain bytes
    /// of a Unix socket carry descriptors.
    #[error("only the plain bytes of a Unix socket carry descriptors")]
    NotCarried,
    /// Descriptors go with bytes, and there were none.
    #[error("descriptors go with at least one byte")]
    NoBytes,
    /// There would be more than may wait: `Limits::descriptors`.
    #[error("more than {most} descriptors would wait")]
    TooMany {
        /// How many may.
        most: usize,
    },
    /// It is too late for output, or there is too much of it already.
    #[error("no more output is taken")]
    Closed,
}

/// What the program has already: a socket to be listened on or to be a connection, or pipes to be
/// one.
///
/// It is an address as good as any: `net.listen(Adopted::new(listener), factory)` accepts on a
/// socket that listens, and `net.connect(Adopted::new(stream), protocol)` makes a connection of one
/// that is connected. Either takes it, once: from then on it is the reactor's, in non-blocking
/// mode, and is closed by it. Until then it is this value's and of its clones, and is closed with
/// the last of them.
///
/// A stream is taken as one that we opened, so it is not throttled;
/// [`throttle_input`](crate::Connection::throttle_input) is for those that somebody else accepted.
///
/// ```no_run
/// # // Needs a socket; it is tested on real ones.
/// use torsade_core::{Adopted, ListenError, Listener, Net, Protocol, Transport, factory};
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {}
/// # }
/// # #[cfg(unix)]
/// fn serve(net: &Net) -> Result<Listener, Box<dyn std::error::Error>> {
///     let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
///     Ok(net.listen(Adopted::new(listener), factory(|_| Echo))?)
/// }
/// ```
#[doc(alias = "adoptStreamPort")]
#[doc(alias = "adoptStreamConnection")]
#[doc(alias = "AdoptedStreamServerEndpoint")]
#[doc(alias = "connect_accepted_socket")]
#[doc(alias = "from_std")]
#[derive(Clone)]
pub struct Adopted(Arc<dyn Given>);

/// What was adopted, as drivers have it.
#[derive(Debug)]
pub enum Taken {
    /// A socket.
    Socket(Descriptor),
    /// What is read from, what is written to, and the name of both. There is at least one of them.
    Pipes {
        /// Bytes come from there.
        input: Option<Descriptor>,
        /// Bytes go there.
        output: Option<Descriptor>,
        /// What each end of the connection is called.
        name: Arc<str>,
    },
}

/// What can be taken once. Behind a trait, because an address that holds it is compared and hashed
/// by which it is, whatever was taken from it.
trait Given: Send + Sync {
    fn take(&self) -> Option<Taken>;
}

impl Given for Mutex<Option<Taken>> {
    fn take(&self) -> Option<Taken> {
        self.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Adopted {
    /// This socket: one of std's, or any descriptor of one.
    pub fn new(socket: impl Into<Descriptor>) -> Self {
        Self::of(Taken::Socket(socket.into()))
    }

    /// These pipes as one connection: what comes from `input` is received, what is written goes to
    /// `output`. FIFOs and terminals are as good as pipes.
    ///
    /// The open files are put into non-blocking mode, for everybody who has a descriptor of them:
    /// give what the program made itself, and not what it inherited. Regular files are refused,
    /// because no system says when they are ready.
    ///
    /// # What differs from a socket
    /// - Without an `input` nothing is received and no end is told. That nobody reads any more ends
    ///   the connection at once, where the system says so unasked (Linux), or else with the next
    ///   write. `close_write` is the end of such a connection, as if it were closed.
    /// - Without an `output` the connection is one whose output has ended: writes are dropped. It is
    ///   over when its input is.
    /// - With both they end one by one, like the halves of a socket: `close_write` closes `output`.
    ///   When nobody reads `output` any more, what had come by then is still received, and then the
    ///   connection is lost with [`Disconnect::Reset`](crate::Disconnect::Reset).
    /// - A close closes both descriptors as soon as everything is written, and what is in a pipe by
    ///   then can still be read by who has its other end. Nothing lingers, because unread input
    ///   destroys no output here; whoever still writes meets a broken pipe. An abort says no more
    ///   than a close does: pipes have no reset.
    /// - Whoever writes to a pipe that nobody reads is sent the signal SIGPIPE by the system. Rust's
    ///   programs ignore it from their start on; in a program that is not one, and does not, it is
    ///   the end of the process.
    ///
    /// Both ends of the connection have a name in place of an address:
    /// [`Address::Named`](crate::Address::Named), `pipe` unless [`named`](Self::named) says another.
    ///
    /// ```no_run
    /// # // Needs a reactor; it is tested on real ones.
    /// use torsade_core::{Adopted, Net, Protocol, Transport};
    ///
    /// struct Counts(usize);
    /// impl Protocol for Counts {
    ///     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
    ///         self.0 += data.len();
    ///     }
    /// }
    ///
    /// # #[cfg(unix)]
    /// fn count(net: &Net) -> std::io::Result<()> {
    ///     let (reader, writer) = std::io::pipe()?;
    ///     net.connect(Adopted::pipes(Some(reader.into()), None), Counts(0)).detach();
    ///     std::thread::spawn(move || { /* writes to `writer` */ });
    ///     Ok(())
    /// }
    ///
    /// /// A FIFO that others write to. It is opened for writing too, so that it does not end when
    /// /// the last of them goes, and so that opening it waits for nobody.
    /// # #[cfg(unix)]
    /// fn listen_at(net: &Net, path: &str) -> std::io::Result<()> {
    ///     let fifo = std::fs::File::options().read(true).write(true).open(path)?;
    ///     net.connect(Adopted::pipes(Some(fifo.into()), None), Counts(0)).detach();
    ///     Ok(())
    /// }
    /// ```
    #[doc(alias = "connect_read_pipe")]
    #[doc(alias = "connect_write_pipe")]
    #[doc(alias = "FIFO")]
    pub fn pipes(input: Option<Descriptor>, output: Option<Descriptor>) -> Self {
        let name = "pipe".into();
        Self::of(Taken::Pipes {
            input,
            output,
            name,
        })
    }

    /// Pipes, with this name for both ends of the connection, which the log and
    /// [`Peer`](crate::Peer) show. A socket has addresses of its own; it comes back as it was.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use torsade_core::{Adopted, Taken};
    ///
    /// let (reader, _writer) = std::io::pipe()?;
    /// let adopted = Adopted::pipes(Some(reader.into()), None).named("the news");
    /// let Some(Taken::Pipes { name, .. }) = adopted.take() else {
    ///     panic!("it was there");
    /// };
    /// assert_eq!(&*name, "the news");
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn named(self, called: impl Into<Arc<str>>) -> Self {
        match self.take() {
            Some(Taken::Pipes { input, output, .. }) => Self::of(Taken::Pipes {
                input,
                output,
                name: called.into(),
            }),
            Some(socket) => Self::of(socket),
            None => self,
        }
    }

    fn of(taken: Taken) -> Self {
        Self(Arc::new(Mutex::new(Some(taken))))
    }

    /// Have it, if nobody had it before. Drivers ask for it.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use torsade_core::Adopted;
    ///
    /// let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
    /// let adopted = Adopted::new(ours);
    /// assert!(adopted.take().is_some());
    /// assert!(adopted.take().is_none());
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take(&self) -> Option<Taken> {
        self.0.take()
    }
}

/// The same, not an equal one.
impl PartialEq for Adopted {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Adopted {}

impl std::hash::Hash for Adopted {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adopted")
    }
}

/// Descriptors, on Unix sockets.
impl Connection {
    /// Send these bytes, like [`write`](Self::write), and with them descriptors: the receiver has
    /// each of them no later than the first of the bytes. Ours are closed when they have gone.
    ///
    /// What has to stay open here is cloned before: `file.try_clone()?`.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use torsade_core::{Peer, Protocol, Transport, UnixAddress};
    /// use torsade_testing::StringTransport;
    ///
    /// /// Whoever says anything gets one end of a pair.
    /// struct Pairs;
    /// impl Protocol for Pairs {
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ///         transport.write_with_descriptors("here\n", [theirs]).unwrap();
    ///         // `ours` is the program's
    /// #       drop(ours);
    ///     }
    /// }
    ///
    /// let peer = Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/pairs"));
    /// let mut t = StringTransport::builder().peer(peer).serve(Pairs);
    /// t.feed(b"?");
    /// assert_eq!(t.take_sent(), b"here\n");
    /// assert_eq!(t.take_sent_descriptors().len(), 1);
    /// # }
    /// ```
    ///
    /// # Errors
    /// Nothing is written, and the descriptors are closed, if they cannot go: see
    /// [`DescriptorError`].
    #[doc(alias = "sendFileDescriptor")]
    #[doc(alias = "send_fds")]
    #[doc(alias = "SCM_RIGHTS")]
    pub fn write_with_descriptors<D: Into<Descriptor>>(
        &self,
        data: impl AsRef<[u8]>,
        descriptors: impl IntoIterator<Item = D>,
    ) -> Result<(), DescriptorError> {
        // Collected first: the iterator is the user's.
        let descriptors: Vec<Descriptor> = descriptors.into_iter().map(Into::into).collect();
        self.0.write_passing(data.as_ref(), descriptors)
    }

    /// Have descriptors that the peer sends, from the next bytes on; called in `connection_made`,
    /// from the first. [`take_descriptors`](Self::take_descriptors) has them then.
    ///
    /// Without it the system closes them as they come. When it is turned off, those that were not
    /// taken are closed. Nothing comes on anything but a Unix socket.
    pub fn receive_descriptors(&self, wanted: bool) {
        self.0.want_descriptors(wanted);
    }

    /// The descriptors that came and were not taken, in the order in which they were sent: in
    /// `data_received` all those are there that go with its bytes, and perhaps some that go with
    /// bytes that are still to come. They are closed on `exec`.
    ///
    /// More than `Limits::descriptors` that nobody takes end the connection with
    /// [`Limit::Descriptors`](crate::Limit::Descriptors); what is left at the loss is closed.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use torsade_core::{Peer, Protocol, Transport, UnixAddress};
    /// use torsade_testing::StringTransport;
    ///
    /// struct Counts;
    /// impl Protocol for Counts {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         transport.receive_descriptors(true);
    ///     }
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         let files = transport.take_descriptors();
    ///         transport.write(format!("{}\n", files.len()));
    ///     }
    /// }
    ///
    /// let peer = Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/counts"));
    /// let mut t = StringTransport::builder().peer(peer).serve(Counts);
    /// let (one, other) = std::os::unix::net::UnixStream::pair()?;
    /// t.feed_with_descriptors(b"two", [one, other]);
    /// assert_eq!(t.take_sent(), b"2\n");
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "IFileDescriptorReceiver")]
    #[doc(alias = "fileDescriptorReceived")]
    #[doc(alias = "recv_fds")]
    pub fn take_descriptors(&self) -> Vec<Descriptor> {
        self.0.watches.take_descriptors()
    }
}
