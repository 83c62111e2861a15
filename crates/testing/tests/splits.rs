//! A conversation in every way in which it may arrive.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport};
use torsade_testing::{Calls, Codec, Splits};

/// Takes in lines, with the bug of the test's choice.
struct Lines {
    calls: Calls,
    buffer: Vec<u8>,
    bug: Bug,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// What is left of a chunk is forgotten if a line was in it.
    ForgetsRest,
    /// Only one line of a chunk is answered.
    OneOfAChunk,
    /// The answer is the same, and comes with the next chunk.
    Late,
    /// Notes each chunk.
    NotesChunks,
    /// Ends with another reason.
    OtherEnd,
    /// Answers the end only if something is left.
    LeftAtEnd,
}

impl Protocol for Lines {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if self.bug == Bug::NotesChunks {
            self.calls.note("chunk");
        }
        self.buffer.extend_from_slice(data);
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.calls.note(format!("line of {}", line.len()));
            if line == b"quit\n" {
                return transport.close();
            }
            if self.bug == Bug::Late && self.buffer.is_empty() && data.len() > 1 {
                transport.call_later(Duration::from_secs(1), move |_, transport| {
                    transport.write(line);
                });
                return;
            }
            transport.write(line);
            match self.bug {
                Bug::ForgetsRest => self.buffer.clear(),
                Bug::OneOfAChunk => break,
                _ => {}
            }
        }
        if self.bug == Bug::OtherEnd && data.len() == 5 {
            transport.fail(Disconnect::application("five"));
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        if self.bug == Bug::LeftAtEnd && self.buffer.is_empty() {
            transport.write("bye");
        }
        transport.close();
    }
}

fn lines(bug: Bug) -> impl Fn(&Calls) -> Lines {
    move |calls| Lines {
        calls: calls.clone(),
        buffer: Vec::new(),
        bug,
    }
}

/// The message of the panic.
fn message(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    payload.downcast_ref::<String>().unwrap().clone()
}

fn told(bug: Bug) -> String {
    message(|| {
        Splits::of("one\ntwo\n").check(lines(bug));
    })
}

#[test]
fn what_depends_on_the_bytes_alone_passes() {
    let ways = Splits::of("one\ntwo\nthree").check(lines(Bug::None));
    assert_eq!(ways, 12 + 2 + 64);
    // It ends in the middle, and what comes then is for nobody.
    let ways = Splits::of("one\nquit\ntwo\n")
        .random(0, 0)
        .check(lines(Bug::None));
    assert_eq!(ways, 12 + 2);
    assert_eq!(
        Splits::of("x\n").client().check(lines(Bug::None)),
        1 + 2 + 64
    );
    assert_eq!(Splits::of("").random(2, 0).check(lines(Bug::None)), 4);
}

#[test]
fn every_difference_is_told_with_its_split() {
    assert_eq!(
        told(Bug::ForgetsRest),
        "as one block, the conversation goes otherwise than byte by byte:\n  \
           pieces    \"one\\ntwo\\n\"\n\
         after 8 bytes of input it had sent\n  \
           expected  \"one\\ntwo\\n\"\n  \
           came      \"one\\n\"\n                  \
                          ^ at byte 4\n  \
           in bytes  74 77 6f 0a expected, nothing more came"
    );
    let text = told(Bug::OneOfAChunk);
    assert!(
        text.contains("after 8 bytes of input it had sent"),
        "{text}"
    );
    let text = told(Bug::Late);
    assert!(text.contains("nothing more came"), "{text}");
    let text = told(Bug::NotesChunks);
    let wanted =
        "it had noted other calls, first number 2\n  expected  chunk\n  came      line of 4";
    assert!(text.contains(wanted), "{text}");
    let text = told(Bug::OtherEnd);
    assert!(
        text.starts_with("cut in two after byte 3, ") && text.contains("\"one\" | \"\\ntwo\\n\""),
        "{text}"
    );
    assert!(
        text.contains("after 8 bytes of input the connection stands otherwise"),
        "{text}"
    );
    assert!(text.contains("came      our side ended, lost: "), "{text}");
}

#[test]
fn what_is_only_seen_in_many_pieces_or_after_the_end_is_told_too() {
    // Whether it comes in three pieces.
    struct Third(u32);
    impl Protocol for Third {
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {
            self.0 += 1;
        }
        fn eof_received(&mut self, transport: &Transport<Self>) {
            if (3..8).contains(&self.0) {
                transport.write("some");
            }
            transport.close();
        }
    }
    let text = message(|| {
        Splits::of("one two three")
            .random(20, 9)
            .check(|_| Third(0));
    });
    assert!(text.contains("of seed 9)"), "{text}");
    assert!(text.contains("after the peer's end it had sent"), "{text}");
    let again = message(|| {
        Splits::of("one two three")
            .random(20, 9)
            .check(|_| Third(0));
    });
    assert_eq!(text, again);
    Splits::of("one\n").check(lines(Bug::LeftAtEnd)); // no bug that depends on pieces
}

/// A byte of length, and so many bytes: with what a test wants to be wrong.
fn decode(pieces: &[&[u8]], off_by: usize, most: u8) -> Result<Vec<Vec<u8>>, &'static str> {
    let stream = pieces.concat();
    let (mut messages, mut rest) = (vec![], &stream[..]);
    while let [length, behind @ ..] = rest {
        if *length > most {
            return Err("too long");
        }
        let length = usize::from(*length);
        let Some(message) = behind.get(..length.saturating_sub(off_by)) else {
            break;
        };
        messages.push(message.to_vec());
        rest = behind.get(length..).unwrap_or_default();
    }
    Ok(messages)
}

fn encode(message: &[u8]) -> Vec<u8> {
    [&[message.len() as u8], message].concat()
}

#[test]
fn a_codec_is_held_to_its_properties() {
    let messages = [b"one".to_vec(), vec![], b"three".to_vec()];
    let right = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| decode(pieces, 0, 100),
    );
    right.check(&messages);
    right.refuses([101, 1], 1);

    let short = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| decode(pieces, 1, 100),
    );
    let text = message(|| short.check(&messages));
    assert!(
        text.starts_with("of the first 3 bytes, \"\\x03on\" is decoded as"),
        "{text}"
    );

    let strict = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| decode(pieces, 0, 4),
    );
    let text = message(|| strict.check(&messages));
    assert!(text.contains("is refused: \"too long\""), "{text}");

    // Each piece by itself.
    let apart = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| {
            let each = pieces.iter().map(|piece| decode(&[piece], 0, 100));
            each.collect::<Result<Vec<_>, _>>().map(|all| all.concat())
        },
    );
    let text = message(|| apart.check(&messages));
    assert!(text.starts_with("byte by byte, "), "{text}");

    let lax = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| decode(pieces, 0, 200),
    );
    let text = message(|| lax.refuses([101, 1], 1));
    assert!(
        text.starts_with("whole, \"e\\x01\" is not refused"),
        "{text}"
    );
    // Only when the rest has come.
    let late = Codec::new(
        |message: &Vec<u8>| encode(message),
        |pieces: &[&[u8]]| {
            let len: usize = pieces.iter().map(|piece| piece.len()).sum();
            decode(pieces, 0, if len > 1 { 100 } else { 200 })
        },
    );
    let text = message(|| late.refuses([101, 1], 1));
    assert!(
        text.starts_with("byte by byte, \"e\" is not refused"),
        "{text}"
    );
}
