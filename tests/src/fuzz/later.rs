//! Continuations, timers, Deferreds and posts, as user code gives them.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use torsade_core::{Disconnect, Net};
use torsade_deferred::Deferred;

use super::actions::{self, Scene, nanos};
use super::conn::{Abrupt, Conn};
use super::counts::Contract;
use super::script::Typed;
use super::token::{Kind, Place, State, Ticket, Token};
use super::world::World;
use crate::rng::Rng;

/// How long timers wait, in nanoseconds of the model's clock.
const AFTER: &[u64] = &[0, 0, 1, 5, 5, 20, 100, 1000, 10_000];

fn place(conn: &Rc<Conn>, handle: &Typed) -> Option<Place> {
    Some(Place {
        conn: Rc::clone(conn),
        stack: handle.stack(),
        depth: handle.depth(),
    })
}

fn given(token: &Token, state: State) {
    if token.state.get() == State::Given {
        token.state.set(state);
    }
}

pub(super) fn call(world: &Rc<World>, conn: &Rc<Conn>, handle: &Typed) {
    let (ticket, token) = world.ticket(Kind::Call, place(conn, handle), false);
    world.note(|| format!("{}.call({})", conn.number, token.number));
    world.announce(&token);
    world.call(|| handle.call(ticket));
    world.announced(&token);
}

pub(super) fn timer(world: &Rc<World>, conn: &Rc<Conn>, handle: &Typed, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Timer, place(conn, handle), false);
    let after = rng.pick(AFTER);
    set(world, &token, after);
    world.note(|| format!("{}.call_later({after}, {})", conn.number, token.number));
    let timer = world.call(|| handle.call_later(nanos(after), ticket));
    given(&token, State::Waits);
    world.timers.borrow_mut().push((timer, token));
}

pub(super) fn free_timer(world: &Rc<World>, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Timer, None, false);
    let after = rng.pick(AFTER);
    set(world, &token, after);
    world.note(|| format!("net.call_later({after}, {})", token.number));
    let run = {
        let world = Rc::clone(world);
        move |_: &Net| {
            let _user = world.enter(&format!("timer {}", ticket.token.number), None);
            ticket.run(None, 0);
            world.worked.set(world.worked.get() - 1);
            actions::act(&world, &Scene::default());
        }
    };
    let net = world.net();
    let timer = world.call(|| net.call_later(nanos(after), run));
    given(&token, State::Waits);
    world.timers.borrow_mut().push((timer, token));
}

/// The timer's time counts from the end of the turn, or from now.
fn set(world: &World, token: &Token, after: u64) {
    token.after.set(after);
    token.turn.set(world.turn.get());
    let deadline = (!world.in_turn.get()).then_some(world.now() + after);
    token.deadline.set(deadline);
}

pub(super) fn change_timer(world: &Rc<World>, rng: &Rng) {
    let (timer, token) = {
        let timers = world.timers.borrow();
        let Some((timer, token)) = timers.get(rng.below(timers.len())) else {
            return;
        };
        (timer.clone(), Rc::clone(token))
    };
    let number = token.number;
    let due = token.deadline.get().is_some_and(|at| at <= world.now());
    // Between falling due and running, a connection's timer is a continuation like others.
    // At the end of the engine, or of a stop, all of them are taken out before the first one is dropped.
    let drained = world.ending.get() || (token.place.is_none() && world.stopping.get().is_some());
    let sure = (token.is_over() || !due) && !drained;
    let expected = !token.is_over() && !token.cancelled.get();
    let done = match rng.below(3) {
        0 => {
            let before = token.cancelled.replace(true);
            let done = world.call(|| timer.cancel());
            token.cancelled.set(before || done);
            done
        }
        1 => {
            let after = rng.pick(AFTER);
            let done = timer.reset(nanos(after));
            if done {
                set(world, &token, after);
                token.moved.set(false);
                token.late.set(false);
                let sequence = world.next_token.get();
                world.next_token.set(sequence + 1);
                token.sequence.set(sequence);
            }
            done
        }
        _ => {
            let by = rng.below(50) as u64;
            let done = timer.delay(nanos(by));
            if done {
                token.delayed.set(world.turn.get());
                token.moved.set(true);
                token.late.set(token.late.get() || due);
                token.after.set(token.after.get() + by);
                // Of one that was late this is the least that it can be.
                token.deadline.set(token.deadline.get().map(|at| at + by));
            }
            done
        }
    };
    world.note(|| format!("timer {number} changed: {done}"));
    world.check(Contract::C9, !sure || done == expected, || {
        format!(
            "timer {number} was changed: {done}, in {:?}",
            token.state.get()
        )
    });
}

/// `then` or `hold` on a result that comes later, or is there.
pub(super) fn wait(world: &Rc<World>, conn: &Rc<Conn>, handle: &Typed, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Then, place(conn, handle), rng.one_in(3));
    let number = token.number;
    let there = rng.one_in(4);
    world.note(|| {
        let what = if token.holds { "hold" } else { "then" };
        format!("{}.{what}({number}), there: {there}", conn.number)
    });
    if there {
        let deferred = if rng.one_in(2) {
            Deferred::succeed(1)
        } else {
            Deferred::fail(2)
        };
        world.announce(&token);
        world.call(|| handle.wait(deferred, ticket));
        world.announced(&token);
        return;
    }
    let (resolver, deferred) = Deferred::new();
    if rng.one_in(2) {
        hook(world, &resolver);
    }
    world.call(|| handle.wait(deferred, ticket));
    given(&token, State::Waits);
    world.resolvers.borrow_mut().push((resolver, token));
}

