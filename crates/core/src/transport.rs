use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Deferred, Failure};

use crate::layer::{Layered, Place};
use crate::link::Link;
use crate::{Connection, Protocol, Timer, continuation};

/// A protocol's handle of its connection, given to every callback.
///
/// Cheap to clone (16 bytes, one reference count) and to store: in the protocol, in a room, in a
/// closure. All methods take `&self` and none calls back (contract C1). What needs no protocol
/// type is on [`Connection`], to which this dereferences: `write`, `close`, `wants_output` and
/// so on. What is here runs later **with `&mut self`** of the protocol, typed by inference.
///
/// ```
/// use std::time::Duration;
/// use torsade_core::{Protocol, Transport};
///
/// struct Patient {
///     asked: bool,
/// }
/// impl Protocol for Patient {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.call_later(Duration::from_secs(5), |me, transport| {
///             me.asked = true;
///             transport.write("are you there?\n");
///         });
///     }
///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
/// }
///
/// let mut t = torsade_testing::StringTransport::serve(Patient { asked: false });
/// t.advance(Duration::from_secs(5));
/// assert_eq!(t.take_sent(), b"are you there?\n");
/// assert!(t.protocol(|me| me.asked));
/// ```
#[doc(alias = "ITransport")]
#[doc(alias = "BaseTransport")]
#[doc(alias = "ReadTransport")]
#[doc(alias = "WriteTransport")]
pub struct Transport<P> {
    connection: Connection,
    place: Place,
    layer: PhantomData<fn(&mut P)>,
}

impl<P> Transport<P> {
    pub(crate) fn new(link: Rc<Link>, place: Place) -> Self {
        Self {
            connection: Connection(link),
            place,
            layer: PhantomData,
        }
    }

    pub(crate) fn link(&self) -> &Rc<Link> {
        &self.connection.0
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The untyped handle, for rooms of mixed kinds.
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Hold input back until this layer's [`resume_reading`](Self::resume_reading); other layers
    /// hold for themselves.
    #[doc(alias = "pauseProducing")]
    pub fn pause_reading(&self) {
        if self.link().is_current(self.place) {
            self.link().set_layer_paused(self.place.depth, true);
        }
    }

    /// Let go of what this layer's [`pause_reading`](Self::pause_reading) held.
    #[doc(alias = "resumeProducing")]
    pub fn resume_reading(&self) {
        if self.link().is_current(self.place) {
            self.link().set_layer_paused(self.place.depth, false);
        }
    }
}

/// Later, with `&mut self`.
impl<P: 'static> Transport<P> {
    /// When the result is there, run `f` on the protocol with it.
    ///
    /// If the connection is lost before, the work behind `deferred` is cancelled and `f` dropped
    /// unrun: clean-up that must happen belongs into `connection_lost` or into a free
    /// [`Deferred::finish`].
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_deferred::{Deferred, Resolver};
    ///
    /// struct Asker(Option<Resolver<u32, ()>>);
    /// impl Protocol for Asker {
    ///     fn connection_made(&mut self, transport: &Transport<Self>) {
    ///         let (resolver, answer) = Deferred::<u32, ()>::new();
    ///         self.0 = Some(resolver);
    ///         transport.then(answer, |_, transport, answer| {
    ///             transport.write(format!("{answer:?}"));
    ///         });
    ///     }
    ///     fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Asker(None));
    /// let resolver = t.protocol(|me| me.0.take()).unwrap();
    /// resolver.resolve(42);
    /// assert_eq!(t.take_sent(), b"Ok(42)");
    /// ```
    #[doc(alias = "addCallbacks")]
    pub fn then<T: 'static, E: 'static>(
        &self,
        deferred: Deferred<T, E>,
        f: impl FnOnce(&mut P, &Self, Result<T, Failure<E>>) + 'static,
    ) {
        continuation::then(self.link(), self.place, deferred, false, f);
    }

