//! What is subscribed to.

use std::rc::Rc;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::client::{Client, Phase};
use super::command::Command;
use super::inbox::Inbox;
use super::message::{Kind, Word};
use super::slot::{Confirm, Slot};
use super::{RedisError, Subscription};

impl Client {
    pub(super) fn subscribe(
        self: &Rc<Self>,
        kind: Kind,
        names: Vec<Bytes>,
    ) -> Deferred<Subscription, RedisError> {
        if names.is_empty() {
            return Deferred::fail(RedisError::Refused("a subscription to nothing"));
        }
        let away = match &self.inner.borrow().phase {
            Phase::Away(error) | Phase::Closed(error) => Some(error.clone()),
            Phase::New | Phase::Greeting(_) | Phase::Ready(_) => None,
        };
        if let Some(error) = away {
            return Deferred::fail(error);
        }
        let inbox = Inbox::new(self.settings.limits.messages);
        {
            let mut inner = self.inner.borrow_mut();
            for name in &names {
                let inboxes = inner.inboxes.entry((kind, name.clone())).or_default();
                inboxes.push(Rc::clone(&inbox));
            }
        }
        let subscription = Subscription::new(Rc::clone(self), inbox, kind, names.clone());
        let (resolver, confirmed) = Deferred::new();
        self.send_confirm(Confirm::new(Word::Subscribed(kind), names, Some(resolver)));
        // If it fails, the subscription is dropped with the closure, and leaves again.
        confirmed.map(move |()| subscription)
    }

    /// This inbox gets nothing more under these names. What nobody else listens to is not
    /// subscribed to any more.
    pub(super) fn leave(
        &self,
        inbox: &Rc<Inbox>,
        kind: Kind,
        names: &[Bytes],
    ) -> Deferred<(), RedisError> {
        let mut unused = Vec::new();
        let is_ready = {
            let mut inner = self.inner.borrow_mut();
            for name in names {
                let key = (kind, name.clone());
                let Some(inboxes) = inner.inboxes.get_mut(&key) else {
                    continue;
                };
                let before = inboxes.len();
                inboxes.retain(|other| !Rc::ptr_eq(other, inbox));
                if inboxes.is_empty() && before > 0 {
                    inner.inboxes.remove(&key);
                    unused.push(name.clone());
                }
            }
            matches!(
                inner.phase,
                Phase::Ready(_) | Phase::Greeting(_) | Phase::New
            )
        };
        inbox.end(None);
        self.emptied(inbox);
        if unused.is_empty() || !is_ready {
            return Deferred::succeed(());
        }
        let (resolver, confirmed) = Deferred::new();
        self.send_confirm(Confirm::new(
            Word::Unsubscribed(kind),
            unused,
            Some(resolver),
        ));
        confirmed
    }

    fn send_confirm(&self, confirm: Confirm) {
        let (verb, names) = confirm.request();
        let command = Command::new(verb).args(names);
        self.enqueue(Slot::Confirm(confirm), &command);
    }

    /// The server has ended a subscription by itself.
    pub(super) fn forget(&self, gone: Vec<Rc<Inbox>>) {
        for inbox in gone {
            inbox.end(None);
            self.emptied(&inbox);
        }
    }

    /// So many messages wait in an inbox that the connection is not to be read.
    pub(super) fn filled(&self, inbox: &Inbox) {
        if inbox.is_full.replace(true) {
            return;
        }
        let mut inner = self.inner.borrow_mut();
        inner.full += 1;
        if let Some(transport) = inner.transport() {
            transport.pause_reading();
        }
    }

    /// An inbox may have room again.
    pub(super) fn emptied(&self, inbox: &Inbox) {
        if !inbox.is_full.get() || !inbox.has_room() {
            return;
        }
        inbox.is_full.set(false);
        let mut inner = self.inner.borrow_mut();
        inner.full = inner.full.saturating_sub(1);
        if inner.full == 0
            && let Some(transport) = inner.transport()
        {
            drop(inner);
            transport.resume_reading();
        }
    }
}
