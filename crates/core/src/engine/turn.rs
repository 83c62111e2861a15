use std::mem;
use std::rc::Rc;

use torsade_deferred::queue::Turn;

use super::Engine;
use super::inbox::Tail;
use crate::connect;
use crate::guard;
use crate::link::{Ending, Link, Phase};
use crate::shared::State;
use crate::slots::Key;
use crate::timers::Action;
use crate::wire::{Op, Wire};
use crate::{ConnectionId, Disconnect, Time, Timeout};

/// Whether the engine is being stopped.
///
/// ```text
///        stop                     all connections are lost
///   No ---------> Told(deadline) --------------------------> No, and Op::Stop
/// ```
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    No,
    /// Connections were told; those that remain are aborted when this timer strikes.
    Told(Key),
}

/// After so many rounds of writing to each other within one turn, connections wait for the next.
const ROUNDS: usize = 8;

impl<S> Engine<S> {
    /// Begin a turn, right after the driver's wait, and run the calls that other threads posted.
    ///
    /// # Panics
    /// If a turn is under way on this thread: a reactor was run from inside a callback.
    pub fn begin<W: Wire<S>>(&mut self, wire: &mut W) {
        self.enter();
        // Timers due are those due now, before callbacks take their time: what arrived during a
        // long callback is read in the next turn, in front of the timers it delayed.
        if !self.shared.timers.borrow().is_empty() {
            self.shared.now();
        }
        if !self.shared.mailbox.is_empty() {
            self.run_posts(wire);
        }
    }

    fn enter(&mut self) {
        let Some(turn) = Turn::enter() else {
            panic!("a reactor was run, or a test transport used, inside a callback of this thread");
        };
        self.turn = Some(turn);
        self.number = self.number.wrapping_add(1).max(1);
        self.shared.set_state(State::InTurn);
        self.budget = self.shared.limits().turn_continuations;
        self.facts_left = false;
    }

    /// End the turn: timers, what a budget left over, output that others wrote, losses.
    pub fn end<W: Wire<S>>(&mut self, wire: &mut W) {
        self.in_turn();
        self.run_queue(wire);
        self.run_timers(wire);
        for link in mem::take(&mut self.leftover) {
            self.settle(wire, link.id());
        }
        for _ in 0..ROUNDS {
            self.settle_touched(wire);
            self.deliver_losses(wire);
            self.stop_if_asked();
            if !self.has_unsettled() {
                break;
            }
        }
        self.settle_timers();
        self.shared.set_state(State::Asleep);
        self.turn = None;
    }

    fn has_unsettled(&self) -> bool {
        !self.shared.touched.borrow().is_empty() || !self.losses.is_empty() || self.has_queued()
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
    fn settle_touched<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.shared.touched.borrow().is_empty() && !self.has_queued() {
            return;
        }
        let room = mem::take(&mut self.settling);
        let mut touched = self.shared.touched.replace(room);
        for link in touched.drain(..) {
            link.unlist();
            self.settle(wire, link.id());
        }
        self.settling = touched;
        self.run_queue(wire);
        if self.shared.is_over_cap() {
            self.shed_output(wire);
        }
    }

    fn deliver_losses<W: Wire<S>>(&mut self, wire: &mut W) {
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
        if link.is_queued() {
            // Continuations come first, even if the budget put them off to the next turn.
            self.losses.push(id);
            return;
        }
        link.set_phase(Phase::Lost);
        let reason = link.watches.reason().unwrap_or(Disconnect::ReactorGone);
        slot.cancel_waits();
        slot.callback("connection_lost", |stack| stack.lost(&reason));
        let slot = self.slots.remove(id.0);
        self.shared.set_connections(self.slots.len());
        link.watches.lost(&reason);
        self.user("the drop of a protocol", || drop(slot));
    }

    /// Timers that were set before this turn and are due.
    fn run_timers<W: Wire<S>>(&mut self, wire: &mut W) {
        let next = self.shared.timers.borrow().next_deadline();
        let Some(next) = next else {
            return;
        };
        let now = self.shared.now();
        if next > now {
            return;
        }
        let due = self.shared.timers.borrow().due(now);
        for key in due {
            // An earlier one of them may have moved it.
            let is_due = self.shared.timers.borrow().is_due(key, now);
            if is_due && !self.waits_for_input(key) {
                let action = self.shared.timers.borrow_mut().remove(key);
                if let Some(action) = action {
                    self.run_action(wire, action);
                }
            }
        }
    }

    /// Whether a timer's connection has input that must be delivered before it.
    fn waits_for_input(&self, key: Key) -> bool {
        let timers = self.shared.timers.borrow();
        let Some(Action::Connection(link, _)) = timers.action(key) else {
            return false;
        };
        if !link.wants_input() {
            return false;
        }
        self.facts_left
            || self
                .slots
                .get(link.id().0)
                .is_some_and(|slot| slot.more == self.number || slot.inbox.tail() == Tail::Again)
    }

