use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::mem;
use std::rc::Rc;

use bytes::Bytes;
use torsade_core::{Connection, Disconnect, Transport};
use torsade_deferred::{Deferred, Resolver};

use super::command::Request;
use super::encode::Out;
use super::inbox::Inbox;
use super::message::Kind;
use super::slot::Slot;
use super::{Push, RedisError, RedisProtocol, RedisSettings, Resp};

/// What the handles of a client and its connection share. It outlives connections.
///
/// `replies.rs` has what happens when something comes, `login.rs` the beginning of a connection,
/// `subscribing.rs` what is subscribed to.
pub(super) struct Client {
    pub(super) settings: RedisSettings,
    pub(super) inner: RefCell<Inner>,
    /// In which commands are put together.
    scratch: Cell<Vec<u8>>,
    /// Whoever wants to know what the server says unasked.
    pub(super) on_push: Cell<Option<OnPush>>,
}

type OnPush = Box<dyn FnMut(Push)>;

pub(super) struct Inner {
    pub(super) phase: Phase,
    /// Who waits for a reply, the oldest first.
    pub(super) pending: VecDeque<Slot>,
    /// What was asked for before the connection was ready: as bytes, and who waits for it.
    pub(super) early: Vec<u8>,
    pub(super) early_slots: VecDeque<Slot>,
    /// The version that is spoken.
    pub(super) version: Resp,
    /// What the server last said it has subscribed this connection to: channels and patterns, and
    /// sharded channels.
    pub(super) subscribed: [i64; 2],
    pub(super) inboxes: BTreeMap<(Kind, Bytes), Vec<Rc<Inbox>>>,
    /// How many inboxes are full. While any is, the connection is not read.
    pub(super) full: usize,
    /// Who waits until another call is welcome.
    waiting: Vec<Resolver<(), RedisError>>,
    /// Who waits for the end.
    closing: Vec<Resolver<RedisError, Infallible>>,
    /// How many connections have been ready so far.
    pub(super) connections: u64,
}

/// ```text
///                        made               logged in
///   New, Away(error) ----------> Greeting -----------> Ready
///          ^                         |                   |
///          +--- lost, or refused ----+-------------------+
///                                        any -- close --> Closed
/// ```
pub(super) enum Phase {
    /// There was no connection yet; calls wait for it.
    New,
    /// Logging in; calls wait.
    Greeting(Transport<RedisProtocol>),
    Ready(Transport<RedisProtocol>),
    /// There is no connection. Calls are rejected with this.
    Away(RedisError),
    /// The same for ever.
    Closed(RedisError),
}

impl Client {
    pub(super) fn new(settings: RedisSettings) -> Rc<Self> {
        let version = settings.version;
        Rc::new(Self {
            settings,
            inner: RefCell::new(Inner {
                phase: Phase::New,
                pending: VecDeque::new(),
                early: Vec::new(),
                early_slots: VecDeque::new(),
                version,
                subscribed: [0; 2],
                inboxes: BTreeMap::new(),
                full: 0,
                waiting: Vec::new(),
                closing: Vec::new(),
                connections: 0,
            }),
            scratch: Cell::new(Vec::new()),
            on_push: Cell::new(None),
        })
    }

    /// Send a request whose reply is for `slot`, or let it wait for the connection, or tell the
    /// slot why neither.
    pub(super) fn enqueue(&self, slot: Slot, request: &(impl Request + ?Sized)) {
        let mut inner = self.inner.borrow_mut();
        let room = inner.pending.len() + inner.early_slots.len() < self.settings.limits.calls;
        let refused = match &inner.phase {
            Phase::Away(error) | Phase::Closed(error) => error.clone(),
            _ if !room => RedisError::TooManyCalls,
            Phase::Ready(transport) => {
                let transport = transport.clone();
                inner.pending.push_back(slot);
                drop(inner);
                self.write(&transport, request);
                return;
            }
            Phase::New | Phase::Greeting(_) => {
                let before = inner.early.len();
                request.encode(&mut inner.early);
                if inner.early.len() <= self.settings.limits.early {
                    inner.early_slots.push_back(slot);
                    return;
                }
                inner.early.truncate(before);
                RedisError::TooManyCalls
            }
        };
        drop(inner);
        slot.fail(&refused);
    }

    /// Send a request at the beginning of a connection, before all that waits.
    pub(super) fn enqueue_first(
        &self,
        transport: &Transport<RedisProtocol>,
        slot: Slot,
        request: &(impl Request + ?Sized),
    ) {
        self.inner.borrow_mut().pending.push_back(slot);
        self.write(transport, request);
    }

    fn write(&self, connection: &Connection, request: &(impl Request + ?Sized)) {
        /// A buffer that one long command made larger than this is not kept.
        const KEPT: usize = 64 << 10;
        let mut out = Outgoing {
            connection,
            buffer: self.scratch.take(),
        };
        request.encode(&mut out);
        out.flush();
        if out.buffer.capacity() <= KEPT {
            self.scratch.set(out.buffer);
        }
    }

