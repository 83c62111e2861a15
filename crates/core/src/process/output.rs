use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::{Deferred, Resolver};

use super::{Command, OutputError, ProcessEnd, ProcessProtocol, ProcessTransport};
use crate::Net;

/// What a process wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOutput {
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: Vec<u8>,
    /// How it ended, and whether this is all of its output.
    pub end: ProcessEnd,
}

/// Processes whose output is wanted whole.
impl Net {
    /// Run a process, give it this input, and have what it writes when it has ended.
    ///
    /// Its output is bounded by [`Command::output_limit`], its time by [`Command::deadline`]: what
    /// passes either is killed. So it is when the Deferred is cancelled.
    ///
    /// ```
    /// use torsade_core::{Command, ExitStatus};
    /// use torsade_testing::MemoryReactor;
    ///
    /// let reactor = MemoryReactor::new();
    /// let sorted = reactor.net().communicate(&Command::new("sort"), "pear\napple\n");
    /// let mut sort = reactor.next_process();
    /// assert_eq!(sort.take_input(), b"pear\napple\n");
    /// sort.feed("apple\npear\n");
    /// sort.exit(ExitStatus::Code(0));
    /// let output = sorted.try_take().unwrap().unwrap();
    /// assert_eq!(output.out, b"apple\npear\n");
    /// assert!(output.end.is_success());
    /// ```
    #[doc(alias = "subprocess.run")]
    #[track_caller]
    pub fn communicate(
        &self,
        command: &Command,
        input: impl AsRef<[u8]>,
    ) -> Deferred<ProcessOutput, OutputError> {
        let (resolver, output) = Deferred::new();
        let result = Waiting(Rc::new(Cell::new(None)));
        let collecting = Collect {
            out: Vec::new(),
            err: Vec::new(),
            room: command.most_output(),
            command: command.clone(),
            result: result.clone(),
        };
        match self.spawn_process(command, collecting) {
            Ok(process) => {
                process.write(input);
                process.close_stdin();
                let process = process.process();
                resolver.on_cancel(move || {
                    let _ = process.kill();
                    process.close();
                });
                result.0.set(Some(resolver));
            }
            Err(error) => resolver.reject(error.into()),
        }
        output
    }

    /// Run a process without input, and have what it writes when it has ended, with how it did.
    ///
    /// As [`communicate`](Self::communicate).
    #[doc(alias = "getProcessOutputAndValue")]
    #[doc(alias = "getProcessValue")]
    #[track_caller]
    pub fn get_process_output_and_value(
        &self,
        command: &Command,
    ) -> Deferred<ProcessOutput, OutputError> {
        self.communicate(command, "")
    }

    /// Run a process without input, and have its standard output, if all is well: it exits with
    /// code 0, writes nothing to its standard error, and its output is whole. Else it is an error.
    ///
    /// Have the standard error in it as well with `.descriptor(2, ChildFd::Like(1))`.
    ///
    /// ```
    /// use torsade_core::{Command, ExitStatus, OutputError};
    /// use torsade_deferred::Failure;
    /// use torsade_testing::MemoryReactor;
    ///
    /// let reactor = MemoryReactor::new();
    /// let date = reactor.net().get_process_output(&Command::new("date"));
    /// let mut process = reactor.next_process();
    /// process.feed_error("date: no clock\n");
    /// process.exit(ExitStatus::Code(0));
    /// let complaint = date.try_take().unwrap();
    /// assert!(matches!(complaint, Err(Failure::Error(OutputError::ErrorOutput(_)))));
    /// ```
    #[doc(alias = "getProcessOutput")]
    #[doc(alias = "check_output")]
    #[track_caller]
    pub fn get_process_output(&self, command: &Command) -> Deferred<Vec<u8>, OutputError> {
        let output = self.communicate(command, "");
        output.and_then(|output| match output.end {
            _ if !output.err.is_empty() => Deferred::fail(OutputError::ErrorOutput(output.err)),
            ProcessEnd::Exited(status) if status.is_success() => Deferred::succeed(output.out),
            ProcessEnd::Exited(status) => Deferred::fail(OutputError::Failed { status }),
            end @ (ProcessEnd::Cut(_) | ProcessEnd::LetGo) => {
                Deferred::fail(OutputError::Unfinished(end))
            }
        })
    }
}

/// Who waits for the output, until there is some or none.
#[derive(Clone)]
struct Waiting(Rc<Cell<Option<Resolver<ProcessOutput, OutputError>>>>);

/// Keeps what a process writes.
struct Collect {
    out: Vec<u8>,
    err: Vec<u8>,
    /// How many bytes it may write yet.
    room: usize,
    command: Command,
    result: Waiting,
}

impl Collect {
    fn keep(&mut self, transport: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        let Some(room) = self.room.checked_sub(data.len()) else {
            let most = self.command.most_output();
            self.give_up(transport, OutputError::TooMuch { most });
            return;
        };
        self.room = room;
        let kept = if fd == 2 {
            &mut self.err
        } else {
            &mut self.out
        };
        kept.extend_from_slice(data);
    }

    fn give_up(&self, transport: &ProcessTransport<Self>, error: OutputError) {
        let _ = transport.kill();
        transport.close();
        if let Some(resolver) = self.result.0.take() {
            resolver.reject(error);
        }
    }
}

impl ProcessProtocol for Collect {
    fn connection_made(&mut self, transport: &ProcessTransport<Self>) {
        if let Some(after) = self.command.longest() {
            transport.call_later(after, |me, transport| {
                me.give_up(transport, OutputError::TimedOut);
            });
        }
    }

    fn child_data_received(&mut self, transport: &ProcessTransport<Self>, fd: u32, data: &[u8]) {
        self.keep(transport, fd, data);
    }

    fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
        let Some(resolver) = self.result.0.take() else {
            return;
        };
        if end == ProcessEnd::LetGo {
            resolver.reject(OutputError::Unfinished(end));
            return;
        }
        resolver.resolve(ProcessOutput {
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
            end,
        });
    }
}
