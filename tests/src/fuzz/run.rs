//! One run: an engine, a world around it, and a list of steps.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use torsade_core::driver::Engine;
use torsade_core::{Limits, WhenFull};
use torsade_deferred::report::{self, Report};

use super::conn::Conn;
use super::counts::{Contract, Counts};
use super::host::Wakes;
use super::later;
use super::wire::ModelWire;
use super::world::{ModelHost, Violation, World};
use super::{checks, facts};
use crate::rng::Rng;

/// One operation on the engine, and what user code does in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) seed: u64,
    /// Which of the user's first 32 actions in it may happen.
    pub(super) allowed: u32,
}

/// The steps of a run, from its seed.
pub(super) fn steps(seed: u64, len: usize) -> Vec<Step> {
    let rng = Rng::new(seed);
    (0..len)
        .map(|_| Step {
            seed: rng.next(),
            allowed: if rng.one_in(4) { 0 } else { u32::MAX },
        })
        .collect()
}

pub(super) struct Run {
    pub(super) world: Rc<World>,
    pub(super) engine: Engine<Rc<Conn>>,
    pub(super) wire: ModelWire,
}

/// Do the steps on a fresh engine. Returns what was broken first, and what happened if that is
/// asked for.
pub(super) fn run(
    seed: u64,
    steps: &[Step],
    counts: &Rc<Counts>,
    explain: bool,
) -> (Option<Violation>, Vec<String>) {
    let mut run = Run::new(seed, counts, explain);
    let before = watch_reports(&run.world);
    for step in steps {
        run.step(*step);
        if !run.world.violations.borrow().is_empty() {
            break;
        }
    }
    let world = Rc::clone(&run.world);
    if world.violations.borrow().is_empty() {
        run.finish();
    }
    run.bury();
    report::set_sink(before);
    let violation = world.violations.borrow().first().cloned();
    let trace = world.trace.as_ref().map(RefCell::take).unwrap_or_default();
    (violation, trace)
}

/// Panics that the Deferreds caught come here.
fn watch_reports(world: &Rc<World>) -> Option<report::Sink> {
    let world = Rc::downgrade(world);
    report::set_sink(Some(Rc::new(move |report| {
        if let Report::Panicked(caught) = report
            && let Some(world) = world.upgrade()
        {
            world.note(|| format!("reported: {caught}"));
            world.caught(caught.panic().message());
        }
    })))
}

fn limits(rng: &Rng) -> (Limits, bool) {
    let mut limits = Limits::default();
    let roomy = rng.one_in(2);
    limits.write_high = rng.pick(&[0, 1, 20, 200, 2000, 65_536]);
    limits.write_low = rng.pick(&[0, 1, 10, 100, 100_000]);
    limits.write_cap = rng
        .pick(&[0, 30, 500, 5000, 1 << 24])
        .max(limits.write_high);
    limits.total_write_cap = rng.pick(&[100, 2000, 1 << 28, 1 << 28]);
    limits.unread = rng.pick(&[0, 1, 10, 100, 1 << 20]);
    limits.flush_timeout = super::actions::nanos(rng.pick(&[10, 100, 5000]));
    limits.connect_timeout = super::actions::nanos(rng.pick(&[10, 100, 50_000]));
    limits.stop_timeout = super::actions::nanos(rng.pick(&[10, 100, 5000]));
    limits.before_stop_timeout = super::actions::nanos(rng.pick(&[10, 100, 5000]));
    limits.handshake_timeout = super::actions::nanos(rng.pick(&[10, 100, 50_000]));
    // Filters see no more than the protocol wants, so that the model knows what is read.
    limits.filter_ahead = 0;
    limits.max_connections = rng.pick(&[usize::MAX, usize::MAX, 2, 4]);
    limits.when_full = rng.pick(&[WhenFull::Shed, WhenFull::Wait]);
    if !roomy {
        limits.turn_continuations = rng.pick(&[1, 1, 2, 3, 8, 40]);
        limits.turn_posts = rng.pick(&[1, 2, 1000]);
    }
    (limits, roomy)
}

