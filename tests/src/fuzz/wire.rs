use std::io::{self, ErrorKind};
use std::rc::Rc;

use torsade_core::driver::{Chunk, Close, Closing, Interest, Sending, Wire};
use torsade_core::{ConnectionId, Disconnect};

use super::conn::{Abrupt, Away, Conn, Input, Output, Phase};
use super::counts::Contract;
use super::world::World;

/// The driver's side: sockets that take what they like, and check what they are given.
pub(super) struct ModelWire(pub(super) Rc<World>);

impl ModelWire {
    /// The socket is used: not while user code runs, and not after its end.
    fn used(&self, conn: &Conn, id: ConnectionId, what: &str) {
        let world = &self.0;
        world.sending.set(Some(conn.number));
        world.check(Contract::C1, world.depth.get() == 0, || {
            format!("{what} of {} while user code runs", conn.number)
        });
        let known = conn.id.get() == Some(id) && !conn.is_closed();
        world.check(Contract::C2, known, || {
            format!("{what} of {}, which is not there", conn.number)
        });
    }

    fn check_send(&self, conn: &Conn, len: usize, what: &str) {
        let world = &self.0;
        world.note(|| format!("{what} {len} bytes of {}", conn.number));
        world.check(Contract::C3, len > 0, || format!("{what} of nothing"));
        let open = !conn.wire.shut.get() && conn.wire.away.borrow().is_none();
        world.check(Contract::C3, open, || {
            format!("{what} of {} after its end, or twice", conn.number)
        });
        let aborted = conn.is_surely(|phase| phase == Phase::Aborting);
        world.check(Contract::C4, !aborted, || {
            format!("{what} of {} after an abort", conn.number)
        });
    }

    /// How much of an offer the socket takes.
    fn room(&self, conn: &Conn, len: usize) -> usize {
        let room = conn.wire.room.get();
        let took = room.min(len);
        if room != usize::MAX {
            conn.wire.room.set(room - took);
        }
        took
    }

    pub(super) fn took(&self, conn: &Conn, pieces: &mut dyn Iterator<Item = &[u8]>, len: usize) {
        let world = &self.0;
        if len == 0 {
            return;
        }
        conn.wire.progress.set(world.now());
        let waiting = conn.buffered();
        let right = conn.took(pieces, len);
        world.check(Contract::C3, right, || {
            format!("{} sent other bytes than were written", conn.number)
        });
        let done = waiting - conn.buffered();
        world.total.set(world.total.get().saturating_sub(done));
    }

    /// The socket refused output: what waits is dropped, what has come may still be read.
    pub(super) fn refused(&self, conn: &Conn, kind: ErrorKind) {
        let world = &self.0;
        let reason = Disconnect::from(io::Error::from(kind));
        world.note(|| format!("{} refuses output: {reason}", conn.number));
        discard(world, conn);
        if conn.wants_input() && conn.input.get() == Input::Open {
            conn.output.set(Output::Ended);
            conn.refused.borrow_mut().get_or_insert(reason.clone());
            conn.loom(reason, Abrupt::Yes);
        } else {
            conn.end(&reason, Abrupt::Yes);
        }
    }
}

pub(super) fn discard(world: &World, conn: &Conn) {
    conn.filters.discard();
    let len = conn.expected.take().len();
    conn.gave_up.set(conn.gave_up.get() || len > 0);
    world.total.set(world.total.get().saturating_sub(len));
}

impl Wire<Rc<Conn>> for ModelWire {
    fn send(&mut self, conn: &mut Rc<Conn>, id: ConnectionId, mut chunk: Box<Chunk>) -> Sending {
        self.used(conn, id, "send");
        self.check_send(conn, chunk.len(), "send");
        conn.wire.held.set(false);
        if let Some(kind) = conn.wire.broken.get() {
            self.refused(conn, kind);
            return Sending::Failed(chunk, kind.into());
        }
        if conn.wire.completion && !conn.wire.rng.one_in(8) {
            // A driver may look at what it keeps; the engine has to have no second hand on it.
            self.keep(conn, Away::Chunk(chunk));
            return Sending::Pending;
        }
        let took = self.room(conn, chunk.len());
        self.took(conn, &mut chunk.pieces(), took);
        chunk.advance(took);
        conn.wire.held.set(!chunk.is_empty());
        Sending::Done(chunk)
    }

    fn send_lent(&mut self, conn: &mut Rc<Conn>, id: ConnectionId, bytes: &[u8]) -> usize {
        self.used(conn, id, "send_lent");
        self.check_send(conn, bytes.len(), "send_lent");
        if conn.wire.completion || conn.wire.broken.get().is_some() {
            return 0;
        }
        let took = match conn.wire.rng.below(4) {
            0 => conn.wire.rng.below(bytes.len() + 1),
            _ => bytes.len(),
        };
        let took = self.room(conn, took);
        self.took(conn, &mut std::iter::once(bytes), took);
        took
    }

