use bytes::Bytes;
use torsade_deferred::Deferred;

use super::keys::scan;
use super::strings::pairs_of;
use super::{Commands, listed};
use crate::redis::{Command, RedisError, Scanned, ToArgument};

/// Hashes.
impl Commands {
    /// Set a field. How many are new: 1 or 0.
    #[doc(alias = "HSET")]
    #[track_caller]
    pub fn hset(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
        value: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "HSET".into(),
            key.to_argument(),
            field.to_argument(),
            value.to_argument(),
        ])
    }

    /// Set several fields. How many are new.
    #[doc(alias = "HMSET")]
    #[track_caller]
    pub fn hset_all(
        &self,
        key: impl ToArgument,
        pairs: &[(impl ToArgument, impl ToArgument)],
    ) -> Deferred<u64, RedisError> {
        self.send(&pairs_of(Command::new("HSET").arg(key), pairs))
    }

    /// Set a field unless it exists. Whether it was set.
    #[doc(alias = "HSETNX")]
    #[track_caller]
    pub fn hset_nx(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
        value: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&[
            "HSETNX".into(),
            key.to_argument(),
            field.to_argument(),
            value.to_argument(),
        ])
    }

    /// The value of a field.
    #[doc(alias = "HGET")]
    #[track_caller]
    pub fn hget(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
    ) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["HGET".into(), key.to_argument(), field.to_argument()])
    }

    /// The values of several fields, in their order.
    #[doc(alias = "HMGET")]
    #[track_caller]
    pub fn hmget(
        &self,
        key: impl ToArgument,
        fields: &[impl ToArgument],
    ) -> Deferred<Vec<Option<Bytes>>, RedisError> {
        self.send(&listed("HMGET", key, fields))
    }

    /// All fields and their values, in the server's order.
    #[doc(alias = "HGETALL")]
    #[track_caller]
    pub fn hgetall(&self, key: impl ToArgument) -> Deferred<Vec<(Bytes, Bytes)>, RedisError> {
        self.send(&["HGETALL".into(), key.to_argument()])
    }

    /// All fields.
    #[doc(alias = "HKEYS")]
    #[track_caller]
    pub fn hkeys(&self, key: impl ToArgument) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&["HKEYS".into(), key.to_argument()])
    }

    /// All values.
    #[doc(alias = "HVALS")]
    #[track_caller]
    pub fn hvals(&self, key: impl ToArgument) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&["HVALS".into(), key.to_argument()])
    }

    /// Delete fields. How many there were.
    #[doc(alias = "HDEL")]
    #[track_caller]
    pub fn hdel(
        &self,
        key: impl ToArgument,
        fields: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("HDEL", key, fields))
    }

    /// How many fields there are.
    #[doc(alias = "HLEN")]
    #[track_caller]
    pub fn hlen(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["HLEN".into(), key.to_argument()])
    }

    /// Whether there is such a field.
    #[doc(alias = "HEXISTS")]
    #[track_caller]
    pub fn hexists(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&["HEXISTS".into(), key.to_argument(), field.to_argument()])
    }

    /// Add to a field. What it is then.
    #[doc(alias = "HINCRBY")]
    #[track_caller]
    pub fn hincr_by(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
        by: i64,
    ) -> Deferred<i64, RedisError> {
        self.send(&[
            "HINCRBY".into(),
            key.to_argument(),
            field.to_argument(),
            by.to_argument(),
        ])
    }

    /// Add a number with a fraction to a field. What it is then.
    #[doc(alias = "HINCRBYFLOAT")]
    #[track_caller]
    pub fn hincr_by_float(
        &self,
        key: impl ToArgument,
        field: impl ToArgument,
        by: f64,
    ) -> Deferred<f64, RedisError> {
        self.send(&[
            "HINCRBYFLOAT".into(),
            key.to_argument(),
            field.to_argument(),
            by.to_argument(),
        ])
    }

    /// Some of the fields that match a pattern, with their values. See [`scan`](Self::scan).
    #[doc(alias = "HSCAN")]
    #[track_caller]
    pub fn hscan(
        &self,
        key: impl ToArgument,
        cursor: u64,
        pattern: impl ToArgument,
        count: u64,
    ) -> Deferred<Scanned<(Bytes, Bytes)>, RedisError> {
        self.send(&scan("HSCAN", key, cursor, pattern, count))
    }
}
