//! Child processes: started by std, told about by a descriptor that stands for each of them.
//!
//! Nobody ever waits for a child but for these, each by itself: no signal is handled, and a child
//! that somebody else started is never touched.

mod before_exec;
mod descriptors;
#[cfg(target_os = "linux")]
mod left;
mod numbers;
#[cfg(target_os = "linux")]
mod pidfd;
mod terminal;
mod threads;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Stdio};
use std::rc::Rc;

use rustix::process::Pid;
use torsade_core::driver::Spawned;
use torsade_core::{Address, Command, Net};

use self::descriptors::{Source, Wiring};
pub(crate) use self::numbers::number;
use crate::watches::Watches;

/// Start a process, and see to it that its exit is told.
pub(crate) fn spawn(watches: &Rc<Watches>, net: &Net, command: &Command) -> io::Result<Spawned> {
    let Wiring { ours, theirs } = descriptors::wire(command)?;
    let mut child = plain(command);
    let mut beyond = Vec::new();
    for (number, source) in theirs {
        match number {
            0 => drop(child.stdin(stdio(source))),
            1 => drop(child.stdout(stdio(source))),
            2 => drop(child.stderr(stdio(source))),
            _ => beyond.extend(source.into_descriptor().map(|it| (number, it))),
        }
    }
    let has_terminal = command.terminal_size().is_some();
    let places = before_exec::prepare(&mut child, beyond, has_terminal)?;
    let spawned = child.spawn();
    drop(places);
    // With it our copies of the child's ends go, without which nobody would find an end.
    drop(child);
    follow(watches, net, spawned?, ours)
}

/// From here on the process runs, so whatever fails must not leave it behind.
fn follow(
    watches: &Rc<Watches>,
    net: &Net,
    mut child: process::Child,
    (pipes, terminal): (Vec<(u32, Address)>, Option<terminal::Name>),
) -> io::Result<Spawned> {
    let pid = child.id();
    let number = Pid::from_child(&child);
    #[cfg(target_os = "linux")]
    let followed = match pidfd::follow(watches, net, number, terminal.clone()) {
        Ok(followed) => Ok(followed),
        // An older kernel, or no descriptor left.
        Err(_) => threads::follow(net, number, terminal),
    };
    #[cfg(not(target_os = "linux"))]
    let followed = {
        let _ = watches;
        threads::follow(net, number, terminal)
    };
    match followed {
        Ok((exit, control)) => Ok(Spawned {
            pid,
            pipes,
            exit,
            control,
        }),
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

/// All that std knows how to do.
fn plain(command: &Command) -> process::Command {
    let mut child = process::Command::new(command.program());
    if let Some(name) = command.zeroth() {
        child.arg0(name);
    }
    child.args(command.arguments());
    if !command.inherits_environment() {
        child.env_clear();
    }
    for (name, value) in command.environment() {
        let _: &OsStr = name;
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    if let Some(directory) = command.directory() {
        child.current_dir(directory);
    }
    if let Some(user) = command.user() {
        child.uid(user);
    }
    if let Some(group) = command.group() {
        child.gid(group);
    }
    child
}

fn stdio(source: Source) -> Stdio {
    match source {
        Source::Inherit => Stdio::inherit(),
        Source::Own(descriptor) => Stdio::from(descriptor),
    }
}

impl Source {
    fn into_descriptor(self) -> Option<OwnedFd> {
        match self {
            Self::Own(descriptor) => Some(descriptor),
            Self::Inherit => None,
        }
    }
}
