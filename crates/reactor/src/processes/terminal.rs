use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use torsade_core::TerminalSize;

/// A pseudo-terminal.
pub(super) struct Terminal {
    /// What is written here is what is typed there.
    pub(super) ours: OwnedFd,
    pub(super) theirs: OwnedFd,
    pub(super) name: Name,
}

/// Where a terminal is, for as long as our end is open. That end is the connection's alone: a
/// second descriptor of it would keep its child from being hung up on.
#[derive(Clone)]
pub(super) struct Name(CString);

pub(super) fn open(size: TerminalSize) -> io::Result<Terminal> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = Name(ptsname(&ours, Vec::new())?);
    set_size(&ours, size)?;
    let theirs = name.open()?;
    Ok(Terminal { ours, theirs, name })
}

impl Name {
    pub(super) fn resize(&self, size: TerminalSize) -> io::Result<()> {
        set_size(self.open()?, size)
    }

    fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&*self.0, flags, Mode::empty())?)
    }
}

fn set_size(terminal: impl AsFd, size: TerminalSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}
