use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use crate::link::{Ending, Link, Output, Phase};
use crate::{ConnectionId, Disconnect, Net, Peer};

/// An untyped handle of a connection: everything that needs no protocol type.
///
/// [`Transport`](crate::Transport) dereferences to it, so all of this is there on a transport.
/// By itself it is what a room of connections of mixed kinds keeps. Cheap to clone; it does not
/// keep the connection open, and does no harm when that is over.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_core::{Connection, Protocol, Transport};
/// use torsade_testing::StringTransport;
///
/// type Room = Rc<RefCell<Vec<Connection>>>;
/// struct Member(Room);
/// impl Protocol for Member {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         self.0.borrow_mut().push(transport.connection());
///     }
///     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
///         for member in self.0.borrow().iter() {
///             member.write(data); // nobody is called back while the room is borrowed
///         }
///     }
/// }
///
/// let room = Room::default();
/// let mut ann = StringTransport::serve(Member(room.clone()));
/// let mut bob = StringTransport::serve(Member(room.clone()));
/// ann.feed(b"hi");
/// assert_eq!(bob.take_sent(), b"hi");
/// ```
#[derive(Clone)]
pub struct Connection(pub(crate) Rc<Link>);

/// What it is.
impl Connection {
    /// Names the connection in logs; unique in its reactor.
    #[doc(alias = "ILoggingContext")]
    #[doc(alias = "logPrefix")]
    pub fn id(&self) -> ConnectionId {
        self.0.id()
    }

    /// The addresses of both ends.
    #[doc(alias = "getPeer")]
    #[doc(alias = "getHost")]
    #[doc(alias = "get_extra_info")]
    pub fn peer(&self) -> &Peer {
        self.0.peer()
    }

    /// Whether data is delivered and writes are accepted: true until something begins to end it.
    #[doc(alias = "is_closing")]
    #[doc(alias = "connected")]
    #[doc(alias = "disconnecting")]
    pub fn is_open(&self) -> bool {
        self.0.phase() == Phase::Open
    }

    /// The reactor it lives on.
    pub fn net(&self) -> Net {
        Net(Rc::clone(self.0.shared()))
    }

    /// What a [filter](crate::Filter) of this connection found out, by its type: what TLS negotiated, for
    /// instance. `None` where no filter has [published](crate::Sides::publish) such a thing, so
    /// always on a plain connection. One that leads to a program has its
    /// [`Process`](crate::Process). It is there when `connection_made` is called, and still there
    /// after the loss.
    #[doc(alias = "get_extra_info")]
    pub fn fact<T: Any>(&self) -> Option<Rc<T>> {
        self.0.watches.fact()
    }

    /// Bytes handed to the kernel so far.
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent()
    }

    /// Bytes that came from the peer so far.
    pub fn bytes_received(&self) -> u64 {
        self.0.received()
    }

    /// Bytes that were written too late and dropped.
    pub fn bytes_dropped(&self) -> u64 {
        self.0.dropped()
    }
}

