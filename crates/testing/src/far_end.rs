use std::fmt;
use std::io;
use std::rc::Rc;

use torsade_core::{Descriptor, Limits, Peer};

use crate::end::{End, Side};
use crate::world;

/// The far end of a connection, in the hands of the test: what the peer and the kernels do, and
/// what the peer has seen.
///
/// A [`StringTransport`](crate::StringTransport) is one, together with the protocol; a
/// [`MemoryReactor`](crate::MemoryReactor) gives one for each connection that the test makes to a
/// listener or lets succeed. Every method first brings everything on this thread to rest.
///
/// Dropping it changes nothing: the connection stays as it is, with a peer that is silent.
///
/// ```
/// use torsade_core::{Protocol, Transport, factory};
/// use torsade_testing::MemoryReactor;
///
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
/// let reactor = MemoryReactor::new();
/// let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo))?;
/// let mut ann = reactor.dial(listener.address());
/// ann.feed("hello");
/// assert_eq!(ann.take_sent(), b"hello");
/// ann.end();
/// assert!(ann.has_ended());
/// # Ok::<(), torsade_core::ListenError>(())
/// ```
///
/// # What kernels do to a connection
/// | what happens | step |
/// |---|---|
/// | the peer's process ends: what is sent from now on is answered with a reset | [`hang_up`](Self::hang_up) |
/// | bytes and a reset come together | [`reset_after`](Self::reset_after) |
/// | sending fails, though there may be input | [`fail_sends`](Self::fail_sends) |
/// | a closed socket with input unread resets | [`reset_at_close_with_unread`](Self::reset_at_close_with_unread) |
/// | a full send queue takes bytes again only when a third is free | [`set_send_queue`](Self::set_send_queue) |
pub struct FarEnd {
    end: Rc<End>,
    peer: Peer,
    /// What is delivered at once.
    piece: usize,
}

impl FarEnd {
    pub(crate) fn new(end: Rc<End>, peer: Peer, limits: &Limits) -> Self {
        Self {
            end,
            peer,
            piece: limits.turn_connection_bytes.max(1),
        }
    }

    /// The addresses, as the program sees them.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let t = StringTransport::serve(Quiet);
    /// assert_eq!(t.peer(), t.connection().peer());
    /// ```
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub(crate) fn end_of_wire(&self) -> &Rc<End> {
        &self.end
    }

    /// Change the kernel's state between two rests.
    fn act(&self, act: impl FnOnce(&End)) {
        world::settle();
        act(&self.end);
        world::settle();
    }

    fn arrive(&self, data: &[u8]) {
        for piece in data.chunks(self.piece) {
            self.end.arrive(piece);
        }
    }
}

/// What the peer does.
impl FarEnd {
    /// The peer sends these bytes, which arrive in one piece, unless the protocol holds input
    /// back: then they wait. Pieces fed one after the other stay apart.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// struct Lengths;
    /// impl Protocol for Lengths {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.write(format!("{} ", data.len()));
    ///     }
    /// }
    /// let mut t = StringTransport::serve(Lengths);
    /// t.feed("hello");
    /// t.feed_bytewise("bob");
    /// assert_eq!(t.take_sent(), b"5 1 1 1 ");
    /// ```
    #[doc(alias = "dataReceived")]
    pub fn feed(&mut self, data: impl AsRef<[u8]>) {
        self.act(|_| self.arrive(data.as_ref()));
    }

    /// The peer of a Unix socket sends these bytes with descriptors, which are there when the first
    /// of the bytes is.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use torsade_core::{Peer, Protocol, Transport, UnixAddress};
    /// # use torsade_testing::StringTransport;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let peer = Peer::new(UnixAddress::Unnamed, UnixAddress::path("/run/a"));
    /// let mut t = StringTransport::builder().peer(peer).serve(Quiet);
    /// let (one, other) = std::os::unix::net::UnixStream::pair()?;
    /// t.feed_with_descriptors("unasked for: closed", [one]);
    /// t.connection().receive_descriptors(true);
    /// t.feed_with_descriptors("x", [other]);
    /// assert_eq!(t.connection().take_descriptors().len(), 1);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "fileDescriptorReceived")]
    pub fn feed_with_descriptors<D: Into<Descriptor>>(
        &mut self,
        data: impl AsRef<[u8]>,
        descriptors: impl IntoIterator<Item = D>,
    ) {
        let descriptors = descriptors.into_iter().map(Into::into).collect();
        self.act(|end| end.arrive_with(data.as_ref(), descriptors));
    }

