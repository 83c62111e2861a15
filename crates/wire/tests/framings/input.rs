//! An input of the coverage-guided fuzzer (`fuzz/`), which is also a line of the corpus.

use torsade_wire::{Int8, Int16, Int16Le, Int32, Int32Le, Netstring, Records};

use crate::framed::{Escaped, In, Tagged};
use crate::subject::{Rules, Subject, TooLong, expected, told};
use crate::unframed::{InChat, InStates};

/// A framing against its model, whole, byte by byte and cut in two: the first three bytes say which
/// framing, which limit, and where.
#[track_caller]
pub(crate) fn check(data: &[u8]) {
    let [which, limit, cut, input @ ..] = data else {
        return;
    };
    // The word on which the subjects panic, for tests of that.
    if input.windows(4).any(|word| word == b"hurt") {
        return;
    }
    let one = match which % 11 {
        0 => one::<In<Int8>>,
        1 => one::<In<Int16>>,
        2 => one::<In<Int16Le>>,
        3 => one::<In<Int32>>,
        4 => one::<In<Int32Le>>,
        5 => one::<In<Netstring>>,
        6 => one::<In<Records<4>>>,
        7 => one::<In<Tagged>>,
        8 => one::<In<Escaped>>,
        9 => one::<InStates>,
        _ => one::<InChat>,
    };
    one(*limit, *cut, input);
}

fn one<S: Subject>(limit: u8, cut: u8, input: &[u8]) {
    let rules = Rules {
        max_length: usize::from(limit >> 1),
        too_long: if limit & 1 == 0 {
            TooLong::End
        } else {
            TooLong::Skip
        },
    };
    let events = expected::<S>(rules, input);
    let (first, second) = input.split_at(usize::from(cut).min(input.len()));
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    for pieces in [&[input][..], &bytes, &[first, second]] {
        assert_eq!(
            told::<S>(rules, pieces),
            events,
            "{} in {pieces:?}",
            S::NAME
        );
    }
}
