//! Searching for one byte, fast where it is near.

use memchr::memchr;

/// Where `byte` is first in `input`.
///
/// Most lines are short, and for those the fixed cost of `memchr` is the larger part of the
/// search. So the first blocks are looked through here, in a form that compilers turn into a few
/// vector instructions each; `memchr` gets what is far, and what is less than a block.
#[inline(always)]
pub(crate) fn find_byte(byte: u8, input: &[u8]) -> Option<usize> {
    let (blocks, _) = input.as_chunks();
    for (number, block) in blocks.iter().take(NEAR).enumerate() {
        if contains(block, byte) {
            return Some(number * BLOCK + position(block, byte));
        }
    }
    find_far(byte, input)
}

/// The same, where `byte` is not in the blocks that are near.
#[inline(never)]
fn find_far(byte: u8, input: &[u8]) -> Option<usize> {
    let near = (input.len() / BLOCK).min(NEAR) * BLOCK;
    Some(near + memchr(byte, &input[near..])?)
}

/// With so many blocks behind it, `memchr` is the faster one.
const NEAR: usize = 8;

const BLOCK: usize = 16;

/// No early end: that is what makes it a vector comparison.
#[inline]
fn contains(block: &[u8; BLOCK], byte: u8) -> bool {
    block
        .iter()
        .fold(false, |found, each| found | (*each == byte))
}

/// Where `byte` is first in a block that contains it.
#[inline]
fn position(block: &[u8; BLOCK], byte: u8) -> usize {
    let (words, _) = block.as_chunks();
    match equal(&words[0], byte) {
        0 => 8 + equal(&words[1], byte).trailing_zeros() as usize / 8,
        found => found.trailing_zeros() as usize / 8,
    }
}

/// Sets the high bit of the first byte of `word` that is `byte`, and no bit before it.
#[inline]
fn equal(word: &[u8; 8], byte: u8) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let zero_where_equal = u64::from_le_bytes(*word) ^ u64::from_le_bytes([byte; 8]);
    zero_where_equal.wrapping_sub(LOW) & !zero_where_equal & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for byte in [b'\n', 0x00, 0x7f, 0x80, 0xff] {
            // What differs by a bit or by one is what such arithmetic confuses.
            for other in [
                byte ^ 0x80,
                byte ^ 1,
                byte.wrapping_add(1),
                byte.wrapping_sub(1),
            ] {
                let mut input = [other; 12 * BLOCK];
                for length in 0..input.len() {
                    assert_eq!(find_byte(byte, &input[..length]), None, "in {length}");
                }
                for at in (0..input.len()).rev() {
                    input[at] = byte;
                    for length in 0..input.len() {
                        let found = (at < length).then_some(at);
                        assert_eq!(find_byte(byte, &input[..length]), found, "{at} in {length}");
                    }
                }
            }
        }
    }
}
