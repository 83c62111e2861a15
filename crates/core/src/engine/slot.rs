use std::rc::Rc;

use torsade_deferred::queue::Entrance;

use super::chain::Chain;
use super::inbox::{Inbox, Spare, Tail};
use crate::calls::Whose;
use crate::guard::{self, Caught};
use crate::link::{Ending, Link, Phase};
use crate::shared::Shared;
use crate::slots::Key;
use crate::stack::Stack;
use crate::wire::{Interest, Wire};
use crate::{Disconnect, Limit};

/// One connection, as the engine owns it: the driver's socket, the protocols, and what they have
/// not read.
pub(super) struct Slot<S> {
    /// Given back to the driver when the connection ends.
    pub(super) socket: Option<S>,
    pub(super) link: Rc<Link>,
    pub(super) stack: Box<dyn Stack>,
    pub(super) input: Input,
    pub(super) inbox: Inbox,
    pub(super) interest: Interest,
    /// Whether the driver knows that descriptors are wanted.
    pub(super) passes: bool,
    /// The turn whose budget did not allow to read all that the kernel may hold; 0 is none.
    pub(super) more: u32,
    /// The turn in which a timer waited for input; 0 is none.
    pub(super) timers_wait: u32,
    /// Why output failed, while input that had arrived is still being read.
    pub(super) failure: Option<Box<Disconnect>>,
    pub(super) flushing: Option<Box<Flushing>>,
    pub(super) filters: Option<Box<Chain>>,
}

/// The peer's half of the stream.
///
/// ```text
///          the end is read            eof_received
///   Open -----------------> Ended ------------------> Told
///    |  reading failed; filters failed
///    +----------------------------------> Failed; Broken
/// ```
#[derive(Debug)]
pub(super) enum Input {
    Open,
    /// To be told when everything before it has been delivered.
    Ended,
    Told,
    /// To end the connection when everything before it has been delivered.
    Failed(Box<Disconnect>),
    /// The same for what filters could not bear, after what they encoded was sent.
    Broken(Box<Disconnect>),
}

/// The deadline of a close that waits for the kernel to take its output.
pub(super) struct Flushing {
    pub(super) timer: Key,
    /// What had been sent when the deadline was set.
    pub(super) sent: u64,
    /// What the kernel had not delivered then.
    pub(super) unsent: Option<usize>,
}

impl<S> Slot<S> {
    pub(super) fn new(socket: S, link: Rc<Link>, stack: Box<dyn Stack>) -> Self {
        Self {
            socket: Some(socket),
            link,
            stack,
            input: Input::Open,
            inbox: Inbox::default(),
            interest: Interest::default(),
            passes: false,
            more: 0,
            timers_wait: 0,
            failure: None,
            flushing: None,
            filters: None,
        }
    }

    /// Make one callback; a panic in it ends the connection.
    #[inline(always)]
    pub(super) fn callback(&mut self, place: &'static str, call: impl FnOnce(&mut dyn Stack)) {
        self.link.begin_callback();
        self.note_call(place);
        self.call(place, call);
    }

    /// User code of this connection is about to be called.
    #[inline(always)]
    pub(super) fn note_call(&self, place: &'static str) {
        self.link.shared().note_call(place, || self.whose());
    }

    fn whose(&self) -> Whose {
        Whose::Connection(self.link.id(), self.stack.name())
    }

    #[inline(always)]
    fn call(&mut self, place: &'static str, call: impl FnOnce(&mut dyn Stack)) {
        let stack = &mut self.stack;
        if let Err(panic) = guard::run(|| call(&mut **stack)) {
            self.panicked(place, panic);
        }
    }

    #[cold]
    pub(super) fn panicked(&self, place: &'static str, panic: torsade_deferred::Panic) {
        let caught = Caught::on(self.link.id(), place, panic.clone());
        self.link.shared().host().caught(&caught);
        self.link.end(Disconnect::Panicked(panic), Ending::Abrupt);
    }

    /// Deliver bytes that arrived on a connection that is calm, and send what the callback wrote.
    /// Returns whether all is done: the usual case, in which that was sent whole and nothing else
    /// changed.
    #[inline(always)]
    pub(super) fn take_calm<W: Wire<S>>(
        &mut self,
        wire: &mut W,
        shared: &Shared,
        queue: &Entrance,
        spare: &mut Spare,
        data: &[u8],
    ) -> bool {
        self.deliver(shared, data);
        if !queue.has_jobs() && self.link.only_runs() {
            return self.flush_calm(wire, shared, data);
        }
        self.leave_delivery(shared, spare, data);
        false
    }

