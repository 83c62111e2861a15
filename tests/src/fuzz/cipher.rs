//! Filters of the fuzz: what they do, and the model of the bytes on their way through them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Connection, Disconnect, Filter, Sides, Timeout};

use super::conn::{Abrupt, Conn, Input, Output, Phase};
use super::counts::Contract;
use super::later;
use super::world::World;
use crate::rng::Rng;

/// At most so many lie on one connection.
const MOST: usize = 2;

/// The model of a connection's filters. The first is next to the wire.
#[derive(Default)]
pub(super) struct Filters {
    /// How many were given to the connection, and how many of those are in their place.
    pub(super) pushed: Cell<usize>,
    pub(super) placed: Cell<usize>,
    /// Bytes that the socket is to take, in the form of the wire.
    pub(super) coded: RefCell<VecDeque<u8>>,
    /// How many plain bytes those are. They count as waiting until all of them are gone.
    pub(super) under_way: Cell<usize>,
    /// What comes to each from the wire's side and was not used.
    coming: [RefCell<VecDeque<u8>>; MOST],
    /// Whether each was told that its wire has ended, or will be.
    ended: [Cell<bool>; MOST],
    /// Whether one came at the end of its connection, so that its input is not known.
    unsure: Cell<bool>,
    /// When one that is not ready was put in place.
    pub(super) unready: Cell<Option<u64>>,
    /// The peer ended its side of the wire.
    pub(super) wire_ended: Cell<bool>,
    /// One failed: none is asked again.
    pub(super) failed: Cell<bool>,
}

impl Filters {
    pub(super) fn any(&self) -> bool {
        self.pushed.get() > 0
    }

    /// Whether output cannot go on, because a filter is not ready or one waits for its place.
    pub(super) fn holds_output(&self) -> bool {
        self.unready.get().is_some() || self.placed.get() < self.pushed.get()
    }

    /// Bytes came from the wire. Returns whether they go to filters.
    pub(super) fn came(&self, data: &[u8]) -> bool {
        let placed = self.placed.get() > 0;
        if placed && !self.failed.get() {
            self.coming[0].borrow_mut().extend(data);
        }
        placed
    }

    /// The peer ends its side of the wire.
    pub(super) fn end_wire(&self) {
        if self.placed.get() > 0 {
            self.wire_ended.set(true);
            self.ended[0].set(true);
        }
    }

    /// What was on its way is given up.
    pub(super) fn discard(&self) {
        self.coded.take();
        self.under_way.set(0);
    }
}

/// Put a filter on a connection.
pub(super) fn push(world: &Rc<World>, conn: &Rc<Conn>, connection: &Connection, rng: &Rng) {
    let filters = &conn.filters;
    let index = filters.pushed.get();
    if index >= MOST || world.in_drop.get() || !conn.is_surely_open() {
        // Whether it would be put in place cannot be told.
        return;
    }
    let mood = rng.pick(&[
        Mood::Steady,
        Mood::Steady,
        Mood::Late(rng.pick(&[0, 1, 20, 500])),
        Mood::Failing(rng.below(60) as u64),
        Mood::Ending(rng.below(200) as u64),
        Mood::Panicking(rng.below(200) as u64),
    ]);
    world.note(|| format!("{}.push_filter({index}) {mood:?}", conn.number));
    world.counts.did(mood.name());
    if index == 0 {
        // What was written before goes as it is.
        let raw = conn.expected.borrow().clone();
        filters.under_way.set(raw.len());
        filters.coded.replace(raw);
    }
    filters.pushed.set(index + 1);
    connection.push_filter(Cipher {
        conn: conn.number,
        index,
        key: 1 + rng.below(255) as u8,
        decoded: 0,
        encoded: 0,
        most: rng.pick(&[usize::MAX, usize::MAX, 7, 0]),
        ready: !matches!(mood, Mood::Late(_)),
        over: false,
        mood,
    });
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Steady,
    /// Ready only after so many nanoseconds.
    Late(u64),
    /// Fails at this byte, in either direction.
    Failing(u64),
    /// Ends the plain side at this byte, though the wire goes on.
    Ending(u64),
    Panicking(u64),
}

impl Mood {
    fn name(self) -> &'static str {
        match self {
            Self::Steady => "user: filter that changes bytes",
            Self::Late(_) => "user: filter that is ready late",
            Self::Failing(_) => "user: filter that fails",
            Self::Ending(_) => "user: filter that ends",
            Self::Panicking(_) => "user: filter that panics",
        }
    }
}

/// Changes every byte, differently at every place, in which it is the test kit's `Xor`; and it may
/// be late, fail, end or panic. It can hold nothing of the world's, so it asks for that.
struct Cipher {
    conn: usize,
    index: usize,
    key: u8,
    decoded: u64,
    encoded: u64,
    most: usize,
    ready: bool,
    /// The plain side is over: nothing more is decoded.
    over: bool,
    mood: Mood,
}

