//! What the driver does: turns, facts, and time.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use torsade_core::driver::Op;
use torsade_core::{ConnectionId, Disconnect, Peer, Timeout, WhenFull};

use super::actions::{self, Scene};
use super::cipher;
use super::conn::{Abrupt, Away, Conn, Input, Life, Phase};
use super::counts::Contract;
use super::run::Run;
use crate::rng::Rng;

#[derive(Clone, Copy, Debug)]
enum Fact {
    Received,
    Readable,
    InputLeft,
    FactsLeft,
    InputEnded,
    Failed,
    Writable,
    Sent,
    Closed,
    Accepted,
    Connected,
    ConnectFailed,
    AbortAll,
    Stale,
    Room,
    Time,
    End,
}

const FACTS: &[(usize, Fact)] = &[
    (60, Fact::Received),
    (16, Fact::Readable),
    (4, Fact::InputLeft),
    (1, Fact::FactsLeft),
    (5, Fact::InputEnded),
    (3, Fact::Failed),
    (16, Fact::Writable),
    (16, Fact::Sent),
    (10, Fact::Closed),
    (14, Fact::Accepted),
    (10, Fact::Connected),
    (3, Fact::ConnectFailed),
    (1, Fact::Stale),
    (16, Fact::Room),
    (5, Fact::Time),
    (36, Fact::End),
];

/// One operation.
pub(super) fn step(run: &mut Run, rng: &Rng) {
    let world = Rc::clone(&run.world);
    if rng.one_in(60) {
        world.counts.did("driver: turns until there is rest");
        world.note(|| "-- settle".into());
        run.settle();
        super::checks::at_rest(&world);
        return;
    }
    if !world.in_turn.get() {
        outside(run, rng);
        return;
    }
    let fact = if rng.one_in(3000) {
        Fact::AbortAll
    } else {
        rng.weighted(FACTS)
    };
    world.counts.did(name(fact));
    if !matches!(fact, Fact::End) {
        world.note(|| format!("-- {fact:?}"));
    }
    tell(run, fact, rng);
}

fn name(fact: Fact) -> &'static str {
    match fact {
        Fact::Received | Fact::Readable => "driver: received, readable",
        Fact::InputLeft | Fact::FactsLeft => "driver: input left, facts left",
        Fact::InputEnded => "driver: input ended",
        Fact::Failed => "driver: failed",
        Fact::Writable => "driver: writable",
        Fact::Sent => "driver: sent",
        Fact::Closed => "driver: closed",
        Fact::Accepted => "driver: accepted",
        Fact::Connected | Fact::ConnectFailed => "driver: connected, connect failed",
        Fact::AbortAll => "driver: abort all",
        Fact::Stale => "driver: facts of what is gone",
        Fact::Room => "driver: room and breakage",
        Fact::Time => "driver: time passes",
        Fact::End => "driver: turn ends",
    }
}

/// Between two turns.
fn outside(run: &mut Run, rng: &Rng) {
    let world = Rc::clone(&run.world);
    match rng.below(10) {
        0 => {
            world.counts.did("driver: time passes");
            let passes = rng.pick(&[1, 10, 100, 1000, 20_000]);
            world.note(|| format!("-- {passes} pass"));
            world.now.set(world.now() + passes);
        }
        1 | 2 => {
            world.counts.did("driver: calls from outside");
            world.note(|| "-- outside".into());
            let idle = !run.engine.has_work();
            let scene = Scene {
                place: "outside",
                ..Scene::default()
            };
            actions::act(&world, &scene);
            let woken = !idle || !run.engine.has_work() || world.wakes.count() > world.woken.get();
            world.check(Contract::C11, woken, || {
                "work came in between two turns, and the driver was not woken".into()
            });
        }
        _ => {
            world.counts.did("driver: turn begins");
            begin(run);
        }
    }
}

