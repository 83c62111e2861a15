//! The raw ends of the harness on real sockets and pipes: the peers, in the hands of the cells.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::mem;
use std::net::Shutdown;

use rustix::event::{PollFd, PollFlags};
use socket2::Socket;
use torsade_testing::conformance::{Seat, Seen};

use crate::children::Child;
use crate::sockets::prepare;
use crate::tls::FarTls;

/// One raw end.
pub(crate) struct Raw {
    pub(crate) socket: RawSocket,
    /// Whose standard streams it has, and who is to live as long.
    child: Option<Child>,
    /// The probe at the other end, if there is one.
    pub(crate) probe: Seat,
    pub(crate) reads: bool,
    pub(crate) received: Vec<u8>,
    pub(crate) seen: Seen,
    /// Sent by the peer, and not taken by the kernel yet.
    pub(crate) unsent: Vec<u8>,
    pub(crate) sent: u64,
    pub(crate) finishes: bool,
    pub(crate) key: Option<u8>,
    pub(crate) far: Option<FarTls>,
    pub(crate) offered: u64,
}

impl Raw {
    pub(crate) fn new(socket: RawSocket, probe: Seat) -> Self {
        Self {
            socket,
            child: None,
            probe,
            reads: true,
            received: Vec::new(),
            seen: Seen::Open,
            unsent: Vec::new(),
            sent: 0,
            finishes: false,
            key: None,
            far: None,
            offered: 0,
        }
    }

    /// What would be an event at this end.
    pub(crate) fn awaits<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        let RawSocket::Open(line) = &self.socket else {
            return;
        };
        let reads = self.reads && self.seen == Seen::Open;
        let writes = !self.unsent.is_empty();
        match line {
            Line::Socket(socket) => {
                let mut wanted = PollFlags::empty();
                wanted.set(PollFlags::IN, reads);
                wanted.set(PollFlags::OUT, writes);
                if !wanted.is_empty() {
                    fds.push(PollFd::new(socket, wanted));
                }
            }
            Line::Pipes { input, output } => {
                if reads {
                    fds.push(PollFd::new(input, PollFlags::IN));
                }
                if let (true, Some(output)) = (writes, output) {
                    fds.push(PollFd::new(output, PollFlags::OUT));
                }
            }
        }
    }
}

pub(crate) enum RawSocket {
    Waiting(Socket),
    /// Nobody has started it yet, or its streams were not taken yet.
    Unborn(Child),
    Open(Line),
    Gone,
}

/// What the bytes go through.
pub(crate) enum Line {
    Socket(Socket),
    Pipes {
        input: PipeReader,
        /// Closed with our side.
        output: Option<PipeWriter>,
    },
}

impl Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.read(buffer),
            Self::Pipes { input, .. } => input.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => socket.write(bytes),
            Self::Pipes { output, .. } => match output {
                Some(output) => output.write(bytes),
                None => Err(ErrorKind::BrokenPipe.into()),
            },
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Socket(socket) => socket.shutdown(Shutdown::Write).unwrap_or_default(),
            Self::Pipes { output, .. } => *output = None,
        }
    }
}

impl Raw {
    /// Move what can be moved. Returns whether that was anything.
    pub(crate) fn step(&mut self) -> bool {
        let accepted = self.accept();
        let wrote = self.write();
        let read = self.reads && self.read(usize::MAX) > 0;
        let left = self.leave();
        accepted || wrote || read || left
    }

    /// A child with both of its streams closed exits.
    fn leave(&mut self) -> bool {
        let RawSocket::Open(Line::Pipes { output: None, .. }) = self.socket else {
            return false;
        };
        if self.seen == Seen::Open {
            return false;
        }
        let Some(mut child) = self.child.take() else {
            return false;
        };
        child.leave();
        true
    }

    fn accept(&mut self) -> bool {
        let line = match &mut self.socket {
            RawSocket::Waiting(listener) => match listener.accept() {
                Ok((socket, _)) => Line::Socket(prepare(socket)),
                Err(_) => return false,
            },
            RawSocket::Unborn(child) => match child.take() {
                Some(line) => line,
                None => return false,
            },
            RawSocket::Open(_) | RawSocket::Gone => return false,
        };
        let before = mem::replace(&mut self.socket, RawSocket::Open(line));
        if let RawSocket::Unborn(child) = before {
            self.child = Some(child);
        }
        true
    }

    pub(crate) fn write(&mut self) -> bool {
        let RawSocket::Open(stream) = &mut self.socket else {
            return false;
        };
        let mut moved = false;
        if let Some(far) = &mut self.far {
            self.unsent.extend(far.outgoing());
        }
        while !self.unsent.is_empty() {
            match stream.write(&self.unsent) {
                Ok(n) => {
                    self.sent += n as u64;
                    self.unsent.drain(..n);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The other end is gone, and so is what it did not want.
                Err(_) => self.unsent.clear(),
            }
        }
        let may_finish = self.far.as_ref().is_none_or(FarTls::has_finished);
        if self.unsent.is_empty() && may_finish && mem::take(&mut self.finishes) {
            stream.finish();
            moved = true;
        }
        moved
    }

    /// Read so much, or what there is, and count the end as a byte.
    pub(crate) fn read(&mut self, most: usize) -> usize {
        let RawSocket::Open(stream) = &mut self.socket else {
            return 0;
        };
        let mut buffer = vec![0; 64 * 1024];
        let mut read = 0;
        while read < most && self.seen == Seen::Open {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.seen = Seen::Ended;
                    read += 1;
                }
                Ok(n) => {
                    match &mut self.far {
                        None => self.received.extend_from_slice(&buffer[..n]),
                        Some(far) => {
                            let taken = far.take(&buffer[..n]);
                            self.received.extend(taken.plain);
                            if taken.ended {
                                self.seen = Seen::Ended;
                            }
                        }
                    }
                    read += n;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.seen = Seen::Reset;
                    read += 1;
                }
            }
        }
        read
    }

    /// How many bytes a probe has received when it has received all.
    fn on_their_way(&self) -> u64 {
        match self.far {
            None => self.sent + self.unsent.len() as u64,
            Some(_) => self.offered,
        }
    }

    /// Whether bytes are known to be on their way to somebody who reads.
    pub(crate) fn has_bytes_under_way(&self) -> bool {
        let RawSocket::Open(_) = self.socket else {
            return false;
        };
        let probe = self.probe.borrow();
        let Some(probe) = &*probe else {
            return false;
        };
        let outward = self.reads
            && self.seen == Seen::Open
            && (self.received.len() as u64) < probe.bytes_sent() + probe.buffered() as u64;
        let inward = probe.is_open()
            && probe.wants_input()
            && self.seen != Seen::Reset
            && probe.bytes_received() < self.on_their_way();
        outward || inward
    }
}
