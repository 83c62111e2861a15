use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::Deferred;

use crate::link::Phase;
use crate::{Connection, Disconnect, Peer, Time};

/// Transforms a connection's bytes between its protocol and the wire: encryption, compression, a
/// log of the traffic.
///
/// A filter lies on the wire's side of the engine, so it covers what anybody writes to this
/// connection, a room's broadcast too. It never sees a protocol or a transport; it is given bytes
/// and puts bytes into one of its two [`Sides`]. Several make a chain; the one that was added last
/// is next to the protocol.
///
/// ```text
///   protocol --- plain --- [ filter ] --- wire --- socket
///                 encode ------------------>
///                 <------------------ decode
/// ```
///
/// Output is encoded when the connection is flushed, not with each `write`: all that a callback
/// wrote comes in one [`encode`](Self::encode). While the kernel has no room for what was encoded,
/// nothing more is, so back-pressure reaches the protocol through a filter as without one.
///
/// Give filters to a listener or to `connect` with an [`Endpoint`](crate::Endpoint), or put one in
/// the middle of a stream with [`Connection::push_filter`](crate::Connection::push_filter).
///
/// # Errors
/// Every method may end the connection with a [`Disconnect`]. What was decoded before is still
/// delivered, and what was put into the wire's side is still sent, through the filters further out;
/// otherwise no filter of this connection is asked again. A panic ends the connection at once, as everywhere (contract C8).
///
/// # Example
/// ```
/// use torsade_core::{Disconnect, Filter, Protocol, Sides, Transport};
///
/// /// Hides bytes from whoever looks only once.
/// struct Rot(u8);
///
/// impl Filter for Rot {
///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
///         sides.plain().extend(wire.iter().map(|byte| byte.wrapping_sub(self.0)));
///         Ok(wire.len())
///     }
///
///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
///         let bytes = plain.iter().copied().flatten();
///         sides.wire().extend(bytes.map(|byte| byte.wrapping_add(self.0)));
///         Ok(())
///     }
/// }
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         assert_eq!(data, b"HAL");
///         transport.write("IBM");
///     }
/// }
///
/// let mut t = torsade_testing::StringTransport::builder().filter(|_| Rot(1)).serve(Echo);
/// t.feed(b"IBM");
/// assert_eq!(t.take_sent(), b"JCN");
/// ```
#[doc(alias = "TLSMemoryBIOProtocol")]
pub trait Filter: Send + 'static {
    /// The filter is in its place. What must go first, such as a client's greeting, goes to the
    /// wire's side.
    ///
    /// # Errors
    /// The connection ends with this reason, as for every method.
    fn start(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let _ = sides;
        Ok(())
    }

    /// Bytes came from the wire. Returns how many of them were used; the rest comes again in front
    /// of what comes next. It is called again as long as it uses some and some are left.
    ///
    /// `wire` may be overwritten, so that what is decoded in place needs no room of its own.
    ///
    /// # Errors
    /// The connection ends with this reason.
    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect>;

    /// Bytes are to go to the wire, in these pieces, none of them empty. All of them are taken.
    ///
    /// # Errors
    /// The connection ends with this reason.
    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect>;

    /// The peer ended its side of the wire. All that can be decoded has been; `rest` cannot, and is
    /// dropped. By default that is the end of the plain side, too, and so it is in any case unless the
    /// filter waits to be woken.
    ///
    /// # Errors
    /// The connection ends with this reason; so an end that may have been cut off by somebody else
    /// is told from one that the peer meant.
    fn wire_ended(&mut self, rest: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let _ = rest;
        sides.end_plain();
        Ok(())
    }

    /// Our side of the stream ends: what says so goes to the wire's side. Called once, by
    /// `close_write` or `close`, after all output was encoded. Returns whether the wire's output
    /// ends as well, which matters to `close_write` only.
    ///
    /// # Errors
    /// The connection ends with this reason.
    fn end(&mut self, sides: &mut Sides<'_>) -> Result<WireEnd, Disconnect> {
        let _ = sides;
        Ok(WireEnd::Follows)
    }

    /// The time that was asked for with [`Sides::wake_at`] has come.
    ///
    /// # Errors
    /// The connection ends with this reason.
    fn timer(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let _ = sides;
        Ok(())
    }

    /// Whether the filter has shaken hands with its other end, if it has to.
    ///
    /// A protocol is built, and told that its connection is made, when all filters are ready. A
    /// connection that is not within `Limits::handshake_timeout` ends with
    /// [`Timeout::Handshake`](crate::Timeout::Handshake).
    fn is_ready(&self) -> bool {
        true
    }

    /// How long it may take from its beginning to be [ready](Self::is_ready), where that is less than
    /// `Limits::handshake_timeout`, which bounds it in any case.
    fn handshake_timeout(&self) -> Option<Duration> {
        None
    }

    /// Whether more output is welcome now. Output waits while it is not, and the protocol is paused
    /// if it becomes much; what says so must ask to be woken, or change with input.
    fn wants_plain(&self) -> bool {
        self.is_ready()
    }

    /// How many bytes of output one [`encode`](Self::encode) is given at most; no bound by default.
    /// After each it is asked again whether it [wants more](Self::wants_plain). 0 counts as 1.
    fn most_plain(&self) -> usize {
        usize::MAX
    }

    /// Whether more input from the wire is welcome now. While a filter says that it is not, the
    /// connection is not read, so that what it does not use does not pile up; what says so must ask
    /// to be woken. Filters that are not ready are always given input.
    fn wants_wire(&self) -> bool {
        true
    }
}

