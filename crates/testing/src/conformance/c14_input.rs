//! C14: bytes from a peer.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::Transport;

use super::harness::Stage;
use super::probe::{Log, Probe};
use super::tools::{accepted, bytes, same};
use super::{Cell, cells};

pub(super) const CELLS: &[Cell] = cells![14:
    every_cut_gives_the_same_messages,
    byte_by_byte_input_is_one_growing_piece,
    a_reset_at_any_byte_harms_nobody,
    an_end_at_any_byte_is_told_with_what_is_left,
];

/// Messages of one byte of length and so many bytes of text.
type Messages = Rc<RefCell<Vec<Vec<u8>>>>;

fn framed(messages: &Messages) -> impl FnMut(&mut Probe, &Transport<Probe>, &[u8]) + use<> {
    let messages = Rc::clone(messages);
    move |_, t, mut data| {
        while let [len, rest @ ..] = data
            && let Some((message, rest)) = rest.split_at_checked(usize::from(*len))
        {
            messages.borrow_mut().push(message.to_vec());
            data = rest;
        }
        t.unread(data.len());
    }
}

const INPUT: &[u8] = b"\x03one\x00\x05three\x01x\x09unfinish";

/// "However it is cut", by R89: two cuts at every pair of places give the same messages.
fn every_cut_gives_the_same_messages(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for first in 0..=INPUT.len() {
        for second in [first, (first + 1).min(INPUT.len()), INPUT.len()] {
            let messages = Messages::default();
            let a = Probe::new("a", &log).without_data().data(framed(&messages));
            let (end, transport) = accepted(&mut *h, &log, a);
            for piece in [&INPUT[..first], &INPUT[first..second], &INPUT[second..]] {
                h.send(end, piece);
                h.settle();
            }
            let messages = messages.take();
            assert_eq!(
                messages,
                [&b"one"[..], b"", b"three", b"x"],
                "{first} {second}"
            );
            transport.abort();
        }
    }
}

/// "However it is cut": byte by byte, who waits for a long message sees each time what was there
/// and the one that came. How much work that is, the bench counts.
fn byte_by_byte_input_is_one_growing_piece(stage: Stage) {
    const LEN: usize = 3000;
    let (mut h, log) = (stage.harness(), Log::default());
    let (seen, sizes) = (
        Rc::new(RefCell::new(Vec::new())),
        Rc::new(RefCell::new(Vec::new())),
    );
    let (last, all) = (Rc::clone(&seen), Rc::clone(&sizes));
    let a = Probe::new("a", &log)
        .without_data()
        .data(move |_, t, data| {
            all.borrow_mut().push(data.len());
            t.unread(data.len());
            if data.len() == LEN {
                last.replace(data.to_vec());
            }
        });
    let (end, transport) = accepted(&mut *h, &log, a);
    let message = bytes(LEN);
    for byte in message.chunks(1) {
        h.send(end, byte);
        h.settle();
    }
    same(&seen.borrow(), &message);
    assert_eq!(*sizes.borrow(), (1..=LEN).collect::<Vec<_>>());
    assert_eq!(transport.bytes_received(), LEN as u64);
}

/// "Bytes from a peer never panic", nor do resets, wherever they cut a message.
fn a_reset_at_any_byte_harms_nobody(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    let echo = Probe::new("n", &Log::default()).data(|_, t, data| t.write(data));
    let (neighbour, _) = accepted(&mut *h, &log, echo);
    for cut in 0..=INPUT.len() {
        let messages = Messages::default();
        let a = Probe::new("a", &log).without_data().data(framed(&messages));
        let (end, _) = accepted(&mut *h, &log, a);
        h.send(end, &INPUT[..cut]);
        h.settle();
        h.reset(end);
        h.settle();
        log.expect(&["a lost: reset by the peer"]);
    }
    h.send(neighbour, b"unharmed");
    h.settle();
    assert_eq!(h.received(neighbour), b"unharmed");
}

/// The same for the peer's end (C5): what was whole was delivered, the rest is there to see.
fn an_end_at_any_byte_is_told_with_what_is_left(stage: Stage) {
    let (mut h, log) = (stage.harness(), Log::default());
    for cut in 0..=INPUT.len() {
        let (messages, rest) = (Messages::default(), Rc::new(RefCell::new(Vec::new())));
        let left = Rc::clone(&rest);
        let a = Probe::new("a", &log)
            .without_data()
            .data(framed(&messages))
            .eof(move |_, t| {
                left.replace(t.with_unread(<[u8]>::to_vec));
                t.close();
            });
        let (end, _) = accepted(&mut *h, &log, a);
        h.send(end, &INPUT[..cut]);
        h.finish(end);
        h.settle();
        log.expect(&["a eof", "a lost: closed by the peer"]);
        let mut whole = Vec::new();
        for message in messages.take() {
            whole.push(message.len() as u8);
            whole.extend(message);
        }
        whole.extend(rest.take());
        assert_eq!(whole, &INPUT[..cut]);
    }
}
