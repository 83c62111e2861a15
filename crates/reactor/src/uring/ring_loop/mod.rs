mod quiet;
mod telling;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::driver::{Engine, Op};
use torsade_core::{Limits, Net, Time};

use self::quiet::Quiet;
use super::doorbell::{Bell, Door};
use super::file::File;
use super::host::RingHost;
use super::registrar::Registrar;
use super::ring::Ring;
use super::streams::Socket;
use super::system::RingSystem;
use super::tag::Tag;
use crate::Driver;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::datagrams::Receiver;
use crate::event_loop::{Doorbell, EventLoop, Next, waker};
use crate::names::Names;
use crate::signals::Signals;
use crate::system::earlier;
use crate::watcher::Watcher;
use crate::watches::Watches;

/// Everything that had to be asked of the system, and was given.
#[derive(Debug)]
pub(crate) struct Rings {
    ring: Rc<Ring>,
    bell: Arc<Bell>,
    door: Arc<Door>,
    reader: File,
    direct: bool,
}

/// The loop over a ring: one call submits what the last turn asked for and waits for what comes of
/// it.
pub(crate) struct RingLoop {
    engine: Engine<Socket>,
    system: RingSystem,
    door: Arc<Door>,
    /// What the ring reads to be woken.
    reader: File,
    /// Whether somebody waits on the door's descriptor.
    has_host: Cell<bool>,
    signals: Option<Signals>,
    /// What datagrams are received into.
    receiver: Receiver,
    turn_bytes: usize,
    /// What is read into without the ring, once somebody wants descriptors.
    buffer: Vec<u8>,
    /// What is left of them in this turn.
    left: usize,
    turn_accepts: usize,
    turns: u64,
    events: u64,
    /// Whether a turn of ours is under way; it stays so if one is left by a panic.
    in_turn: bool,
}

/// Buffers that everybody's input goes through, and the size of each. A connection whose input is
/// not wanted keeps none of them.
const BUFFERS: u16 = 256;
const BUFFER: usize = 16 * 1024;

impl Rings {
    /// A ring, with a table of its own for so many accepted connections.
    pub(crate) fn new(slots: u32, limits: &Limits) -> io::Result<Self> {
        let size = BUFFER.min(limits.turn_connection_bytes.max(1));
        let ring = Rc::new(Ring::new(BUFFERS, size, slots)?);
        let (bell, reader) = Bell::new()?;
        let bell = Arc::new(bell);
        let door = Arc::new(Door::new(&bell)?);
        let reader = File::new(reader.into(), &ring.files());
        ring.hear(&reader, Tag::Doorbell);
        ring.submit()?;
        Ok(Self {
            ring,
            bell,
            door,
            reader,
            direct: slots > 0,
        })
    }
}

impl RingLoop {
    pub(crate) fn new(rings: Rings, limits: Limits, clock: Clock, names: Names) -> Self {
        let registrar = Registrar::new(&rings.ring);
        let watches = Watches::new(Box::new(registrar.clone()));
        let host = Rc::new(RingHost::new(
            clock,
            names,
            &rings.ring,
            &watches,
            &limits,
            rings.direct,
        ));
        let system = RingSystem::new(rings.ring, Rc::clone(&host), registrar, &limits);
        let (turn_bytes, turn_accepts) = (limits.turn_bytes, limits.turn_accepts.max(1));
        let receiver = Receiver::new(&limits);
        Self {
            engine: Engine::new(host, waker(rings.bell), limits),
            system,
            door: rings.door,
            reader: rings.reader,
            has_host: Cell::new(false),
            signals: None,
            receiver,
            turn_bytes,
            buffer: Vec::new(),
            left: 0,
            turn_accepts,
            turns: 0,
            events: 0,
            in_turn: false,
        }
    }
}

impl EventLoop for RingLoop {
    fn driver(&self) -> Driver {
        Driver::IoUring
    }

    fn net(&self) -> &Net {
        self.engine.net()
    }

    fn turn(&mut self, longest: Option<Duration>) -> io::Result<Next> {
        let timeout = self.timeout(longest);
        let swift = self.system.streams.take_swift();
        self.system.ring.wait(timeout, swift)?;
        if self.has_host.get() {
            self.door.calm();
        }
        self.turns += 1;
        self.system.streams.begin();
        self.engine.begin(&mut self.system);
        self.in_turn = true;
        self.tell();
        Ok(self.finish())
    }

    fn turns(&mut self) -> io::Result<Next> {
        match self.quiet_turns()? {
            Quiet::Never => return self.turn(None),
            Quiet::UntilWoken => {
                self.engine.wake(&mut self.system);
                self.tell();
            }
            Quiet::UntilDisturbed => self.tell_rest(),
        }
        Ok(self.finish())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.system.ring.submit()?;
        if self.has_host.get() && self.system.ring.has_news() {
            self.door.alarm();
        }
        Ok(())
    }

