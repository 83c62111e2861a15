use std::fmt;
use std::mem;

use bytes::Bytes;
use memchr::memchr;
use torsade_core::{Disconnect, Limit};

use super::{RedisLimits, ServerError, Value};

/// Reads values of RESP2 and RESP3 from a stream that is cut anywhere.
///
/// It is what the client reads replies with, and what a server of one's own, or a fake, reads
/// requests with, because a request is an array. Each byte is looked at once: what has come of a
/// value is kept, and only the beginning of a line is left for the caller to bring again.
///
/// Values inside an attribute (`|`) are read and dropped. The streamed types of RESP3, whose
/// length is `?`, are refused: no Redis server sends them.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::StringTransport;
/// use torsade_wire::redis::{Reader, RedisLimits, Resp, Value};
///
/// /// A Redis server that knows one command.
/// struct Pong(Reader);
///
/// impl Protocol for Pong {
///     fn data_received(&mut self, transport: &Transport<Self>, mut data: &[u8]) {
///         while transport.wants_input() {
///             match self.0.read(&mut data) {
///                 Ok(Some(_request)) => {
///                     let mut reply = Vec::new();
///                     Value::from("PONG").write_to(&mut reply, Resp::Two);
///                     transport.write(reply);
///                 }
///                 Ok(None) => break,
///                 Err(reason) => return transport.fail(reason),
///             }
///         }
///         transport.unread(data.len());
///     }
/// }
///
/// let mut t = StringTransport::serve(Pong(Reader::new(RedisLimits::default())));
/// t.feed_bytewise(b"*1\r\n$4\r\nPING\r\n");
/// assert_eq!(t.take_sent(), b"$4\r\nPONG\r\n");
/// ```
pub struct Reader {
    limits: RedisLimits,
    /// What is open around the next value, the outermost first.
    stack: Vec<Frame>,
    /// Bytes with a length of which a part has come.
    body: Option<Body>,
    /// How much of an unfinished line was searched for its end before.
    searched: usize,
    /// Of the value that is being read: its bytes on the wire so far, and how many values are
    /// known to be in it.
    bytes: usize,
    items: usize,
}

/// An array or its like that is not complete.
struct Frame {
    /// How many values are still to come.
    left: usize,
    content: Content,
}

enum Content {
    Array(Vec<Value>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Map(Vec<(Value, Value)>, Option<Value>),
    /// What is said about the value that follows.
    Attribute,
}

struct Body {
    sign: u8,
    bytes: Vec<u8>,
    /// How many are still to come, the end of the line included.
    left: usize,
}

/// What the front of the data is.
enum Token {
    Value(Value),
    /// The beginning of something with values in it, or nothing that counts.
    Opened,
    More,
}

impl Reader {
    /// Nothing has come yet.
    pub fn new(limits: RedisLimits) -> Self {
        Self {
            limits,
            stack: Vec::new(),
            body: None,
            searched: 0,
            bytes: 0,
            items: 0,
        }
    }

    /// The next value, once all of it has come. `data` is moved to behind what was used.
    ///
    /// After `None`, what is left in `data` must come again with more bytes behind it.
    ///
    /// # Errors
    /// The reason to end the connection with, if the bytes are no RESP or a limit is passed.
    /// Nothing can be read after it.
    pub fn read(&mut self, data: &mut &[u8]) -> Result<Option<Value>, Disconnect> {
        loop {
            let value = match self.token(data)? {
                Token::Value(value) => value,
                Token::Opened => continue,
                Token::More => return Ok(None),
            };
            if let Some(value) = self.place(value) {
                self.bytes = 0;
                self.items = 0;
                return Ok(Some(value));
            }
        }
    }

    /// Whether no part of a value was used since the last whole one. What was left unused is not
    /// known here.
    pub fn is_between(&self) -> bool {
        self.bytes == 0
    }

    fn token(&mut self, data: &mut &[u8]) -> Result<Token, Disconnect> {
        if self.body.is_some() {
            return self.go_on_with_body(data);
        }
        let Some(sign) = data.first().copied() else {
            return Ok(Token::More);
        };
        match sign {
            b'$' | b'*' | b':' | b'%' | b'~' | b'>' | b'=' | b'!' | b'|' => {
                let Some((number, used)) = integer(&data[1..])? else {
                    return Ok(Token::More);
                };
                self.count_bytes(1 + used)?;
                *data = &data[1 + used..];
                match sign {
                    b':' => Ok(Token::Value(Value::Integer(number))),
                    b'$' | b'=' | b'!' => self.begin_body(sign, number, data),
                    _ => self.open(sign, number),
                }
            }
            b'+' | b'-' | b',' | b'#' | b'(' | b'_' => self.line(sign, data),
            _ => Err(Disconnect::protocol(
                "a reply that begins with no sign of RESP",
            )),
        }
    }

