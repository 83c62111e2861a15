use std::any::Any;
use std::mem;
use std::rc::Rc;

use torsade_deferred::Panic;

use super::birth::Birth;
use crate::chunk::{Chunk, fills};
use crate::guard;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::slots::Key;
use crate::{Disconnect, Filter, Peer, Sides, Time, WireEnd};

/// The filters of a connection, and what lies between them.
///
/// The first is next to the wire, the last next to the protocol. Bytes go in at one end with
/// [`receive`](Self::receive) or [`encode`](Self::encode) and come out at the other in
/// [`decoded`](Self::decoded) or [`wire`](Self::wire); what a filter does not take yet waits in
/// front of it.
#[derive(Default)]
pub(super) struct Chain {
    stages: Vec<Stage>,
    /// Bytes for the driver.
    pub(super) wire: Outbox,
    /// How many bytes the driver took.
    pub(super) wire_sent: u64,
    /// Bytes for the protocol.
    pub(super) decoded: Vec<u8>,
    /// The plain side has ended, after `decoded`.
    pub(super) decoded_end: bool,
    /// What filters found out and nobody was told yet.
    pub(super) facts: Vec<Rc<dyn Any>>,
    /// Whose connection filters say this is, if nobody was told yet.
    pub(super) peer: Option<Peer>,
    /// Plain bytes that were encoded, over the connection's life.
    pub(super) encoded: u64,
    /// How many of those lie in `wire`, encoded, or between filters.
    pub(super) under_way: usize,
    /// The peer ended its side of the wire.
    pub(super) wire_ended: bool,
    ended: Option<WireEnd>,
    /// Who gives the connection its protocol when the filters are ready.
    pub(super) birth: Option<Birth>,
    /// Filters failed: none is asked again.
    pub(super) failed: bool,
    /// Armed for the earliest time that a filter wants to be woken at.
    pub(super) alarm: Option<(Time, Key)>,
    /// Armed while a filter is not ready.
    pub(super) handshake: Option<(Time, Key)>,
}

struct Stage {
    filter: Box<dyn Filter>,
    /// Not decoded yet.
    incoming: Rest,
    /// Not encoded yet. Only filters further in put something here; the protocol's output waits in
    /// the connection's outbox.
    outgoing: Rest,
    end: Upstream,
    wake_at: Option<Time>,
    /// What it said of itself when it was last asked something.
    ready: bool,
    wants_plain: bool,
    most_plain: usize,
    wants_wire: bool,
    /// Until when it has to be ready.
    deadline: Time,
}

/// What comes to a filter from the wire's side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Open,
    /// It has ended, after `incoming`.
    Ended,
    Told,
}

/// Why a chain cannot go on.
pub(super) enum Fault {
    Reason(Disconnect),
    Panic(Panic),
}

impl Chain {
    /// Of a connection that has no protocol yet.
    pub(super) fn unborn(birth: Birth) -> Self {
        Self {
            birth: Some(birth),
            ..Self::default()
        }
    }

    /// Of a connection that had no filters while its first `written` bytes were written; those of
    /// them that the driver has not taken lie in `raw`, and are so many.
    pub(super) fn midstream(written: u64, raw: Outbox, waiting: usize) -> Self {
        Self {
            encoded: written,
            wire: raw,
            under_way: waiting,
            ..Self::default()
        }
    }

    /// Put a filter next to the protocol. What `unread` holds is the first it is given.
    pub(super) fn push(
        &mut self,
        shared: &Shared,
        filter: Box<dyn Filter>,
        unread: Vec<u8>,
        ended: bool,
    ) -> Result<(), Fault> {
        let most = shared.limits().handshake_timeout;
        let patience = guard::run(|| filter.handshake_timeout());
        let patience = patience.map_err(Fault::Panic)?.unwrap_or(most);
        let deadline = shared.now() + patience.min(most);
        self.stages.push(Stage {
            filter,
            incoming: Rest {
                bytes: unread,
                start: 0,
            },
            outgoing: Rest::default(),
            end: if ended {
                Upstream::Ended
            } else {
                Upstream::Open
            },
            wake_at: None,
            ready: false,
            wants_plain: false,
            most_plain: usize::MAX,
            wants_wire: true,
            deadline,
        });
        self.ask(shared, self.stages.len() - 1, |filter, _, sides| {
            filter.start(sides)
        })?;
        self.work(shared)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stages.iter().all(|stage| stage.ready)
    }

