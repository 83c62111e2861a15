//! Datagrams with others: asyncio, Twisted and socat, in both roles.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use torsade_core::{DatagramProtocol, DatagramTransport, UnixAddress};
use torsade_deferred::{Deferred, Resolver};
use torsade_reactor::{Driver, Reactor};
use torsade_tests::twisted;

const COUNT: usize = 300;
const DRIVERS: &[Driver] = &[
    Driver::Polling,
    #[cfg(target_os = "linux")]
    Driver::Epoll,
    #[cfg(target_os = "linux")]
    Driver::IoUring,
];

/// Answers in reverse order.
struct Reverse;
impl DatagramProtocol for Reverse {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        let answer: Vec<u8> = data.iter().rev().copied().collect();
        transport.send_to(answer, from);
    }
}

/// Asks one thing after the other, and resolves when all were answered.
struct Ask {
    peer: SocketAddr,
    number: usize,
    over: Option<Resolver<usize, ()>>,
}

fn question(number: usize) -> Vec<u8> {
    number.to_string().repeat(1 + number % 50).into_bytes()
}

impl DatagramProtocol for Ask {
    fn started(&mut self, transport: &DatagramTransport<Self>) {
        transport.connect(self.peer).unwrap();
        transport.write(question(0));
    }
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        _: &SocketAddr,
    ) {
        let wanted: Vec<u8> = question(self.number).into_iter().rev().collect();
        assert_eq!(data, wanted);
        self.number += 1;
        if self.number < COUNT {
            transport.write(question(self.number));
        } else if let Some(over) = self.over.take() {
            over.resolve(self.number);
        }
    }
}

/// A process that ends with the test.
struct Peer(Child);

impl Peer {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Those that are there: what they are called, and with which Python they run.
fn pythons() -> Vec<(&'static str, PathBuf)> {
    let mut pythons = vec![("asyncio", PathBuf::from("python3"))];
    match twisted::python(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => pythons.push(("twisted", python)),
        Err(why) => skip(&why.to_string()),
    }
    pythons
}

fn skip(why: &str) {
    assert!(!twisted::is_ci(), "{why}");
    println!("SKIPPED: {why}");
}

#[test]
fn python_answers_what_we_ask() {
    for (name, python) in pythons() {
        for driver in DRIVERS {
            let mut command = Command::new(&python);
            command.arg(twisted::script("datagrams.py"));
            let mut peer = Peer::start(command.args([name, "serve"]));
            let mut line = String::new();
            let said = peer.0.stdout.take().unwrap();
            BufReader::new(said).read_line(&mut line).unwrap();
            let peer = SocketAddr::from(([127, 0, 0, 1], line.trim().parse().unwrap()));
            let mut reactor = Reactor::builder().driver(*driver).build().unwrap();
            let (over, answered) = Deferred::new();
            let ask = Ask {
                peer,
                number: 0,
                over: Some(over),
            };
            reactor.net().bind("127.0.0.1:0", ask).unwrap();
            assert_eq!(reactor.run_until(answered).unwrap(), Ok(COUNT), "{name}");
        }
    }
}

#[test]
fn we_answer_what_python_asks() {
    for (name, python) in pythons() {
        for driver in DRIVERS {
            let mut reactor = Reactor::builder().driver(*driver).build().unwrap();
            let port = reactor.net().bind("127.0.0.1:0", Reverse).unwrap();
            let mut command = Command::new(&python);
            command.arg(twisted::script("datagrams.py"));
            let there = port.local().port().to_string();
            let mut peer = Peer::start(command.args([name, "call", &there, &COUNT.to_string()]));
            let (mut said, remote) = (peer.0.stdout.take().unwrap(), reactor.remote());
            let reader = std::thread::spawn(move || {
                let mut text = String::new();
                said.read_to_string(&mut text).unwrap();
                remote.post(|net| net.stop()).unwrap();
                text
            });
            reactor.run().unwrap();
            assert_eq!(reader.join().unwrap(), "ok\n", "{name}");
        }
    }
}

#[test]
fn we_answer_socat() {
    if Command::new("socat").arg("-V").output().is_err() {
        return skip("socat is missing");
    }
    let mut reactor = Reactor::new().unwrap();
    let port = reactor.net().bind("[::1]:0", Reverse).unwrap();
    let to = format!("UDP6:[::1]:{}", port.local().port());
    let mut peer = Peer::start(Command::new("socat").args(["-", &to]));
    peer.0.stdin.as_mut().unwrap().write_all(b"olleh").unwrap();
    let (mut said, remote) = (peer.0.stdout.take().unwrap(), reactor.remote());
    let reader = std::thread::spawn(move || {
        let mut text = [0; 5];
        said.read_exact(&mut text).unwrap();
        remote.post(|net| net.stop()).unwrap();
        text
    });
    reactor.run().unwrap();
    assert_eq!(&reader.join().unwrap(), b"hello");
}

/// The same for Unix sockets.
impl DatagramProtocol<UnixAddress> for Reverse {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self, UnixAddress>,
        data: &[u8],
        from: &UnixAddress,
    ) {
        let answer: Vec<u8> = data.iter().rev().copied().collect();
        transport.send_to(answer, from);
    }
}