    /// Bytes of a length that is known now.
    #[inline]
    fn begin_body(&mut self, sign: u8, length: i64, data: &mut &[u8]) -> Result<Token, Disconnect> {
        if length == -1 && sign == b'$' {
            return Ok(Token::Value(Value::Nil));
        }
        let length = size(length)?;
        let left = length.checked_add(2).ok_or(TOO_LONG)?;
        self.count_bytes(left)?;
        if let Some((body, rest)) = data.split_at_checked(left) {
            *data = rest;
            let (text, end) = body.split_at(length);
            check_end(end)?;
            return finished_body(sign, Bytes::copy_from_slice(text)).map(Token::Value);
        }
        self.body = Some(Body {
            sign,
            bytes: Vec::new(),
            left,
        });
        self.go_on_with_body(data)
    }

    fn go_on_with_body(&mut self, data: &mut &[u8]) -> Result<Token, Disconnect> {
        let Some(body) = &mut self.body else {
            return Ok(Token::More);
        };
        let (here, rest) = data.split_at(body.left.min(data.len()));
        *data = rest;
        body.bytes.extend_from_slice(here);
        body.left -= here.len();
        if body.left > 0 {
            return Ok(Token::More);
        }
        let sign = body.sign;
        let mut bytes = mem::take(&mut body.bytes);
        self.body = None;
        check_end(&bytes[bytes.len() - 2..])?;
        bytes.truncate(bytes.len() - 2);
        bytes.shrink_to_fit();
        finished_body(sign, Bytes::from(bytes)).map(Token::Value)
    }

    /// The beginning of an array or its like.
    fn open(&mut self, sign: u8, count: i64) -> Result<Token, Disconnect> {
        if count == -1 && sign == b'*' {
            return Ok(Token::Value(Value::Nil));
        }
        let count = size(count)?;
        let left = match sign {
            b'%' | b'|' => count.checked_mul(2).ok_or(TOO_LONG)?,
            _ => count,
        };
        if left > self.limits.items.saturating_sub(self.items)
            || self.stack.len() >= self.limits.depth
        {
            return Err(TOO_LONG);
        }
        if sign == b'>' && !self.stack.is_empty() {
            return Err(Disconnect::protocol("a push inside a reply"));
        }
        self.items += left;
        let content = Content::new(sign, left);
        if left == 0 {
            return Ok(content.finish().map_or(Token::Opened, Token::Value));
        }
        self.stack.push(Frame { left, content });
        Ok(Token::Opened)
    }

    fn line(&mut self, sign: u8, data: &mut &[u8]) -> Result<Token, Disconnect> {
        let searched = mem::take(&mut self.searched).min(data.len());
        let Some(end) = memchr(b'\n', &data[searched..]) else {
            // The sign before it, and perhaps half of its end behind it.
            if data.len() > self.limits.line.saturating_add(2) {
                return Err(TOO_LONG);
            }
            self.searched = data.len();
            return Ok(Token::More);
        };
        let end = searched + end;
        if end > self.limits.line.saturating_add(2) {
            return Err(TOO_LONG);
        }
        let text = data[1..=end]
            .strip_suffix(b"\r\n")
            .ok_or_else(|| Disconnect::protocol("a line that ends without CR"))?;
        self.count_bytes(end + 1)?;
        let value = finished_line(sign, text)?;
        *data = &data[end + 1..];
        Ok(Token::Value(value))
    }

    /// Put a value where it belongs, and give back what that completes.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        while let Some(frame) = self.stack.last_mut() {
            frame.content.push(value);
            frame.left -= 1;
            if frame.left > 0 {
                return None;
            }
            value = self.stack.pop()?.content.finish()?;
        }
        Some(value)
    }

    #[inline]
    fn count_bytes(&mut self, more: usize) -> Result<(), Disconnect> {
        if more > self.limits.reply.saturating_sub(self.bytes) {
            return Err(TOO_LONG);
        }
        self.bytes += more;
        Ok(())
    }
}

impl Content {
    fn new(sign: u8, count: usize) -> Self {
        /// So much at once, and more as it comes: the number is only what the peer said.
        const FIRST: usize = 16;
        let first = count.min(FIRST);
        match sign {
            b'%' => Self::Map(Vec::with_capacity(first / 2), None),
            b'~' => Self::Set(Vec::with_capacity(first)),
            b'>' => Self::Push(Vec::with_capacity(first)),
            b'|' => Self::Attribute,
            _ => Self::Array(Vec::with_capacity(first)),
        }
    }

