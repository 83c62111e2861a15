use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::rc::Rc;

use torsade_deferred::Deferred;

use super::{Child, ExitStatus, ProcessEnd, Signal, SignalError, TerminalSize};
use crate::link::Link;
use crate::{Connection, Net, ProcessId};

/// A child process: the untyped part of a [`ProcessTransport`](crate::ProcessTransport), for those
/// who do not know its protocol.
///
/// Cheap to clone. Dropping it changes nothing: the process goes on, and its protocol is told.
#[doc(alias = "IProcessTransport")]
#[doc(alias = "SubprocessTransport")]
#[derive(Clone)]
pub struct Process(pub(super) Rc<Child>);

/// Its standard streams are this connection.
pub(crate) fn streams_through(process: &Process, link: &Rc<Link>) {
    process.0.streams_through(link);
}

/// A handle of it.
pub(crate) fn handle(child: Rc<Child>) -> Process {
    Process(child)
}

/// Bytes to it.
impl Process {
    /// Write to its standard input. Nothing is sent from inside this; what is written before the
    /// process is [made](crate::ProcessProtocol::connection_made) waits. Dropped if it has no such
    /// pipe, or one that is closed.
    pub fn write(&self, data: impl AsRef<[u8]>) {
        self.write_to_child(0, data);
    }

    /// Write to the descriptor that has this number in the child. A [`Connection`] does it, so the
    /// marks and the cap of one apply.
    #[doc(alias = "writeToChild")]
    #[doc(alias = "get_pipe_transport")]
    pub fn write_to_child(&self, fd: u32, data: impl AsRef<[u8]>) {
        let written = self.0.on(fd, |channel| channel.write(data.as_ref()));
        if written.is_none() {
            log::debug!("process {} has no descriptor {fd}", self.pid());
        }
    }

    /// Whether a producer of standard input may go on: false from the byte that passes the high mark
    /// to [`resume_writing`](crate::ProcessProtocol::resume_writing), and when it is closed.
    ///
    /// ```
    /// # use torsade_core::{Command, ProcessProtocol};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl ProcessProtocol for Quiet {}
    /// let reactor = MemoryReactor::new();
    /// let process = reactor.net().spawn_process(&Command::new("sort"), Quiet)?;
    /// assert!(process.wants_output());
    /// process.write(vec![b'x'; 100_000]);
    /// assert!(!process.wants_output());
    /// # Ok::<(), torsade_core::SpawnError>(())
    /// ```
    pub fn wants_output(&self) -> bool {
        let high = self.0.high();
        let wants = self.0.on(0, |channel| channel.wants_output(high));
        wants.unwrap_or(false)
    }

    /// Bytes that wait to be written to its standard input.
    pub fn buffered(&self) -> usize {
        self.0.on(0, |channel| channel.buffered()).unwrap_or(0)
    }

    /// Our end of a descriptor, once the process is made and until that end is lost: a connection
    /// like any other, for its flow control and everything else.
    ///
    /// ```
    /// # use torsade_core::{Command, ProcessProtocol, ProcessTransport};
    /// # use torsade_testing::MemoryReactor;
    /// struct Bulk;
    /// impl ProcessProtocol for Bulk {
    ///     fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
    ///         if let Some(input) = transport.pipe(0) {
    ///             input.set_write_limits(64 * 1024, 1024 * 1024);
    ///         }
    ///     }
    /// }
    /// # let reactor = MemoryReactor::new();
    /// # reactor.net().spawn_process(&Command::new("sort"), Bulk)?;
    /// # Ok::<(), torsade_core::SpawnError>(())
    /// ```
    pub fn pipe(&self, fd: u32) -> Option<Connection> {
        self.0.on(fd, |channel| channel.connection().cloned())?
    }
}

/// Its descriptors.
impl Process {
    /// Flush what was written to its standard input and close that: the program finds the end.
    #[doc(alias = "closeStdin")]
    #[doc(alias = "write_eof")]
    pub fn close_stdin(&self) {
        self.close_child_fd(0);
    }

    /// Close our end of its standard output. If it goes on writing there, `SIGPIPE` ends it.
    #[doc(alias = "closeStdout")]
    pub fn close_stdout(&self) {
        self.close_child_fd(1);
    }

    /// Close our end of its standard error.
    #[doc(alias = "closeStderr")]
    pub fn close_stderr(&self) {
        self.close_child_fd(2);
    }