impl Cipher {
    fn model(&self) -> Option<(Rc<World>, Rc<Conn>)> {
        let world = later::here()?;
        let conns = world.conns.borrow();
        let conn = conns.iter().find(|conn| conn.number == self.conn).cloned();
        drop(conns);
        Some((world, conn?))
    }

    /// What every call of it must keep.
    fn asked(&self, what: &str) -> Option<(Rc<World>, Rc<Conn>)> {
        let (world, conn) = self.model()?;
        world.note(|| format!("filter {} of {}: {what}", self.index, conn.number));
        world.check(Contract::C1, world.depth.get() == 0, || {
            format!("a filter was asked to {what} while user code ran")
        });
        let fine = !conn.filters.failed.get() && !conn.is_closed();
        world.check(Contract::C6, fine, || {
            format!(
                "a filter of {} was asked to {what} after its end",
                conn.number
            )
        });
        Some((world, conn))
    }

    /// Fail or panic, if it is time.
    fn bear(&self, world: &World, conn: &Conn, place: u64) -> Result<(), Disconnect> {
        match self.mood {
            Mood::Failing(at) if place >= at => {
                let reason = Disconnect::application(format!("filter {} failed", self.index));
                failed(world, conn, &reason);
                Err(reason)
            }
            Mood::Panicking(at) if place >= at => {
                conn.filters.failed.set(true);
                world.panic()
            }
            _ => Ok(()),
        }
    }

    fn end_plain(&mut self, conn: &Conn, sides: &mut Sides<'_>) {
        if !self.over {
            self.over = true;
            sides.end_plain();
            plain_ended(conn, self.index);
        }
    }
}

fn mask(key: u8, place: u64) -> u8 {
    let [low, high, ..] = place.wrapping_mul(0x9e37).to_le_bytes();
    key ^ low ^ high.rotate_left(3)
}

/// A filter failed: what is on the wire's side goes, what waits to be encoded never will.
fn failed(world: &World, conn: &Conn, reason: &Disconnect) {
    let filters = &conn.filters;
    filters.failed.set(true);
    filters.unready.set(None);
    let coded = filters.coded.take();
    super::wire::discard(world, conn);
    filters.coded.replace(coded);
    if !conn.has_surely_ended() {
        conn.output.set(Output::Ended);
        conn.input.set(Input::Broken);
    }
    // Who failed first is to blame.
    let first = conn.refused.borrow().clone();
    conn.loom(first.unwrap_or_else(|| reason.clone()), Abrupt::No);
}

/// The plain side of a filter has ended: the next one's wire, or the protocol's input.
fn plain_ended(conn: &Conn, index: usize) {
    if index + 1 < conn.filters.placed.get() {
        conn.filters.ended[index + 1].set(true);
    } else if conn.input.get() == Input::Open {
        conn.input.set(Input::Ended);
    }
}

impl Filter for Cipher {
    fn start(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let Some((world, conn)) = self.asked("start") else {
            return Ok(());
        };
        let filters = &conn.filters;
        let next = filters.placed.replace(self.index + 1) == self.index;
        world.check(Contract::C3, next, || {
            format!("filter {} is not the next one", self.index)
        });
        // What the protocol has not read is the first that this one sees.
        filters.coming[self.index].replace(conn.pending.take());
        if conn.has_surely_ended() {
            // Nobody will read it; the filter may see it all the same.
            filters.unsure.set(true);
        }
        conn.waits.set(false);
        if self.index == 0 && conn.input.get() != Input::Open {
            filters.wire_ended.set(true);
        }
        if conn.input.get() == Input::Ended {
            conn.input.set(Input::Open);
            filters.ended[self.index].set(true);
        }
        if let Mood::Late(after) = self.mood {
            filters.unready.set(Some(world.now()));
            sides.wake_at(sides.now() + Duration::from_nanos(after));
        }
        Ok(())
    }

