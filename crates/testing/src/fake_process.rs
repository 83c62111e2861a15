use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::rc::Rc;

use torsade_core::driver::{ChildControl, Spawned};
use torsade_core::{
    Address, ChildFd, Command, ExitStatus, Limits, Peer, Signal, SignalError, TerminalSize,
};
use torsade_deferred::{Deferred, Resolver};

use crate::FarEnd;
use crate::end::End;
use crate::world;

/// A process that the program has spawned: the test is what runs in it.
///
/// From [`MemoryReactor::next_process`](crate::MemoryReactor::next_process), or from a simulated
/// [`Host`](crate::sim::Host::next_process), where nothing of it happens before the network runs. It
/// reads what the
/// program writes, writes what the program reads, and exits when the test says so. Signals are
/// noted, and do nothing by themselves. Dropping it changes nothing: a process that is silent.
///
/// ```
/// use torsade_core::{Command, ExitStatus, ProcessEnd, Signal, ProcessProtocol, ProcessTransport};
/// use torsade_testing::MemoryReactor;
///
/// /// Ends what complains.
/// struct Strict;
/// impl ProcessProtocol for Strict {
///     fn err_received(&mut self, transport: &ProcessTransport<Self>, _: &[u8]) {
///         let _ = transport.kill();
///     }
/// }
///
/// let reactor = MemoryReactor::new();
/// let transport = reactor.net().spawn_process(&Command::new("make"), Strict)?;
/// let ended = transport.ended();
/// let mut make = reactor.next_process();
/// make.feed_error("no rule\n");
/// assert_eq!(make.take_signals(), [Signal::Kill]);
/// let status = ExitStatus::Signal { signal: Signal::Kill, core_dumped: false };
/// make.exit(status);
/// assert_eq!(ended.try_take().unwrap(), Ok(ProcessEnd::Exited(status)));
/// # Ok::<(), torsade_core::SpawnError>(())
/// ```
pub struct FakeProcess {
    started: Rc<Started>,
    pipes: BTreeMap<u32, FarEnd>,
}

impl FakeProcess {
    pub(crate) fn new(started: Rc<Started>, limits: &Limits) -> Self {
        let pipes = started.pipes.iter().map(|(fd, (end, peer))| {
            let far = FarEnd::new(Rc::clone(end), peer.clone(), limits);
            (*fd, far)
        });
        Self {
            pipes: pipes.collect(),
            started,
        }
    }

    /// What was asked for.
    pub fn command(&self) -> &Command {
        &self.started.command
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.started.pid
    }

    /// What the program wrote to its standard input since this was last asked.
    pub fn take_input(&mut self) -> Vec<u8> {
        let number = self.standard(0);
        self.pipe(number).take_sent()
    }

    /// It writes to its standard output.
    pub fn feed(&mut self, data: impl AsRef<[u8]>) {
        self.pipe(1).feed(data);
    }

    /// It writes to its standard error; on a terminal, that is its standard output.
    pub fn feed_error(&mut self, data: impl AsRef<[u8]>) {
        let number = self.standard(2);
        self.pipe(number).feed(data);
    }

    /// The child's end of the descriptor of this number. It is the far end of a connection:
    /// [`end`](FarEnd::end) closes it, [`set_window`](FarEnd::set_window) is a program that does not
    /// read.
    ///
    /// # Panics
    /// If it has no pipe of that number.
    pub fn pipe(&mut self, fd: u32) -> &mut FarEnd {
        match self.pipes.get_mut(&fd) {
            Some(pipe) => pipe,
            None => panic!(
                "{:?} has no pipe for descriptor {fd}",
                self.started.command.program()
            ),
        }
    }

    /// It exits, and all of its descriptors are closed by that.
    ///
    /// # Panics
    /// If it has exited before.
    pub fn exit(&mut self, status: ExitStatus) {
        for pipe in self.pipes.values_mut() {
            pipe.end();
        }
        self.exit_and_leave_pipes(status);
    }

    /// It exits, and a process that it started goes on with its descriptors.
    ///
    /// # Panics
    /// If it has exited before.
    pub fn exit_and_leave_pipes(&mut self, status: ExitStatus) {
        world::settle();
        assert!(!self.started.exited.replace(true), "it exits a second time");
        // Nobody waits for one that was let go.
        let exit = self.started.exit.take();
        if let Some(exit) = exit {
            exit.resolve(status);
        }
        world::settle();
    }

    /// The signals that it got since this was last asked.
    pub fn take_signals(&mut self) -> Vec<Signal> {
        world::settle();
        self.started.signals.take()
    }

    /// The size of its terminal, if it has one.
    pub fn terminal_size(&self) -> Option<TerminalSize> {
        world::settle();
        self.started.size.get()
    }