/// Bytes out.
impl Connection {
    /// Send these bytes, after everything written before, whoever wrote it.
    ///
    /// Never blocks and never calls back. The bytes leave together with what else this callback
    /// writes. After `close`, `close_write` or the loss they are dropped and counted. When more
    /// than `Limits::write_cap` is already waiting, the connection ends with
    /// [`Limit::WriteBuffer`](crate::Limit::WriteBuffer); a producer that asks
    /// [`wants_output`](Self::wants_output) never comes there.
    #[doc(alias = "send")]
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) {
        if is_slice(&data) {
            self.0.write(data.as_ref());
        } else {
            // A constant, or an owner of its bytes.
            self.0.write_owned(data.as_ref());
        }
    }

    /// Send these pieces one after the other, as if they were one.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// struct Quote;
    /// impl Protocol for Quote {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.write_parts(&[b"<", data, b">"]);
    ///     }
    /// }
    /// let mut t = torsade_testing::StringTransport::serve(Quote);
    /// t.feed(b"a");
    /// assert_eq!(t.take_sent(), b"<a>");
    /// ```
    #[doc(alias = "writeSequence")]
    #[doc(alias = "writelines")]
    #[inline]
    pub fn write_parts(&self, parts: &[impl AsRef<[u8]>]) {
        // A line and its delimiter, a header and its body: no list has to be filled for those.
        match parts {
            [one, two] => return self.0.write_two(one.as_ref(), two.as_ref()),
            [one, two, three] => {
                let parts = [one.as_ref(), two.as_ref(), three.as_ref()];
                return self.0.write_parts(&parts);
            }
            _ => {}
        }
        /// So many need no allocation to be looked at before the first is written.
        const FEW: usize = 8;
        let mut few: [&[u8]; FEW] = [&[]; FEW];
        match few.get_mut(..parts.len()) {
            Some(few) => {
                for (few, part) in few.iter_mut().zip(parts) {
                    *few = part.as_ref();
                }
                self.0.write_parts(few);
            }
            None => {
                let many: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
                self.0.write_parts(&many);
            }
        }
    }

    /// Send shared bytes. Large ones are not copied, so a broadcast costs a reference for each
    /// receiver.
    pub fn write_bytes(&self, bytes: Bytes) {
        /// Below this a copy into the buffer is cheaper than one more piece in a vectored send.
        const COPIED: usize = 1024;
        if bytes.len() < COPIED {
            self.0.write_copied(&bytes);
        } else {
            self.0.write_shared(bytes);
        }
    }

    /// Bytes written and not yet handed to the kernel.
    #[doc(alias = "get_write_buffer_size")]
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Resolves when everything written so far has been handed to the kernel.
    ///
    /// Rejected with the reason if the connection ends before that.
    #[doc(alias = "drain")]
    #[doc(alias = "writeConnectionLost")]
    pub fn flushed(&self) -> Deferred<(), Disconnect> {
        let watches = &self.0.watches;
        match (watches.gave_up_output(), self.0.buffered()) {
            (false, 0) => Deferred::succeed(()),
            (false, waiting) => self.0.watch_flush(self.0.sent() + waiting as u64),
            (true, _) => match watches.reason() {
                Some(reason) if self.0.phase() == Phase::Lost => Deferred::fail(reason),
                // Never resolved, but rejected with the rest at the loss.
                _ => self.0.watch_flush(u64::MAX),
            },
        }
    }
}

/// Ending.
impl Connection {
    /// Flush what was written, end the stream, and be done. No more input is delivered, not even
    /// the rest of the chunk that is being delivered; writes from here on are dropped.
    ///
    /// The reason at the loss is [`Disconnect::PeerClosed`] if the peer had ended before, else
    /// [`Disconnect::Closed`]. Doing it again changes nothing.
    #[doc(alias = "loseConnection")]
    #[doc(alias = "stopProducing")]
    #[doc(alias = "stopConsuming")]
    pub fn close(&self) {
        let reason = if self.0.peer_has_ended() {
            Disconnect::PeerClosed
        } else {
            Disconnect::Closed
        };
        self.0.end(reason, Ending::Flushed);
    }

    /// Like [`close`](Self::close), with this reason: an error reply that was written still
    /// leaves.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// struct Strict;
    /// impl Protocol for Strict {
    ///     fn data_received(&mut self, transport: &Transport<Self>, _: &[u8]) {
    ///         transport.write("say hello first\r\n");
    ///         transport.fail(Disconnect::protocol("no greeting"));
    ///     }
    /// }
    /// let mut t = torsade_testing::StringTransport::serve(Strict);
    /// t.feed(b"GET /");
    /// assert_eq!(t.take_sent(), b"say hello first\r\n");
    /// assert_eq!(t.lost(), Some(Disconnect::protocol("no greeting")));
    /// ```
    pub fn fail(&self, reason: Disconnect) {
        self.0.end(reason, Ending::Flushed);
    }

    /// End at once: what waits is dropped, and the peer sees a reset.
    #[doc(alias = "abortConnection")]
    pub fn abort(&self) {
        self.0.end(Disconnect::Aborted, Ending::Abrupt);
    }

    /// Like [`abort`](Self::abort), with this reason: for a peer that would not take a farewell
    /// either.
    ///
    /// ```
    /// # use torsade_core::{Disconnect, Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let t = torsade_testing::StringTransport::serve(Quiet);
    /// t.connection().abort_with(Disconnect::application("it floods us"));
    /// assert!(t.has_reset());
    /// assert_eq!(t.lost(), Some(Disconnect::application("it floods us")));
    /// ```
    pub fn abort_with(&self, reason: Disconnect) {
        self.0.end(reason, Ending::Abrupt);
    }