    fn decode(&mut self, wire: &mut [u8], sides: &mut Sides<'_>) -> Result<usize, Disconnect> {
        let Some((world, conn)) = self.asked("decode") else {
            return Ok(0);
        };
        let filters = &conn.filters;
        let coming = &filters.coming[self.index];
        let right = coming.borrow().iter().eq(wire.iter()) || filters.unsure.get();
        world.check(Contract::C15, right && !wire.is_empty(), || {
            format!(
                "filter {} of {} is not given what came",
                self.index, conn.number
            )
        });
        if !self.ready {
            return Ok(0);
        }
        if self.over {
            coming.borrow_mut().clear();
            return Ok(wire.len());
        }
        self.bear(&world, &conn, self.decoded)?;
        // Not always all of it at once.
        let len = wire.len().min(1 + (self.decoded % 97) as usize * 5);
        let place = self.decoded;
        for (byte, place) in wire[..len].iter_mut().zip(place..) {
            *byte ^= mask(self.key, place);
        }
        self.decoded += len as u64;
        let used = len.min(coming.borrow().len());
        coming.borrow_mut().drain(..used);
        sides.plain().extend_from_slice(&wire[..len]);
        if self.index + 1 < filters.placed.get() {
            filters.coming[self.index + 1]
                .borrow_mut()
                .extend(&wire[..len]);
        } else if !conn.has_surely_ended() {
            conn.received.set(conn.received.get() + len as u64);
            conn.pending.borrow_mut().extend(&wire[..len]);
            conn.waits.set(false);
        }
        if matches!(self.mood, Mood::Ending(at) if self.decoded >= at) {
            self.end_plain(&conn, sides);
        }
        Ok(len)
    }

    fn encode(&mut self, plain: &[&[u8]], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let Some((world, conn)) = self.asked("encode") else {
            return Ok(());
        };
        let filters = &conn.filters;
        let len: usize = plain.iter().map(|piece| piece.len()).sum();
        let fine = len > 0 && len <= self.most.max(1) && self.ready;
        world.check(Contract::C3, fine, || {
            format!("filter {} was given {len} bytes", self.index)
        });
        if self.index + 1 == filters.placed.get() {
            let under_way = filters.under_way.get();
            let expected = conn.expected.borrow();
            let next = expected.iter().skip(under_way).take(len);
            let same = next.eq(plain.iter().copied().flatten());
            world.check(Contract::C3, same, || {
                format!("{} encodes other bytes than were written", conn.number)
            });
            filters.under_way.set(under_way + len);
        }
        self.bear(&world, &conn, self.encoded)?;
        for byte in plain.iter().copied().flatten() {
            sides.wire().push(byte ^ mask(self.key, self.encoded));
            self.encoded += 1;
        }
        if self.index == 0 {
            filters.coded.borrow_mut().extend(&*sides.wire());
        }
        Ok(())
    }

    fn wire_ended(&mut self, rest: &[u8], sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let Some((world, conn)) = self.asked("take the wire's end") else {
            return Ok(());
        };
        let filters = &conn.filters;
        let told = filters.ended[self.index].get();
        let all = filters.coming[self.index].take().iter().eq(rest) || filters.unsure.get();
        world.check(Contract::C5, told && all, || {
            format!("filter {} was told an end that is none", self.index)
        });
        if self.ready {
            self.end_plain(&conn, sides);
        }
        Ok(())
    }

    fn timer(&mut self, sides: &mut Sides<'_>) -> Result<(), Disconnect> {
        let Some((world, conn)) = self.asked("wake") else {
            return Ok(());
        };
        let Mood::Late(after) = self.mood else {
            return Ok(());
        };
        let began = conn.filters.unready.take();
        let early = began.is_none_or(|began| world.now() < began + after);
        world.check(Contract::C9, !early, || {
            format!("filter {} was woken early", self.index)
        });
        self.ready = true;
        if conn.filters.ended[self.index].get()
            && conn.filters.coming[self.index].borrow().is_empty()
        {
            self.end_plain(&conn, sides);
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.ready
    }

    fn most_plain(&self) -> usize {
        self.most
    }
}

/// The wire has ended. A connection that is being closed gives up what waits for a handshake.
pub(super) fn cut_off(world: &World, conn: &Conn) {
    let filters = &conn.filters;
    if filters.placed.get() > 0 && filters.unready.get().is_some() && conn.has_surely_ended() {
        filters.failed.set(true);
        filters.unready.set(None);
        let away = conn
            .wire
            .away
            .borrow()
            .as_ref()
            .map_or(0, |away| away.bytes().len());
        let mut coded = filters.coded.take();
        coded.truncate(away);
        super::wire::discard(world, conn);
        // What the driver has is under way.
        filters.coded.replace(coded);
    }
}

/// At the end of a turn: filters may have been late for too long.
pub(super) fn may_be_late(world: &World, conn: &Conn) {
    let patience = world.limits.handshake_timeout.as_nanos() as u64;
    let began = conn.filters.unready.get();
    if began.is_some_and(|began| world.now() >= began + patience) {
        conn.loom(Disconnect::TimedOut(Timeout::Handshake), Abrupt::Yes);
    }
}

/// Whether reading goes on for the filters' sake.
pub(super) fn reads(conn: &Conn) -> bool {
    let shakes = conn.filters.unready.get().is_some();
    shakes && !conn.filters.wire_ended.get() && !conn.is_surely(|phase| phase == Phase::Aborting)
}
