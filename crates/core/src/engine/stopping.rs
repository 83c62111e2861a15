use std::rc::Rc;

use super::Engine;
use crate::connect::{self, ConnectId};
use crate::datagram::Port;
use crate::guard;
use crate::link::{Ending, Link};
use crate::lookup;
use crate::process::Child;
use crate::shared::{State, StopAsked};
use crate::signals;
use crate::slots::Key;
use crate::timers::Action;
use crate::wire::{Op, Wire};
use crate::{ConnectionId, Disconnect, ListenerId, ProcessId, Timeout};

/// Whether the engine is being stopped.
///
/// ```text
///        stop               hooks have results,                all connections
///                           deadline, abort_all                are lost
///   No --------> Preparing ---------------------> Told --------------------> No, and Op::Stop
///    |                                             ^
///    +---------------------------------------------+
///        stop without hooks, abort_all
/// ```
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopping {
    No,
    /// Hooks were called; those without a result are given up when this timer strikes.
    Preparing(Key),
    /// Connections were told; those that remain are aborted when this timer strikes.
    Told(Key),
}

/// Stopping, in the order in which it happens.
impl<S> Engine<S> {
    /// Asked in every turn.
    #[inline]
    pub(super) fn stop_if_asked<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.shared.is_stop_asked() || self.stopping != Stopping::No {
            self.go_on_stopping(wire);
        }
    }

    fn go_on_stopping<W: Wire<S>>(&mut self, wire: &mut W) {
        match (self.shared.take_stop(), &self.stopping) {
            (StopAsked::Gently, Stopping::No) => self.prepare_stop(wire),
            (StopAsked::Abruptly, _) => self.stop_abruptly(wire),
            (StopAsked::Gently | StopAsked::No, _) => {}
        }
        if self.is_prepared() {
            self.call_hooks(wire);
            if self.shared.hooks.is_settled() {
                self.tell_stop(wire);
            }
        }
        if let Stopping::Told(deadline) = self.stopping
            && self.slots.is_empty()
            && self.shared.ports.borrow().is_empty()
            && self.shared.processes.borrow().is_empty()
        {
            self.disarm(deadline);
            self.finish_stop(wire);
        }
    }

    /// Whether a stop can go on, because hooks are to be called or all have results.
    pub(super) fn is_prepared(&self) -> bool {
        let hooks = &self.shared.hooks;
        matches!(self.stopping, Stopping::Preparing(_))
            && (hooks.to_call() > 0 || hooks.is_settled())
    }

    fn prepare_stop<W: Wire<S>>(&mut self, wire: &mut W) {
        if self.shared.hooks.to_call() == 0 {
            self.tell_stop(wire);
            return;
        }
        let timeout = self.shared.limits().before_stop_timeout;
        let deadline = self.shared.set_timer(timeout, Action::Stop);
        self.stopping = Stopping::Preparing(deadline);
    }

    /// Call the hooks there are. Those that they add have their turn in the next round.
    fn call_hooks<W: Wire<S>>(&mut self, wire: &mut W) {
        for _ in 0..self.shared.hooks.to_call() {
            if let Some(hook) = self.shared.hooks.next_call() {
                self.user("a hook before the stop", || hook(&self.shared));
                self.run_queue(wire);
            }
        }
    }

    /// Nobody waits for the hooks any longer.
    fn give_up_hooks(&self) {
        for canceller in self.shared.hooks.give_up() {
            self.user("cancelling a hook before the stop", || canceller.cancel());
        }
    }

    /// Whoever got as far as the door is let in, the door is closed, everybody is told.
    fn tell_stop<W: Wire<S>>(&mut self, wire: &mut W) {
        if let Stopping::Preparing(deadline) = self.stopping {
            self.disarm(deadline);
        }
        // First of all, for what is accepted now may ask for a stop again.
        let timeout = self.shared.limits().stop_timeout;
        let deadline = self.shared.set_timer(timeout, Action::Stop);
        self.stopping = Stopping::Told(deadline);
        self.accept_queued(wire);
        self.give_up_listening();
        self.give_up_connects();
        for slot in self.slots.values() {
            slot.link.tell_stopping();
        }
        for port in self.ports() {
            port.tell_stopping();
        }
        for child in self.processes() {
            child.tell_stopping();
        }
    }

    /// Accept what the system has queued for the listeners: to those clients, they are connected.
    fn accept_queued<W: Wire<S>>(&mut self, wire: &mut W) {
        let keys: Vec<_> = self.shared.listening.borrow().keys().collect();
        for key in keys {
            let listener = ListenerId(key);
            // No more than fit the queue: others may go on coming.
            for _ in 0..self.shared.limits().backlog {
                let Some((socket, peer)) = wire.accept(listener) else {
                    break;
                };
                self.accepted(wire, listener, socket, peer);
            }
        }
    }

    /// A deadline of the stop struck.
    pub(super) fn stop_deadline(&self) {
        match self.stopping {
            Stopping::Preparing(_) => {
                log::warn!("the stop goes on without the hooks that have no result yet");
                self.give_up_hooks();
            }
            Stopping::Told(_) => self.end_all(&Disconnect::TimedOut(Timeout::Stop)),
            Stopping::No => {}
        }
    }

    /// Everybody is gone, and what callbacks began meanwhile goes too.
    fn finish_stop<W: Wire<S>>(&mut self, wire: &mut W) {
        self.give_up_listening();
        self.give_up_connects();
        let timers = self.shared.timers.borrow_mut().drain_free();
        self.drop_timers(timers);
        let letters = self.shared.mailbox.take_all();
        self.drop_each("the drop of a posted call", letters);
        self.give_up_lookups();
        self.give_up_threads();
        self.end_extensions();
        self.run_queue(wire);
        self.stopping = Stopping::No;
        self.shared.ask(Op::Stop);
    }

    /// Abort every connection, as a second signal asks for while the first one's stop goes on. It
    /// waits for no hook any longer. Without a stop under way, one begins.
    pub fn abort_all(&self) {
        self.shared.ask_stop(StopAsked::Abruptly);
    }

    fn stop_abruptly<W: Wire<S>>(&mut self, wire: &mut W) {
        if !matches!(self.stopping, Stopping::Told(_)) {
            // Those that were not called yet get their call, but no time.
            self.call_hooks(wire);
            self.give_up_hooks();
            self.tell_stop(wire);
        }
        self.end_all(&Disconnect::Aborted);
    }

    fn disarm(&self, deadline: Key) {
        // One of ours: nothing of the user's is dropped.
        let _ = self.shared.timers.borrow_mut().remove(deadline);
    }
}

