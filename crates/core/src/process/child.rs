use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use torsade_deferred::{Resolver, queue};

use super::channel::{Channel, Early, PipeEnd};
use super::complaints::Complaints;
use super::passed::Passed;
use super::talk::{Talk, Talking};
use super::{
    ChildControl, Command, ExitStatus, Process, ProcessEnd, ProcessProtocol, ProcessTransport,
    Signal, SignalError, SpawnError, Spawned, TerminalSize,
};
use crate::continuation::{Continuation, Seats};
use crate::guard::{self, Caught};
use crate::link::Link;
use crate::shared::Shared;
use crate::slots::Key;
use crate::timers::Action;
use crate::{
    Address, Connection, ConnectionId, Disconnect, Endpoint, Gone, Net, ProcessId, Timeout,
};

/// What the handles of a process, its descriptors and the engine share.
///
/// All of it is cells that are never left borrowed while user code runs.
pub(crate) struct Child {
    pub(super) shared: Rc<Shared>,
    pub(crate) id: ProcessId,
    pid: u32,
    /// For people.
    pub(crate) program: Box<str>,
    phase: Cell<Phase>,
    outcome: Cell<Outcome>,
    /// Whether a descriptor was closed because others held it.
    cut: Cell<bool>,
    /// Gone once nobody waits for the exit any more.
    control: RefCell<Option<Box<dyn ChildControl>>>,
    /// Not here while a callback runs.
    protocol: Cell<Option<Box<dyn Talk>>>,
    channels: RefCell<BTreeMap<u32, Channel>>,
    /// Its standard streams, while they are a connection that has a protocol of its own.
    stream: RefCell<Option<Connection>>,
    /// Whether it has a terminal, which is one channel for several descriptors.
    has_terminal: bool,
    /// What holds back the input of descriptors: until the process is made, and until what is
    /// queued has run.
    held: RefCell<Vec<Resolver<(), ()>>>,
    queued: RefCell<VecDeque<Queued>>,
    /// Whether it has a place in the thread's queue.
    scheduled: Cell<bool>,
    pub(super) waits: Seats<Self>,
    ends: RefCell<Vec<Resolver<ProcessEnd, Infallible>>>,
    after_exit: Duration,
    after_exit_timer: Cell<Option<Key>>,
    /// What had passed when the timer was set.
    passed: Cell<Passed>,
    kills_on_stop: bool,
    /// Where it was asked for.
    pub(crate) site: &'static Location<'static>,
}

/// What has been told of a process.
///
/// ```text
///            every descriptor is          `connection_made`         `process_exited`
///            open, or lost already        called                    called, or let go
///   Opening ----------------------> Made -----------------> Running ----------------> Exited
///                                                                                        |
///                                              `process_ended` called,                   |
///                                   Ended <----------------------------------------------+
///                                              when every descriptor is lost
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Opening,
    /// `connection_made` is queued.
    Made,
    Running,
    Exited,
    Ended,
}

/// What is known of the exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Awaited,
    Known(ExitStatus),
    /// Nobody waits for it.
    LetGo,
}

/// Something that is to run on a process when its place in the thread's queue comes.
pub(crate) enum Queued {
    Made,
    /// A call, or a result that is there.
    Call(Rc<dyn Continuation<Child>>),
    Lost(u32, Disconnect),
    Exited(ExitStatus),
    Stopping,
    /// It was cancelled. It keeps its place, so that those behind it keep theirs.
    Nothing,
}

/// Start a process.
#[track_caller]
pub(crate) fn spawn<P: ProcessProtocol>(
    shared: &Rc<Shared>,
    command: &Command,
    protocol: P,
) -> Result<ProcessTransport<P>, SpawnError> {
    if !shared.is_alive() {
        return Err(Gone.into());
    }
    let net = Net(Rc::clone(shared));
    let spawned = shared.host().spawn(&net, command);
    let spawned = spawned.map_err(|error| SpawnError::new(command.program().into(), error))?;
    Ok(begin(&net, command, spawned, Box::new(Talking(protocol))))
}

/// Start a process whose standard input and output are one connection. Returns what that is to be
/// connected to.
#[track_caller]
pub(crate) fn stream(shared: &Rc<Shared>, command: &Command) -> io::Result<(Address, Process)> {
    let net = Net(Rc::clone(shared));
    let command = command.as_stream();
    let mut spawned = shared.host().spawn(&net, &command)?;
    let stream = spawned.pipes.iter().position(|(fd, _)| *fd == 1);
    let (_, address) = spawned
        .pipes
        .swap_remove(stream.ok_or(io::ErrorKind::Unsupported)?);
    let log = Box::new(Talking(Complaints::of(&command)));
    let transport: ProcessTransport<Complaints> = begin(&net, &command, spawned, log);
    Ok((address, transport.process()))
}

