//! Random and mutated streams, in many splits each, against the model.

use torsade_wire::redis::{Resp, Value};

use crate::model::{Rest, expected, limits, read};
use crate::random::Random;

/// What was tried.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) inputs: u64,
    pub(crate) splits: u64,
    pub(crate) values: u64,
    pub(crate) unfinished: u64,
    pub(crate) refused: u64,
}

/// Try this many inputs.
///
/// # Panics
/// If one of them is read otherwise than the model says.
pub(crate) fn run(seed: u64, inputs: u64) -> Tally {
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut input = Vec::new();
    while tally.inputs < inputs {
        if random.below(3) == 0 {
            mutate(&mut random, &mut input);
        } else {
            input.clear();
            for _ in 0..1 + random.below(3) {
                write(&mut random, &mut input, 0);
            }
        }
        try_one(&mut random, &input, &mut tally);
    }
    tally
}

fn try_one(random: &mut Random, input: &[u8], tally: &mut Tally) {
    let limits = limits(
        random.pick(&[1, 2, 64]),
        random.pick(&[3, 10, 1000]),
        random.pick(&[0, 2, 5, 1000]),
        random.pick(&[10, 50, 100_000]),
    );
    let said = expected(&limits, input);
    tally.inputs += 1;
    tally.values += said.0.len() as u64;
    tally.unfinished += u64::from(said.1 == Rest::Part);
    tally.refused += u64::from(matches!(said.1, Rest::Bad(_)));
    let mut check = |pieces: &[&[u8]]| {
        tally.splits += 1;
        let (values, rest, _) = read(&limits, pieces);
        assert!(
            same(&values, &said.0) && rest == said.1,
            "{limits:?}: {values:?}, {rest:?} instead of {said:?} in {pieces:?}"
        );
    };
    check(&[input]);
    check(&input.chunks(1).collect::<Vec<_>>());
    for first in 1..input.len() {
        let (one, two) = input.split_at(first);
        check(&[one, two]);
    }
    check(&random.pieces(input));
}

/// Equal, also where they hold what is no number. The model's errors have no line ends.
pub(crate) fn same(left: &[Value], right: &[Value]) -> bool {
    let plain = |values: &[Value]| format!("{values:?}").replace(['\r', '\n'], " ");
    plain(left) == plain(right)
}

/// A whole value of any type, mostly.
fn write(random: &mut Random, out: &mut Vec<u8>, depth: usize) {
    match random.below(16) {
        0 => out.extend_from_slice(format!(":{}\r\n", random.next() as i64).as_bytes()),
        1 => out.extend_from_slice(format!(":{}\r\n", random.below(12)).as_bytes()),
        2 => out.extend_from_slice(b"+OK\r\n"),
        3 => out.extend_from_slice(b"-ERR no\r\n"),
        4 => Value::Nil.write_to(out, random.pick(&[Resp::Two, Resp::Three])),
        5 => out.extend_from_slice(random.pick(&[&b"#t\r\n"[..], b"#f\r\n", b"#x\r\n"])),
        6 => out.extend_from_slice(random.pick(&[
            &b",1.5\r\n"[..],
            b",inf\r\n",
            b",-inf\r\n",
            b",nan\r\n",
            b",one\r\n",
        ])),
        7 => out.extend_from_slice(b"(-123456789012345678901234567890\r\n"),
        8 => out.extend_from_slice(b"=8\r\ntxt:text\r\n"),
        9 => out.extend_from_slice(b"!5\r\nERR x\r\n"),
        10 => out.extend_from_slice(random.pick(&[
            &b"*-1\r\n"[..],
            b"$-1\r\n",
            b"*?\r\n",
            b"$-2\r\n",
        ])),
        11 | 12 if depth < 4 => {
            let sign = random.pick(b"*~%>|*~");
            let count = random.below(4);
            out.extend_from_slice(format!("{}{count}\r\n", char::from(sign)).as_bytes());
            let twice = if matches!(sign, b'%' | b'|') { 2 } else { 1 };
            for _ in 0..count * twice {
                write(random, out, depth + 1);
            }
        }
        _ => {
            let length = random.pick(&[0, 1, 2, 5, 11]);
            out.extend_from_slice(format!("${length}\r\n").as_bytes());
            out.extend((0..length).map(|_| random.pick(b"ab\r\n$*")));
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn mutate(random: &mut Random, input: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(input.len() + 1);
        match random.below(4) {
            0 => input.truncate(at),
            1 => input.insert(at, random.pick(b"$*:+-0129\r\n_#,(!=%~>|?x")),
            2 if at < input.len() => input[at] = random.pick(b"$*:+-019\r\n%~>|"),
            _ => {
                let again = input.split_off(at);
                input.extend_from_slice(&again);
                input.extend_from_slice(&again[..again.len().min(8)]);
            }
        }
    }
    input.truncate(300);
}

#[test]
fn streams_are_read_as_the_model_says() {
    let tally = run(1, 2000);
    let counts = [tally.values, tally.unfinished, tally.refused];
    assert!(counts.iter().all(|count| *count > 100), "{tally:?}");
}
