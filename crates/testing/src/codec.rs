use std::fmt::Debug;

use crate::differ::shown;

/// What must hold of every pair of functions that turn messages into bytes and back.
///
/// It knows no codec but two closures: `encode` gives the bytes of a message, and `decode` is given
/// the pieces in which a stream arrives, and gives the messages that it made of them, or says why
/// the stream is refused. With a framing of `torsade-wire` that is a few lines:
///
/// ```
/// use torsade_testing::Codec;
///
/// // A byte of length, and so many bytes.
/// let encode = |message: &Vec<u8>| [&[message.len() as u8], &message[..]].concat();
/// let decode = |pieces: &[&[u8]]| {
///     let stream = pieces.concat();
///     let (mut messages, mut rest) = (vec![], &stream[..]);
///     while let [length, behind @ ..] = rest {
///         if *length > 100 {
///             return Err("too long");
///         }
///         let Some(message) = behind.get(..usize::from(*length)) else { break };
///         messages.push(message.to_vec());
///         rest = &behind[message.len()..];
///     }
///     Ok(messages)
/// };
///
/// let codec = Codec::new(encode, decode);
/// codec.check(&[b"one".to_vec(), vec![], vec![7; 100]]);
/// codec.refuses([101, 0, 0], 1);
/// ```
///
/// What messages look like is for the test to choose; `proptest`, for instance, makes and shrinks
/// them well.
#[derive(Clone, Debug)]
pub struct Codec<E, D> {
    encode: E,
    decode: D,
}

impl<E, D> Codec<E, D> {
    /// These two.
    pub fn new(encode: E, decode: D) -> Self {
        Self { encode, decode }
    }

    /// Checks that of a stream of these messages
    ///
    /// - all come back, in order, and nothing else (round trip);
    /// - of every prefix those come back whose last byte is in it, and never more, and no prefix is
    ///   refused;
    /// - the same comes back when it arrives byte by byte, and in every way to cut it in two.
    ///
    /// # Panics
    /// If one of these does not hold, with the stream, the place and what came.
    #[track_caller]
    pub fn check<M, X>(&self, messages: &[M])
    where
        M: PartialEq + Debug,
        X: Debug,
        E: Fn(&M) -> Vec<u8>,
        D: Fn(&[&[u8]]) -> Result<Vec<M>, X>,
    {
        let mut stream = Vec::new();
        // Where each message ends.
        let mut ends = Vec::new();
        for message in messages {
            stream.extend((self.encode)(message));
            ends.push(stream.len());
        }
        for to in 0..=stream.len() {
            let whole = ends.iter().take_while(|end| **end <= to).count();
            let prefix = &stream[..to];
            let when = format!("of the first {to} bytes");
            self.compare(&messages[..whole], &[prefix], &when);
        }
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        self.compare(messages, &bytewise, "byte by byte");
        for at in 1..stream.len() {
            let (one, other) = stream.split_at(at);
            let when = format!("cut in two after byte {at}");
            self.compare(messages, &[one, other], &when);
        }
    }

    #[track_caller]
    fn compare<M, X>(&self, expected: &[M], pieces: &[&[u8]], when: &str)
    where
        M: PartialEq + Debug,
        X: Debug,
        D: Fn(&[&[u8]]) -> Result<Vec<M>, X>,
    {
        let stream = pieces.concat();
        match (self.decode)(pieces) {
            Ok(messages) if messages == expected => {}
            Ok(messages) => panic!(
                "{when}, {} is decoded as\n  {messages:?}\nand not as\n  {expected:?}",
                shown(&stream)
            ),
            Err(why) => panic!("{when}, {} is refused: {why:?}", shown(&stream)),
        }
    }

    /// Checks that a limit holds: this stream is refused, after no more than `within` of its bytes,
    /// however they arrive. For a framing with its length in front that is where the length ends;
    /// for lines it is the limit and a little more.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn refuses<M, X>(&self, stream: impl AsRef<[u8]>, within: usize)
    where
        M: Debug,
        D: Fn(&[&[u8]]) -> Result<Vec<M>, X>,
    {
        let stream = stream.as_ref();
        let front = &stream[..within.min(stream.len())];
        let bytewise: Vec<&[u8]> = front.chunks(1).collect();
        for (pieces, when) in [(&[stream][..], "whole"), (&bytewise[..], "byte by byte")] {
            if let Ok(messages) = (self.decode)(pieces) {
                panic!(
                    "{when}, {} is not refused, but decoded as\n  {messages:?}",
                    shown(&pieces.concat())
                );
            }
        }
    }
}