    /// Like [`then`](Self::then), and hold input back until `f` has run: data and the peer's end.
    ///
    /// So replies keep the order of their questions, and a client that half-closes after its
    /// question gets its answer.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    /// use torsade_deferred::{Deferred, Resolver};
    ///
    /// /// Answers byte by byte, each answer arriving later.
    /// struct Slow(Option<Resolver<u8, ()>>);
    /// impl Protocol for Slow {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         let (resolver, answer) = Deferred::<u8, ()>::new();
    ///         self.0 = Some(resolver);
    ///         transport.unread(data.len() - 1);
    ///         transport.hold(answer, |_, transport, answer| transport.write([answer.unwrap()]));
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Slow(None));
    /// t.feed(b"ab");
    /// t.end();
    /// for answer in *b"AB" {
    ///     let resolver = t.protocol(|me| me.0.take()).unwrap();
    ///     resolver.resolve(answer);
    /// }
    /// assert_eq!(t.take_sent(), b"AB");
    /// ```
    pub fn hold<T: 'static, E: 'static>(
        &self,
        deferred: Deferred<T, E>,
        f: impl FnOnce(&mut P, &Self, Result<T, Failure<E>>) + 'static,
    ) {
        continuation::then(self.link(), self.place, deferred, true, f);
    }

    /// Run `f` on the protocol when the current callback has returned.
    #[doc(alias = "call_soon")]
    pub fn call(&self, f: impl FnOnce(&mut P, &Self) + 'static) {
        continuation::call(self.link(), self.place, f);
    }

    /// Run `f` on the protocol after this long. Ends with the connection.
    ///
    /// Never early; input that was waiting is delivered first, so a stall of ours times nobody
    /// out who had spoken.
    #[doc(alias = "callLater")]
    pub fn call_later(&self, after: Duration, f: impl FnOnce(&mut P, &Self) + 'static) -> Timer {
        continuation::call_later(self.link(), self.place, after, f)
    }

    /// Put another protocol in place of the whole stack, after this callback.
    ///
    /// `protocol` gets its own `connection_made`, then the input left unread; the old one gets no
    /// `connection_lost`. Nothing is delivered in between. Continuations of the old stack are
    /// dropped unrun; handles of it go on to write and close.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    ///
    /// struct Greeting;
    /// struct Shout;
    /// impl Protocol for Greeting {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.unread(data.len() - 1); // the first byte was ours
    ///         transport.switch(Shout);
    ///     }
    /// }
    /// impl Protocol for Shout {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.write(data.to_ascii_uppercase());
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Greeting);
    /// t.feed(b"!abc");
    /// assert_eq!(t.take_sent(), b"ABC");
    /// ```
    #[doc(alias = "set_protocol")]
    #[doc(alias = "recvd")]
    pub fn switch(&self, protocol: impl Protocol) {
        self.switch_to(protocol, None);
    }

    /// Like [`switch`](Self::switch), for a protocol that has read ahead: what it consumed but
    /// could not use, `ahead`, comes again for the new one, in front of what was left unread. If
    /// the peer's end was told already, that comes again behind it.
    ///
    /// ```
    /// use torsade_core::{Protocol, Transport};
    ///
    /// /// Collects until there is enough, wherever that lies.
    /// struct Collect(Vec<u8>);
    /// struct Shout;
    /// impl Protocol for Collect {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         self.0.extend_from_slice(data);
    ///         if let Some(end) = self.0.iter().position(|&byte| byte == b'!') {
    ///             transport.switch_with(Shout, &self.0[end + 1..]);
    ///         }
    ///     }
    /// }
    /// impl Protocol for Shout {
    ///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
    ///         transport.write(data.to_ascii_uppercase());
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Collect(Vec::new()));
    /// t.feed(b"he");
    /// t.feed(b"y!abc");
    /// assert_eq!(t.take_sent(), b"ABC");
    /// ```
    pub fn switch_with(&self, protocol: impl Protocol, ahead: impl Into<Box<[u8]>>) {
        self.switch_to(protocol, Some(ahead.into()));
    }

    fn switch_to(&self, protocol: impl Protocol, ahead: Option<Box<[u8]>>) {
        let link = self.link();
        if !link.is_current(self.place) {
            log::debug!("connection {}: not switching, its stack is gone", self.id());
            return;
        }
        let place = Place {
            depth: link.layers.switchable(self.place.depth),
            ..self.place
        };
        link.switch(place, Box::new(protocol), ahead);
    }
}

