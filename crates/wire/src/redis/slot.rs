use bytes::Bytes;
use torsade_core::Disconnect;
use torsade_deferred::Resolver;

use super::message::{Kind, Word};
use super::{FromValue, RedisError, ServerError, Value};

/// Who the next reply is for. One that was cancelled keeps its place: its reply is read and
/// dropped.
pub(super) enum Slot {
    /// One reply.
    Call(Box<dyn Expect>),
    /// A confirmation for each name, or one error.
    Confirm(Confirm),
    /// `MULTI`, what is queued, and `EXEC`.
    Transaction(Box<Execution>),
    /// A command of the client itself, at the beginning of a connection.
    Login(Step),
}

/// What becomes of an error at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another version is tried.
    Hello,
    /// The login has failed.
    Required,
    /// Nothing.
    Optional,
}

/// The consumer of one reply.
pub(super) trait Expect {
    fn settle(self: Box<Self>, reply: Result<Value, RedisError>);
}

impl<T: FromValue> Expect for Resolver<T, RedisError> {
    fn settle(self: Box<Self>, reply: Result<Value, RedisError>) {
        match reply.and_then(T::from_value) {
            Ok(value) => self.resolve(value),
            Err(error) => self.reject(error),
        }
    }
}

/// A subscription or its end, on its way to the server.
pub(super) struct Confirm {
    pub(super) word: Word,
    pub(super) names: Vec<Bytes>,
    pub(super) confirmed: usize,
    pub(super) resolver: Option<Resolver<(), RedisError>>,
}

impl Confirm {
    pub(super) fn new(
        word: Word,
        names: Vec<Bytes>,
        resolver: Option<Resolver<(), RedisError>>,
    ) -> Self {
        Self {
            word,
            names,
            confirmed: 0,
            resolver,
        }
    }

    pub(super) fn request(&self) -> (&'static str, &[Bytes]) {
        let verb = match self.word {
            Word::Subscribed(kind) | Word::Message(kind) => Kind::subscribe(kind),
            Word::Unsubscribed(kind) => Kind::unsubscribe(kind),
        };
        (verb, &self.names)
    }

    fn end(self, result: Result<(), RedisError>) {
        match (self.resolver, result) {
            (Some(resolver), Ok(())) => resolver.resolve(()),
            (Some(resolver), Err(error)) => resolver.reject(error),
            (None, _) => {}
        }
    }
}

/// A transaction on its way to the server.
pub(super) struct Execution {
    stage: Stage,
    entries: Vec<Entry>,
    /// Why `MULTI` was refused.
    refused: Option<ServerError>,
    resolver: Resolver<Vec<Value>, RedisError>,
}

/// `Multi --> Queued(0) --> Queued(1) .. --> Exec`, a reply each; without commands, right to `Exec`.
enum Stage {
    Multi,
    Queued(usize),
    Exec,
}

/// A command of a transaction.
pub(super) struct Entry {
    /// Who waits for its result alone.
    pub(super) expect: Option<Box<dyn Expect>>,
    /// Why it was not queued.
    refused: Option<ServerError>,
}

impl Entry {
    pub(super) fn new(expect: Option<Box<dyn Expect>>) -> Self {
        Self {
            expect,
            refused: None,
        }
    }
}

/// A transaction has all its replies; they are handed out when nothing is borrowed.
pub(super) struct Executed {
    execution: Box<Execution>,
    outcome: Result<Vec<Value>, RedisError>,
}

impl Execution {
    pub(super) fn new(entries: Vec<Entry>, resolver: Resolver<Vec<Value>, RedisError>) -> Self {
        Self {
            stage: Stage::Multi,
            entries,
            refused: None,
            resolver,
        }
    }

    /// The next reply of it; the last one gives the outcome.
    pub(super) fn reply(
        &mut self,
        reply: Value,
    ) -> Result<Option<Result<Vec<Value>, RedisError>>, Disconnect> {
        match self.stage {
            Stage::Multi => {
                if let Value::Error(error) = reply {
                    self.refused = Some(error);
                }
                self.stage = self.after(0);
                Ok(None)
            }
            Stage::Queued(at) => {
                match reply {
                    Value::Error(error) => self.entries[at].refused = Some(error),
                    Value::Status(text) if &text[..] == b"QUEUED" => {}
                    // Without `MULTI` they were carried out one by one; that is told at the end.
                    _ if self.refused.is_some() => {}
                    _ => return Err(Disconnect::protocol("a command that was not queued")),
                }
                self.stage = self.after(at + 1);
                Ok(None)
            }
            Stage::Exec => match (reply, self.refused.take()) {
                (_, Some(refused)) => Ok(Some(Err(refused.into()))),
                (Value::Error(error), None) => Ok(Some(Err(error.into()))),
                (Value::Nil, None) => Ok(Some(Err(RedisError::Aborted))),
                (Value::Array(values), None) if values.len() == self.entries.len() => {
                    Ok(Some(Ok(values)))
                }
                _ => Err(Disconnect::protocol("a transaction of other results")),
            },
        }
    }

    fn after(&self, queued: usize) -> Stage {
        if queued == self.entries.len() {
            Stage::Exec
        } else {
            Stage::Queued(queued)
        }
    }
}

impl Executed {
    pub(super) fn new(execution: Box<Execution>, outcome: Result<Vec<Value>, RedisError>) -> Self {
        Self { execution, outcome }
    }

    pub(super) fn hand_out(self) {
        let Execution {
            entries, resolver, ..
        } = *self.execution;
        match self.outcome {
            Ok(values) => {
                for (entry, value) in entries.into_iter().zip(&values) {
                    if let Some(expect) = entry.expect {
                        expect.settle(result(value.clone()));
                    }
                }
                resolver.resolve(values);
            }
            Err(error) => {
                for entry in entries {
                    if let Some(expect) = entry.expect {
                        let own = entry.refused.map(RedisError::Server);
                        expect.settle(Err(own.unwrap_or_else(|| error.clone())));
                    }
                }
                resolver.reject(error);
            }
        }
    }
}

impl Slot {
    /// No reply comes any more.
    pub(super) fn fail(self, error: &RedisError) {
        match self {
            Self::Call(expect) => expect.settle(Err(error.clone())),
            Self::Confirm(confirm) => confirm.end(Err(error.clone())),
            Self::Transaction(execution) => {
                Executed::new(execution, Err(error.clone())).hand_out();
            }
            Self::Login(_) => {}
        }
    }

    /// Whether it is the beginning of a subscription to this.
    pub(super) fn subscribes_to(&self, kind: Kind, name: &Bytes) -> bool {
        matches!(self, Self::Confirm(confirm)
            if confirm.word == Word::Subscribed(kind) && confirm.names.contains(name))
    }

    /// It has all its confirmations.
    pub(super) fn confirmed(self) {
        if let Self::Confirm(confirm) = self {
            confirm.end(Ok(()));
        }
    }
}

/// A whole reply, as the one that asked sees it.
#[inline]
pub(super) fn result(value: Value) -> Result<Value, RedisError> {
    match value {
        Value::Error(error) => Err(error.into()),
        value => Ok(value),
    }
}
