use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use torsade_core::driver::{Engine, Op};
use torsade_core::{Address, ConnectionId, Limits, ListenerId, Net, PortId, Time};

use super::connecting::reached;
use super::doorbell::{Bell, Door};
use super::file::File;
use super::host::RingHost;
use super::port::RingPort;
use super::registrar::Registrar;
use super::ring::{Brought, Completion, Copied, Event, Filled, Outcome, Ring};
use super::stream::End;
use super::streams::{Late, News, Socket};
use super::system::RingSystem;
use super::tag::Tag;
use crate::Driver;
use crate::accepting::Accepted;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::datagrams::Receiver;
use crate::event_loop::{Doorbell, EventLoop, Next, waker};
use crate::names::Names;
use crate::signals::Signals;
use crate::stdio;
use crate::system::earlier;
use crate::teller::is_nothing;
use crate::watcher::Watcher;
use crate::watches::Watches;

/// Everything that had to be asked of the system, and was given.
#[derive(Debug)]
pub(crate) struct Rings {
    ring: Rc<Ring>,
    bell: Arc<Bell>,
    door: Arc<Door>,
    reader: Rc<File>,
    direct: bool,
}

/// The loop over a ring: one call submits what the last turn asked for and waits for what comes of
/// it.
pub(crate) struct RingLoop {
    engine: Engine<Socket>,
    system: RingSystem,
    door: Arc<Door>,
    /// What the ring reads to be woken.
    reader: Rc<File>,
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
        let reader = Rc::new(File::Descriptor(reader.into()));
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
        let all_told = self.tell();
        self.system.strike();
        // What the ring has beyond this turn's budget is not known.
        if !all_told {
            self.engine.facts_left();
        }
        self.engine.end(&mut self.system);
        self.in_turn = false;
        if self.system.accepting.is_waiting() && self.engine.may_accept() {
            self.system.accepting.there_is_room();
        }
        Ok(self.carry_out())
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

/// What came.
impl RingLoop {
    /// Tell what there is, as far as this turn's budget goes. Returns whether that was all.
    fn tell(&mut self) -> bool {
        while let Some(listener) = self.system.host.standing.take() {
            self.tell_standing(listener);
        }
        for _ in 0..self.system.ended.len() {
            match self.system.ended.pop_front() {
                Some((attempt, Ok((socket, peer)))) => {
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some((attempt, Err(error))) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                None => {}
            }
        }
        self.left = self.turn_bytes.max(1);
        // Those who wait since the last turn, what is new, and who had to wait for others of it.
        let waiting = self.system.streams.due();
        self.tell_late(waiting);
        // Those present now: what is submitted meanwhile, because the queue is full, can wait.
        for _ in 0..self.system.ring.ready() {
            match self.system.ring.pop() {
                Some(Event::Received(place, bytes, last)) => self.tell_bytes_of(place, bytes, last),
                Some(Event::Sent(place, copied, outcome)) => {
                    self.tell_sent_copy(place, &copied, outcome);
                }
                Some(Event::Other(completion)) => self.tell_completion(completion),
                None => break,
            }
        }
        let waiting = self.system.streams.due();
        self.tell_late(waiting);
        for _ in 0..self.system.host.listeners.due() {
            if let Some(id) = self.system.host.listeners.next_due() {
                self.tell_arrived(id);
            }
        }
        self.system.streams.due() == 0
    }

    /// Tell so many streams what is held for them.
    fn tell_late(&mut self, streams: usize) {
        for _ in 0..streams {
            if self.left == 0 {
                return;
            }
            let Some(place) = self.system.streams.next_due() else {
                continue;
            };
            while self.left > 0
                && let Some(late) = self.system.streams.next_late(place)
            {
                match late {
                    Late::Copied(id, bytes) => self.tell_bytes(id, &bytes),
                    Late::Filled(id, filled) => self.tell_bytes(id, &filled),
                    Late::Readable(id) => {
                        self.tell_readable(place, id);
                        break;
                    }
                    Late::End(id, end) => self.tell_end(id, end),
                }
            }
            if let Some(id) = self.system.streams.go_on(place) {
                self.engine.input_left(id);
            }
        }
    }

    #[inline]
    fn tell_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.left = self.left.saturating_sub(bytes.len());
        self.engine.received(&mut self.system, id, bytes);
    }

