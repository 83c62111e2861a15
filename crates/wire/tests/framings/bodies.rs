//! What every framing keeps: each body here is run for each of them.

use torsade_core::Disconnect;
use torsade_testing::StringTransport;

use crate::random::Random;
use crate::subject::{Event, Log, Rules, Subject, TooLong, expected, told};

const RULES: Rules = Rules {
    max_length: 40,
    too_long: TooLong::End,
};

/// Feed it whole, byte by byte, cut in two anywhere, and cut in three at many places.
fn cut_everywhere<S: Subject>(rules: Rules, input: &[u8]) -> Vec<Event> {
    let events = expected::<S>(rules, input);
    let check = |pieces: &[&[u8]]| {
        let told = told::<S>(rules, pieces);
        assert_eq!(told, events, "{}, {rules:?}, in {pieces:?}", S::NAME);
    };
    check(&[input]);
    check(&input.chunks(1).collect::<Vec<_>>());
    for first in 1..input.len() {
        let (one, others) = input.split_at(first);
        check(&[one, others]);
        for second in 1..others.len().min(4) {
            let (two, three) = others.split_at(second);
            check(&[one, two, three]);
        }
    }
    let mut random = Random(input.len() as u64);
    for _ in 0..10 {
        check(&random.pieces(input));
    }
    events
}

fn wire<S: Subject>(messages: &[&[u8]]) -> Vec<u8> {
    messages
        .iter()
        .flat_map(|message| S::wire(message))
        .collect()
}

/// How often a message that contains this came.
fn count(events: &[Event], text: &[u8]) -> usize {
    let has = |message: &Vec<u8>| message.windows(text.len()).any(|part| part == text);
    let came = events
        .iter()
        .filter(|event| matches!(event, Event::Message(message) if has(message)));
    came.count()
}

/// Also what is no text, what is empty, and what looks like a part of a framing.
pub(crate) fn every_split_gives_the_same_messages<S: Subject>() {
    let messages: [&[u8]; 9] = [
        b"one.",
        b"\0\0\0\x01",
        b"",
        b"5:a,b",
        b"\xff\xfe\r\r",
        b";\\;\\",
        b"tttt",
        b"\x7f\x80",
        b"last",
    ];
    let input = wire::<S>(&messages);
    let events = cut_everywhere::<S>(RULES, &input);
    assert_eq!((count(&events, b"one."), count(&events, b"last")), (1, 1));
    assert_eq!(events.last(), Some(&Event::Lost(Disconnect::PeerClosed)));
}

pub(crate) fn what_is_unfinished_is_passed_on_at_the_end<S: Subject>() {
    let input = wire::<S>(&[b"one.", b"two."]);
    let mut unfinished = 0;
    for length in 0..input.len() {
        let events = cut_everywhere::<S>(RULES, &input[..length]);
        let Some([Event::Eof(rest), Event::Lost(_)]) = events.last_chunk() else {
            panic!("{}: {events:?}", S::NAME);
        };
        assert!(input[..length].ends_with(rest));
        unfinished += usize::from(!rest.is_empty());
    }
    assert!(unfinished >= 6, "{}: {unfinished}", S::NAME);
}

/// R90 and the trap D9 of Twisted, whose other framings go on.
pub(crate) fn nothing_is_delivered_after_the_end_that_a_message_brings<S: Subject>() {
    for (end, reason) in [
        (b"..C.", Disconnect::Closed),
        (b"..A.", Disconnect::Aborted),
        (b"..F.", Disconnect::application("as it was told")),
    ] {
        let input = wire::<S>(&[b"one.", end, b"two.", b"two."]);
        let events = cut_everywhere::<S>(RULES, &input);
        assert_eq!((count(&events, b"one."), count(&events, end)), (1, 1));
        assert_eq!(count(&events, b"two."), 0);
        assert_eq!(events.last(), Some(&Event::Lost(reason)));
    }
}

