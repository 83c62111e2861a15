//! Searching for a delimiter in input that grows.

use crate::byte::find_byte;

/// Where the first delimiter begins in `input`, if the first `searched` bytes are known not to
/// hold the end of one.
///
/// What is searched for is the delimiter's last byte; those before it are looked at only where it
/// was found. So after a search without a result the whole of `input` has been searched, also if
/// it ends with a part of the delimiter, and no byte is searched twice.
///
/// Inlined because the delimiter is a constant there: that is a quarter of what a short line
/// costs.
#[inline(always)]
pub(crate) fn find(delimiter: &[u8], input: &[u8], searched: usize) -> Option<usize> {
    let (last, before) = delimiter.split_last()?;
    let end = searched + find_byte(*last, input.get(searched..)?)?;
    if input[..end].ends_with(before) {
        return Some(end - before.len());
    }
    find_again(delimiter, input, end + 1)
}

/// Goes on where only the last byte of a delimiter was found. Apart from the rest, to keep what
/// every line comes through small.
#[cold]
fn find_again(delimiter: &[u8], input: &[u8], mut searched: usize) -> Option<usize> {
    let (last, before) = delimiter.split_last()?;
    loop {
        let end = searched + find_byte(*last, input.get(searched..)?)?;
        if input[..end].ends_with(before) {
            return Some(end - before.len());
        }
        searched = end + 1;
    }
}

/// How many bytes at the end of `input`, which holds no delimiter, may be the beginning of one.
pub(crate) fn begun(delimiter: &[u8], input: &[u8]) -> usize {
    (1..delimiter.len())
        .rev()
        .find(|len| input.ends_with(&delimiter[..*len]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_delimiter_is_found_wherever_the_search_goes_on() {
        for (delimiter, input, at) in [
            (&b"\n"[..], &b"ab\nc\n"[..], Some(2)),
            (b"\r\n", b"a\nb\rc\r\r\n\r\n", Some(6)),
            (b"\r\n", b"\n", None),
            (b"abab", b"xaababab", Some(2)),
            (b"\n\r\n", b"\n\n\r\r\n\n\r\n", Some(5)),
            (b"aa", b"", None),
        ] {
            assert_eq!(find(delimiter, input, 0), at, "{delimiter:?} in {input:?}");
            let end = at.map_or(input.len(), |at| at + delimiter.len() - 1);
            assert_eq!(
                find(delimiter, input, end),
                at,
                "{delimiter:?} in {input:?} from {end}"
            );
        }
    }

    #[test]
    fn the_longest_beginning_counts() {
        assert_eq!(begun(b"\r\n", b"a\r"), 1);
        assert_eq!(begun(b"\r\n", b"a\n"), 0);
        assert_eq!(begun(b"\n", b"a"), 0);
        assert_eq!(begun(b"abab", b"xabaaba"), 3);
        assert_eq!(begun(b"abab", b"ab"), 2);
        assert_eq!(begun(b"abab", b""), 0);
    }
}
