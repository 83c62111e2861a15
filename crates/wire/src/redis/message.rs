use bytes::Bytes;

use super::Value;

/// What somebody published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel it was published to.
    pub channel: Bytes,
    /// The pattern that matched, for a subscription to patterns.
    pub pattern: Option<Bytes>,
    /// What was published.
    #[doc(alias = "data")]
    pub payload: Bytes,
}

/// What the server said unasked and is not a [`Message`]; see
/// [`Redis::on_push`](super::Redis::on_push).
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// What it is about: `invalidate` for instance.
    pub kind: Bytes,
    /// What comes behind that word.
    pub values: Vec<Value>,
}

/// Which keys a server says have changed, to a client that asked with `CLIENT TRACKING`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalidated {
    /// All of them: the database was emptied.
    All,
    /// These.
    Keys(Vec<Bytes>),
}

impl Push {
    /// The keys that are not to be trusted any more, if that is what was said.
    pub fn invalidated(&self) -> Option<Invalidated> {
        if &self.kind[..] != b"invalidate" {
            return None;
        }
        match self.values.first()? {
            Value::Nil => Some(Invalidated::All),
            Value::Array(keys) => {
                let keys = keys.iter().filter_map(Value::as_bytes);
                Some(Invalidated::Keys(keys.cloned().collect()))
            }
            _ => None,
        }
    }
}

/// What a name that is subscribed to means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Channel,
    Pattern,
    Shard,
}

/// The first word of a reply or push that is about subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Message(Kind),
    Subscribed(Kind),
    Unsubscribed(Kind),
}

impl Kind {
    pub(super) fn subscribe(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::Shard => "SSUBSCRIBE",
        }
    }

    pub(super) fn unsubscribe(self) -> &'static str {
        match self {
            Self::Channel => "UNSUBSCRIBE",
            Self::Pattern => "PUNSUBSCRIBE",
            Self::Shard => "SUNSUBSCRIBE",
        }
    }
}

impl Word {
    pub(super) fn of(items: &[Value]) -> Option<Self> {
        match &items.first()?.as_bytes()?[..] {
            b"message" => Some(Self::Message(Kind::Channel)),
            b"pmessage" => Some(Self::Message(Kind::Pattern)),
            b"smessage" => Some(Self::Message(Kind::Shard)),
            b"subscribe" => Some(Self::Subscribed(Kind::Channel)),
            b"psubscribe" => Some(Self::Subscribed(Kind::Pattern)),
            b"ssubscribe" => Some(Self::Subscribed(Kind::Shard)),
            b"unsubscribe" => Some(Self::Unsubscribed(Kind::Channel)),
            b"punsubscribe" => Some(Self::Unsubscribed(Kind::Pattern)),
            b"sunsubscribe" => Some(Self::Unsubscribed(Kind::Shard)),
            _ => None,
        }
    }
}
