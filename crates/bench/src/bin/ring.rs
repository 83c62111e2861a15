//! The least that a server can cost on io_uring: `ring echo|constant|close [ADDR]`.
//!
//! A program of its own, so that the package's library forbids `unsafe`: an entry that names
//! memory is pushed into a ring by an unsafe call. Connections are accepted by one entry that
//! stays; each message costs two entries, submitted together with the wait for the next one. It
//! keeps no promise that a framework has to keep.
//!
//! # Why the unsafe calls are right
//! The kernel uses the buffer that an entry names until the entry has completed. Each connection
//! has one buffer on the heap and one chain of entries that name it: a receive, or a send linked
//! to the receive after it. A receive always reports its completion, and completes only after the
//! send before it has, because the two are linked. The buffer is read or changed by nobody but
//! the kernel until that report, and freed after it. The loop ends only by an error, and then all
//! buffers are left to the process: `Loop` does not drop them.
#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "entries that name buffers; the page above says why it is right"
    )
)]

use std::io;

#[cfg(target_os = "linux")]
fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let answer = match words.next().as_deref() {
        Some("echo") => ring::Answer::Echo,
        Some("constant") => ring::Answer::Constant,
        Some("close") => ring::Answer::Close,
        _ => {
            return Err(io::Error::other("usage: ring echo|constant|close [ADDR]"));
        }
    };
    let addr = words.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    ring::serve(addr.parse().map_err(io::Error::other)?, answer)
}

#[cfg(not(target_os = "linux"))]
fn main() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
mod ring {
    use std::io;
    use std::mem::ManuallyDrop;
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use io_uring::{IoUring, cqueue, opcode, squeue, types::Fd};
    use torsade_bench::load::CONSTANT;

    /// What is sent when something came.
    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Answer {
        /// What came.
        Echo,
        /// The same always.
        Constant,
        /// What came, and then the end.
        Close,
    }

    /// Completions that are not those of a connection's receive.
    const ACCEPTED: u64 = u64::MAX;
    const NOT_SENT: u64 = u64::MAX - 1;

    const BUFFER: usize = 4096;

    struct Connection {
        socket: OwnedFd,
        buffer: Box<[u8; BUFFER]>,
        /// It has been answered and is not read from again, except for its end.
        dismissed: bool,
    }

    struct Loop {
        ring: IoUring,
        open: ManuallyDrop<Vec<Option<Connection>>>,
        free: Vec<usize>,
        answer: Answer,
    }

    pub(crate) fn serve(addr: SocketAddr, answer: Answer) -> io::Result<()> {
        let listener = TcpListener::bind(addr)?;
        let mut served = Loop {
            ring: IoUring::builder()
                .setup_coop_taskrun()
                .setup_single_issuer()
                .setup_defer_taskrun()
                .build(1024)?,
            open: ManuallyDrop::new(Vec::new()),
            free: Vec::new(),
            answer,
        };
        served.accept(&listener)?;
        torsade_bench::servers::announce(listener.local_addr()?);
        let mut completions = Vec::with_capacity(2048);
        loop {
            served.ring.submit_and_wait(1)?;
            completions.extend(served.ring.completion());
            for completion in completions.drain(..) {
                served.completed(&listener, &completion)?;
            }
        }
    }

    impl Loop {
        fn completed(
            &mut self,
            listener: &TcpListener,
            completion: &cqueue::Entry,
        ) -> io::Result<()> {
            let result = completion.result();
            match completion.user_data() {
                ACCEPTED => {
                    if result >= 0 {
                        // SAFETY: the kernel has just opened this descriptor for us alone.
                        self.insert(unsafe { OwnedFd::from_raw_fd(result) })?;
                    }
                    if !cqueue::more(completion.flags()) {
                        self.accept(listener)?;
                    }
                    Ok(())
                }
                // The receive that was linked to it reports the end of the connection.
                NOT_SENT => Ok(()),
                key => match usize::try_from(result) {
                    Ok(length) if length > 0 => self.received(key as usize, length),
                    _ => {
                        self.open[key as usize] = None;
                        self.free.push(key as usize);
                        Ok(())
                    }
                },
            }
        }

        fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
            let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).build();
            self.push(&[accept.user_data(ACCEPTED)])
        }

        fn insert(&mut self, socket: OwnedFd) -> io::Result<()> {
            let connection = Some(Connection {
                socket,
                buffer: Box::new([0; BUFFER]),
                dismissed: false,
            });
            let key = match self.free.pop() {
                Some(key) => {
                    self.open[key] = connection;
                    key
                }
                None => {
                    self.open.push(connection);
                    self.open.len() - 1
                }
            };
            let Some(connection) = &mut self.open[key] else {
                return Ok(());
            };
            let receive = connection.receive(key);
            self.push(&[receive])
        }

        fn received(&mut self, key: usize, length: usize) -> io::Result<()> {
            let answer = self.answer;
            let Some(connection) = &mut self.open[key] else {
                return Ok(());
            };
            if connection.dismissed {
                let receive = connection.receive(key);
                return self.push(&[receive]);
            }
            let send = connection.send(answer, length);
            let receive = connection.receive(key);
            if answer != Answer::Close {
                return self.push(&[send, receive]);
            }
            connection.dismissed = true;
            let fd = Fd(connection.socket.as_raw_fd());
            let end = opcode::Shutdown::new(fd, libc::SHUT_WR).build();
            let end = end.user_data(NOT_SENT).flags(linked());
            self.push(&[send, end, receive])
        }

        /// Puts entries that belong together into the ring.
        fn push(&mut self, entries: &[squeue::Entry]) -> io::Result<()> {
            let room = |queue: &squeue::SubmissionQueue<'_>| queue.capacity() - queue.len();
            if room(&self.ring.submission()) < entries.len() {
                self.ring.submit()?;
            }
            // SAFETY: the page of this file says why each buffer that they name outlives them.
            let pushed = unsafe { self.ring.submission().push_multiple(entries) };
            pushed.map_err(io::Error::other)
        }
    }

    impl Connection {
        fn receive(&mut self, key: usize) -> squeue::Entry {
            let buffer = self.buffer.as_mut_ptr();
            let fd = Fd(self.socket.as_raw_fd());
            let receive = opcode::Recv::new(fd, buffer, BUFFER as u32);
            receive.build().user_data(key as u64)
        }

        /// Sends all of it before what is linked to it begins; says something only if it fails.
        fn send(&self, answer: Answer, length: usize) -> squeue::Entry {
            let (from, length) = match answer {
                Answer::Echo | Answer::Close => (self.buffer.as_ptr(), length),
                Answer::Constant => (CONSTANT.as_ptr(), CONSTANT.len()),
            };
            let send = opcode::Send::new(Fd(self.socket.as_raw_fd()), from, length as u32)
                .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL);
            send.build().user_data(NOT_SENT).flags(linked())
        }
    }

    fn linked() -> squeue::Flags {
        squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS
    }
}
