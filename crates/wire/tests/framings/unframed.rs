//! The machines for ports: states of so many bytes, and terminators.

use std::rc::Rc;

use torsade_core::{Disconnect, Transport};
use torsade_wire::{Chat, ChatProtocol, State, Stateful, StatefulProtocol, Terminator};

use crate::random::Random;
use crate::subject::{Event, Front, Log, Rules, Subject, TOO_LONG, obey};

/// A byte of length, then so many bytes: two states, each of which notes what it gets.
pub(crate) enum InStates {}

pub(crate) struct States(Log);

impl StatefulProtocol for States {
    fn initial_state(&mut self) -> State<Self> {
        State::new(Self::length, 1)
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        self.0.borrow_mut().push(Event::Eof(rest.to_vec()));
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.borrow_mut().push(Event::Lost(reason.clone()));
    }
}

impl States {
    fn length(&mut self, _: &Transport<Self>, length: &[u8]) -> Option<State<Self>> {
        self.0.borrow_mut().push(Event::Message(length.to_vec()));
        match length[0] {
            b'~' => None, // the same again
            length => Some(State::new(Self::value, usize::from(length))),
        }
    }

    fn value(&mut self, transport: &Transport<Self>, value: &[u8]) -> Option<State<Self>> {
        obey(transport, &self.0, value);
        Some(State::new(Self::length, 1))
    }
}

impl Subject for InStates {
    const NAME: &'static str = "Stateful";

    type Protocol = Stateful<States>;

    fn recorder(rules: Rules, log: &Log) -> Stateful<States> {
        Stateful::new(States(Rc::clone(log))).max_length(rules.max_length)
    }

    fn model(rules: Rules) -> impl FnMut(&[u8]) -> Front {
        let mut value = None;
        move |rest| {
            if value.unwrap_or(1) > rules.max_length {
                return Front::Fail(TOO_LONG);
            }
            match value {
                None => {
                    let Some(length) = rest.first() else {
                        return Front::More;
                    };
                    if *length != b'~' {
                        value = Some(usize::from(*length));
                    }
                    Front::Message {
                        message: vec![*length],
                        used: 1,
                        obeyed: false,
                    }
                }
                Some(length) if length <= rest.len() => {
                    value = None;
                    Front::message(&rest[..length], length)
                }
                Some(_) => Front::More,
            }
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        [&[message.len() as u8], message].concat()
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        vec![random.pick(&[0, 1, 2, 3, b'~', 0xff]); 1 + random.below(3)]
    }
}

/// Pieces that end with a terminator. A piece that begins with `n` says that the next one has as
/// many bytes as it has itself, one with `l` that the next one ends with a longer terminator, one
/// with `e` that there is no next one, but an end of everything.
pub(crate) enum InChat {}

pub(crate) struct Terminated {
    log: Log,
    terminator: Terminator,
    collected: Vec<u8>,
}

fn next(piece: &[u8]) -> Terminator {
    match piece.first() {
        Some(b'n') => Terminator::Count(piece.len()),
        Some(b'l') => Terminator::bytes(b"abab"),
        Some(b'e') => Terminator::bytes(b""),
        _ => Terminator::bytes(b"\r\n"),
    }
}

impl ChatProtocol for Terminated {
    fn terminator(&mut self) -> &mut Terminator {
        &mut self.terminator
    }

    fn collect_incoming_data(&mut self, _: &Transport<Self>, data: &[u8]) {
        assert!(!data.is_empty());
        self.collected.extend_from_slice(data);
    }

    fn found_terminator(&mut self, transport: &Transport<Self>) {
        let piece = std::mem::take(&mut self.collected);
        self.terminator = next(&piece);
        obey(transport, &self.log, &piece);
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        let unfinished = [&self.collected, rest].concat();
        self.log.borrow_mut().push(Event::Eof(unfinished));
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.log.borrow_mut().push(Event::Lost(reason.clone()));
    }
}

impl Subject for InChat {
    const NAME: &'static str = "Chat";

    type Protocol = Chat<Terminated>;

    fn recorder(_: Rules, log: &Log) -> Chat<Terminated> {
        Chat::new(Terminated {
            log: Rc::clone(log),
            terminator: next(b""),
            collected: Vec::new(),
        })
    }

    fn model(_: Rules) -> impl FnMut(&[u8]) -> Front {
        let mut terminator = next(b"");
        move |rest| {
            let (piece, used) = match &terminator {
                Terminator::Bytes(bytes) if !bytes.is_empty() => {
                    let mut windows = rest.windows(bytes.len());
                    let found = windows.position(|window| *window == bytes[..]);
                    (found, found.map(|at| at + bytes.len()))
                }
                Terminator::Count(count) if *count <= rest.len() => (Some(*count), Some(*count)),
                _ => (None, None),
            };
            match (piece, used) {
                (Some(piece), Some(used)) => {
                    terminator = next(&rest[..piece]);
                    Front::message(&rest[..piece], used)
                }
                _ => Front::More,
            }
        }
    }

    fn wire(message: &[u8]) -> Vec<u8> {
        match message.first() {
            Some(b'n' | b'l' | b'e') => [b"x", message, b"\r\n"].concat(),
            _ => [message, b"\r\n"].concat(),
        }
    }

    fn junk(random: &mut Random) -> Vec<u8> {
        let pieces: [&[u8]; 9] = [
            b"\r", b"\n", b"\r\n", b"ab", b"abab", b"n\r\n", b"lx\r\n", b"e\r\n", b"nnn\r\n",
        ];
        random.pick(&pieces).to_vec()
    }
}
