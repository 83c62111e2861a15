//! The thread that reads a stream that blocks.

use std::io::{self, PipeWriter, Write, pipe};
use std::os::fd::OwnedFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

/// Has all a pipe's room for a write says: so many bytes go at once.
const PIECE: usize = 4096;

/// Begin to read `stream`; what comes from it comes from the returned pipe.
///
/// Nobody waits for the thread. It ends when the stream does, or when nobody has the other end of
/// its pipe; a read that blocks although there was something is all that can keep it, and it does
/// not keep the process.
pub(super) fn start(stream: OwnedFd) -> io::Result<OwnedFd> {
    let (ours, pipe) = pipe()?;
    let thread = thread::Builder::new().name("torsade-stdin".into());
    thread.spawn(move || {
        if let Err(error) = read(&stream, pipe) {
            log::warn!("standard input cannot be read: {error}");
        }
    })?;
    Ok(ours.into())
}

/// Read no more than the pipe has room for: what it has not, others can still read when the
/// connection is over.
fn read(stream: &OwnedFd, mut pipe: PipeWriter) -> io::Result<()> {
    if fcntl_getfl(stream)? & OFlags::RWMODE == OFlags::WRONLY {
        return Err(Errno::BADF.into());
    }
    let mut buffer = [0; PIECE];
    while has_room(&pipe)? && has_input(stream, &pipe)? {
        match rustix::io::read(stream, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                if pipe.write_all(&buffer[..n]).is_err() {
                    return Ok(());
                }
            }
            // Somebody else read it first, from a stream that somebody else made non-blocking.
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Wait until there is room in the pipe. False if nobody reads it any more.
fn has_room(pipe: &PipeWriter) -> io::Result<bool> {
    let mut awaited = [PollFd::new(pipe, PollFlags::OUT)];
    wait(&mut awaited)?;
    Ok(!is_broken(&awaited[0]))
}

/// Wait until the stream has something. False if nobody reads the pipe any more.
fn has_input(stream: &OwnedFd, pipe: &PipeWriter) -> io::Result<bool> {
    let mut awaited = [
        PollFd::new(pipe, PollFlags::empty()),
        PollFd::new(stream, PollFlags::IN),
    ];
    wait(&mut awaited)?;
    Ok(!is_broken(&awaited[0]))
}

fn is_broken(pipe: &PollFd<'_>) -> bool {
    pipe.revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Wait for one of them.
pub(super) fn wait(awaited: &mut [PollFd<'_>]) -> io::Result<()> {
    loop {
        match poll(awaited, None) {
            Err(Errno::INTR) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}
