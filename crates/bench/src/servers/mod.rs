//! The programs that are measured, one file each; a loop without a framework
//! is one file for all that it answers.
//!
//! Each serves for ever on an address and says which one it got: port 0 asks
//! the system for a free one.

#[cfg(unix)]
mod calloop_loop;
#[cfg(target_os = "linux")]
mod compio_loop;
pub mod driver;
mod mio_loop;
#[cfg(target_os = "linux")]
mod raw_epoll;
mod tokio_close;
mod tokio_constant;
mod tokio_datagrams;
mod tokio_echo;
mod tokio_fanout;
mod tokio_lines;
mod tokio_patient;
mod tokio_tls;
mod torsade_close;
mod torsade_constant;
mod torsade_datagrams;
mod torsade_echo;
mod torsade_fanout;
mod torsade_lines;
mod torsade_patient;
mod torsade_streams;
mod torsade_threads;
mod torsade_tls;
mod unfinished;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What a server is told: where to listen.
pub type Serve = fn(SocketAddr) -> io::Result<()>;

/// All servers by name; the part after the hyphen says what they answer.
pub const ALL: &[(&str, Serve)] = &[
    #[cfg(target_os = "linux")]
    ("raw-echo", raw_epoll::echo),
    #[cfg(target_os = "linux")]
    ("raw-constant", raw_epoll::constant),
    #[cfg(target_os = "linux")]
    ("raw-patient", raw_epoll::patient),
    #[cfg(target_os = "linux")]
    ("raw-close", raw_epoll::close),
    #[cfg(target_os = "linux")]
    ("raw-fanout", raw_epoll::fanout),
    ("mio-echo", mio_loop::echo),
    ("mio-constant", mio_loop::constant),
    ("mio-close", mio_loop::close),
    ("mio-fanout", mio_loop::fanout),
    #[cfg(unix)]
    ("calloop-echo", calloop_loop::echo),
    #[cfg(unix)]
    ("calloop-constant", calloop_loop::constant),
    #[cfg(unix)]
    ("calloop-close", calloop_loop::close),
    #[cfg(unix)]
    ("calloop-fanout", calloop_loop::fanout),
    #[cfg(target_os = "linux")]
    ("compio-echo", compio_loop::echo),
    #[cfg(target_os = "linux")]
    ("compio-constant", compio_loop::constant),
    #[cfg(target_os = "linux")]
    ("compio-lines", compio_loop::lines),
    #[cfg(target_os = "linux")]
    ("compio-close", compio_loop::close),
    ("tokio-echo", tokio_echo::serve),
    // tokio's echo is a coroutine anyhow.
    ("tokio-streams", tokio_echo::serve),
    ("tokio-constant", tokio_constant::serve),
    ("tokio-patient", tokio_patient::serve),
    ("tokio-lines", tokio_lines::serve),
    ("tokio-close", tokio_close::serve),
    ("tokio-fanout", tokio_fanout::serve),
    ("tokio-tls", tokio_tls::serve),
    ("torsade-tls", torsade_tls::serve),
    ("tokio-datagrams", tokio_datagrams::serve),
    ("torsade-datagrams", torsade_datagrams::serve),
    ("torsade-echo", torsade_echo::serve),
    ("torsade-constant", torsade_constant::serve),
    ("torsade-patient", torsade_patient::serve),
    ("torsade-lines", torsade_lines::serve),
    ("torsade-streams", torsade_streams::serve),
    ("torsade-close", torsade_close::serve),
    ("torsade-fanout", torsade_fanout::serve),
    ("torsade-threads1", torsade_threads::one),
    ("torsade-threads2", torsade_threads::two),
    ("torsade-works1", torsade_threads::one_that_works),
    ("torsade-works2", torsade_threads::two_that_work),
];

/// How long a patient server waits for somebody who says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server by the name that the command line gives it.
#[must_use]
pub fn by_name(name: &str) -> Option<Serve> {
    let (_, serve) = ALL.iter().find(|(known, _)| *known == name)?;
    Some(*serve)
}

/// Reads `NAME [ADDR]` from the command line and serves.
///
/// The name `driver` serves nothing: it says on which of torsade's drivers the servers on torsade
/// would run, or fails as they would.
///
/// # Errors
/// When the words make no sense, or with what ended the server.
pub fn serve_from_command_line() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    if name == "driver" {
        say(&format!("driver {}", driver::name(&driver::reactor()?)));
        return Ok(());
    }
    let serve = by_name(&name).ok_or_else(|| {
        let problem = format!("there is no server {name:?}; usage: NAME [ADDR]");
        io::Error::new(io::ErrorKind::InvalidInput, problem)
    })?;
    let addr = words.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    serve(addr.parse().map_err(io::Error::other)?)
}

/// Says that a server accepts; the measuring program waits for this line.
pub fn announce(addr: impl fmt::Display) {
    say(&format!("listening on {addr}"));
}

#[expect(clippy::print_stdout, reason = "the line is the program's interface")]
fn say(line: &str) {
    println!("{line}");
}
