use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::{Commands, of_keys};
use crate::redis::{Command, RedisError, ToArgument};

/// Strings.
impl Commands {
    /// The value of a key; nothing if there is none.
    #[doc(alias = "GET")]
    #[track_caller]
    pub fn get(&self, key: impl ToArgument) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["GET".into(), key.to_argument()])
    }

    /// Set a key.
    #[doc(alias = "SET")]
    #[track_caller]
    pub fn set(&self, key: impl ToArgument, value: impl ToArgument) -> Deferred<(), RedisError> {
        self.send(&["SET".into(), key.to_argument(), value.to_argument()])
    }

    /// Set a key under conditions, or for a time. Whether it was set.
    /// [`set_and_get`](Self::set_and_get) resolves with the value before.
    #[doc(alias = "SET")]
    #[track_caller]
    pub fn set_with(
        &self,
        key: impl ToArgument,
        value: impl ToArgument,
        options: &SetOptions,
    ) -> Deferred<bool, RedisError> {
        self.send(&options.command(key, value))
    }

    /// Set a key as [`set_with`](Self::set_with) does, and resolve with the value it had before.
    #[doc(alias = "GETSET")]
    #[track_caller]
    pub fn set_and_get(
        &self,
        key: impl ToArgument,
        value: impl ToArgument,
        options: &SetOptions,
    ) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&options.command(key, value).arg("GET"))
    }

    /// Set a key unless it exists. Whether it was set.
    #[doc(alias = "SETNX")]
    #[track_caller]
    pub fn set_nx(
        &self,
        key: impl ToArgument,
        value: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&["SETNX".into(), key.to_argument(), value.to_argument()])
    }

    /// Set a key for this long. Less than a millisecond is taken as one.
    #[doc(alias = "SETEX")]
    #[track_caller]
    pub fn set_ex(
        &self,
        key: impl ToArgument,
        value: impl ToArgument,
        ttl: Duration,
    ) -> Deferred<(), RedisError> {
        self.send(&[
            "SET".into(),
            key.to_argument(),
            value.to_argument(),
            "PX".into(),
            millis(ttl).to_argument(),
        ])
    }

    /// The value of a key, which is deleted.
    #[doc(alias = "GETDEL")]
    #[track_caller]
    pub fn get_del(&self, key: impl ToArgument) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["GETDEL".into(), key.to_argument()])
    }

    /// Append to the value. How many bytes it has then.
    #[doc(alias = "APPEND")]
    #[track_caller]
    pub fn append(
        &self,
        key: impl ToArgument,
        value: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&["APPEND".into(), key.to_argument(), value.to_argument()])
    }

    /// How many bytes the value has.
    #[doc(alias = "STRLEN")]
    #[track_caller]
    pub fn strlen(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["STRLEN".into(), key.to_argument()])
    }

    /// The bytes from `start` to `end`, both included; negative ones count from the end.
    #[doc(alias = "GETRANGE")]
    #[track_caller]
    pub fn get_range(
        &self,
        key: impl ToArgument,
        start: i64,
        end: i64,
    ) -> Deferred<Bytes, RedisError> {
        self.send(&[
            "GETRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            end.to_argument(),
        ])
    }

    /// Write over the bytes from `offset` on. How many bytes it has then.
    #[doc(alias = "SETRANGE")]
    #[track_caller]
    pub fn set_range(
        &self,
        key: impl ToArgument,
        offset: u64,
        value: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "SETRANGE".into(),
            key.to_argument(),
            offset.to_argument(),
            value.to_argument(),
        ])
    }

    /// Add one. What it is then.
    #[doc(alias = "INCR")]
    #[track_caller]
    pub fn incr(&self, key: impl ToArgument) -> Deferred<i64, RedisError> {
        self.send(&["INCR".into(), key.to_argument()])
    }

    /// Add a number. What it is then.
    #[doc(alias = "INCRBY")]
    #[track_caller]
    pub fn incr_by(&self, key: impl ToArgument, by: i64) -> Deferred<i64, RedisError> {
        self.send(&["INCRBY".into(), key.to_argument(), by.to_argument()])
    }

    /// Add a number with a fraction. What it is then.
    #[doc(alias = "INCRBYFLOAT")]
    #[track_caller]
    pub fn incr_by_float(&self, key: impl ToArgument, by: f64) -> Deferred<f64, RedisError> {
        self.send(&["INCRBYFLOAT".into(), key.to_argument(), by.to_argument()])
    }

    /// Take one away. What it is then.
    #[doc(alias = "DECR")]
    #[track_caller]
    pub fn decr(&self, key: impl ToArgument) -> Deferred<i64, RedisError> {
        self.send(&["DECR".into(), key.to_argument()])
    }

    /// Take a number away. What it is then.
    #[doc(alias = "DECRBY")]
    #[track_caller]
    pub fn decr_by(&self, key: impl ToArgument, by: i64) -> Deferred<i64, RedisError> {
        self.send(&["DECRBY".into(), key.to_argument(), by.to_argument()])
    }

    /// The values of several keys, in their order.
    #[doc(alias = "MGET")]
    #[track_caller]
    pub fn mget(&self, keys: &[impl ToArgument]) -> Deferred<Vec<Option<Bytes>>, RedisError> {
        self.send(&of_keys("MGET", keys))
    }

    /// Set several keys.
    #[doc(alias = "MSET")]
    #[track_caller]
    pub fn mset(&self, pairs: &[(impl ToArgument, impl ToArgument)]) -> Deferred<(), RedisError> {
        self.send(&pairs_of(Command::new("MSET"), pairs))
    }
}

