//! The thread that writes a stream that blocks.

use std::io::{self, PipeReader, Read, pipe};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use super::inlet::wait;

/// What the thread of an output and its connection know of each other.
///
/// ```text
///          the connection closed          all was written, or the stream broke
///   Open ------------------------> Closed ------------------------------------> (the thread ends)
///    |     it was aborted                            the rest is dropped              ^
///    +-------------------------> Aborted ---------------------------------------------+
/// ```
#[derive(Debug)]
pub(crate) struct Outlet {
    state: AtomicU8,
    /// The system's number of what broke the stream; 0 is nothing.
    broke: AtomicI32,
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const ABORTED: u8 = 2;

/// What a pipe or a terminal that says that it has room takes without blocking.
const PIECE: usize = 4096;

impl Outlet {
    /// The connection is over, before it closes its end of the pipe.
    pub(crate) fn close(&self, aborted: bool) {
        let state = if aborted { ABORTED } else { CLOSED };
        self.state.store(state, Ordering::Release);
    }

    /// The connection is gone. If nobody closed it, it counts as aborted.
    pub(crate) fn abandon(&self) {
        let (before, after) = (OPEN, ABORTED);
        let order = Ordering::AcqRel;
        // It was closed before, which is the usual case.
        let _ = self
            .state
            .compare_exchange(before, after, order, Ordering::Acquire);
    }

    /// Why the stream took no more, if it does not.
    pub(crate) fn error(&self) -> Option<io::Error> {
        match self.broke.load(Ordering::Acquire) {
            0 => None,
            number => Some(io::Error::from_raw_os_error(number)),
        }
    }

    fn state(&self) -> u8 {
        self.state.load(Ordering::Acquire)
    }
}

/// The threads of this process. There are as many as connections that the program made of its
/// standard streams, which is one as a rule.
static THREADS: Mutex<Vec<(Arc<Outlet>, JoinHandle<()>)>> = Mutex::new(Vec::new());

/// Wait until everything has been written that was written to connections which are closed.
pub(crate) fn wait_for_output() {
    let mut over = Vec::new();
    {
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        for (outlet, thread) in std::mem::take(&mut *threads) {
            if outlet.state() == OPEN && !thread.is_finished() {
                threads.push((outlet, thread));
            } else {
                over.push(thread);
            }
        }
    }
    for thread in over {
        // It has no code of the user's, and nothing that panics.
        let _ = thread.join();
    }
}

/// Begin to write `stream`: what goes into the returned pipe goes there.
pub(super) fn start(stream: OwnedFd) -> io::Result<(OwnedFd, Arc<Outlet>)> {
    let (pipe, ours) = pipe()?;
    let outlet = Arc::new(Outlet {
        state: AtomicU8::new(OPEN),
        broke: AtomicI32::new(0),
    });
    if fcntl_getfl(&stream)? & OFlags::RWMODE == OFlags::RDONLY {
        // A wait for room might never end. The first write to the pipe finds out.
        let number = Errno::BADF.raw_os_error();
        outlet.broke.store(number, Ordering::Release);
        return Ok((ours.into(), outlet));
    }
    let known = Arc::clone(&outlet);
    let thread = thread::Builder::new().name("torsade-stdout".into());
    let thread = thread.spawn(move || {
        // The pipe is closed behind it, so that the connection finds the error where it looks.
        if let Err(error) = write(&stream, &pipe, &known) {
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            known.broke.store(number, Ordering::Release);
        }
    })?;
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    threads.push((Arc::clone(&outlet), thread));
    Ok((ours.into(), outlet))
}

fn write(stream: &OwnedFd, mut pipe: &PipeReader, outlet: &Outlet) -> io::Result<()> {
    let mut buffer = [0; PIECE];
    loop {
        let read = match pipe.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut left = &buffer[..read];
        while !left.is_empty() {
            if !has_room(stream, pipe, outlet)? {
                return Ok(());
            }
            match rustix::io::write(stream, left) {
                Ok(written) => left = &left[written..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Wait until the stream has room, or is broken. False if the connection was aborted.
fn has_room(stream: &OwnedFd, pipe: &PipeReader, outlet: &Outlet) -> io::Result<bool> {
    loop {
        match outlet.state() {
            ABORTED => return Ok(false),
            // Its end of the pipe may be closed, which would end every wait.
            CLOSED => {
                wait(&mut [PollFd::new(stream, PollFlags::OUT)])?;
                return Ok(true);
            }
            _ => {}
        }
        let mut awaited = [
            PollFd::new(stream, PollFlags::OUT),
            PollFd::new(pipe, PollFlags::empty()),
        ];
        wait(&mut awaited)?;
        if !awaited[0].revents().is_empty() {
            return Ok(outlet.state() != ABORTED);
        }
    }
}