pub(super) fn begin(run: &mut Run) {
    let world = Rc::clone(&run.world);
    world.note(|| "-- begin".into());
    world.in_turn.set(true);
    world.asleep.set(false);
    world.turn.set(world.turn.get() + 1);
    world.began.set(world.now());
    world.facts_left.set(false);
    world.worked.set(0);
    world.redelivered.set(0);
    world.posts_run.set(0);
    run.engine.begin(&mut run.wire);
    let posts = world.posts_run.get();
    world.check(Contract::C10, posts <= world.limits.turn_posts, || {
        format!("{posts} posted calls in a turn")
    });
}

pub(super) fn end(run: &mut Run) {
    let world = Rc::clone(&run.world);
    world.note(|| "-- end".into());
    if let Some(at) = world.stopping.get()
        && world.now() >= at + world.limits.stop_timeout.as_nanos() as u64
    {
        world.loom(&Disconnect::TimedOut(Timeout::Stop));
    }
    for conn in world.made() {
        let due = !conn.pending.borrow().is_empty() && !conn.waits.get();
        let left = conn.left.get() == world.turn.get() || world.facts_left.get();
        conn.waited.set(due || left);
        let patience = world.limits.flush_timeout.as_nanos() as u64;
        cipher::may_be_late(&world, &conn);
        conn.admit_looming();
        if conn.may_be(Phase::Closing) && world.now() >= conn.wire.progress.get() + patience {
            conn.loom(Disconnect::TimedOut(Timeout::Flush), Abrupt::Yes);
        }
    }
    if world.aborting.take() {
        world.loom(&Disconnect::Aborted);
    }
    world.losing.set(true);
    world.redelivers.set(true);
    run.engine.end(&mut run.wire);
    world.losing.set(false);
    world.redelivers.set(false);
    world.in_turn.set(false);
    world.woken.set(world.wakes.count());
    for token in world.tokens.borrow().values() {
        if token.kind == super::token::Kind::Timer && token.deadline.get().is_none() {
            token.deadline.set(Some(world.now() + token.after.get()));
        }
    }
    let (worked, again) = (world.worked.get(), world.redelivered.get());
    let most = world.limits.turn_continuations;
    world.check(Contract::C10, worked <= most && again <= most, || {
        format!("{worked} continuations and {again} redeliveries in a turn")
    });
    operations(run);
}

fn operations(run: &mut Run) {
    let world = Rc::clone(&run.world);
    while let Some(op) = run.engine.poll_op() {
        world.note(|| format!("asked for {op:?}"));
        match op {
            Op::Connect {
                attempt, address, ..
            } => {
                let port = address.port().map_or(0, usize::from);
                let conns = world.conns.borrow();
                let conn = conns
                    .iter()
                    .find(|conn| !conn.accepted && conn.number % 60_000 + 1 == port);
                if let Some(conn) = conn {
                    world.attempts.borrow_mut().push((attempt, Rc::clone(conn)));
                }
            }
            Op::CancelConnect { attempt } => {
                world
                    .attempts
                    .borrow_mut()
                    .retain(|(one, _)| *one != attempt);
            }
            Op::Stop => {
                let left = world.made().len();
                world.check(Contract::C17, left == 0, || {
                    format!("stopped with {left} connections")
                });
            }
            _ => {}
        }
    }
}

/// A connection whose socket the driver has.
fn pick(run: &Run, rng: &Rng, fits: impl Fn(&Conn) -> bool) -> Option<(Rc<Conn>, ConnectionId)> {
    let conns = run.world.conns.borrow();
    let fit: Vec<_> = conns
        .iter()
        .filter(|conn| conn.is_made() && fits(conn))
        .collect();
    let conn = fit.get(rng.below(fit.len()))?;
    Some((Rc::clone(conn), conn.id.get()?))
}

