use crate::{Decoded, Decoder, Encoder, TooLong};

/// Netstrings: the length in decimal digits, a colon, the message and a comma.
///
/// As [Bernstein's text] has it: `12:hello world!,` is "hello world!", and `0:,` is nothing. There
/// is one way to write each message. Anything else ends the connection with
/// [`Disconnect::Protocol`](torsade_core::Disconnect::Protocol) at its first wrong byte: what is
/// no digit where the length begins, a zero in front of other digits, a length without a colon, a
/// message without a comma. A length over the limit, of however many digits, ends it with
/// [`Limit::Message`](torsade_core::Limit::Message) at the digit that passes the limit.
///
/// ```
/// use torsade_core::{Disconnect, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::{Framed, MessageProtocol, MessageTransport, Netstring};
///
/// struct Greeter;
/// impl MessageProtocol for Greeter {
///     type Framing = Netstring;
///     fn message_received(&mut self, transport: &Transport<Self>, name: &[u8]) {
///         transport.send_message([b"hello, ", name].concat()).expect("a netstring of any length");
///     }
/// }
///
/// let mut t = StringTransport::serve(Framed::new(Greeter));
/// t.feed(b"3:ann,0:,");
/// assert_eq!(t.take_sent(), b"10:hello, ann,7:hello, ,");
/// t.feed(b"03");
/// let reason = Disconnect::protocol("a netstring's length with a zero in front");
/// assert_eq!(t.lost(), Some(reason));
/// ```
///
/// [Bernstein's text]: https://cr.yp.to/proto/netstrings.txt
#[doc(alias = "NetstringReceiver")]
#[doc(alias = "NetstringParseError")]
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Netstring;

/// As many digits as the largest length has.
const DIGITS: usize = usize::MAX.ilog10() as usize + 1;

impl Decoder for Netstring {
    type Message<'a> = &'a [u8];

    #[inline]
    fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<&'a [u8]> {
        let (length, digits) = match header(data, max_length) {
            Ok(header) => header,
            Err(other) => return other,
        };
        // The colon and the comma are there, or the slices would not be.
        let rest = &data[digits + 1..];
        match rest.get(..length) {
            None => Decoded::More,
            Some(message) => match rest.get(length) {
                None => Decoded::More,
                Some(b',') => Decoded::Message {
                    message,
                    used: digits + 1 + length + 1,
                },
                Some(_) => Decoded::invalid("a netstring without its comma"),
            },
        }
    }

    fn room(&self, max_length: usize) -> usize {
        max_length.saturating_add(DIGITS + 2)
    }
}

/// The length that `data` begins with, and the number of its digits; or why there is none.
#[inline]
fn header<M>(data: &[u8], max_length: usize) -> Result<(usize, usize), Decoded<M>> {
    let mut length = 0_usize;
    for (digits, byte) in data.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits > 0 && length == 0 => {
                return Err(Decoded::invalid(
                    "a netstring's length with a zero in front",
                ));
            }
            b'0'..=b'9' => {
                length = add_digit(length, byte - b'0');
                if length > max_length {
                    return Err(Decoded::too_long(length));
                }
            }
            b':' if digits > 0 => return Ok((length, digits)),
            _ if digits > 0 => {
                return Err(Decoded::invalid("a netstring's length without its colon"));
            }
            _ => return Err(Decoded::invalid("a netstring without a length")),
        }
    }
    Err(Decoded::More)
}

/// A number that would not fit is the largest that does: too long in any case, because of the
/// largest there cannot be a message.
#[inline]
fn add_digit(length: usize, digit: u8) -> usize {
    length.saturating_mul(10).saturating_add(usize::from(digit))
}

impl<M: AsRef<[u8]>> Encoder<M> for Netstring {
    #[inline]
    fn encode(message: M, write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong> {
        let message = message.as_ref();
        let mut head = [b':'; DIGITS + 1];
        let mut first = DIGITS;
        let mut rest = message.len();
        loop {
            first -= 1;
            head[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        write(&[&head[first..], message, b","]);
        Ok(())
    }
}