#[track_caller]
fn begin<P: ProcessProtocol>(
    net: &Net,
    command: &Command,
    spawned: Spawned,
    protocol: Box<Talking<P>>,
) -> ProcessTransport<P> {
    let shared = &net.0;
    let Spawned {
        pid,
        pipes,
        exit,
        control,
    } = spawned;
    let numbers = pipes.iter().map(|(fd, _)| *fd);
    let channels = numbers.map(|fd| (fd, Channel::Opening(Early::default())));
    let id = ProcessId(shared.processes.borrow().next_key());
    let limit = shared.limits().after_exit_timeout;
    let child = Rc::new(Child {
        shared: Rc::clone(shared),
        id,
        pid,
        program: command.program().to_string_lossy().into(),
        phase: Cell::new(Phase::Opening),
        outcome: Cell::new(Outcome::Awaited),
        cut: Cell::new(false),
        control: RefCell::new(Some(control)),
        protocol: Cell::new(Some(protocol)),
        channels: RefCell::new(channels.collect()),
        stream: RefCell::default(),
        has_terminal: command.terminal_size().is_some(),
        held: RefCell::default(),
        queued: RefCell::default(),
        scheduled: Cell::new(false),
        waits: Seats::default(),
        ends: RefCell::default(),
        after_exit: command.after_exit().unwrap_or(limit),
        after_exit_timer: Cell::new(None),
        passed: Cell::default(),
        kills_on_stop: command.kills_on_stop(),
        site: Location::caller(),
    });
    shared.processes.borrow_mut().insert(Rc::clone(&child));
    for (fd, address) in pipes {
        let connecting = net.connect(Endpoint::new([address]), PipeEnd::new(&child, fd));
        connecting.finish(move |result| {
            if let Err(error) = result {
                log::warn!("descriptor {fd} of process {pid} is lost: {error:?}");
            }
        });
    }
    let waiting = Rc::downgrade(&child);
    exit.finish(move |result| {
        if let (Ok(status), Some(child)) = (result, waiting.upgrade()) {
            child.exited(status);
        }
    });
    child.make_if_open();
    ProcessTransport::new(child)
}