fn tell(run: &mut Run, fact: Fact, rng: &Rng) {
    match fact {
        Fact::Received | Fact::Readable => read(run, rng, matches!(fact, Fact::Readable)),
        Fact::InputLeft => {
            let open = |conn: &Conn| !conn.is_closed() && conn.input.get() == Input::Open;
            if let Some((conn, id)) = pick(run, rng, open) {
                conn.left.set(run.world.turn.get());
                run.engine.input_left(id);
            }
        }
        Fact::FactsLeft => {
            run.world.facts_left.set(true);
            run.engine.facts_left();
        }
        Fact::InputEnded | Fact::Failed => input_over(run, rng, matches!(fact, Fact::Failed)),
        Fact::Writable => writable(run, rng),
        Fact::Sent => sent(run, rng),
        Fact::Closed => closed(run, rng),
        Fact::Accepted => accepted(run, rng),
        Fact::Connected | Fact::ConnectFailed => {
            connected(run, rng, matches!(fact, Fact::Connected));
        }
        Fact::AbortAll => {
            // At the end of this turn.
            let world = &run.world;
            world.aborting.set(true);
            world
                .stopping
                .set(world.stopping.get().or_else(|| Some(world.now())));
            run.engine.abort_all();
        }
        Fact::Stale => stale(run, rng),
        Fact::Room => room(run, rng),
        Fact::Time => run
            .world
            .now
            .set(run.world.now() + rng.pick(&[1, 10, 100, 2000])),
        Fact::End => end(run),
    }
}

fn read(run: &mut Run, rng: &Rng, readable: bool) {
    // Mostly what a driver would do, now and then what was under way when reading was paused.
    let strict = readable || !rng.one_in(4);
    let fits = |conn: &Conn| {
        conn.input.get() == Input::Open
            && !conn.is_closed()
            && !conn.filters.wire_ended.get()
            && (!strict || conn.wire.interest.get().readable)
    };
    let Some((conn, id)) = pick(run, rng, fits) else {
        return;
    };
    let world = Rc::clone(&run.world);
    let data = rng.bytes(rng.len().max(1));
    let came = |conn: &Conn| {
        world.note(|| format!("{} bytes for {}", data.len(), conn.number));
        conn.left.set(0);
        if conn.filters.came(&data) {
            return;
        }
        conn.received.set(conn.received.get() + data.len() as u64);
        if !conn.has_surely_ended() {
            conn.pending.borrow_mut().extend(&data);
            conn.waits.set(false);
        }
    };
    if !readable {
        came(&conn);
        run.engine.received(&mut run.wire, id, &data);
        return;
    }
    let mut buffer = vec![0; data.len() + rng.below(2)];
    let full = buffer.len() == data.len();
    let (wire, turn) = (&mut run.wire, world.turn.get());
    run.engine.readable(wire, id, &mut buffer, |conn, buffer| {
        if rng.one_in(8) {
            return Err(ErrorKind::WouldBlock.into());
        }
        came(conn);
        if full {
            conn.left.set(turn);
        }
        buffer[..data.len()].copy_from_slice(&data);
        Ok(data.len())
    });
}

fn input_over(run: &mut Run, rng: &Rng, failed: bool) {
    let open = |conn: &Conn| {
        let over = conn.filters.wire_ended.get();
        let known = !conn.filters.any() || conn.is_surely_open() || conn.has_surely_ended();
        !conn.is_closed() && conn.input.get() == Input::Open && !over && known
    };
    let Some((conn, id)) = pick(run, rng, open) else {
        return;
    };
    run.world.note(|| format!("of {}", conn.number));
    conn.left.set(0);
    if failed {
        let kind = rng.pick(&[ErrorKind::ConnectionReset, ErrorKind::TimedOut]);
        conn.input.set(Input::Failed);
        conn.loom(Disconnect::from(io::Error::from(kind)), Abrupt::Yes);
        run.engine.failed(&mut run.wire, id, kind.into());
    } else {
        conn.filters.end_wire();
        cipher::cut_off(&run.world, &conn);
        if conn.filters.placed.get() == 0 {
            conn.input.set(Input::Ended);
        }
        run.engine.input_ended(&mut run.wire, id);
    }
}

fn writable(run: &mut Run, rng: &Rng) {
    let strict = !rng.one_in(5);
    let fits = |conn: &Conn| !conn.is_closed() && (!strict || conn.wire.interest.get().writable);
    let Some((conn, id)) = pick(run, rng, fits) else {
        return;
    };
    run.world.note(|| format!("of {}", conn.number));
    if conn.wire.room.get() == 0 || rng.one_in(2) {
        conn.wire.room.set(rng.pick(&[1, 10, 100, usize::MAX]));
    }
    run.engine.writable(&mut run.wire, id);
}

