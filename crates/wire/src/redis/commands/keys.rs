use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::{Commands, of_keys};
use crate::redis::{Command, FromValue, RedisError, ToArgument, Value};

/// Keys, their times, and all of them.
impl Commands {
    /// Delete keys. How many there were.
    #[doc(alias = "DEL")]
    #[track_caller]
    pub fn del(&self, keys: &[impl ToArgument]) -> Deferred<u64, RedisError> {
        self.send(&of_keys("DEL", keys))
    }

    /// Delete keys, and let the server free what they held when it has time. How many there were.
    #[doc(alias = "UNLINK")]
    #[track_caller]
    pub fn unlink(&self, keys: &[impl ToArgument]) -> Deferred<u64, RedisError> {
        self.send(&of_keys("UNLINK", keys))
    }

    /// How many of these keys exist.
    #[doc(alias = "EXISTS")]
    #[track_caller]
    pub fn exists(&self, keys: &[impl ToArgument]) -> Deferred<u64, RedisError> {
        self.send(&of_keys("EXISTS", keys))
    }

    /// How many of these keys exist; they count as used now.
    #[doc(alias = "TOUCH")]
    #[track_caller]
    pub fn touch(&self, keys: &[impl ToArgument]) -> Deferred<u64, RedisError> {
        self.send(&of_keys("TOUCH", keys))
    }

    /// Let the key go after this long. Whether it exists.
    #[doc(alias = "PEXPIRE")]
    #[track_caller]
    pub fn expire(&self, key: impl ToArgument, after: Duration) -> Deferred<bool, RedisError> {
        self.send(&[
            "PEXPIRE".into(),
            key.to_argument(),
            super::strings::millis(after).to_argument(),
        ])
    }

    /// Let the key stay. Whether it would have gone.
    #[doc(alias = "PERSIST")]
    #[track_caller]
    pub fn persist(&self, key: impl ToArgument) -> Deferred<bool, RedisError> {
        self.send(&["PERSIST".into(), key.to_argument()])
    }

    /// How long the key has.
    #[doc(alias = "PTTL")]
    #[track_caller]
    pub fn ttl(&self, key: impl ToArgument) -> Deferred<Ttl, RedisError> {
        self.send(&["PTTL".into(), key.to_argument()])
    }

    /// Give the key another name, and replace what has that.
    #[doc(alias = "RENAME")]
    #[track_caller]
    pub fn rename(&self, key: impl ToArgument, to: impl ToArgument) -> Deferred<(), RedisError> {
        self.send(&["RENAME".into(), key.to_argument(), to.to_argument()])
    }

    /// Give the key another name unless something has that. Whether it was done.
    #[doc(alias = "RENAMENX")]
    #[track_caller]
    pub fn rename_nx(
        &self,
        key: impl ToArgument,
        to: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&["RENAMENX".into(), key.to_argument(), to.to_argument()])
    }

    /// Copy a key. Whether it was done.
    #[doc(alias = "COPY")]
    #[track_caller]
    pub fn copy(&self, key: impl ToArgument, to: impl ToArgument) -> Deferred<bool, RedisError> {
        self.send(&["COPY".into(), key.to_argument(), to.to_argument()])
    }

    /// Of which type the value is: `string`, `list`, `set`, `zset`, `hash`, `stream`, or `none`.
    #[doc(alias = "TYPE")]
    #[track_caller]
    pub fn type_of(&self, key: impl ToArgument) -> Deferred<String, RedisError> {
        self.send(&["TYPE".into(), key.to_argument()])
    }

    /// All keys that match a pattern. It holds the server up for as long as it takes:
    /// [`scan`](Self::scan) does not.
    #[doc(alias = "KEYS")]
    #[track_caller]
    pub fn keys(&self, pattern: impl ToArgument) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&["KEYS".into(), pattern.to_argument()])
    }

    /// Some key.
    #[doc(alias = "RANDOMKEY")]
    #[track_caller]
    pub fn random_key(&self) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["RANDOMKEY".into()])
    }

    /// Some of the keys that match a pattern: begin with cursor 0, go on with [`Scanned::cursor`]
    /// until that is 0. Each batch has about `count`.
    #[doc(alias = "SCAN")]
    #[track_caller]
    pub fn scan(
        &self,
        cursor: u64,
        pattern: impl ToArgument,
        count: u64,
    ) -> Deferred<Scanned<Bytes>, RedisError> {
        self.send(&[
            "SCAN".into(),
            cursor.to_argument(),
            "MATCH".into(),
            pattern.to_argument(),
            "COUNT".into(),
            count.to_argument(),
        ])
    }
}

/// How long a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// There is no such key.
    Missing,
    /// For ever.
    Forever,
    /// So long.
    In(Duration),
}

impl FromValue for Ttl {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(match i64::from_value(value)? {
            -2 => Self::Missing,
            left => u64::try_from(left)
                .map_or(Self::Forever, |left| Self::In(Duration::from_millis(left))),
        })
    }
}

/// A part of something large, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Scanned<T> {
    /// What to go on with. 0 when all were seen.
    pub cursor: u64,
    /// What was seen in this part: any number, also none, and some perhaps twice.
    pub items: Vec<T>,
}

impl<T: FromValue> FromValue for Scanned<T> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        let (cursor, items) = <(u64, Vec<T>)>::from_value(value)?;
        Ok(Self { cursor, items })
    }
}

/// One more part of what `name` scans.
pub(super) fn scan(
    name: &str,
    key: impl ToArgument,
    cursor: u64,
    pattern: impl ToArgument,
    count: u64,
) -> Command {
    let command = Command::new(name).arg(key).arg(cursor);
    command.arg("MATCH").arg(pattern).arg("COUNT").arg(count)
}
