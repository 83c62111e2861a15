//! The server that clients of Redis are measured with: the real one.

use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

/// Calls in flight at a time.
pub(crate) const DEEP: usize = 64;

pub(crate) const KEY: &str = "key:000000000001";
pub(crate) const VALUE: &[u8] = b"a value of 32 bytes, all of them";

/// A redis-server that saves nothing and ends with this value.
pub(crate) struct RedisServer {
    child: Child,
    /// What it says, which must not fill the pipe.
    _output: BufReader<std::process::ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl RedisServer {
    pub(crate) fn start() -> io::Result<Self> {
        // To redis-server, port 0 means none.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while !line.contains("Ready to accept connections") {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                return Err(io::Error::other("redis-server did not start"));
            }
        }
        Ok(Self {
            child,
            _output: output,
            address,
        })
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