fn sent(run: &mut Run, rng: &Rng) {
    // Also of connections that were lost meanwhile.
    let away = |conn: &&Rc<Conn>| conn.wire.away.borrow().is_some();
    let conns: Vec<_> = run
        .world
        .conns
        .borrow()
        .iter()
        .filter(away)
        .cloned()
        .collect();
    let Some(conn) = conns.get(rng.below(conns.len())) else {
        return;
    };
    let Some(id) = conn.id.get() else {
        return;
    };
    let Some(away) = conn.wire.away.take() else {
        return;
    };
    let bytes = away.bytes();
    let len = match rng.below(3) {
        0 => rng.below(bytes.len() + 1),
        _ => bytes.len(),
    };
    run.world
        .note(|| format!("{len} of {} bytes of {}", bytes.len(), conn.number));
    let kind = (len < bytes.len() && rng.one_in(4)).then_some(ErrorKind::ConnectionReset);
    if !conn.is_closed() && is_live(run, conn, id) {
        run.wire.took(conn, &mut std::iter::once(&bytes[..]), len);
        conn.wire.held.set(len < bytes.len() && kind.is_none());
        if let Some(kind) = kind {
            run.wire.refused(conn, kind);
        }
    }
    run.world.sending.set(Some(conn.number));
    let error = kind.map(io::Error::from);
    let (engine, wire) = (&mut run.engine, &mut run.wire);
    match away {
        Away::Chunk(chunk) => engine.sent(wire, id, chunk, len, error),
        Away::Kept(bytes) => engine.sent_kept(wire, id, &bytes, len, error),
    }
}

/// Whether a chunk that comes back is still counted. A connection may be past that without the
/// model's knowing, when a budget put off what an error led to; then it is asked.
fn is_live(run: &Run, conn: &Conn, id: ConnectionId) -> bool {
    if conn.is_surely(|phase| matches!(phase, Phase::Open | Phase::Closing)) {
        return true;
    }
    let shown = run.engine.connection(id).map(|one| format!("{one:?}"));
    let live = shown.is_some_and(|shown| !shown.contains("phase: Aborting"));
    if !live {
        conn.is_open_no_more(None);
    }
    live
}

fn closed(run: &mut Run, rng: &Rng) {
    let pending = |conn: &Conn| conn.wire.close_pending.get();
    if let Some((conn, id)) = pick(run, rng, pending) {
        run.world.note(|| format!("of {}", conn.number));
        conn.wire.close_pending.set(false);
        run.engine.closed(id);
    }
}

fn peer(number: usize) -> Peer {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    Peer::new(SocketAddr::from((Ipv4Addr::LOCALHOST, number as u16)), here)
}

fn accepted(run: &mut Run, rng: &Rng) {
    let world = Rc::clone(&run.world);
    let open = world
        .listeners
        .borrow()
        .iter()
        .filter(|one| one.is_open())
        .count();
    if open == 0 || world.conns.borrow().len() >= 8 {
        if open == 0 && !world.gone.get() {
            listen(run);
        }
        return;
    }
    let (listener, listens) = {
        let listeners = world.listeners.borrow();
        let listener = &listeners[rng.below(listeners.len())];
        (listener.id(), listener.is_open())
    };
    let conn = world.new_conn(true);
    world.arriving.replace(Some(Rc::clone(&conn)));
    let told = world.failed_told.get();
    let panics = world.panics.get();
    let full = is_full(run) && listens;
    let id = run
        .engine
        .accepted(&mut run.wire, listener, Rc::clone(&conn), peer(conn.number));
    world.arriving.take();
    let made = id.is_some();
    world.check(
        Contract::C2,
        made == (conn.life.get() != Life::Unbuilt),
        || {
            format!(
                "{} was accepted: {made}, being {:?}",
                conn.number,
                conn.life.get()
            )
        },
    );
    world.check(Contract::C2, id.is_none() || id == conn.id.get(), || {
        format!("{} has another id", conn.number)
    });
    // A factory that panicked is told of it, and so is one for whose connection there is no place.
    let told = world.failed_told.get() - told;
    let most = world.panics.get() - panics + u64::from(full);
    world.check(
        Contract::C6,
        told <= most && told >= u64::from(full),
        || format!("{told} factories were told of a failure, there being no place: {full}"),
    );
    world.check(Contract::C12, !(full && made), || {
        format!("{} is one too many", conn.number)
    });
}