    /// The peer sends these bytes, and each arrives by itself.
    pub fn feed_bytewise(&mut self, data: impl AsRef<[u8]>) {
        for byte in data.as_ref().chunks(1) {
            self.feed(byte);
        }
    }

    /// The peer ends its side in good order.
    #[doc(alias = "loseConnection")]
    pub fn end(&mut self) {
        self.act(|end| {
            end.end_input(Side::Ended);
        });
    }

    /// The peer, or something on the way, resets the connection. What arrived before is still
    /// read, as it is from a kernel.
    pub fn reset(&mut self) {
        self.act(|end| {
            end.end_input(Side::Reset);
        });
    }

    /// From now on the fake kernel has room for so many more bytes of output; `usize::MAX` for no
    /// bound. 0 is a peer that never reads.
    pub fn set_window(&mut self, bytes: usize) {
        self.act(|end| end.set_room(bytes));
    }
}

/// What kernels do.
impl FarEnd {
    /// The peer's process ends, or closes its socket: its end comes, and what is sent to it from
    /// now on is answered with a reset. So the first send succeeds, for nobody, and the next one
    /// fails. What came before the end is still read.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// /// Goes on sending after the peer's end: to who only half-closed, that would be right.
    /// struct Ticker;
    /// impl Protocol for Ticker {
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         transport.write("tick");
    ///     }
    ///     fn eof_received(&mut self, transport: &Transport<Self>) {
    ///         transport.write("tick");
    ///         transport.call_later(std::time::Duration::from_secs(1), |_, transport| {
    ///             transport.write("tock");
    ///         });
    ///     }
    /// }
    /// let mut t = StringTransport::serve(Ticker);
    /// t.hang_up();
    /// assert_eq!((t.take_sent(), t.lost()), (vec![], None));
    /// t.advance(std::time::Duration::from_secs(1));
    /// assert_eq!(t.lost(), Some(Disconnect::Reset));
    /// ```
    pub fn hang_up(&mut self) {
        self.act(End::hang_up);
    }

    /// These bytes and a reset come together: the bytes are still read, and what is sent in answer
    /// to them fails.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         assert_eq!(data, b"413 too large");
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut t = StringTransport::connect(Echo);
    /// t.reset_after("413 too large");
    /// assert_eq!((t.take_sent(), t.lost()), (vec![], Some(Disconnect::Reset)));
    /// ```
    pub fn reset_after(&mut self, data: impl AsRef<[u8]>) {
        self.act(|end| {
            self.arrive(data.as_ref());
            end.end_input(Side::Reset);
        });
    }

    /// From now on every send fails with this error. The first one that does is the end of the
    /// connection for its kernel: what has arrived before is still read, and then it is lost.
    ///
    /// `BrokenPipe` and `ConnectionReset` are what a send meets after the peer's reset, and the
    /// loss is a [`Disconnect::Reset`](torsade_core::Disconnect::Reset) then; after any other it
    /// is a [`Disconnect::Io`](torsade_core::Disconnect::Io).
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut t = StringTransport::serve(Echo);
    /// t.fail_sends(std::io::ErrorKind::HostUnreachable);
    /// assert_eq!(t.lost(), None); // nobody has sent anything yet
    /// t.feed("hello?");
    /// assert!(matches!(t.lost(), Some(Disconnect::Io(_))));
    /// ```
    pub fn fail_sends(&mut self, kind: io::ErrorKind) {
        self.act(|end| end.fail_sends(kind));
    }

