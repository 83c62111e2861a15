//! The beginning of a connection: which version is spoken, who we are, and what was subscribed to.

use torsade_core::{Disconnect, Transport};

use super::client::{Client, Phase};
use super::command::Command;
use super::message::Word;
use super::slot::{Confirm, Slot, Step};
use super::{ErrorCode, RedisError, RedisProtocol, Resp, Value};

impl Client {
    /// The connection is there. False if the client has another one, or was closed meanwhile.
    pub(super) fn begin(&self, transport: &Transport<RedisProtocol>) -> bool {
        let mut inner = self.inner.borrow_mut();
        if !matches!(inner.phase, Phase::New | Phase::Away(_)) {
            return false;
        }
        inner.phase = Phase::Greeting(transport.clone());
        inner.version = self.settings.version;
        if inner.full > 0 {
            transport.pause_reading();
        }
        drop(inner);
        match self.settings.version {
            Resp::Three => self.say_hello(transport),
            Resp::Two => self.log_in(transport),
        }
        true
    }

    /// The reply to one of our own commands.
    pub(super) fn greeted(&self, step: Step, reply: Value) {
        let transport = self.inner.borrow().transport();
        let Some(transport) = transport else { return };
        match (step, reply) {
            (Step::Hello, Value::Error(error))
                if error.code() == ErrorCode::NoProto || error.is_unknown_command() =>
            {
                self.inner.borrow_mut().version = Resp::Two;
                self.log_in(&transport);
                return;
            }
            (Step::Hello | Step::Required, Value::Error(error)) => {
                self.away(error.into());
                transport.fail(Disconnect::application(
                    "the Redis server refused the login",
                ));
                return;
            }
            (Step::Hello, _) => self.select(&transport),
            (Step::Required | Step::Optional, _) => {}
        }
        let done = self.inner.borrow().pending.is_empty();
        if done {
            self.start(&transport);
        }
    }

    fn say_hello(&self, transport: &Transport<RedisProtocol>) {
        let mut hello = Command::new("HELLO").arg("3");
        if let Some(password) = &self.settings.password {
            let user = self.settings.user.as_deref().unwrap_or("default");
            hello = hello.args(["AUTH", user, password]);
        }
        if let Some(name) = &self.settings.name {
            hello = hello.args(["SETNAME", name]);
        }
        self.enqueue_first(transport, Slot::Login(Step::Hello), &hello);
    }

    /// What `HELLO` does in one, for RESP2.
    fn log_in(&self, transport: &Transport<RedisProtocol>) {
        if let Some(password) = &self.settings.password {
            let user = self.settings.user.as_deref();
            let auth = Command::new("AUTH").args(user).arg(password);
            self.enqueue_first(transport, Slot::Login(Step::Required), &auth);
        }
        if let Some(name) = &self.settings.name {
            let name = Command::new("CLIENT").arg("SETNAME").arg(name);
            self.enqueue_first(transport, Slot::Login(Step::Optional), &name);
        }
        self.select(transport);
        let done = self.inner.borrow().pending.is_empty();
        if done {
            self.start(transport);
        }
    }

    fn select(&self, transport: &Transport<RedisProtocol>) {
        if self.settings.database != 0 {
            let select = Command::new("SELECT").arg(self.settings.database);
            self.enqueue_first(transport, Slot::Login(Step::Required), &select);
        }
    }

    /// We are logged in: what was subscribed to before comes first, then what waits.
    fn start(&self, transport: &Transport<RedisProtocol>) {
        let mut again = Vec::new();
        let (early, slots) = {
            let mut inner = self.inner.borrow_mut();
            inner.phase = Phase::Ready(transport.clone());
            inner.connections += 1;
            for (kind, name) in inner.inboxes.keys() {
                let is_early = |slot: &Slot| slot.subscribes_to(*kind, name);
                if inner.early_slots.iter().any(is_early) {
                    continue;
                }
                again.push(Confirm::new(
                    Word::Subscribed(*kind),
                    vec![name.clone()],
                    None,
                ));
            }
            (
                std::mem::take(&mut inner.early),
                std::mem::take(&mut inner.early_slots),
            )
        };
        for confirm in again {
            let (verb, names) = confirm.request();
            let command = Command::new(verb).args(names);
            self.enqueue_first(transport, Slot::Confirm(confirm), &command);
        }
        self.inner.borrow_mut().pending.extend(slots);
        if !early.is_empty() {
            transport.write(early);
        }
        self.wake();
    }

    /// The connection was lost.
    pub(super) fn lost(&self, reason: &Disconnect) {
        self.away(RedisError::Lost(reason.clone()));
    }
}
