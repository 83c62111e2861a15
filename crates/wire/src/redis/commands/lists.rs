use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::{Commands, listed, of_keys};
use crate::redis::{RedisError, ToArgument};

/// Lists.
impl Commands {
    /// Put values in front, one after the other. How long it is then.
    #[doc(alias = "LPUSH")]
    #[track_caller]
    pub fn lpush(
        &self,
        key: impl ToArgument,
        values: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("LPUSH", key, values))
    }

    /// Put values at the end. How long it is then.
    #[doc(alias = "RPUSH")]
    #[track_caller]
    pub fn rpush(
        &self,
        key: impl ToArgument,
        values: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("RPUSH", key, values))
    }

    /// Take the first.
    #[doc(alias = "LPOP")]
    #[track_caller]
    pub fn lpop(&self, key: impl ToArgument) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["LPOP".into(), key.to_argument()])
    }

    /// Take the last.
    #[doc(alias = "RPOP")]
    #[track_caller]
    pub fn rpop(&self, key: impl ToArgument) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["RPOP".into(), key.to_argument()])
    }

    /// How long it is.
    #[doc(alias = "LLEN")]
    #[track_caller]
    pub fn llen(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["LLEN".into(), key.to_argument()])
    }

    /// Those from `start` to `stop`, both included; negative ones count from the end.
    #[doc(alias = "LRANGE")]
    #[track_caller]
    pub fn lrange(
        &self,
        key: impl ToArgument,
        start: i64,
        stop: i64,
    ) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&[
            "LRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            stop.to_argument(),
        ])
    }

    /// The one at this place.
    #[doc(alias = "LINDEX")]
    #[track_caller]
    pub fn lindex(&self, key: impl ToArgument, index: i64) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["LINDEX".into(), key.to_argument(), index.to_argument()])
    }

    /// Replace the one at this place.
    #[doc(alias = "LSET")]
    #[track_caller]
    pub fn lset(
        &self,
        key: impl ToArgument,
        index: i64,
        value: impl ToArgument,
    ) -> Deferred<(), RedisError> {
        self.send(&[
            "LSET".into(),
            key.to_argument(),
            index.to_argument(),
            value.to_argument(),
        ])
    }

    /// Remove `count` of those equal to `value`, from the end if it is negative, all if it is 0.
    /// How many were.
    #[doc(alias = "LREM")]
    #[track_caller]
    pub fn lrem(
        &self,
        key: impl ToArgument,
        count: i64,
        value: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "LREM".into(),
            key.to_argument(),
            count.to_argument(),
            value.to_argument(),
        ])
    }

    /// Keep those from `start` to `stop`, both included.
    #[doc(alias = "LTRIM")]
    #[track_caller]
    pub fn ltrim(&self, key: impl ToArgument, start: i64, stop: i64) -> Deferred<(), RedisError> {
        self.send(&[
            "LTRIM".into(),
            key.to_argument(),
            start.to_argument(),
            stop.to_argument(),
        ])
    }

    /// Take the last, put it in front of another list, and resolve with it.
    #[doc(alias = "RPOPLPUSH")]
    #[track_caller]
    pub fn rpop_lpush(
        &self,
        key: impl ToArgument,
        to: impl ToArgument,
    ) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&[
            "LMOVE".into(),
            key.to_argument(),
            to.to_argument(),
            "RIGHT".into(),
            "LEFT".into(),
        ])
    }

    /// Take the first of the first list that has one, and wait for it at most this long. All calls
    /// of this connection wait behind it: use a client of its own.
    #[doc(alias = "BLPOP")]
    #[track_caller]
    pub fn blpop(
        &self,
        keys: &[impl ToArgument],
        longest: Duration,
    ) -> Deferred<Option<(Bytes, Bytes)>, RedisError> {
        self.send(&of_keys("BLPOP", keys).arg(longest.as_secs_f64()))
    }
}
