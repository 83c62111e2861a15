use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use bytes::Bytes;
use torsade_core::{Net, ToEndpoint, Transport};
use torsade_deferred::Deferred;

use super::client::{Client, Phase};
use super::command::{Command, Request};
use super::message::Kind;
use super::slot::Slot;
use super::{
    Commands, Push, RedisError, RedisProtocol, RedisSettings, Resp, Subscription, ToArgument,
    Transaction,
};

/// A client of a Redis server: a handle, cheap to clone, of one connection.
///
/// Commands are those of [`Commands`], to which this dereferences. They are sent at once, one
/// behind the other, without waiting for replies: several in one callback leave in one piece.
///
/// ```
/// use torsade_core::Disconnect;
/// use torsade_deferred::Failure;
/// use torsade_testing::StringTransport;
/// use torsade_wire::redis::{Redis, RedisError, RedisSettings};
///
/// let (redis, protocol) = Redis::new(RedisSettings::new());
/// let mut t = StringTransport::connect(protocol);
/// let set = redis.set("name", "ann"); // it waits until the client is logged in
/// assert_eq!(t.take_sent(), b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
/// t.feed(b"%1\r\n+server\r\n+redis\r\n");
/// let name = redis.get("name");
/// t.feed(b"+OK\r\n$3\r\nann\r\n");
/// assert!(set.try_take().unwrap().is_ok());
/// assert_eq!(name.try_take().unwrap().unwrap().unwrap(), "ann");
///
/// let (a, b) = (redis.incr("visits"), redis.incr("visits"));
/// a.cancel();
/// t.feed(b":1\r\n:2\r\n");
/// assert_eq!(b.try_take().unwrap().unwrap(), 2); // and not 1
///
/// let c = redis.incr("visits");
/// t.reset();
/// let Err(Failure::Error(RedisError::Lost(reason))) = c.try_take().unwrap() else { panic!() };
/// assert_eq!(reason, Disconnect::Reset);
/// ```
///
/// Dropping handles does not end the connection; [`close`](Self::close) does.
pub struct Redis {
    commands: Commands,
    client: Rc<Client>,
}

impl Redis {
    /// A client, and the protocol to connect it with: for `net.connect(..)`, for a fake, for a
    /// stack of one's own.
    ///
    /// Calls made before the connection is ready wait for it.
    pub fn new(settings: RedisSettings) -> (Self, RedisProtocol) {
        let redis = Self::over(Client::new(settings));
        let protocol = redis.protocol();
        (redis, protocol)
    }

    /// Connect to a server and log in.
    ///
    /// Rejected with [`RedisError::Connect`] if there is no connection, and with
    /// [`RedisError::Server`] if the server refuses the login.
    ///
    /// ```
    /// use torsade_testing::MemoryReactor;
    /// use torsade_wire::redis::{Redis, RedisSettings};
    ///
    /// let reactor = MemoryReactor::new();
    /// let redis = Redis::connect(reactor.net(), "127.0.0.1:6379", RedisSettings::new());
    /// let mut server = reactor.next_connect().succeed();
    /// server.feed(b"%0\r\n");
    /// let redis = redis.try_take().unwrap().unwrap();
    /// redis.publish("news", "hello").detach();
    /// # reactor.settle();
    /// # server.feed(b":0\r\n");
    /// ```
    #[doc(alias = "lazyConnection")]
    #[doc(alias = "from_url")]
    pub fn connect(
        net: &Net,
        to: impl ToEndpoint,
        settings: RedisSettings,
    ) -> Deferred<Self, RedisError> {
        let redis = Self::over(Client::new(settings));
        let protocol = redis.expected_protocol();
        let failing = redis.clone();
        net.connect(to, protocol)
            .map_err(move |error| {
                let error = RedisError::from(error);
                failing.client.away(error.clone());
                error
            })
            .and_then(move |_| redis.ready().map(move |()| redis))
    }

