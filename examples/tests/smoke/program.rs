use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A running example, ended by its destructor if the test fails before it does.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    pub(crate) fn start(path: &str) -> Self {
        Self::start_with(path, &[])
    }

    /// With these arguments after the address.
    pub(crate) fn start_with(path: &str, arguments: &[&str]) -> Self {
        Self::start_at(path, "127.0.0.1:0", arguments)
    }

    /// With this for the address.
    pub(crate) fn start_at(path: &str, listen: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(path).arg(listen).args(arguments))
    }

    /// By a command that ends in the example.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("not a listening line: {line:?}"));
        Self { child, address }
    }

    pub(crate) fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        BufReader::new(patient(stream))
    }

    /// The most memory that it has held so far, in kB, where the system tells.
    pub(crate) fn most_memory(&self) -> Option<usize> {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).ok()?;
        let most = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        most.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// Ctrl-C, and a clean end.
    pub(crate) fn interrupt(mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process has a number"), Signal::INT).expect("it runs");
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "ended with {status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Only so that a broken example fails the test instead of hanging it.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a timeout is set");
    stream.set_write_timeout(limit).expect("a timeout is set");
    stream
}

pub(crate) fn say(peer: &mut BufReader<TcpStream>, text: impl AsRef<[u8]>) {
    peer.get_mut().write_all(text.as_ref()).expect("sent");
}

pub(crate) fn hear(peer: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    peer.read_line(&mut line).expect("answered");
    line
}

/// Everything up to the peer's end.
pub(crate) fn hear_all(peer: &mut BufReader<TcpStream>) -> Vec<u8> {
    let mut all = Vec::new();
    peer.read_to_end(&mut all).expect("its end");
    all
}
