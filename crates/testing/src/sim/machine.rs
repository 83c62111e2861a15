use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use torsade_core::driver::{self, Arrived, Engine, Op};
use torsade_core::{Limits, ListenerId, Net, WhenFull};
use torsade_deferred::queue::Turn;

use super::kernel::{Shared, no_descriptors};
use super::node::{Answer, Power};
use super::slab::Key;
use super::socket::{SimHost, SimWire, Socket, peer_of};
use super::trace::What;
use crate::Clock;
use crate::fake_process::FakeProcess;
use crate::leaks::{self, Made, Origin};
use crate::network::{EndWire, Socket as EndSocket};

/// A host with its engine and its programs.
pub(super) struct Machine {
    pub(super) number: u32,
    pub(super) kernel: Shared,
    limits: Limits,
    woken: Woken,
    engine: RefCell<Engine<Socket>>,
    net: RefCell<Net>,
    host: RefCell<Rc<SimHost>>,
    /// What runs when it is started.
    boots: RefCell<Vec<Boot>>,
    stopped: Cell<bool>,
    origins: Made,
}

pub(super) type Boot = Rc<dyn Fn(&Net)>;

/// Hosts whose engines have work that came from outside of their turns.
#[derive(Clone, Debug, Default)]
pub(super) struct Woken(Arc<Mutex<Vec<u32>>>);

impl Woken {
    pub(super) fn take(&self) -> Vec<u32> {
        let mut woken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *woken)
    }
}

struct WakeHost(Woken, u32);

impl Wake for WakeHost {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut woken = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self.1);
    }
}

impl Machine {
    pub(super) fn new(kernel: &Shared, number: u32, limits: Limits, woken: &Woken) -> Self {
        let (engine, host) = start(kernel, number, &limits, woken);
        let lingers = limits.lingering > 0 && !limits.linger.is_zero();
        kernel.borrow_mut().nodes[number as usize].linger =
            lingers.then_some((limits.lingering, limits.linger));
        Self {
            number,
            kernel: Rc::clone(kernel),
            limits,
            woken: woken.clone(),
            net: RefCell::new(engine.net().clone()),
            engine: RefCell::new(engine),
            host: RefCell::new(host),
            boots: RefCell::default(),
            stopped: Cell::new(false),
            origins: Made::default(),
        }
    }

    pub(super) fn net(&self) -> Net {
        self.net.borrow().clone()
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.stopped.get()
    }

    pub(super) fn boot(&self, boot: Boot) {
        self.boots.borrow_mut().push(Rc::clone(&boot));
        boot(&self.net());
    }

    fn wire(&self) -> SimWire {
        SimWire {
            kernel: Rc::clone(&self.kernel),
            host: self.number,
            pipes: EndWire(Rc::clone(&self.host.borrow().pipes)),
        }
    }

