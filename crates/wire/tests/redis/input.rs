//! An input of the coverage-guided fuzzer (`fuzz/`), which is also a line of the corpus.

use crate::model::{expected, limits, read};

/// The reader of RESP against its model, whole, byte by byte and cut in two: the first two bytes
/// say which limits, and where.
#[track_caller]
pub(crate) fn check(data: &[u8]) {
    let [which, cut, input @ ..] = data else {
        return;
    };
    let small = which & 1 == 1;
    let limits = if small {
        limits(2, 10, 8, 60)
    } else {
        limits(64, 1000, 1000, 10_000)
    };
    let said = expected(&limits, input);
    let (first, second) = input.split_at(usize::from(*cut).min(input.len()));
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    for pieces in [&[input][..], &bytes, &[first, second]] {
        let (values, rest, _) = read(&limits, pieces);
        // Debug text, because what is no number equals nothing; the model's errors have no line
        // ends and are valid text.
        let plain = |text: String| text.replace(['\r', '\n'], " ");
        let (values, model) = (format!("{values:?}"), format!("{:?}", said.0));
        assert_eq!(plain(values), plain(model), "{pieces:?}");
        assert_eq!(rest, said.1, "{pieces:?}");
    }
}
