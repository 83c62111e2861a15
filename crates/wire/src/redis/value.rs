use bytes::Bytes;

use super::ServerError;
use super::encode::{crlf, header};

/// A value of [RESP], the protocol of Redis, in either version.
///
/// What a call without a type of its own resolves to. Calls that know what they want turn it into
/// that with [`FromValue`](super::FromValue).
///
/// [RESP]: https://redis.io/docs/latest/develop/reference/protocol-spec/
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: `_`, and RESP2's `$-1` and `*-1`.
    Nil,
    /// A number: `:`.
    Integer(i64),
    /// Bytes: `$`.
    Bulk(Bytes),
    /// A short text that says how it went: `+`.
    Status(Bytes),
    /// An error inside a reply: `-`, or `!`. One that is the whole reply is the call's
    /// [`RedisError::Server`](super::RedisError::Server).
    Error(ServerError),
    /// Values in order: `*`.
    Array(Vec<Self>),
    /// A number with a fraction, an infinity, or no number: `,`.
    Double(f64),
    /// True or false: `#`.
    Boolean(bool),
    /// A number of any length, in decimal: `(`.
    BigNumber(Bytes),
    /// Text with three bytes that say of which kind it is: `=`.
    Verbatim {
        /// `txt` or `mkd`.
        format: [u8; 3],
        /// The text itself.
        text: Bytes,
    },
    /// Pairs in the server's order: `%`.
    Map(Vec<(Self, Self)>),
    /// Values without an order: `~`.
    Set(Vec<Self>),
    /// What the server says unasked: `>`. Never the reply of a call.
    Push(Vec<Self>),
}

/// A version of the protocol.
///
/// ```
/// use torsade_wire::redis::{Resp, Value};
///
/// let mut wire = Vec::new();
/// Value::Boolean(true).write_to(&mut wire, Resp::Three);
/// Value::Boolean(true).write_to(&mut wire, Resp::Two);
/// assert_eq!(wire, b"#t\r\n:1\r\n");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resp {
    /// RESP2, which every server speaks.
    Two,
    /// RESP3, since Redis 6.
    Three,
}

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Integer(_) => "an integer",
            Self::Bulk(_) => "bytes",
            Self::Status(_) => "a status",
            Self::Error(_) => "an error",
            Self::Array(_) => "an array",
            Self::Double(_) => "a double",
            Self::Boolean(_) => "a boolean",
            Self::BigNumber(_) => "a big number",
            Self::Verbatim { .. } => "text",
            Self::Map(_) => "a map",
            Self::Set(_) => "a set",
            Self::Push(_) => "a push",
        }
    }

    /// Its bytes, if it is something like text.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bulk(bytes)
            | Self::Status(bytes)
            | Self::BigNumber(bytes)
            | Self::Verbatim { text: bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// Append this value as a server sends it: for a server of one's own, or a fake.
    ///
    /// Types that RESP2 lacks are written there as Redis does: maps, sets and pushes as arrays, a
    /// boolean as 1 or 0, doubles, big numbers and text as bytes.
    ///
    /// ```
    /// use torsade_wire::redis::{Resp, Value};
    ///
    /// let mut wire = Vec::new();
    /// Value::Array(vec![Value::Integer(7), Value::Nil]).write_to(&mut wire, Resp::Two);
    /// assert_eq!(wire, b"*2\r\n:7\r\n$-1\r\n");
    /// ```
    pub fn write_to(&self, out: &mut Vec<u8>, version: Resp) {
        match (self, version) {
            (Self::Nil, Resp::Two) => out.extend_from_slice(b"$-1\r\n"),
            (Self::Nil, Resp::Three) => out.extend_from_slice(b"_\r\n"),
            (Self::Integer(number), _) => line(out, b':', number.to_string().as_bytes()),
            (Self::Status(text), _) => line(out, b'+', text),
            (Self::Error(error), _) => line(out, b'-', error.as_bytes()),
            (Self::Boolean(yes), Resp::Three) => line(out, b'#', if *yes { b"t" } else { b"f" }),
            (Self::Boolean(yes), Resp::Two) => line(out, b':', if *yes { b"1" } else { b"0" }),
            (Self::Double(number), Resp::Three) => {
                line(out, b',', double(*number).as_bytes());
            }
            (Self::Double(number), Resp::Two) => bulk(out, b'$', &[double(*number).as_bytes()]),
            (Self::BigNumber(digits), Resp::Three) => line(out, b'(', digits),
            (Self::Verbatim { format, text }, Resp::Three) => {
                bulk(out, b'=', &[format, b":", text]);
            }
            (Self::Bulk(bytes), _)
            | (Self::BigNumber(bytes) | Self::Verbatim { text: bytes, .. }, Resp::Two) => {
                bulk(out, b'$', &[bytes]);
            }
            (Self::Map(pairs), Resp::Three) => {
                header(out, b'%', pairs.len());
                write_pairs(pairs, out, version);
            }
            (Self::Map(pairs), Resp::Two) => {
                header(out, b'*', 2 * pairs.len());
                write_pairs(pairs, out, version);
            }
            (Self::Set(items), Resp::Three) => write_items(b'~', items, out, version),
            (Self::Push(items), Resp::Three) => write_items(b'>', items, out, version),
            (Self::Array(items), _) | (Self::Set(items) | Self::Push(items), Resp::Two) => {
                write_items(b'*', items, out, version);
            }
        }
    }
}

fn write_items(sign: u8, items: &[Value], out: &mut Vec<u8>, version: Resp) {
    header(out, sign, items.len());
    for item in items {
        item.write_to(out, version);
    }
}

fn write_pairs(pairs: &[(Value, Value)], out: &mut Vec<u8>, version: Resp) {
    for (key, value) in pairs {
        key.write_to(out, version);
        value.write_to(out, version);
    }
}

fn line(out: &mut Vec<u8>, sign: u8, text: &[u8]) {
    out.push(sign);
    out.extend_from_slice(text);
    crlf(out);
}

fn bulk(out: &mut Vec<u8>, sign: u8, parts: &[&[u8]]) {
    header(out, sign, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
    crlf(out);
}

fn double(number: f64) -> String {
    match number {
        _ if number.is_nan() => "nan".to_owned(),
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        _ => number.to_string(),
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    /// Bytes, as most of what a server holds.
    fn from(text: &str) -> Self {
        Self::Bulk(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bulk(bytes)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}
