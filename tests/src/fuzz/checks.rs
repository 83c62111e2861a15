//! What must hold after every operation, and what must hold when there is nothing left to do.

use torsade_core::Disconnect;

use super::callbacks;
use super::cipher;
use super::conn::{Conn, Input, Life, Output, Phase};
use super::counts::Contract;
use super::run::Run;
use super::token::{Kind, State};
use super::world::World;

pub(super) fn after_step(run: &mut Run) {
    let world = &*run.world;
    world.check(Contract::C1, world.depth.get() == 0, || {
        "user code still runs".into()
    });
    let mut total = 0;
    for conn in &*world.conns.borrow() {
        total += conn.buffered();
        let handle = conn.handles.borrow().last().cloned();
        let Some(handle) = handle.filter(|_| conn.is_made()) else {
            continue;
        };
        let socket = conn
            .id
            .get()
            .and_then(|id| run.engine.socket(id).map(|_| ()));
        world.check(Contract::C2, socket.is_some() != conn.is_closed(), || {
            format!("{}: the engine has its socket, or not", conn.number)
        });
        if conn.is_closed() || conn.is_surely(|phase| phase == Phase::Aborting) {
            continue;
        }
        callbacks::look(world, conn, handle.connection());
    }
    world.check(Contract::C7, total == world.total.get(), || {
        format!("the model counts {total} and {}", world.total.get())
    });
    let net = world.net();
    world.check(Contract::C7, net.buffered() == total, || {
        format!("all have {} buffered, not {total}", net.buffered())
    });
    let dropped = (net.dropped_writes(), world.dropped_writes.get());
    world.check(Contract::C4, dropped.0 == dropped.1, || {
        format!("{} writes were dropped, not {}", dropped.0, dropped.1)
    });
    if !world.in_turn.get() {
        between_turns(run);
    }
    let world = &*run.world;
    forget(world);
}

/// The driver may sleep now, unless there is work.
fn between_turns(run: &Run) {
    let world = &*run.world;
    if run.engine.has_work() {
        return;
    }
    let rests = !world.asleep.replace(true);
    let next = run.engine.next_deadline().map(torsade_core::Time::as_nanos);
    for token in world.tokens.borrow().values() {
        if let (Kind::Timer, Some(at), false) = (token.kind, token.deadline.get(), token.is_over())
        {
            // One that was put off by less than it was late counts as due now.
            let at = at.max(world.now());
            let told = next.is_some_and(|next| next <= at || token.late.get());
            world.check(Contract::C9, told, || {
                format!(
                    "the driver would sleep until {next:?}, past {} at {at}",
                    token.number
                )
            });
        }
    }
    for conn in &*world.conns.borrow() {
        if conn.is_made() {
            if !conn.is_closed() {
                // A deadline would have ended it by now.
                conn.looming.borrow_mut().retain(|(reason, _)| {
                    !matches!(reason, Disconnect::TimedOut(_) | Disconnect::Aborted)
                });
            }
            resting(world, conn);
        }
    }
    if rests && world.over_total.get() {
        let total = world.total.get();
        world.check(Contract::C7, total <= world.limits.total_write_cap, || {
            format!("{total} bytes wait in all")
        });
        world.over_total.set(false);
    }
}

/// A connection for which nothing is left to do until something happens.
fn resting(world: &World, conn: &Conn) {
    let number = conn.number;
    if conn.is_closed() {
        world.check(Contract::C2, conn.wire.close_pending.get(), || {
            format!("{number} is closed and was not lost")
        });
        return;
    }
    let away = conn.wire.away.borrow().is_some();
    let held = conn.wire.held.get();
    let stays = held || away || conn.filters.holds_output();
    let coded = conn.filters.coded.borrow().len();
    let waiting = conn.buffered().max(coded);
    world.check(Contract::C3, waiting == 0 || stays, || {
        format!("{number} has {waiting} bytes that nobody sends")
    });
    let flushed = waiting == 0 && !away && !conn.filters.holds_output();
    let over = conn.is_surely(|phase| phase == Phase::Aborting)
        || (flushed && conn.is_surely(|phase| phase == Phase::Closing));
    world.check(Contract::C4, !over, || format!("{number} was not closed"));
    let told = conn.told_paused.get() == conn.paused.get();
    world.check(Contract::C7, told || conn.has_surely_ended(), || {
        format!("{number} was told of {}", conn.told_paused.get())
    });
    let interest = conn.wire.interest.get();
    world.check(Contract::C7, interest.writable == held, || {
        format!("{number} wants to be told of room: {}", interest.writable)
    });
    if !conn.is_surely_open() {
        let reads = interest.readable && conn.has_surely_ended() && !cipher::reads(conn);
        world.check(Contract::C2, !reads, || {
            format!("{number} reads after its end")
        });
        return;
    }
    world.check(
        Contract::C5,
        conn.output.get() != Output::Ending || !flushed,
        || format!("{number} did not end its side"),
    );
    resting_input(world, conn);
}