    /// Whether the program waits for its exit no longer.
    pub fn is_let_go(&self) -> bool {
        world::settle();
        self.started.let_go.get()
    }

    fn standard(&self, fd: u32) -> u32 {
        if fd < joined(&self.started.command) {
            1
        } else {
            fd
        }
    }
}

impl fmt::Debug for FakeProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeProcess")
            .field("pid", &self.pid())
            .field("program", &self.command().program())
            .finish_non_exhaustive()
    }
}

/// The processes of a world.
#[derive(Default)]
pub(crate) struct Programs {
    /// Those that the test has not asked for.
    started: RefCell<VecDeque<Rc<Started>>>,
    /// Pipes that are not connected yet.
    pipes: RefCell<Vec<(Rc<End>, Peer)>>,
    count: Cell<u32>,
    refused: Cell<Option<io::ErrorKind>>,
}

/// One of them.
pub(crate) struct Started {
    pid: u32,
    command: Command,
    pipes: BTreeMap<u32, (Rc<End>, Peer)>,
    exit: Cell<Option<Resolver<ExitStatus, Infallible>>>,
    exited: Cell<bool>,
    signals: RefCell<Vec<Signal>>,
    size: Cell<Option<TerminalSize>>,
    let_go: Cell<bool>,
}

impl Programs {
    pub(crate) fn refuse(&self, kind: io::ErrorKind) {
        self.refused.set(Some(kind));
    }

    /// Whoever spawned them is gone: so is what nobody has asked for.
    pub(crate) fn forget(&self) {
        let (started, pipes) = (self.started.take(), self.pipes.take());
        drop((started, pipes));
    }

    pub(crate) fn next(&self) -> Option<Rc<Started>> {
        self.started.borrow_mut().pop_front()
    }

    pub(crate) fn spawn(&self, command: &Command) -> io::Result<Spawned> {
        /// Unlike any that a test would make up.
        const FIRST: u32 = 10_001;
        if let Some(kind) = self.refused.get() {
            return Err(kind.into());
        }
        let pid = FIRST + self.count.get();
        self.count.set(self.count.get() + 1);
        let piped = |(fd, is): (u32, &ChildFd)| {
            let is_pipe = matches!(is, ChildFd::Read | ChildFd::Write);
            (is_pipe && fd >= joined(command)).then_some(fd)
        };
        let one = (joined(command) > 0).then_some(1);
        let numbers = command.descriptors().filter_map(piped).chain(one);
        let pipes: BTreeMap<_, _> = numbers
            .map(|fd| (fd, (Rc::new(End::new(usize::MAX)), ends(pid, fd))))
            .collect();
        let each = pipes.values().cloned();
        self.pipes.borrow_mut().extend(each);
        let (resolver, exit) = Deferred::new();
        let started = Rc::new(Started {
            pid,
            command: command.clone(),
            pipes,
            exit: Cell::new(Some(resolver)),
            exited: Cell::new(false),
            signals: RefCell::default(),
            size: Cell::new(command.terminal_size()),
            let_go: Cell::new(false),
        });
        self.started.borrow_mut().push_back(Rc::clone(&started));
        let addresses = started.pipes.iter();
        Ok(Spawned {
            pid,
            pipes: addresses
                .map(|(fd, (_, peer))| (*fd, peer.remote().clone()))
                .collect(),
            exit,
            control: Box::new(Control(started)),
        })
    }

    /// Somebody connects to the pipe of this name.
    pub(crate) fn take_pipe(&self, address: &Address) -> Option<(Rc<End>, Peer)> {
        let mut pipes = self.pipes.borrow_mut();
        let place = pipes
            .iter()
            .position(|(_, peer)| peer.remote() == address)?;
        Some(pipes.remove(place))
    }
}

/// How many of its first descriptors are one, of number 1: a terminal is three of them, a stream
/// two.
fn joined(command: &Command) -> u32 {
    match command.terminal_size() {
        Some(_) => 3,
        None if command.is_stream() => 2,
        None => 0,
    }
}

/// A name that no other pipe of the world has.
fn ends(pid: u32, fd: u32) -> Peer {
    let far = Address::Named(format!("descriptor {fd} of process {pid}").into());
    Peer::new(far, Address::Named("a pipe".into()))
}

struct Control(Rc<Started>);

impl ChildControl for Control {
    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.0.signals.borrow_mut().push(signal);
        Ok(())
    }

    fn resize(&self, size: TerminalSize) -> io::Result<()> {
        if self.0.size.get().is_none() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.0.size.set(Some(size));
        Ok(())
    }
}

/// Also when the exit is known: then there is nothing to let go.
impl Drop for Control {
    fn drop(&mut self) {
        self.0.let_go.set(!self.0.exited.get());
    }
}
