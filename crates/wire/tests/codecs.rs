//! The framings, held to what must hold of every codec, and in every split.

use proptest::prelude::*;
use torsade_core::Transport;
use torsade_testing::{Calls, Codec, Splits};
use torsade_wire::{
    Decoded, Decoder, Encoder, Int8, Int16, Int16Le, Int32, Int32Le, LineProtocol, LineTransport,
    Lines, MessageProtocol, MessageTransport, Netstring,
};

/// So long a message may be here.
const LONGEST: usize = 40;

fn encode<D: for<'a> Encoder<&'a [u8]>>(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoded = D::encode(message, |pieces| bytes = pieces.concat());
    assert_eq!(encoded, Ok(()));
    bytes
}

/// What a framing does with a stream that comes in these pieces.
fn decode<D>(mut decoder: D, pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, String>
where
    D: for<'a> Decoder<Message<'a> = &'a [u8]>,
{
    let (mut stream, mut messages) = (Vec::new(), Vec::new());
    for piece in pieces {
        stream.extend_from_slice(piece);
        while !stream.is_empty() {
            let used = match decoder.decode(&stream, LONGEST) {
                Decoded::Message { message, used } => {
                    messages.push(message.to_vec());
                    used
                }
                Decoded::Nothing(used) => used,
                Decoded::More => break,
                other => return Err(format!("{other:?}")),
            };
            stream.drain(..used);
        }
    }
    Ok(messages)
}

/// Everything that is asked of a framing, with the first bytes of a message that is too long.
fn hold<D>(messages: &[Vec<u8>], too_long: &[u8])
where
    D: Default + for<'a> Decoder<Message<'a> = &'a [u8]> + for<'a> Encoder<&'a [u8]>,
{
    let codec = Codec::new(
        |message: &Vec<u8>| encode::<D>(message),
        |pieces: &[&[u8]]| decode(D::default(), pieces),
    );
    codec.check(messages);
    codec.refuses(too_long, too_long.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn framings_hold(messages in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..=LONGEST), 0..6,
    )) {
        hold::<Netstring>(&messages, b"41:");
        hold::<Int8>(&messages, &[41]);
        hold::<Int16>(&messages, &[0, 41]);
        hold::<Int16Le>(&messages, &[41, 0]);
        hold::<Int32>(&messages, &[0, 0, 0, 41]);
        hold::<Int32Le>(&messages, &[41, 0, 0, 0]);
    }
}

/// Notes lines, and answers some.
struct Noting(Calls);

impl LineProtocol for Noting {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.0.note(format!("line {}", line.escape_ascii()));
        match line {
            b"quit" => transport.close(),
            b"raw" => transport.set_raw_mode(),
            _ => transport.send_line(line),
        }
    }

    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        for byte in data {
            self.0.note(format!("raw {byte}"));
        }
        transport.write(data);
    }
}

impl MessageProtocol for Noting {
    type Framing = Netstring;
    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        self.0.note(format!("message {}", message.escape_ascii()));
        let sent = transport.send_message(message);
        assert_eq!(sent, Ok(()));
    }
}

#[test]
fn lines_and_messages_do_not_depend_on_how_they_arrive() {
    let lines = |calls: &Calls| Lines::new(Noting(calls.clone()));
    Splits::of("one\r\ntwo\r\n\r\nraw\r\nthree\r\nrest").check(lines);
    Splits::of("one\r\nquit\r\ntwo\r\n").check(lines);
    let messages = |calls: &Calls| torsade_wire::Framed::new(Noting(calls.clone()));
    Splits::of("3:one,0:,5:three,2:t").check(messages);
    Splits::of("3:one,nonsense").check(messages);
}