/// Whether the end of the plain side is the end of the wire's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireEnd {
    /// It is: the socket's output is shut down.
    Follows,
    /// It is not: the peer learns of the end by what the filter sent.
    Stays,
}

/// What a [`Filter`] puts its bytes into, and what else it may ask for.
///
/// ```
/// use torsade_core::{Disconnect, Filter, Sides};
///
/// /// Answers every byte with its opposite, without troubling the protocol.
/// struct Mirror;
/// impl Filter for Mirror {
///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
///         sides.wire().extend(wire.iter().map(|byte| !byte));
///         Ok(wire.len())
///     }
///     fn encode(&mut self, _: &[&[u8]], _: &mut Sides<'_>) -> Result<(), Disconnect> {
///         Err(Disconnect::application("a mirror does not speak"))
///     }
/// }
/// # struct Quiet;
/// # impl torsade_core::Protocol for Quiet {
/// #     fn data_received(&mut self, _: &torsade_core::Transport<Self>, _: &[u8]) {}
/// # }
/// let mut t = torsade_testing::StringTransport::builder().filter(|_| Mirror).serve(Quiet);
/// t.feed([0x0f]);
/// assert_eq!(t.take_sent(), [0xf0]);
/// ```
pub struct Sides<'a> {
    pub(crate) wire: &'a mut Vec<u8>,
    pub(crate) plain: &'a mut Vec<u8>,
    pub(crate) now: Time,
    pub(crate) wake_at: &'a mut Option<Time>,
    pub(crate) plain_ended: &'a mut bool,
    pub(crate) facts: &'a mut Vec<Rc<dyn Any>>,
    pub(crate) peer: &'a mut Option<Peer>,
}

impl Sides<'_> {
    /// Bytes for the wire, to be appended to. Those of this call are sent in order with others.
    pub fn wire(&mut self) -> &mut Vec<u8> {
        self.wire
    }

    /// Bytes for the protocol, to be appended to.
    pub fn plain(&mut self) -> &mut Vec<u8> {
        self.plain
    }

    /// There will be no more bytes for the protocol: the peer has ended its side.
    pub fn end_plain(&mut self) {
        *self.plain_ended = true;
    }

    /// Let everybody who has a handle of the connection know something that the filter found out:
    /// what was negotiated, who the peer said it was. [`Connection::fact`] finds it by its type, a
    /// factory can [choose by it](crate::Factory::build_for). A later one of the same type takes
    /// the place of an earlier one.
    ///
    /// [`Connection::fact`]: crate::Connection::fact
    ///
    /// ```
    /// use torsade_core::{Disconnect, Filter, Protocol, Sides, Transport};
    ///
    /// /// The first byte says who speaks.
    /// #[derive(Debug, PartialEq)]
    /// struct Caller(u8);
    ///
    /// struct Announced(bool);
    /// impl Filter for Announced {
    ///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
    ///         if self.0 {
    ///             sides.plain().extend_from_slice(wire);
    ///             return Ok(wire.len());
    ///         }
    ///         self.0 = true;
    ///         sides.publish(Caller(wire[0]));
    ///         Ok(1)
    ///     }
    ///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
    ///         sides.wire().extend(plain.concat());
    ///         Ok(())
    ///     }
    ///     fn is_ready(&self) -> bool {
    ///         self.0
    ///     }
    /// }
    ///
    /// struct Greeter;
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         assert_eq!(transport.fact::<Caller>().as_deref(), Some(&Caller(b'7')));
    ///         transport.write("hello, seven");
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::builder().filter(|_| Announced(false)).serve(Greeter);
    /// t.feed(b"7");
    /// assert_eq!(t.take_sent(), b"hello, seven");
    /// ```
    pub fn publish<T: Any>(&mut self, fact: T) {
        self.facts.push(Rc::new(fact));
    }

    /// Say whose connection this is, and to which of our addresses, where that is not what the
    /// system knows: a proxy passes it on, and has told.
    ///
    /// A factory is asked for that peer's protocol, limits count it, and
    /// [`Connection::peer`](crate::Connection::peer) shows it. The first word of a connection's
    /// filters counts, and none that comes when the protocol has been built.
    ///
    /// ```
    /// use torsade_core::{Address, Disconnect, Filter, Peer, Protocol, Sides, Transport};
    ///
    /// /// The first byte is the last of the address of who it is from.
    /// struct From(bool);
    /// impl Filter for From {
    ///     fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
    ///         if self.0 {
    ///             sides.plain().extend_from_slice(wire);
    ///             return Ok(wire.len());
    ///         }
    ///         self.0 = true;
    ///         let from = std::net::SocketAddr::from(([192, 0, 2, wire[0]], 9));
    ///         let to = std::net::SocketAddr::from(([192, 0, 2, 1], 80));
    ///         sides.set_peer(Peer::new(from, to));
    ///         Ok(1)
    ///     }
    ///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
    ///         sides.wire().extend(plain.concat());
    ///         Ok(())
    ///     }
    ///     fn is_ready(&self) -> bool {
    ///         self.0
    ///     }
    /// }
    ///
    /// struct Greeter;
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         transport.write(format!("hello, {}", transport.peer()));
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::builder().filter(|_| From(false)).serve(Greeter);
    /// t.feed([7]);
    /// assert_eq!(t.take_sent(), b"hello, 192.0.2.7:9");
    /// ```
    pub fn set_peer(&mut self, peer: Peer) {
        *self.peer = Some(peer);
    }

    /// The time of this turn.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Have [`Filter::timer`] called at this time; instead of the time asked for before.
    pub fn wake_at(&mut self, at: Time) {
        *self.wake_at = Some(at);
    }
}

