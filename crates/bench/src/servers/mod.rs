//! The programs that are measured, one file each.
//!
//! Each serves for ever on an address and says which one it got: port 0 asks
//! the system for a free one.

#[cfg(target_os = "linux")]
mod raw_epoll;
mod tokio_echo;
mod tokio_lines;
mod torsade_echo;
mod torsade_lines;

use std::io;
use std::net::SocketAddr;

/// What a server is told: where to listen.
pub type Serve = fn(SocketAddr) -> io::Result<()>;

/// The names of all servers; the part after the hyphen says what they answer.
pub const NAMES: &[&str] = &[
    #[cfg(target_os = "linux")]
    "raw-echo",
    "tokio-echo",
    "tokio-lines",
    "torsade-echo",
    "torsade-lines",
];

/// A server by the name that the command line gives it.
#[must_use]
pub fn by_name(name: &str) -> Option<Serve> {
    match name {
        #[cfg(target_os = "linux")]
        "raw-echo" => Some(raw_epoll::serve),
        "tokio-echo" => Some(tokio_echo::serve),
        "tokio-lines" => Some(tokio_lines::serve),
        "torsade-echo" => Some(torsade_echo::serve),
        "torsade-lines" => Some(torsade_lines::serve),
        _ => None,
    }
}

/// Reads `NAME [ADDR]` from the command line and serves.
///
/// # Errors
/// When the words make no sense, or with what ended the server.
pub fn serve_from_command_line() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let serve = by_name(&name).ok_or_else(|| {
        let problem = format!("there is no server {name:?}; usage: NAME [ADDR]");
        io::Error::new(io::ErrorKind::InvalidInput, problem)
    })?;
    let addr = words.next().unwrap_or_else(|| "127.0.0.1:0".to_owned());
    serve(addr.parse().map_err(io::Error::other)?)
}

/// Says that the server accepts; the measuring program waits for this line.
#[expect(clippy::print_stdout, reason = "the line is the program's interface")]
fn announce(addr: SocketAddr) {
    println!("listening on {addr}");
}
