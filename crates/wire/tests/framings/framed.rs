//! The framings that are a `Decoder`, those of the crate and two of one's own.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::rc::Rc;

use torsade_core::{Disconnect, Transport};
use torsade_wire::{
    ByteOrder, Decoded, Decoder, Framed, LengthPrefix, MessageProtocol, Netstring, PrefixInteger,
    Records,
};

use crate::random::Random;
use crate::subject::{Event, Front, Log, Rules, Subject, TOO_LONG, TooLong, obey};

/// A framing whose messages can be looked at as bytes, and its model.
pub(crate) trait Modelled: Decoder + Default
where
    for<'a> Self::Message<'a>: AsRef<[u8]>,
{
    const NAME: &'static str;
    fn front(max_length: usize, rest: &[u8]) -> Front;
    fn wire(message: &[u8]) -> Vec<u8>;
    fn junk(random: &mut Random) -> Vec<u8>;
}

/// Such a framing around a recorder.
pub(crate) struct In<F>(PhantomData<F>);

impl<F: Modelled> Subject for In<F>
where
    for<'a> F::Message<'a>: AsRef<[u8]>,
{
    const NAME: &'static str = F::NAME;

    type Protocol = Framed<Recorder<F>>;

    fn recorder(rules: Rules, log: &Log) -> Framed<Recorder<F>> {
        let recorder = Recorder {
            rules,
            log: Rc::clone(log),
            framing: PhantomData,
        };
        Framed::new(recorder).max_length(rules.max_length)
    }

    fn model(rules: Rules) -> impl FnMut(&[u8]) -> Front {
        move |rest| match rest {
            [] => Front::More,
            rest => F::front(rules.max_length, rest),
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        F::wire(message)
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        F::junk(random)
    }
}

pub(crate) struct Recorder<F> {
    rules: Rules,
    log: Log,
    framing: PhantomData<F>,
}

impl<F: Modelled> MessageProtocol for Recorder<F>
where
    for<'a> F::Message<'a>: AsRef<[u8]>,
{
    type Framing = F;

    fn message_received(&mut self, transport: &Transport<Self>, message: F::Message<'_>) {
        obey(transport, &self.log, message.as_ref());
    }

    fn limit_exceeded(&mut self, transport: &Transport<Self>, length: u64) {
        assert!(length > self.rules.max_length as u64, "{length} is allowed");
        self.log.borrow_mut().push(Event::TooLong(length));
        if self.rules.too_long == TooLong::End {
            transport.fail(TOO_LONG);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        self.log.borrow_mut().push(Event::Eof(rest.to_vec()));
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.borrow_mut().push(Event::Lost(reason.clone()));
    }
}

/// What a length prefix is, said otherwise than the framing does.
trait Width: PrefixInteger {
    const SIZE: usize;
}

impl Width for u8 {
    const SIZE: usize = 1;
}

impl Width for u16 {
    const SIZE: usize = 2;
}

impl Width for u32 {
    const SIZE: usize = 4;
}

trait Order: ByteOrder {
    const LITTLE: bool;
}

impl Order for torsade_wire::BigEndian {
    const LITTLE: bool = false;
}

impl Order for torsade_wire::LittleEndian {
    const LITTLE: bool = true;
}

impl<N: Width, O: Order> Modelled for LengthPrefix<N, O> {
    const NAME: &'static str = match (N::SIZE, O::LITTLE) {
        (1, _) => "Int8",
        (2, false) => "Int16",
        (2, true) => "Int16Le",
        (_, false) => "Int32",
        (_, true) => "Int32Le",
    };

    fn front(max_length: usize, rest: &[u8]) -> Front {
        if rest.len() < N::SIZE {
            return Front::More;
        }
        let mut length = 0;
        for (place, byte) in rest[..N::SIZE].iter().enumerate() {
            let worth = match O::LITTLE {
                true => place,
                false => N::SIZE - 1 - place,
            };
            length += usize::from(*byte) << (8 * worth);
        }
        let whole = N::SIZE + length;
        if length > max_length {
            let (length, skip) = (length as u64, Some(whole as u64));
            return Front::TooLong { length, skip };
        }
        match rest.len() < whole {
            true => Front::More,
            false => Front::message(&rest[N::SIZE..whole], whole),
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        let mut length = message.len().to_be_bytes().to_vec();
        length.drain(..length.len() - N::SIZE);
        if O::LITTLE {
            length.reverse();
        }
        [&length, message].concat()
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        match random.below(4) {
            0 => vec![random.byte()],
            1 => vec![0; 1 + random.below(N::SIZE)],
            2 => vec![0xff; 1 + random.below(4)],
            _ => Self::wire(&b"xxxxxxxxx"[..random.below(9)])[..N::SIZE].to_vec(),
        }
    }
}

impl Modelled for Netstring {
    const NAME: &'static str = "Netstring";

    fn front(max_length: usize, rest: &[u8]) -> Front {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Front::broken("a netstring without a length");
        }
        let zero_in_front = rest[0] == b'0' && digits > 1;
        if !zero_in_front {
            for seen in 1..=digits {
                let length = rest[..seen].iter();
                let length = length.fold(0, |length, digit| length * 10 + u128::from(digit - b'0'));
                if length > max_length as u128 {
                    let length = length as u64;
                    return Front::TooLong { length, skip: None };
                }
            }
        } else {
            return Front::broken("a netstring's length with a zero in front");
        }
        match rest.get(digits) {
            None => return Front::More,
            Some(b':') => {}
            Some(_) => return Front::broken("a netstring's length without its colon"),
        }
        let length = rest[..digits].iter();
        let length = length.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let end = digits + 1 + length;
        match rest.get(end) {
            None => Front::More,
            Some(b',') => Front::message(&rest[digits + 1..end], end + 1),
            Some(_) => Front::broken("a netstring without its comma"),
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        [message.len().to_string().as_bytes(), b":", message, b","].concat()
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        match random.below(4) {
            0 => vec![random.byte()],
            1 => vec![random.pick(b":,0")],
            2 => b"18446744073709551616:"[random.below(21)..].to_vec(),
            _ => vec![b'0' + random.below(10) as u8; 1 + random.below(3)],
        }
    }
}

impl Modelled for Records<4> {
    const NAME: &'static str = "Records";

    fn front(_: usize, rest: &[u8]) -> Front {
        match rest.len() < 4 {
            true => Front::More,
            false => Front::message(&rest[..4], 4),
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        let mut record = message.to_vec();
        record.resize(4, b' ');
        record
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        vec![random.byte(); 1 + random.below(5)]
    }
}

/// One's own: a tag, a byte of length and a value; 0xff where a tag would be is a sign of life.
#[derive(Debug, Default)]
pub(crate) struct Tagged;

pub(crate) struct Tag<'a> {
    value: &'a [u8],
}

impl AsRef<[u8]> for Tag<'_> {
    fn as_ref(&self) -> &[u8] {
        self.value
    }
}

impl Decoder for Tagged {
    type Message<'a> = Tag<'a>;

    fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<Tag<'a>> {
        let alive = data.iter().take_while(|byte| **byte == 0xff).count();
        if alive > 0 {
            return Decoded::Nothing(alive);
        }
        let Some(([_, length], rest)) = data.split_first_chunk::<2>() else {
            return Decoded::More;
        };
        let length = usize::from(*length);
        if length > max_length {
            return Decoded::too_long(length).skip(2 + length);
        }
        match rest.get(..length) {
            Some(value) => Decoded::Message {
                message: Tag { value },
                used: 2 + length,
            },
            None => Decoded::More,
        }
    }

    fn room(&self, max_length: usize) -> usize {
        max_length.saturating_add(2)
    }
}