    /// Flush what was written to this descriptor, and close our end of it.
    #[doc(alias = "closeChildFD")]
    pub fn close_child_fd(&self, fd: u32) {
        self.0.on(fd, |channel| channel.close());
    }

    /// Close all of them, flushing what was written. The process is left to itself: most end then.
    #[doc(alias = "loseConnection")]
    #[doc(alias = "lose_connection")]
    pub fn close(&self) {
        self.0.close();
    }

    /// Read this output no further: the process waits when the pipe is full.
    #[doc(alias = "pauseProducing")]
    pub fn pause_reading(&self, fd: u32) {
        self.0.on(fd, |channel| channel.set_paused(true));
    }

    /// Go on reading it.
    #[doc(alias = "resumeProducing")]
    pub fn resume_reading(&self, fd: u32) {
        self.0.on(fd, |channel| channel.set_paused(false));
    }

    /// Its terminal has another size: it is told so, with `SIGWINCH`.
    ///
    /// # Errors
    /// The system's; `Unsupported` if it has no terminal.
    pub fn set_terminal_size(&self, size: TerminalSize) -> io::Result<()> {
        self.0.resize(size)
    }
}

/// Its end.
impl Process {
    /// Send it a signal. Never reaches another process that got its number.
    ///
    /// ```
    /// # use torsade_core::{Command, ExitStatus, ProcessProtocol, Signal, SignalError};
    /// # use torsade_testing::MemoryReactor;
    /// # struct Quiet;
    /// # impl ProcessProtocol for Quiet {}
    /// let reactor = MemoryReactor::new();
    /// let process = reactor.net().spawn_process(&Command::new("server"), Quiet)?;
    /// process.signal_process("HUP".parse().unwrap()).unwrap();
    /// let mut server = reactor.next_process();
    /// assert_eq!(server.take_signals(), [Signal::Hup]);
    /// server.exit(ExitStatus::Code(0));
    /// let late = process.signal_process(Signal::Hup);
    /// assert!(matches!(late, Err(SignalError::Exited)));
    /// # Ok::<(), torsade_core::SpawnError>(())
    /// ```
    ///
    /// # Errors
    /// [`SignalError::Exited`] if it has exited, also if that was not told yet.
    #[doc(alias = "signalProcess")]
    #[doc(alias = "send_signal")]
    pub fn signal_process(&self, signal: Signal) -> Result<(), SignalError> {
        self.0.signal(signal)
    }

    /// Ask it to end, with `SIGTERM`.
    ///
    /// # Errors
    /// As those of [`signal_process`](Self::signal_process).
    pub fn terminate(&self) -> Result<(), SignalError> {
        self.signal_process(Signal::Term)
    }

    /// End it, with `SIGKILL`.
    ///
    /// # Errors
    /// As those of [`signal_process`](Self::signal_process).
    pub fn kill(&self) -> Result<(), SignalError> {
        self.signal_process(Signal::Kill)
    }

    /// Have nothing more to do with it: its descriptors are closed at once, and
    /// [`ProcessEnd::LetGo`] is told. The process runs on; when it exits it leaves no zombie.
    pub fn let_go(&self) {
        self.0.let_go();
    }

    /// How it exited, once that is known.
    #[doc(alias = "get_returncode")]
    #[doc(alias = "returncode")]
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status()
    }

    /// Whether its exit is still waited for.
    pub fn is_running(&self) -> bool {
        self.0.is_running()
    }

    /// Resolves when `process_ended` has returned.
    #[doc(alias = "wait")]
    #[track_caller]
    pub fn ended(&self) -> Deferred<ProcessEnd, Infallible> {
        let (resolver, deferred) = Deferred::new();
        self.0.watch_end(resolver);
        deferred
    }
}

/// Facts.
impl Process {
    /// Names it in its reactor; never reused.
    pub fn id(&self) -> ProcessId {
        self.0.id
    }

    /// Its number in the system, which another process may get as soon as it has exited.
    #[doc(alias = "get_pid")]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// The reactor that reads its output.
    pub fn net(&self) -> Net {
        self.0.net()
    }
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Process {}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).hash(state);
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("id", &self.id())
            .field("pid", &self.pid())
            .field("phase", &self.0.phase())
            .field("status", &self.status())
            .finish()
    }
}
