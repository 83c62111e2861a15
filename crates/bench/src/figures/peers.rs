//! Who is measured, and how each is started.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::figures::program::{self, Program, Running};
use crate::figures::rows::Failure;
use crate::{feeds, libuv, servers, tasks};

/// One column of the tables.
#[derive(Debug)]
pub(super) struct Peer {
    /// What the record calls it.
    pub(super) name: &'static str,
    /// What the reader calls it.
    pub(super) title: &'static str,
    how: How,
}

/// How a peer's programs are started.
#[derive(Debug, Clone, Copy)]
enum How {
    /// Programs of this package that bear its name.
    Here,
    /// The same, where the system has a ring.
    HereOnRing,
    /// The programs that bear torsade's name, on that driver.
    Torsade(&'static str),
    /// A program of its own, which does this.
    Ring(&'static [&'static str]),
    /// A program in C, which does this.
    C(&'static [&'static str]),
    /// Those that a Python runs, which are timed only: counting what an
    /// interpreter does takes longer than it tells.
    Python(&'static str),
}

const fn peer(name: &'static str, title: &'static str, how: How) -> Peer {
    Peer { name, title, how }
}

const ASYNCIO: &str = include_str!("../../peers/asyncio_peer.py");
const TWISTED: &str = include_str!("../../peers/twisted_peer.py");

/// Everybody, in the order of the tables' columns.
pub(super) static ALL: &[Peer] = &[
    peer("raw", "raw epoll", How::Here),
    peer(
        "ring",
        "raw io_uring",
        How::Ring(&["echo", "constant", "close"]),
    ),
    peer("mio", "mio", How::Here),
    peer("calloop", "calloop", How::Here),
    peer("libuv", "libuv", How::C(libuv::SUBJECTS)),
    peer("compio", "compio (io_uring)", How::HereOnRing),
    peer("tokio", "tokio", How::Here),
    peer(
        "torsade-polling",
        "torsade, polling",
        How::Torsade("polling"),
    ),
    peer("torsade-epoll", "torsade, epoll", How::Torsade("epoll")),
    peer(
        "torsade-io_uring",
        "torsade, io_uring",
        How::Torsade("io_uring"),
    ),
    peer("uvloop", "uvloop", How::Python(ASYNCIO)),
    peer("asyncio", "asyncio", How::Python(ASYNCIO)),
    peer("twisted", "Twisted", How::Python(TWISTED)),
];

/// The driver on which every row is budgeted; on the others only some are.
pub(super) const MAIN: &str = "epoll";

/// What the servers in Python can be.
const IN_PYTHON: &[&str] = &["echo", "lines", "close", "fanout"];

/// A peer by its name.
pub(super) fn by_name(name: &str) -> Option<&'static Peer> {
    ALL.iter().find(|peer| peer.name == name)
}

/// torsade on that driver.
pub(super) fn torsade_on(driver: &str) -> Option<&'static Peer> {
    ALL.iter().find(|peer| peer.driver() == Some(driver))
}

/// The programs that do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Server,
    Task,
    Feed,
    /// A server or a task that counts its allocations.
    Counted,
}

impl Peer {
    /// The driver, if it is torsade.
    pub(super) fn driver(&self) -> Option<&'static str> {
        match self.how {
            How::Torsade(driver) => Some(driver),
            _ => None,
        }
    }

    /// Whether it is timed only.
    pub(super) fn is_timed_only(&self) -> bool {
        matches!(self.how, How::Python(_))
    }

    /// Whether it does that at all, on any machine.
    pub(super) fn does(&self, kind: Kind, subject: &str) -> bool {
        let name = self.program_name(subject);
        let serves = servers::by_name(&name).is_some();
        let works = tasks::by_name(&name).is_some();
        let is_here = match kind {
            Kind::Server => serves,
            Kind::Task => works,
            Kind::Feed => feeds::by_name(&name).is_some(),
            Kind::Counted => serves || works,
        };
        match self.how {
            How::Here | How::HereOnRing => is_here,
            // What needs no socket is the same on each driver.
            How::Torsade(driver) => {
                let has_sockets = serves && kind != Kind::Feed;
                is_here && (has_sockets || driver == MAIN)
            }
            How::Ring(subjects) | How::C(subjects) => {
                kind == Kind::Server && subjects.contains(&subject)
            }
            How::Python(_) => match kind {
                Kind::Server => IN_PYTHON.contains(&subject),
                Kind::Task => tasks::by_name(&format!("torsade-{subject}")).is_some(),
                Kind::Feed | Kind::Counted => false,
            },
        }
    }

    /// The name of its program of this package.
    fn program_name(&self, subject: &str) -> String {
        match self.how {
            How::Torsade(_) => format!("torsade-{subject}"),
            _ => format!("{}-{subject}", self.name),
        }
    }
}

