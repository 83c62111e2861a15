use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};

use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use torsade_core::driver::{ChildControl, Interest};
use torsade_core::{ExitStatus, Net, Signal, SignalError, TerminalSize};
use torsade_deferred::{Deferred, Resolver};

use super::{left, numbers, terminal};
use crate::watches::Watches;

/// What to wait for, and what can be done meanwhile.
pub(super) type Followed = (Deferred<ExitStatus, Infallible>, Box<dyn ChildControl>);

/// Have the reactor tell when a process has exited, by a descriptor that stands for it: as long as
/// that is open, no other process is meant, whatever number it has. The process was not waited for
/// yet, so its number is its own now.
pub(super) fn follow(
    watches: &Rc<Watches>,
    net: &Net,
    pid: Pid,
    terminal: Option<terminal::Name>,
) -> io::Result<Followed> {
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    let watched = rustix::io::fcntl_dupfd_cloexec(&descriptor, 0)?;
    let (resolver, exit) = Deferred::new();
    let running = Rc::new(Running {
        descriptor,
        told: Cell::new(Some(resolver)),
        reaped: Cell::new(false),
    });
    let readable = Interest {
        readable: true,
        writable: false,
    };
    let followed = Rc::clone(&running);
    let reap = move |_: &Net| followed.reap();
    let added = watches.add(watched, readable, net, Box::new(reap));
    let number = match added {
        Ok(number) => number,
        Err(error) => {
            // Somebody else takes care of it.
            running.reaped.set(true);
            return Err(error);
        }
    };
    let control = Control {
        running,
        watches: Rc::downgrade(watches),
        number,
        terminal,
    };
    Ok((exit, Box::new(control)))
}

/// A process that was not reaped yet, or just was.
struct Running {
    descriptor: OwnedFd,
    told: Cell<Option<Resolver<ExitStatus, Infallible>>>,
    reaped: Cell<bool>,
}

impl Running {
    /// Its descriptor is readable: it has exited.
    fn reap(&self) {
        if self.reaped.get() {
            return;
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let told = waitid(WaitId::PidFd(self.descriptor.as_fd()), options);
        let Some(status) = numbers::status(told) else {
            return;
        };
        self.reaped.set(true);
        if let Some(resolver) = self.told.take() {
            resolver.resolve(status);
        }
    }
}

/// Nobody waits for it here any more; it must not stay a zombie.
impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped.get()
            && let Ok(descriptor) = self.descriptor.try_clone()
        {
            left::wait_for(descriptor);
        }
    }
}

struct Control {
    running: Rc<Running>,
    watches: Weak<Watches>,
    number: u64,
    terminal: Option<terminal::Name>,
}

impl ChildControl for Control {
    fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        if self.running.reaped.get() {
            return Err(SignalError::Exited);
        }
        let number = numbers::number(signal)?;
        numbers::sent(pidfd_send_signal(&self.running.descriptor, number))
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
        if let Some(watches) = self.watches.upgrade() {
            watches.remove(self.number);
        }
    }
}