    /// Take bytes that arrived, and deliver them if that may be.
    #[inline(never)]
    pub(super) fn take(&mut self, shared: &Rc<Shared>, spare: &mut Spare, data: &[u8]) {
        self.more = 0;
        if self.inbox.tail() == Tail::Empty && self.link.takes_bytes() {
            // What was said outside a delivery speaks of none.
            self.link.take_unread();
            self.deliver(shared, data);
            self.leave_delivery(shared, spare, data);
        } else if self.filters.is_some() {
            self.take_encoded(shared, spare, data);
        } else {
            self.link.count_received(data.len());
            if self.link.phase() == Phase::Open {
                self.inbox.append(data, spare);
            }
        }
    }

    /// Deliver bytes that are in a driver's buffer.
    #[inline(always)]
    fn deliver(&mut self, shared: &Shared, data: &[u8]) {
        self.link.count_received(data.len());
        shared.lending.begin(data);
        self.link.begin_callback();
        let place = "data_received";
        shared.note_call(place, || self.whose());
        self.call(place, |stack| stack.data(data));
    }

    /// The delivery is over, and not all was sent or read: keep what is needed of it.
    #[inline(never)]
    fn leave_delivery(&mut self, shared: &Shared, spare: &mut Spare, data: &[u8]) {
        let unread = self.link.take_unread();
        if unread > 0 {
            self.leave(data, unread, spare);
        }
        let lent = shared.lending.end();
        self.keep_lent(shared, data, lent);
    }

    /// The protocol left the last `unread` bytes of a fresh delivery for later.
    fn leave(&mut self, data: &[u8], unread: usize, spare: &mut Spare) {
        let drops = planted!("unread_tail_dropped") && !self.link.wants_input();
        if self.link.phase() == Phase::Open && !drops {
            let rest = &data[data.len() - unread.min(data.len())..];
            let tail = self.tail();
            self.inbox.keep(rest, tail, spare);
            self.check_unread();
        }
    }

    /// Deliver what was left of earlier deliveries, and what came since.
    pub(super) fn deliver_inbox(&mut self, spare: &mut Spare) {
        self.link.take_unread();
        self.link.begin_callback();
        self.note_call("data_received");
        let (stack, data) = (&mut *self.stack, self.inbox.bytes());
        let outcome = guard::run(|| stack.data(data));
        if let Err(panic) = outcome {
            self.panicked("data_received", panic);
        }
        let unread = self.link.take_unread().min(self.inbox.len());
        let tail = self.tail();
        self.inbox.consume(unread, tail, spare);
        self.check_unread();
    }

    /// Tell the peer's end. What is left unread is readable meanwhile, and then dropped.
    pub(super) fn deliver_end(&mut self, shared: &Shared) {
        self.input = Input::Told;
        self.link.note_peer_ended();
        shared.rest.replace(self.inbox.take());
        shared.rest_of.set(Some(self.link.id().0));
        self.callback("eof_received", |stack| stack.eof());
        if planted!("half_close_by_close") {
            self.link.end(Disconnect::PeerClosed, Ending::Flushed);
        }
        shared.rest_of.set(None);
        shared.rest.replace(Vec::new());
        self.link.take_unread();
    }

    /// What is to become of a rest that the callback just made has left.
    fn tail(&self) -> Tail {
        if self.link.wants_input() {
            Tail::Waits
        } else {
            Tail::Again
        }
    }

    /// Only a rest that waits can grow: while one is due, nothing is read.
    fn check_unread(&self) {
        if self.inbox.tail() == Tail::Waits && self.inbox.len() > self.link.unread_limit() {
            self.link
                .end(Disconnect::LimitPassed(Limit::Unread), Ending::Flushed);
        }
    }

    /// The events that the engine wants to hear of now.
    #[inline]
    pub(super) fn wanted(&self) -> Interest {
        if let Some(chain) = &self.filters {
            return Interest {
                readable: self.wants_encoded(chain),
                writable: chain.wire.is_held(),
            };
        }
        Interest {
            readable: matches!(self.input, Input::Open)
                && self.inbox.tail() != Tail::Again
                && self.link.takes_facts(),
            writable: self.link.outbox.borrow().is_held(),
        }
    }
}
