//! What the server says, and who it is for.

use bytes::Bytes;
use torsade_core::Disconnect;

use super::client::Client;
use super::message::{Kind, Word};
use super::slot::{Executed, Slot, result};
use super::{Message, Push, Resp, Value};

impl Client {
    /// A whole value has come.
    ///
    /// In RESP3 what was not asked for says so itself. In RESP2 it is an array like others, so the
    /// connection's state decides: only a server that has confirmed a subscription sends such, and
    /// it answers nothing else with an array then, `PING` excepted.
    pub(super) fn received(&self, value: Value) -> Result<(), Disconnect> {
        match value {
            Value::Push(items) => self.pushed(items),
            Value::Array(items) if self.is_about_subscriptions(&items) => self.pushed(items),
            reply => self.answered(reply),
        }
    }

    fn is_about_subscriptions(&self, items: &[Value]) -> bool {
        let inner = self.inner.borrow();
        inner.version == Resp::Two
            && (inner.subscribed != [0; 2]
                || matches!(inner.pending.front(), Some(Slot::Confirm(_))))
            && Word::of(items).is_some()
    }

    /// A reply, for whoever waits the longest.
    fn answered(&self, reply: Value) -> Result<(), Disconnect> {
        let mut inner = self.inner.borrow_mut();
        if let Some(Slot::Transaction(execution)) = inner.pending.front_mut() {
            let Some(outcome) = execution.reply(reply)? else {
                return Ok(());
            };
            let slot = inner.pending.pop_front();
            drop(inner);
            if let Some(Slot::Transaction(execution)) = slot {
                Executed::new(execution, outcome).hand_out();
            }
            return Ok(());
        }
        let slot = inner.pending.pop_front();
        drop(inner);
        match (slot, reply) {
            (Some(Slot::Call(expect)), reply) => expect.settle(result(reply)),
            (Some(Slot::Login(step)), reply) => self.greeted(step, reply),
            (Some(slot @ Slot::Confirm(_)), Value::Error(error)) => {
                slot.fail(&error.into());
            }
            (Some(slot), _) => {
                // Back to where it was, to end with the connection.
                self.inner.borrow_mut().pending.push_front(slot);
                return Err(Disconnect::protocol("another answer than a subscription"));
            }
            (None, _) => return Err(Disconnect::protocol("a reply that nobody asked for")),
        }
        Ok(())
    }

    fn pushed(&self, items: Vec<Value>) -> Result<(), Disconnect> {
        let malformed = || Disconnect::protocol("a push of another form");
        match Word::of(&items) {
            Some(Word::Message(kind)) => self.message(kind, items).ok_or_else(malformed),
            Some(word @ (Word::Subscribed(_) | Word::Unsubscribed(_))) => {
                let name = items.get(1).and_then(Value::as_bytes);
                let (Some(name), Some(Value::Integer(count))) = (name, items.get(2)) else {
                    return Err(malformed());
                };
                self.confirmed(word, name, *count)
            }
            None => {
                let kind = items.first().and_then(Value::as_bytes).cloned();
                let kind = kind.ok_or_else(malformed)?;
                self.tell(kind, items.into_iter().skip(1).collect());
                Ok(())
            }
        }
    }

    /// A message, for everybody who has subscribed to what it came by.
    fn message(&self, kind: Kind, items: Vec<Value>) -> Option<()> {
        let mut items = items.into_iter().skip(1);
        let name = items.next()?.as_bytes()?.clone();
        let (channel, pattern) = match kind {
            Kind::Pattern => (items.next()?.as_bytes()?.clone(), Some(name.clone())),
            Kind::Channel | Kind::Shard => (name.clone(), None),
        };
        let payload = match items.next()? {
            Value::Bulk(payload) => payload,
            // Keys that have changed, as RESP2 has them told to a connection of its own.
            other => {
                self.tell(Bytes::from_static(b"invalidate"), vec![other]);
                return Some(());
            }
        };
        let message = Message {
            channel,
            pattern,
            payload,
        };
        self.deliver(kind, name, message);
        Some(())
    }

    fn deliver(&self, kind: Kind, name: Bytes, message: Message) {
        let key = (kind, name);
        let mut at = 0;
        loop {
            // Looked up each time, because a callback may leave.
            let inbox = {
                let inner = self.inner.borrow();
                let inboxes = inner.inboxes.get(&key);
                inboxes.and_then(|inboxes| inboxes.get(at)).cloned()
            };
            let Some(inbox) = inbox else { return };
            at += 1;
            if inbox.deliver(message.clone()) {
                self.filled(&inbox);
            }
        }
    }

    fn confirmed(&self, word: Word, name: &Bytes, count: i64) -> Result<(), Disconnect> {
        let mut inner = self.inner.borrow_mut();
        let (Word::Subscribed(kind) | Word::Unsubscribed(kind) | Word::Message(kind)) = word;
        inner.subscribed[usize::from(kind == Kind::Shard)] = count;
        if let Some(Slot::Confirm(confirm)) = inner.pending.front_mut()
            && confirm.word == word
            && confirm.names.get(confirm.confirmed) == Some(name)
        {
            confirm.confirmed += 1;
            if confirm.confirmed == confirm.names.len() {
                let slot = inner.pending.pop_front();
                drop(inner);
                if let Some(slot) = slot {
                    slot.confirmed();
                }
            }
            return Ok(());
        }
        match word {
            // The server may end what it no longer serves: a slot that has moved away.
            Word::Unsubscribed(kind) => {
                let gone = inner.inboxes.remove(&(kind, name.clone()));
                drop(inner);
                self.forget(gone.unwrap_or_default());
                Ok(())
            }
            Word::Subscribed(_) | Word::Message(_) => {
                Err(Disconnect::protocol("a subscription that nobody asked for"))
            }
        }
    }

    /// Tell what was not asked for to whoever wants to know.
    fn tell(&self, kind: Bytes, values: Vec<Value>) {
        if let Some(mut callback) = self.on_push.take() {
            callback(Push { kind, values });
            // Unless it has set another.
            if let Some(newer) = self.on_push.replace(Some(callback)) {
                drop(self.on_push.replace(Some(newer)));
            }
        }
    }
}