/// What handles do.
impl Child {
    pub(super) fn net(&self) -> Net {
        Net(Rc::clone(&self.shared))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn status(&self) -> Option<ExitStatus> {
        match self.outcome.get() {
            Outcome::Known(status) => Some(status),
            Outcome::Awaited | Outcome::LetGo => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        self.outcome.get() == Outcome::Awaited
    }

    /// Do something with our end of a descriptor, if there is one of that number.
    pub(super) fn on<T>(&self, fd: u32, act: impl FnOnce(&mut Channel) -> T) -> Option<T> {
        let number = if self.has_terminal && fd < 3 { 1 } else { fd };
        self.channels.borrow_mut().get_mut(&number).map(act)
    }

    pub(super) fn high(&self) -> usize {
        self.shared.limits().write_high
    }

    pub(super) fn close(&self) {
        for channel in self.channels.borrow_mut().values_mut() {
            channel.close();
        }
    }

    fn abort(&self) {
        for channel in self.channels.borrow_mut().values_mut() {
            channel.abort();
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        match &*self.control.borrow() {
            Some(control) => control.signal(signal),
            None => Err(SignalError::Exited),
        }
    }

    pub(super) fn resize(&self, size: TerminalSize) -> io::Result<()> {
        match &*self.control.borrow() {
            Some(control) => control.resize(size),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Wait for the exit no longer.
    pub(crate) fn let_go(self: &Rc<Self>) {
        if self.outcome.get() == Outcome::Awaited {
            self.outcome.set(Outcome::LetGo);
            let control = self.control.take();
            drop(control);
        }
        self.abort();
        // Also without a descriptor there is something to be told.
        self.enqueue(Queued::Nothing);
    }

    /// It is to come to its end now, because the stop is over, or the reactor.
    pub(crate) fn give_up(self: &Rc<Self>) {
        if self.kills_on_stop {
            let _ = self.signal(Signal::Kill);
        }
        self.let_go();
    }

    pub(super) fn watch_end(&self, resolver: Resolver<ProcessEnd, Infallible>) {
        if self.phase.get() == Phase::Ended {
            resolver.resolve(self.end());
        } else {
            self.ends.borrow_mut().push(resolver);
        }
    }

    /// What `process_ended` tells.
    fn end(&self) -> ProcessEnd {
        match (self.outcome.get(), self.cut.get()) {
            (Outcome::Known(status), false) => ProcessEnd::Exited(status),
            (Outcome::Known(status), true) => ProcessEnd::Cut(status),
            (Outcome::LetGo | Outcome::Awaited, _) => ProcessEnd::LetGo,
        }
    }
}

/// What happens to it.
impl Child {
    /// One of its descriptors is there.
    pub(super) fn opened(
        self: &Rc<Self>,
        held: Resolver<(), ()>,
        open: impl FnOnce(&mut BTreeMap<u32, Channel>),
    ) {
        open(&mut self.channels.borrow_mut());
        self.hold_back(held);
        self.make_if_open();
    }

    /// A descriptor is lost. Told once, whoever finds it out.
    pub(super) fn lost(self: &Rc<Self>, fd: u32, reason: Disconnect) {
        let before = match self.channels.borrow_mut().get_mut(&fd) {
            Some(channel) if !channel.is_lost() => mem::replace(channel, Channel::Lost),
            _ => return,
        };
        drop(before);
        self.enqueue(Queued::Lost(fd, reason));
        self.make_if_open();
    }

    /// Its standard streams are this connection.
    pub(crate) fn streams_through(self: &Rc<Self>, link: &Rc<Link>) {
        let connection = Connection(Rc::clone(link));
        let closed = connection.closed();
        self.stream.replace(Some(connection));
        let child = Rc::downgrade(self);
        closed.finish(move |_| {
            if let Some(child) = child.upgrade() {
                let before = child.stream.take();
                drop(before);
                // It may have waited for nothing else.
                child.enqueue(Queued::Nothing);
            }
        });
    }

    fn make_if_open(self: &Rc<Self>) {
        let is_opening = self.channels.borrow().values().any(Channel::is_opening);
        if self.phase.get() == Phase::Opening && !is_opening {
            self.phase.set(Phase::Made);
            // In front of what came before it.
            self.queued.borrow_mut().push_front(Queued::Made);
            self.schedule();
        }
    }

    /// It has exited, and was reaped.
    fn exited(self: &Rc<Self>, status: ExitStatus) {
        if self.outcome.get() == Outcome::Awaited {
            self.outcome.set(Outcome::Known(status));
            let control = self.control.take();
            drop(control);
            self.enqueue(Queued::Exited(status));
        }
    }

    pub(crate) fn tell_stopping(self: &Rc<Self>) {
        if self.kills_on_stop && self.is_running() {
            let _ = self.signal(Signal::Term);
        }
        self.enqueue(Queued::Stopping);
    }

    /// So long after the exit: if nothing passed since, nobody uses what is open still.
    pub(crate) fn after_exit(&self) {
        self.after_exit_timer.set(None);
        let open = self.connections();
        if self.passed.get() != Passed::of(&open) {
            self.arm_after_exit();
            return;
        }
        self.cut.set(true);
        for connection in open {
            connection.abort_with(Disconnect::TimedOut(Timeout::AfterExit));
        }
    }

    fn arm_after_exit(&self) {
        if self.after_exit != Duration::MAX {
            self.passed.set(Passed::of(&self.connections()));
            let action = Action::AfterExit(self.id);
            let key = self.shared.set_timer(self.after_exit, action);
            self.after_exit_timer.set(Some(key));
        }
    }

    /// The numbers of its descriptors, with what each is connected to here.
    pub(crate) fn descriptors(&self) -> Vec<(u32, ConnectionId)> {
        let channels = self.channels.borrow();
        let open = channels.iter().filter_map(|(fd, channel)| {
            let connection = channel.connection()?;
            Some((*fd, connection.id()))
        });
        let stream = self.stream.borrow();
        let standard = stream.iter().flat_map(|it| [(0, it.id()), (1, it.id())]);
        standard.chain(open).collect()
    }

    fn connections(&self) -> Vec<Connection> {
        let channels = self.channels.borrow();
        let open = channels.values().filter_map(Channel::connection);
        open.cloned().chain(self.stream.borrow().clone()).collect()
    }
}

/// What is queued.
impl Child {
    pub(super) fn enqueue(self: &Rc<Self>, what: Queued) {
        if self.phase.get() != Phase::Ended {
            self.queued.borrow_mut().push_back(what);
            self.schedule();
        }
    }

    fn schedule(self: &Rc<Self>) {
        if self.is_queued() && !self.scheduled.replace(true) {
            // Outside a turn nothing is run here: that is for the engine's next one.
            queue::leave(Rc::<Self>::clone(self));
            self.shared.work();
        }
    }

    /// Whether there is anything to run now: nothing before it is made.
    pub(crate) fn is_queued(&self) -> bool {
        self.phase.get() != Phase::Opening && !self.queued.borrow().is_empty()
    }

    /// Run the next of what is queued.
    pub(crate) fn run_one(self: &Rc<Self>) {
        self.scheduled.set(false);
        if !self.is_queued() {
            return;
        }
        let next = self.queued.borrow_mut().pop_front();
        match next {
            Some(Queued::Made) => {
                self.phase.set(Phase::Running);
                self.callback("connection_made", |talk, child| talk.made(child));
            }
            Some(Queued::Call(continuation)) => {
                self.callback("a continuation", |talk, child| {
                    continuation.run(talk.protocol(), child);
                });
            }
            Some(Queued::Lost(fd, reason)) => {
                self.callback("child_connection_lost", |talk, child| {
                    talk.lost(child, fd, &reason);
                });
            }
            Some(Queued::Exited(status)) => {
                self.callback("process_exited", |talk, child| talk.exited(child, status));
                self.phase.set(Phase::Exited);
                self.arm_after_exit();
            }
            Some(Queued::Stopping) => {
                self.callback("stopping", |talk, child| talk.stopping(child));
            }
            Some(Queued::Nothing) | None => {}
        }
        if self.phase.get() == Phase::Running && self.outcome.get() == Outcome::LetGo {
            self.phase.set(Phase::Exited);
        }
        if self.is_over() {
            self.finish();
        } else if self.is_queued() {
            self.schedule();
        } else {
            self.let_output_on();
        }
    }

    /// Hold back a descriptor's input until what is queued has run: that comes first.
    pub(super) fn hold_back(&self, held: Resolver<(), ()>) {
        self.held.borrow_mut().push(held);
    }

    fn let_output_on(&self) {
        let held = self.held.take();
        for resolver in held {
            resolver.resolve(());
        }
    }

    fn is_over(&self) -> bool {
        self.phase.get() == Phase::Exited
            && !self.is_queued()
            && self.channels.borrow().values().all(Channel::is_lost)
            && (self.stream.borrow().is_none() || self.outcome.get() == Outcome::LetGo)
    }

    /// `process_ended`, and nothing after it.
    fn finish(self: &Rc<Self>) {
        self.phase.set(Phase::Ended);
        if let Some(key) = self.after_exit_timer.take() {
            // One of ours: nothing of the user's is dropped.
            let _ = self.shared.timers.borrow_mut().remove(key);
        }
        for continuation in self.take_continuations() {
            self.user("the end of a continuation", || continuation.cancel(self));
            self.user("the drop of a continuation", || drop(continuation));
        }
        let end = self.end();
        self.callback("process_ended", |talk, child| talk.ended(child, end));
        let protocol = self.protocol.take();
        self.user("the drop of a process protocol", || drop(protocol));
        let removed = self.shared.processes.borrow_mut().remove(self.id.0);
        drop(removed);
        let ends = self.ends.take();
        for resolver in ends {
            resolver.resolve(end);
        }
    }

    /// What waits or is queued, to be cancelled.
    fn take_continuations(&self) -> Vec<Rc<dyn Continuation<Self>>> {
        let mut taken = self.waits.take(|_| true);
        for queued in self.queued.borrow_mut().iter_mut() {
            if matches!(queued, Queued::Call(_))
                && let Queued::Call(continuation) = mem::replace(queued, Queued::Nothing)
            {
                taken.push(continuation);
            }
        }
        taken
    }

    /// Make one callback. A panic in it is the end of the process.
    pub(super) fn callback(
        self: &Rc<Self>,
        place: &'static str,
        call: impl FnOnce(&mut dyn Talk, &Rc<Self>),
    ) {
        let Some(mut protocol) = self.protocol.take() else {
            return;
        };
        let outcome = guard::run(|| call(&mut *protocol, self));
        self.protocol.set(Some(protocol));
        if let Err(panic) = outcome {
            self.caught(place, panic);
            let _ = self.signal(Signal::Kill);
            self.abort();
        }
    }

    fn user(&self, place: &'static str, code: impl FnOnce()) {
        if let Err(panic) = guard::run(code) {
            self.caught(place, panic);
        }
    }

    #[cold]
    fn caught(&self, place: &'static str, panic: torsade_deferred::Panic) {
        let caught = Caught::of_process(self.pid, place, panic);
        self.shared.host().caught(&caught);
    }
}