    /// From now on a close leaves nothing behind that reads what still comes, as when
    /// `Limits::lingering` sockets linger already or descriptors are short (contract C4): closing
    /// with input unread resets the connection.
    ///
    /// What was taken or could be before the close has arrived; [`Pump`](crate::Pump) and
    /// [`MemoryReactor::join`](crate::MemoryReactor::join) lose what is on its way.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// struct TooLarge;
    /// impl Protocol for TooLarge {
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         transport.pause_reading();
    ///     }
    /// }
    /// let mut t = StringTransport::serve(TooLarge);
    /// t.reset_at_close_with_unread();
    /// t.feed("much");
    /// t.feed("more"); // unread
    /// t.connection().close();
    /// assert!(t.has_reset());
    /// ```
    pub fn reset_at_close_with_unread(&mut self) {
        self.act(End::forbid_linger);
    }

    /// From now on the fake kernel has a send queue of so many bytes, which
    /// [`take_sent`](Self::take_sent) and [`take_sent_at_most`](Self::take_sent_at_most) empty.
    /// Once it was full, more goes in only when a third of it is free, as on Linux: a peer that
    /// reads steadily and slowly is seen to make progress in jumps.
    ///
    /// # Panics
    /// If `bytes` is 0: for a peer that never reads there is [`set_window`](Self::set_window).
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut t = StringTransport::serve(Echo);
    /// t.set_send_queue(3000);
    /// t.feed(vec![b'x'; 10_000]);
    /// assert_eq!(t.connection().buffered(), 7000);
    /// t.take_sent_at_most(999);
    /// assert_eq!(t.connection().buffered(), 7000);
    /// t.take_sent_at_most(1);
    /// assert_eq!(t.connection().buffered(), 6000);
    /// ```
    pub fn set_send_queue(&mut self, bytes: usize) {
        assert!(bytes > 0, "a send queue holds at least one byte");
        self.act(|end| end.set_queue(bytes, bytes.div_ceil(3)));
    }
}

/// What the peer sees.
impl FarEnd {
    /// What the program sent since this was last asked. Of a [send queue](Self::set_send_queue)
    /// that is what is in it.
    #[doc(alias = "value")]
    #[doc(alias = "clear")]
    pub fn take_sent(&mut self) -> Vec<u8> {
        self.take_sent_at_most(usize::MAX)
    }

    /// Of what the program sent, the first so many bytes.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    /// #         transport.write(data);
    /// #     }
    /// # }
    /// let mut t = StringTransport::serve(Echo);
    /// t.feed("hello");
    /// assert_eq!((t.take_sent_at_most(4), t.take_sent()), (b"hell".to_vec(), b"o".to_vec()));
    /// ```
    pub fn take_sent_at_most(&mut self, bytes: usize) -> Vec<u8> {
        world::settle();
        let taken = self.end.take_outgoing(bytes);
        world::settle();
        taken
    }

    /// The descriptors that the program sent since this was last asked.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # use torsade_core::{DescriptorError, Protocol, Transport};
    /// # use torsade_testing::StringTransport;
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut t = StringTransport::serve(Quiet); // its ends have internet addresses
    /// let (one, _other) = std::os::unix::net::UnixStream::pair()?;
    /// let sent = t.connection().write_with_descriptors("x", [one]);
    /// assert_eq!(sent, Err(DescriptorError::NotCarried));
    /// assert_eq!(t.take_sent_descriptors().len(), 0);
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take_sent_descriptors(&mut self) -> Vec<Descriptor> {
        world::settle();
        self.end.take_descriptors()
    }

    /// Whether the peer has seen our end in good order.
    pub fn has_ended(&self) -> bool {
        world::settle();
        self.end.output() == Side::Ended
    }

    /// Whether the peer has seen a reset from us.
    pub fn has_reset(&self) -> bool {
        world::settle();
        self.end.output() == Side::Reset
    }

    /// Whether bytes would be delivered: the protocol, or flow control, holds none back.
    #[doc(alias = "producerState")]
    pub fn is_reading(&self) -> bool {
        world::settle();
        self.end.interest().readable
    }
}

impl fmt::Debug for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarEnd")
            .field("peer", &self.peer)
            .field("sent", &self.end.outgoing())
            .finish()
    }
}
