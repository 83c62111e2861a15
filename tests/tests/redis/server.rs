//! A redis-server for tests; those of the examples use it, too.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// A redis-server of this test's own, which saves nothing. It ends with the value.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    options: Vec<String>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `None` where there is no redis-server, which is said.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = format!("torsade-redis-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        // Port 0 means none to redis-server. Somebody may take the one that we found free before
        // it does; then there are others.
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            match start(address, &folder, &options) {
                Ok(Some(child)) => {
                    return Some(Self {
                        child,
                        folder,
                        options,
                        address,
                    });
                }
                Ok(None) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                    assert!(std::env::var_os("CI").is_none(), "no redis-server: {error}");
                    // Not through `eprintln!`, which a test that passes keeps to itself.
                    let said = writeln!(std::io::stderr(), "SKIPPED: no redis-server here");
                    said.unwrap();
                    fs::remove_dir_all(&folder).unwrap();
                    return None;
                }
            }
        }
        panic!("no port is free");
    }

    /// It ends at once, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Another one in its place, after [`kill`](Self::kill).
    pub(crate) fn restart(&mut self) {
        // Somebody else may have the port for a moment.
        let again = || start(self.address, &self.folder, &self.options).unwrap();
        self.child = (0..20).find_map(|_| again()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A server that takes connections; `None` if it could not have the port.
fn start(
    address: SocketAddr,
    folder: &PathBuf,
    options: &[String],
) -> std::io::Result<Option<Child>> {
    let mut child = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
        .args(["--client-output-buffer-limit", "pubsub 0 0 0"])
        .args(options)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    if lines.any(|line| line.is_ok_and(|line| line.contains("Ready to accept connections"))) {
        // What it says later is nobody's concern, but a pipe that is full would stop it.
        thread::spawn(move || lines.for_each(drop));
        return Ok(Some(child));
    }
    child.wait()?;
    Ok(None)
}
