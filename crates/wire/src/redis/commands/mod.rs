use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use torsade_deferred::Deferred;

use super::client::Client;
use super::command::{Command, Request, refusal};
use super::slot::Slot;
use super::transaction::Batch;
use super::{Argument, FromValue, RedisError, ToArgument, Value};

mod hashes;
mod keys;
mod lists;
mod scripts;
mod server;
mod sets;
mod sorted_sets;
mod streams;
mod strings;

pub use self::keys::{Scanned, Ttl};
pub use self::streams::{Entry, StreamEntries};
pub use self::strings::SetOptions;

/// The commands of Redis: the frequent ones as methods, all others by name.
///
/// A [`Redis`](super::Redis) sends them at once; a [`Transaction`](super::Transaction) keeps them
/// for its `exec`. Keys and values are whatever is [`ToArgument`]: text, bytes, numbers. Where several are taken, they are a slice of one type.
///
/// ```
/// use torsade_testing::StringTransport;
/// use torsade_wire::redis::{Command, Redis, RedisSettings, Value};
///
/// let (redis, protocol) = Redis::new(RedisSettings::new());
/// let mut t = StringTransport::connect(protocol);
/// t.feed(b"%0\r\n");
/// t.take_sent();
///
/// let typed = redis.incr_by("visits", 2);
/// let by_name = redis.command(&["GET", "visits"]);
/// let of_a_type = redis.call::<u64>(&Command::new("GETRANGE").arg("visits").arg(0).arg(-1));
/// assert_eq!(
///     t.take_sent(),
///     b"*3\r\n$6\r\nINCRBY\r\n$6\r\nvisits\r\n$1\r\n2\r\n\
///       *2\r\n$3\r\nGET\r\n$6\r\nvisits\r\n\
///       *4\r\n$8\r\nGETRANGE\r\n$6\r\nvisits\r\n$1\r\n0\r\n$2\r\n-1\r\n",
/// );
/// t.feed(b":2\r\n$1\r\n2\r\n$1\r\n2\r\n");
/// assert_eq!(typed.try_take().unwrap().unwrap(), 2);
/// assert_eq!(by_name.try_take().unwrap().unwrap(), Value::from("2"));
/// assert_eq!(of_a_type.try_take().unwrap().unwrap(), 2);
/// ```
///
/// # Errors
/// Every Deferred here may be rejected with any [`RedisError`]: the server's own error, a reply of
/// another type than the method expects, the loss of the connection, too many calls. What a
/// command does, and when it fails, is in [Redis's own pages](https://redis.io/docs/latest/commands/).
pub struct Commands {
    to: To,
}

enum To {
    Connection(Rc<Client>),
    Transaction(RefCell<Batch>),
}

impl Commands {
    pub(super) fn live(client: Rc<Client>) -> Self {
        Self {
            to: To::Connection(client),
        }
    }

    pub(super) fn queued() -> Self {
        Self {
            to: To::Transaction(RefCell::default()),
        }
    }

    pub(super) fn with_batch<R: Default>(&self, f: impl FnOnce(&mut Batch) -> R) -> R {
        match &self.to {
            To::Connection(_) => R::default(),
            To::Transaction(batch) => f(&mut batch.borrow_mut()),
        }
    }

    /// Any command, given as its words: `redis.command(&["CONFIG", "GET", "maxmemory"])`.
    ///
    /// Refused are those after which replies could not be matched to calls, each with the method
    /// that does the same: subscribing, transactions, `HELLO`, `RESET`, `QUIT`, `MONITOR`, `SYNC`,
    /// `CLIENT REPLY`.
    #[doc(alias = "execute_command")]
    #[track_caller]
    pub fn command(&self, words: &[impl ToArgument]) -> Deferred<Value, RedisError> {
        let words: Vec<Argument<'_>> = words.iter().map(ToArgument::to_argument).collect();
        let Some(name) = words.first() else {
            return Deferred::fail(RedisError::Refused("a command without a name"));
        };
        match refusal(name.text(), words.get(1).map(Argument::text)) {
            Some(refused) => Deferred::fail(RedisError::Refused(refused)),
            None => self.send(&words[..]),
        }
    }

    /// Any command, and its reply as a `T`. The same are refused as by [`command`](Self::command).
    #[track_caller]
    pub fn call<T: FromValue>(&self, command: &Command) -> Deferred<T, RedisError> {
        match command.refusal() {
            Some(refused) => Deferred::fail(RedisError::Refused(refused)),
            None => self.send(command),
        }
    }

    #[track_caller]
    fn send<T: FromValue>(&self, request: &(impl Request + ?Sized)) -> Deferred<T, RedisError> {
        let (resolver, reply) = Deferred::new();
        match &self.to {
            To::Connection(client) => client.ask(Slot::Call(Box::new(resolver)), request),
            To::Transaction(batch) => batch.borrow_mut().push(Some(Box::new(resolver)), request),
        }
        reply
    }

    /// The same past the rules for ordinary commands: what a listening connection takes, too.
    #[track_caller]
    fn send_always<T: FromValue>(
        &self,
        request: &(impl Request + ?Sized),
    ) -> Deferred<T, RedisError> {
        let (resolver, reply) = Deferred::new();
        match &self.to {
            To::Connection(client) => client.enqueue(Slot::Call(Box::new(resolver)), request),
            To::Transaction(batch) => batch.borrow_mut().push(Some(Box::new(resolver)), request),
        }
        reply
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.to {
            To::Connection(_) => "Commands(sent at once)",
            To::Transaction(_) => "Commands(of a transaction)",
        })
    }
}

/// The words of a command with one list at its end.
fn listed(name: &str, key: impl ToArgument, list: &[impl ToArgument]) -> Command {
    Command::new(name).arg(key).args(list)
}

/// The words of a command that takes only keys.
fn of_keys(name: &str, keys: &[impl ToArgument]) -> Command {
    Command::new(name).args(keys)
}