    fn keeps(&self, conn: &Rc<Conn>) -> bool {
        conn.wire.completion
    }

    fn keep_lent(&mut self, conn: &mut Rc<Conn>, id: ConnectionId, bytes: &[u8]) -> bool {
        self.used(conn, id, "keep_lent");
        self.check_send(conn, bytes.len(), "keep_lent");
        if conn.wire.broken.get().is_some() || conn.wire.rng.one_in(8) {
            return false;
        }
        self.keep(conn, Away::Kept(bytes.to_vec()));
        true
    }

    fn interest(&mut self, conn: &mut Rc<Conn>, id: ConnectionId, interest: Interest) {
        self.used(conn, id, "interest");
        let changed = conn.wire.interest.replace(interest) != interest;
        self.0.check(Contract::C2, changed, || {
            format!("interest of {} was told twice", conn.number)
        });
    }

    fn shutdown(&mut self, conn: &mut Rc<Conn>, id: ConnectionId) {
        self.used(conn, id, "shutdown");
        let world = &self.0;
        world.note(|| format!("{} is shut down", conn.number));
        let all = conn.buffered() == 0 && conn.wire.away.borrow().is_none();
        world.check(Contract::C5, all, || {
            format!("{} ended its side before all was sent", conn.number)
        });
        let asked = conn.output.get() == Output::Ending && !conn.wire.shut.get();
        world.check(Contract::C5, asked, || {
            format!("{} ended its side unasked", conn.number)
        });
        conn.output.set(Output::Ended);
        conn.wire.shut.set(true);
    }

    fn close(&mut self, conn: Rc<Conn>, id: ConnectionId, how: Close) -> Closing {
        self.used(&conn, id, "close");
        let world = &self.0;
        world.note(|| format!("{} is closed: {how:?}", conn.number));
        self.check_close(&conn, how);
        let reason = conn.ends.borrow().clone();
        let possible = self.can_close(&conn, how);
        world.check(Contract::C6, possible, || {
            format!("{} was closed {how:?} in {reason:?}", conn.number)
        });
        conn.wire.closed.set(Some(how));
        conn.wire.held.set(false);
        conn.wire.interest.set(Interest::default());
        conn.pending.borrow_mut().clear();
        conn.waits.set(false);
        discard(world, &conn);
        if conn.wire.rng.one_in(4) {
            conn.wire.close_pending.set(true);
            return Closing::Pending;
        }
        Closing::Closed
    }

    fn unsent(&mut self, conn: &Rc<Conn>) -> Option<usize> {
        match conn.wire.rng.below(4) {
            0 => Some(conn.wire.rng.below(50)),
            _ => None,
        }
    }
}

impl ModelWire {
    fn keep(&self, conn: &Conn, away: Away) {
        let expected = match conn.filters.any() {
            true => conn.filters.coded.borrow(),
            false => conn.expected.borrow(),
        };
        let bytes = away.bytes();
        let same = bytes.iter().eq(expected.iter().take(bytes.len()));
        self.0.check(Contract::C3, same, || {
            format!("{} offers other bytes than were written", conn.number)
        });
        *conn.wire.away.borrow_mut() = Some(away);
    }

    fn check_close(&self, conn: &Conn, how: Close) {
        let world = &self.0;
        let failed = conn.input.get() == Input::Failed;
        if how == Close::Linger || (how == Close::Plain && !failed) {
            let all = conn.buffered() == 0 && conn.wire.away.borrow().is_none();
            let all = all && conn.filters.coded.borrow().is_empty();
            world.check(Contract::C3, all, || {
                format!("{} was closed before all was sent", conn.number)
            });
        }
        let seen = match conn.filters.placed.get() {
            0 => conn.input.get() != Input::Open,
            _ => conn.filters.wire_ended.get() || failed,
        };
        world.check(Contract::C4, (how == Close::Plain) <= seen, || {
            format!("{} was closed plainly, with its peer open", conn.number)
        });
        world.check(Contract::C4, (how == Close::Linger) <= !seen, || {
            format!("{} lingers, with its peer gone", conn.number)
        });
    }

    /// Whether the model knows of a reason to close in this way. What the engine decided by itself
    /// becomes known here.
    fn can_close(&self, conn: &Conn, how: Close) -> bool {
        let world = &self.0;
        let overdue = world.now() >= conn.wire.progress.get() + patience(world);
        conn.admit_looming();
        if how != Close::Linger && conn.may_be(Phase::Closing) && overdue {
            let flush = torsade_core::Timeout::Flush;
            conn.loom(Disconnect::TimedOut(flush), Abrupt::Yes);
        }
        if how != Close::Linger && world.over_total.get() {
            conn.loom(
                Disconnect::LimitPassed(torsade_core::Limit::TotalWriteBuffer),
                Abrupt::Yes,
            );
        }
        conn.close(how)
    }
}

fn patience(world: &World) -> u64 {
    u64::try_from(world.limits.flush_timeout.as_nanos()).unwrap_or(u64::MAX)
}
