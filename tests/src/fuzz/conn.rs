use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::rc::Rc;

use torsade_core::driver::{Chunk, Close, Interest};
use torsade_core::{ConnectionId, Disconnect};

use super::cipher::Filters;
use super::script::Handle;
use crate::rng::Rng;

/// What the model knows of one connection: what its user did, what its peer sent, what its socket
/// took. It is the engine's socket, too.
pub(super) struct Conn {
    pub(super) number: usize,
    pub(super) accepted: bool,
    pub(super) id: Cell<Option<ConnectionId>>,
    pub(super) life: Cell<Life>,
    /// The token of the `connect` that began it.
    pub(super) connect: Cell<Option<u64>>,
    /// Whether that was cancelled while the connection was being made, or right after.
    pub(super) cancelled: Cell<bool>,
    /// Every state that the engine may be in, as far as is known; mostly one.
    pub(super) ends: RefCell<Vec<End>>,
    /// Causes of an end that the engine acts on when it comes by.
    pub(super) looming: RefCell<Vec<(Disconnect, Abrupt)>>,
    /// Why output was refused, while what had come could still be read.
    pub(super) refused: RefCell<Option<Disconnect>>,

    pub(super) stack: Cell<u32>,
    pub(super) next_stack: Cell<u32>,
    /// The stack that a switch will put in place.
    pub(super) switching: Cell<Option<u32>>,
    pub(super) handles: RefCell<Vec<Rc<dyn Handle>>>,
    /// Continuations that were given and neither ran nor were dropped.
    pub(super) live: Cell<usize>,

    pub(super) output: Cell<Output>,
    /// Written and accepted, and not taken by the socket.
    pub(super) expected: RefCell<VecDeque<u8>>,
    pub(super) sent: Cell<u64>,
    /// Whether output was dropped that had been accepted.
    pub(super) gave_up: Cell<bool>,
    pub(super) dropped: Cell<u64>,
    pub(super) low: Cell<usize>,
    pub(super) high: Cell<usize>,
    pub(super) paused: Cell<bool>,
    pub(super) told_paused: Cell<bool>,
    pub(super) throttled: Cell<bool>,

    pub(super) layer_pauses: Cell<u32>,
    pub(super) handle_paused: Cell<bool>,
    pub(super) holds: Cell<usize>,
    pub(super) input: Cell<Input>,
    /// Whether the protocol was told the end, whatever came after.
    pub(super) told_end: Cell<bool>,
    pub(super) received: Cell<u64>,
    /// Received and not consumed.
    pub(super) pending: RefCell<VecDeque<u8>>,
    /// Whether all that is pending was left unread by a callback that wanted more.
    pub(super) waits: Cell<bool>,
    /// Whether an inner layer told an outer one something since the last delivery.
    pub(super) signalled: Cell<bool>,
    /// Whether its loss has begun: what it waits for is being dropped.
    pub(super) losing: Cell<bool>,
    pub(super) unread: Cell<usize>,
    pub(super) unread_limit: Cell<usize>,
    /// Whether input waited when this turn ended: timers may have been put off.
    pub(super) waited: Cell<bool>,
    /// The turn in which the driver said that the socket has more.
    pub(super) left: Cell<u64>,

    pub(super) filters: Filters,
    pub(super) wire: WireSide,
}

/// The socket's side of the model.
pub(super) struct WireSide {
    pub(super) rng: Rng,
    pub(super) completion: bool,
    pub(super) interest: Cell<Interest>,
    pub(super) room: Cell<usize>,
    pub(super) broken: Cell<Option<ErrorKind>>,
    pub(super) away: RefCell<Option<Away>>,
    /// Whether the last chunk came back with something left in it.
    pub(super) held: Cell<bool>,
    pub(super) shut: Cell<bool>,
    pub(super) closed: Cell<Option<Close>>,
    pub(super) close_pending: Cell<bool>,
    /// When the socket last took something, or the close began.
    pub(super) progress: Cell<u64>,
}

/// ```text
///   Unbuilt --build, connect--> Unmade --made--> Made --lost--> Lost
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Unbuilt,
    Unmade,
    Made,
    Lost,
}

/// ```text
///   Open --close, fail--> Closing --flushed--> Closed (the socket is given back)
///     \--abort, error, panic--> Aborting ------^
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closing,
    Aborting,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) phase: Phase,
    pub(super) reason: Option<Disconnect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abrupt {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Open,
    Ending,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Ended,
    Told,
    Failed,
    /// A filter failed.
    Broken,
}

/// What a driver has taken and not sent yet.
pub(super) enum Away {
    Chunk(Box<Chunk>),
    /// A copy of what stayed where it was.
    Kept(Vec<u8>),
}