    /// A protocol for the next connection of this client, once it has none.
    ///
    /// This is the seam for whoever connects it again. Between two connections calls are rejected
    /// with the reason of the loss. When the next one is made the client logs in, subscribes to
    /// what it was subscribed to if [`RedisSettings::resubscribe`] says so, and goes on.
    ///
    /// A protocol of a client that has a connection already is closed as soon as it is connected.
    pub fn protocol(&self) -> RedisProtocol {
        RedisProtocol::new(Rc::clone(&self.client))
    }

    /// The same, for somebody who tells the client when there is no connection.
    pub(super) fn expected_protocol(&self) -> RedisProtocol {
        RedisProtocol::expected(Rc::clone(&self.client))
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.client.inner.borrow().phase, Phase::Closed(_))
    }

    pub(super) fn over(client: Rc<Client>) -> Self {
        Self {
            commands: Commands::live(Rc::clone(&client)),
            client,
        }
    }

    pub(super) fn client(&self) -> &Rc<Client> {
        &self.client
    }
}

/// Flow, and the end.
impl Redis {
    /// Whether another call is welcome: the client is logged in, fewer than
    /// [`RedisLimits::calls`](super::RedisLimits::calls) wait, and output does not pile up.
    ///
    /// `while redis.wants_calls() { .. }` never piles up; [`ready`](Self::ready) says when to go
    /// on.
    pub fn wants_calls(&self) -> bool {
        self.client.wants_calls()
    }

    /// Resolves when another call is welcome, first of all when the client is logged in.
    ///
    /// Rejected if there is no connection any more.
    pub fn ready(&self) -> Deferred<(), RedisError> {
        self.client.ready()
    }

    /// How many calls wait for their reply, those included whose consumers have cancelled.
    pub fn waiting(&self) -> usize {
        let inner = self.client.inner.borrow();
        inner.pending.len() + inner.early_slots.len()
    }

    /// How many times this client was logged in. After more than one, messages may have been
    /// missed in between.
    pub fn connections(&self) -> u64 {
        self.client.inner.borrow().connections
    }

    /// The version of the protocol that is spoken.
    pub fn version(&self) -> Resp {
        self.client.inner.borrow().version
    }

    /// End the connection, and be done for ever: what waits is rejected with
    /// [`Disconnect::Closed`](torsade_core::Disconnect::Closed) now. What was sent still leaves.
    pub fn close(&self) {
        self.client.close();
    }

    /// Say good-bye (`QUIT`): everything that waits is answered first. Resolves when the server
    /// has answered that, too; then this is [`close`](Self::close)d.
    #[doc(alias = "QUIT")]
    pub fn quit(&self) -> Deferred<(), RedisError> {
        let (resolver, done) = Deferred::new();
        let slot = Slot::Call(Box::new(resolver));
        self.client.enqueue(slot, &["QUIT".into()]);
        let redis = self.clone();
        done.map(move |()| redis.close())
    }

    /// Resolves with the reason when this client has no connection any more; at once if it has
    /// none.
    pub fn closed(&self) -> Deferred<RedisError, Infallible> {
        self.client.closed()
    }

    /// The connection's own handle, while there is one.
    pub fn transport(&self) -> Option<Transport<RedisProtocol>> {
        self.client.inner.borrow().transport()
    }
}

/// Publish and subscribe.
impl Redis {
    /// Subscribe to channels. Resolves when the server has confirmed all of them.
    ///
    /// In RESP3 the connection goes on to take other commands. In RESP2 it takes nothing but more
    /// subscriptions and [`ping`](Commands::ping) until it is unsubscribed from everything: calls
    /// are [`RedisError::Refused`].
    #[doc(alias = "SUBSCRIBE")]
    pub fn subscribe(&self, channels: &[impl AsRef<[u8]>]) -> Deferred<Subscription, RedisError> {
        self.client.subscribe(Kind::Channel, owned(channels))
    }

