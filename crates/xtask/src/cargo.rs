//! The workspace, and the steps that are one call of Cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::steps::Outcome;

/// Where the sources are and how to call the tools on them.
pub(crate) struct Workspace {
    root: PathBuf,
    cargo: OsString,
    /// Set on a continuous-integration machine, where nothing may be skipped.
    ci: bool,
}

impl Workspace {
    /// Finds the workspace that the current folder belongs to.
    pub(crate) fn locate() -> Result<Self, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(&cargo);
        command.args(["locate-project", "--workspace", "--message-format", "plain"]);
        let manifest = PathBuf::from(output(&mut command)?.trim());
        let root = manifest
            .parent()
            .ok_or_else(|| format!("{} has no folder", manifest.display()))?;
        let ci = std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false");
        Ok(Self {
            root: root.to_owned(),
            cargo,
            ci,
        })
    }

    /// The folder of the root manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is a continuous-integration machine.
    pub(crate) fn is_ci(&self) -> bool {
        self.ci
    }

    /// A call of Cargo with these words, started in the root.
    pub(crate) fn cargo(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(words).current_dir(&self.root);
        // A lock file that Cargo would have to change is a mistake in what
        // was committed; at a developer's desk it is the edit in progress.
        let knows_lock = words.first().is_some_and(|word| *word != "fmt");
        if self.ci && knows_lock {
            command.arg("--locked");
        }
        command
    }

    /// The text of a file below the root.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        let full = self.root.join(path);
        std::fs::read_to_string(&full).map_err(|error| format!("cannot read {path}: {error}"))
    }
}

/// `cargo fmt --check` on every package.
pub(crate) fn fmt(workspace: &Workspace) -> Result<Outcome, String> {
    need_component(workspace, "rustfmt", "fmt")?;
    run(&mut workspace.cargo(&["fmt", "--all", "--check"]))
        .map_err(|error| format!("{error}. `cargo fmt --all` formats the sources."))?;
    Ok(Outcome::default())
}

/// Clippy on everything, warnings denied.
pub(crate) fn clippy(workspace: &Workspace) -> Result<Outcome, String> {
    need_component(workspace, "clippy", "clippy")?;
    // Features only add, so the two ends stand for all between them.
    for features in [None, Some("--all-features")] {
        let words = ["clippy", "--workspace", "--all-targets"];
        let mut command = workspace.cargo(&words);
        run(command.args(features).args(["--", "-D", "warnings"]))?;
    }
    Ok(Outcome::default())
}

/// The documentation as users see it, then as contributors see it.
pub(crate) fn docs(workspace: &Workspace) -> Result<Outcome, String> {
    // A public page that links to a private item is wrong only in the first
    // of these; a private page with a broken link shows only in the second.
    for more in [None, Some("--document-private-items")] {
        let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps", "--all-features"]);
        run(command.args(more).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    // And with what is on by default: links to what a feature brings are not there then.
    let mut command = workspace.cargo(&["doc", "-p", "torsade", "--no-deps"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::default())
}

/// The examples in the documentation.
pub(crate) fn doctests(workspace: &Workspace) -> Result<Outcome, String> {
    run(&mut workspace.cargo(&["test", "--workspace", "--doc", "--all-features"]))?;
    Ok(Outcome::default())
}

/// Unit tests and integration tests of every package.
pub(crate) fn tests(workspace: &Workspace) -> Result<Outcome, String> {
    let words = ["test", "--workspace", "--lib", "--bins", "--tests"];
    let mut command = workspace.cargo(&words);
    run(command.args(["--examples", "--all-features"]))?;
    Ok(Outcome::default())
}

/// Tests that make reactors without saying on which driver, on each that Linux has. (The others
/// say it themselves, as the conformance suite does with its columns.)
pub(crate) fn drivers(workspace: &Workspace) -> Result<Outcome, String> {
    const TESTS: [&str; 6] = [
        "suite",
        "signals",
        "descriptors",
        "traps",
        "twisted_rules",
        "kernel_faults",
    ];
    if !cfg!(target_os = "linux") {
        return Ok(Outcome::note("only Linux has more than one driver"));
    }
    for driver in ["polling", "epoll", "io_uring"] {
        println!("    on {driver}:");
        let mut command =
            workspace.cargo(&["test", "-p", "torsade-reactor", "-p", "torsade-tests"]);
        for test in TESTS {
            command.args(["--test", test]);
        }
        run(command.env("TORSADE_DRIVER", driver))?;
    }
    Ok(Outcome::default())
}

/// Runs a command whose output the reader sees; any end but success fails.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = status(command)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", display(command)))
    }
}

/// Runs a command whose output the reader sees, and says how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, String> {
    let line = display(command);
    println!("    $ {line}");
    command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("cannot start `{line}`: {error}"))
}

/// Runs a command and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = display(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start `{line}`: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| format!("`{line}` printed {error}"))
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{line}` ended with {}\n{said}", output.status))
    }
}

/// Makes sure that a part of the toolchain is there, or says how to add it.
fn need_component(workspace: &Workspace, component: &str, verb: &str) -> Result<(), String> {
    let present = || output(&mut workspace.cargo_plain(&[verb, "--version"])).is_ok();
    if present() {
        return Ok(());
    }
    let add = format!("rustup component add {component}");
    if workspace.ci {
        run(Command::new("rustup").args(["component", "add", component]))?;
        if present() {
            return Ok(());
        }
    }
    Err(format!("{component} is missing: add it with `{add}`"))
}

impl Workspace {
    /// As [`Workspace::cargo`], without `--locked`.
    fn cargo_plain(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.cargo);
        command.args(words).current_dir(&self.root);
        command
    }
}

fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut line = name.to_string_lossy().into_owned();
    for word in command.get_args() {
        line.push(' ');
        line.push_str(&word.to_string_lossy());
    }
    line
}
