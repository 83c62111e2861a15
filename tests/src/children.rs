//! Children whose standard input and output are a connection under test.
//!
//! A relay in the child would be a second program whose pace nobody knows. So the child gives its
//! ends of the two pipes away: once it runs they are opened here, it is told to close its own
//! copies, and from then on the far end is in the hands of the cell, as with all pipes. The child
//! lives on, and does nothing, until both directions have ended or the harness lets it go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use torsade_core::{ChildFd, Command};

use crate::raw::Line;
use crate::sockets::{PATIENCE, need};

/// Waits for a line, closes its ends of the connection, says so, and waits for the end.
const PROGRAM: &str =
    "read _ <&3; exec <&3 >/dev/null 5<&- 6>&-; echo >&4; exec 3<&- 4>&-; exec cat";

/// Its standard streams once more. The shell that waits has something else in the place of the
/// first, for that long.
const IN: u32 = 5;
const OUT: u32 = 6;

/// A child that somebody is to start, or has started.
pub(crate) struct Child {
    /// Its last argument, by which it is found.
    mark: String,
    pid: Option<u32>,
    /// Closed, and the child goes.
    leash: Option<PipeWriter>,
    closed: PipeReader,
}

impl Child {
    /// What is to be connected to, and what takes the far end of that.
    pub(crate) fn awaited() -> (Command, Self) {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let number = MARKS.fetch_add(1, Ordering::Relaxed);
        let mark = format!("conformance-{}-{number}", std::process::id());
        let (waits, leash) = need(io::pipe(), "a pipe");
        let (closed, says) = need(io::pipe(), "a pipe");
        let command = Command::new("sh")
            .args(["-c", PROGRAM, &mark])
            .descriptor(2, ChildFd::Null)
            .descriptor(3, ChildFd::given(OwnedFd::from(waits)))
            .descriptor(4, ChildFd::given(OwnedFd::from(says)))
            .descriptor(IN, ChildFd::Like(0))
            .descriptor(OUT, ChildFd::Like(1));
        let child = Self {
            mark,
            pid: None,
            leash: Some(leash),
            closed,
        };
        (command, child)
    }

    /// The far end of the connection, if the child was started: that is done when whoever started
    /// it goes on.
    pub(crate) fn take(&mut self) -> Option<Line> {
        let pid = self.find()?;
        self.pid = Some(pid);
        let open = |number: u32, options: &mut OpenOptions| {
            let path = format!("/proc/{pid}/fd/{number}");
            // One that has nobody at its other end any more would be waited for.
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            options.custom_flags(flags).open(path)
        };
        let input = need(open(IN, File::options().read(true)), "standard input");
        // Where nobody reads any more there is nothing to open.
        let output = open(OUT, File::options().write(true)).ok();
        let mut leash = self.leash.as_ref()?;
        need(leash.write_all(b"\n"), "child that waits");
        let mut fds = [PollFd::new(&self.closed, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&PATIENCE)).unwrap_or(0);
        assert!(ready > 0, "a child does not close its standard streams");
        Some(Line::Pipes {
            input: OwnedFd::from(input).into(),
            output: output.map(|file| OwnedFd::from(file).into()),
        })
    }

    /// It exits, as a program does that has nobody to talk to. When this returns, it has.
    pub(crate) fn leave(&mut self) {
        drop(self.leash.take());
        #[cfg(target_os = "linux")]
        if let Some(pid) = self
            .pid
            .take()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            // One that is gone already was waited for by the reactor.
            let Ok(exit) = pidfd_open(pid, PidfdFlags::empty()) else {
                return;
            };
            let mut fds = [PollFd::new(&exit, PollFlags::IN)];
            let ready = poll(&mut fds, Some(&PATIENCE)).unwrap_or(0);
            assert!(ready > 0, "a child does not exit");
        }
    }

    /// Its number. A thread's list of its children leaves some out while others exit, so all of the
    /// system are looked at.
    fn find(&self) -> Option<u32> {
        let everybody = need(fs::read_dir("/proc"), "list of processes");
        let mut pids = everybody.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.find(|pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0)
                .any(|argument| argument == self.mark.as_bytes())
        })
    }
}