impl Away {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Chunk(chunk) => chunk.pieces().flatten().copied().collect(),
            Self::Kept(bytes) => bytes.clone(),
        }
    }
}

impl Conn {
    pub(super) fn new(number: usize, accepted: bool, limits: &torsade_core::Limits) -> Rc<Self> {
        let high = limits.write_high.min(limits.write_cap);
        let rng = Rng::new(number as u64);
        let completion = rng.one_in(4);
        Rc::new(Self {
            number,
            accepted,
            id: Cell::new(None),
            life: Cell::new(Life::Unbuilt),
            connect: Cell::new(None),
            cancelled: Cell::new(false),
            ends: RefCell::new(vec![End {
                phase: Phase::Open,
                reason: None,
            }]),
            looming: RefCell::default(),
            refused: RefCell::default(),
            stack: Cell::new(0),
            next_stack: Cell::new(0),
            switching: Cell::new(None),
            handles: RefCell::default(),
            live: Cell::new(0),
            output: Cell::new(Output::Open),
            expected: RefCell::default(),
            sent: Cell::new(0),
            gave_up: Cell::new(false),
            dropped: Cell::new(0),
            low: Cell::new(limits.write_low.min(high)),
            high: Cell::new(high),
            paused: Cell::new(false),
            told_paused: Cell::new(false),
            throttled: Cell::new(accepted),
            layer_pauses: Cell::new(0),
            handle_paused: Cell::new(false),
            holds: Cell::new(0),
            input: Cell::new(Input::Open),
            told_end: Cell::new(false),
            received: Cell::new(0),
            pending: RefCell::default(),
            waits: Cell::new(false),
            signalled: Cell::new(false),
            losing: Cell::new(false),
            unread: Cell::new(0),
            unread_limit: Cell::new(limits.unread),
            waited: Cell::new(false),
            left: Cell::new(0),
            filters: Filters::default(),
            wire: WireSide {
                rng,
                completion,
                interest: Cell::default(),
                room: Cell::new(usize::MAX),
                broken: Cell::new(None),
                away: RefCell::default(),
                held: Cell::new(false),
                shut: Cell::new(false),
                closed: Cell::new(None),
                close_pending: Cell::new(false),
                progress: Cell::new(0),
            },
        })
    }

    pub(super) fn new_stack(&self) -> u32 {
        let stack = self.next_stack.get();
        self.next_stack.set(stack + 1);
        stack
    }

    pub(super) fn buffered(&self) -> usize {
        self.expected.borrow().len()
    }

    pub(super) fn is_made(&self) -> bool {
        self.life.get() == Life::Made
    }

    pub(super) fn is_closed(&self) -> bool {
        self.wire.closed.get().is_some()
    }
}

/// The phase, as far as it is known.
impl Conn {
    /// A cause of an end that acts at once.
    pub(super) fn end(&self, reason: &Disconnect, abrupt: Abrupt) {
        self.admit_looming();
        let mut ends = self.ends.borrow_mut();
        for end in ends.iter_mut() {
            *end = end.after(reason, abrupt);
        }
        ends.dedup();
    }

    /// A cause of an end that acts at some time from now on.
    pub(super) fn loom(&self, reason: Disconnect, abrupt: Abrupt) {
        if !self.is_surely(|phase| phase == Phase::Closed) {
            self.looming.borrow_mut().push((reason, abrupt));
        }
    }

    /// Take into account that what looms may have come to pass by now.
    pub(super) fn admit_looming(&self) {
        let looming = self.looming.borrow();
        let mut ends = self.ends.borrow_mut();
        for (reason, abrupt) in looming.iter() {
            for index in 0..ends.len() {
                let after = ends[index].after(reason, *abrupt);
                if !ends.contains(&after) {
                    ends.push(after);
                }
            }
        }
    }

    /// Something was seen that only an open connection does.
    pub(super) fn is_open_still(&self) {
        self.ends
            .borrow_mut()
            .retain(|end| end.phase == Phase::Open);
    }

    /// Something was seen that an open connection does not do, unless this ended it just now.
    pub(super) fn is_open_no_more(&self, reason: Option<Disconnect>) {
        self.admit_looming();
        let mut ends = self.ends.borrow_mut();
        if let Some(reason) = reason {
            for end in ends.iter_mut().filter(|end| end.phase == Phase::Open) {
                *end = end.after(&reason, Abrupt::Yes);
            }
        }
        ends.retain(|end| end.phase != Phase::Open);
    }

