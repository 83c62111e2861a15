use crate::{Decoded, Decoder, Encoder, TooLong};

/// Records of `N` bytes each, with nothing between them. A message is a `&[u8; N]`, so there is no
/// length to check.
///
/// [`Framed::max_length`](crate::Framed::max_length) means nothing here. Records of no bytes do not
/// compile.
///
/// ```
/// use torsade_core::Transport;
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Framed, MessageProtocol, MessageTransport, Records};
///
/// /// Answers each number with its square.
/// struct Square;
/// impl MessageProtocol for Square {
///     type Framing = Records<4>;
///     fn message_received(&mut self, transport: &Transport<Self>, number: &[u8; 4]) {
///         let square = u32::from_be_bytes(*number).wrapping_pow(2);
///         transport.send_message(square.to_be_bytes()).expect("a record");
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Square));
/// t.feed(b"\0\0\0\x03\0\0\x01");
/// assert_eq!(t.take_sent(), b"\0\0\0\x09");
/// t.feed(b"\0");
/// assert_eq!(t.take_sent(), b"\0\x01\0\0");
/// ```
///
/// ```compile_fail
/// use torsade_core::Transport;
/// use torsade_wire::{Framed, MessageProtocol, Records};
///
/// struct Nothing;
/// impl MessageProtocol for Nothing {
///     type Framing = Records<0>;
///     fn message_received(&mut self, _: &Transport<Self>, _: &[u8; 0]) {}
/// }
/// let framed = Framed::new(Nothing);
/// ```
#[doc(alias = "FixedLengthFrameDecoder")]
#[derive(Clone, Debug)]
pub struct Records<const N: usize>(());

impl<const N: usize> Default for Records<N> {
    fn default() -> Self {
        const { assert!(N > 0, "a record must have a byte") };
        Self(())
    }
}

impl<const N: usize> Decoder for Records<N> {
    type Message<'a> = &'a [u8; N];

    const MAX_LENGTH: usize = N;

    #[inline]
    fn decode<'a>(&mut self, data: &'a [u8], _: usize) -> Decoded<&'a [u8; N]> {
        match data.first_chunk() {
            Some(message) => Decoded::Message { message, used: N },
            None => Decoded::More,
        }
    }

    fn room(&self, _: usize) -> usize {
        N
    }
}

impl<const N: usize> Encoder<&[u8; N]> for Records<N> {
    #[inline]
    fn encode(message: &[u8; N], write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong> {
        write(&[message]);
        Ok(())
    }
}

impl<const N: usize> Encoder<[u8; N]> for Records<N> {
    #[inline]
    fn encode(message: [u8; N], write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong> {
        write(&[&message]);
        Ok(())
    }
}
