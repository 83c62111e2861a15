//! Who is measured, and how each is started.

use std::process::{Command, Stdio};

use crate::figures::program;
use crate::figures::rows::Failure;
use crate::{feeds, servers, tasks};

/// Programs of this package, in the order of the table's columns.
pub(super) const COUNTED: &[&str] = &["raw", "mio", "calloop", "tokio", OURS];

/// The one whose figures are budgeted.
pub(super) const OURS: &str = "torsade";

/// Those that a Python runs, which are timed only: counting what an
/// interpreter does takes longer than it tells.
const IN_PYTHON: &[(&str, &str)] = &[
    ("uvloop", include_str!("../../peers/asyncio_peer.py")),
    ("asyncio", include_str!("../../peers/asyncio_peer.py")),
    ("twisted", include_str!("../../peers/twisted_peer.py")),
];

/// A peer's name as the reader knows it.
pub(super) fn title(peer: &str) -> &str {
    match peer {
        "raw" => "raw epoll",
        "twisted" => "Twisted",
        other => other,
    }
}

/// The place of a peer among the columns.
pub(super) fn place(peer: &str) -> usize {
    let in_python = IN_PYTHON.iter().map(|(peer, _)| peer);
    let mut all = COUNTED.iter().chain(in_python);
    all.position(|known| *known == peer).unwrap_or(usize::MAX)
}

/// The name of the program with which a peer does something.
pub(super) fn program(peer: &str, subject: &str) -> String {
    format!("{peer}-{subject}")
}

/// Whether a program of this package has that name.
pub(super) fn exists(program: &str) -> bool {
    servers::by_name(program).is_some()
        || tasks::by_name(program).is_some()
        || feeds::by_name(program).is_some()
}

/// Who can be timed on this machine: programs of this package and whatever
/// the Python has.
pub(super) struct Timed<'a> {
    python: &'a str,
    /// Those that the Python lacks.
    lacking: Vec<&'static str>,
}

impl<'a> Timed<'a> {
    /// Asks the Python what it has.
    pub(super) fn with(python: &'a str) -> Self {
        let has = |module: &str| {
            Command::new(python)
                .args(["-c", &format!("import {module}")])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        let peers = IN_PYTHON.iter().map(|(peer, _)| *peer);
        Self {
            python,
            lacking: peers.filter(|peer| !has(peer)).collect(),
        }
    }

    /// What is to be said of those that are not there.
    pub(super) fn missing(&self) -> impl Iterator<Item = Failure> {
        self.lacking.iter().map(|peer| {
            Failure::NotHere(format!(
                "{} is not timed: {} has no module {peer}; `--python PROGRAM` names another one",
                title(peer),
                self.python
            ))
        })
    }

    /// Those who can do something, in the order of the table's columns.
    pub(super) fn who(&self, subject: &str) -> Vec<&'static str> {
        let counted = COUNTED.iter().copied();
        let counted = counted.filter(|peer| exists(&program(peer, subject)));
        // Their scripts know everything that is timed.
        let in_python = IN_PYTHON.iter().map(|(peer, _)| *peer);
        let in_python = in_python.filter(|peer| !self.lacking.contains(peer));
        counted.chain(in_python).collect()
    }

    /// Starts a peer's server, pinned to the core that is measured on.
    pub(super) fn server(&self, peer: &str, subject: &str) -> Result<Command, String> {
        self.command(peer, "server", subject)
    }

    /// Starts a peer's task there.
    pub(super) fn task(&self, peer: &str, subject: &str, times: usize) -> Result<Command, String> {
        let mut command = self.command(peer, "task", subject)?;
        command.arg(times.to_string());
        Ok(command)
    }

    fn command(&self, peer: &str, kind: &str, subject: &str) -> Result<Command, String> {
        let Some((_, script)) = IN_PYTHON.iter().find(|(known, _)| *known == peer) else {
            let mut command = program::on_one_core(&program::path_of(kind)?)?;
            command.arg(program(peer, subject));
            return Ok(command);
        };
        let mut command = program::on_one_core(self.python.as_ref())?;
        command.args(["-c", script, peer, subject]);
        Ok(command)
    }
}