    /// When it is too late for a filter that is not ready to become so.
    pub(super) fn handshake_deadline(&self) -> Option<Time> {
        let shaking = self.stages.iter().filter(|stage| !stage.ready);
        shaking.map(|stage| stage.deadline).min()
    }

    /// Whether output may be encoded now.
    pub(super) fn wants_plain(&self) -> bool {
        let last = self.stages.last();
        !self.failed && last.is_none_or(|last| last.wants_plain) && self.is_clear()
    }

    /// How many bytes may be encoded at once.
    pub(super) fn most_plain(&self) -> usize {
        self.stages
            .last()
            .map_or(usize::MAX, |last| last.most_plain)
    }

    /// Whether no filter has had enough input for now.
    pub(super) fn wants_wire(&self) -> bool {
        self.stages.iter().all(|stage| stage.wants_wire)
    }

    /// Whether nothing waits between two filters to be encoded.
    fn is_clear(&self) -> bool {
        self.stages.iter().all(|stage| stage.outgoing.len() == 0)
    }

    /// Whether the filters could take it if our side ended now.
    pub(super) fn may_end(&self) -> bool {
        let mut outer = self.stages.iter().rev().skip(1);
        self.is_clear() && outer.all(|stage| stage.wants_plain)
    }

    /// Bytes that no filter has taken yet.
    pub(super) fn undecoded(&self) -> usize {
        self.stages.iter().map(|stage| stage.incoming.len()).sum()
    }

    /// Whether nothing is left to be handed to the driver.
    pub(super) fn is_flushed(&self) -> bool {
        self.wire.is_empty() && self.is_clear()
    }

    /// Bytes came from the wire.
    pub(super) fn receive(&mut self, shared: &Shared, data: &[u8]) -> Result<(), Fault> {
        match self.stages.first_mut() {
            Some(first) => first.incoming.push(shared, data),
            None => self.decoded.extend_from_slice(data),
        }
        self.work(shared)
    }

    /// The peer ended its side of the wire.
    pub(super) fn end_wire(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.wire_ended = true;
        match self.stages.first_mut() {
            Some(first) => first.end = Upstream::Ended,
            None => self.decoded_end = true,
        }
        self.work(shared)
    }

    /// The first `len` bytes of a chunk are to be encoded.
    pub(super) fn encode(
        &mut self,
        shared: &Shared,
        chunk: &Chunk,
        len: usize,
    ) -> Result<(), Fault> {
        self.encoded += len as u64;
        self.under_way += len;
        if let Some(slice) = chunk.as_slice() {
            self.encode_pieces(shared, &[&slice[..len]])?;
        } else {
            let mut left = len;
            let pieces = chunk.pieces().map(|piece| {
                let taken = piece.len().min(left);
                left -= taken;
                &piece[..taken]
            });
            let pieces: Vec<&[u8]> = pieces.filter(|piece| !piece.is_empty()).collect();
            self.encode_pieces(shared, &pieces)?;
        }
        self.work(shared)
    }

    fn encode_pieces(&mut self, shared: &Shared, pieces: &[&[u8]]) -> Result<(), Fault> {
        if let Some(last) = self.stages.len().checked_sub(1) {
            return self.ask(shared, last, |filter, _, sides| {
                filter.encode(pieces, sides)
            });
        }
        for piece in pieces {
            self.wire.push(&shared.pool, piece);
        }
        Ok(())
    }

