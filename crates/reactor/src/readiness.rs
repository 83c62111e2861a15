use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::driver::{Engine, Op};
use torsade_core::{Limits, Net, Time};

use crate::Driver;
use crate::batch::Batch;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::event_loop::{Doorbell, EventLoop, Next, waker};
use crate::host::SystemHost;
use crate::names::Names;
use crate::poller::Poller;
#[cfg(unix)]
use crate::signals::Signals;
use crate::system::{System, earlier};
use crate::teller::Teller;
#[cfg(unix)]
use crate::watcher::Watcher;

/// The loop over a poller: waits, turns, and what is done between them.
pub(crate) struct ReadinessLoop<P: Poller> {
    teller: Teller<P>,
    batch: Batch<P>,
    turn_bytes: usize,
    turns: u64,
    /// Whether a turn of ours is under way; it stays so if one is left by a panic.
    in_turn: bool,
}

impl<P: Poller> ReadinessLoop<P> {
    pub(crate) fn new(poller: P, limits: Limits, clock: Clock, names: Names) -> Self {
        let host = Rc::new(SystemHost::new(clock, names, &poller, &limits));
        let system = System::new(&poller, Rc::clone(&host), &limits);
        let turn_bytes = limits.turn_bytes;
        let engine = Engine::new(host, waker(poller.doorbell()), limits);
        Self {
            teller: Teller::new(engine, system),
            batch: Batch::new(),
            turn_bytes,
            turns: 0,
            in_turn: false,
        }
    }
}

impl<P: Poller> EventLoop for ReadinessLoop<P> {
    fn driver(&self) -> Driver {
        P::DRIVER
    }

    fn net(&self) -> &Net {
        self.teller.engine.net()
    }

    /// If the last wait's events are not all told, because a budget ended, the turn is theirs and
    /// there is no wait.
    fn turn(&mut self, longest: Option<Duration>) -> io::Result<Next> {
        let waited = self.batch.is_done();
        if waited {
            let timeout = self.timeout(longest);
            self.batch.wait(&self.teller.system.poller, timeout)?;
        }
        self.turns += 1;
        let Teller { engine, system, .. } = &mut self.teller;
        engine.begin(system);
        self.in_turn = true;
        self.teller.tell_answers();
        self.tell_events();
        Ok(self.finish(waited))
    }

    fn turns(&mut self) -> io::Result<Next> {
        match self.quiet_turns()? {
            Quiet::Never => return self.turn(None),
            Quiet::UntilWoken => {
                let Teller { engine, system, .. } = &mut self.teller;
                engine.wake(system);
                self.tell_events();
            }
            Quiet::UntilDisturbed => {}
        }
        Ok(self.finish(true))
    }

    fn counters(&self) -> Counters {
        let (net, system) = (self.net(), &self.teller.system);
        Counters {
            turns: self.turns,
            events: self.batch.events() - self.teller.pollers_own,
            accepts: net.accepted(),
            accept_calls: system.accepting.calls(),
            shed: net.shed(),
            slow_callbacks: net.slow_callbacks(),
            connections: net.connections(),
            lingering: system.lingering.len(),
            buffered: net.buffered(),
            dropped_writes: net.dropped_writes(),
            datagram_ports: net.datagram_ports(),
            dropped_datagrams: net.dropped_datagrams(),
        }
    }

    fn has_work(&self) -> bool {
        !self.batch.is_done() || self.has_queued()
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.has_work() {
            return Some(self.teller.system.host.clock.now());
        }
        self.deadline()
    }

    fn shut_down(&mut self) {
        self.teller.engine.shut_down(&mut self.teller.system);
        self.forget_watches();
    }

    fn shut_down_in_job(&mut self) {
        self.teller.engine.shut_down_in_job(&mut self.teller.system);
        self.forget_watches();
    }

    fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    fn doorbell(&self) -> Arc<dyn Doorbell> {
        self.teller.system.poller.doorbell()
    }

    #[cfg(unix)]
    fn watcher(&self) -> Watcher {
        Watcher::new(&self.teller.system.watches, self.net())
    }

    #[cfg(unix)]
    fn listen_for_signals(&mut self) -> io::Result<()> {
        if self.teller.signals.is_none() {
            self.teller.signals = Some(Signals::listen(&self.teller.system.poller)?);
        }
        Ok(())
    }
}

/// For how long turns were quiet. Unless they never were, the last one is still to be ended.
enum Quiet {
    Never,
    /// The events of the last wait are still to be told.
    UntilWoken,
    /// They are told.
    UntilDisturbed,
}

