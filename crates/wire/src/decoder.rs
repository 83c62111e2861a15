use torsade_core::Disconnect;

/// How the front of a stream is read as one message: the half of a framing that looks at bytes
/// from the peer.
///
/// A decoder is asked with what has not been used yet, and answers with one [`Decoded`]. All the
/// rest of a framing, what happens between two messages, at the limit and at the end, is
/// [`Framed`](crate::Framed)'s. Bytes that are in no message yet are not the decoder's to keep:
/// they come again, with more behind them.
///
/// What writes messages is the other half, [`Encoder`](crate::Encoder).
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Decoded, Decoder, Encoder, Framed, MessageProtocol, MessageTransport, TooLong};
///
/// /// A byte that says what it is, two bytes of length, and a value.
/// #[derive(Default)]
/// struct Tagged;
///
/// impl Decoder for Tagged {
///     type Message<'a> = (u8, &'a [u8]);
///
///     fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<(u8, &'a [u8])> {
///         let Some(([tag, length @ ..], rest)) = data.split_first_chunk::<3>() else {
///             return Decoded::More;
///         };
///         let length = usize::from(u16::from_be_bytes(*length));
///         if length > max_length {
///             return Decoded::too_long(length).skip(3 + length);
///         }
///         match rest.get(..length) {
///             Some(value) => Decoded::Message { message: (*tag, value), used: 3 + length },
///             None => Decoded::More,
///         }
///     }
///
///     fn room(&self, max_length: usize) -> usize {
///         max_length.saturating_add(3)
///     }
/// }
///
/// impl Encoder<(u8, &[u8])> for Tagged {
///     fn encode((tag, value): (u8, &[u8]), write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong> {
///         let length = u16::try_from(value.len())
///             .map_err(|_| TooLong { length: value.len(), max: usize::from(u16::MAX) })?;
///         write(&[&[tag], &length.to_be_bytes(), value]);
///         Ok(())
///     }
/// }
///
/// struct Echo;
/// impl MessageProtocol for Echo {
///     type Framing = Tagged;
///     fn message_received(&mut self, transport: &Transport<Self>, (tag, value): (u8, &[u8])) {
///         transport.send_message((tag + 1, value)).expect("no longer than what came");
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Echo));
/// t.feed(b"a\0\x03one" /* and the beginning of another */);
/// t.feed(b"c\0");
/// assert_eq!(t.take_sent(), b"b\0\x03one");
/// ```
#[doc(alias = "Codec")]
pub trait Decoder: 'static {
    /// What a message is: usually `&'a [u8]`, or a view of such a slice.
    ///
    /// Of what borrows from the delivery nothing is copied. A decoder that has to change bytes, to
    /// take escapes out for instance, makes a `Cow<'a, [u8]>` or a `Vec<u8>`.
    type Message<'a>;

    /// What a message may be long, unless [`Framed::max_length`](crate::Framed::max_length) says
    /// otherwise. 99,999 bytes.
    const MAX_LENGTH: usize = 99_999;

    /// Look at the front of the stream.
    ///
    /// `data` is never empty. It begins where the last message ended; after [`Decoded::More`] it
    /// begins with the same bytes as before, usually with more behind them, so a decoder that
    /// searches can remember how far it came and need not search twice. `max_length` is what
    /// [`Framed::max_length`](crate::Framed::max_length) allows: a longer message is to be
    /// answered with [`Decoded::TooLong`] as soon as that is known, and nothing is to be allocated
    /// from a number that the peer sent.
    ///
    /// # Panics
    /// It need not for any input. If it does, that ends this connection and no other.
    fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<Self::Message<'a>>;

    /// How many bytes a message of `max_length` takes on the wire at most, with all that is around
    /// it. So many may wait on a connection, also where `Limits::unread` is less. `max_length`,
    /// unless it is said otherwise.
    fn room(&self, max_length: usize) -> usize {
        max_length
    }
}

/// What a [`Decoder`] sees at the front of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "decoders make it, and the framing alone looks at it"
)]
pub enum Decoded<M> {
    /// A message, in the first `used` bytes: at least one, at most all.
    Message {
        /// What is handed to
        /// [`message_received`](crate::MessageProtocol::message_received).
        message: M,
        /// How many bytes it took, with all that is around it.
        used: usize,
    },
    /// So many bytes, at least one and at most all, that are in no message: padding, or the sign
    /// of life of a silent peer.
    Nothing(usize),
    /// The beginning of a message, or of anything else. Ask again when more has come.
    More,
    /// A message that is longer than is allowed.
    /// [`limit_exceeded`](crate::MessageProtocol::limit_exceeded) is called.
    TooLong {
        /// How long it is, as far as that is known: more than was allowed.
        length: u64,
        /// How many bytes it takes, with all that is around it, here or still to come: they are
        /// skipped if the protocol lets the connection live. `None` if that cannot be known; then
        /// the connection ends.
        skip: Option<u64>,
    },
    /// What the peer sent makes no sense. The connection ends with this reason; what was written is
    /// flushed first.
    Fail(Disconnect),
}

impl<M> Decoded<M> {
    /// A message that is too long: so many bytes, as far as is known. Ends the connection, unless
    /// [`skip`](Self::skip) says where the message after it begins.
    ///
    /// ```
    /// use torsade_wire::Decoded;
    ///
    /// let endless = Decoded::<&[u8]>::too_long(70_000);
    /// assert_eq!(endless, Decoded::TooLong { length: 70_000, skip: None });
    /// let ended = endless.skip(70_002);
    /// assert_eq!(ended, Decoded::TooLong { length: 70_000, skip: Some(70_002) });
    /// ```
    #[must_use]
    pub fn too_long(length: usize) -> Self {
        Self::TooLong {
            length: length as u64,
            skip: None,
        }
    }

    /// How many bytes the message that is too long takes on the wire. Of anything else, nothing
    /// is changed.
    #[must_use]
    pub fn skip(self, bytes: usize) -> Self {
        match self {
            Self::TooLong { length, .. } => Self::TooLong {
                length,
                skip: Some(bytes as u64),
            },
            other => other,
        }
    }

    /// What the peer sent breaks the rules of the framing; say how.
    ///
    /// ```
    /// use torsade_core::Disconnect;
    /// use torsade_wire::Decoded;
    ///
    /// let nonsense = Decoded::<&[u8]>::invalid("a frame of an unknown kind");
    /// let reason = Disconnect::protocol("a frame of an unknown kind");
    /// assert_eq!(nonsense, Decoded::Fail(reason));
    /// ```
    #[must_use]
    pub fn invalid(what: &'static str) -> Self {
        Self::Fail(Disconnect::protocol(what))
    }
}
