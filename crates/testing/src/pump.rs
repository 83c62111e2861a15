use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, Disconnect, Endpoint, Limits, Net, Peer, Protocol, Transport};

use crate::connects::QUEUE;
use crate::end::End;
use crate::joint::Joint;
use crate::ledger;
use crate::string_transport::{Lost, finish_last, watch};
use crate::world::{self, World};

/// Joins two protocols, a client and a server, by a made-up connection with queues as finite as
/// a kernel's.
///
/// Both run on the engine that runs on sockets. Bytes move when [`run`](Self::run) is called, in
/// segments of at most [`segment`](Self::segment) bytes, through a queue of
/// [`queue`](Self::queue) bytes in each direction on each side; a peer that does not read fills
/// them, and the writer is paused. Closing with input unread resets, as a kernel does.
///
/// ```
/// use torsade_core::{Protocol, Transport};
/// use torsade_testing::Pump;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
///         transport.write(data);
///     }
/// }
/// struct Client(Vec<u8>);
/// impl Protocol for Client {
///     fn connection_made(&mut self, transport: &Transport<Self>) {
///         transport.write(vec![7; 100_000]);
///     }
///     fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
///         self.0.extend_from_slice(data);
///     }
/// }
///
/// let mut pump = Pump::new(Client(vec![]), Echo).queue(4096).segment(1000);
/// pump.run();
/// assert_eq!(pump.client(|me, _| me.0.len()), 100_000);
/// ```
///
/// # Panics
/// Dropping it fails the test for the same reasons as dropping a
/// [`StringTransport`](crate::StringTransport). Methods panic when called from inside a callback.
#[doc(alias = "iosim")]
#[doc(alias = "FakeTransport")]
#[doc(alias = "loopback")]
#[doc(alias = "IOPump")]
pub struct Pump<C: Protocol, S: Protocol> {
    world: Rc<World>,
    client: Half,
    server: Half,
    joint: Joint,
    protocols: PhantomData<fn(&mut C, &mut S)>,
}

struct Half {
    end: Rc<End>,
    connection: Connection,
    lost: Lost,
}

impl<C: Protocol, S: Protocol> Pump<C, S> {
    /// Joins `client`, which connected, and `server`, which accepted. Queues hold 64 KiB, and
    /// segments are as large.
    ///
    /// For a program that listens and one that connects, each by itself, see
    /// [`MemoryReactor::join`](crate::MemoryReactor::join).
    #[doc(alias = "connectedServerAndClient")]
    #[track_caller]
    pub fn new(client: C, server: S) -> Self {
        Self::with_limits(client, server, Limits::default())
    }

    /// Like [`new`](Self::new), with other bounds than the default ones.
    ///
    /// # Panics
    /// If they allow no connection to be accepted: `Limits::max_connections` is 0.
    pub fn with_limits(client: C, server: S, limits: Limits) -> Self {
        Self::on(World::new(limits), client, server)
    }

    /// Like [`new`](Self::new), on the engine of others.
    pub(crate) fn on(world: Rc<World>, client: C, server: S) -> Self {
        let at_server = world::default_peer();
        let at_client = Peer::new(at_server.local().clone(), at_server.remote().clone());
        // No room before the first step: that is when the queues have their size.
        let ends = [Rc::new(End::new(0)), Rc::new(End::new(0))];
        let plain = Endpoint::default();
        let server = Half::new(world.accept(server, at_server, &plain, &ends[0]), &ends[0]);
        let client = Half::new(world.connect(client, at_client, &plain, &ends[1]), &ends[1]);
        // The client's segment moves first.
        let [server_end, client_end] = ends;
        let joint = Joint::new([client_end, server_end], QUEUE, QUEUE);
        Self {
            world,
            client,
            server,
            joint,
            protocols: PhantomData,
        }
    }

    /// Each of the four queues, one out and one in on each side, holds at most this many bytes.
    #[must_use]
    pub fn queue(mut self, bytes: usize) -> Self {
        self.joint.queue = bytes;
        self
    }

    /// Bytes arrive in segments of at most this many; 1 is byte by byte.
    ///
    /// # Panics
    /// If `bytes` is 0.
    #[must_use]
    pub fn segment(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a segment holds at least one byte");
        self.joint.segment = bytes;
        self
    }

    /// Move bytes both ways until nothing moves any more.
    #[doc(alias = "flush")]
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Move at most one segment each way, and say whether anything moved.
    #[doc(alias = "pump")]
    pub fn step(&mut self) -> bool {
        self.settle();
        let moved = self.joint.carry();
        self.settle();
        moved
    }

    fn settle(&self) {
        self.joint.prepare();
        world::settle();
    }

    /// Time passes; everything that comes due runs at its moment, and bytes move.
    pub fn advance(&mut self, duration: Duration) {
        self.run();
        world::advance(duration);
        self.run();
    }

    /// Look at the client, with its transport, as inside a callback.
    ///
    /// # Panics
    /// If its connection is over, or another protocol was switched in.
    pub fn client<R>(&mut self, f: impl FnOnce(&mut C, &Transport<C>) -> R) -> R {
        self.with(&self.client, f)
    }

    /// Look at the server, with its transport, as inside a callback.
    ///
    /// # Panics
    /// If its connection is over, or another protocol was switched in.
    pub fn server<R>(&mut self, f: impl FnOnce(&mut S, &Transport<S>) -> R) -> R {
        self.with(&self.server, f)
    }

    fn with<P: Protocol, R>(&self, half: &Half, f: impl FnOnce(&mut P, &Transport<P>) -> R) -> R {
        world::settle();
        let result = self.world.with_protocol(half.connection.id(), f);
        world::settle();
        match result {
            Some(result) => result,
            None => panic!(
                "the connection has no {}: it is over, or another protocol was switched in",
                std::any::type_name::<P>()
            ),
        }
    }

    /// Why the client lost its connection, once it has.
    pub fn client_lost(&self) -> Option<Disconnect> {
        self.client.lost()
    }

    /// Why the server lost its connection, once it has.
    pub fn server_lost(&self) -> Option<Disconnect> {
        self.server.lost()
    }

    /// A handle of the client's connection.
    pub fn client_connection(&self) -> &Connection {
        &self.client.connection
    }

    /// A handle of the server's connection.
    pub fn server_connection(&self) -> &Connection {
        &self.server.connection
    }

    /// The kernel's side of the client and of the server.
    pub(crate) fn ends(&self) -> [&End; 2] {
        [&self.client.end, &self.server.end]
    }

    /// What both run on.
    pub fn net(&self) -> &Net {
        self.world.net()
    }

    /// A panic whose report contains this text is part of the test.
    pub fn expect_panic(&mut self, text: &str) {
        ledger::expect(text);
    }
}

impl Half {
    fn new(connection: Connection, end: &Rc<End>) -> Self {
        Self {
            end: Rc::clone(end),
            lost: watch(&connection),
            connection,
        }
    }

    fn lost(&self) -> Option<Disconnect> {
        world::settle();
        self.lost.borrow().clone()
    }
}

impl<C: Protocol, S: Protocol> Drop for Pump<C, S> {
    fn drop(&mut self) {
        finish_last(&self.world);
    }
}

impl<C: Protocol, S: Protocol> fmt::Debug for Pump<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("client", &self.client.connection)
            .field("server", &self.server.connection)
            .field("queue", &self.joint.queue)
            .field("segment", &self.joint.segment)
            .finish()
    }
}