    #[inline(never)]
    fn tell_completion(&mut self, completion: Completion) {
        if completion.tag != Tag::Doorbell {
            self.events += 1;
        }
        match completion.tag {
            Tag::Receive(place) => self.tell_received(place, &completion),
            Tag::Send(place) => self.tell_sent(place, completion),
            Tag::Room(place) => match self.system.streams.has_room(place, &completion) {
                Some(id) => self.engine.writable(&mut self.system, id),
                None => self.tell_if_closed(place),
            },
            Tag::Shutdown(place) => {
                self.system.streams.was_shut_down(place);
                self.tell_if_closed(place);
            }
            Tag::Listener(id) => self.system.host.listeners.came(id, completion),
            Tag::Attempt(attempt) => match self.system.connecting.ended(attempt, &completion) {
                Some(Ok((file, peer))) => {
                    let socket = Socket::New(file);
                    self.engine
                        .connected(&mut self.system, attempt, socket, peer);
                }
                Some(Err(error)) => {
                    self.engine.connect_failed(&mut self.system, attempt, error);
                }
                None => {}
            },
            Tag::Watched(number) => {
                if self.system.registrar.came(&completion) {
                    self.system.watches.tell(number);
                }
            }
            Tag::Port(port) => self.tell_port(port, &completion),
            Tag::Signals => {
                if self.system.registrar.came(&completion) {
                    self.hear_signals();
                }
            }
            Tag::Doorbell => {
                self.system.ring.hear(&self.reader, Tag::Doorbell);
            }
        }
    }

    /// Bytes came, the usual news.
    #[inline(always)]
    fn tell_bytes_of(&mut self, place: usize, bytes: Filled, last: bool) {
        self.events += 1;
        let to = match self.left {
            0 => None,
            _ => self.system.streams.tells(place, bytes.len(), last),
        };
        let Some(id) = to else {
            let news = self.system.streams.keep_bytes(place, bytes, last);
            return self.tell_news(place, news);
        };
        self.tell_bytes(id, &bytes);
        // The kernel's again before it is to receive more.
        drop(bytes);
        if last {
            self.system.streams.receive(place);
        }
    }

    fn tell_received(&mut self, place: usize, completion: &Completion) {
        let spent = self.left == 0;
        let news = self.system.streams.received(place, completion, spent);
        self.tell_news(place, news);
    }

    #[inline(never)]
    fn tell_news(&mut self, place: usize, news: News) {
        match news {
            News::Nothing => {}
            News::Readable(id) => self.tell_readable(place, id),
            News::End(id, end) => self.tell_end(id, end),
            News::Closed(id) => self.closed(id),
        }
    }

    /// There is something to read of who wants descriptors with it.
    #[cold]
    fn tell_readable(&mut self, place: usize, id: ConnectionId) {
        let most = self.net().limits().turn_connection_bytes.max(1);
        self.buffer.resize(most, 0);
        // Who has come not to want them any more: the ring receives again from the next turn on.
        let not_now = |_: &mut Socket, _: &mut [u8]| Err(io::ErrorKind::WouldBlock.into());
        let read = self
            .engine
            .readable(&mut self.system, id, &mut self.buffer, not_now);
        self.left = self.left.saturating_sub(read.unwrap_or(0));
        self.system.streams.receive(place);
    }

    fn tell_end(&mut self, id: ConnectionId, end: End) {
        match end {
            End::Ended => self.engine.input_ended(&mut self.system, id),
            End::Failed(error) => self.engine.failed(&mut self.system, id, error),
        }
    }

    /// A copy was sent, the usual news but one.
    #[inline(always)]
    fn tell_sent_copy(&mut self, place: usize, copied: &Copied, outcome: Outcome) {
        self.events += 1;
        let (sent, error) = sent(outcome);
        if let Some(id) = self.system.streams.sent(place, sent == copied.len()) {
            let system = &mut self.system;
            self.engine.sent_kept(system, id, copied, sent, error);
        }
        self.tell_if_closed(place);
    }

