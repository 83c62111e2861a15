use std::fmt;

use super::{RedisLimits, Resp};

/// How a client introduces itself, and what it allows.
///
/// ```
/// use torsade_wire::redis::RedisSettings;
///
/// let settings = RedisSettings::new().user("ann").password("secret").database(3).name("worker");
/// assert!(!format!("{settings:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct RedisSettings {
    pub(super) version: Resp,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
    pub(super) name: Option<String>,
    pub(super) resubscribe: bool,
    pub(super) limits: RedisLimits,
}

impl RedisSettings {
    /// RESP3 where the server has it and RESP2 where not, no password, database 0, no name.
    pub fn new() -> Self {
        Self {
            version: Resp::Three,
            user: None,
            password: None,
            database: 0,
            name: None,
            resubscribe: false,
            limits: RedisLimits::default(),
        }
    }

    /// The newest version to speak. With [`Resp::Three`], a server that does not know it is spoken
    /// to in RESP2.
    #[must_use]
    pub fn resp(mut self, version: Resp) -> Self {
        self.version = version;
        self
    }

    /// The name to log in with, beside a [`password`](Self::password). `default` unless it is set.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password to log in with (`AUTH`).
    #[must_use]
    #[doc(alias = "AUTH")]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The database to begin with (`SELECT`).
    #[must_use]
    #[doc(alias = "SELECT")]
    pub fn database(mut self, database: u32) -> Self {
        self.database = database;
        self
    }

    /// What the server shows this client as (`CLIENT SETNAME`). A server that refuses it is used
    /// all the same when it speaks RESP2.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether subscriptions outlive the connection, to be made again on the next one of the same
    /// client. No, unless it is set; [`Redis::keep_connected`](super::Redis::keep_connected) sets
    /// it.
    #[must_use]
    pub fn resubscribe(mut self, on: bool) -> Self {
        self.resubscribe = on;
        self
    }

    /// Other bounds than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: RedisLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("version", &self.version)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "..."))
            .field("database", &self.database)
            .field("name", &self.name)
            .field("resubscribe", &self.resubscribe)
            .field("limits", &self.limits)
            .finish()
    }
}
