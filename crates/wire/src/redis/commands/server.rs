use std::time::Duration;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::Commands;
use crate::redis::{RedisError, ToArgument};

/// The server, and publishing.
impl Commands {
    /// Tell everybody who is subscribed to a channel. How many were told by this server.
    #[doc(alias = "PUBLISH")]
    #[track_caller]
    pub fn publish(
        &self,
        channel: impl ToArgument,
        message: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "PUBLISH".into(),
            channel.to_argument(),
            message.to_argument(),
        ])
    }

    /// The same for a sharded channel, since Redis 7.
    #[doc(alias = "SPUBLISH")]
    #[track_caller]
    pub fn spublish(
        &self,
        channel: impl ToArgument,
        message: impl ToArgument,
    ) -> Deferred<u64, RedisError> {
        self.send(&[
            "SPUBLISH".into(),
            channel.to_argument(),
            message.to_argument(),
        ])
    }

    /// The channels that match a pattern and have subscribers.
    #[doc(alias = "PUBSUB CHANNELS")]
    #[track_caller]
    pub fn pubsub_channels(&self, pattern: impl ToArgument) -> Deferred<Vec<Bytes>, RedisError> {
        self.send(&["PUBSUB".into(), "CHANNELS".into(), pattern.to_argument()])
    }

    /// Get back what was sent.
    #[doc(alias = "ECHO")]
    #[track_caller]
    pub fn echo(&self, message: impl ToArgument) -> Deferred<Bytes, RedisError> {
        self.send(&["ECHO".into(), message.to_argument()])
    }

    /// Log in as somebody else. [`RedisSettings::password`](crate::redis::RedisSettings::password)
    /// does it for every connection.
    #[doc(alias = "AUTH")]
    #[track_caller]
    pub fn auth(
        &self,
        user: impl ToArgument,
        password: impl ToArgument,
    ) -> Deferred<(), RedisError> {
        self.send(&["AUTH".into(), user.to_argument(), password.to_argument()])
    }

    /// Use another database, on this connection, from here on. It is forgotten with the
    /// connection; [`RedisSettings::database`](crate::redis::RedisSettings::database) is not.
    #[doc(alias = "SELECT")]
    #[track_caller]
    pub fn select(&self, database: u32) -> Deferred<(), RedisError> {
        self.send(&["SELECT".into(), database.to_argument()])
    }

    /// How many keys there are.
    #[doc(alias = "DBSIZE")]
    #[track_caller]
    pub fn dbsize(&self) -> Deferred<u64, RedisError> {
        self.send(&["DBSIZE".into()])
    }

    /// Delete all keys of this database.
    #[doc(alias = "FLUSHDB")]
    #[track_caller]
    pub fn flushdb(&self) -> Deferred<(), RedisError> {
        self.send(&["FLUSHDB".into()])
    }

    /// What the server says about itself, or about one section of that.
    #[doc(alias = "INFO")]
    #[track_caller]
    pub fn info(&self, section: impl ToArgument) -> Deferred<String, RedisError> {
        self.send(&["INFO".into(), section.to_argument()])
    }

    /// The server's clock, since 1970.
    #[doc(alias = "TIME")]
    #[track_caller]
    pub fn time(&self) -> Deferred<Duration, RedisError> {
        let time = self.send::<(u64, u32)>(&["TIME".into()]);
        time.map(|(seconds, micros)| {
            Duration::from_secs(seconds) + Duration::from_micros(micros.into())
        })
    }

    /// Settings whose names match a pattern.
    #[doc(alias = "CONFIG GET")]
    #[track_caller]
    pub fn config_get(
        &self,
        pattern: impl ToArgument,
    ) -> Deferred<Vec<(String, String)>, RedisError> {
        self.send(&["CONFIG".into(), "GET".into(), pattern.to_argument()])
    }

    /// Change a setting.
    #[doc(alias = "CONFIG SET")]
    #[track_caller]
    pub fn config_set(
        &self,
        name: impl ToArgument,
        value: impl ToArgument,
    ) -> Deferred<(), RedisError> {
        self.send(&[
            "CONFIG".into(),
            "SET".into(),
            name.to_argument(),
            value.to_argument(),
        ])
    }

    /// The server's number for this connection.
    #[doc(alias = "CLIENT ID")]
    #[track_caller]
    pub fn client_id(&self) -> Deferred<u64, RedisError> {
        self.send(&["CLIENT".into(), "ID".into()])
    }

    /// Whether somebody is there. Taken in RESP2 by a connection that is subscribed, too.
    #[doc(alias = "PING")]
    #[track_caller]
    pub fn ping(&self) -> Deferred<(), RedisError> {
        self.send_always(&["PING".into()])
    }
}