/// Everybody as far as this machine has them.
pub(super) struct Roster<'a> {
    python: &'a str,
    lacking: Vec<(&'static str, String)>,
}

impl<'a> Roster<'a> {
    /// Looks for those that `wanted` picks.
    pub(super) fn with(python: &'a str, wanted: impl Fn(&Peer) -> bool) -> Self {
        let mut roster = Self {
            python,
            lacking: Vec::new(),
        };
        for peer in ALL.iter().filter(|peer| wanted(peer)) {
            if let Err(why) = roster.look_for(peer) {
                roster.lacking.push((peer.name, why));
            }
        }
        roster
    }

    fn look_for(&self, peer: &Peer) -> Result<(), String> {
        let quiet = |program: &Program| {
            let mut command = program.command();
            command.stderr(Stdio::null());
            Running::start(command, "listening on ").map(drop)
        };
        match peer.how {
            How::Here => Ok(()),
            How::HereOnRing | How::Ring(_) => self
                .program(peer, Kind::Server, "echo")
                .and_then(|program| quiet(&program))
                .map_err(|_| "this system gives no io_uring".to_owned()),
            How::Torsade(driver) => {
                let mut command = Program::here("server", &["driver"])?
                    .on_driver(driver)
                    .command();
                command.stderr(Stdio::null());
                let answer = Running::start(command, "driver ").map(|(_, name)| name);
                match answer {
                    Ok(name) if name == driver => Ok(()),
                    _ => Err(format!("torsade does not run on {driver} here")),
                }
            }
            How::C(_) => libuv::build(&libuv_file()?),
            How::Python(_) => {
                let found = Command::new(self.python)
                    .args(["-c", &format!("import {}", peer.name)])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status()
                    .is_ok_and(|status| status.success());
                match found {
                    true => Ok(()),
                    false => Err(format!(
                        "{} has no module {}; `--python PROGRAM` names another one",
                        self.python, peer.name
                    )),
                }
            }
        }
    }

    /// Whether it was found, or not looked for.
    pub(super) fn has(&self, peer: &Peer) -> bool {
        self.lacking.iter().all(|(name, _)| *name != peer.name)
    }

    /// What is to be said of those that are not there.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&'static str, Failure)> {
        self.lacking.iter().map(|(name, why)| {
            let title = by_name(name).map_or(*name, |peer| peer.title);
            (
                *name,
                Failure::NotHere(format!("not available: {title}: {why}")),
            )
        })
    }

    /// The program with which a peer does something.
    pub(super) fn program(
        &self,
        peer: &Peer,
        kind: Kind,
        subject: &str,
    ) -> Result<Program, String> {
        let file = match kind {
            Kind::Server => "server",
            Kind::Task => "task",
            Kind::Feed => "feed",
            Kind::Counted => "counted",
        };
        match peer.how {
            How::Here => Program::here(file, &[&peer.program_name(subject)]),
            How::HereOnRing => Ok(Program::here(file, &[&peer.program_name(subject)])?.in_ring()),
            How::Torsade(driver) => {
                Ok(Program::here(file, &[&peer.program_name(subject)])?.on_driver(driver))
            }
            How::Ring(_) => Ok(Program::here("ring", &[subject])?.in_ring()),
            How::C(_) => Ok(Program::new(libuv_file()?, &[subject])),
            How::Python(script) => Ok(Program::new(
                self.python.into(),
                &["-c", script, peer.name, subject],
            )),
        }
    }
}

/// Where the servers on libuv are compiled to: beside the programs of this package.
fn libuv_file() -> Result<PathBuf, String> {
    Ok(program::path_of("server")?.with_file_name("libuv_peer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::driver;

    #[test]
    fn every_driver_has_a_column_and_one_of_them_is_the_main_one() {
        for driver in driver::ALL {
            assert!(torsade_on(driver).is_some(), "{driver}");
        }
        assert!(driver::ALL.contains(&MAIN));
    }

    #[test]
    fn what_needs_no_socket_is_done_by_torsade_once() {
        let doing = |kind, subject: &str| {
            let ours = ALL.iter().filter(|peer| peer.driver().is_some());
            ours.filter(|peer| peer.does(kind, subject)).count()
        };
        assert_eq!(doing(Kind::Server, "echo"), driver::ALL.len());
        assert_eq!(doing(Kind::Task, "timers-set"), 1);
        assert_eq!(doing(Kind::Feed, "lines"), 1);
    }

    #[test]
    fn only_programs_of_this_package_count_their_allocations() {
        let does = |name| by_name(name).unwrap().does(Kind::Counted, "echo");
        assert!(does("tokio") && does("compio"));
        assert!(!does("libuv") && !does("ring") && !does("twisted"));
    }
}
