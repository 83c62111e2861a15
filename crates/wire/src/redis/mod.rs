//! A client of Redis: RESP2 and RESP3, pipelined, with transactions and subscriptions.
//!
//! ```no_run
//! use torsade_core::Net;
//! use torsade_deferred::Deferred;
//! use torsade_wire::redis::{Redis, RedisError, RedisSettings};
//!
//! /// How often a page was asked for, this time included.
//! fn visit(redis: &Redis, page: &str) -> Deferred<i64, RedisError> {
//!     redis.hincr_by("visits", page, 1)
//! }
//!
//! fn start(net: &Net) {
//!     Redis::connect(net, "127.0.0.1:6379", RedisSettings::new())
//!         .and_then(|redis| visit(&redis, "/index"))
//!         .finish(|visits| println!("{visits:?}"));
//! }
//! # let _ = start;
//! ```
//!
//! Everything here speaks as the [specification of RESP][RESP] says.
//!
//! # Connecting
//! | you have | you want | use |
//! |---|---|---|
//! | a [`Net`](torsade_core::Net) | one connection, or to know why not | [`Redis::connect`] |
//! | a `Net` | a connection again and again | [`Redis::keep_connected`] with a [`Retry`] |
//! | a way of your own to connect, a filter, a fake | its two halves | [`Redis::new`] |
//! | a client whose connection was lost | the next one | [`Redis::protocol`] |
//!
//! [`RedisSettings`] say who logs in (`AUTH`), which database it uses (`SELECT`) and how it is
//! called. The client asks for RESP3 (`HELLO 3`) and goes on in RESP2 when the server does not know
//! that. Calls made before the login is done wait for it.
//!
//! # Calling
//! A [`Redis`] is a handle: clone it, keep it in protocols. Its commands are the methods of
//! [`Commands`], each a [`Deferred`](torsade_deferred::Deferred) of what the command answers; all
//! others go by name with [`command`](Commands::command), and [`call`](Commands::call) gives their
//! reply as any [`FromValue`]. Inside a protocol, `transport.then(redis.get(key), |me, transport,
//! value| ..)` comes back with `&mut self`; in a coroutine, `redis.get(key).await`.
//!
//! Calls are sent at once and do not wait for each other: a hundred in one callback are one piece
//! on the wire. Replies come in order, and each belongs to one call:
//! - One whose consumer has **cancelled** is sent already, so the server does it; its reply is read
//!   and dropped, and no other call gets it.
//! - A reply of **another type** than the call expects is an error of that call alone.
//! - When the **connection goes**, every call that waits is rejected with
//!   [`RedisError::Lost`] and the reason, once, in order. Whether the server did it is not known
//!   then; nothing is repeated by itself.
//!
//! Who calls in a loop asks [`wants_calls`](Redis::wants_calls) and waits for
//! [`ready`](Redis::ready); then neither output nor calls pile up.
//!
//! ```
//! use torsade_deferred::Deferred;
//! use torsade_wire::redis::{Redis, RedisError};
//!
//! /// Store all of these, however many there are.
//! fn store(redis: Redis, mut left: std::vec::IntoIter<(String, u64)>) -> Deferred<(), RedisError> {
//!     while redis.wants_calls() {
//!         match left.next() {
//!             Some((key, value)) => redis.set(key, value).detach(),
//!             None => return redis.ping(), // answered when all before it are
//!         }
//!     }
//!     redis.ready().and_then(|()| store(redis, left))
//! }
//! # let (redis, protocol) = Redis::new(Default::default());
//! # let mut t = torsade_testing::StringTransport::connect(protocol);
//! # let stored = store(redis, vec![("a".to_owned(), 1)].into_iter());
//! # t.feed(b"%0\r\n");
//! # t.feed(b"+OK\r\n+PONG\r\n");
//! # assert!(stored.try_take().unwrap().is_ok());
//! ```
//!
//! # Errors
//! A [`RedisError`] says who was to blame. What the server answered is a [`ServerError`], known by
//! its [`ErrorCode`]: `WRONGTYPE`, `NOAUTH`, `MOVED` (with where to, in
//! [`redirection`](ServerError::redirection)) and so on. What is no RESP, or a reply that nobody
//! asked for, ends the connection with a reason.
//!
//! # Transactions
//! [`Redis::transaction`] collects commands and sends them in one piece: see [`Transaction`], and
//! [`watch`](Redis::watch) for what may abort it.
//!
//! # Publish and subscribe
//! [`subscribe`](Redis::subscribe) and [`psubscribe`](Redis::psubscribe) give a [`Subscription`]:
//! take its messages one by one, or let a callback have them. In RESP3 the same connection goes on
//! to take commands; in RESP2 it does not, so programs that must run against old servers use two
//! clients. What else a server says unasked, the keys that have changed for instance, goes to
//! [`on_push`](Redis::on_push).
//!
//! # Limits
//! [`RedisLimits`] bound a reply in bytes, in values and in depth, the calls that wait, and the
//! messages that wait; each field says what happens at the bound. Nothing is allocated from a
//! number that a server sent, and a reply in tiny pieces costs no more than one in one piece.
//!
//! # For porters
//! | txredisapi | here |
//! |---|---|
//! | `Connection(host, port, dbid, password=..)` | [`Redis::connect`] with [`RedisSettings`] |
//! | `lazyConnection(reconnect=True)` | [`Redis::keep_connected`] |
//! | `ConnectionPool` | one client: it pipelines. Several for blocking commands and for `WATCH` |
//! | `t = yield rc.multi(keys)`, `t.commit()`, `t.discard()` | [`watch`](Redis::watch), [`transaction`](Redis::transaction), [`exec`](Transaction::exec), [`discard`](Transaction::discard) |
//! | `WatchError` | [`RedisError::Aborted`] |
//! | `pipeline()`, `execute_pipeline()` | not needed: every call is pipelined |
//! | `SubscriberProtocol.messageReceived(pattern, channel, message)` | [`Subscription::on_message`] |
//! | `ConnectionError` | [`RedisError::Lost`], [`RedisError::Connect`] |
//! | `ResponseError` | [`RedisError::Server`] |
//! | text, decoded if it can be | [`Bytes`](bytes::Bytes), as they came |
//!
//! | redis-py | here |
//! |---|---|
//! | `redis.asyncio.Redis(host=.., db=.., password=..)` | [`Redis::connect`] with [`RedisSettings`] |
//! | `execute_command(..)` | [`command`](Commands::command), [`call`](Commands::call) |
//! | `pipeline(transaction=True)`, `execute()` | [`transaction`](Redis::transaction), [`exec`](Transaction::exec) |
//! | `pubsub()`, `get_message()`, `listen()` | [`subscribe`](Redis::subscribe), [`Subscription::next`] |
//! | `set(name, value, ex=.., nx=True)` | [`set_with`](Commands::set_with) and [`SetOptions`] |
//! | `scan_iter()` | [`scan`](Commands::scan), until the cursor is 0 |
//! | `retry_on_error`, health checks | the caller's: only it knows what may be repeated |
//! | `decode_responses=True` | `call::<String>(..)` |
//!
//! # In tests
//! The other end of a fake is the server: all examples on these pages run on one. A server of one's
//! own reads requests with a [`Reader`] and answers with [`Value::write_to`].
//!
//! # Not here
//! Following `MOVED` through a cluster, sentinels, and a cache of one's own are built from what is
//! here; nothing does them by itself.
//!
//! [RESP]: https://redis.io/docs/latest/develop/reference/protocol-spec/

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
