//! Searching for one byte, fast where it is near.

use memchr::memchr;
use wide::u8x16;

/// Where `byte` is first in `input`.
///
/// Most lines are short, and for those the fixed cost of `memchr` is the larger part of the
/// search. So the first blocks are looked through here, a few instructions each; `memchr` gets
/// what is far, and what is less than a block.
#[inline(always)]
pub(crate) fn find_byte(byte: u8, input: &[u8]) -> Option<usize> {
    let wanted = u8x16::splat(byte);
    let mut rest = input;
    for _ in 0..NEAR {
        let Some((block, after)) = rest.split_first_chunk::<BLOCK>() else {
            break;
        };
        let found = u8x16::new(*block).simd_eq(wanted).to_bitmask();
        if found != 0 {
            return Some(input.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = after;
    }
    if rest.is_empty() {
        return None;
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
