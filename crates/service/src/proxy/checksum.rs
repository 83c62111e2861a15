/// CRC32c, the Castagnoli polynomial, as RFC 4960 appendix B has it: of bytes in pieces.
pub(super) fn crc32c(pieces: &[&[u8]]) -> u32 {
    /// The polynomial, with its bits in the order in which they come.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut rest = u32::MAX;
    for byte in pieces.iter().copied().flatten() {
        rest ^= u32::from(*byte);
        for _ in 0..8 {
            let odd = rest & 1 == 1;
            rest >>= 1;
            if odd {
                rest ^= POLYNOMIAL;
            }
        }
    }
    !rest
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_check_value_of_the_polynomial() {
        assert_eq!(crc32c(&[&b"1234"[..], b"56789"]), 0xe306_9283);
        assert_eq!(crc32c(&[]), 0);
    }
}