impl Run {
    fn new(seed: u64, counts: &Rc<Counts>, explain: bool) -> Self {
        let (limits, roomy) = limits(&Rng::new(seed));
        let wakes = Rc::new(Wakes::default());
        let world = Rc::new(World::new(limits.clone(), roomy, &wakes, counts, explain));
        let host = Rc::new(ModelHost(Rc::downgrade(&world)));
        let engine = Engine::new(host, wakes.waker(), limits);
        world.net.replace(Some(engine.net().clone()));
        later::set_here(&world);
        world.note(|| {
            let l = &world.limits;
            let marks = (l.write_low, l.write_high, l.write_cap, l.total_write_cap);
            let turn = (l.turn_continuations, l.turn_posts);
            format!(
                "marks and caps {marks:?}, unread {}, a turn's work {turn:?}",
                l.unread
            )
        });
        Self {
            wire: ModelWire(Rc::clone(&world)),
            world,
            engine,
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let world = Rc::clone(&self.world);
        world.script.reseed(step.seed ^ 0x5bd1_e995);
        world.allowed.set(step.allowed);
        world.acted.set(0);
        world.redelivers.set(false);
        let rng = Rng::new(step.seed);
        self.guarded(|run| facts::step(run, &rng));
        world.sending.set(None);
        self.guarded(checks::after_step);
    }

    /// The engine itself never panics; a panic of user code may come through a call from outside.
    pub(super) fn guarded(&mut self, step: impl FnOnce(&mut Self)) {
        let outcome = catch_unwind(AssertUnwindSafe(|| step(self)));
        let Err(payload) = outcome else {
            return;
        };
        let message = torsade_deferred::Panic::from_payload(payload);
        let planned = message.message().starts_with("planned ");
        let world = &self.world;
        world.check(Contract::C14, planned && !world.in_turn.get(), || {
            format!("the engine panicked: {message}")
        });
        if planned {
            world.caught(message.message());
        }
    }

    /// Take turns in which users do nothing, until there is nothing left to do.
    pub(super) fn settle(&mut self) {
        const LONGEST: usize = 3000;
        let world = Rc::clone(&self.world);
        let allowed = world.allowed.replace(0);
        let mut turns = 0;
        if world.in_turn.get() {
            facts::end(self);
        }
        while self.engine.has_work() && turns < LONGEST {
            turns += 1;
            facts::begin(self);
            facts::end(self);
        }
        world.check(Contract::C10, turns < LONGEST, || {
            "the engine does not come to rest".into()
        });
        world.allowed.set(allowed);
    }

    /// The end of a run: the engine is shut down, and nothing is left.
    fn finish(&mut self) {
        let world = Rc::clone(&self.world);
        world.allowed.set(u32::MAX);
        world.acted.set(0);
        if world.script.one_in(2) {
            self.guarded(Self::settle);
            self.guarded(|run| checks::at_rest(&run.world));
        }
        self.guarded(facts::shut_down);
        world.no_drops.set(true);
        world.allowed.set(0);
        self.guarded(|run| {
            // What only users hold goes now: what waited for it is told.
            let resolvers = run.world.resolvers.take();
            drop(resolvers);
            let hooks = run.world.awaited_hooks.take();
            drop(hooks);
        });
        self.guarded(|run| checks::at_the_end(&run.world));
    }

    /// Break the circles of handles, so that nothing of the run stays in memory.
    fn bury(self) {
        let Self {
            world,
            mut engine,
            mut wire,
        } = self;
        world.no_drops.set(true);
        world.allowed.set(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            engine.shut_down(&mut wire);
            drop(engine);
            world.resolvers.take();
            world.awaited_hooks.take();
            world.cancellers.take();
            world.connecting.take();
            world.timers.take();
            world.listeners.take();
            world.attempts.take();
            world.connects.take();
            world.arriving.take();
            for conn in world.conns.take() {
                conn.handles.take();
                conn.wire.away.take();
            }
            world.net.take();
            world.tokens.take();
        }));
        if outcome.is_err() {
            world.note(|| "the burial panicked".into());
        }
    }
}

impl World {
    fn new(
        limits: Limits,
        roomy: bool,
        wakes: &Rc<Wakes>,
        counts: &Rc<Counts>,
        explain: bool,
    ) -> Self {
        Self {
            net: RefCell::default(),
            limits,
            roomy,
            now: Cell::new(1),
            script: Rng::new(0),
            allowed: Cell::new(u32::MAX),
            acted: Cell::new(0),
            depth: Cell::new(0),
            in_call: Cell::new(0),
            no_drops: Cell::new(false),
            in_drop: Cell::new(false),
            sending: Cell::new(None),
            redelivers: Cell::new(false),
            in_turn: Cell::new(false),
            turn: Cell::new(0),
            began: Cell::new(1),
            losing: Cell::new(false),
            gone: Cell::new(false),
            facts_left: Cell::new(false),
            aborting: Cell::new(false),
            ending: Cell::new(false),
            asleep: Cell::new(false),
            stopping: Cell::new(None),
            total: Cell::new(0),
            over_total: Cell::new(false),
            dropped_writes: Cell::new(0),
            woken: Cell::new(0),
            wakes: Rc::clone(wakes),
            conns: RefCell::default(),
            made_conns: Cell::new(0),
            arriving: RefCell::default(),
            failed_told: Cell::new(0),
            attempts: RefCell::default(),
            connects: RefCell::default(),
            connecting: RefCell::default(),
            listeners: RefCell::default(),
            closed_listeners: RefCell::default(),
            timers: RefCell::default(),
            resolvers: RefCell::default(),
            cancellers: RefCell::default(),
            tokens: RefCell::new(BTreeMap::new()),
            next_token: Cell::new(0),
            queue: RefCell::new(VecDeque::new()),
            posts: RefCell::new(VecDeque::new()),
            next_post: Cell::new(0),
            posts_run: Cell::new(0),
            worked: Cell::new(0),
            redelivered: Cell::new(0),
            hooks: RefCell::default(),
            awaited_hooks: RefCell::default(),
            panics: Cell::new(0),
            uncaught: RefCell::default(),
            violations: RefCell::default(),
            trace: explain.then(RefCell::default),
            counts: Rc::clone(counts),
        }
    }
}
