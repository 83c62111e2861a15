use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::Descriptor;

/// A program that is to be run, and how.
///
/// Nothing is asked of the system before it is [spawned](crate::Net::spawn_process), which can be
/// done any number of times. It inherits the environment and the directory of this process, as std's
/// has it; its descriptors 0, 1 and 2 are pipes that are written and read here, and it has no
/// others.
///
/// ```
/// use torsade_core::Command;
///
/// let sort = Command::new("sort").args(["-n", "-r"]).env("LC_ALL", "C");
/// assert_eq!(sort.program(), "sort");
/// assert_eq!(sort.arguments(), ["-n", "-r"]);
/// ```
#[doc(alias = "create_subprocess_exec")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    program: OsString,
    zeroth: Option<OsString>,
    arguments: Vec<OsString>,
    environment: Environment,
    directory: Option<PathBuf>,
    user: Option<u32>,
    group: Option<u32>,
    descriptors: BTreeMap<u32, ChildFd>,
    terminal: Option<TerminalSize>,
    stream: bool,
    kills_on_stop: bool,
    after_exit: Option<Duration>,
    output_limit: usize,
    deadline: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Environment {
    inherits: bool,
    /// In the order of the calls; without a value it is removed.
    changes: Vec<(OsString, Option<OsString>)>,
}

/// What a descriptor of a child is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChildFd {
    /// A pipe into which the child writes, and which is read here. Twisted's `"r"`.
    Read,
    /// A pipe into which is written here, and which the child reads. Twisted's `"w"`.
    Write,
    /// The descriptor of the same number of this process; of 0, 1 and 2.
    Inherit,
    /// A descriptor of this process.
    Given(Arc<Descriptor>),
    /// The same as this one of the child's: `2` like `1` is the shell's `2>&1`. That one must be
    /// none that is like another.
    Like(u32),
    /// The null device.
    Null,
}

impl ChildFd {
    /// A descriptor of this process, which stays open here until the last command that has it is
    /// dropped.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use torsade_core::{ChildFd, Command};
    ///
    /// let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    /// let worker = Command::new("worker").descriptor(3, ChildFd::given(theirs));
    /// # drop((ours, worker));
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn given(descriptor: impl Into<Descriptor>) -> Self {
        Self::Given(Arc::new(descriptor.into()))
    }
}

/// Given descriptors are equal if they are the same one.
impl PartialEq for ChildFd {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Given(one), Self::Given(other)) => Arc::ptr_eq(one, other),
            (Self::Like(one), Self::Like(other)) => one == other,
            _ => mem::discriminant(self) == mem::discriminant(other),
        }
    }
}

impl Eq for ChildFd {}

impl Hash for ChildFd {
    fn hash<H: Hasher>(&self, state: &mut H) {
        mem::discriminant(self).hash(state);
        match self {
            Self::Given(descriptor) => Arc::as_ptr(descriptor).hash(state),
            Self::Like(number) => number.hash(state),
            _ => {}
        }
    }
}

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl Default for TerminalSize {
    /// 24 lines of 80.
    fn default() -> Self {
        Self {
            rows: 24,
            columns: 80,
        }
    }
}

/// Which program.
impl Command {
    /// Run this program: a path, or a name that is looked for in the directories of `PATH`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let pipes = [(0, ChildFd::Write), (1, ChildFd::Read), (2, ChildFd::Read)];
        Self {
            program: program.as_ref().into(),
            zeroth: None,
            arguments: Vec::new(),
            environment: Environment {
                inherits: true,
                changes: Vec::new(),
            },
            directory: None,
            user: None,
            group: None,
            descriptors: pipes.into(),
            terminal: None,
            stream: false,
            kills_on_stop: false,
            after_exit: None,
            output_limit: OUTPUT_LIMIT,
            deadline: None,
        }
    }

    /// Have the shell run this text. What comes from elsewhere does not belong into it: the shell
    /// would do what it says.
    ///
    /// ```
    /// let count = torsade_core::Command::shell("ls | wc -l");
    /// assert_eq!(count.arguments(), ["-c", "ls | wc -l"]);
    /// ```
    #[doc(alias = "create_subprocess_shell")]
    pub fn shell(text: impl AsRef<OsStr>) -> Self {
        Self::new("/bin/sh").arg("-c").arg(text)
    }

    /// One more argument, as it is: no shell looks at it.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(self, arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// What the program is told that it was called as, if not the name that it is run by.
    #[must_use]
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Self {
        self.zeroth = Some(name.as_ref().into());
        self
    }
}

