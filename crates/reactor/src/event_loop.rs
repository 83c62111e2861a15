use std::fmt;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use polling::Poller;
use torsade_core::driver::{Engine, Op};
use torsade_core::{Limits, Net, Time};

use crate::batch::{Batch, Budget};
use crate::clock::Clock;
use crate::counters::Counters;
use crate::driver::{Driver, earlier};
use crate::host::SystemHost;
#[cfg(unix)]
use crate::signals::Signals;
use crate::teller::Teller;
#[cfg(unix)]
use crate::watcher::Watcher;

/// Waits, turns, and what is done between them: the order of a turn.
pub(crate) struct EventLoop {
    teller: Teller,
    batch: Batch,
    turn_bytes: usize,
    turns: u64,
    /// Whether a turn of ours is under way; it stays so if one is left by a panic.
    in_turn: bool,
}

/// Whether a loop is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Turn,
    /// A stop is complete.
    Stop,
}

impl EventLoop {
    pub(crate) fn new(limits: Limits, clock: Clock) -> io::Result<Self> {
        let poller = Arc::new(Poller::new()?);
        if !poller.supports_level() {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "the system's poller has no level-triggered mode",
            ));
        }
        let host = Rc::new(SystemHost::new(clock, &poller, &limits));
        let driver = Driver::new(&poller, Rc::clone(&host), &limits);
        let turn_bytes = limits.turn_bytes;
        let waker = Waker::from(Arc::new(Notify(poller)));
        let engine = Engine::new(host, waker, limits);
        Ok(Self {
            teller: Teller::new(engine, driver),
            batch: Batch::new(),
            turn_bytes,
            turns: 0,
            in_turn: false,
        })
    }

    pub(crate) fn net(&self) -> &Net {
        self.teller.engine.net()
    }

    /// Wait for events, no longer than `longest`, and take one turn.
    ///
    /// If the last wait's events are not all told, because a budget ended, the turn is theirs and
    /// there is no wait.
    pub(crate) fn turn(&mut self, longest: Option<Duration>) -> io::Result<Next> {
        let waited = self.batch.is_done();
        if waited {
            let timeout = self.timeout(longest);
            self.batch.wait(&self.teller.driver.poller, timeout)?;
        }
        self.turns += 1;
        let Teller { engine, driver, .. } = &mut self.teller;
        engine.begin(driver);
        self.in_turn = true;
        self.teller.tell_answers();
        self.tell_events();
        let Teller { engine, driver, .. } = &mut self.teller;
        driver.strike();
        // What came in since a wait that is a turn old is not known either.
        if !waited || !self.batch.is_done() || self.batch.was_full() {
            engine.facts_left();
        }
        engine.end(driver);
        self.in_turn = false;
        if driver.accepting.is_waiting() && engine.may_accept() {
            driver.accepting.there_is_room();
        }
        Ok(self.carry_out())
    }

    fn tell_events(&mut self) {
        let Self { teller, batch, .. } = self;
        let mut bytes = 0;
        batch.tell(|event| {
            bytes += teller.tell(event);
            if bytes < self.turn_bytes {
                Budget::Left
            } else {
                Budget::Spent
            }
        });
    }

    pub(crate) fn counters(&self) -> Counters {
        let (net, driver) = (self.net(), &self.teller.driver);
        Counters {
            turns: self.turns,
            events: self.batch.events(),
            accepts: net.accepted(),
            accept_calls: driver.accepting.calls(),
            shed: net.shed(),
            connections: net.connections(),
            lingering: driver.lingering.len(),
            buffered: net.buffered(),
            dropped_writes: net.dropped_writes(),
        }
    }

    /// Whether the next turn has something to do without waiting.
    pub(crate) fn has_work(&self) -> bool {
        !self.batch.is_done() || self.has_queued()
    }

    /// When the next turn is due; `None` if nothing but an event is waited for.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        if self.has_work() {
            return Some(self.teller.driver.host.clock.now());
        }
        self.deadline()
    }

    fn has_queued(&self) -> bool {
        self.teller.engine.has_work() || !self.teller.driver.answers.is_empty()
    }

    fn deadline(&self) -> Option<Time> {
        earlier(
            self.teller.engine.next_deadline(),
            self.teller.driver.deadline(),
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
        let left = deadline - self.teller.driver.host.clock.now();
        Some(longest.map_or(left, |longest| longest.min(left)))
    }

    /// Do the rare things that the engine asks for.
    fn carry_out(&mut self) -> Next {
        let mut next = Next::Turn;
        while let Some(op) = self.teller.engine.poll_op() {
            match op {
                Op::Connect { attempt, address } => self.teller.driver.connect(attempt, address),
                Op::CancelConnect { attempt } => self.teller.driver.connecting.cancel(attempt),
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

    /// The end: every connection is lost and told so.
    pub(crate) fn shut_down(&mut self) {
        self.teller.engine.shut_down(&mut self.teller.driver);
        self.forget_watches();
    }

    /// The same, where a job of the thread's queue does it.
    pub(crate) fn shut_down_in_job(&mut self) {
        self.teller.engine.shut_down_in_job(&mut self.teller.driver);
        self.forget_watches();
    }

    fn forget_watches(&self) {
        #[cfg(unix)]
        self.teller.driver.watches.clear();
    }

    /// Whether a turn of this loop was left by a panic.
    pub(crate) fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    pub(crate) fn poller(&self) -> &Arc<Poller> {
        &self.teller.driver.poller
    }

    #[cfg(unix)]
    pub(crate) fn watcher(&self) -> Watcher {
        Watcher::new(&self.teller.driver.watches, self.net())
    }

    #[cfg(unix)]
    pub(crate) fn listen_for_signals(&mut self) -> io::Result<()> {
        if self.teller.signals.is_none() {
            self.teller.signals = Some(Signals::listen(&self.teller.driver.poller)?);
        }
        Ok(())
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("engine", &self.teller.engine)
            .field("listeners", &self.teller.driver.host.listeners.len())
            .field("connecting", &self.teller.driver.connecting.len())
            .field("lingering", &self.teller.driver.lingering.len())
            .field("has_work", &self.has_work())
            .finish()
    }
}

/// Ends the poller's wait, from any thread.
struct Notify(Arc<Poller>);

impl Wake for Notify {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It cannot fail while the poller is there, and it is: we hold it.
        let _ = self.0.notify();
    }
}
