//! The programs of this package as running processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::figures::rows::{Failure, Load};
use crate::servers::driver::VARIABLE;

/// A program of this package by name: they lie beside each other.
pub(super) fn path_of(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    let path = own.with_file_name(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!(
            "{name} is not built: `cargo xtask figures` builds it"
        ))
    }
}

/// How a program is started that is measured.
#[derive(Debug, Clone)]
pub(super) struct Program {
    file: PathBuf,
    words: Vec<String>,
    /// Of torsade.
    driver: Option<&'static str>,
    waits_in_ring: bool,
}

impl Program {
    /// That file with these words.
    pub(super) fn new(file: PathBuf, words: &[&str]) -> Self {
        Self {
            file,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            driver: None,
            waits_in_ring: false,
        }
    }

    /// A program of this package.
    pub(super) fn here(name: &str, words: &[&str]) -> Result<Self, String> {
        Ok(Self::new(path_of(name)?, words))
    }

    /// The same on that driver of torsade.
    pub(super) fn on_driver(mut self, driver: &'static str) -> Self {
        self.driver = Some(driver);
        self.waits_in_ring = driver == "io_uring";
        self
    }

    /// The same, known to wait in a ring.
    pub(super) fn in_ring(mut self) -> Self {
        self.waits_in_ring = true;
        self
    }

    /// Whether it waits in a ring, where valgrind delivers no signal.
    pub(super) fn waits_in_ring(&self) -> bool {
        self.waits_in_ring
    }

    /// The same with one more word.
    pub(super) fn with(mut self, word: impl ToString) -> Self {
        self.words.push(word.to_string());
        self
    }

    /// It alone.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.args(&self.words);
        self.choose_driver(command)
    }

    /// It as what another command runs.
    pub(super) fn below(&self, mut command: Command) -> Command {
        command.arg(&self.file).args(&self.words);
        self.choose_driver(command)
    }

    /// It on the one core that is measured on.
    pub(super) fn on_one_core(&self) -> Result<Command, String> {
        let mut command = on_one_core(&self.file)?;
        command.args(&self.words);
        Ok(self.choose_driver(command))
    }

    /// What the reader of the tables has in his environment does not count.
    fn choose_driver(&self, mut command: Command) -> Command {
        match self.driver {
            Some(driver) => command.env(VARIABLE, driver),
            None => command.env_remove(VARIABLE),
        };
        command
    }
}

/// The compiler's version, as it says it.
pub(super) fn compiler() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot ask rustc for its version: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes sure that the tools are there that count `what`.
pub(super) fn need(what: &str, tools: &[&str]) -> Result<(), Failure> {
    match tools.iter().find(|tool| !exists(tool)) {
        None => Ok(()),
        Some(tool) => Err(Failure::NotHere(format!(
            "{what} are counted with {tool}, which is not installed"
        ))),
    }
}

/// Whether a tool can be started.
fn exists(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A command that runs a program on the one core that is measured on, where
/// the system can be told so.
pub(super) fn on_one_core(program: &Path) -> Result<Command, String> {
    pinned(program, |cores| cores.split([',', '-']).next())
}

/// The same on another core, if there is one.
pub(super) fn on_another_core(program: &Path) -> Result<Command, String> {
    pinned(program, |cores| cores.rsplit([',', '-']).next())
}

/// Pins a program to the core that `choose` finds in the list of those that
/// this process may run on: ascending, as in `0-1,3`.
fn pinned(program: &Path, choose: fn(&str) -> Option<&str>) -> Result<Command, String> {
    if !exists("taskset") {
        return Ok(Command::new(program));
    }
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("cannot read which cores are allowed: {error}"))?;
    let core = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .and_then(|list| choose(list.trim()))
        .ok_or("the system does not say which cores are allowed")?;
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    Ok(command)
}

/// Tells the program `load` what to send to that server, and how often.
pub(super) fn tell(command: &mut Command, addr: &str, load: Load, times: usize) {
    command.arg(addr).args(load.words).arg(times.to_string());
}

