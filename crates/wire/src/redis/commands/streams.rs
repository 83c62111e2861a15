use bytes::Bytes;
use torsade_deferred::Deferred;

use super::strings::pairs_of;
use super::{Commands, listed};
use crate::redis::{Command, FromValue, RedisError, ToArgument, Value};

/// Streams.
impl Commands {
    /// Append an entry with these fields, and let the server number it. Its number.
    #[doc(alias = "XADD")]
    #[track_caller]
    pub fn xadd(
        &self,
        key: impl ToArgument,
        fields: &[(impl ToArgument, impl ToArgument)],
    ) -> Deferred<String, RedisError> {
        self.send(&pairs_of(Command::new("XADD").arg(key).arg("*"), fields))
    }

    /// How many entries there are.
    #[doc(alias = "XLEN")]
    #[track_caller]
    pub fn xlen(&self, key: impl ToArgument) -> Deferred<u64, RedisError> {
        self.send(&["XLEN".into(), key.to_argument()])
    }

    /// The entries from `start` to `end`, both included; `-` is the first and `+` the last.
    #[doc(alias = "XRANGE")]
    #[track_caller]
    pub fn xrange(
        &self,
        key: impl ToArgument,
        start: impl ToArgument,
        end: impl ToArgument,
    ) -> Deferred<Vec<Entry>, RedisError> {
        self.send(&[
            "XRANGE".into(),
            key.to_argument(),
            start.to_argument(),
            end.to_argument(),
        ])
    }

    /// Delete entries. How many there were.
    #[doc(alias = "XDEL")]
    #[track_caller]
    pub fn xdel(
        &self,
        key: impl ToArgument,
        numbers: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("XDEL", key, numbers))
    }

    /// Keep the newest so many. How many were deleted.
    #[doc(alias = "XTRIM")]
    #[track_caller]
    pub fn xtrim(&self, key: impl ToArgument, longest: u64) -> Deferred<u64, RedisError> {
        self.send(&[
            "XTRIM".into(),
            key.to_argument(),
            "MAXLEN".into(),
            longest.to_argument(),
        ])
    }

    /// The entries behind the given ones, `count` of each stream at most, without waiting.
    #[doc(alias = "XREAD")]
    #[track_caller]
    pub fn xread(
        &self,
        count: u64,
        streams: &[(impl ToArgument, impl ToArgument)],
    ) -> Deferred<StreamEntries, RedisError> {
        self.send(&read_of(Command::new("XREAD"), count, streams))
    }

    /// Make a group of consumers that begins behind the entry `after` (`$` is the last). The
    /// stream is made, too.
    #[doc(alias = "XGROUP")]
    #[track_caller]
    pub fn xgroup_create(
        &self,
        key: impl ToArgument,
        group: impl ToArgument,
        after: impl ToArgument,
    ) -> Deferred<(), RedisError> {
        self.send(&[
            "XGROUP".into(),
            "CREATE".into(),
            key.to_argument(),
            group.to_argument(),
            after.to_argument(),
            "MKSTREAM".into(),
        ])
    }

    /// New entries (`>`), or those not acknowledged yet (behind a number), for a consumer of a
    /// group.
    #[doc(alias = "XREADGROUP")]
    #[track_caller]
    pub fn xreadgroup(
        &self,
        group: impl ToArgument,
        consumer: impl ToArgument,
        count: u64,
        streams: &[(impl ToArgument, impl ToArgument)],
    ) -> Deferred<StreamEntries, RedisError> {
        self.send(&read_of(
            Command::new("XREADGROUP")
                .arg("GROUP")
                .arg(group)
                .arg(consumer),
            count,
            streams,
        ))
    }

    /// Acknowledge entries. How many waited for it.
    #[doc(alias = "XACK")]
    #[track_caller]
    pub fn xack(
        &self,
        key: impl ToArgument,
        group: impl ToArgument,
        numbers: &[impl ToArgument],
    ) -> Deferred<u64, RedisError> {
        self.send(&listed("XACK", key, &[] as &[&str]).arg(group).args(numbers))
    }
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: milliseconds, `-`, and a count.
    pub id: String,
    /// Its fields, in their order. Empty for one that was deleted meanwhile.
    pub fields: Vec<(Bytes, Bytes)>,
}

impl FromValue for Entry {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        let (id, fields) = <(String, Option<Vec<(Bytes, Bytes)>>)>::from_value(value)?;
        Ok(Self {
            id,
            fields: fields.unwrap_or_default(),
        })
    }
}

/// Entries of several streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEntries(
    /// Each stream that has any, and its entries.
    pub Vec<(Bytes, Vec<Entry>)>,
);

impl FromValue for StreamEntries {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(Self(
            Option::<Vec<(Bytes, Vec<Entry>)>>::from_value(value)?.unwrap_or_default(),
        ))
    }
}

fn read_of(
    command: Command,
    count: u64,
    streams: &[(impl ToArgument, impl ToArgument)],
) -> Command {
    command
        .arg("COUNT")
        .arg(count)
        .arg("STREAMS")
        .args(streams.iter().map(|(key, _)| key.to_argument()))
        .args(streams.iter().map(|(_, after)| after.to_argument()))
}
