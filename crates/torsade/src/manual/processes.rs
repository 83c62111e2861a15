//! Child processes: run a program, talk to it, and know how it ended.
//!
//! # Its output, whole
//! Most programs are run for what they write. [`communicate`](crate::Net::communicate) gives one its
//! input and has the rest when it has ended; how long that may take and how much it may be is said
//! beforehand:
//! ```
//! # #[cfg(unix)] {
//! use std::time::Duration;
//! use torsade::{Command, Reactor};
//!
//! let sort = Command::new("sort")
//!     .arg("-n")
//!     .deadline(Duration::from_secs(30))
//!     .output_limit(1024 * 1024);
//! let mut reactor = Reactor::new()?;
//! let sorted = reactor.net().communicate(&sort, "10\n9\n");
//! let output = reactor.run_until(sorted)?.unwrap();
//! assert_eq!(output.out, b"9\n10\n");
//! assert!(output.end.is_success());
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//! [`get_process_output`](crate::Net::get_process_output) is the same for the usual case: no input,
//! and everything but a silent success is an error.
//!
//! # While it runs
//! A [`ProcessProtocol`](crate::ProcessProtocol) is told of everything as it happens. This one
//! follows a log, and ends what it has started when it has seen enough:
//! ```
//! use torsade::{Command, ExitStatus, ProcessEnd, ProcessProtocol, ProcessTransport, Signal};
//!
//! struct Follow {
//!     lines: usize,
//! }
//!
//! impl ProcessProtocol for Follow {
//!     fn out_received(&mut self, transport: &ProcessTransport<Self>, data: &[u8]) {
//!         self.lines += data.iter().filter(|byte| **byte == b'\n').count();
//!         if self.lines >= 3 {
//!             let _ = transport.terminate(); // an error if it has just exited
//!         }
//!     }
//!     fn process_ended(&mut self, _: &ProcessTransport<Self>, end: ProcessEnd) {
//!         println!("{} lines, {end}", self.lines);
//!     }
//! }
//!
//! // The test is the program: nothing is started, and no time passes.
//! use torsade::testing::MemoryReactor;
//! let reactor = MemoryReactor::new();
//! let command = Command::new("tail").args(["-f", "/var/log/syslog"]);
//! reactor.net().spawn_process(&command, Follow { lines: 0 })?;
//! let mut tail = reactor.next_process();
//! tail.feed("one\ntwo\n");
//! assert_eq!(tail.take_signals(), []);
//! tail.feed("three\n");
//! assert_eq!(tail.take_signals(), [Signal::Term]);
//! tail.exit(ExitStatus::Signal { signal: Signal::Term, core_dumped: false });
//! # Ok::<(), torsade::SpawnError>(())
//! ```
//!
//! # Each descriptor is a connection
//! What is written waits, is bounded, and holds its producer back as on any connection:
//! [`wants_output`](crate::Process::wants_output) says whether a producer may go on,
//! [`pause_reading`](crate::Process::pause_reading) has the program wait when its pipe is full, and
//! [`pipe`](crate::Process::pipe) gives the [`Connection`](crate::Connection) itself. What a program
//! has beside its three standard ones is said with [`descriptor`](crate::Command::descriptor), and
//! with [`terminal`](crate::Command::terminal) it thinks that somebody sits there.
//!
//! # Exited and ended
//! That a program has *exited* says nothing about its output: a part of it may still lie in the
//! pipe, and a process that it started may have the pipe, too. It has *ended* when all of its
//! descriptors are at their ends. A grandchild that keeps a pipe and is silent would put that off
//! for ever, as a daemon does that was started by a script. So what is open after the exit and unused
//! for [`after_exit_timeout`](crate::Command::after_exit_timeout) is closed, and the end is told as
//! [`Cut`](crate::ProcessEnd::Cut).
//!
//! # A program as an endpoint
//! Where the standard streams of a program are a conversation, an ordinary
//! [`Protocol`](crate::Protocol) has it. Connect it to the command, or to a text from the settings,
//! `process:sort:-n`:
//! ```
//! # #[cfg(unix)] {
//! use torsade::{Command, Protocol, Reactor, Transport};
//!
//! struct Hello;
//! impl Protocol for Hello {
//!     fn connection_made(&mut self, transport: &Transport<Self>) {
//!         transport.write("hello");
//!     }
//!     fn data_received(&mut self, transport: &Transport<Self>, answer: &[u8]) {
//!         assert_eq!(answer, b"hello");
//!         transport.close();
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let connecting = reactor.net().connect(Command::new("cat"), Hello);
//! let transport = reactor.run_until(connecting)?.unwrap();
//! reactor.run_until(transport.closed())?.unwrap();
//! let cat = transport.fact::<torsade::Process>().unwrap(); // what it talked to
//! assert!(reactor.run_until(cat.ended())?.unwrap().is_success());
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//! What such a program writes to its standard error goes to the log. A grandchild that keeps the
//! streams does not keep the connection: silent for
//! [`after_exit_timeout`](crate::Command::after_exit_timeout) after the exit, it is cut as a pipe is.
//!
//! # Who waits for whom
//! Only the processes that a reactor started are waited for, each by itself: no handler of `SIGCHLD`
//! is installed, and children of other parts of the program are left to those. A signal reaches the
//! process that is meant or nobody, whoever has its number by now.
//!
//! A [stop](crate::Net::stop) tells [`stopping`](crate::ProcessProtocol::stopping), which closes the
//! descriptors; that ends most programs. It waits for the others as it waits for connections, and
//! [lets them go](crate::ProcessEnd::LetGo) then: they run on, and are reaped when they exit, unless
//! the program that started them is over by then. With
//! [`kill_on_stop`](crate::Command::kill_on_stop) they are asked to end at once, and killed in the
//! end.
//!
//! # Systems
//! On Linux from 5.4 on, a descriptor stands for each process (`pidfd`); before, and on FreeBSD and
//! Apple's systems, a thread waits for each. There are no processes on Windows: a spawn is refused
//! there, as `Unsupported`.