    /// Our side ends, once, when all output was encoded and the filters may end.
    pub(super) fn end(&mut self, shared: &Shared) -> Result<(), Fault> {
        let mut end = WireEnd::Follows;
        for number in (0..self.stages.len()).rev() {
            // What the one further in said last comes first.
            self.encode_waiting(shared, number)?;
            if end == WireEnd::Follows {
                end = self.ask(shared, number, |filter, _, sides| filter.end(sides))?;
            }
        }
        self.ended = Some(end);
        self.work(shared)
    }

    /// Whether our side has ended, and the wire's side with it.
    pub(super) fn ended(&self) -> Option<WireEnd> {
        self.ended
    }

    /// The earliest time at which a filter wants to be woken.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.stages.iter().filter_map(|stage| stage.wake_at).min()
    }

    /// Wake the filters whose time has come.
    pub(super) fn wake(&mut self, shared: &Shared) -> Result<(), Fault> {
        let now = shared.now();
        for number in 0..self.stages.len() {
            if self.stages[number].wake_at.is_some_and(|at| at <= now) {
                self.stages[number].wake_at = None;
                let told = self.stages[number].end == Upstream::Told;
                self.ask(shared, number, |filter, _, sides| {
                    filter.timer(sides)?;
                    if told {
                        end_unless_it_waits(sides);
                    }
                    Ok(())
                })?;
            }
        }
        self.work(shared)
    }

    /// The filters, each to be dropped by itself: it is user code.
    pub(super) fn into_filters(self) -> impl Iterator<Item = Box<dyn Filter>> {
        self.stages.into_iter().map(|stage| stage.filter)
    }

    /// What the driver has not taken is given up.
    pub(super) fn discard(&mut self) -> [Option<Box<Chunk>>; 2] {
        for stage in &mut self.stages {
            stage.outgoing = Rest::default();
        }
        self.under_way = 0;
        self.wire.discard()
    }

    /// Let every filter take what waits for it, until none takes anything.
    fn work(&mut self, shared: &Shared) -> Result<(), Fault> {
        loop {
            let mut moved = false;
            for number in 0..self.stages.len() {
                moved |= self.encode_waiting(shared, number)?;
                moved |= self.decode_waiting(shared, number)?;
            }
            if !moved {
                return Ok(());
            }
        }
    }

    /// A filter failed. What it said last passes through those further out, and that is all.
    pub(super) fn fail(&mut self, shared: &Shared) {
        for number in (0..self.stages.len()).rev() {
            if self.encode_waiting(shared, number).is_err() {
                break;
            }
        }
        self.failed = true;
        self.under_way = 0;
    }

    fn encode_waiting(&mut self, shared: &Shared, number: usize) -> Result<bool, Fault> {
        let mut moved = false;
        while self.stages[number].outgoing.len() > 0 && self.stages[number].wants_plain {
            let stage = &mut self.stages[number];
            let most = stage.most_plain.min(stage.outgoing.len());
            // Only filters further in put something there, and they are not asked meanwhile.
            let mut outgoing = mem::take(&mut stage.outgoing);
            self.ask(shared, number, |filter, _, sides| {
                filter.encode(&[&outgoing.as_mut()[..most]], sides)
            })?;
            outgoing.consume(most);
            outgoing.give_back(shared);
            self.stages[number].outgoing = outgoing;
            moved = true;
        }
        Ok(moved)
    }

    fn decode_waiting(&mut self, shared: &Shared, number: usize) -> Result<bool, Fault> {
        let mut moved = false;
        while self.stages[number].incoming.len() > 0 {
            let used = self.ask(shared, number, |filter, incoming, sides| {
                let used = filter.decode(incoming.as_mut(), sides)?;
                let used = used.min(incoming.len());
                incoming.consume(used);
                Ok(used)
            })?;
            if used == 0 {
                break;
            }
            moved = true;
        }
        let stage = &mut self.stages[number];
        stage.incoming.give_back(shared);
        // A filter that waits for a time of its own has not given up on what is left.
        let is_over = stage.incoming.len() == 0 || stage.wake_at.is_none();
        if stage.end == Upstream::Ended && is_over {
            stage.end = Upstream::Told;
            moved = true;
            self.ask(shared, number, |filter, incoming, sides| {
                let rest = mem::take(incoming);
                filter.wire_ended(&rest.bytes[rest.start..], sides)?;
                end_unless_it_waits(sides);
                Ok(())
            })?;
        }
        Ok(moved)
    }

    /// Ask one filter something, and hand on what it put into its sides.
    fn ask<R>(
        &mut self,
        shared: &Shared,
        number: usize,
        question: impl FnOnce(&mut dyn Filter, &mut Rest, &mut Sides<'_>) -> Result<R, Disconnect>,
    ) -> Result<R, Fault> {
        let [mut wire, mut plain] = shared.sides.take();
        let mut plain_ended = false;
        let stage = &mut self.stages[number];
        let mut sides = Sides {
            wire: &mut wire,
            plain: &mut plain,
            now: shared.now(),
            wake_at: &mut stage.wake_at,
            plain_ended: &mut plain_ended,
            facts: &mut self.facts,
            peer: &mut self.peer,
        };
        let (filter, incoming) = (&mut *stage.filter, &mut stage.incoming);
        let answer = guard::run(|| {
            let answer = question(filter, incoming, &mut sides);
            let state = (filter.is_ready(), filter.wants_plain());
            (answer, state, filter.most_plain(), filter.wants_wire())
        });
        let answer = answer.map(|(answer, state, most_plain, wants_wire)| {
            (stage.ready, stage.wants_plain) = state;
            stage.most_plain = most_plain.max(1);
            stage.wants_wire = wants_wire;
            answer
        });
        if !wire.is_empty() {
            match number.checked_sub(1) {
                Some(outer) => self.stages[outer].outgoing.push(shared, &wire),
                None => self.wire.push_all(&shared.pool, &mut wire),
            }
        }
        match self.stages.get_mut(number + 1) {
            Some(inner) => {
                inner.incoming.push(shared, &plain);
                if plain_ended && inner.end == Upstream::Open {
                    inner.end = Upstream::Ended;
                }
            }
            None => {
                if self.decoded.capacity() == 0 && !plain.is_empty() {
                    self.decoded = shared.rests.borrow_mut().take();
                }
                match self.decoded.is_empty() && fills(&plain) {
                    true => mem::swap(&mut self.decoded, &mut plain),
                    false => self.decoded.extend_from_slice(&plain),
                }
                self.decoded_end |= plain_ended;
            }
        }
        for side in [&mut wire, &mut plain] {
            side.clear();
            side.shrink_to(KEPT);
        }
        shared.sides.set([wire, plain]);
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(reason)) => Err(Fault::Reason(reason)),
            Err(panic) => Err(Fault::Panic(panic)),
        }
    }
}

/// A filter to which nothing more will come, and which waits for no time of its own, has no more
/// to say to the protocol.
fn end_unless_it_waits(sides: &mut Sides<'_>) {
    if sides.wake_at.is_none() {
        sides.end_plain();
    }
}

/// A side that a filter filled beyond this gives the room back.
const KEPT: usize = 64 * 1024;

/// Bytes that wait to be decoded. Those used up are moved away only when they are the larger part,
/// so that using them bit by bit stays linear.
#[derive(Default)]
struct Rest {
    bytes: Vec<u8>,
    start: usize,
}

impl Rest {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    fn push(&mut self, shared: &Shared, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = shared.rests.borrow_mut().take();
        }
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn consume(&mut self, n: usize) {
        self.start += n;
    }

    /// An idle connection holds no buffer.
    fn give_back(&mut self, shared: &Shared) {
        if self.len() == 0 && self.bytes.capacity() > 0 {
            self.start = 0;
            shared.rests.borrow_mut().give(mem::take(&mut self.bytes));
        }
    }
}