    /// Subscribe to all channels whose name matches one of these patterns: `*`, `?`, `[..]`.
    #[doc(alias = "PSUBSCRIBE")]
    pub fn psubscribe(&self, patterns: &[impl AsRef<[u8]>]) -> Deferred<Subscription, RedisError> {
        self.client.subscribe(Kind::Pattern, owned(patterns))
    }

    /// Subscribe to sharded channels, since Redis 7.
    #[doc(alias = "SSUBSCRIBE")]
    pub fn ssubscribe(&self, channels: &[impl AsRef<[u8]>]) -> Deferred<Subscription, RedisError> {
        self.client.subscribe(Kind::Shard, owned(channels))
    }

    /// Call this with what the server says unasked: which keys have changed, for a client that has
    /// asked for it. Messages of subscriptions go to these. The last callback counts.
    ///
    /// ```
    /// use std::{cell::RefCell, rc::Rc};
    /// use torsade_testing::StringTransport;
    /// use torsade_wire::redis::{Invalidated, Redis, RedisSettings, Value};
    ///
    /// let (redis, protocol) = Redis::new(RedisSettings::new());
    /// let mut t = StringTransport::connect(protocol);
    /// t.feed(b"%0\r\n");
    /// let stale = Rc::new(RefCell::new(Vec::new()));
    /// let notes = Rc::clone(&stale);
    /// redis.on_push(move |push| match push.invalidated() {
    ///     Some(Invalidated::Keys(keys)) => notes.borrow_mut().extend(keys),
    ///     Some(Invalidated::All) | None => {}
    /// });
    /// redis.command(&["CLIENT", "TRACKING", "ON"]).detach();
    /// t.feed(b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$4\r\nname\r\n");
    /// assert_eq!(*stale.borrow(), ["name"]);
    /// ```
    pub fn on_push(&self, callback: impl FnMut(Push) + 'static) {
        drop(self.client.on_push.replace(Some(Box::new(callback))));
    }
}

/// Transactions.
impl Redis {
    /// Commands that are carried out together, without others in between (`MULTI`, `EXEC`).
    #[doc(alias = "MULTI")]
    #[doc(alias = "multi")]
    #[doc(alias = "pipeline")]
    pub fn transaction(&self) -> Transaction {
        Transaction::new(Rc::clone(&self.client))
    }

    /// From now on until the next transaction of this connection: if one of these keys is changed
    /// by somebody, that transaction does not take place, and its
    /// [`exec`](Transaction::exec) is rejected with [`RedisError::Aborted`].
    ///
    /// What is watched belongs to the connection. Who shares one takes turns, or takes a client of
    /// their own for this.
    #[doc(alias = "WATCH")]
    pub fn watch(&self, keys: &[impl ToArgument]) -> Deferred<(), RedisError> {
        self.call(&Command::new("WATCH").args(keys))
    }

    /// Watch nothing any more.
    #[doc(alias = "UNWATCH")]
    pub fn unwatch(&self) -> Deferred<(), RedisError> {
        self.call(&Command::new("UNWATCH"))
    }
}

impl Client {
    /// Who waits for the reply of a request that any connection may send.
    pub(super) fn ask(&self, slot: Slot, request: &(impl Request + ?Sized)) {
        match self.refusal() {
            Some(refused) => slot.fail(&refused),
            None => self.enqueue(slot, request),
        }
    }
}

impl Clone for Redis {
    fn clone(&self) -> Self {
        Self::over(Rc::clone(&self.client))
    }
}

impl Deref for Redis {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.client.inner.borrow();
        let phase = match &inner.phase {
            Phase::New => "new".to_owned(),
            Phase::Greeting(_) => "logging in".to_owned(),
            Phase::Ready(_) => "ready".to_owned(),
            Phase::Away(error) | Phase::Closed(error) => error.to_string(),
        };
        write!(f, "Redis({phase}, {} waiting)", inner.pending.len())
    }
}

fn owned(names: &[impl AsRef<[u8]>]) -> Vec<Bytes> {
    let names = names.iter().map(AsRef::as_ref);
    names.map(Bytes::copy_from_slice).collect()
}
