use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use torsade_deferred::Deferred;

use super::client::Client;
use super::command::{Command, Request};
use super::encode::Out;
use super::slot::{Entry, Execution, Expect, Slot};
use super::{Commands, RedisError, Value};

/// Commands that the server carries out together, without those of others in between.
///
/// Nothing is sent before [`exec`](Self::exec): then `MULTI`, the commands and `EXEC` go in one
/// piece, so that calls of others who use the same client do not get in between either. All
/// commands are there by [`Commands`], and each gives a Deferred of its own, which ends when the
/// transaction does.
///
/// ```
/// use torsade_deferred::Failure;
/// use torsade_testing::StringTransport;
/// use torsade_wire::redis::{Redis, RedisError, RedisSettings, Value};
///
/// let (redis, protocol) = Redis::new(RedisSettings::new());
/// let mut t = StringTransport::connect(protocol);
/// t.feed(b"%0\r\n");
///
/// let transaction = redis.transaction();
/// let left = transaction.incr_by("ann", -5);
/// transaction.incr_by("bob", 5).detach();
/// let all = transaction.exec();
/// t.feed(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:95\r\n:105\r\n");
/// assert_eq!(left.try_take().unwrap().unwrap(), 95);
/// assert_eq!(all.try_take().unwrap().unwrap(), [Value::Integer(95), Value::Integer(105)]);
///
/// redis.watch(&["ann"]).detach();
/// let transaction = redis.transaction();
/// transaction.add(&torsade_wire::redis::Command::new("DEL").arg("ann"));
/// let all = transaction.exec();
/// t.feed(b"+OK\r\n+OK\r\n+QUEUED\r\n_\r\n");
/// assert!(matches!(all.try_take().unwrap(), Err(Failure::Error(RedisError::Aborted))));
/// ```
///
/// # Errors inside
/// A command that fails when it is carried out fails alone: its Deferred has the error, and so has
/// its place among the values of `exec`. One that is refused before, because there is no such
/// command for instance, makes the server discard all: `exec` is rejected with
/// [`ErrorCode::ExecAbort`](super::ErrorCode::ExecAbort), and so are the others, while the culprit
/// has its own error.
#[must_use = "nothing is sent before `exec`"]
pub struct Transaction {
    commands: Commands,
    client: Rc<Client>,
}

/// What was queued so far.
#[derive(Default)]
pub(super) struct Batch {
    words: Vec<u8>,
    entries: Vec<Entry>,
}

impl Batch {
    pub(super) fn push(
        &mut self,
        expect: Option<Box<dyn Expect>>,
        request: &(impl Request + ?Sized),
    ) {
        request.encode(&mut self.words);
        self.entries.push(Entry::new(expect));
    }
}

impl Transaction {
    pub(super) fn new(client: Rc<Client>) -> Self {
        Self {
            commands: Commands::queued(),
            client,
        }
    }

    /// One more command, whose result only [`exec`](Self::exec) has.
    pub fn add(&self, command: &Command) {
        self.commands.with_batch(|batch| batch.push(None, command));
    }

    /// Carry it out. Resolves with the result of each command, in order.
    ///
    /// Rejected with [`RedisError::Aborted`] if a watched key had changed, and with the server's
    /// error if it discarded the transaction. Cancelling it does not stop it.
    #[doc(alias = "EXEC")]
    #[doc(alias = "execute")]
    #[doc(alias = "commit")]
    pub fn exec(self) -> Deferred<Vec<Value>, RedisError> {
        let batch = self.commands.with_batch(std::mem::take);
        let (resolver, values) = Deferred::new();
        let request = Whole(batch.words);
        let execution = Execution::new(batch.entries, resolver);
        self.client
            .ask(Slot::Transaction(Box::new(execution)), &request);
        values
    }

    /// Let go of it. Nothing was sent, so all that is left to do is to watch nothing any more, as
    /// `DISCARD` does (`UNWATCH`). The Deferreds of its commands end as abandoned.
    #[doc(alias = "DISCARD")]
    pub fn discard(self) -> Deferred<(), RedisError> {
        let (resolver, done) = Deferred::new();
        let slot = Slot::Call(Box::new(resolver));
        self.client.ask(slot, &["UNWATCH".into()]);
        done
    }
}

/// The transaction as it goes over the wire.
struct Whole(Vec<u8>);

impl Request for Whole {
    fn encode(&self, out: &mut impl Out) {
        out.buffer().extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        out.large(&self.0);
        out.buffer().extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
    }
}

impl Deref for Transaction {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.commands.with_batch(|batch| batch.entries.len());
        write!(f, "Transaction({queued} commands)")
    }
}
