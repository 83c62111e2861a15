use bytes::Bytes;
use torsade_deferred::Deferred;

use super::keys::scan;
use super::{Commands, listed};
use crate::redis::{Command, RedisError, Scanned, ToArgument};

/// Sorted sets.
impl Commands {
    /// Add a member, or change its score. How many are new: 1 or 0.
    #[doc(alias = "ZADD")]
    #[track_caller]
    pub fn zadd(
        &self,
        key: impl ToArgument,
        score: f64,
        member: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "ZADD".into(),
            key.to_argument(),
            score.to_argument(),
            member.to_argument(),
        ])
    }

    /// Add members, or change their scores. How many are new.
    #[doc(alias = "ZADD")]
    #[track_caller]
    pub fn zadd_all(
        &self,
        key: impl ToArgument,
        scored: &[(f64, impl ToArgument)],
    ) -> Deferred<u64, RedisError> {
        self.send(&scores_of(Command::new("ZADD").arg(key), scored))
    }

    /// Remove members. How many there were.
    #[doc(alias = "ZREM")]
    #[track_caller]
    pub fn zrem(
        &self,
        key: impl ToArgument,
        members: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("ZREM", key, members))
    }

    /// The score of a member.
    #[doc(alias = "ZSCORE")]
    #[track_caller]
    pub fn zscore(
        &self,
        key: impl ToArgument,
        member: impl ToArgument,
    ) -> Deferred<Option<f64>, RedisError> {
        self.send(&["ZSCORE".into(), key.to_argument(), member.to_argument()])
    }

    /// Add to a score. What it is then.
    #[doc(alias = "ZINCRBY")]
    #[track_caller]
    pub fn zincr_by(
        &self,
        key: impl ToArgument,
        by: f64,
        member: impl ToArgument,
    ) -> Deferred<f64, RedisError> {
        self.send(&[
            "ZINCRBY".into(),
            key.to_argument(),
            by.to_argument(),
            member.to_argument(),
        ])
    }

    /// How many members there are.
    #[doc(alias = "ZCARD")]
    #[track_caller]
    pub fn zcard(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["ZCARD".into(), key.to_argument()])
    }

    /// How many have a score from `min` to `max`: numbers, `-inf`, `+inf`, or `(` before a number
    /// that is not included.
    #[doc(alias = "ZCOUNT")]
    #[track_caller]
    pub fn zcount(
        &self,
        key: impl ToArgument,
        min: impl ToArgument,
        max: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "ZCOUNT".into(),
            key.to_argument(),
            min.to_argument(),
            max.to_argument(),
        ])
    }

    /// The place of a member, by ascending score, from 0.
    #[doc(alias = "ZRANK")]
    #[track_caller]
    pub fn zrank(
        &self,
        key: impl ToArgument,
        member: impl ToArgument,
    ) -> Deferred<Option<u64>, RedisError> {
        self.send(&["ZRANK".into(), key.to_argument(), member.to_argument()])
    }

    /// The place of a member, by descending score, from 0.
    #[doc(alias = "ZREVRANK")]
    #[track_caller]
    pub fn zrevrank(
        &self,
        key: impl ToArgument,
        member: impl ToArgument,
    ) -> Deferred<Option<u64>, RedisError> {
        self.send(&["ZREVRANK".into(), key.to_argument(), member.to_argument()])
    }

    /// The members from `start` to `stop`, by ascending score, both included; negative ones count
    /// from the end.
    #[doc(alias = "ZRANGE")]
    #[track_caller]
    pub fn zrange(
        &self,
        key: impl ToArgument,
        start: i64,
        stop: i64,
    ) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&[
            "ZRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            stop.to_argument(),
        ])
    }

    /// The same with their scores.
    #[doc(alias = "ZRANGE")]
    #[track_caller]
    pub fn zrange_with_scores(
        &self,
        key: impl ToArgument,
        start: i64,
        stop: i64,
    ) -> Deferred<Vec<(Bytes, f64)>, RedisError> {
        self.send(&[
            "ZRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            stop.to_argument(),
            "WITHSCORES".into(),
        ])
    }

    /// The members from `start` to `stop`, by descending score.
    #[doc(alias = "ZREVRANGE")]
    #[track_caller]
    pub fn zrevrange(
        &self,
        key: impl ToArgument,
        start: i64,
        stop: i64,
    ) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&[
            "ZREVRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            stop.to_argument(),
        ])
    }

    /// The members whose score is from `min` to `max`, as [`zcount`](Self::zcount) takes them.
    #[doc(alias = "ZRANGEBYSCORE")]
    #[track_caller]
    pub fn zrange_by_score(
        &self,
        key: impl ToArgument,
        min: impl ToArgument,
        max: impl ToArgument,
    ) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&[
            "ZRANGEBYSCORE".into(),
            key.to_argument(),
            min.to_argument(),
            max.to_argument(),
        ])
    }

    /// Remove the members whose score is from `min` to `max`. How many there were.
    #[doc(alias = "ZREMRANGEBYSCORE")]
    #[track_caller]
    pub fn zrem_range_by_score(
        &self,
        key: impl ToArgument,
        min: impl ToArgument,
        max: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "ZREMRANGEBYSCORE".into(),
            key.to_argument(),
            min.to_argument(),
            max.to_argument(),
        ])
    }

    /// Take the member of the lowest score.
    #[doc(alias = "ZPOPMIN")]
    #[track_caller]
    pub fn zpop_min(&self, key: impl ToArgument) -> Deferred<Vec<(Bytes, f64)>, RedisError> {
        self.send(&["ZPOPMIN".into(), key.to_argument()])
    }

    /// Take the member of the highest score.
    #[doc(alias = "ZPOPMAX")]
    #[track_caller]
    pub fn zpop_max(&self, key: impl ToArgument) -> Deferred<Vec<(Bytes, f64)>, RedisError> {
        self.send(&["ZPOPMAX".into(), key.to_argument()])
    }

    /// Some of the members that match a pattern, with their scores. See [`scan`](Self::scan).
    #[doc(alias = "ZSCAN")]
    #[track_caller]
    pub fn zscan(
        &self,
        key: impl ToArgument,
        cursor: u64,
        pattern: impl ToArgument,
        count: u64,
    ) -> Deferred<Scanned<(Bytes, f64)>, RedisError> {
        self.send(&scan("ZSCAN", key, cursor, pattern, count))
    }
}

fn scores_of(command: Command, scored: &[(f64, impl ToArgument)]) -> Command {
    scored.iter().fold(command, |command, (score, member)| {
        command.arg(*score).arg(member.to_argument())
    })
}
