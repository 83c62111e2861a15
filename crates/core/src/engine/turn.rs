use std::mem;
use std::rc::Rc;

use super::Engine;
use super::inbox::Tail;
use super::slot::Slot;
use super::stopping::Stopping;
use crate::calls::Whose;
use crate::connect;
use crate::continuation::Owner;
use crate::link::Phase;
use crate::lookup;
use crate::shared::State;
use crate::timers::Action;
use crate::wire::Wire;
use crate::{ConnectionId, Disconnect, Time};

/// After so many rounds of writing to each other within one turn, connections wait for the next.
const ROUNDS: usize = 8;

/// Turns in which nothing happens but that messages come and are answered need no end between
/// them: there is nothing to be done in it, and nobody but the driver runs before the next.
///
/// ```text
///                                    +--- undisturbed, the next wait ---+
///                                    v                                  |
///   begin_quiet --> the wait --> is_still_quiet --> facts --> was_undisturbed
///                                    | no                               | no
///                                    v                                  v
///                                   wake ------------> facts --------> end
/// ```
impl<S> Engine<S> {
    /// Begin a row of quiet turns, before the driver's wait, if there is nothing to do but to wait.
    ///
    /// For a driver that was asked to run, not to take one turn. It must call nobody in its waits.
    /// There are none while callbacks are timed (`Limits::slow_callback`): the last one would last
    /// until the wait is over.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use std::task::Waker;
    /// # use std::time::Duration;
    /// # use torsade_core::driver::{Engine, Host};
    /// # use torsade_core::{Address, Limits, ListenOptions, ListenerId, Time};
    /// # struct Nowhere;
    /// # impl Host for Nowhere {
    /// #     fn now(&self) -> Time {
    /// #         Time::ZERO
    /// #     }
    /// #     fn listen(
    /// #         &self,
    /// #         address: &Address,
    /// #         _: &ListenOptions,
    /// #         _: ListenerId,
    /// #     ) -> std::io::Result<Address> {
    /// #         Ok(address.clone())
    /// #     }
    /// #     fn close_listener(&self, _: ListenerId) {}
    /// # }
    /// let mut limits = Limits::default();
    /// for (slow, quiet) in [(None, true), (Some(Duration::from_millis(100)), false)] {
    ///     limits.slow_callback = slow;
    ///     let waker = Waker::noop().clone();
    ///     let mut engine = Engine::<()>::new(Rc::new(Nowhere), waker, limits.clone());
    ///     assert_eq!(engine.begin_quiet(), quiet);
    /// }
    /// ```
    ///
    /// # Panics
    /// If a turn is under way on this thread.
    pub fn begin_quiet(&mut self) -> bool {
        // Where callbacks are timed, a turn has to end before the wait does.
        let is_quiet = !self.has_work()
            && matches!(self.stopping, Stopping::No)
            && !self.shared.calls.are_timed();
        if is_quiet {
            self.enter();
        }
        is_quiet
    }

    /// After a wait: whether nobody posted a call meanwhile. Otherwise the turn has to
    /// [`wake`](Self::wake) before facts are told, as it has if a deadline has passed.
    #[inline]
    pub fn is_still_quiet(&self) -> bool {
        self.shared.forget_now();
        self.shared.mailbox.is_empty()
    }

    /// The turn is to be like any other from its beginning on, as after [`begin`](Self::begin).
    pub fn wake<W: Wire<S>>(&mut self, wire: &mut W) {
        self.in_turn();
        self.begin_entered(wire);
    }

    /// After the facts: whether they were messages that came and were answered, and nothing else.
    /// Otherwise the turn has to [`end`](Self::end).
    #[inline]
    pub fn was_undisturbed(&self) -> bool {
        !self.stirred && !self.shared.is_busy()
    }

    /// The driver did something of its own in this turn.
    #[inline]
    pub fn disturb(&mut self) {
        self.stirred = true;
    }
}

impl<S> Engine<S> {
    /// Begin a turn, right after the driver's wait, and run the calls that other threads posted.
    ///
    /// # Panics
    /// If a turn is under way on this thread: a reactor was run from inside a callback.
    pub fn begin<W: Wire<S>>(&mut self, wire: &mut W) {
        self.enter();
        self.begin_entered(wire);
    }

    fn begin_entered<W: Wire<S>>(&mut self, wire: &mut W) {
        // Timers due are those due now, before callbacks take their time: what arrived during a
        // long callback is read in the next turn, in front of the timers it delayed.
        if !self.shared.timers.borrow().is_empty() {
            self.shared.now();
        }
        // What was queued between two turns comes before everything that this one brings.
        if self.has_queued() {
            self.run_queue(wire);
        }
        if !self.shared.mailbox.is_empty() {
            self.run_posts(wire);
        }
    }

