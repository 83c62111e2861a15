//! The environment in which the scripts of `tests/twisted` run: Python with Twisted, made once and
//! kept in the target folder.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The release that we are compared with.
const TWISTED: &str = "Twisted==26.10.*";

/// Why there is none.
#[derive(Debug)]
pub struct Missing {
    why: String,
}

/// A Python that has Twisted. `folder` is one that Cargo keeps between runs,
/// `CARGO_TARGET_TMPDIR`.
///
/// # Errors
/// There is no Python that can make environments, or no Twisted to be had.
pub fn python(folder: &Path) -> Result<PathBuf, Missing> {
    fs::create_dir_all(folder)?;
    // Two tests may want it at once.
    let lock = File::create(folder.join("twisted.lock"))?;
    lock.lock()?;
    let environment = folder.join(TWISTED.replace("==", "-").replace(".*", ""));
    let python = environment.join("bin").join("python");
    if !has_twisted(&python) {
        fs::remove_dir_all(&environment).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let folder = environment.as_os_str();
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", TWISTED]))?;
    }
    Ok(python)
}

/// The script of this name in `tests/twisted`.
pub fn script(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("twisted").join(name)
}

/// Whether this is a continuous-integration machine, where nothing may be skipped.
pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false")
}

fn has_twisted(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import twisted.internet.protocol"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<(), Missing> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim_end().lines().last().unwrap_or_default();
    Err(Missing {
        why: format!("{command:?} ended with {}: {last}", output.status),
    })
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no Twisted: {}", self.why)
    }
}

impl std::error::Error for Missing {}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        let why = error.to_string();
        Self { why }
    }
}