/// Notes the first that it hears, and stops.
struct First(Rc<RefCell<Vec<u8>>>);
impl DatagramProtocol<UnixAddress> for First {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self, UnixAddress>,
        data: &[u8],
        _: &UnixAddress,
    ) {
        self.0.borrow_mut().extend_from_slice(data);
        transport.net().stop();
    }
}

/// A folder of its own, which goes with this.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("torsade-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn we_answer_socat_at_a_unix_socket() {
    if Command::new("socat").arg("-V").output().is_err() {
        return skip("socat is missing");
    }
    for driver in DRIVERS {
        let folder = Folder::new("answers");
        let mut reactor = Reactor::builder().driver(*driver).build().unwrap();
        let here = folder.0.join("here");
        reactor.net().bind_unix(&*here, Reverse).unwrap();
        let there = folder.0.join("there");
        let to = format!("UNIX-SENDTO:{},bind={}", here.display(), there.display());
        let mut peer = Peer::start(Command::new("socat").args(["-", &to]));
        peer.0.stdin.as_mut().unwrap().write_all(b"olleh").unwrap();
        let (mut said, remote) = (peer.0.stdout.take().unwrap(), reactor.remote());
        let reader = std::thread::spawn(move || {
            let mut text = [0; 5];
            said.read_exact(&mut text).unwrap();
            remote.post(|net| net.stop()).unwrap();
            text
        });
        reactor.run().unwrap();
        assert_eq!(&reader.join().unwrap(), b"hello");
    }
}

#[test]
fn socat_answers_us_at_a_unix_socket() {
    if Command::new("socat").arg("-V").output().is_err() {
        return skip("socat is missing");
    }
    for driver in DRIVERS {
        let folder = Folder::new("asks");
        let there = folder.0.join("there");
        let at = format!("UNIX-RECVFROM:{}", there.display());
        let _peer = Peer::start(Command::new("socat").args([&at, "EXEC:cat"]));
        let mut reactor = Reactor::builder().driver(*driver).build().unwrap();
        let heard = Rc::default();
        let first = First(Rc::clone(&heard));
        let port = reactor.net().bind_unix(folder.0.join("here"), first);
        let port = port.unwrap();
        // It takes a while until somebody is there.
        while port.connect(UnixAddress::path(&*there)).is_err() {
            reactor
                .turn(Some(std::time::Duration::from_millis(1)))
                .unwrap();
        }
        port.write("hello");
        reactor.run().unwrap();
        assert_eq!(&*heard.borrow(), b"hello");
    }
}
