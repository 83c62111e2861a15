//! How numbers and commands look on the wire.

use super::Argument;
use super::argument::Form;

/// What is as long as this goes to the connection by itself instead of through the buffer in which
/// a command is put together.
pub(super) const LARGE: usize = 4096;

/// Where the pieces of a command go.
pub(super) trait Out {
    /// The bytes put together so far.
    fn buffer(&mut self) -> &mut Vec<u8>;
    /// Bytes that are too large to be copied twice.
    fn large(&mut self, bytes: &[u8]);
    /// The same, shared.
    fn shared(&mut self, bytes: &bytes::Bytes);
}

impl Out for Vec<u8> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        self
    }

    fn large(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn shared(&mut self, bytes: &bytes::Bytes) {
        self.extend_from_slice(bytes);
    }
}

/// A command: an array of bulk strings, as RESP says requests are.
pub(super) fn command(out: &mut impl Out, arguments: &[Argument<'_>]) {
    header(out.buffer(), b'*', arguments.len());
    for one in arguments {
        argument(out, one);
    }
}

pub(super) fn argument(out: &mut impl Out, argument: &Argument<'_>) {
    match &argument.form {
        Form::Slice(bytes) => slice(out, bytes),
        Form::Shared(bytes) if bytes.len() >= LARGE => {
            header(out.buffer(), b'$', bytes.len());
            out.shared(bytes);
            crlf(out.buffer());
        }
        Form::Shared(bytes) => slice(out, bytes),
        Form::Integer(number) => {
            let mut text = [0; DIGITS + 1];
            slice(out, signed(*number, &mut text));
        }
        Form::Unsigned(number) => {
            let mut text = [0; DIGITS];
            slice(out, decimal(*number, &mut text));
        }
        Form::Float(number) => slice(out, number.to_string().as_bytes()),
    }
}

#[inline]
fn slice(out: &mut impl Out, bytes: &[u8]) {
    header(out.buffer(), b'$', bytes.len());
    if bytes.len() < LARGE {
        out.buffer().extend_from_slice(bytes);
    } else {
        out.large(bytes);
    }
    crlf(out.buffer());
}

/// A sign, a number, and the end of the line.
#[inline]
pub(super) fn header(out: &mut Vec<u8>, sign: u8, number: usize) {
    if number < 10 {
        // The most frequent lines of all.
        out.extend_from_slice(&[sign, b'0' + number as u8, b'\r', b'\n']);
        return;
    }
    let mut text = [0; DIGITS];
    out.push(sign);
    out.extend_from_slice(decimal(number as u64, &mut text));
    crlf(out);
}

#[inline]
pub(super) fn crlf(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// The digits of the largest number.
const DIGITS: usize = 20;

fn decimal(mut number: u64, text: &mut [u8; DIGITS]) -> &[u8] {
    let mut at = DIGITS;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &text[at..];
        }
    }
}

fn signed(number: i64, text: &mut [u8; DIGITS + 1]) -> &[u8] {
    let mut digits = [0; DIGITS];
    let digits = decimal(number.unsigned_abs(), &mut digits);
    let sign = usize::from(number < 0);
    let length = sign + digits.len();
    text[0] = b'-';
    text[sign..length].copy_from_slice(digits);
    &text[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for number in [0, 1, -1, 9, 10, -10, 99, 12345, i64::MAX, i64::MIN] {
            let mut text = [0; DIGITS + 1];
            assert_eq!(signed(number, &mut text), number.to_string().as_bytes());
        }
        for number in [0, 7, 10, 100, u64::MAX] {
            let mut text = [0; DIGITS];
            assert_eq!(decimal(number, &mut text), number.to_string().as_bytes());
        }
    }
}
