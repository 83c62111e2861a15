use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::{RedisError, Value};

/// What a reply can be turned into.
///
/// Calls are generic over it where the server's answer alone does not say what the caller wants:
/// `redis.call::<Option<u64>>(&command)`.
///
/// | wanted | what is taken for it |
/// |---|---|
/// | [`Value`] | everything |
/// | `()` | everything; for replies that only say "done" |
/// | `bool` | a boolean, 1 and 0, a status (yes) and nil (no) |
/// | `i64`, `u64`, `usize`, `u32` | an integer, and text that is one |
/// | `f64` | a double, an integer, and text that is one |
/// | [`Bytes`], `Vec<u8>` | bytes, a status, text, a number |
/// | `String` | the same, if it is UTF-8 |
/// | `Option<T>` | nil, or a `T` |
/// | `Vec<T>`, `BTreeSet<T>` | an array, a set; a map if `T` is a pair |
/// | `(A, B)` | an array of two. In a `Vec` also pairs that are written flat, as RESP2 does |
/// | `BTreeMap<K, V>` | what is taken for `Vec<(K, V)>` |
///
/// ```
/// use torsade_wire::redis::{FromValue, RedisError, Value};
///
/// #[derive(Debug, PartialEq)]
/// struct Place(f64, f64);
///
/// impl FromValue for Place {
///     fn from_value(value: Value) -> Result<Self, RedisError> {
///         <(f64, f64)>::from_value(value).map(|(east, north)| Self(east, north))
///     }
/// }
///
/// let reply = Value::Array(vec![Value::from("13.4"), Value::from("52.5")]);
/// assert_eq!(Place::from_value(reply).unwrap(), Place(13.4, 52.5));
/// ```
pub trait FromValue: Sized + 'static {
    /// Turn a reply into what is wanted.
    ///
    /// # Errors
    /// [`RedisError::Unexpected`] if it is something else, and [`RedisError::Server`] for an
    /// error inside it.
    fn from_value(value: Value) -> Result<Self, RedisError>;

    /// Turn all values of an array into what is wanted. For pairs that are written flat.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value).
    #[doc(hidden)]
    fn from_items(items: Vec<Value>) -> Result<Vec<Self>, RedisError> {
        items.into_iter().map(Self::from_value).collect()
    }
}

/// The error for a value of another kind.
pub(super) fn unexpected(value: &Value, wanted: &'static str) -> RedisError {
    match value {
        Value::Error(error) => RedisError::Server(error.clone()),
        other => RedisError::Unexpected {
            wanted,
            got: other.kind(),
        },
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(value)
    }
}

impl FromValue for () {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Error(error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Boolean(yes) => Ok(yes),
            Value::Integer(number @ (0 | 1)) => Ok(number == 1),
            Value::Status(_) => Ok(true),
            Value::Nil => Ok(false),
            other => Err(unexpected(&other, "yes or no")),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match &value {
            Value::Integer(number) => Ok(*number),
            other => parsed(other, "an integer"),
        }
    }
}

macro_rules! from_integer {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, RedisError> {
                match &value {
                    Value::Integer(number) => Self::try_from(*number)
                        .map_err(|_| unexpected(&value, "an integer that fits")),
                    other => parsed(other, "an integer"),
                }
            }
        }
    )*};
}

from_integer!(u64 usize u32);

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match &value {
            Value::Double(number) => Ok(*number),
            #[expect(
                clippy::cast_precision_loss,
                reason = "scores are doubles to the server, too"
            )]
            Value::Integer(number) => Ok(*number as Self),
            other => parsed(other, "a number"),
        }
    }
}

/// What text says, for servers and commands that write numbers as text.
fn parsed<T: std::str::FromStr>(value: &Value, wanted: &'static str) -> Result<T, RedisError> {
    value
        .as_bytes()
        .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        .ok_or_else(|| unexpected(value, wanted))
}

impl FromValue for Bytes {
    #[inline]
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Bulk(bytes)
            | Value::Status(bytes)
            | Value::BigNumber(bytes)
            | Value::Verbatim { text: bytes, .. } => Ok(bytes),
            Value::Integer(number) => Ok(Self::from(number.to_string())),
            Value::Double(number) => Ok(Self::from(number.to_string())),
            other => Err(unexpected(&other, "bytes")),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Bytes::from_value(value).map(Self::from)
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        let bytes = Bytes::from_value(value)?;
        Self::from_utf8(bytes.into()).map_err(|_| RedisError::Unexpected {
            wanted: "text",
            got: "bytes that are no UTF-8",
        })
    }
}

impl<T: FromValue> FromValue for Option<T> {
    #[inline]
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Nil => Ok(None),
            some => T::from_value(some).map(Some),
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => T::from_items(items),
            Value::Map(pairs) => pairs
                .into_iter()
                .map(|(key, value)| T::from_value(Value::Array(vec![key, value])))
                .collect(),
            other => Err(unexpected(&other, "an array")),
        }
    }
}

impl<A: FromValue, B: FromValue> FromValue for (A, B) {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Array(items) => pair(items),
            other => Err(unexpected(&other, "an array of two")),
        }
    }

    fn from_items(items: Vec<Value>) -> Result<Vec<Self>, RedisError> {
        if items.iter().all(|item| matches!(item, Value::Array(_))) {
            return items.into_iter().map(Self::from_value).collect();
        }
        let mut pairs = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let Some(first) = items.next() {
            pairs.push(pair([first].into_iter().chain(items.next()).collect())?);
        }
        Ok(pairs)
    }
}

fn pair<A: FromValue, B: FromValue>(items: Vec<Value>) -> Result<(A, B), RedisError> {
    match <[Value; 2]>::try_from(items) {
        Ok([first, second]) => Ok((A::from_value(first)?, B::from_value(second)?)),
        Err(_) => Err(RedisError::Unexpected {
            wanted: "an array of two",
            got: "an array of another length",
        }),
    }
}

impl<T: FromValue + Ord> FromValue for BTreeSet<T> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(Vec::from_value(value)?.into_iter().collect())
    }
}

impl<K: FromValue + Ord, V: FromValue> FromValue for BTreeMap<K, V> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(Vec::<(K, V)>::from_value(value)?.into_iter().collect())
    }
}