impl fmt::Debug for Sides<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sides")
            .field("wire", &self.wire.len())
            .field("plain", &self.plain.len())
            .field("now", &self.now)
            .finish()
    }
}

/// Filters, as whoever holds a connection sees them.
impl Connection {
    /// Put a filter between this connection's protocol and the wire, in the middle of the stream.
    ///
    /// The stream is split here: what was written before leaves without the filter; what is written
    /// from now on passes through it, and waits until the filter is ready. Input that the protocol
    /// leaves unread goes into the filter and never to the protocol (contract C15); nothing more is
    /// delivered in this callback. Filters that were there before stay, nearer to the wire.
    ///
    /// After the close nothing happens, and the filter is dropped.
    ///
    /// ```
    /// use torsade_core::{Disconnect, Filter, Protocol, Sides, Transport};
    ///
    /// struct Flip;
    /// impl Filter for Flip {
    ///     fn decode(
    ///         &mut self,
    ///         wire: &mut [u8],
    ///         sides: &mut Sides<'_>,
    ///     ) -> Result<usize, Disconnect> {
    ///         sides.plain().extend(wire.iter().map(|byte| byte ^ 0x20));
    ///         Ok(wire.len())
    ///     }
    ///     fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
    ///         let bytes = plain.iter().copied().flatten();
    ///         sides.wire().extend(bytes.map(|byte| byte ^ 0x20));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// struct Upgrade(bool);
    /// impl Protocol for Upgrade {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         match self.0 {
    ///             false => {
    ///                 self.0 = true;
    ///                 transport.write("ok ");
    ///                 transport.push_filter(Flip);
    ///                 transport.write("hello");
    ///                 transport.unread(data.len() - 1); // all but the "!"
    ///             }
    ///             true => transport.write(data),
    ///         }
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Upgrade(false));
    /// t.feed(b"!ABC");
    /// assert_eq!(t.take_sent(), b"ok HELLOABC");
    /// ```
    #[doc(alias = "startTLS")]
    #[doc(alias = "start_tls")]
    pub fn push_filter(&self, filter: impl Filter) {
        self.0.push_filter(Box::new(filter));
    }

    /// Resolves when all [filters](Filter) of this connection are in place and ready: those that
    /// shake hands have done so. At once where there are none.
    ///
    /// Rejected with the reason if the connection ends before that.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let t = torsade_testing::StringTransport::serve(Quiet);
    /// assert!(t.connection().filters_ready().try_take().unwrap().is_ok());
    /// ```
    #[doc(alias = "handshakeCompleted")]
    #[doc(alias = "IHandshakeListener")]
    #[track_caller]
    pub fn filters_ready(&self) -> Deferred<(), Disconnect> {
        match self.0.watches.reason() {
            Some(reason) if self.0.phase() == Phase::Lost => Deferred::fail(reason),
            _ if !self.0.is_filtered() => Deferred::succeed(()),
            _ => {
                let ready = self.0.watches.watch_filters();
                self.0.touch();
                ready
            }
        }
    }
}