/// Lets this process and those it starts open as many descriptors as `what`
/// needs.
pub(super) fn allow_descriptors(what: &str, wanted: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        Failure::NotHere(format!(
            "{what} needs {wanted} open files, and this machine does not allow them"
        ))
    })
}

/// A process that is stopped when it goes out of scope.
pub(super) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    name: String,
}

impl Running {
    /// Starts a command and waits for the line that begins with `ready`;
    /// gives the rest of that line.
    pub(super) fn start(mut command: Command, ready: &str) -> Result<(Self, String), String> {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let stdout = child.stdout.take().ok_or("a piped output is missing")?;
        let mut running = Self {
            child,
            stdout: BufReader::new(stdout),
            name,
        };
        let rest = running.hear(ready)?;
        Ok((running, rest))
    }

    /// Sends it an empty line and waits for the line that begins with
    /// `answer`; gives the rest of that line.
    pub(super) fn ask(&mut self, answer: &str) -> Result<String, String> {
        let asked = match self.child.stdin.as_mut() {
            Some(stdin) => stdin.write_all(b"\n"),
            None => Err(ErrorKind::BrokenPipe.into()),
        };
        asked.map_err(|error| format!("cannot ask {}: {error}", self.name))?;
        self.hear(answer)
    }

    fn hear(&mut self, beginning: &str) -> Result<String, String> {
        let mut line = String::new();
        loop {
            line.clear();
            match self.stdout.read_line(&mut line) {
                Ok(0) => return Err(format!("{} ended too early", self.name)),
                Ok(_) => {}
                Err(error) => return Err(format!("{}: {error}", self.name)),
            }
            if let Some(rest) = line.strip_prefix(beginning) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Nanoseconds for which its threads have been on a core.
    pub(super) fn cpu_time(&self) -> Result<u64, String> {
        Ok(self.cpu_times()?.values().sum())
    }

    /// The same for each thread, by its number.
    pub(super) fn cpu_times(&self) -> Result<BTreeMap<OsString, u64>, String> {
        let failed = |error| format!("cannot read the CPU time of {}: {error}", self.name);
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).map_err(failed)?;
        let mut times = BTreeMap::new();
        for thread in threads {
            let thread = thread.map_err(failed)?;
            let path = thread.path().join("schedstat");
            let text = std::fs::read_to_string(path).map_err(failed)?;
            let first = text.split_whitespace().next().unwrap_or_default();
            let nanos = first
                .parse()
                .map_err(|_| format!("the system gives {text:?} as CPU time"))?;
            times.insert(thread.file_name(), nanos);
        }
        Ok(times)
    }

    /// Asks it to end by signal and waits until it has.
    pub(super) fn terminate(mut self) -> Result<(), String> {
        let failed = |error| format!("cannot stop {}: {error}", self.name);
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).map_err(|error| failed(error.into()))?;
        // A tracer that stands behind the process holds its output too, and
        // has written its report when it lets go of it.
        self.stdout.read_to_end(&mut Vec::new()).map_err(failed)?;
        self.child.wait().map(drop).map_err(failed)
    }

    /// Ends its input and waits until it has ended.
    pub(super) fn finish(mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ended with {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub(super) fn run(mut command: Command) -> Result<(), String> {
    let name = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name} ended with {status}")),
        Err(error) => Err(format!("cannot start {name}: {error}")),
    }
}

/// A file for a tool's report, removed when it has been read.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A name that nobody else uses.
    pub(super) fn new(what: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "torsade-{what}-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Self(std::env::temp_dir().join(name))
    }

    /// The file that callgrind writes when it is told to before its program ends.
    pub(super) fn first_dump(&self) -> Self {
        let mut name = self.0.clone().into_os_string();
        name.push(".1");
        Self(name.into())
    }

    /// Where the tool is to write.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What the tool wrote.
    pub(super) fn read(&self) -> Result<String, String> {
        std::fs::read_to_string(&self.0).map_err(|error| format!("a tool left no report: {error}"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is missing only if the tool failed, which has been said.
        let _ = std::fs::remove_file(&self.0);
    }
}