/// The parts of a turn.
impl<P: Poller> ReadinessLoop<P> {
    /// Take turns without ending them, for as long as nothing happens but that messages come and
    /// are answered.
    fn quiet_turns(&mut self) -> io::Result<Quiet> {
        let deadline = self.deadline();
        let is_quiet = self.batch.is_done() && self.teller.system.is_quiet();
        if !is_quiet || !self.teller.engine.begin_quiet() {
            return Ok(Quiet::Never);
        }
        self.in_turn = true;
        loop {
            let Teller { engine, system, .. } = &mut self.teller;
            let timeout = deadline.map(|deadline| deadline - system.host.clock.now());
            if let Err(error) = self.batch.wait(&system.poller, timeout) {
                engine.end(system);
                self.in_turn = false;
                return Err(error);
            }
            self.turns += 1;
            if !engine.is_still_quiet() || deadline.is_some_and(|it| it <= engine.net().now()) {
                return Ok(Quiet::UntilWoken);
            }
            self.tell_events_here();
            let was_undisturbed = self.teller.engine.was_undisturbed();
            if !was_undisturbed || !self.batch.is_done() || self.batch.was_full() {
                return Ok(Quiet::UntilDisturbed);
            }
        }
    }

    /// What follows the events of a turn.
    fn finish(&mut self, waited: bool) -> Next {
        let Teller { engine, system, .. } = &mut self.teller;
        system.strike();
        // What came in since a wait that is a turn old is not known either.
        let unknown = !waited || !self.batch.is_done() || self.batch.was_full();
        if unknown && !planted!("unread_events_untold") {
            engine.facts_left();
        }
        engine.end(system);
        self.in_turn = false;
        if system.accepting.is_waiting() && engine.may_accept() {
            system.accepting.there_is_room();
        }
        self.carry_out()
    }

    #[inline(never)]
    fn tell_events(&mut self) {
        self.tell_events_here();
    }

    /// The same as a part of its caller.
    #[inline(always)]
    fn tell_events_here(&mut self) {
        let mut room = self.turn_bytes;
        for event in self.batch.untold() {
            room = room.saturating_sub(self.teller.tell(event, self.turns));
            if room == 0 {
                break;
            }
        }
    }

    fn has_queued(&self) -> bool {
        self.teller.engine.has_work() || self.teller.system.has_answers()
    }

    fn deadline(&self) -> Option<Time> {
        earlier(
            self.teller.engine.next_deadline(),
            self.teller.system.deadline(),
        )
    }

    /// How long to wait. Not rounded: pollers that count in coarser steps round up themselves, so
    /// that no turn is taken for a timer that is not due.
    fn timeout(&self, longest: Option<Duration>) -> Option<Duration> {
        if self.has_queued() {
            return Some(Duration::ZERO);
        }
        let Some(deadline) = self.deadline() else {
            return longest;
        };
        let left = deadline - self.teller.system.host.clock.now();
        Some(longest.map_or(left, |longest| longest.min(left)))
    }

    /// Do the rare things that the engine asks for.
    fn carry_out(&mut self) -> Next {
        let mut next = Next::Turn;
        while let Some(op) = self.teller.engine.poll_op() {
            match op {
                Op::Connect {
                    attempt,
                    address,
                    local,
                } => self
                    .teller
                    .system
                    .connect(attempt, &address, local.as_ref()),
                Op::CancelConnect { attempt } => self.teller.system.connecting.cancel(attempt),
                Op::Resolve { lookup, name } => {
                    let net = self.teller.engine.net();
                    self.teller.system.host.names.ask(net, lookup, name);
                }
                Op::CancelResolve { lookup } => self.teller.system.host.names.cancel(lookup),
                Op::Stop => {
                    self.teller.forget_signals();
                    next = Next::Stop;
                }
                // The enum may grow; an engine that asks for more comes with a driver that can.
                _ => {}
            }
        }
        next
    }

    fn forget_watches(&self) {
        #[cfg(unix)]
        self.teller.system.watches.clear();
    }
}

impl<P: Poller> fmt::Debug for ReadinessLoop<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("driver", &P::DRIVER)
            .field("engine", &self.teller.engine)
            .field("listeners", &self.teller.system.host.listeners.len())
            .field("connecting", &self.teller.system.connecting.len())
            .field("names", &self.teller.system.host.names)
            .field("lingering", &self.teller.system.lingering.len())
            .field("has_work", &self.has_work())
            .finish()
    }
}