    fn enter(&self) -> std::cell::RefMut<'_, Engine<Socket>> {
        match self.engine.try_borrow_mut() {
            Ok(engine) => engine,
            Err(_) => panic!("a simulated network was used inside a callback"),
        }
    }

    /// The host was killed, has crashed, or is started again.
    pub(super) fn follow_power(&self) {
        let power = self.kernel.borrow().nodes[self.number as usize].power;
        let is_alive = self.host.borrow().alive.get();
        if power != Power::On && is_alive {
            self.shut_down();
            self.kernel.borrow_mut().reset_node(self.number);
        } else if power == Power::On && !is_alive {
            let (engine, host) = start(&self.kernel, self.number, &self.limits, &self.woken);
            self.net.replace(engine.net().clone());
            let old = self.engine.replace(engine);
            drop(old);
            self.host.replace(host);
            self.stopped.set(false);
            self.origins.forget();
            let boots = self.boots.borrow().clone();
            let net = self.net();
            for boot in boots {
                boot(&net);
            }
        }
    }

    /// The end of its program: every protocol is told, and what they still do goes nowhere.
    pub(super) fn shut_down(&self) {
        self.host.borrow().alive.set(false);
        if Turn::enter().is_some()
            && let Ok(mut engine) = self.engine.try_borrow_mut()
        {
            engine.shut_down(&mut self.wire());
        }
        self.host.borrow().programs.forget();
    }

    /// Take one turn with what there is to tell.
    pub(super) fn turn(&self, buffer: &mut Vec<u8>) {
        if !self.net.borrow().is_alive() {
            return;
        }
        let (ready, answers, now, stall) = {
            let kernel = &mut *self.kernel.borrow_mut();
            let now = kernel.host_now(self.number);
            let stall = kernel.stall(self.number);
            let node = &mut kernel.nodes[self.number as usize];
            let mut ready = std::mem::take(&mut node.ready);
            let answers = std::mem::take(&mut node.answers);
            for &key in &ready {
                if let Some(end) = kernel.ends.get_mut(key) {
                    end.listed = false;
                }
            }
            // A poller says in no order what it has found.
            for place in 1..ready.len() {
                ready.swap(place, kernel.random.below(place + 1));
            }
            (ready, answers, now, stall)
        };
        buffer.resize(self.limits.turn_connection_bytes.max(1), 0);
        let host = Rc::clone(&self.host.borrow());
        let outside = Clock::enter(now);
        host.in_turn.set(true);
        let engine = &mut *self.enter();
        let wire = &mut self.wire();
        engine.begin(wire);
        for answer in answers {
            self.tell_answer(engine, wire, answer);
        }
        Clock::stall(stall);
        let mut left = self.limits.turn_bytes;
        for key in ready {
            if left == 0 {
                engine.facts_left();
                self.kernel.borrow_mut().note(key);
                continue;
            }
            let read = self.tell(engine, wire, key, buffer);
            left = left.saturating_sub(read);
        }
        self.tell_pipes(&host, engine, wire);
        self.tell_ports(engine, wire);
        self.accept(engine, wire);
        engine.end(wire);
        host.in_turn.set(false);
        let ended = Clock::leave(outside);
        self.carry_out(engine);
        self.sleep(engine, ended - now, ended);
    }

    /// Tell the engine what a poller would say of an end.
    fn tell(
        &self,
        engine: &mut Engine<Socket>,
        wire: &mut SimWire,
        key: Key,
        buffer: &mut [u8],
    ) -> usize {
        let found = self.kernel.borrow().ends.get(key).and_then(|end| {
            let writable = end.interest.writable && end.is_writable();
            Some((end.connection?, writable))
        });
        let Some((id, writable)) = found else {
            return 0;
        };
        if writable {
            engine.writable(wire, id);
        }
        let reads = {
            let kernel = self.kernel.borrow();
            let wants = |end: &super::end::End| end.interest.readable && end.has_input();
            kernel.ends.get(key).is_some_and(wants)
                && (kernel.weather.is_fine() || kernel.weather.reads(self.number))
        };
        let read = match reads {
            true => engine.readable(wire, id, buffer, |socket, buffer| {
                socket.receive(&self.kernel, buffer)
            }),
            false => None,
        };
        let read = read.unwrap_or(0);
        // Level-triggered: what is left is said again.
        self.kernel.borrow_mut().note(key);
        read
    }

    /// Tell the engine of the pipes of its processes.
    fn tell_pipes(&self, host: &SimHost, engine: &mut Engine<Socket>, wire: &mut SimWire) {
        for (id, end) in host.pipes.watched() {
            if let Some(fact) = end.fact() {
                fact.tell(engine, wire, id);
            }
        }
        host.pipes.forget_closed();
    }

    /// Whether it is to take a turn for one of them.
    pub(super) fn hears_of_processes(&self) -> bool {
        self.host.borrow().hears_of_processes()
    }

    /// The oldest process that nobody has asked for.
    pub(super) fn next_process(&self) -> Option<FakeProcess> {
        let started = self.host.borrow().programs.next()?;
        Some(FakeProcess::new(started, &self.limits))
    }

    pub(super) fn refuse_processes(&self, kind: std::io::ErrorKind) {
        self.host.borrow().programs.refuse(kind);
    }

    /// Tell the engine of datagrams.
    fn tell_ports(&self, engine: &mut Engine<Socket>, wire: &mut SimWire) {
        let writable = self.kernel.borrow().writable_ports(self.number);
        for port in writable {
            engine.datagram_writable(wire, port);
        }
        let ports = self.kernel.borrow().readable_ports(self.number);
        let most = self.limits.turn_datagrams.max(1);
        for port in ports {
            let taken = self
                .kernel
                .borrow_mut()
                .take_datagrams(self.number, port, most);
            if let Some(error) = taken.report {
                engine.datagram_failed(wire, port, error.into());
            }
            let longest = self.limits.datagram;
            let arrived = taken.datagrams.iter().map(|(from, data)| Arrived {
                from: from.clone(),
                data: &data[..data.len().min(longest)],
                whole: (data.len() > longest).then_some(data.len()),
            });
            engine.datagrams(wire, port, arrived);
        }
    }

    fn tell_answer(&self, engine: &mut Engine<Socket>, wire: &mut SimWire, answer: Answer) {
        match answer {
            Answer::Resolved(lookup, result) => driver::resolved(engine.net(), lookup, result),
            Answer::Failed(attempt, error) => engine.connect_failed(wire, attempt, error),
            Answer::Piped(attempt, end, peer) => {
                let origin = Origin::of_attempt(engine, attempt);
                let id = engine.connected(wire, attempt, Socket::Pipe(EndSocket(end)), peer);
                self.origins.note(id, origin);
            }
            Answer::Connected(attempt, key) => {
                let Some(peer) = peer_of(&self.kernel, key) else {
                    let reset = std::io::ErrorKind::ConnectionReset.into();
                    engine.connect_failed(wire, attempt, reset);
                    return;
                };
                let socket = Socket::new(&self.kernel, key);
                let origin = Origin::of_attempt(engine, attempt);
                let id = engine.connected(wire, attempt, socket, peer);
                self.origins.note(id, origin);
                self.made(key, id);
            }
        }
    }

    fn made(&self, key: Key, id: Option<torsade_core::ConnectionId>) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let (Some(id), Some(end)) = (id, kernel.ends.get(key)) {
            let what = What::Made {
                flow: end.flow,
                connection: id.to_bits(),
            };
            kernel.trace.note(kernel.now, self.number, what, &[]);
        }
    }

    /// Let in who waits at the listeners, as many as may come in one turn.
    fn accept(&self, engine: &mut Engine<Socket>, wire: &mut SimWire) {
        for _ in 0..self.limits.turn_accepts.max(1) {
            if !engine.may_accept() {
                return;
            }
            let is_short = self.kernel.borrow().is_short(self.number);
            if is_short && self.limits.when_full == WhenFull::Wait {
                return;
            }
            let queued = self.kernel.borrow_mut().accept(self.number, None);
            let Some((listener, key)) = queued else {
                return;
            };
            self.accept_one(engine, wire, listener, key, is_short);
        }
    }

    fn accept_one(
        &self,
        engine: &mut Engine<Socket>,
        wire: &mut SimWire,
        listener: ListenerId,
        key: Key,
        is_short: bool,
    ) {
        let socket = Socket::new(&self.kernel, key);
        let Some(peer) = peer_of(&self.kernel, key) else {
            return;
        };
        if is_short {
            // With the descriptor in reserve.
            drop(socket);
            engine.accept_failed(wire, listener, peer, no_descriptors());
        } else {
            let origin = Origin::of_listener(engine, listener);
            let id = engine.accepted(wire, listener, socket, peer);
            self.origins.note(id, origin);
            self.made(key, id);
        }
    }

    /// Do the rare things that the engine asks for.
    fn carry_out(&self, engine: &mut Engine<Socket>) {
        let mut kernel = self.kernel.borrow_mut();
        let host = self.host.borrow();
        while let Some(op) = engine.poll_op() {
            match op {
                Op::Connect {
                    attempt,
                    address,
                    local,
                } => match (
                    host.programs.take_pipe(&address),
                    kernel.unix.place(&address),
                ) {
                    (Some((end, peer)), _) => {
                        kernel.answer(self.number, Answer::Piped(attempt, end, peer));
                    }
                    (None, Ok(place)) => {
                        let local = local.and_then(|local| local.inet());
                        kernel.connect(self.number, Some(attempt), (place, local));
                    }
                    (None, Err(error)) => kernel.refuse_family(self.number, attempt, error),
                },
                Op::Resolve { lookup, name } => kernel.resolve(self.number, lookup, &name),
                Op::CancelResolve { lookup } => kernel.cancel_resolve(self.number, lookup),
                Op::CancelConnect { attempt } => kernel.cancel_connect(self.number, attempt),
                Op::Stop => self.stopped.set(true),
                // The enum may grow; an engine that asks for more comes with a simulator that can.
                _ => {}
            }
        }
    }

    /// Until when there is nothing to do.
    fn sleep(&self, engine: &Engine<Socket>, took: std::time::Duration, ended: torsade_core::Time) {
        let has_work = engine.has_work();
        let may_accept = engine.may_accept();
        let deadline = engine.next_deadline();
        let kernel = &mut *self.kernel.borrow_mut();
        let now = kernel.now;
        let accepts = may_accept
            && kernel.has_queued(self.number)
            && !(kernel.is_short(self.number) && self.limits.when_full == WhenFull::Wait);
        let has_datagrams = !kernel.readable_ports(self.number).is_empty()
            || !kernel.writable_ports(self.number).is_empty();
        let node = &mut kernel.nodes[self.number as usize];
        if !took.is_zero() {
            node.busy_until = now + took;
            node.clock.has_shown(ended);
        }
        let wake = deadline.map(|at| node.clock.when(at));
        if has_work
            || accepts
            || has_datagrams
            || !node.ready.is_empty()
            || !node.answers.is_empty()
        {
            kernel.list(self.number);
        }
        kernel.arm(self.number, wake);
        if !took.is_zero() {
            // To be looked at as soon as the callback has returned.
            kernel.list(self.number);
        }
    }

    /// For a leak check: what its program has.
    pub(super) fn left(&self) -> Vec<String> {
        if !leaks::is_on() || !self.net.borrow().is_alive() {
            return Vec::new();
        }
        let name = self.kernel.borrow().name_of(self.number);
        let left = self.origins.left(&self.enter()).into_iter();
        left.map(|line| format!("{name}: {line}")).collect()
    }

    /// Timers that belong to no connection, if nothing is left that could need them. A leak check
    /// tells of all.
    pub(super) fn left_timers(&self) -> Vec<String> {
        let net = self.net();
        let kernel = self.kernel.borrow();
        let node = &kernel.nodes[self.number as usize];
        if leaks::is_on()
            || net.connections() > 0
            || !node.listening.is_empty()
            || !node.attempts.is_empty()
            || !node.questions.is_empty()
            || !node.ports.is_empty()
        {
            return Vec::new();
        }
        let name = &node.name;
        let sites = net.free_timers().into_iter();
        sites
            .map(|site| format!("{name}: a timer is still armed that was set at {site}"))
            .collect()
    }
}

fn start(
    kernel: &Shared,
    number: u32,
    limits: &Limits,
    woken: &Woken,
) -> (Engine<Socket>, Rc<SimHost>) {
    let host = Rc::new(SimHost::new(kernel, number));
    let waker = Waker::from(Arc::new(WakeHost(woken.clone(), number)));
    let engine = Engine::new(Rc::<SimHost>::clone(&host), waker, limits.clone());
    (engine, host)
}