/// The end.
impl<S> Engine<S> {
    pub(super) fn give_up_listening(&self) {
        let keys: Vec<_> = self.shared.listening.borrow().keys().collect();
        for key in keys {
            let listening = self.shared.listening.borrow().get(key).cloned();
            if let Some(listening) = listening {
                listening.close(&self.shared);
            }
        }
    }

    fn give_up_connects(&self) {
        let keys: Vec<_> = self.shared.connects.borrow().keys().collect();
        for key in keys {
            if let Some((found, _)) = connect::give_up(&self.shared, ConnectId(key)) {
                self.user("the drop of a protocol", || found.gone());
            }
        }
    }

    /// Whoever waits for a name waits no longer.
    fn give_up_lookups(&self) {
        let waiters = lookup::give_up_all(&self.shared);
        self.drop_each("the end of a look-up", waiters);
    }

    /// Whoever waits for a thread waits no longer; the threads come to their end.
    fn give_up_threads(&self) {
        let keys: Vec<_> = self.shared.asked.borrow().keys().collect();
        let remove = |key| self.shared.asked.borrow_mut().remove(key);
        let asked = keys.into_iter().filter_map(remove);
        self.drop_each("the end of a wait for a thread", asked);
        self.shared.host().join_threads();
    }

    fn end_all(&self, reason: &Disconnect) {
        for link in self.links() {
            link.end(reason.clone(), Ending::Abrupt);
        }
        for port in self.ports() {
            port.close();
        }
        for child in self.processes() {
            child.give_up();
        }
    }