    /// The socket was given back in this way. Returns whether that can be.
    pub(super) fn close(&self, how: Close) -> bool {
        self.admit_looming();
        self.looming.borrow_mut().clear();
        let failed = self.input.get() == Input::Failed;
        let mut ends = self.ends.borrow_mut();
        ends.retain(|end| match how {
            Close::Linger => end.phase == Phase::Closing,
            Close::Plain => end.phase == Phase::Closing || (failed && end.phase == Phase::Aborting),
            Close::Reset => end.phase == Phase::Aborting,
        });
        for end in ends.iter_mut() {
            end.phase = Phase::Closed;
        }
        !ends.is_empty()
    }

    /// Whether the phase is known to be such a one.
    pub(super) fn is_surely(&self, is: impl Fn(Phase) -> bool) -> bool {
        self.looming.borrow().is_empty() && self.ends.borrow().iter().all(|end| is(end.phase))
    }

    pub(super) fn is_surely_open(&self) -> bool {
        self.is_surely(|phase| phase == Phase::Open)
    }

    /// Whether an end has begun; what looms does not undo that.
    pub(super) fn has_surely_ended(&self) -> bool {
        self.ends
            .borrow()
            .iter()
            .all(|end| end.phase != Phase::Open)
    }

    pub(super) fn may_be(&self, phase: Phase) -> bool {
        self.ends.borrow().iter().any(|end| end.phase == phase)
    }

    pub(super) fn may_have_ended_with(&self, reason: &Disconnect) -> bool {
        let ends = self.ends.borrow();
        ends.iter().any(|end| end.reason.as_ref() == Some(reason))
    }
}

impl End {
    /// The first cause stands; an abrupt one overtakes a flush, a panic whatever was before.
    fn after(&self, reason: &Disconnect, abrupt: Abrupt) -> Self {
        let phase = match (self.phase, abrupt) {
            (Phase::Open, Abrupt::No) => Phase::Closing,
            (Phase::Open | Phase::Closing, Abrupt::Yes) => Phase::Aborting,
            (phase, Abrupt::Yes) if matches!(reason, Disconnect::Panicked(_)) => phase,
            _ => return self.clone(),
        };
        Self {
            phase,
            reason: Some(reason.clone()),
        }
    }
}

/// Output.
impl Conn {
    /// Whether a write is accepted, as far as that is known.
    pub(super) fn accepts(&self, buffered: usize, cap: usize) -> Option<bool> {
        if self.has_surely_ended() {
            return Some(false);
        }
        if !self.is_surely_open() {
            return None;
        }
        Some(self.output.get() == Output::Open && buffered <= cap)
    }

    pub(super) fn wrote(&self, bytes: &[u8]) {
        self.expected.borrow_mut().extend(bytes);
        if self.buffered() > self.high.get() {
            self.evaluate_flow();
        }
    }

    /// The socket took these bytes. Returns whether they are what had to come.
    pub(super) fn took(&self, pieces: &mut dyn Iterator<Item = &[u8]>, len: usize) -> bool {
        let filtered = self.filters.any();
        let mut expected = match filtered {
            true => self.filters.coded.borrow_mut(),
            false => self.expected.borrow_mut(),
        };
        if expected.len() < len {
            return false;
        }
        let mut left = len;
        for piece in pieces {
            let piece = &piece[..piece.len().min(left)];
            left -= piece.len();
            if expected.drain(..piece.len()).ne(piece.iter().copied()) {
                return false;
            }
        }
        let done = match filtered {
            true if expected.is_empty() => self.filters.under_way.take(),
            true => 0,
            false => len,
        };
        drop(expected);
        if filtered {
            self.expected.borrow_mut().drain(..done);
        }
        if done > 0 {
            self.sent.set(self.sent.get() + done as u64);
            self.evaluate_flow();
        }
        left == 0
    }

    pub(super) fn evaluate_flow(&self) {
        let buffered = self.buffered();
        if self.paused.get() {
            self.paused.set(buffered > self.low.get());
        } else {
            self.paused.set(buffered > self.high.get());
        }
    }

    pub(super) fn wants_output(&self) -> bool {
        !self.has_surely_ended() && self.output.get() == Output::Open && !self.paused.get()
    }
}

/// Input.
impl Conn {
    /// Whether input may be delivered, if the connection is open.
    pub(super) fn is_held(&self) -> bool {
        self.layer_pauses.get() != 0
            || self.handle_paused.get()
            || self.holds.get() > 0
            || self.switching.get().is_some()
            || self.filters.placed.get() < self.filters.pushed.get()
            || (self.throttled.get() && self.paused.get())
    }

    pub(super) fn wants_input(&self) -> bool {
        !self.has_surely_ended() && !self.is_held()
    }
}
