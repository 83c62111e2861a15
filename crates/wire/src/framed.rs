use torsade_core::{Connection, Disconnect, Layered, Limit, Protocol, Transport};

use crate::pass_on::{pass_on, take_steps};
use crate::{Decoded, Decoder, MessageProtocol};

/// The framing of messages: a [`Protocol`] that cuts the stream for the [`MessageProtocol`] inside
/// it, as that one's [`Framing`](MessageProtocol::Framing) says.
///
/// ```
/// use torsade_core::{Disconnect, Limit, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Framed, MessageProtocol, Netstring};
///
/// struct Count(usize);
/// impl MessageProtocol for Count {
///     type Framing = Netstring;
///     fn message_received(&mut self, _: &Transport<Self>, _: &[u8]) {
///         self.0 += 1;
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Count(0)).max_length(80));
/// t.feed(b"3:one,3:two,5:thr");
/// assert_eq!(t.protocol(|framed| framed.get_mut().0), 2);
/// t.feed(b"ee,81"); // and nothing of it
/// assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
/// ```
#[derive(Debug)]
pub struct Framed<P: MessageProtocol> {
    protocol: P,
    framing: P::Framing,
    max_length: usize,
    /// Bytes to come of a message that was too long.
    skipping: u64,
}

impl<P: MessageProtocol> Framed<P> {
    /// `protocol` in its framing, which allows messages of [`Decoder::MAX_LENGTH`]: 99,999 bytes
    /// unless the framing says otherwise.
    pub fn new(protocol: P) -> Self
    where
        P::Framing: Default,
    {
        Self::with(P::Framing::default(), protocol)
    }

    /// The same with a framing that has settings of its own.
    pub fn with(framing: P::Framing, protocol: P) -> Self {
        Self {
            protocol,
            framing,
            max_length: P::Framing::MAX_LENGTH,
            skipping: 0,
        }
    }

    /// Allow messages of at most so many bytes, what is around them not counted.
    ///
    /// A longer message is found out as soon as its length is there, and
    /// [`limit_exceeded`](MessageProtocol::limit_exceeded) called. So much input may wait on a
    /// connection for the rest of its message, also where `Limits::unread` is less.
    #[must_use]
    #[doc(alias = "MAX_LENGTH")]
    pub fn max_length(mut self, bytes: usize) -> Self {
        self.max_length = bytes;
        self
    }

    /// What is inside.
    pub fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// What is inside, to change it. Not for calling its callbacks, which want its own transport.
    pub fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: MessageProtocol> Protocol for Framed<P> {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        make_room(transport, self.framing.room(self.max_length));
        self.protocol.connection_made(&transport.inner());
    }

    take_steps!();
    pass_on!();
}

impl<P: MessageProtocol> Layered for Framed<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: MessageProtocol> Framed<P> {
    /// Do the next thing with the front of `rest` and say how much of it that used; `None` if
    /// nothing can be done before more has come, or ever.
    #[inline]
    fn step(&mut self, inner: &Transport<P>, rest: &[u8]) -> Option<usize> {
        if self.skipping > 0 {
            return Some(self.skip(rest.len()));
        }
        match self.framing.decode(rest, self.max_length) {
            Decoded::Message { message, used } => {
                check_progress(used, rest);
                self.protocol.message_received(inner, message);
                Some(used)
            }
            Decoded::More => None,
            Decoded::Nothing(used) => {
                check_progress(used, rest);
                Some(used)
            }
            Decoded::TooLong { length, skip } => {
                self.too_long(inner, length, skip);
                Some(0)
            }
            Decoded::Fail(reason) => {
                inner.fail(reason);
                None
            }
        }
    }

    #[cold]
    fn too_long(&mut self, inner: &Transport<P>, length: u64, skip: Option<u64>) {
        self.protocol.limit_exceeded(inner, length);
        match skip {
            Some(bytes) => self.skipping = bytes.max(1),
            // After an end that the protocol chose, this changes nothing.
            None => inner.fail(Disconnect::LimitPassed(Limit::Message)),
        }
    }

    #[cold]
    fn skip(&mut self, available: usize) -> usize {
        let skipped = usize::try_from(self.skipping).map_or(available, |all| all.min(available));
        self.skipping -= skipped as u64;
        skipped
    }
}

/// So many bytes may wait for the rest of a message.
pub(crate) fn make_room(connection: &Connection, bytes: usize) {
    if connection.unread_limit() < bytes {
        connection.set_unread_limit(bytes);
    }
}

/// A decoder that used nothing would be asked for ever; one that used more than there is has not
/// looked. Both are mistakes of the program, and no bytes of a peer bring them about.
#[inline]
fn check_progress(used: usize, rest: &[u8]) {
    assert!(
        (1..=rest.len()).contains(&used),
        "a decoder used {used} bytes of {}",
        rest.len()
    );
}
