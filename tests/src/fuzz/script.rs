use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    Address, Connection, Disconnect, Factory, Layered, Limit, Peer, Protocol, Timer, Transport,
};
use torsade_deferred::{Deferred, Failure};

use super::actions::{self, Scene};
use super::callbacks;
use super::conn::{Conn, Life};
use super::counts::Contract;
use super::token::{Debris, Ticket};
use super::world::World;

/// One layer of a scripted protocol: what all of them have.
pub(super) struct Node {
    pub(super) world: Rc<World>,
    pub(super) conn: Rc<Conn>,
    pub(super) stack: u32,
    pub(super) depth: u16,
    _debris: Debris,
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.depth == 0 {
            callbacks::dropped(self);
        }
    }
}

/// A protocol whose layers can be walked, the outermost first.
pub(super) trait Level: Protocol {
    fn node(&mut self) -> &mut Node;
    fn each(&mut self, transport: &Transport<Self>, visit: &mut dyn FnMut(&mut Node, Typed));
    fn build(world: &Rc<World>, conn: &Rc<Conn>, stack: u32, depth: u16) -> Self;
}

/// A handle, its type erased.
pub(super) type Typed = Rc<dyn Handle>;

pub(super) struct Leaf(Node);

pub(super) struct Layer<T> {
    node: Node,
    inner: T,
}

impl Node {
    fn new(world: &Rc<World>, conn: &Rc<Conn>, stack: u32, depth: u16) -> Self {
        Self {
            world: Rc::clone(world),
            conn: Rc::clone(conn),
            stack,
            depth,
            _debris: Debris(Rc::clone(world)),
        }
    }
}

impl Level for Leaf {
    fn node(&mut self) -> &mut Node {
        &mut self.0
    }

    fn each(&mut self, transport: &Transport<Self>, visit: &mut dyn FnMut(&mut Node, Typed)) {
        let handle = typed(&self.0, transport);
        visit(&mut self.0, handle);
    }

    fn build(world: &Rc<World>, conn: &Rc<Conn>, stack: u32, depth: u16) -> Self {
        Self(Node::new(world, conn, stack, depth))
    }
}

impl<T: Level> Level for Layer<T> {
    fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    fn each(&mut self, transport: &Transport<Self>, visit: &mut dyn FnMut(&mut Node, Typed)) {
        let handle = typed(&self.node, transport);
        visit(&mut self.node, handle);
        self.inner.each(&transport.inner(), visit);
        transport.take_signal();
    }

    fn build(world: &Rc<World>, conn: &Rc<Conn>, stack: u32, depth: u16) -> Self {
        Self {
            node: Node::new(world, conn, stack, depth),
            inner: T::build(world, conn, stack, depth + 1),
        }
    }
}

impl<T: Level> Layered for Layer<T> {
    type Inner = T;

    fn inner_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

macro_rules! scripted {
    ($(($($generic:tt)*) $protocol:ty),*) => {$(
        impl<$($generic)*> Protocol for $protocol {
            fn connection_made(&mut self, transport: &Transport<Self>) {
                callbacks::made(self, transport);
            }
            fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
                callbacks::data(self, transport, data);
            }
            fn eof_received(&mut self, transport: &Transport<Self>) {
                callbacks::eof(self, transport);
            }
            fn pause_writing(&mut self, transport: &Transport<Self>) {
                callbacks::flow(self, transport, true);
            }
            fn resume_writing(&mut self, transport: &Transport<Self>) {
                callbacks::flow(self, transport, false);
            }
            fn stopping(&mut self, transport: &Transport<Self>) {
                callbacks::stopping(self, transport);
            }
            fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
                callbacks::lost(self, transport, reason);
            }
        }
    )*};
}

scripted!(() Leaf, (T: Level) Layer<T>);

pub(super) type Two = Layer<Leaf>;
pub(super) type Four = Layer<Layer<Layer<Leaf>>>;

fn typed<P: Level>(node: &Node, transport: &Transport<P>) -> Typed {
    Rc::new(TypedHandle {
        transport: transport.clone(),
        stack: node.stack,
        depth: node.depth,
    })
}

/// What can be done with a transport of any protocol.
pub(super) trait Handle {
    fn stack(&self) -> u32;
    fn depth(&self) -> u16;
    fn connection(&self) -> &Connection;
    fn call(&self, ticket: Ticket);
    fn call_later(&self, after: Duration, ticket: Ticket) -> Timer;
    fn wait(&self, deferred: Deferred<u32, u32>, ticket: Ticket);
    fn wait_flushed(&self, of: &Connection, watched: Rc<Conn>, ticket: Ticket);
    fn wait_closed(&self, of: &Connection, watched: Rc<Conn>, ticket: Ticket);
    fn pause(&self);
    fn resume(&self);
    fn signal(&self, signal: NonZeroUsize);
    fn switch(&self, world: &Rc<World>, conn: &Rc<Conn>, stack: u32);
}

struct TypedHandle<P> {
    transport: Transport<P>,
    stack: u32,
    depth: u16,
}

