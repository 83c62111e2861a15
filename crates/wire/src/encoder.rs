use std::error::Error;
use std::fmt;

use crate::Decoder;

/// How a message becomes bytes: the half of a framing that writes.
///
/// An encoder is a framing's for each type of message that it can write; `M` is one of them. It
/// has no state, because messages are sent from wherever there is a transport. The pieces that it
/// hands to `write` lie where they lie, in the message and on the stack, so that nothing is copied
/// or allocated on the way to the connection. See [`Decoder`] for an example of both halves.
#[diagnostic::on_unimplemented(
    message = "the framing `{Self}` cannot write a `{M}`",
    note = "the framings of bytes take what is `AsRef<[u8]>`: text, slices, vectors"
)]
pub trait Encoder<M>: Decoder {
    /// Call `write` with the pieces of `message`, in order.
    ///
    /// # Errors
    /// [`TooLong`] if the framing has no way to express the message. Then `write` must not be
    /// called: nothing of such a message is sent.
    fn encode(message: M, write: impl FnOnce(&[&[u8]])) -> Result<(), TooLong>;
}

/// A message is longer than its framing can express. Nothing of it was sent, and the connection
/// lives.
///
/// ```
/// use torsade_wire::TooLong;
///
/// let error = TooLong { length: 300, max: 255 };
/// assert_eq!(error.to_string(), "a message of 300 bytes in a framing that can express 255");
/// ```
#[doc(alias = "StringTooLongError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How long it is, in bytes.
    pub length: usize,
    /// What the framing can express, in bytes.
    pub max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, max } = self;
        write!(
            f,
            "a message of {length} bytes in a framing that can express {max}"
        )
    }
}

impl Error for TooLong {}