    fn push(&mut self, value: Value) {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => items.push(value),
            Self::Map(pairs, key) => match key.take() {
                Some(key) => pairs.push((key, value)),
                None => *key = Some(value),
            },
            Self::Attribute => {}
        }
    }

    fn finish(self) -> Option<Value> {
        match self {
            Self::Array(items) => Some(Value::Array(items)),
            Self::Set(items) => Some(Value::Set(items)),
            Self::Push(items) => Some(Value::Push(items)),
            Self::Map(pairs, _) => Some(Value::Map(pairs)),
            Self::Attribute => None,
        }
    }
}

const TOO_LONG: Disconnect = Disconnect::LimitPassed(Limit::Message);

/// The number that a line consists of, and how many bytes the line has. `None` if its end has not
/// come; that is at most a few bytes, which cost nothing to look at again.
#[inline]
fn integer(line: &[u8]) -> Result<Option<(i64, usize)>, Disconnect> {
    let negative = line.first() == Some(&b'-');
    let signed = negative || line.first() == Some(&b'+');
    let mut number = 0i64;
    for (at, byte) in line.iter().enumerate().skip(usize::from(signed)) {
        match byte {
            b'0'..=b'9' => {
                let digit = i64::from(byte - b'0');
                let digit = if negative { -digit } else { digit };
                number = number
                    .checked_mul(10)
                    .and_then(|number| number.checked_add(digit))
                    .ok_or_else(|| Disconnect::protocol("a number that is too large"))?;
                // Zeroes in front could go on for ever.
                if at > 20 {
                    break;
                }
            }
            b'\r' if at > usize::from(signed) => {
                return match line.get(at + 1) {
                    Some(b'\n') => Ok(Some((number, at + 2))),
                    Some(_) => Err(Disconnect::protocol("a number that does not end its line")),
                    None => Ok(None),
                };
            }
            _ => return Err(Disconnect::protocol("a number that is none")),
        }
    }
    if line.len() > 21 {
        return Err(Disconnect::protocol("a number that is too long"));
    }
    Ok(None)
}

#[inline]
fn size(number: i64) -> Result<usize, Disconnect> {
    if number < 0 {
        return Err(Disconnect::protocol("a negative length"));
    }
    usize::try_from(number).map_err(|_| TOO_LONG)
}

#[inline]
fn check_end(end: &[u8]) -> Result<(), Disconnect> {
    if end == b"\r\n" {
        Ok(())
    } else {
        Err(Disconnect::protocol("bytes that are longer than was said"))
    }
}

#[inline]
fn finished_body(sign: u8, mut bytes: Bytes) -> Result<Value, Disconnect> {
    match sign {
        b'$' => Ok(Value::Bulk(bytes)),
        b'!' => Ok(Value::Error(ServerError::from_wire(bytes))),
        _ => {
            let format = match bytes.first_chunk::<4>() {
                Some([a, b, c, b':']) => [*a, *b, *c],
                _ => return Err(Disconnect::protocol("a text without its format")),
            };
            let text = bytes.split_off(4);
            Ok(Value::Verbatim { format, text })
        }
    }
}

fn finished_line(sign: u8, text: &[u8]) -> Result<Value, Disconnect> {
    match (sign, text) {
        // The most frequent reply of all needs no memory.
        (b'+', b"OK") => Ok(Value::Status(Bytes::from_static(b"OK"))),
        (b'+', _) => Ok(Value::Status(Bytes::copy_from_slice(text))),
        (b'-', _) => Ok(Value::Error(ServerError::from_wire(
            Bytes::copy_from_slice(text),
        ))),
        (b'_', b"") => Ok(Value::Nil),
        (b'#', b"t") => Ok(Value::Boolean(true)),
        (b'#', b"f") => Ok(Value::Boolean(false)),
        (b',', _) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Value::Double)
            .ok_or_else(|| Disconnect::protocol("a double that is none")),
        (b'(', _) => {
            let digits = text.strip_prefix(b"-").unwrap_or(text);
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Disconnect::protocol("a big number that is none"));
            }
            Ok(Value::BigNumber(Bytes::copy_from_slice(text)))
        }
        _ => Err(Disconnect::protocol("a line that says nothing of its kind")),
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("depth", &self.stack.len())
            .field("bytes", &self.bytes)
            .field("items", &self.items)
            .finish_non_exhaustive()
    }
}