    fn tell_sent(&mut self, place: usize, completion: Completion) {
        let Brought::Chunk(chunk) = completion.brought else {
            return;
        };
        let (sent, error) = sent(completion.outcome);
        match self.system.streams.sent(place, sent == chunk.len()) {
            Some(id) => self.engine.sent(&mut self.system, id, chunk, sent, error),
            None => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(chunk)));
            }
        }
        self.tell_if_closed(place);
    }

    #[inline]
    fn tell_if_closed(&mut self, place: usize) {
        if let Some(id) = self.system.streams.free_if_over(place) {
            self.closed(id);
        }
    }

    fn closed(&mut self, id: Option<ConnectionId>) {
        self.system.accepting.relieve();
        if let Some(id) = id {
            self.engine.closed(id);
        }
    }

    fn tell_port(&mut self, port: PortId, completion: &Completion) {
        let ports = &self.system.host.ports;
        let came = ports.with(port, |socket| socket.came(completion));
        let Some(Some(ready)) = came else {
            return;
        };
        if ready.writable {
            self.engine.datagram_writable(&mut self.system, port);
        }
        // Past the budget, the next poll says it again.
        if ready.readable && self.left > 0 {
            self.tell_datagrams(port);
        }
        self.system.host.ports.with(port, RingPort::poll_again);
    }

    fn tell_datagrams(&mut self, port: PortId) {
        let received = self.system.host.ports.receive(port, &mut self.receiver);
        match received {
            Ok((bytes, family)) => {
                self.left = self.left.saturating_sub(bytes);
                let (engine, system) = (&mut self.engine, &mut self.system);
                match self.receiver.is_coalesced() {
                    false => engine.datagrams(system, port, self.receiver.arrived(family)),
                    true => engine.datagrams(system, port, self.receiver.coalesced(family)),
                }
            }
            Err(error) if is_nothing(&error) => {}
            Err(error) => self.engine.datagram_failed(&mut self.system, port, error),
        }
    }

    fn tell_standing(&mut self, listener: ListenerId) {
        let (engine, system) = (&mut self.engine, &mut self.system);
        match reached(&Address::Stdio) {
            Ok((socket, peer)) => {
                engine.accepted(system, listener, socket, peer);
            }
            Err(error) => engine.accept_failed(system, listener, stdio::peer(), error),
        }
    }

    fn tell_arrived(&mut self, listener: ListenerId) {
        for _ in 0..self.turn_accepts {
            if !self.engine.may_accept() {
                self.system.accepting.wait_for_room(listener);
                return;
            }
            match self.system.accept(listener) {
                Accepted::Made(socket, peer) => {
                    self.engine
                        .accepted(&mut self.system, listener, socket, peer);
                }
                Accepted::Shed(peer, error) => {
                    self.engine
                        .accept_failed(&mut self.system, listener, peer, error);
                }
                Accepted::Broken => {}
                Accepted::None => {
                    if !self.system.accepting.is_resting(listener) {
                        let short = self.system.accepting.is_short();
                        self.system.host.listeners.go_on(listener, short);
                    }
                    return;
                }
            }
        }
        self.system.host.listeners.put_off(listener);
    }

    /// The first signal stops the reactor, the second one ends its patience.
    fn hear_signals(&mut self) {
        if let Some(signals) = &mut self.signals {
            let heard = signals.heard();
            if heard > 0 {
                self.engine.net().stop();
            }
            if heard > 1 {
                self.engine.abort_all();
            }
        }
    }
}

/// How many bytes a send took, and what is wrong if there is.
#[inline(always)]
fn sent(outcome: Outcome) -> (usize, Option<io::Error>) {
    match outcome.result() {
        Ok(sent) => (sent, None),
        Err(error) => match error.raw_os_error() {
            // Nothing went, and nothing is wrong.
            Some(libc::EINTR | libc::EAGAIN) => (0, None),
            _ => (0, Some(error)),
        },
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