    fn ports(&self) -> Vec<Rc<Port>> {
        self.shared.ports.borrow().values().cloned().collect()
    }

    fn processes(&self) -> Vec<Rc<Child>> {
        self.shared.processes.borrow().values().cloned().collect()
    }

    pub(super) fn process(&self, id: ProcessId) -> Option<Rc<Child>> {
        self.shared.processes.borrow().get(id.0).cloned()
    }

    fn links(&self) -> Vec<Rc<Link>> {
        let slots = self.slots.values();
        slots.map(|slot| Rc::clone(&slot.link)).collect()
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
        // First, because the queue is run to its end below, and a task may queue itself for ever.
        self.end_extensions();
        self.budget = usize::MAX;
        self.redeliveries = usize::MAX;
        while self.gives_up_something() {
            self.end_all(&Disconnect::ReactorGone);
            self.settle_touched(wire);
            if self.turn.is_none() {
                self.run_what_is_queued(wire);
            }
            if self.losses.is_empty() {
                // A completion driver that still owes `closed` has lost its chance.
                self.lose_what_is_left();
            }
            if planted!("shutdown_skips_a_loss") && self.losses.len() > 1 {
                self.losses.pop().map(|id| self.slots.remove(id.0));
            }
            self.deliver_losses(wire);
            self.deliver_stopped(wire);
        }
        self.shared.set_state(State::Gone);
        let hooks = self.shared.hooks.drain();
        self.drop_each("the drop of a hook before the stop", hooks);
        let heard = signals::forget(&self.shared);
        self.drop_each("the drop of a signal's callback", heard);
        let letters = self.shared.mailbox.close();
        self.drop_each("the drop of a posted call", letters);
        let timers = self.shared.timers.borrow_mut().drain();
        self.drop_timers(timers);
        self.give_up_lookups();
        self.give_up_threads();
        let resolver = lookup::forget_resolver(&self.shared);
        self.drop_each("the drop of a resolver of names", [resolver]);
        self.end_extensions();
        self.run_queue(wire);
        self.shared.touched.take();
        self.shared.touched_ports.take();
        self.shared.clear_ready();
        self.turn = None;
    }

    /// What other crates added goes, too, and takes along what belongs to users.
    fn end_extensions(&self) {
        for extension in self.shared.extensions.take() {
            self.user("the end of an extension", || extension.ended());
        }
    }

    /// Each by itself, like the others.
    fn drop_timers(&self, timers: Vec<Action>) {
        for action in timers {
            self.user("the drop of a timer", || {
                action.discard(&self.shared.actions)
            });
        }
    }

    /// Each by itself: two panics in one drop would end the process.
    fn drop_each<T>(&self, place: &'static str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.user(place, || drop(value));
        }
    }

    /// Give up what has no connection yet, and say whether anything was left: losses are
    /// callbacks, which may begin to listen and connect again.
    fn gives_up_something(&self) -> bool {
        let shared = &self.shared;
        let left = !self.slots.is_empty()
            || !shared.listening.borrow().is_empty()
            || !shared.connects.borrow().is_empty()
            || !shared.ports.borrow().is_empty()
            || !shared.processes.borrow().is_empty();
        self.give_up_listening();
        self.give_up_connects();
        left
    }

    /// Run what is queued on our connections, which no loss overtakes. Their places are in a queue
    /// that is another's to run, so they are not waited for.
    fn run_what_is_queued<W: Wire<S>>(&mut self, wire: &mut W) {
        for link in self.links() {
            while link.is_queued() {
                self.run_link(wire, &link);
            }
        }
        for port in self.ports() {
            while port.is_queued() {
                self.run_port(wire, &port);
            }
        }
        for child in self.processes() {
            while child.is_queued() {
                child.run_one();
            }
        }
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
