use std::fmt;
use std::marker::PhantomData;

use crate::{Decoded, Decoder, Encoder, TooLong};

/// Messages with their length before them: an unsigned integer `N`, [`u8`], [`u16`] or [`u32`],
/// that counts the bytes behind it.
///
/// In network byte order, most significant byte first, unless `O` is [`LittleEndian`]. These have
/// names of their own: [`Int8`], [`Int16`], [`Int32`], [`Int16Le`], [`Int32Le`]. DNS over TCP is
/// spoken in `Int16` ([RFC 1035, 4.2.2]), and what is called a "frame" elsewhere is mostly an
/// `Int32`. An integer that counts itself too, or a header with more than a length in it, is a
/// [`Decoder`] of ten lines.
///
/// ```
/// use torsade_core::{Disconnect, Limit, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Framed, Int32Le, MessageProtocol, MessageTransport};
///
/// struct Reverse;
/// impl MessageProtocol for Reverse {
///     type Framing = Int32Le;
///     fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
///         let reversed: Vec<u8> = message.iter().rev().copied().collect();
///         transport.send_message(reversed).expect("as long as what came");
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Reverse).max_length(1_000_000));
/// t.feed(b"\x03\0\0\0abc");
/// assert_eq!(t.take_sent(), b"\x03\0\0\0cba");
/// t.feed(b"\x41\x42\x0f\0"); // 1,000,001: known before the first byte of it is there
/// assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
/// ```
///
/// [RFC 1035, 4.2.2]: https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2
#[doc(alias = "IntNStringReceiver")]
#[doc(alias = "LengthDelimitedCodec")]
#[doc(alias = "structFormat")]
#[doc(alias = "prefixLength")]
pub struct LengthPrefix<N, O = BigEndian>(PhantomData<fn() -> (N, O)>);

/// A byte of length, then up to 255 bytes.
#[doc(alias = "Int8StringReceiver")]
pub type Int8 = LengthPrefix<u8>;

/// Two bytes of length in network byte order, then up to 65,535 bytes.
#[doc(alias = "Int16StringReceiver")]
pub type Int16 = LengthPrefix<u16>;

/// Four bytes of length in network byte order, then the message.
#[doc(alias = "Int32StringReceiver")]
pub type Int32 = LengthPrefix<u32>;

/// Two bytes of length, the least significant first, then up to 65,535 bytes.
pub type Int16Le = LengthPrefix<u16, LittleEndian>;

/// Four bytes of length, the least significant first, then the message.
pub type Int32Le = LengthPrefix<u32, LittleEndian>;

/// The most significant byte first: network byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BigEndian;

/// The least significant byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LittleEndian;

/// An integer that a [`LengthPrefix`] can be. Not to be implemented.
pub trait PrefixInteger: sealed::Width {}

/// An order that the bytes of a [`LengthPrefix`] can have. Not to be implemented.
pub trait ByteOrder: sealed::Order {}

impl<N: PrefixInteger, O: ByteOrder> LengthPrefix<N, O> {
    /// The longest message that the integer can express.
    const MAX: usize = (u32::MAX >> (32 - 8 * N::BYTES)) as usize;
}

impl<N: PrefixInteger, O: ByteOrder> Decoder for LengthPrefix<N, O> {
    type Message<'a> = &'a [u8];

    #[inline]
    fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<&'a [u8]> {
        let Some((prefix, rest)) = data.split_at_checked(N::BYTES) else {
            return Decoded::More;
        };
        let length = O::read(prefix);
        if length as usize > max_length + usize::from(planted!("off_by_one_length")) {
            return Decoded::TooLong {
                length: u64::from(length),
                skip: Some(u64::from(length) + N::BYTES as u64),
            };
        }
        match rest.get(..length as usize) {
            Some(message) => Decoded::Message {
                message,
                used: N::BYTES + message.len(),
            },
            None => Decoded::More,
        }
    }

    fn room(&self, max_length: usize) -> usize {
        max_length.min(Self::MAX).saturating_add(N::BYTES)
    }
}

impl<N: PrefixInteger, O: ByteOrder, M: AsRef<[u8]>> Encoder<M> for LengthPrefix<N, O> {
    #[inline]
    fn encode(message: M, write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong> {
        let message = message.as_ref();
        let length = message.len();
        if length > Self::MAX {
            return Err(TooLong {
                length,
                max: Self::MAX,
            });
        }
        let (bytes, shown) = O::write(length as u32, N::BYTES);
        write(&[&bytes[shown], message]);
        Ok(())
    }
}

impl<N, O> Default for LengthPrefix<N, O> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<N: PrefixInteger, O: ByteOrder> fmt::Debug for LengthPrefix<N, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LengthPrefix({} bits, {})", 8 * N::BYTES, O::NAME)
    }
}

impl PrefixInteger for u8 {}
impl PrefixInteger for u16 {}
impl PrefixInteger for u32 {}
impl ByteOrder for BigEndian {}
impl ByteOrder for LittleEndian {}

#[expect(unnameable_types, reason = "so that nobody else can implement it")]
mod sealed {
    use std::ops::Range;

    use super::{BigEndian, LittleEndian};

    pub trait Width: 'static {
        const BYTES: usize;
    }

    impl Width for u8 {
        const BYTES: usize = 1;
    }

    impl Width for u16 {
        const BYTES: usize = 2;
    }

    impl Width for u32 {
        const BYTES: usize = 4;
    }

    pub trait Order: 'static {
        const NAME: &'static str;

        /// The number in four bytes at most.
        fn read(bytes: &[u8]) -> u32;

        /// The number, and which of the four bytes are shown if it has so many.
        fn write(number: u32, bytes: usize) -> ([u8; 4], Range<usize>);
    }

    impl Order for BigEndian {
        const NAME: &'static str = "big-endian";

        #[inline]
        fn read(bytes: &[u8]) -> u32 {
            let shift_in = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
            bytes.iter().fold(0, shift_in)
        }

        #[inline]
        fn write(number: u32, bytes: usize) -> ([u8; 4], Range<usize>) {
            (number.to_be_bytes(), 4 - bytes..4)
        }
    }

    impl Order for LittleEndian {
        const NAME: &'static str = "little-endian";

        #[inline]
        fn read(bytes: &[u8]) -> u32 {
            let shift_in = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
            bytes.iter().rev().fold(0, shift_in)
        }

        #[inline]
        fn write(number: u32, bytes: usize) -> ([u8; 4], Range<usize>) {
            (number.to_le_bytes(), 0..bytes)
        }
    }
}