/// Between layers.
impl<P> Transport<P> {
    /// Tell the layer around this one something, in a number that both understand.
    ///
    /// This is how the inside of a framing changes how the next bytes are framed: the framing
    /// asks [`take_signal`](Self::take_signal) between two messages. The last signal counts. If
    /// input left unread waits for more, it is delivered again, because the framing may see more
    /// in it now. Those who use a framing call what it offers for the purpose, not this.
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use torsade_core::{Layered, Protocol, Transport};
    ///
    /// /// Hands on pieces of as many bytes as the inner one last asked for.
    /// struct Pieces<T>(T, usize);
    ///
    /// /// Asks for as many bytes as a digit says, and writes them in brackets.
    /// struct Counted(bool);
    /// impl Counted {
    ///     fn piece(&mut self, transport: &Transport<Self>, piece: &[u8]) {
    ///         let mut next = 1;
    ///         if self.0 {
    ///             transport.write_parts(&[b"[", piece, b"]"]);
    ///         } else {
    ///             next = usize::from(piece[0] - b'0');
    ///         }
    ///         self.0 = !self.0;
    ///         transport.signal(NonZeroUsize::new(next).unwrap());
    ///     }
    /// }
    ///
    /// impl Layered for Pieces<Counted> {
    ///     type Inner = Counted;
    ///     fn inner_mut(&mut self) -> &mut Counted {
    ///         &mut self.0
    ///     }
    /// }
    /// impl Protocol for Pieces<Counted> {
    ///     fn data_received(&mut self, transport: &Transport<Self>, mut data: &[u8]) {
    ///         while transport.wants_input()
    ///             && let Some((piece, rest)) = data.split_at_checked(self.1)
    ///         {
    ///             data = rest;
    ///             self.0.piece(&transport.inner(), piece);
    ///             self.1 = transport.take_signal().map_or(self.1, NonZeroUsize::get);
    ///         }
    ///         transport.unread(data.len());
    ///     }
    /// }
    ///
    /// let mut t = torsade_testing::StringTransport::serve(Pieces(Counted(false), 1));
    /// t.feed(b"3abc2de1");
    /// assert_eq!(t.take_sent(), b"[abc][de]");
    /// ```
    pub fn signal(&self, signal: NonZeroUsize) {
        let link = self.link();
        if link.is_current(self.place) {
            link.layers.signal(self.place.depth, signal);
            link.note_signal();
        }
    }
}

impl<P: Layered> Transport<P> {
    /// What the layer inside this one told it with [`signal`](Transport::signal) since it was
    /// last asked.
    #[inline]
    pub fn take_signal(&self) -> Option<NonZeroUsize> {
        self.link().layers.take_signal(self.place.depth)
    }

    /// The transport of the layer inside this one.
    #[inline]
    pub fn inner(&self) -> Transport<P::Inner> {
        if !self.link().layers.knows(self.place.depth) {
            self.learn_inner();
        }
        let place = Place {
            depth: self.place.depth + 1,
            ..self.place
        };
        Transport::new(Rc::clone(self.link()), place)
    }

    #[cold]
    fn learn_inner(&self) {
        let Place { depth, .. } = self.place;
        if self.link().is_current(self.place) {
            self.link().layers.learn::<P>(depth);
        }
    }
}

impl<P> Deref for Transport<P> {
    type Target = Connection;

    #[inline]
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl<P> Clone for Transport<P> {
    fn clone(&self) -> Self {
        Self::new(Rc::clone(self.link()), self.place)
    }
}

/// Equal if they serve the same layer of the same connection.
impl<P> PartialEq for Transport<P> {
    fn eq(&self, other: &Self) -> bool {
        self.connection == other.connection && self.place == other.place
    }
}

impl<P> Eq for Transport<P> {}

impl<P> Hash for Transport<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.connection.hash(state);
        self.place.hash(state);
    }
}

impl<P> fmt::Debug for Transport<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("connection", &self.connection)
            .field("layer", &self.place.depth)
            .finish()
    }
}

const _: () = assert!(size_of::<Transport<u8>>() == 16);
