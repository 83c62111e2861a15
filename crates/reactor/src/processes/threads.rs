use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};
use torsade_core::driver::{ChildControl, Extension};
use torsade_core::{ExitStatus, Net, Remote, Signal, SignalError, TerminalSize};
use torsade_deferred::{Deferred, Resolver};

use super::{numbers, terminal};

/// What to wait for, and what can be done meanwhile.
pub(super) type Followed = (Deferred<ExitStatus, Infallible>, Box<dyn ChildControl>);

/// Where no descriptor stands for a process, a thread waits for this one, and for no other.
///
/// It leaves the process a zombie, which keeps its number, until the reactor reaps it. So a signal
/// that is sent under the lock cannot reach anybody else.
pub(super) fn follow(
    net: &Net,
    pid: Pid,
    terminal: Option<terminal::Name>,
) -> io::Result<Followed> {
    let process = Arc::new(Process {
        pid,
        state: Mutex::new(State::Running),
    });
    let waiters = net.extension(|_| Rc::new(Waiters::default()));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (remote, waited) = (net.remote(), Arc::clone(&process));
    thread::Builder::new()
        .name("torsade-child".to_owned())
        .spawn(move || wait(&waited, number, &remote))?;
    let (resolver, exit) = Deferred::new();
    waiters.told.borrow_mut().insert(number, resolver);
    Ok((exit, Box::new(Control { process, terminal })))
}

struct Process {
    pid: Pid,
    state: Mutex<State>,
}

/// Who is to reap a process.
///
/// ```text
///            it exits                  the reactor comes by, or is gone
///   Running ---------> Seen --------------------------------------------> Reaped
///      |                 \---------- let go ----------------------------->  ^
///      | let go                        it exits: the thread reaps it        |
///      +----------> LetGo --------------------------------------------------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Seen,
    LetGo,
    Reaped,
}

impl Process {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If it has exited and nobody has reaped it. Never waits.
    fn reap(&self, state: &mut State) -> Option<ExitStatus> {
        if *state != State::Seen {
            return None;
        }
        *state = State::Reaped;
        let told = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED);
        numbers::status(told)
    }
}

/// In the thread.
fn wait(process: &Arc<Process>, number: u64, remote: &Remote) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = waitid(WaitId::Pid(process.pid), options) {}
    let mut state = process.lock();
    let is_let_go = *state == State::LetGo;
    *state = State::Seen;
    if is_let_go {
        process.reap(&mut state);
        return;
    }
    drop(state);
    let seen = Arc::clone(process);
    let told = remote.post(move |net| tell(net, &seen, number));
    if told.is_err() {
        process.reap(&mut process.lock());
    }
}

/// In the reactor.
fn tell(net: &Net, process: &Process, number: u64) {
    let status = process.reap(&mut process.lock());
    let waiters = net.extension(|_| Rc::new(Waiters::default()));
    let resolver = waiters.told.borrow_mut().remove(&number);
    if let (Some(status), Some(resolver)) = (status, resolver) {
        resolver.resolve(status);
    }
}

/// Who is to be told, of a reactor.
#[derive(Default)]
struct Waiters {
    told: RefCell<HashMap<u64, Resolver<ExitStatus, Infallible>>>,
}

impl Extension for Waiters {
    fn ended(self: Rc<Self>) {
        let told = self.told.take();
        drop(told);
    }
}

struct Control {
    process: Arc<Process>,
    terminal: Option<terminal::Name>,
}

impl ChildControl for Control {
    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let number = numbers::number(signal)?;
        let state = self.process.lock();
        if *state == State::Reaped {
            return Err(SignalError::Exited);
        }
        numbers::sent(kill_process(self.process.pid, number))
    }

    fn resize(&self, size: TerminalSize) -> io::Result<()> {
        match &self.terminal {
            Some(terminal) => terminal.resize(size),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let mut state = self.process.lock();
        self.process.reap(&mut state);
        if *state == State::Running {
            *state = State::LetGo;
        }
    }
}