/// Whether there are as many connections as may be; the engine must think the same.
fn is_full(run: &Run) -> bool {
    let world = &run.world;
    let limits = &world.limits;
    let full = world.net().connections() >= limits.max_connections;
    let may = !full || limits.when_full == WhenFull::Shed;
    world.check(Contract::C12, run.engine.may_accept() == may, || {
        format!("the driver may accept: {}, not {may}", !may)
    });
    full
}

/// Without a listener nothing goes on.
fn listen(run: &Run) {
    let world = &run.world;
    world.note(|| "the driver listens".into());
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    let maker = super::script::Maker::<super::script::Two>::new(world);
    if let Ok(listener) = world.net().listen(at, maker) {
        world.listeners.borrow_mut().retain(|one| one.is_open());
        world.listeners.borrow_mut().push(listener);
    }
}

fn connected(run: &mut Run, rng: &Rng, made: bool) {
    let world = Rc::clone(&run.world);
    let (attempt, conn) = {
        let mut attempts = world.attempts.borrow_mut();
        if attempts.is_empty() {
            return;
        }
        let index = rng.below(attempts.len());
        attempts.swap_remove(index)
    };
    world.note(|| format!("{}: {made}", conn.number));
    if made {
        let before = conn.life.get();
        let peer = peer(conn.number);
        let id = run
            .engine
            .connected(&mut run.wire, attempt, Rc::clone(&conn), peer);
        let right = id.is_some() == (before == Life::Unmade && conn.id.get().is_some());
        world.check(Contract::C2, right, || {
            format!("{} was connected: {id:?}", conn.number)
        });
    } else {
        let error = ErrorKind::ConnectionRefused.into();
        run.engine.connect_failed(&mut run.wire, attempt, error);
    }
}

/// Facts about connections that were lost are ignored.
fn stale(run: &mut Run, rng: &Rng) {
    let id = {
        let conns = run.world.conns.borrow();
        let lost = conns.iter().find(|conn| conn.life.get() == Life::Lost);
        lost.and_then(|conn| conn.id.get())
    };
    let Some(id) = id.filter(|id| run.engine.connection(*id).is_none()) else {
        return;
    };
    let Run { engine, wire, .. } = run;
    match rng.below(6) {
        0 => engine.received(wire, id, b"late"),
        1 => engine.input_ended(wire, id),
        2 => engine.failed(wire, id, ErrorKind::ConnectionReset.into()),
        3 => engine.writable(wire, id),
        4 => engine.closed(id),
        _ => engine.input_left(id),
    }
}

/// The peer reads more or less, or goes.
fn room(run: &Run, rng: &Rng) {
    let Some((conn, _)) = pick(run, rng, |conn| !conn.is_closed()) else {
        return;
    };
    if rng.one_in(30) {
        let kinds = [
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionReset,
            ErrorKind::Other,
        ];
        conn.wire.broken.set(Some(rng.pick(&kinds)));
    } else {
        conn.wire
            .room
            .set(rng.pick(&[0, 0, 1, 5, 50, 500, usize::MAX, usize::MAX]));
    }
}

/// The engine ends.
pub(super) fn shut_down(run: &mut Run) {
    let world = Rc::clone(&run.world);
    world.note(|| "-- shut down".into());
    world.loom(&Disconnect::ReactorGone);
    world.losing.set(true);
    world.in_turn.set(true);
    world.turn.set(world.turn.get() + 1);
    world.ending.set(true);
    run.engine.shut_down(&mut run.wire);
    world.in_turn.set(false);
    world.gone.set(true);
}