    /// Ask the protocol to come to an end: it is told `stopping`, as when the reactor stops, and
    /// closes by default. What drains a server calls this, and aborts those that take too long.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// struct Polite;
    /// impl Protocol for Polite {
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    ///     fn stopping(&mut self, transport: &Transport<Self>) {
    ///         transport.write("421 going down\r\n");
    ///         transport.close();
    ///     }
    /// }
    /// let mut t = torsade_testing::StringTransport::serve(Polite);
    /// t.connection().ask_to_stop();
    /// assert_eq!(t.take_sent(), b"421 going down\r\n");
    /// assert!(t.lost().is_some());
    /// ```
    pub fn ask_to_stop(&self) {
        self.0.tell_stopping();
    }

    /// Flush what was written and end our side; input goes on. When the peer has ended too, the
    /// connection is over.
    #[doc(alias = "loseWriteConnection")]
    #[doc(alias = "write_eof")]
    pub fn close_write(&self) {
        self.0.close_write();
    }

    /// Resolves with the reason when the connection has been lost.
    #[doc(alias = "wait_closed")]
    #[track_caller]
    pub fn closed(&self) -> Deferred<Disconnect, Infallible> {
        match self.0.watches.reason() {
            Some(reason) if self.0.phase() == Phase::Lost => Deferred::succeed(reason),
            _ => self.0.watches.watch_close(),
        }
    }
}

/// Bytes in.
impl Connection {
    /// Whether input may be delivered now: nobody holds it back, and nothing has ended it.
    ///
    /// A framing asks between two messages, and gives the rest back with [`unread`](Self::unread)
    /// when this is false.
    #[doc(alias = "is_reading")]
    #[inline]
    pub fn wants_input(&self) -> bool {
        self.0.wants_input()
    }

    /// Whether a framing may go on to the next message of this delivery at once: input is wanted,
    /// and no layer was told anything by [`Transport::signal`](crate::Transport::signal) in a
    /// callback of this delivery.
    ///
    /// One comparison that stands for two questions, for framings that ask both after each of many
    /// short messages. If the answer is no, they ask each.
    #[inline]
    pub fn is_undisturbed(&self) -> bool {
        self.0.is_undisturbed()
    }

    /// How long input has been held back in all, by whoever it was, since this was first asked.
    ///
    /// What waits for the peer subtracts this from the time that has passed: a peer that we do not
    /// read is not silent.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use torsade_core::{Protocol, Transport};
    /// # struct Quiet;
    /// # impl Protocol for Quiet {
    /// #     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// # }
    /// let mut t = torsade_testing::StringTransport::serve(Quiet);
    /// let connection = t.connection().clone();
    /// assert_eq!(connection.input_held(), Duration::ZERO);
    /// connection.pause_reading();
    /// t.advance(Duration::from_secs(2));
    /// connection.resume_reading();
    /// t.advance(Duration::from_secs(5));
    /// assert_eq!(connection.input_held(), Duration::from_secs(2));
    /// ```
    pub fn input_held(&self) -> Duration {
        let now = self.0.shared().now();
        self.0.watches.input_held(now, !self.wants_input())
    }

    /// Resolves when input is no longer held back; at once if it is not.
    ///
    /// Rejected with the reason if the connection ends before that.
    pub fn input_resumed(&self) -> Deferred<(), Disconnect> {
        match self.0.watches.reason() {
            Some(reason) if self.0.phase() == Phase::Lost => Deferred::fail(reason),
            _ if self.wants_input() => Deferred::succeed(()),
            _ => self.0.watches.watch_input(self.0.shared().now()),
        }
    }

    /// The last `n` bytes of this delivery come again, in front of the next. The largest `n` of a
    /// callback counts.
    ///
    /// If the callback ends while input is wanted, they wait for more bytes or the peer's end. If
    /// not, they come again as soon as input is wanted. More than `Limits::unread` of them end the
    /// connection with [`Limit::Unread`](crate::Limit::Unread).
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// /// Answers every complete pair of bytes, swapped.
    /// struct Swap;
    /// impl Protocol for Swap {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         let pairs = data.chunks_exact(2);
    ///         transport.unread(pairs.remainder().len());
    ///         for pair in pairs {
    ///             transport.write([pair[1], pair[0]]);
    ///         }
    ///     }
    /// }
    /// let mut t = torsade_testing::StringTransport::serve(Swap);
    /// t.feed(b"abc");
    /// t.feed(b"d");
    /// assert_eq!(t.take_sent(), b"badc");
    /// ```
    pub fn unread(&self, n: usize) {
        self.0.unread(n);
    }