fn hook(world: &Rc<World>, resolver: &torsade_deferred::Resolver<u32, u32>) {
    let (ticket, _) = world.ticket(Kind::CancelHook, None, false);
    let world = Rc::clone(world);
    resolver.on_cancel(move || {
        let _user = world.enter("a cancel hook", None);
        ticket.run(None, 0);
        actions::act(&world, &Scene::default());
    });
}

/// `then` or `hold` on what a connection, perhaps another one, tells of itself.
pub(super) fn watch(world: &Rc<World>, conn: &Rc<Conn>, handle: &Typed, flushed: bool, rng: &Rng) {
    let Some((watched, of)) = ({
        let conns = world.conns.borrow();
        conns.get(rng.below(conns.len())).and_then(|watched| {
            let of = watched.handles.borrow().last().cloned()?;
            Some((Rc::clone(watched), of))
        })
    }) else {
        return;
    };
    let holds = flushed && rng.one_in(3);
    let (ticket, token) = world.ticket(Kind::Then, place(conn, handle), holds);
    let (number, what) = (token.number, if flushed { "flushed" } else { "closed" });
    world.note(|| {
        format!(
            "{}.then({number}) {what} of {}",
            conn.number, watched.number
        )
    });
    world.call(|| {
        if flushed {
            handle.wait_flushed(of.connection(), watched, ticket);
        } else {
            handle.wait_closed(of.connection(), watched, ticket);
        }
    });
    given(&token, State::Waits);
}

/// A Deferred of nobody's connection.
pub(super) fn finish(world: &Rc<World>, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Finish, None, false);
    world.note(|| format!("finish {}", token.number));
    let (resolver, deferred) = Deferred::<u32, u32>::new();
    if rng.one_in(3) {
        hook(world, &resolver);
    }
    let canceller = (token.clone(), deferred.canceller());
    world.cancellers.borrow_mut().push(canceller);
    let run = {
        let world = Rc::clone(world);
        move |_| run_finish(&world, ticket)
    };
    deferred.finish(run);
    given(&token, State::Waits);
    world.resolvers.borrow_mut().push((resolver, token));
}

fn run_finish(world: &Rc<World>, ticket: Ticket) {
    let _user = world.enter(&format!("finish {}", ticket.token.number), None);
    ticket.run(None, 0);
    actions::act(world, &Scene::default());
}

pub(super) fn resolve(world: &Rc<World>, rng: &Rng) {
    let (resolver, token) = {
        let mut resolvers = world.resolvers.borrow_mut();
        if resolvers.is_empty() {
            return;
        }
        let index = rng.below(resolvers.len());
        resolvers.swap_remove(index)
    };
    let number = token.number;
    let waits = token.kind == Kind::Then && !token.is_over();
    world.check(Contract::C16, !waits || !resolver.is_cancelled(), || {
        format!("what {number} waits for was cancelled")
    });
    let how = rng.below(3);
    world.note(|| format!("resolve {number}: {how}"));
    if token.state.get() == State::Waits && (world.in_turn.get() || token.kind == Kind::Then) {
        world.queued(&token);
    }
    match how {
        0 => resolver.resolve(1),
        1 => resolver.reject(2),
        _ => drop(resolver),
    }
}

pub(super) fn cancel(world: &Rc<World>, rng: &Rng) {
    let (token, canceller) = {
        let connecting = world.connecting.borrow();
        let free = world.cancellers.borrow();
        let index = rng.below(connecting.len() + free.len());
        match connecting.iter().chain(&*free).nth(index) {
            Some((token, canceller)) => (Rc::clone(token), canceller.clone()),
            None => return,
        }
    };
    if token.kind == Kind::Finish && token.state.get() == State::Waits && world.in_turn.get() {
        world.queued(&token);
    }
    for conn in &*world.connects.borrow() {
        if conn.connect.get() == Some(token.number) && conn.is_made() {
            conn.cancelled.set(true);
            // In time inside its `connection_made`, too late after it.
            conn.loom(Disconnect::Aborted, Abrupt::Yes);
        }
    }
    world.note(|| format!("cancel {}", token.number));
    canceller.cancel();
}

thread_local! {
    /// The world of this thread's run, for what may carry nothing of it.
    static HERE: RefCell<Weak<World>> = const { RefCell::new(Weak::new()) };
}

pub(super) fn set_here(world: &Rc<World>) {
    HERE.set(Rc::downgrade(world));
}

/// The world of this thread's run, while there is one.
pub(super) fn here() -> Option<Rc<World>> {
    HERE.with_borrow(Weak::upgrade)
}

pub(super) fn post(world: &Rc<World>) {
    let number = world.next_post.get();
    world.next_post.set(number + 1);
    world.note(|| format!("post {number}"));
    if !world.gone.get() {
        world.posts.borrow_mut().push_back(number);
    }
    let posted = world.net().remote().post(move |_| {
        if let Some(world) = here() {
            run_post(&world, number);
        }
    });
    let right = posted.is_ok() != world.gone.get() || world.ending.get();
    world.check(Contract::C11, right, || format!("post: {posted:?}"));
}

fn run_post(world: &Rc<World>, number: u64) {
    let _user = world.enter(&format!("post {number}"), None);
    let mut posts = world.posts.borrow_mut();
    let place = posts.iter().position(|post| *post == number);
    // A stop that is complete drops those that are left.
    let fine = place == Some(0) || (place.is_some() && world.stopping.get().is_some());
    posts.drain(..place.map_or(0, |place| place + 1));
    drop(posts);
    world.check(Contract::C11, fine, || {
        format!("post {number} ran out of its turn")
    });
    world.posts_run.set(world.posts_run.get() + 1);
    actions::act(world, &Scene::default());
}
