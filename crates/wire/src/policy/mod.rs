//! What a connection is allowed: how long, how many, how fast. And producers, for ports.

mod bucket;
mod consumer;
mod consuming;
mod count;
mod file_sender;
mod idle_timer;
mod limit_connections;
mod producer;
mod silence;
mod throttle;
mod timeouts;

pub use self::bucket::Bucket;
pub use self::consumer::{AlreadyRegistered, Consumer};
pub use self::consuming::Consuming;
pub use self::count::{ByteCounts, Count};
pub use self::file_sender::{FileSender, TransferError, Transferred};
pub use self::idle_timer::IdleTimer;
pub use self::limit_connections::{ConnectionCounts, LimitConnections, Limited};
pub use self::producer::{PullProducer, PushProducer};
pub use self::throttle::Throttle;
pub use self::timeouts::Timeouts;
