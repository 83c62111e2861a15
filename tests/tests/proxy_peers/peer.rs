//! Programs of others, each with a folder of its own.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use torsade::service::quote;
use torsade::tls::throw_away::Authority;

/// A folder with certificates, for them and for us. It goes with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("torsade-proxy-{}-{test}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        let authority = Authority::new("Peers");
        let made = authority.issue(["localhost", "127.0.0.1"]);
        folder.write("ca.pem", &authority.certificate_pem());
        folder.write("both.pem", &[made.chain_pem(), made.key_pem()].concat());
        folder
    }

    /// The text with the paths in it: `{name}` is a file here.
    pub(crate) fn fill(&self, text: &str) -> String {
        self.filled(text, |path| path.to_owned())
    }

    /// The same for an endpoint's text.
    pub(crate) fn endpoint(&self, text: &str) -> String {
        self.filled(text, |path| quote(path).into_owned())
    }

    fn filled(&self, text: &str, show: impl Fn(&str) -> String) -> String {
        ["ca.pem", "both.pem", "pid", "temp"]
            .iter()
            .fold(text.to_owned(), |text, name| {
                let path = self.0.join(name);
                text.replace(&format!("{{{name}}}"), &show(path.to_str().unwrap()))
            })
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// A running program. It ends with the value.
pub(crate) struct Program(Child);

impl Program {
    /// `None` where it is missing, which is said. It has a minute.
    fn start(program: &str, arguments: &[&str]) -> Option<Self> {
        if !is_here(program) {
            assert!(std::env::var_os("CI").is_none(), "there is no {program}");
            // Not through `eprintln!`, which a test that passes keeps to itself.
            let said = writeln!(std::io::stderr(), "SKIPPED: there is no {program} here");
            said.unwrap();
            return None;
        }
        let child = Command::new("timeout")
            .args(["60", program])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(Self(child.unwrap()))
    }

    pub(crate) fn haproxy(folder: &Folder, settings: &str) -> Option<Self> {
        let usual = "
defaults
    mode tcp
    timeout connect 20s
    timeout client 20s
    timeout server 20s
";
        let settings = folder.write("haproxy.cfg", &folder.fill(&format!("{usual}{settings}")));
        // The checks of the settings are not on the way, and its children would outlive it.
        Self::start("haproxy", &["-db", "-q", "-f", &settings])
    }

    pub(crate) fn nginx(folder: &Folder, settings: &str) -> Option<Self> {
        let usual = "
daemon off;
master_process off;
pid {pid};
error_log stderr;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {}
";
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {{temp}}_{what};"))
            .concat();
        let settings = settings.replace("http {", &format!("http {{ access_log off; {temp}"));
        let settings = folder.write("nginx.conf", &folder.fill(&format!("{usual}{settings}")));
        let prefix = folder.0.to_str().unwrap();
        Self::start("nginx", &["-p", prefix, "-e", "stderr", "-c", &settings])
    }

    pub(crate) fn stunnel(folder: &Folder, settings: &str) -> Option<Self> {
        let usual = "
foreground = yes
pid =
";
        let settings = folder.write("stunnel.conf", &folder.fill(&format!("{usual}{settings}")));
        Self::start("stunnel", &[&settings])
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // `timeout` passes it on.
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap_or_default();
        self.0.wait().unwrap();
    }
}

fn is_here(program: &str) -> bool {
    let looked = Command::new(program)
        .arg("-v")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match looked {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => panic!("{program}: {error}"),
    }
}

/// A port for a program that cannot be asked which one it took: free, and of those that the system
/// gives to nobody by itself.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (own + next) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Connect to a program that may not listen yet. The bound is on patience, not on speed.
pub(crate) fn reach(port: u16) -> TcpStream {
    const PATIENCE: Duration = Duration::from_secs(30);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(Duration::from_secs(30)))
                    .unwrap();
                return stream;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("port {port}: {error}"),
        }
        std::thread::yield_now();
    }
    panic!("nobody listens at port {port}");
}
