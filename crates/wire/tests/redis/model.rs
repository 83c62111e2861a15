//! What a stream of RESP means, written down plainly: all bytes are there, and nothing is cut.

use bytes::Bytes;
use torsade_core::{Disconnect, Limit};
use torsade_wire::redis::{Reader, RedisLimits, ServerError, Value};

/// How a stream goes on after its last whole value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rest {
    Nothing,
    Part,
    Bad(Disconnect),
}

enum Stop {
    Part,
    Bad(Disconnect),
}

type Parsed<T> = Result<T, Stop>;

const TOO_LONG: Stop = Stop::Bad(Disconnect::LimitPassed(Limit::Message));

pub(crate) fn limits(depth: usize, items: usize, line: usize, reply: usize) -> RedisLimits {
    let mut limits = RedisLimits::default();
    limits.depth = depth;
    limits.items = items;
    limits.line = line;
    limits.reply = reply;
    limits
}

/// The values of a stream, and what comes behind them.
pub(crate) fn expected(limits: &RedisLimits, input: &[u8]) -> (Vec<Value>, Rest) {
    let mut values = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let mut model = Model {
            limits,
            input,
            start: at,
            at,
            items: 0,
        };
        match model.value(0) {
            Ok(value) => values.push(value),
            Err(Stop::Part) => return (values, Rest::Part),
            Err(Stop::Bad(reason)) => return (values, Rest::Bad(reason)),
        }
        at = model.at;
    }
    (values, Rest::Nothing)
}

/// What the reader says of the same bytes in these pieces, and how many it left unread at most.
pub(crate) fn read(limits: &RedisLimits, pieces: &[&[u8]]) -> (Vec<Value>, Rest, usize) {
    let mut reader = Reader::new(limits.clone());
    let mut values = Vec::new();
    let mut unread: Vec<u8> = Vec::new();
    let mut most = 0;
    for piece in pieces {
        unread.extend_from_slice(piece);
        let mut data = &unread[..];
        loop {
            match reader.read(&mut data) {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(reason) => return (values, Rest::Bad(reason), most),
            }
        }
        unread = data.to_vec();
        most = most.max(unread.len());
    }
    let rest = if unread.is_empty() && reader.is_between() {
        Rest::Nothing
    } else {
        Rest::Part
    };
    (values, rest, most)
}

struct Model<'a> {
    limits: &'a RedisLimits,
    input: &'a [u8],
    start: usize,
    at: usize,
    items: usize,
}

fn bad<T>(why: &'static str) -> Parsed<T> {
    Err(Stop::Bad(Disconnect::protocol(why)))
}

