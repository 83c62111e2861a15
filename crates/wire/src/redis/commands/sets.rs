use bytes::Bytes;
use torsade_deferred::Deferred;

use super::keys::scan;
use super::{Commands, listed, of_keys};
use crate::redis::{RedisError, Scanned, ToArgument};

/// Sets.
impl Commands {
    /// Add members. How many are new.
    #[doc(alias = "SADD")]
    #[track_caller]
    pub fn sadd(
        &self,
        key: impl ToArgument,
        members: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("SADD", key, members))
    }

    /// Remove members. How many there were.
    #[doc(alias = "SREM")]
    #[track_caller]
    pub fn srem(
        &self,
        key: impl ToArgument,
        members: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("SREM", key, members))
    }

    /// All members.
    #[doc(alias = "SMEMBERS")]
    #[track_caller]
    pub fn smembers(&self, key: impl ToArgument) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&["SMEMBERS".into(), key.to_argument()])
    }

    /// Whether this is a member.
    #[doc(alias = "SISMEMBER")]
    #[track_caller]
    pub fn sismember(
        &self,
        key: impl ToArgument,
        member: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&["SISMEMBER".into(), key.to_argument(), member.to_argument()])
    }

    /// How many members there are.
    #[doc(alias = "SCARD")]
    #[track_caller]
    pub fn scard(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["SCARD".into(), key.to_argument()])
    }

    /// Take some member.
    #[doc(alias = "SPOP")]
    #[track_caller]
    pub fn spop(&self, key: impl ToArgument) -> Deferred<Option<Bytes>, RedisError> {
        self.send(&["SPOP".into(), key.to_argument()])
    }

    /// Move a member to another set. Whether it was there.
    #[doc(alias = "SMOVE")]
    #[track_caller]
    pub fn smove(
        &self,
        key: impl ToArgument,
        to: impl ToArgument,
        member: impl ToArgument,
    ) -> Deferred<bool, RedisError> {
        self.send(&[
            "SMOVE".into(),
            key.to_argument(),
            to.to_argument(),
            member.to_argument(),
        ])
    }

    /// What all of these sets have.
    #[doc(alias = "SINTER")]
    #[track_caller]
    pub fn sinter(&self, keys: &[impl ToArgument]) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&of_keys("SINTER", keys))
    }

    /// What any of these sets has.
    #[doc(alias = "SUNION")]
    #[track_caller]
    pub fn sunion(&self, keys: &[impl ToArgument]) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&of_keys("SUNION", keys))
    }

    /// What the first set has and none of the others.
    #[doc(alias = "SDIFF")]
    #[track_caller]
    pub fn sdiff(&self, keys: &[impl ToArgument]) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&of_keys("SDIFF", keys))
    }

    /// Some of the members that match a pattern. See [`scan`](Self::scan).
    #[doc(alias = "SSCAN")]
    #[track_caller]
    pub fn sscan(
        &self,
        key: impl ToArgument,
        cursor: u64,
        pattern: impl ToArgument,
        count: u64,
    ) -> Deferred<Scanned<Bytes>, RedisError> {
        self.send(&scan("SSCAN", key, cursor, pattern, count))
    }
}