impl Modelled for Tagged {
    const NAME: &'static str = "Tagged";

    fn front(max_length: usize, rest: &[u8]) -> Front {
        match rest {
            [0xff, ..] => Front::Padding(1),
            [_, length, ..] if usize::from(*length) > max_length => Front::TooLong {
                length: u64::from(*length),
                skip: Some(u64::from(*length) + 2),
            },
            [_, length, value @ ..] if value.len() >= usize::from(*length) => {
                let length = usize::from(*length);
                Front::message(&value[..length], 2 + length)
            }
            _ => Front::More,
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        [&[b't', message.len() as u8], message].concat()
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        vec![random.pick(&[0xff, 0, 1, 2, 3, b't']); 1 + random.below(4)]
    }
}

/// One's own that searches, remembers how far it came, and has to change bytes: `;` ends a message,
/// and `\` says that the byte after it is none of these two.
#[derive(Debug, Default)]
pub(crate) struct Escaped {
    searched: usize,
    /// How many bytes were looked at in all.
    pub(crate) looked_at: usize,
}

impl Decoder for Escaped {
    type Message<'a> = Cow<'a, [u8]>;

    fn decode<'a>(&mut self, data: &'a [u8], max_length: usize) -> Decoded<Cow<'a, [u8]>> {
        while let Some(byte) = data.get(self.searched) {
            self.looked_at += 1;
            match byte {
                b'\\' if data.len() == self.searched + 1 => break,
                b'\\' => self.searched += 2,
                b';' => {
                    let end = std::mem::take(&mut self.searched);
                    let message = unescaped(&data[..end]);
                    let used = end + 1;
                    return Decoded::Message { message, used };
                }
                _ => self.searched += 1,
            }
            if self.searched > max_length {
                return Decoded::too_long(self.searched);
            }
        }
        Decoded::More
    }

    fn room(&self, max_length: usize) -> usize {
        max_length.saturating_add(1)
    }
}

fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.iter();
    let mut unescaped = Vec::new();
    while let Some(byte) = bytes.next() {
        unescaped.extend(if *byte == b'\\' {
            bytes.next()
        } else {
            Some(byte)
        });
    }
    Cow::Owned(unescaped)
}

impl Modelled for Escaped {
    const NAME: &'static str = "Escaped";

    fn front(max_length: usize, rest: &[u8]) -> Front {
        let mut message = Vec::new();
        let mut left = rest;
        loop {
            let used = rest.len() - left.len();
            if used > max_length {
                let length = used as u64;
                return Front::TooLong { length, skip: None };
            }
            left = match left {
                [] | [b'\\'] => return Front::More,
                [b';', ..] => return Front::message(&message, used + 1),
                [b'\\', byte, left @ ..] | [byte, left @ ..] => {
                    message.push(*byte);
                    left
                }
            }
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        let escaped = message.iter().flat_map(|byte| match byte {
            b';' | b'\\' => vec![b'\\', *byte],
            byte => vec![*byte],
        });
        escaped.chain([b';']).collect()
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        vec![random.pick(b";\\x"); 1 + random.below(3)]
    }
}