    /// Look at the input that was left unread when the peer ended; inside `eof_received` only,
    /// empty elsewhere.
    ///
    /// ```
    /// # use torsade_core::{Protocol, Transport};
    /// struct Count;
    /// impl Protocol for Count {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.unread(data.len()); // wait for all of it
    ///     }
    ///     fn eof_received(&mut self, transport: &Transport<Self>) {
    ///         let count = transport.with_unread(<[u8]>::len);
    ///         transport.write(count.to_string());
    ///         transport.close();
    ///     }
    /// }
    /// let mut t = torsade_testing::StringTransport::serve(Count);
    /// t.feed(b"abc");
    /// t.end();
    /// assert_eq!(t.take_sent(), b"3");
    /// ```
    pub fn with_unread<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        let shared = self.0.shared();
        if shared.rest_of.get() != Some(self.0.id().0) {
            return look(&[]);
        }
        // Taken out, because `look` is the user's and nothing may be borrowed meanwhile.
        let rest = mem::take(&mut *shared.rest.borrow_mut());
        let result = look(&rest);
        *shared.rest.borrow_mut() = rest;
        result
    }

    /// How many bytes a callback may leave unread: `Limits::unread`, unless it was set otherwise.
    pub fn unread_limit(&self) -> usize {
        self.0.unread_limit()
    }

    /// How many bytes a callback may leave unread, instead of `Limits::unread`.
    pub fn set_unread_limit(&self, bytes: usize) {
        self.0.set_unread_limit(bytes);
    }

    /// Hold input back until [`resume_reading`](Self::resume_reading). Each layer of the stack
    /// and the untyped handles hold for themselves; reading runs while nobody does.
    #[doc(alias = "pauseProducing")]
    pub fn pause_reading(&self) {
        self.0.set_handle_paused(true);
    }

    /// Let go of what [`pause_reading`](Self::pause_reading) held.
    #[doc(alias = "resumeProducing")]
    pub fn resume_reading(&self) {
        self.0.set_handle_paused(false);
    }
}

/// Flow.
impl Connection {
    /// Whether more output is welcome: false from the byte that passes the high mark until the
    /// outbox has drained to the low one, and for ever after the close.
    ///
    /// `while transport.wants_output() { transport.write(next()) }` never piles up;
    /// `resume_writing` says when to go on.
    #[doc(alias = "registerProducer")]
    pub fn wants_output(&self) -> bool {
        self.0.wants_output()
    }

    /// Other marks than `Limits::write_low` and `Limits::write_high`, in bytes. Takes effect at
    /// once, in both directions. A `low` above `high` is taken as `high`, a `high` above
    /// `Limits::write_cap` as that.
    #[doc(alias = "set_write_buffer_limits")]
    pub fn set_write_limits(&self, low: usize, high: usize) {
        self.0.set_write_limits(low, high);
    }

    /// Whether input is held back while output waits above the high mark.
    ///
    /// On for accepted connections, because a peer that asks faster than it reads would fill
    /// memory; off for connecting ones, because two ends that both wait for their own output to
    /// drain would wait for ever. Returns whether it was on.
    pub fn throttle_input(&self, on: bool) -> bool {
        self.0.set_throttle(on)
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Connection {}

impl Hash for Connection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).hash(state);
    }
}

/// Whether this may be a slice of the delivery: by its size, as nothing else can be asked of a type.
#[inline(always)]
fn is_slice<D>(_: &D) -> bool {
    const { size_of::<D>() == size_of::<&[u8]>() }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Connection");
        out.field("id", &self.id())
            .field("peer", &self.peer().remote())
            .field("phase", &self.0.phase())
            .field("buffered", &self.buffered());
        if self.0.output() != Output::Open {
            out.field("output", &self.0.output());
        }
        out.finish()
    }
}