pub(crate) fn what_is_done_between_messages_changes_none<S: Subject>() {
    for messages in [
        [&b"one."[..], b".P..", b"two.", b".PP.", b"...P", b"last"],
        [b"one.", b".H..", b".H..", b"two.", b"HP..", b"last"],
        [b"P...", b"H...", b"P...", b"H...", b"one.", b"P..."],
    ] {
        let input = wire::<S>(&messages);
        let events = cut_everywhere::<S>(RULES, &input);
        assert_eq!(count(&events, b"one."), 1);
        cut_everywhere::<S>(RULES, &input[..input.len() - 1]);
    }
}

/// R93.
pub(crate) fn a_pause_in_the_middle_holds_the_rest<S: Subject>()
where
    S::Protocol: torsade_core::Layered,
{
    let log = Log::default();
    let mut t = StringTransport::serve(S::recorder(RULES, &log));
    let stored = t.with_protocol(|_, transport| transport.inner());
    t.feed(wire::<S>(&[b"one."]));
    stored.pause_reading();
    let came = log.borrow().len();
    t.feed(wire::<S>(&[b"two.", b".P..", b"last"]));
    t.end();
    assert_eq!(log.borrow().len(), came, "{}", S::NAME);
    stored.resume_reading();
    drop(t);
    let events = log.take();
    let input = wire::<S>(&[b"one.", b"two.", b".P..", b"last"]);
    assert_eq!(events, expected::<S>(RULES, &input));
}

pub(crate) fn a_switch_leaves_the_rest_to_the_next_protocol<S: Subject>() {
    let input = wire::<S>(&[b"one.", b".S..", b"two.", b"last"]);
    let events = cut_everywhere::<S>(RULES, &input);
    let rest = wire::<S>(&[b"two.", b"last"]);
    assert!(events.contains(&Event::Rest(rest)), "{events:?}");
    cut_everywhere::<S>(RULES, &wire::<S>(&[b"one.", b".S.."]));
}

/// A reset ends it where it is, and passes nothing on.
pub(crate) fn a_reset_at_any_byte_ends_it_there<S: Subject>() {
    let input = wire::<S>(&[b"one.", b"two.", b"last"]);
    for length in 0..=input.len() {
        let mut events = expected::<S>(RULES, &input[..length]);
        events.truncate(events.len() - 2); // the end, and the loss for that reason
        events.push(Event::Lost(Disconnect::Reset));
        let log = Log::default();
        let mut t = StringTransport::serve(S::recorder(RULES, &log));
        t.feed(&input[..length]);
        t.reset();
        drop(t);
        assert_eq!(log.take(), events);
    }
}

/// Messages around the limit, in every split, with what is before and after them.
pub(crate) fn the_limit_is_the_same_in_every_split<S: Subject>() {
    for too_long in [TooLong::End, TooLong::Skip] {
        for max_length in [0, 1, 4] {
            let rules = Rules {
                max_length,
                too_long,
            };
            for length in [0, 1, 2, 4, 5, 7] {
                let long = &b"1234567890"[..length];
                let input = wire::<S>(&[b"", long, b"last", long]);
                cut_everywhere::<S>(rules, &input);
                cut_everywhere::<S>(rules, &input[..input.len().saturating_sub(2)]);
            }
        }
    }
}

/// Many of them, so that the bytes that wait are moved now and then.
pub(crate) fn long_messages_come_through_in_tiny_pieces<S: Subject>() {
    const LENGTH: usize = 255;
    let rules = Rules {
        max_length: LENGTH,
        ..RULES
    };
    let input = wire::<S>(&[b"x".repeat(LENGTH).as_slice(); 60]);
    assert_eq!(
        told::<S>(rules, &input.chunks(1).collect::<Vec<_>>()),
        expected::<S>(rules, &input)
    );
}

pub(crate) fn a_panic_ends_this_connection_only<S: Subject>() {
    let (log, other) = (Log::default(), Log::default());
    let mut alive = StringTransport::serve(S::recorder(RULES, &other));
    let mut t = StringTransport::serve(S::recorder(RULES, &log));
    t.expect_panic("as it was told");
    t.feed(wire::<S>(&[b"one.", b"hurt", b"two."]));
    assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    assert_eq!(count(&log.borrow(), b"one."), 1);
    assert_eq!(count(&log.borrow(), b"two."), 0);
    alive.feed(wire::<S>(&[b"one."]));
    assert_eq!(count(&other.borrow(), b"one."), 1);
}
