//! What programs do seldom: hooks before a stop, work in threads, jobs of other crates.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::Deferred;
use torsade_deferred::queue::Job;

use super::actions::{self, Scene};
use super::counts::Contract;
use super::token::{Kind, State, Ticket};
use super::world::World;
use crate::rng::Rng;

/// Have a stop wait for something that comes at once, later, or never.
pub(super) fn hook(world: &Rc<World>, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Hook, None, false);
    let number = token.number;
    let there = rng.one_in(3);
    world.note(|| format!("before_stop({number}), there: {there}"));
    world.hooks.borrow_mut().push_back(number);
    let run = {
        let world = Rc::clone(world);
        move || {
            let _user = world.enter(&format!("hook {number}"), None);
            ticket.run(None, 0);
            // The stop's own, of which a turn's budget knows nothing.
            world.worked.set(world.worked.get() - 1);
            let first = world.hooks.borrow_mut().pop_front();
            let asked = world.stopping.get().is_some();
            world.check(Contract::C17, first == Some(number) && asked, || {
                format!("hook {number} was called before {first:?}, or without a stop: {asked}")
            });
            actions::act(&world, &Scene::default());
            if there {
                return Deferred::<(), u32>::succeed(());
            }
            let (resolver, deferred) = Deferred::new();
            world.awaited_hooks.borrow_mut().push(resolver);
            deferred
        }
    };
    world.call(|| world.net().before_stop(run));
}

/// One of the hooks that a stop waits for is done, or nobody works for it any longer.
pub(super) fn end_hook(world: &Rc<World>, rng: &Rng) {
    let resolver = {
        let mut awaited = world.awaited_hooks.borrow_mut();
        if awaited.is_empty() {
            return;
        }
        let index = rng.below(awaited.len());
        awaited.swap_remove(index)
    };
    let how = rng.below(3);
    world.note(|| format!("a hook is done: {how}"));
    match how {
        0 => resolver.reject(1),
        1 => drop(resolver),
        _ => resolver.resolve(()),
    }
}

/// Hooks come before everything else of a stop: whoever is told of one finds none awaited, unless
/// the stop has given up on them, which cancels them.
pub(super) fn check_hooks(world: &World) {
    let awaited = world.awaited_hooks.borrow();
    let left = awaited.iter().filter(|hook| !hook.is_cancelled()).count();
    world.check(Contract::C17, left == 0, || {
        format!("the stop went on though {left} hooks have no result")
    });
}

/// Call something in a thread; here in a later turn, for the model's host has none.
pub(super) fn thread(world: &Rc<World>) {
    let (ticket, token) = world.ticket(Kind::Thread, None, false);
    let number = token.number;
    world.note(|| format!("defer_to_thread({number})"));
    let deferred = world.call(|| world.net().defer_to_thread(move || number));
    let canceller = (token.clone(), deferred.canceller());
    world.cancellers.borrow_mut().push(canceller);
    let run = {
        let world = Rc::clone(world);
        move |result: Result<u64, _>| {
            let _user = world.enter(&format!("answer {number} of a thread"), None);
            ticket.run(None, 0);
            let right = result.map_or(true, |answer| answer == number);
            world.check(Contract::C11, right, || {
                format!("a thread gave {number} the answer of another")
            });
            actions::act(&world, &Scene::default());
        }
    };
    deferred.finish(run);
    if token.state.get() == State::Given {
        token.state.set(State::Waits);
    }
}

/// A job of an executor and the like.
struct Work {
    world: Rc<World>,
    ticket: Cell<Option<Ticket>>,
}

impl Job for Work {
    fn run(self: Rc<Self>) {
        let Some(ticket) = self.ticket.take() else {
            self.world
                .check(Contract::C16, false, || "a job ran twice".into());
            return;
        };
        let number = ticket.token.number;
        let _user = self.world.enter(&format!("job {number}"), None);
        ticket.run(None, 0);
        actions::act(&self.world, &Scene::default());
    }
}

pub(super) fn job(world: &Rc<World>, rng: &Rng) {
    let (ticket, token) = world.ticket(Kind::Job, None, false);
    // What came up in a turn is not for the next one.
    let put_off = rng.one_in(3) && !world.in_turn.get();
    world.note(|| format!("job {}, put off: {put_off}", token.number));
    let work = Rc::new(Work {
        world: Rc::clone(world),
        ticket: Cell::new(Some(ticket)),
    });
    let net = world.net();
    world.call(|| match put_off {
        true => net.put_off(work),
        false => net.enqueue(work),
    });
    if token.state.get() == State::Given {
        token.state.set(State::Waits);
    }
}