    /// Whether an ordinary command makes no sense now, and why.
    pub(super) fn refusal(&self) -> Option<RedisError> {
        let inner = self.inner.borrow();
        let listens = inner.version == Resp::Two
            && matches!(inner.phase, Phase::Ready(_))
            && !inner.inboxes.is_empty();
        listens.then_some(RedisError::Refused(
            "in RESP2 a connection that is subscribed takes no other commands",
        ))
    }

    /// Whether another call is welcome: see [`Redis::wants_calls`](super::Redis::wants_calls).
    pub(super) fn wants_calls(&self) -> bool {
        let inner = self.inner.borrow();
        match &inner.phase {
            Phase::Ready(transport) => {
                inner.pending.len() < self.settings.limits.calls && transport.wants_output()
            }
            _ => false,
        }
    }

    pub(super) fn ready(&self) -> Deferred<(), RedisError> {
        if self.wants_calls() {
            return Deferred::succeed(());
        }
        let mut inner = self.inner.borrow_mut();
        if let Phase::Away(error) | Phase::Closed(error) = &inner.phase {
            return Deferred::fail(error.clone());
        }
        let (resolver, ready) = Deferred::new();
        inner.waiting.push(resolver);
        ready
    }

    /// Tell those who wait to call, if they may.
    pub(super) fn wake(&self) {
        if self.inner.borrow().waiting.is_empty() || !self.wants_calls() {
            return;
        }
        let waiting = mem::take(&mut self.inner.borrow_mut().waiting);
        for resolver in waiting {
            resolver.resolve(());
        }
    }

    pub(super) fn closed(&self) -> Deferred<RedisError, Infallible> {
        let mut inner = self.inner.borrow_mut();
        if let Phase::Away(error) | Phase::Closed(error) = &inner.phase {
            return Deferred::succeed(error.clone());
        }
        let (resolver, closed) = Deferred::new();
        inner.closing.push(resolver);
        closed
    }

    /// The connection goes, or never came: everything that waits ends with this, once. The first
    /// reason counts.
    pub(super) fn away(&self, error: RedisError) {
        self.end(Phase::Away(error.clone()), &error);
    }

    pub(super) fn close(&self) {
        let error = RedisError::Lost(Disconnect::Closed);
        let transport = self.inner.borrow().transport();
        self.end(Phase::Closed(error.clone()), &error);
        if let Some(transport) = transport {
            transport.close();
        }
    }

    fn end(&self, phase: Phase, error: &RedisError) {
        let mut inner = self.inner.borrow_mut();
        let keeps_subscriptions = self.settings.resubscribe && matches!(phase, Phase::Away(_));
        if let (Phase::Closed(_), _) | (Phase::Away(_), Phase::Away(_)) = (&inner.phase, &phase) {
            return;
        }
        let before = mem::replace(&mut inner.phase, phase);
        let pending = mem::take(&mut inner.pending);
        let early = mem::take(&mut inner.early_slots);
        inner.early.clear();
        inner.version = self.settings.version;
        inner.subscribed = [0; 2];
        let waiting = mem::take(&mut inner.waiting);
        let closing = mem::take(&mut inner.closing);
        let inboxes = if keeps_subscriptions {
            BTreeMap::new()
        } else {
            inner.full = 0;
            mem::take(&mut inner.inboxes)
        };
        drop(inner);
        for slot in pending.into_iter().chain(early) {
            slot.fail(error);
        }
        for resolver in waiting {
            resolver.reject(error.clone());
        }
        for inbox in inboxes.into_values().flatten() {
            inbox.is_full.set(false);
            inbox.end(Some(error.clone()));
        }
        for resolver in closing {
            resolver.resolve(error.clone());
        }
        drop(before);
    }
}

impl Inner {
    pub(super) fn transport(&self) -> Option<Transport<RedisProtocol>> {
        match &self.phase {
            Phase::Greeting(transport) | Phase::Ready(transport) => Some(transport.clone()),
            Phase::New | Phase::Away(_) | Phase::Closed(_) => None,
        }
    }
}

/// A command on its way into a connection: put together in one buffer, so that it is one write,
/// except for what is large.
struct Outgoing<'a> {
    connection: &'a Connection,
    buffer: Vec<u8>,
}

impl Outgoing<'_> {
    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.connection.write(&self.buffer);
            self.buffer.clear();
        }
    }
}

impl Out for Outgoing<'_> {
    fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    fn large(&mut self, bytes: &[u8]) {
        self.flush();
        self.connection.write(bytes);
    }

    fn shared(&mut self, bytes: &Bytes) {
        self.flush();
        self.connection.write_bytes(bytes.clone());
    }
}