    fn run_action<W: Wire<S>>(&mut self, wire: &mut W, action: Action) {
        match action {
            Action::Free(f, _) => {
                let net = self.net.clone();
                self.user("a timer", || f(&net));
            }
            Action::Connection(link, continuation) => {
                link.stop_waiting(&*continuation);
                link.ready(continuation);
            }
            Action::Attempt(attempt) => {
                if let Some(found) = connect::take(&self.shared, attempt) {
                    self.shared.ask(Op::CancelConnect { attempt });
                    self.user("the drop of a protocol", || found.timed_out());
                }
            }
            Action::Flush(id) => {
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.flush_deadline(wire, &self.shared);
                }
            }
            Action::Stop => self.end_all(&Disconnect::TimedOut(Timeout::Stop)),
        }
        self.run_queue(wire);
    }

    /// Timers set during the turn count from here.
    fn settle_timers(&self) {
        let mut timers = self.shared.timers.borrow_mut();
        if timers.has_fresh() {
            let now: Time = self.shared.host().now();
            timers.settle_fresh(now);
        }
    }
}

/// Stopping.
impl<S> Engine<S> {
    fn stop_if_asked(&mut self) {
        if self.shared.take_stop() && self.stopping == Stopping::No {
            self.begin_stop();
        }
        if let Stopping::Told(deadline) = self.stopping
            && self.slots.is_empty()
        {
            // One of ours: nothing of the user's is dropped.
            let _ = self.shared.timers.borrow_mut().remove(deadline);
            self.stopping = Stopping::No;
            self.shared.ask(Op::Stop);
        }
    }

    fn begin_stop(&mut self) {
        self.give_up_listening();
        self.give_up_attempts();
        let timeout = self.shared.limits().stop_timeout;
        let deadline = self.shared.set_timer(timeout, Action::Stop);
        self.stopping = Stopping::Told(deadline);
        for slot in self.slots.values() {
            slot.link.tell_stopping();
        }
    }

    fn give_up_listening(&self) {
        let keys: Vec<_> = self.shared.listening.borrow().keys().collect();
        for key in keys {
            let listening = self.shared.listening.borrow().get(key).cloned();
            if let Some(listening) = listening {
                listening.close(&self.shared);
            }
        }
    }

    fn give_up_attempts(&self) {
        let keys: Vec<_> = self.shared.attempts.borrow().keys().collect();
        for key in keys {
            let attempt = crate::AttemptId(key);
            if let Some(found) = connect::take(&self.shared, attempt) {
                self.shared.ask(Op::CancelConnect { attempt });
                self.user("the drop of a protocol", || found.gone());
            }
        }
    }

    /// Abort every connection, as a second signal asks for while the first one's stop goes on.
    pub fn abort_all(&self) {
        self.end_all(&Disconnect::Aborted);
    }

    fn end_all(&self, reason: &Disconnect) {
        let links: Vec<Rc<Link>> = self
            .slots
            .values()
            .map(|slot| Rc::clone(&slot.link))
            .collect();
        for link in links {
            link.end(reason.clone(), Ending::Abrupt);
        }
    }

    /// The end of the engine: every connection is aborted and told so, timers and posted calls
    /// are dropped, and whoever still has a handle finds nothing behind it.
    ///
    /// A driver calls it when it is dropped. Doing it again does nothing.
    ///
    /// # Panics
    /// If a turn of another reactor is under way on this thread: callbacks would nest.
    pub fn shut_down<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.shared.state() == State::Gone {
            return;
        }
        if self.turn.is_none() {
            self.enter();
        }
        self.give_up(wire);
    }

    /// The same for a driver that is dropped inside a callback: it queues a
    /// [`Job`](torsade_deferred::queue::Job), and the job, which runs between callbacks, calls
    /// this. What the losses queue is left to whoever runs the job.
    pub fn shut_down_in_job<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.shared.state() != State::Gone {
            self.shared.set_state(State::InTurn);
            self.give_up(wire);
        }
    }

    fn give_up<W: Wire<S>>(&mut self, wire: &mut W) {
        self.budget = usize::MAX;
        while self.gives_up_something() {
            self.end_all(&Disconnect::ReactorGone);
            self.settle_touched(wire);
            if self.losses.is_empty() {
                // A completion driver that still owes `closed` has lost its chance.
                self.lose_what_is_left();
            }
            self.deliver_losses(wire);
        }
        self.shared.set_state(State::Gone);
        // Each by itself: two panics in one drop would end the process.
        for letter in self.shared.mailbox.close() {
            self.user("the drop of a posted call", || drop(letter));
        }
        let timers = self.shared.timers.borrow_mut().drain();
        for timer in timers {
            self.user("the drop of a timer", || drop(timer));
        }
        self.run_queue(wire);
        self.shared.touched.take();
        self.shared.clear_ready();
        self.turn = None;
    }

    /// Give up what has no connection yet, and say whether anything was left: losses are
    /// callbacks, which may begin to listen and connect again.
    fn gives_up_something(&self) -> bool {
        let shared = &self.shared;
        let left = !self.slots.is_empty()
            || !shared.listening.borrow().is_empty()
            || !shared.attempts.borrow().is_empty();
        self.give_up_listening();
        self.give_up_attempts();
        left
    }

    fn lose_what_is_left(&mut self) {
        for key in self.slots.keys() {
            self.losses.push(ConnectionId(key));
        }
    }
}

/// A driver that forgot to shut down has still left the turn; the handles find the engine gone.
impl<S> Drop for Engine<S> {
    fn drop(&mut self) {
        if self.shared.state() != State::Gone {
            self.shared.set_state(State::Gone);
            for letter in self.shared.mailbox.close() {
                let _ = guard::run(|| drop(letter));
            }
        }
    }
}
