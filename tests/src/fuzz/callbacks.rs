//! What the callbacks of a scripted protocol check before they act.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use torsade_core::{Connection, Disconnect, Limit, Transport};

use super::actions::{self, Scene};
use super::conn::{Abrupt, Conn, Input, Life, Output, Phase};
use super::counts::Contract;
use super::rare;
use super::script::{Level, Node};
use super::world::World;

/// Every layer acts, the outermost first.
fn act<P: Level>(me: &mut P, transport: &Transport<P>, data: Option<&[u8]>, place: &'static str) {
    me.each(transport, &mut |node, handle| {
        let mut scene = Scene::of(&node.conn, &handle);
        scene.data = data;
        scene.place = place;
        actions::act(&Rc::clone(&node.world), &scene);
    });
}

fn parts<P: Level>(me: &mut P) -> (Rc<World>, Rc<Conn>, u32) {
    let node = me.node();
    (Rc::clone(&node.world), Rc::clone(&node.conn), node.stack)
}

pub(super) fn made<P: Level>(me: &mut P, transport: &Transport<P>) {
    let (world, conn, stack) = parts(me);
    let _user = world.enter("connection_made", Some(&conn));
    match conn.life.get() {
        Life::Unmade => {
            conn.life.set(Life::Made);
            conn.id.set(Some(transport.id()));
            let first = conn.stack.get() == stack;
            world.check(Contract::C2, first, || "another protocol was made".into());
        }
        life => {
            let switched = life == Life::Made && conn.switching.get() == Some(stack);
            world.check(Contract::C2, switched, || {
                format!("{} was made, being {life:?}", conn.number)
            });
            conn.switching.set(None);
            conn.stack.set(stack);
            conn.layer_pauses.set(0);
            conn.told_paused.set(false);
            conn.waits.set(false);
            // With the pause that follows at once, it is one piece of work.
            let work = usize::from(!conn.paused.get());
            world.worked.set(world.worked.get() + work);
        }
    }
    me.each(transport, &mut |node, handle| {
        node.conn.handles.borrow_mut().push(handle);
    });
    look(&world, &conn, transport);
    act(me, transport, None, "made");
}

