//! Random and mutated inputs, in many splits each, against the model.

use crate::recorder::{Abab, CrLf, Delimiter, Event, Lf, LfCrLf, Rules, TooLong, expected, told};

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) inputs: u64,
    pub(crate) splits: u64,
    pub(crate) lines: u64,
    pub(crate) too_long: u64,
    pub(crate) raw: u64,
    pub(crate) closed: u64,
}

/// Try this many inputs.
///
/// # Panics
/// If one of them is framed otherwise than the model says; the message has what is needed to try
/// it again.
pub(crate) fn run(seed: u64, inputs: u64) -> Tally {
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut input = Vec::new();
    while tally.inputs < inputs {
        match random.below(4) {
            0 => try_one::<Lf>(&mut random, &mut input, &mut tally),
            1 => try_one::<CrLf>(&mut random, &mut input, &mut tally),
            2 => try_one::<LfCrLf>(&mut random, &mut input, &mut tally),
            _ => try_one::<Abab>(&mut random, &mut input, &mut tally),
        }
    }
    tally
}

fn try_one<D: Delimiter>(random: &mut Random, input: &mut Vec<u8>, tally: &mut Tally) {
    if random.below(3) == 0 {
        mutate::<D>(random, input);
    } else {
        generate::<D>(random, input);
    }
    let rules = Rules {
        max_length: random.pick(&[0, 2, 4, 6, 100, 100]),
        too_long: random.pick(&[TooLong::End, TooLong::Skip, TooLong::SkipToRaw(2)]),
    };
    let events = expected::<D>(rules, input);
    tally.count(&events);
    let mut check = |pieces: &[&[u8]]| {
        let told = told::<D>(rules, pieces);
        tally.splits += 1;
        assert_eq!(
            told,
            events,
            "delimiter {:?}, {rules:?}, in pieces {pieces:?}",
            D::BYTES
        );
    };
    check(&[input]);
    check(&input.chunks(1).collect::<Vec<_>>());
    for first in 1..input.len() {
        let (one, two) = input.split_at(first);
        check(&[one, two]);
    }
    check(&random_pieces(random, input));
}

impl Tally {
    fn count(&mut self, events: &[Event]) {
        self.inputs += 1;
        for event in events {
            match event {
                Event::Line(_) => self.lines += 1,
                Event::TooLong => self.too_long += 1,
                Event::Raw(_) => self.raw += 1,
                Event::Eof(_) => {}
                Event::Lost(reason) => self.closed += u64::from(!reason.is_clean()),
            }
        }
    }
}

fn generate<D: Delimiter>(random: &mut Random, input: &mut Vec<u8>) {
    input.clear();
    for _ in 0..random.below(14) {
        insert::<D>(random, input, |_, input| input.len());
    }
}

fn mutate<D: Delimiter>(random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(input.len() + 1);
        match random.below(4) {
            0 => input.truncate(at),
            1 if at < input.len() => drop(input.remove(at)),
            2 if at < input.len() => {
                input.swap(0, at);
            }
            _ if input.len() < 24 => {
                insert::<D>(random, input, |random, input| random.below(input.len() + 1));
            }
            _ => {}
        }
    }
}

/// Put in a delimiter, a part of one, a command or anything else.
fn insert<D: Delimiter>(
    random: &mut Random,
    input: &mut Vec<u8>,
    place: impl FnOnce(&mut Random, &[u8]) -> usize,
) {
    let at = place(random, input);
    let mut piece = match random.below(9) {
        0..=2 => D::BYTES.to_vec(),
        3 => vec![random.pick(D::BYTES)],
        4..=5 => vec![random.pick(b"RRRCPHS"); 1 + random.below(3)],
        6 => vec![random.next().to_le_bytes()[0]],
        _ => b"xxxxxxxx"[..1 + random.below(5)].to_vec(),
    };
    let tail = input.split_off(at);
    input.append(&mut piece);
    input.extend(tail);
}

fn random_pieces<'a>(random: &mut Random, input: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, others) = rest.split_at(1 + random.below(rest.len()));
        pieces.push(piece);
        rest = others;
    }
    pieces
}
