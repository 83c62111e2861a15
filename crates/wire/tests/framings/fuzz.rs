//! Random and mutated inputs, in many splits each, against the model.

use crate::random::Random;
use crate::subject::{Event, Rules, Subject, TooLong, expected, told};

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) inputs: u64,
    pub(crate) splits: u64,
    pub(crate) messages: u64,
    pub(crate) too_long: u64,
    pub(crate) switched: u64,
    pub(crate) unfinished: u64,
    pub(crate) ended_otherwise: u64,
}

/// Try this many inputs.
///
/// # Panics
/// If one of them is framed otherwise than the model says; the message has what is needed to try
/// it again.
pub(crate) fn run<S: Subject>(seed: u64, inputs: u64) -> Tally {
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut input = Vec::new();
    while tally.inputs < inputs {
        if random.below(3) == 0 {
            mutate::<S>(&mut random, &mut input);
        } else {
            generate::<S>(&mut random, &mut input);
        }
        try_one::<S>(&mut random, &input, &mut tally);
    }
    tally
}

fn try_one<S: Subject>(random: &mut Random, input: &[u8], tally: &mut Tally) {
    let rules = Rules {
        max_length: random.pick(&[0, 3, 6, 40, 40, 100]),
        too_long: random.pick(&[TooLong::End, TooLong::Skip]),
    };
    let events = expected::<S>(rules, input);
    tally.count(&events);
    let mut check = |pieces: &[&[u8]]| {
        tally.splits += 1;
        let told = told::<S>(rules, pieces);
        assert_eq!(told, events, "{}, {rules:?}, in {pieces:?}", S::NAME);
    };
    check(&[input]);
    check(&input.chunks(1).collect::<Vec<_>>());
    for first in 1..input.len() {
        let (one, two) = input.split_at(first);
        check(&[one, two]);
    }
    check(&random.pieces(input));
}

impl Tally {
    fn count(&mut self, events: &[Event]) {
        self.inputs += 1;
        for event in events {
            match event {
                Event::Message(_) => self.messages += 1,
                Event::TooLong(_) => self.too_long += 1,
                Event::Rest(_) => self.switched += 1,
                Event::Eof(rest) => self.unfinished += u64::from(!rest.is_empty()),
                Event::Lost(reason) => self.ended_otherwise += u64::from(!reason.is_clean()),
            }
        }
    }
}

fn generate<S: Subject>(random: &mut Random, input: &mut Vec<u8>) {
    input.clear();
    for _ in 0..random.below(6) {
        input.extend(piece::<S>(random));
    }
}

fn mutate<S: Subject>(random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(input.len() + 1);
        match random.below(5) {
            0 => input.truncate(at),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => input.swap(0, at),
            3 if at < input.len() => input[at] = random.byte(),
            _ if input.len() < 40 => {
                let tail = input.split_off(at);
                input.extend(piece::<S>(random));
                input.extend(tail);
            }
            _ => {}
        }
    }
}

/// A message, with a command in it sometimes, or something that is none.
fn piece<S: Subject>(random: &mut Random) -> Vec<u8> {
    let mut message = b"xxxxxxxx"[..random.below(7)].to_vec();
    match random.below(10) {
        0 => return S::junk(random),
        2..=3 => message.push(random.pick(b"PHPHPHSCAF")),
        4 => message.push(random.byte()),
        _ => {}
    }
    S::wire(&message)
}