pub(super) fn data<P: Level>(me: &mut P, transport: &Transport<P>, data: &[u8]) {
    let (world, conn, stack) = parts(me);
    let user = world.enter("data_received", Some(&conn));
    world.note(|| format!("{} bytes", data.len()));
    check_fact(&world, &conn, stack, "data");
    look(&world, &conn, transport);
    let taken = conn.pending.borrow().iter().take(data.len()).eq(data);
    world.check(Contract::C15, taken && !data.is_empty(), || {
        format!("{} was given bytes that are not next", conn.number)
    });
    let again = conn.waits.get() && !conn.signalled.take();
    world.check(Contract::C15, !again, || {
        format!("{} was given again what waits for more", conn.number)
    });
    if world.redelivers.get() {
        world.redelivered.set(world.redelivered.get() + 1);
    }
    conn.unread.set(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        act(me, transport, Some(data), "data");
    }));
    drop(user);
    let rest = conn.unread.take().min(data.len());
    let mut pending = conn.pending.borrow_mut();
    let whole = pending.len() == data.len();
    let consumed = (data.len() - rest).min(pending.len());
    pending.drain(..consumed);
    drop(pending);
    let wanted = transport.wants_input();
    conn.waits.set(rest > 0 && whole && wanted);
    if outcome.is_ok() && rest > conn.unread_limit.get() && wanted {
        let reason = Disconnect::LimitPassed(Limit::Unread);
        conn.end(&reason, Abrupt::No);
        conn.waits.set(false);
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

pub(super) fn eof<P: Level>(me: &mut P, transport: &Transport<P>) {
    let (world, conn, stack) = parts(me);
    let _user = world.enter("eof_received", Some(&conn));
    check_fact(&world, &conn, stack, "eof");
    let input = conn.input.replace(Input::Told);
    world.check(Contract::C5, input == Input::Ended, || {
        format!("{} was told the end in {input:?}", conn.number)
    });
    conn.told_end.set(true);
    let rest = conn.pending.take();
    let after_all = rest.is_empty() || conn.waits.get();
    world.check(Contract::C5, after_all, || {
        format!("{} was told the end before its data", conn.number)
    });
    let same = transport.with_unread(|unread| rest.iter().eq(unread));
    world.check(Contract::C5, same, || {
        format!("{}: with_unread is not what was left", conn.number)
    });
    look(&world, &conn, transport);
    conn.waits.set(false);
    if conn.output.get() != Output::Open {
        conn.loom(Disconnect::PeerClosed, Abrupt::No);
    }
    act(me, transport, None, "eof");
}

/// Data and the end come only while they may.
fn check_fact(world: &World, conn: &Conn, stack: u32, what: &str) {
    let number = conn.number;
    world.check(
        Contract::C2,
        conn.is_made() && conn.stack.get() == stack,
        || format!("{number} was given {what} in {:?}", conn.life.get()),
    );
    world.check(Contract::C4, !conn.has_surely_ended(), || {
        format!("{number} was given {what} after its end began")
    });
    let contract = if conn.holds.get() > 0 {
        Contract::C16
    } else {
        Contract::C7
    };
    world.check(contract, !conn.is_held(), || {
        format!("{number} was given {what} while that was held back")
    });
    let told = conn.input.get() == Input::Told;
    world.check(Contract::C5, !told, || {
        format!("{number} was given {what} after the end")
    });
    check_continuations(world, conn, what);
}

/// Continuations come before facts.
fn check_continuations(world: &World, conn: &Conn, what: &str) {
    let tokens = world.tokens.borrow();
    let queued = world.queue.borrow().iter().find_map(|number| {
        let token = tokens.get(number)?;
        let place = token.place.as_ref()?;
        (place.conn.number == conn.number && !token.is_stale()).then_some(*number)
    });
    world.check(Contract::C1, queued.is_none(), || {
        format!("{} was given {what} before {queued:?}", conn.number)
    });
}

pub(super) fn flow<P: Level>(me: &mut P, transport: &Transport<P>, pause: bool) {
    let (world, conn, stack) = parts(me);
    let name = if pause {
        "pause_writing"
    } else {
        "resume_writing"
    };
    let _user = world.enter(name, Some(&conn));
    let told = conn.told_paused.replace(pause);
    let right = conn.is_made() && conn.stack.get() == stack;
    world.check(Contract::C7, told != pause && right, || {
        format!("{name} of {} twice", conn.number)
    });
    world.worked.set(world.worked.get() + 1);
    look(&world, &conn, transport);
    act(me, transport, None, "flow");
}

pub(super) fn stopping<P: Level>(me: &mut P, transport: &Transport<P>) {
    let (world, conn, _) = parts(me);
    let _user = world.enter("stopping", Some(&conn));
    let fine = conn.is_made() && world.stopping.get().is_some() && !conn.has_surely_ended();
    world.check(Contract::C17, fine, || {
        format!(
            "{} was told of a stop that is none, or after its end",
            conn.number
        )
    });
    rare::check_hooks(&world);
    world.worked.set(world.worked.get() + 1);
    act(me, transport, None, "stopping");
}

pub(super) fn lost<P: Level>(me: &mut P, transport: &Transport<P>, reason: &Disconnect) {
    let (world, conn, stack) = parts(me);
    let _user = world.enter("connection_lost", Some(&conn));
    world.note(|| format!("{reason}"));
    let number = conn.number;
    let made = conn.is_made() && conn.stack.get() == stack && conn.switching.get().is_none();
    world.check(Contract::C2, made, || {
        format!(
            "{number} was lost in {:?}, of stack {stack}",
            conn.life.get()
        )
    });
    world.check(Contract::C2, world.losing.get(), || {
        format!("{number} was lost in the midst of a turn")
    });
    let ending = world.ending.get();
    let closed = conn.is_closed() && !conn.wire.close_pending.get();
    world.check(Contract::C2, closed || ending, || {
        format!("{number} was lost before its socket was closed")
    });
    world.check(Contract::C16, conn.live.get() == 0, || {
        format!(
            "{number} was lost with {} continuations left",
            conn.live.get()
        )
    });
    check_continuations(&world, &conn, "its loss");
    check_reason(&world, &conn, reason);
    conn.life.set(Life::Lost);
    conn.pending.borrow_mut().clear();
    act(me, transport, None, "lost");
}

fn check_reason(world: &World, conn: &Conn, reason: &Disconnect) {
    let fine = conn.may_have_ended_with(reason);
    world.check(Contract::C6, fine, || {
        format!(
            "{} was lost with {reason:?}, but ended with {:?}",
            conn.number,
            conn.ends.borrow()
        )
    });
}

/// The outermost layer of a protocol is dropped.
pub(super) fn dropped(node: &Node) {
    let (world, conn) = (&node.world, &node.conn);
    if conn.life.get() == Life::Made && conn.stack.get() == node.stack {
        let switching = conn.switching.get();
        world.check(
            Contract::C2,
            switching.is_some() || world.gone.get(),
            || format!("{} was dropped without a loss", conn.number),
        );
        // Between two stacks: what belongs to the old one is dropped from here on.
        conn.stack.set(u32::MAX);
        conn.layer_pauses.set(0);
    }
    if conn.life.get() == Life::Unmade && conn.stack.get() == node.stack {
        conn.life.set(Life::Lost);
    }
}

/// What a handle says agrees with the model.
pub(super) fn look(world: &World, conn: &Conn, handle: &Connection) {
    let number = conn.number;
    let buffered = (handle.buffered(), conn.buffered());
    world.check(Contract::C7, buffered.0 == buffered.1, || {
        format!("{number} has {} buffered, not {}", buffered.0, buffered.1)
    });
    world.check(
        Contract::C4,
        handle.bytes_dropped() == conn.dropped.get(),
        || format!("{number} counts {} dropped", handle.bytes_dropped()),
    );
    world.check(Contract::C3, handle.bytes_sent() == conn.sent.get(), || {
        format!("{number} counts {} sent", handle.bytes_sent())
    });
    // What filters decode while it is being closed may count or not.
    let sure = !conn.filters.any() || conn.is_surely_open();
    let received = handle.bytes_received() == conn.received.get() || !sure;
    world.check(Contract::C15, received, || {
        format!("{number} counts {} received", handle.bytes_received())
    });
    let wants = (handle.wants_input(), conn.wants_input());
    let open = conn.is_surely(|phase| phase == Phase::Open);
    world.check(
        Contract::C7,
        wants.0 == wants.1 || (!wants.0 && !open),
        || format!("{number} wants input: {wants:?}"),
    );
    let wants = (handle.wants_output(), conn.wants_output());
    world.check(
        Contract::C7,
        wants.0 == wants.1 || (!wants.0 && !open),
        || format!("{number} wants output: {wants:?}"),
    );
}
