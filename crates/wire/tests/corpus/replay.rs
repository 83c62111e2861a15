//! The corpus of a coverage-guided fuzzer, replayed without it: a line of hexadecimal digits is an
//! input.

/// Check every input of the corpus. There must be some.
pub(crate) fn replay(corpus: &str, check: impl Fn(&[u8])) {
    let mut inputs = 0;
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let digits: Vec<u32> = line
            .chars()
            .filter_map(|digit| digit.to_digit(16))
            .collect();
        let bytes = digits.chunks(2).map(|pair| {
            let number = pair.iter().fold(0, |number, digit| number * 16 + digit);
            u8::try_from(number).unwrap_or(u8::MAX)
        });
        let bytes: Vec<u8> = bytes.collect();
        check(&bytes);
        inputs += 1;
    }
    assert!(inputs > 50, "the corpus has {inputs} inputs");
}