impl<P: Level> TypedHandle<P> {
    fn give<T: 'static, E: 'static>(
        &self,
        deferred: Deferred<T, E>,
        ticket: Ticket,
        look: impl FnOnce(&World, Result<T, Failure<E>>) + 'static,
    ) {
        let holds = ticket.token.holds;
        let run = move |me: &mut P, transport: &Transport<P>, result| {
            look(&Rc::clone(&me.node().world), result);
            continuation(me, transport, ticket);
        };
        if holds {
            self.transport.hold(deferred, run);
        } else {
            self.transport.then(deferred, run);
        }
    }
}

impl<P: Level> Handle for TypedHandle<P> {
    fn stack(&self) -> u32 {
        self.stack
    }

    fn depth(&self) -> u16 {
        self.depth
    }

    fn connection(&self) -> &Connection {
        &self.transport
    }

    fn call(&self, ticket: Ticket) {
        self.transport
            .call(move |me, transport| continuation(me, transport, ticket));
    }

    fn call_later(&self, after: Duration, ticket: Ticket) -> Timer {
        self.transport.call_later(after, move |me, transport| {
            continuation(me, transport, ticket)
        })
    }

    fn wait(&self, deferred: Deferred<u32, u32>, ticket: Ticket) {
        self.give(deferred, ticket, |_, _| {});
    }

    fn wait_flushed(&self, of: &Connection, watched: Rc<Conn>, ticket: Ticket) {
        let target = watched.sent.get() + watched.buffered() as u64;
        // What was dropped before can never be flushed.
        let gave_up = watched.gave_up.get();
        self.give(of.flushed(), ticket, move |world, result| {
            let flushed = watched.sent.get() >= target;
            let ok = result.is_ok();
            let fine = match result {
                Ok(()) => flushed && !gave_up,
                Err(_) => (!flushed || gave_up) && watched.life.get() == Life::Lost,
            };
            world.check(Contract::C4, fine, || {
                format!("flushed() of {} said {ok}", watched.number)
            });
        });
    }

    fn wait_closed(&self, of: &Connection, watched: Rc<Conn>, ticket: Ticket) {
        self.give(of.closed(), ticket, move |world, _| {
            world.check(Contract::C6, watched.life.get() == Life::Lost, || {
                format!("closed() of {} came early", watched.number)
            });
        });
    }

    fn pause(&self) {
        self.transport.pause_reading();
    }

    fn resume(&self) {
        self.transport.resume_reading();
    }

    fn signal(&self, signal: NonZeroUsize) {
        self.transport.signal(signal);
    }

    fn switch(&self, world: &Rc<World>, conn: &Rc<Conn>, stack: u32) {
        match stack % 3 {
            0 => self.transport.switch(Leaf::build(world, conn, stack, 0)),
            1 => self.transport.switch(Two::build(world, conn, stack, 0)),
            _ => self.transport.switch(Four::build(world, conn, stack, 0)),
        }
    }
}

/// A continuation of any kind runs on its layer.
fn continuation<P: Level>(me: &mut P, transport: &Transport<P>, ticket: Ticket) {
    let node = me.node();
    let (world, conn) = (Rc::clone(&node.world), Rc::clone(&node.conn));
    let name = ticket.token.number;
    let _user = world.enter(&format!("continuation {name}"), Some(&conn));
    ticket.run(Some(node.stack), node.depth);
    callbacks::look(&world, &conn, transport);
    let handle = typed(node, transport);
    actions::act(&world, &Scene::of(&conn, &handle));
}

/// Builds protocols of one kind, or refuses, or panics.
pub(super) struct Maker<P> {
    world: Rc<World>,
    kind: PhantomData<fn() -> P>,
}

impl<P> Maker<P> {
    pub(super) fn new(world: &Rc<World>) -> Self {
        Self {
            world: Rc::clone(world),
            kind: PhantomData,
        }
    }
}

impl<P: Level> Factory for Maker<P> {
    type Protocol = P;

    fn build(&mut self, _: &Peer) -> Option<P> {
        let world = Rc::clone(&self.world);
        let _user = world.enter("build", None);
        let arriving = world.arriving.borrow().clone()?;
        match world.script.below(12) {
            0 => None,
            1 if actions::may_act(&world) => world.panic(),
            _ => {
                actions::act(&world, &Scene::default());
                arriving.life.set(Life::Unmade);
                let stack = arriving.new_stack();
                arriving.stack.set(stack);
                world.conns.borrow_mut().push(Rc::clone(&arriving));
                Some(P::build(&world, &arriving, stack, 0))
            }
        }
    }

    fn started(&mut self, _: &Address) {
        let world = Rc::clone(&self.world);
        let _user = world.enter("started", None);
        actions::act(&world, &Scene::default());
    }

    fn stopped(&mut self) {
        let world = Rc::clone(&self.world);
        let _user = world.enter("stopped", None);
        actions::act(&world, &Scene::default());
    }

    fn failed(&mut self, _: &Peer, reason: &Disconnect) {
        let world = Rc::clone(&self.world);
        let _user = world.enter("failed", None);
        world.failed_told.set(world.failed_told.get() + 1);
        let full = Disconnect::LimitPassed(Limit::Connections);
        let fine = matches!(reason, Disconnect::Panicked(_)) || *reason == full;
        world.check(Contract::C6, fine, || format!("failed: {reason}"));
        actions::act(&world, &Scene::default());
    }
}