    fn is_waited_on(&self) {
        if !self.has_host.replace(true) {
            // If it is refused, whoever waits is woken for nothing, but woken.
            let news = self.system.ring.alarm(self.door.descriptor());
            if news.unwrap_or(true) {
                self.door.alarm();
            }
        }
    }

    fn counters(&self) -> Counters {
        let net = self.net();
        Counters {
            turns: self.turns,
            events: self.events,
            accepts: net.accepted(),
            accept_calls: self.system.accepting.calls(),
            shed: net.shed(),
            slow_callbacks: net.slow_callbacks(),
            connections: net.connections(),
            lingering: self.system.streams.lingering(),
            buffered: net.buffered(),
            dropped_writes: net.dropped_writes(),
            datagram_ports: net.datagram_ports(),
            dropped_datagrams: net.dropped_datagrams(),
        }
    }

    fn has_work(&self) -> bool {
        // Completions make the descriptor readable by themselves.
        self.engine.has_work() || self.system.has_work() || self.system.ring.reaped() > 0
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.need_not_wait() {
            return Some(self.system.host.clock.now());
        }
        self.deadline()
    }

    fn shut_down(&mut self) {
        self.engine.shut_down(&mut self.system);
        self.let_go();
    }

    fn shut_down_in_job(&mut self) {
        self.engine.shut_down_in_job(&mut self.system);
        self.let_go();
    }

    fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    fn doorbell(&self) -> Arc<dyn Doorbell> {
        Arc::<Door>::clone(&self.door)
    }

    fn watcher(&self) -> Watcher {
        Watcher::new(&self.system.watches, self.net())
    }

    fn listen_for_signals(&mut self) -> io::Result<()> {
        if self.signals.is_none() {
            self.signals = Some(Signals::listen(&self.system.registrar)?);
        }
        Ok(())
    }
}

/// Around the turns.
impl RingLoop {
    fn deadline(&self) -> Option<Time> {
        earlier(self.engine.next_deadline(), self.system.deadline())
    }

    fn need_not_wait(&self) -> bool {
        self.has_work() || self.system.ring.ready() > 0
    }

    /// How long to wait. Not rounded: the kernel counts in nanoseconds too.
    fn timeout(&self, longest: Option<Duration>) -> Option<Duration> {
        if self.need_not_wait() {
            return Some(Duration::ZERO);
        }
        let Some(deadline) = self.deadline() else {
            return longest;
        };
        let left = deadline - self.system.host.clock.now();
        Some(longest.map_or(left, |longest| longest.min(left)))
    }

    /// What follows the news of a turn.
    fn finish(&mut self) -> Next {
        self.system.strike();
        // What the ring has beyond this turn's budget is not known.
        if self.system.streams.due() > 0 {
            self.engine.facts_left();
        }
        self.engine.end(&mut self.system);
        self.in_turn = false;
        if self.system.accepting.is_waiting() && self.engine.may_accept() {
            self.system.accepting.there_is_room();
        }
        self.carry_out()
    }

    /// Do the rare things that the engine asks for.
    fn carry_out(&mut self) -> Next {
        let mut next = Next::Turn;
        while let Some(op) = self.engine.poll_op() {
            match op {
                Op::Connect {
                    attempt,
                    address,
                    local,
                } => self.system.connect(attempt, &address, local.as_ref()),
                Op::CancelConnect { attempt } => self.system.connecting.cancel(attempt),
                Op::Resolve { lookup, name } => {
                    self.system.host.names.ask(self.engine.net(), lookup, name);
                }
                Op::CancelResolve { lookup } => self.system.host.names.cancel(lookup),
                Op::Stop => {
                    if let Some(signals) = &mut self.signals {
                        signals.forget();
                    }
                    next = Next::Stop;
                }
                // The enum may grow; an engine that asks for more comes with a driver that can.
                _ => {}
            }
        }
        next
    }

    /// The end: the kernel gives back all it has. What its drop is worth is the user's business,
    /// so that each is dropped by itself.
    fn let_go(&mut self) {
        self.system.watches.clear();
        self.signals = None;
        self.system.ring.drain(|completion| {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(completion)));
        });
    }
}

impl fmt::Debug for RingLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("driver", &Driver::IoUring)
            .field("engine", &self.engine)
            .field("listeners", &self.system.host.listeners.len())
            .field("connecting", &self.system.connecting.len())
            .field("names", &self.system.host.names)
            .field("lingering", &self.system.streams.lingering())
            .field("has_work", &self.need_not_wait())
            .finish()
    }
}
