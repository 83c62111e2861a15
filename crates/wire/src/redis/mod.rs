//! Redis.
mod argument;
mod client;
mod command;
mod commands;
mod encode;
mod error;
mod from_value;
mod handle;
mod inbox;
mod keeper;
mod limits;
mod login;
mod message;
mod protocol;
mod reader;
mod replies;
mod server_error;
mod settings;
mod slot;
mod subscribing;
mod subscription;
mod transaction;
mod value;

use torsade_core::Connection;

pub use self::argument::{Argument, ToArgument};
pub use self::command::Command;
pub use self::commands::{Commands, Entry, Scanned, SetOptions, StreamEntries, Ttl};
pub use self::error::RedisError;
pub use self::from_value::FromValue;
pub use self::handle::Redis;
pub use self::keeper::Retry;
pub use self::limits::RedisLimits;
pub use self::message::{Invalidated, Message, Push};
pub use self::protocol::RedisProtocol;
pub use self::reader::Reader;
pub use self::server_error::{ErrorCode, Redirection, ServerError};
pub use self::settings::RedisSettings;
pub use self::subscription::Subscription;
pub use self::transaction::Transaction;
pub use self::value::{Resp, Value};

/// So many bytes may be left unread: the beginning of a line. All else is taken as it comes.
fn make_room(connection: &Connection, limits: &RedisLimits) {
    crate::framed::make_room(connection, limits.line.saturating_add(3));
}