pub(super) fn pairs_of(command: Command, pairs: &[(impl ToArgument, impl ToArgument)]) -> Command {
    let words = pairs
        .iter()
        .flat_map(|(key, value)| [key.to_argument(), value.to_argument()]);
    command.args(words)
}

/// Milliseconds for a command that takes no fewer than one.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// Conditions and times of a `SET`.
///
/// ```
/// use std::time::Duration;
/// use torsade_wire::redis::SetOptions;
///
/// let lock = SetOptions::new().only_if_new().expires_in(Duration::from_secs(30));
/// # let _ = lock;
/// ```
#[derive(Clone, Debug, Default)]
pub struct SetOptions {
    condition: Option<&'static str>,
    expiry: Option<Expiry>,
}

#[derive(Clone, Debug)]
enum Expiry {
    In(Duration),
    Keep,
}

impl SetOptions {
    /// No condition, for ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if there is no such key (`NX`).
    #[must_use]
    #[doc(alias = "NX")]
    pub fn only_if_new(mut self) -> Self {
        self.condition = Some("NX");
        self
    }

    /// Only if there is such a key (`XX`).
    #[must_use]
    #[doc(alias = "XX")]
    pub fn only_if_there(mut self) -> Self {
        self.condition = Some("XX");
        self
    }

    /// For this long (`PX`).
    #[must_use]
    #[doc(alias = "EX")]
    #[doc(alias = "PX")]
    pub fn expires_in(mut self, ttl: Duration) -> Self {
        self.expiry = Some(Expiry::In(ttl));
        self
    }

    /// For as long as the value before (`KEEPTTL`).
    #[must_use]
    #[doc(alias = "KEEPTTL")]
    pub fn keeps_ttl(mut self) -> Self {
        self.expiry = Some(Expiry::Keep);
        self
    }

    fn command(&self, key: impl ToArgument, value: impl ToArgument) -> Command {
        let command = Command::new("SET").arg(key).arg(value).args(self.condition);
        match self.expiry {
            Some(Expiry::In(ttl)) => command.arg("PX").arg(millis(ttl)),
            Some(Expiry::Keep) => command.arg("KEEPTTL"),
            None => command,
        }
    }
}
