//! What user code does, at random, wherever it runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, Disconnect};

use super::conn::{Abrupt, Conn, Input, Life, Output};
use super::counts::Contract;
use super::script::{Four, Leaf, Level, Maker, Two, Typed};
use super::token::{Kind, State};
use super::world::World;
use super::{cipher, later, rare, writes};
use crate::rng::Rng;

/// Where user code runs, and what it has at hand.
#[derive(Clone, Copy, Default)]
pub(super) struct Scene<'a> {
    pub(super) conn: Option<&'a Rc<Conn>>,
    pub(super) handle: Option<&'a Typed>,
    pub(super) data: Option<&'a [u8]>,
    pub(super) place: &'static str,
}

impl<'a> Scene<'a> {
    pub(super) fn of(conn: &'a Rc<Conn>, handle: &'a Typed) -> Self {
        Self {
            conn: Some(conn),
            handle: Some(handle),
            data: None,
            place: "",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Write,
    Lend,
    Close,
    Abort,
    Fail,
    CloseWrite,
    Pause,
    Resume,
    Unread,
    Call,
    CallLater,
    ChangeTimer,
    Wait,
    WaitFlushed,
    WaitClosed,
    Finish,
    Resolve,
    Cancel,
    Switch,
    Limits,
    Throttle,
    Signal,
    LookUnread,
    Panic,
    Post,
    Connect,
    Listen,
    CloseListener,
    Advance,
    PushFilter,
    Hook,
    EndHook,
    Thread,
    Job,
    Stop,
}

const ANYWHERE: &[(usize, Action)] = &[
    (60, Action::Write),
    (6, Action::Close),
    (4, Action::Abort),
    (3, Action::Fail),
    (5, Action::CloseWrite),
    (14, Action::Pause),
    (22, Action::Resume),
    (12, Action::Unread),
    (22, Action::Call),
    (18, Action::CallLater),
    (12, Action::ChangeTimer),
    (24, Action::Wait),
    (6, Action::WaitFlushed),
    (3, Action::WaitClosed),
    (8, Action::Finish),
    (26, Action::Resolve),
    (3, Action::Cancel),
    (6, Action::Switch),
    (8, Action::Limits),
    (5, Action::Throttle),
    (5, Action::Signal),
    (3, Action::LookUnread),
    (5, Action::Panic),
    (8, Action::Post),
    (4, Action::Connect),
    (3, Action::Listen),
    (1, Action::CloseListener),
    (4, Action::Advance),
    (4, Action::PushFilter),
    (2, Action::Hook),
    (3, Action::EndHook),
    (4, Action::Thread),
    (6, Action::Job),
];

/// Do something, or nothing.
pub(super) fn act(world: &Rc<World>, scene: &Scene<'_>) {
    let count = world.script.pick(&[0, 0, 1, 1, 1, 2, 3]);
    for _ in 0..count {
        let rng = Rng::new(world.script.next());
        if may_act(world) {
            perform(world, scene, &rng);
        }
    }
    // Whoever is told an end mostly ends, too.
    if matches!(scene.place, "eof" | "stopping")
        && !world.script.one_in(3)
        && may_act(world)
        && let (Some(conn), Some(handle)) = (scene.conn, scene.handle)
    {
        close(world, conn, handle.connection());
    }
}

/// Whether the next action of this step may happen.
pub(super) fn may_act(world: &World) -> bool {
    let number = world.acted.get();
    world.acted.set(number + 1);
    number < 32 && world.allowed.get() >> number & 1 == 1
}

/// A value of the user's is dropped by the library.
pub(super) fn in_drop(world: &Rc<World>) {
    if std::thread::panicking() || world.no_drops.get() {
        return;
    }
    let nested = world.depth.get() == 0 || world.in_call.get() > 0 || !world.in_turn.get();
    world.check(Contract::C1, nested, || {
        "a value was dropped inside user code that had not given it".into()
    });
    let _user = world.enter_nested();
    if world.script.one_in(4) {
        let scene = Scene {
            place: "drop",
            ..Scene::default()
        };
        let _dropping = world.dropping();
        act(world, &scene);
    }
}

fn perform(world: &Rc<World>, scene: &Scene<'_>, rng: &Rng) {
    let mut action = rng.weighted(ANYWHERE);
    if scene.data.is_some() && rng.one_in(2) {
        action = if rng.one_in(6) {
            Action::Unread
        } else {
            Action::Lend
        };
    }
    if rng.one_in(1500) {
        action = Action::Stop;
    }
    if scene.place == "outside" && action == Action::Panic {
        return;
    }
    world.counts.did(name(action));
    if on_world(world, scene, action, rng) {
        return;
    }
    let Some((conn, handle)) = target(world, scene, rng) else {
        return;
    };
    on_connection(world, scene, action, rng, &conn, &handle);
}

fn name(action: Action) -> &'static str {
    match action {
        Action::Write => "user: write",
        Action::Lend => "user: write of what is delivered",
        Action::Close | Action::Abort | Action::Fail | Action::CloseWrite => "user: end",
        Action::Pause | Action::Resume => "user: pause and resume reading",
        Action::Unread | Action::LookUnread => "user: unread",
        Action::Call => "user: call",
        Action::CallLater | Action::ChangeTimer => "user: timer",
        Action::Wait | Action::WaitFlushed | Action::WaitClosed => "user: then and hold",
        Action::Finish | Action::Resolve | Action::Cancel => "user: deferred",
        Action::Switch => "user: switch",
        Action::Limits | Action::Throttle => "user: marks and throttle",
        Action::Signal => "user: signal",
        Action::Panic => "user: panic",
        Action::Post => "user: post",
        Action::Connect => "user: connect",
        Action::Listen | Action::CloseListener => "user: listen",
        Action::Advance => "user: time passes",
        Action::PushFilter => "user: filter",
        Action::Hook | Action::EndHook => "user: hook before a stop",
        Action::Thread => "user: call in a thread",
        Action::Job => "user: job of an extension",
        Action::Stop => "user: stop",
    }
}

/// The connection to act on, and a handle of it, perhaps one of a stack that is gone.
fn target(world: &Rc<World>, scene: &Scene<'_>, rng: &Rng) -> Option<(Rc<Conn>, Typed)> {
    if let (Some(conn), Some(handle)) = (scene.conn, scene.handle)
        && rng.below(10) < 7
    {
        return Some((Rc::clone(conn), Rc::clone(handle)));
    }
    let conns = world.conns.borrow();
    let conn = conns.get(rng.below(conns.len()))?;
    if scene.place == "drop" && world.sending.get() == Some(conn.number) {
        // What the socket just took is not counted yet.
        return None;
    }
    let handles = conn.handles.borrow();
    let recent = handles.len().saturating_sub(rng.pick(&[1, 1, 1, 2, 3, 5]));
    let handle = handles.get(recent)?;
    Some((Rc::clone(conn), Rc::clone(handle)))
}

/// What concerns no one connection. Returns whether it was that.
fn on_world(world: &Rc<World>, scene: &Scene<'_>, action: Action, rng: &Rng) -> bool {
    match action {
        Action::Panic if rng.one_in(2) => world.panic(),
        Action::CallLater if rng.one_in(3) => later::free_timer(world, rng),
        Action::ChangeTimer => later::change_timer(world, rng),
        Action::Finish => later::finish(world, rng),
        Action::Resolve => later::resolve(world, rng),
        Action::Cancel => later::cancel(world, rng),
        Action::Post => later::post(world),
        Action::Connect => connect(world, rng),
        Action::Listen => listen(world, rng),
        Action::CloseListener => close_listener(world, rng),
        Action::Advance => world
            .now
            .set(world.now() + rng.pick(&[1, 5, 20, 300, 3000])),
        Action::Hook => rare::hook(world, rng),
        Action::EndHook => rare::end_hook(world, rng),
        Action::Thread => rare::thread(world),
        Action::Job => rare::job(world, rng),
        Action::Stop if scene.place != "drop" => stop(world),
        Action::Stop | Action::Panic => {}
        _ => return false,
    }
    true
}

fn on_connection(
    world: &Rc<World>,
    scene: &Scene<'_>,
    action: Action,
    rng: &Rng,
    conn: &Rc<Conn>,
    handle: &Typed,
) {
    let connection = handle.connection();
    if world.in_drop.get() {
        writes::may_be_shed(world, conn);
    }
    match action {
        Action::Write => writes::write(world, conn, connection, rng),
        Action::Lend => writes::lend(world, conn, connection, rng, scene.data.unwrap_or_default()),
        Action::Close => close(world, conn, connection),
        Action::Abort => {
            world.note(|| format!("{}.abort()", conn.number));
            conn.end(&Disconnect::Aborted, Abrupt::Yes);
            connection.abort();
        }
        Action::Fail => {
            world.note(|| format!("{}.fail()", conn.number));
            let reason = Disconnect::application(format!("reason {}", rng.below(100)));
            conn.end(&reason, Abrupt::No);
            connection.fail(reason);
        }
        Action::CloseWrite => close_write(world, conn, connection),
        Action::Pause | Action::Resume => {
            hold_reading(world, conn, handle, action == Action::Pause, rng);
        }
        Action::Unread => unread(world, scene, conn, connection, rng),
        Action::Call => later::call(world, conn, handle),
        Action::CallLater => later::timer(world, conn, handle, rng),
        Action::Wait => later::wait(world, conn, handle, rng),
        Action::WaitFlushed | Action::WaitClosed => {
            later::watch(world, conn, handle, action == Action::WaitFlushed, rng);
        }
        Action::Switch => switch(world, conn, handle),
        Action::Limits => marks(world, conn, connection, rng),
        Action::PushFilter => cipher::push(world, conn, connection, rng),
        Action::Throttle => {
            let on = rng.one_in(2);
            world.note(|| format!("{}.throttle_input({on})", conn.number));
            conn.throttled.set(on);
            connection.throttle_input(on);
        }
        Action::Signal => {
            world.note(|| format!("{}.signal() of layer {}", conn.number, handle.depth()));
            conn.signalled.set(true);
            handle.signal(NonZeroUsize::MIN);
        }
        Action::LookUnread if scene.place != "eof" && !world.in_drop.get() => {
            let empty = connection.with_unread(<[u8]>::is_empty);
            world.check(Contract::C5, empty, || "unread input outside of eof".into());
        }
        _ => {}
    }
}

fn close(world: &World, conn: &Conn, connection: &Connection) {
    world.note(|| format!("{}.close()", conn.number));
    let reason = if conn.told_end.get() {
        Disconnect::PeerClosed
    } else {
        Disconnect::Closed
    };
    conn.end(&reason, Abrupt::No);
    connection.close();
}

fn close_write(world: &World, conn: &Conn, connection: &Connection) {
    world.note(|| format!("{}.close_write()", conn.number));
    if conn.output.get() == Output::Open && !conn.has_surely_ended() {
        conn.output.set(Output::Ending);
        if conn.input.get() == Input::Told {
            conn.loom(Disconnect::PeerClosed, Abrupt::No);
        }
    }
    connection.close_write();
}

fn hold_reading(world: &World, conn: &Conn, handle: &Typed, pause: bool, rng: &Rng) {
    let typed = !rng.one_in(3);
    world.note(|| {
        let (what, layer) = (if pause { "pause" } else { "resume" }, handle.depth());
        format!("{}.{what}_reading() {typed} {layer}", conn.number)
    });
    if typed {
        if handle.stack() == conn.stack.get() {
            let bit = 1 << handle.depth();
            let held = conn.layer_pauses.get();
            let held = if pause { held | bit } else { held & !bit };
            conn.layer_pauses.set(held);
        }
        if pause {
            handle.pause()
        } else {
            handle.resume()
        }
    } else {
        conn.handle_paused.set(pause);
        let connection = handle.connection();
        if pause {
            connection.pause_reading();
        } else {
            connection.resume_reading();
        }
    }
}

fn unread(world: &World, scene: &Scene<'_>, conn: &Conn, connection: &Connection, rng: &Rng) {
    if rng.one_in(8) {
        let limit = rng.pick(&[0, 5, 1000, 100_000]);
        world.note(|| format!("{}.set_unread_limit({limit})", conn.number));
        conn.unread_limit.set(limit);
        connection.set_unread_limit(limit);
        return;
    }
    let len = scene.data.map_or(3, <[u8]>::len);
    let n = match rng.below(6) {
        0 => len,
        1 => len + 1 + rng.below(100),
        _ => rng.below(len + 1),
    };
    world.note(|| format!("{}.unread({n})", conn.number));
    conn.unread.set(conn.unread.get().max(n));
    connection.unread(n);
}

fn switch(world: &Rc<World>, conn: &Rc<Conn>, handle: &Typed) {
    let stack = conn.new_stack();
    world.note(|| {
        format!(
            "{}.switch({stack}) of stack {}",
            conn.number,
            handle.stack()
        )
    });
    if handle.stack() == conn.stack.get() && !conn.has_surely_ended() {
        if !conn.is_surely_open() || world.in_drop.get() {
            // Whether it will be done cannot be told.
            return;
        }
        conn.switching.set(Some(stack));
    }
    world.call(|| handle.switch(world, conn, stack));
}

fn marks(world: &World, conn: &Conn, connection: &Connection, rng: &Rng) {
    let high = rng.pick(&[0, 1, 10, 100, 1000, 100_000]);
    let low = rng.pick(&[0, 1, 10, 100, 1000]);
    world.note(|| format!("{}.set_write_limits({low}, {high})", conn.number));
    let high_set = high.min(world.limits.write_cap);
    conn.high.set(high_set);
    conn.low.set(low.min(high_set));
    conn.evaluate_flow();
    connection.set_write_limits(low, high);
}

fn connect(world: &Rc<World>, rng: &Rng) {
    if world.connects.borrow().len() >= 4 || world.conns.borrow().len() >= 12 {
        return;
    }
    let conn = world.new_conn(false);
    conn.life.set(Life::Unmade);
    let stack = conn.new_stack();
    conn.stack.set(stack);
    world.note(|| format!("connect {}", conn.number));
    let port = 1 + (conn.number % 60_000) as u16;
    let addresses: Vec<SocketAddr> = (0..rng.pick(&[0, 1, 1, 1, 2, 3]))
        .map(|n| SocketAddr::from((Ipv4Addr::new(127, 0, 0, n), port)))
        .collect();
    world.connects.borrow_mut().push(Rc::clone(&conn));
    world.conns.borrow_mut().push(Rc::clone(&conn));
    let (ticket, token) = world.ticket(Kind::Connect, None, false);
    conn.connect.set(Some(token.number));
    let outcome = {
        let (world, conn) = (Rc::clone(world), Rc::clone(&conn));
        move |made: bool| {
            let _user = world.enter("outcome of connect", Some(&conn));
            ticket.run(None, 0);
            let begun = conn.id.get().is_some();
            let fine = match made {
                true => begun,
                false => conn.cancelled.get() || (!begun && conn.life.get() == Life::Lost),
            };
            world.check(Contract::C6, fine, || {
                format!("connect {}: {made} in {:?}", conn.number, conn.life.get())
            });
            world
                .connects
                .borrow_mut()
                .retain(|one| !Rc::ptr_eq(one, &conn));
            act(&world, &Scene::default());
        }
    };
    let net = world.net();
    macro_rules! go {
        ($protocol:ty) => {{
            let protocol = <$protocol>::build(world, &conn, stack, 0);
            let deferred = world.call(|| net.connect(&addresses[..], protocol));
            world
                .connecting
                .borrow_mut()
                .push((token.clone(), deferred.canceller()));
            deferred.finish(move |result| outcome(result.is_ok()));
        }};
    }
    match rng.below(3) {
        0 => go!(Leaf),
        1 => go!(Two),
        _ => go!(Four),
    }
    if token.state.get() == State::Given {
        token.state.set(State::Waits);
    }
}

fn listen(world: &Rc<World>, rng: &Rng) {
    if world.listeners.borrow().len() >= 3 {
        return;
    }
    let net = world.net();
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let made = world.call(|| match rng.below(3) {
        0 => net.listen(at, Maker::<Leaf>::new(world)),
        1 => net.listen(at, Maker::<Two>::new(world)),
        _ => net.listen(at, Maker::<Four>::new(world)),
    });
    world.note(|| format!("listen: {}", made.is_ok()));
    let right = made.is_ok() != world.gone.get() || world.ending.get();
    world.check(Contract::C17, right, || format!("listen: {made:?}"));
    if let Ok(listener) = made {
        world.listeners.borrow_mut().push(listener);
    }
}

fn close_listener(world: &Rc<World>, rng: &Rng) {
    let listener = {
        let mut listeners = world.listeners.borrow_mut();
        if listeners.is_empty() {
            return;
        }
        let index = rng.below(listeners.len());
        listeners.swap_remove(index)
    };
    world.note(|| "close a listener".into());
    listener.close();
    world.check(Contract::C12, !listener.is_open(), || {
        "a closed listener is open".into()
    });
}

fn stop(world: &World) {
    world.note(|| "stop".into());
    if world.stopping.get().is_none() {
        world.stopping.set(Some(world.now()));
    }
    world.net().stop();
}

/// So that durations read the same everywhere: the model's clock counts nanoseconds.
pub(super) fn nanos(n: u64) -> Duration {
    Duration::from_nanos(n)
}