    pub(super) fn enter(&mut self) {
        let Some(turn) = self.queue.enter() else {
            panic!("a reactor was run, or a test transport used, inside a callback of this thread");
        };
        self.turn = Some(turn);
        self.number = self.number.wrapping_add(1).max(1);
        self.shared.set_state(State::InTurn);
        self.budget = self.shared.limits().turn_continuations;
        self.redeliveries = self.budget;
        self.facts_left = false;
        self.stirred = false;
    }

    /// End the turn: timers, what a budget left over, output that others wrote, losses.
    pub fn end<W: Wire<S>>(&mut self, wire: &mut W) {
        self.in_turn();
        if !self.is_quiet() {
            self.see_to_all(wire);
        }
        self.shared.end_calls();
        self.shared.set_state(State::Asleep);
        self.turn = None;
    }

    /// Whether the facts of this turn left nothing to do, and no timer is due: the usual case.
    #[inline]
    fn is_quiet(&self) -> bool {
        let shared = &self.shared;
        let is_quiet = !shared.is_busy()
            && self.leftover.is_empty()
            && self.losses.is_empty()
            && self.closed_ports.is_empty()
            && self.late_ports.is_empty()
            && !self.has_queued()
            && matches!(self.stopping, Stopping::No);
        is_quiet
            && shared
                .timers
                .borrow_mut()
                .next_deadline()
                .is_none_or(|next| next > shared.now())
    }

    #[inline(never)]
    fn see_to_all<W: Wire<S>>(&mut self, wire: &mut W) {
        self.run_queue(wire);
        self.run_timers(wire);
        for link in mem::take(&mut self.leftover) {
            self.settle(wire, link.id());
        }
        self.settle_late_ports(wire);
        for _ in 0..ROUNDS {
            self.settle_touched(wire);
            if self.shared.is_over_cap() {
                self.shed_output(wire);
            }
            self.deliver_losses(wire);
            self.deliver_stopped(wire);
            self.stop_if_asked(wire);
            if !self.has_unsettled() {
                break;
            }
        }
        self.settle_timers();
        self.shared.look_for_work();
    }

    fn has_unsettled(&self) -> bool {
        !self.shared.touched.borrow().is_empty()
            || !self.shared.touched_ports.borrow().is_empty()
            || !self.losses.is_empty()
            || !self.closed_ports.is_empty()
            || self.has_queued()
            || self.shared.is_over_cap()
    }

    fn run_posts<W: Wire<S>>(&mut self, wire: &mut W) {
        let present = self.shared.mailbox.len();
        for _ in 0..present.min(self.shared.limits().turn_posts) {
            let Some(letter) = self.shared.mailbox.take() else {
                return;
            };
            let net = self.net.clone();
            self.user("a posted call", || letter(&net));
            self.run_queue(wire);
        }
    }

    /// Connections that were changed by others than their own callbacks.
    pub(super) fn settle_touched<W: Wire<S>>(&mut self, wire: &mut W) {
        self.settle_touched_ports(wire);
        if self.shared.touched.borrow().is_empty() && !self.has_queued() {
            return;
        }
        let room = mem::take(&mut self.settling);
        let mut touched = self.shared.touched.replace(room);
        let mut left = touched.as_slice();
        while let Some((id, rest)) = self.send_staged(wire, left) {
            self.settle(wire, id);
            left = rest;
        }
        touched.clear();
        self.settling = touched;
        self.run_queue(wire);
        if self.shared.is_over_cap() {
            self.shed_output(wire);
        }
    }