impl Model<'_> {
    fn value(&mut self, depth: usize) -> Parsed<Value> {
        let sign = *self.input.get(self.at).ok_or(Stop::Part)?;
        match sign {
            b':' => self.number().map(Value::Integer),
            b'$' | b'=' | b'!' => self.bytes(sign),
            b'*' | b'~' | b'%' | b'>' | b'|' => self.many(sign, depth),
            b'+' | b'-' | b',' | b'#' | b'(' | b'_' => self.line(sign),
            _ => bad("a reply that begins with no sign of RESP"),
        }
    }

    /// The number behind a sign.
    fn number(&mut self) -> Parsed<i64> {
        let rest = &self.input[self.at + 1..];
        let signs = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
        let digits = rest[signs..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let end = signs + digits.count();
        let text = std::str::from_utf8(&rest[..end]).unwrap();
        // In the order in which the bytes come: the first that is wrong counts.
        for taken in signs + 1..=end {
            if text[..taken].parse::<i64>().is_err() {
                return bad("a number that is too large");
            }
            if taken > 21 {
                return bad("a number that is too long");
            }
        }
        match rest.get(end) {
            None => return Err(Stop::Part),
            Some(b'\r') if end > signs => {}
            Some(_) => return bad("a number that is none"),
        }
        match rest.get(end + 1) {
            None => return Err(Stop::Part),
            Some(b'\n') => {}
            Some(_) => return bad("a number that does not end its line"),
        }
        self.take(end + 3)?;
        Ok(text.parse().unwrap())
    }

    /// So many bytes are used.
    fn take(&mut self, bytes: usize) -> Parsed<()> {
        if bytes > self.limits.reply - (self.at - self.start) {
            return Err(TOO_LONG);
        }
        self.at += bytes;
        Ok(())
    }

    fn bytes(&mut self, sign: u8) -> Parsed<Value> {
        let length = self.number()?;
        if length == -1 && sign == b'$' {
            return Ok(Value::Nil);
        }
        if length < 0 {
            return bad("a negative length");
        }
        let length = length as usize;
        let at = self.at;
        self.take(length.saturating_add(2))?;
        let body = self.input.get(at..self.at).ok_or(Stop::Part)?;
        let Some(body) = body.strip_suffix(b"\r\n") else {
            return bad("bytes that are longer than was said");
        };
        let bytes = Bytes::copy_from_slice(body);
        match sign {
            b'$' => Ok(Value::Bulk(bytes)),
            b'!' => Ok(Value::Error(ServerError::new(
                String::from_utf8_lossy(body).into_owned(),
            ))),
            _ if body.get(3) == Some(&b':') => Ok(Value::Verbatim {
                format: [body[0], body[1], body[2]],
                text: bytes.slice(4..),
            }),
            _ => bad("a text without its format"),
        }
    }

    fn many(&mut self, sign: u8, depth: usize) -> Parsed<Value> {
        let count = self.number()?;
        if count == -1 && sign == b'*' {
            return Ok(Value::Nil);
        }
        if count < 0 {
            return bad("a negative length");
        }
        let count = count as u128 * if matches!(sign, b'%' | b'|') { 2 } else { 1 };
        if count > (self.limits.items - self.items) as u128 || depth >= self.limits.depth {
            return Err(TOO_LONG);
        }
        if sign == b'>' && depth > 0 {
            return bad("a push inside a reply");
        }
        self.items += count as usize;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.value(depth + 1)?);
        }
        match sign {
            b'*' => Ok(Value::Array(items)),
            b'~' => Ok(Value::Set(items)),
            b'>' => Ok(Value::Push(items)),
            b'%' => Ok(Value::Map(
                items
                    .chunks(2)
                    .map(|pair| (pair[0].clone(), pair[1].clone()))
                    .collect(),
            )),
            // An attribute is about the value behind it, and that is all that counts.
            _ => self.value(depth),
        }
    }

    fn line(&mut self, sign: u8) -> Parsed<Value> {
        let rest = &self.input[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n');
        if end.unwrap_or(rest.len() - 1) > self.limits.line + 1 + usize::from(end.is_some()) {
            return Err(TOO_LONG);
        }
        let end = end.ok_or(Stop::Part)?;
        let Some(text) = rest[1..=end].strip_suffix(b"\r\n") else {
            return bad("a line that ends without CR");
        };
        self.take(end + 1)?;
        let bytes = Bytes::copy_from_slice(text);
        let string = String::from_utf8_lossy(text).into_owned();
        match sign {
            b'+' => Ok(Value::Status(bytes)),
            b'-' => Ok(Value::Error(ServerError::new(string))),
            b'_' if text.is_empty() => Ok(Value::Nil),
            b'#' if text == b"t" => Ok(Value::Boolean(true)),
            b'#' if text == b"f" => Ok(Value::Boolean(false)),
            b',' => match string.parse() {
                Ok(number) => Ok(Value::Double(number)),
                Err(_) => bad("a double that is none"),
            },
            b'(' => {
                let digits = string.strip_prefix('-').unwrap_or(&string);
                if digits.is_empty() || digits.bytes().any(|byte| !byte.is_ascii_digit()) {
                    return bad("a big number that is none");
                }
                Ok(Value::BigNumber(bytes))
            }
            _ => bad("a line that says nothing of its kind"),
        }
    }
}
