use std::fmt;

use torsade_core::{Disconnect, Layered, Limit, Protocol, Transport};

use crate::framed::make_room;
use crate::pass_on::pass_on;

/// A protocol that says, each time, how many bytes it wants next and which of its methods gets
/// them. Goes into [`Stateful`].
///
/// That is how Twisted's `twisted.protocols.stateful` is used, and how many binary protocols are
/// written down: so many bytes of header, which say how many bytes of body. Where all messages look
/// alike, a [`Decoder`](crate::Decoder) is shorter.
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{State, Stateful, StatefulProtocol};
///
/// /// A greeting of two bytes, then values with a byte of length before them.
/// #[derive(Default)]
/// struct Values(Vec<Vec<u8>>);
///
/// impl StatefulProtocol for Values {
///     fn initial_state(&mut self) -> State<Self> {
///         State::new(Self::greeting, 2)
///     }
/// }
///
/// impl Values {
///     fn greeting(&mut self, transport: &Transport<Self>, greeting: &[u8]) -> Option<State<Self>> {
///         if greeting != b"hi" {
///             transport.close();
///         }
///         Some(State::new(Self::length, 1))
///     }
///
///     fn length(&mut self, _: &Transport<Self>, length: &[u8]) -> Option<State<Self>> {
///         Some(State::new(Self::value, usize::from(length[0])))
///     }
///
///     fn value(&mut self, _: &Transport<Self>, value: &[u8]) -> Option<State<Self>> {
///         self.0.push(value.to_vec());
///         Some(State::new(Self::length, 1))
///     }
/// }
///
/// let mut t = StringTransport::serve(Stateful::new(Values::default()));
/// t.feed_bytewise(b"hi\x03abc\0\x01d");
/// assert_eq!(t.protocol(|stateful| stateful.get_ref().0.join(&b","[..])), b"abc,,d");
/// ```
#[diagnostic::on_unimplemented(message = "`{Self}` is not a `StatefulProtocol`")]
pub trait StatefulProtocol: Sized + 'static {
    /// What is wanted first. Called once, by [`Stateful::new`].
    #[doc(alias = "getInitialState")]
    fn initial_state(&mut self) -> State<Self>;

    /// The connection is there. Nothing is read before this returns.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The peer has ended its side. `rest` is what came of the bytes that were wanted.
    ///
    /// The default closes if that is nothing, and otherwise ends the connection with
    /// [`Disconnect::Protocol`].
    #[doc(alias = "eofReceived")]
    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        if rest.is_empty() {
            transport.close();
        } else {
            transport.fail(Disconnect::protocol("the end came inside a message"));
        }
    }

    /// More output waits than the high mark allows: stop producing.
    #[doc(alias = "pauseProducing")]
    fn pause_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// Output has drained to the low mark: go on producing.
    #[doc(alias = "resumeProducing")]
    fn resume_writing(&mut self, transport: &Transport<Self>) {
        let _ = transport;
    }

    /// The reactor shuts down. The default closes.
    fn stopping(&mut self, transport: &Transport<Self>) {
        transport.close();
    }

    /// The connection is over. Once, always last.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let _ = (transport, reason);
    }
}

/// What a [`StatefulProtocol`] waits for: a number of bytes, and the method that gets them.
pub struct State<P> {
    handler: Handler<P>,
    bytes: usize,
}

/// What gets the bytes of a [`State`]. It returns the next one; `None` is the same again.
pub type Handler<P> = fn(&mut P, &Transport<P>, &[u8]) -> Option<State<P>>;

impl<P> State<P> {
    /// Call `handler` with the next `bytes` bytes, all of them in one slice.
    ///
    /// A state of no bytes is for a length that turned out to be 0: it needs no input, so its
    /// handler is called at once with an empty slice, also while input is held back, but not after
    /// the close. More bytes than [`Stateful::max_length`] end the connection.
    pub fn new(handler: Handler<P>, bytes: usize) -> Self {
        Self { handler, bytes }
    }
}

impl<P> Clone for State<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for State<P> {}

impl<P> fmt::Debug for State<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({} bytes)", self.bytes)
    }
}

/// Gives a [`StatefulProtocol`] its bytes, so many at a time as it asked for.
///
/// Pieces lie in the reactor's buffer, and what is not complete yet waits there. See
/// [`StatefulProtocol`] for an example.
#[doc(alias = "stateful")]
#[derive(Debug)]
pub struct Stateful<P> {
    protocol: P,
    state: State<P>,
    max_length: usize,
}

impl<P: StatefulProtocol> Stateful<P> {
    /// `protocol`, which may ask for 99,999 bytes at once.
    pub fn new(mut protocol: P) -> Self {
        Self {
            state: protocol.initial_state(),
            protocol,
            max_length: 99_999,
        }
    }

    /// Allow states of so many bytes. 99,999 unless it is set.
    ///
    /// A number of bytes is often what the peer said. One that is larger than this ends the
    /// connection with [`Limit::Message`] as soon as it is asked for, before any of them has
    /// come. So much input may wait on a connection, also where `Limits::unread` is less.
    ///
    /// ```
    /// use torsade_core::{Disconnect, Limit, Transport};
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::{State, Stateful, StatefulProtocol};
    ///
    /// struct Trusting;
    /// impl StatefulProtocol for Trusting {
    ///     fn initial_state(&mut self) -> State<Self> {
    ///         State::new(Self::length, 4)
    ///     }
    /// }
    /// impl Trusting {
    ///     fn length(&mut self, _: &Transport<Self>, length: &[u8]) -> Option<State<Self>> {
    ///         let length = length.iter().fold(0, |length, byte| length * 256 + usize::from(*byte));
    ///         Some(State::new(|_, _, _| None, length))
    ///     }
    /// }
    ///
    /// let mut t = StringTransport::serve(Stateful::new(Trusting).max_length(1000));
    /// t.feed(b"\0\0\x03\xe9");
    /// assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
    /// ```
    #[must_use]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }
}

impl<P> Stateful<P> {
    /// What is inside.
    pub fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// What is inside, to change it. Not for calling its callbacks, which want its own transport.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: StatefulProtocol> Protocol for Stateful<P> {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        make_room(transport, self.max_length);
        self.protocol.connection_made(&transport.inner());
        self.run(transport, &[]);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        let used = self.run(transport, data);
        transport.unread(data.len() - used);
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        let inner = transport.inner();
        transport.with_unread(|rest| self.protocol.eof_received(&inner, rest));
    }

    pass_on!();
}

impl<P: StatefulProtocol> Layered for Stateful<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: StatefulProtocol> Stateful<P> {
    /// Go from state to state as far as `data` suffices, and say how much of it was used.
    fn run(&mut self, transport: &Transport<Self>, data: &[u8]) -> usize {
        let inner = transport.inner();
        let mut rest = data;
        while self.may_go_on(transport)
            && let Some((piece, others)) = rest.split_at_checked(self.state.bytes)
        {
            rest = others;
            if let Some(next) = (self.state.handler)(&mut self.protocol, &inner, piece) {
                self.state = next;
            }
        }
        data.len() - rest.len()
    }

    /// Whether the current state may have its bytes, if they are there.
    fn may_go_on(&self, transport: &Transport<Self>) -> bool {
        if self.state.bytes > self.max_length {
            transport.fail(Disconnect::LimitPassed(Limit::Message));
            return false;
        }
        match self.state.bytes {
            // Nothing would bring a hold that is let go to the attention of this state.
            0 => transport.is_open(),
            _ => transport.wants_input(),
        }
    }
}