/// Its surroundings.
impl Command {
    /// Set a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().into());
        let change = (name.as_ref().into(), value);
        self.environment.changes.push(change);
        self
    }

    /// Let it not have this variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        let change = (name.as_ref().into(), None);
        self.environment.changes.push(change);
        self
    }

    /// Begin with an empty environment, as Twisted does by default, and forget what was set before.
    ///
    /// ```
    /// use torsade_core::Command;
    ///
    /// let bare = Command::new("printenv").env_clear().env("LANG", "C");
    /// assert!(!bare.inherits_environment());
    /// assert_eq!(bare.environment().count(), 1);
    /// ```
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.environment.inherits = false;
        self.environment.changes.clear();
        self
    }

    /// Run it in this directory.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().into());
        self
    }

    /// Run it as this user. Only the superuser may.
    #[must_use]
    pub fn uid(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Run it in this group. Only the superuser may.
    #[must_use]
    pub fn gid(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }
}

/// Its descriptors.
impl Command {
    /// What a descriptor of the child is. Those that nobody speaks of are not there, but for 0, 1
    /// and 2, which are pipes.
    ///
    /// ```
    /// use torsade_core::{ChildFd, Command};
    ///
    /// let tool = Command::new("tool")
    ///     .descriptor(0, ChildFd::Null)
    ///     .descriptor(2, ChildFd::Like(1)) // complaints go where the output goes
    ///     .descriptor(3, ChildFd::Read); // comes as child_data_received(3, ..)
    /// assert_eq!(tool.descriptors().count(), 4);
    /// ```
    #[doc(alias = "childFDs")]
    #[must_use]
    pub fn descriptor(mut self, number: u32, is: ChildFd) -> Self {
        self.descriptors.insert(number, is);
        self
    }

    /// Run it on a terminal of its own, of which this is the size: descriptors 0, 1 and 2 are that
    /// terminal. What it writes comes as `out_received`, all of it, with what the terminal echoes.
    ///
    /// It leads a session of its own, and has the terminal as its controlling one.
    #[doc(alias = "usePTY")]
    #[must_use]
    pub fn terminal(mut self, size: TerminalSize) -> Self {
        self.terminal = Some(size);
        self
    }
}

/// Its end.
impl Command {
    /// When the reactor stops, the process is asked to end (`SIGTERM`), and killed if it has not
    /// when the stop is over; it is killed when the reactor is dropped. Otherwise it runs on. Off by
    /// default.
    #[must_use]
    pub fn kill_on_stop(mut self, on: bool) -> Self {
        self.kills_on_stop = on;
        self
    }

    /// After the exit, how long a descriptor that somebody else holds may be silent before it is
    /// closed here, and the process [ended](crate::ProcessEnd::Cut); the connection that its standard
    /// streams may be is one. `Limits::after_exit_timeout` unless said otherwise; `Duration::MAX`
    /// waits for ever, as Twisted does.
    #[must_use]
    pub fn after_exit_timeout(mut self, timeout: Duration) -> Self {
        self.after_exit = Some(timeout);
        self
    }

    /// For [`Net::communicate`](crate::Net::communicate) and its like: how many bytes it may write,
    /// to both of its outputs together. 16 MiB.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// For [`Net::communicate`](crate::Net::communicate) and its like: how long it may run. For
    /// ever unless said otherwise.
    #[must_use]
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }
}

const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// What was asked for: for drivers, and for tests.
impl Command {
    /// The program.
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// What it is told that it was called as, if that is not the program.
    pub fn zeroth(&self) -> Option<&OsStr> {
        self.zeroth.as_deref()
    }

    /// Its arguments, without the zeroth.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Whether its environment begins with this process's.
    pub fn inherits_environment(&self) -> bool {
        self.environment.inherits
    }

    /// What was set in its environment, or removed (`None`), in that order.
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        let changes = self.environment.changes.iter();
        changes.map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// The directory, if it is not this process's.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The user, if it is not this process's.
    pub fn user(&self) -> Option<u32> {
        self.user
    }

    /// The group, if it is not this process's.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    /// Its descriptors, in the order of their numbers. On a [terminal](Self::terminal), 0, 1 and 2
    /// are that instead.
    pub fn descriptors(&self) -> impl Iterator<Item = (u32, &ChildFd)> {
        let descriptors = self.descriptors.iter();
        descriptors.map(|(number, is)| (*number, is))
    }

    /// The size of its terminal, if it has one.
    pub fn terminal_size(&self) -> Option<TerminalSize> {
        self.terminal
    }

    /// Whether its standard input and output are one connection, of number 1.
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// The same, to be connected to.
    pub(super) fn as_stream(&self) -> Self {
        let mut command = self.clone();
        command.stream = true;
        command.terminal = None;
        command
    }

    pub(super) fn kills_on_stop(&self) -> bool {
        self.kills_on_stop
    }

    pub(super) fn after_exit(&self) -> Option<Duration> {
        self.after_exit
    }

    pub(super) fn most_output(&self) -> usize {
        self.output_limit
    }

    pub(super) fn longest(&self) -> Option<Duration> {
        self.deadline
    }
}
