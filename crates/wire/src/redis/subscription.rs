use std::fmt;
use std::mem;
use std::rc::Rc;

use bytes::Bytes;
use torsade_deferred::Deferred;

use super::client::Client;
use super::inbox::Inbox;
use super::message::Kind;
use super::{Message, RedisError};

/// The messages of some channels or patterns, one consumer's.
///
/// They are taken one by one with [`next`](Self::next), or handed to a callback with
/// [`on_message`](Self::on_message). Several subscriptions to the same name each get every message.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use torsade_testing::StringTransport;
/// use torsade_wire::redis::{Redis, RedisSettings};
///
/// let (redis, protocol) = Redis::new(RedisSettings::new());
/// let mut t = StringTransport::connect(protocol);
/// t.feed(b"%0\r\n"); // the answer to HELLO
/// let news = redis.subscribe(&["news"]);
/// t.feed(b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
/// let news = news.try_take().unwrap().unwrap();
///
/// t.feed(b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nfirst\r\n");
/// let message = news.next().try_take().unwrap().unwrap().unwrap();
/// assert_eq!((&message.channel[..], &message.payload[..]), (&b"news"[..], &b"first"[..]));
///
/// let heard = Rc::new(RefCell::new(Vec::new()));
/// let hear = Rc::clone(&heard);
/// news.on_message(move |message| hear.borrow_mut().push(message.payload));
/// t.feed(b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\nsecond\r\n");
/// assert_eq!(*heard.borrow(), ["second"]);
/// ```
///
/// # A slow consumer
/// [`RedisLimits::messages`](super::RedisLimits::messages) of them wait at most. Then the
/// connection is not read until half of them are taken, and all that comes by it waits, replies
/// too: what is consumed slowly is best subscribed to on a client of its own. A server does not
/// wait for ever either: it ends a connection whose messages pile up (its
/// `client-output-buffer-limit`). A callback is never too slow.
///
/// # Dropping
/// Dropping it unsubscribes, unless messages go to a callback: that goes on for as long as the
/// client does, or until [`unsubscribe`](Self::unsubscribe).
#[doc(alias = "PubSub")]
#[doc(alias = "SubscriberProtocol")]
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    client: Rc<Client>,
    inbox: Rc<Inbox>,
    kind: Kind,
    names: Vec<Bytes>,
}

impl Subscription {
    pub(super) fn new(client: Rc<Client>, inbox: Rc<Inbox>, kind: Kind, names: Vec<Bytes>) -> Self {
        Self {
            client,
            inbox,
            kind,
            names,
        }
    }

    /// The next message, when there is one. `None` after [`unsubscribe`](Self::unsubscribe), when
    /// all that had come are taken.
    ///
    /// Rejected with the reason when the connection is lost and subscriptions do not outlive it,
    /// and with [`RedisError::Refused`] when messages go to a callback. Whoever waits first gets
    /// the first message; a consumer that has cancelled is passed over and loses nothing.
    #[doc(alias = "get_message")]
    #[doc(alias = "listen")]
    pub fn next(&self) -> Deferred<Option<Message>, RedisError> {
        let next = self.inbox.next();
        self.client.emptied(&self.inbox);
        next
    }

    /// Hand all messages to `callback`, those that wait first.
    ///
    /// It runs when a message has come, and while it does nothing of the client is in use: it may
    /// call, publish, subscribe and unsubscribe. Consumers that wait for [`next`](Self::next) end
    /// as abandoned.
    #[doc(alias = "messageReceived")]
    pub fn on_message(&self, callback: impl FnMut(Message) + 'static) {
        self.inbox.set_callback(Box::new(callback));
        self.client.emptied(&self.inbox);
    }

    /// What is subscribed to, as it was asked for.
    pub fn names(&self) -> &[Bytes] {
        &self.names
    }

    /// Let go of it. Resolves when the server has confirmed it, or at once if somebody else here
    /// is still subscribed to the same.
    #[doc(alias = "UNSUBSCRIBE")]
    #[doc(alias = "PUNSUBSCRIBE")]
    pub fn unsubscribe(mut self) -> Deferred<(), RedisError> {
        let names = mem::take(&mut self.names);
        self.client.leave(&self.inbox, self.kind, &names)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if !self.names.is_empty() && !self.inbox.has_callback() {
            // Nobody is told; and if the connection goes before, that is an end, too.
            self.client
                .leave(&self.inbox, self.kind, &self.names)
                .finish(|_| ());
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