fn resting_input(world: &World, conn: &Conn) {
    let number = conn.number;
    let reads = conn.wire.interest.get().readable;
    let wants = conn.wants_input();
    let due = !conn.pending.borrow().is_empty() && !conn.waits.get();
    let open = conn.input.get() == Input::Open;
    world.check(
        Contract::C15,
        !(due && wants) || conn.signalled.get(),
        || format!("{number} has input that is not delivered"),
    );
    let ended = conn.input.get() == Input::Ended;
    world.check(Contract::C5, !(ended && wants), || {
        format!("{number} was not told the end")
    });
    let may = open && (wants && !due || cipher::reads(conn)) && !conn.filters.wire_ended.get();
    world.check(Contract::C7, reads == may || conn.signalled.get(), || {
        format!("{number} reads: {reads}, not {may}")
    });
    let queued = conn.switching.get().is_some();
    world.check(Contract::C15, !queued, || {
        format!("{number} was not switched")
    });
}

/// After turns in which users did nothing, until there was no work.
pub(super) fn at_rest(world: &World) {
    let tokens = world.tokens.borrow();
    let left = tokens.values().find(|token| {
        token.state.get() == State::Queued || (token.is_stale() && token.kind != Kind::CancelHook)
    });
    let left = left.map(|token| (token.kind, token.number));
    world.check(Contract::C16, left.is_none(), || {
        format!("{left:?} neither ran nor was dropped")
    });
    drop(tokens);
    let uncaught = world.uncaught.borrow().len();
    world.check(Contract::C8, uncaught == 0, || {
        format!("{uncaught} panics were not reported")
    });
    let late = world
        .resolvers
        .borrow()
        .iter()
        .find_map(|(resolver, token)| {
            let dead = token.state.get() == State::Dropped && token.kind == Kind::Then;
            (dead && !resolver.is_cancelled()).then_some(token.number)
        });
    world.check(Contract::C16, late.is_none(), || {
        format!("what {late:?} waited for was not cancelled")
    });
    let posts = world.posts.borrow().len();
    let stopped = world.stopping.get().is_some();
    world.check(Contract::C11, posts == 0 || stopped, || {
        format!("{posts} posts did not run")
    });
}

/// The engine is gone.
pub(super) fn at_the_end(world: &World) {
    let made = world.made().len();
    world.check(Contract::C2, made == 0, || {
        format!("{made} connections were never lost")
    });
    let left = world.net().connections();
    world.check(Contract::C17, left == 0, || {
        format!("{left} connections are left")
    });
    let left = world
        .tokens
        .borrow()
        .values()
        .next()
        .map(|token| (token.kind, token.number));
    world.check(Contract::C17, left.is_none(), || {
        format!("{left:?} neither ran nor was dropped")
    });
    let uncaught = world.uncaught.borrow().len();
    world.check(Contract::C8, uncaught == 0, || {
        format!("{uncaught} panics were not reported")
    });
    let connects = world.connects.borrow().len();
    world.check(Contract::C6, connects == 0, || {
        format!("{connects} connects have no outcome")
    });
    let open = world
        .listeners
        .borrow()
        .iter()
        .filter(|one| one.is_open())
        .count();
    world.check(Contract::C17, open == 0, || {
        format!("{open} listeners are open")
    });
    let total = world.net().buffered();
    world.check(Contract::C7, total == 0, || {
        format!("{total} bytes are still counted")
    });
}

/// Keep the lists short.
fn forget(world: &World) {
    let mut conns = world.conns.borrow_mut();
    if conns.len() > 6 {
        let gone = |conn: &Conn| {
            conn.life.get() == Life::Lost && conn.live.get() == 0 && !is_awaited(world, conn)
        };
        let old: Vec<_> = conns.extract_if(.., |conn| gone(conn)).collect();
        drop(conns);
        for conn in old {
            conn.handles.take();
        }
    }
    if world.timers.borrow().len() > 16 {
        world
            .timers
            .borrow_mut()
            .retain(|(_, token)| !token.is_over());
    }
    if world.resolvers.borrow().len() > 24 {
        let oldest = world.resolvers.borrow_mut().remove(0);
        let over = oldest.1.is_over();
        if !over {
            world.resolvers.borrow_mut().push(oldest);
        }
    }
    if world.cancellers.borrow().len() > 8 {
        world.cancellers.borrow_mut().remove(0);
    }
    world
        .connecting
        .borrow_mut()
        .retain(|(token, _)| !token.is_over());
}

fn is_awaited(world: &World, conn: &Conn) -> bool {
    let connects = world.connects.borrow();
    connects.iter().any(|one| one.number == conn.number) || conn.wire.away.borrow().is_some()
}
