//! What a message and a connection cost in system calls, counted by strace.
//!
//! Each test runs this program again, under strace, as one of the scenes below; the scene marks
//! where in the trace of the reactor's thread it is with a call that nobody else makes.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::Cell;
use std::env;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use torsade_core::{Protocol, Transport, factory};
use torsade_reactor::Reactor;

/// The variable that tells which scene to play.
const SCENE: &str = "TORSADE_SCENE";

/// Leaves a mark in the trace.
fn mark() {
    let _ = rustix::process::getppid();
}

const FIRST: usize = 50;
const LAST: usize = 250;

#[derive(Clone)]
struct Marks(Rc<Cell<usize>>);

impl Marks {
    fn pass(&self) {
        let count = self.0.get() + 1;
        self.0.set(count);
        if count == FIRST || count == LAST {
            mark();
        }
    }
}

/// Echoes; what passes is counted.
struct Echo {
    messages: Option<Marks>,
    ends: bool,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
        if let Some(marks) = &self.messages {
            marks.pass();
        }
        if self.ends {
            transport.close();
        }
    }
}

/// The server of a scene, to the end of a client in another thread.
fn serve(messages: bool, ends: bool, client: impl FnOnce(SocketAddr) + Send + 'static) {
    let marks = Marks(Rc::default());
    let mut reactor = Reactor::new().unwrap();
    let build = factory(move |_| {
        if !messages {
            marks.pass();
        }
        Echo {
            messages: messages.then(|| marks.clone()),
            ends,
        }
    });
    let listener = reactor.net().listen("127.0.0.1:0", build).unwrap();
    let idle = reactor.net().call_later(Duration::from_secs(3600), |_| ());
    let (address, remote) = (listener.address(), reactor.remote());
    let client = thread::spawn(move || {
        client(address);
        remote.post(|net| net.stop()).unwrap();
    });
    reactor.run().unwrap();
    client.join().unwrap();
    drop(idle);
}

fn ping_pong(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..LAST {
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
    }
}

fn visit(address: SocketAddr, ends: bool) {
    for _ in 0..LAST {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        if ends {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn scene() {
    match env::var(SCENE).as_deref() {
        Ok("ping-pong") => serve(true, false, ping_pong),
        Ok("visits") => serve(false, false, |address| visit(address, true)),
        Ok("dismissals") => serve(false, true, |address| visit(address, false)),
        _ => {}
    }
}

/// The calls between the two marks, in the thread that made them. None where there is no strace.
fn trace(scene: &str, driver: &str) -> Option<Vec<String>> {
    if Command::new("strace").arg("-V").output().is_err() {
        assert!(env::var_os("CI").is_none(), "strace is missing");
        println!("SKIPPED: strace is missing");
        return None;
    }
    let output = env::temp_dir().join(format!("torsade-{scene}-{driver}-{}", std::process::id()));
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(&output)
        .arg(env::current_exe().unwrap())
        .args(["--exact", "scene", "--test-threads=1"])
        .env(SCENE, scene)
        .env("TORSADE_DRIVER", driver)
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(&output).unwrap();
    std::fs::remove_file(&output).unwrap();
    Some(between_marks(&text))
}

/// A line is `1234 read(5, ..`, or `1234 <... read resumed>..` for the end of a call.
fn between_marks(text: &str) -> Vec<String> {
    let calls = text.lines().filter_map(|line| {
        let (thread, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        name.bytes().all(is_name).then_some((thread, name))
    });
    let calls: Vec<_> = calls.collect();
    let marks: Vec<_> = (0..calls.len())
        .filter(|at| calls[*at].1 == "getppid")
        .collect();
    let [first, last] = marks[..] else {
        panic!("{} marks", marks.len());
    };
    let thread = calls[first].0;
    calls[first + 1..last]
        .iter()
        .filter(|call| call.0 == thread)
        .map(|call| call.1.to_owned())
        .collect()
}

#[test]
fn look() {
    for driver in ["polling", "epoll"] {
        for scene in ["ping-pong", "visits", "dismissals"] {
            let calls = trace(scene, driver).unwrap();
            println!(
                "{driver} {scene} {}",
                calls.len() as f64 / (LAST - FIRST) as f64
            );
            println!("{:?}", &calls[..60.min(calls.len())]);
        }
    }
}