    /// The usual case in a room: others wrote to connections on which everything flows. Returns the
    /// first of which that is not all, and those behind it.
    #[inline]
    fn send_staged<'a, W: Wire<S>>(
        &mut self,
        wire: &mut W,
        touched: &'a [ConnectionId],
    ) -> Option<(ConnectionId, &'a [ConnectionId])> {
        // Looked at once, and given back together: that costs less than one by one.
        let buffer = self.shared.staging.borrow();
        let mut ids = touched.iter();
        let mut bytes = 0;
        let mut unsent = None;
        for &id in ids.by_ref() {
            let Some(slot) = self.slots.get_mut(id.0) else {
                continue;
            };
            let link = &slot.link;
            let (Some(staged), Some(socket)) = (link.written_by_others(), &mut slot.socket) else {
                link.unlist();
                unsent = Some((id, None));
                break;
            };
            let sent = wire.send_lent(socket, id, &buffer[staged.range()]);
            if sent < staged.len() {
                link.unlist();
                unsent = Some((id, Some((staged, sent))));
                break;
            }
            link.sent_of_others(sent);
            bytes += sent;
        }
        drop(buffer);
        if bytes > 0 {
            self.shared.release_staged(bytes);
        }
        let (id, part) = unsent?;
        if let (Some((staged, sent)), Some(slot)) = (part, self.slots.get_mut(id.0)) {
            slot.link.took_staged(staged, sent);
        }
        Some((id, ids.as_slice()))
    }

    pub(super) fn deliver_losses<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.losses.is_empty() {
            return;
        }
        let room = mem::take(&mut self.losing);
        let mut losses = mem::replace(&mut self.losses, room);
        for id in losses.drain(..) {
            self.deliver_loss(id);
            self.run_queue(wire);
        }
        self.losing = losses;
    }

    fn deliver_loss(&mut self, id: ConnectionId) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        let link = Rc::clone(&slot.link);
        let late = planted!("continuation_after_loss");
        if link.is_queued() && !late {
            // Continuations come first, even if the budget put them off to the next turn.
            self.losses.push(id);
            return;
        }
        link.set_phase(Phase::Lost);
        let reason = link.watches.reason().unwrap_or(Disconnect::ReactorGone);
        slot.cancel_waits(|_| !late);
        slot.callback("connection_lost", |stack| stack.lost(&reason));
        if planted!("losses_twice") && reason == Disconnect::Reset {
            slot.callback("a second loss", |stack| stack.lost(&reason));
        }
        while late && link.is_queued() {
            slot.run_one(&link);
        }
        if let Some(birth) = slot.take_birth() {
            self.stillborn(birth, &link, &reason);
        }
        let mut slot = self.slots.remove(id.0);
        self.shared.set_connections(self.slots.len());
        let filters = slot.as_mut().map(Slot::take_filters);
        // Each by itself: two panics in one drop would end the process.
        for filter in filters.into_iter().flatten() {
            self.user("the drop of a filter", || drop(filter));
        }
        link.watches.lost(&reason);
        self.user("the drop of a protocol", || drop(slot));
    }

    /// Timers that were set before this turn and are due.
    fn run_timers<W: Wire<S>>(&mut self, wire: &mut W) {
        let next = self.shared.timers.borrow_mut().next_deadline();
        let Some(next) = next else {
            return;
        };
        let now = self.shared.now();
        if next > now {
            return;
        }
        self.shared.timers.borrow_mut().advance(now);
        // They stay armed until it is their turn, so that an earlier one can move or cancel them.
        while let Some(action) = self.take_due() {
            self.run_action(wire, action);
        }
        self.shared.timers.borrow_mut().keep_put_off();
    }

    /// What the next timer does that is due and has no input to wait for.
    #[inline]
    fn take_due(&mut self) -> Option<Action> {
        let mut timers = self.shared.timers.borrow_mut();
        loop {
            let key = timers.first_due()?;
            if let Some(Action::Connection(link, _)) = timers.get(key)
                && let Some(slot) = self.slots.get_mut(link.id().0)
                && slot.timer_waits_for_input(self.number, self.facts_left)
            {
                timers.put_off(key);
                continue;
            }
            return timers.remove(key);
        }
    }

    fn run_action<W: Wire<S>>(&mut self, wire: &mut W, action: Action) {
        match action {
            Action::Free(f, site) => {
                let place = "a timer";
                self.shared.note_call(place, || Whose::Site(site));
                self.guard(place, || f.run(&self.net));
            }
            Action::Connection(link, continuation) => {
                link.waits.leave(&*continuation);
                link.ready(continuation);
            }
            Action::Port(port, continuation) => {
                port.waits.leave(&*continuation);
                port.ready(continuation);
            }
            Action::Process(child, continuation) => {
                child.leave(&*continuation);
                child.ready(continuation);
            }
            Action::AfterExit(id) => {
                if let Some(child) = self.process(id) {
                    child.after_exit();
                }
            }
            Action::Connect(id) => connect::timed_out(&self.shared, id),
            Action::NextAttempt(id) => connect::next_attempt(&self.shared, id),
            Action::Again(id, step) => connect::try_again(&self.shared, id, step),
            Action::Lookup(id) => lookup::timed_out(&self.shared, id),
            Action::Flush(id) => {
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.flush_deadline(wire, &self.shared);
                }
            }
            Action::Filter(id) => {
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.wake_filters(&self.shared, &mut self.spare);
                    self.settle(wire, id);
                }
            }
            Action::Handshake(id) => {
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.handshake_deadline();
                    self.settle(wire, id);
                }
            }
            Action::Stop => self.stop_deadline(),
        }
        if self.has_queued() {
            self.run_queue(wire);
        }
    }

    /// Timers set during the turn count from here.
    fn settle_timers(&self) {
        let mut timers = self.shared.timers.borrow_mut();
        if timers.has_fresh() {
            let now: Time = self.shared.host().now();
            timers.settle(now);
        }
    }
}

impl<S> Slot<S> {
    /// Whether there is input that must be delivered before a timer of this connection. Its later
    /// timers do not pass one that waited for that, whatever happens in between.
    fn timer_waits_for_input(&mut self, turn: u32, facts_left: bool) -> bool {
        if self.timers_wait == turn {
            return true;
        }
        let has_input = self.more == turn || self.inbox.tail() == Tail::Again;
        let early = planted!("timers_before_input");
        let waits = self.link.wants_input() && (facts_left || has_input) && !early;
        if waits {
            self.timers_wait = turn;
        }
        waits
    }
}
