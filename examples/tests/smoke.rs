//! Each example as a user starts it: a process, a real socket, Ctrl-C.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "that is how a test fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A running example, ended by its destructor if the test fails before it does.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(path: &str) -> Self {
        let mut child = Command::new(path)
            .arg("127.0.0.1:0")
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

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        // Only so that a broken example fails the test instead of hanging it.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout can be set");
        BufReader::new(stream)
    }

    /// Ctrl-C, and a clean end.
    fn interrupt(mut self) {
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

fn say(peer: &mut BufReader<TcpStream>, text: &str) {
    peer.get_mut().write_all(text.as_bytes()).expect("sent");
}

fn hear(peer: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    peer.read_line(&mut line).expect("answered");
    line
}

#[test]
fn echo() {
    let program = Program::start(env!("CARGO_BIN_EXE_echo"));
    let mut peer = program.connect();
    say(&mut peer, "hello\nthere\n");
    assert_eq!(hear(&mut peer), "hello\n");
    assert_eq!(hear(&mut peer), "there\n");
    peer.get_mut()
        .shutdown(Shutdown::Write)
        .expect("half-closed");
    assert_eq!(peer.read(&mut [0; 8]).expect("its end"), 0);
    program.interrupt();
}

#[test]
fn line_echo() {
    let program = Program::start(env!("CARGO_BIN_EXE_line_echo"));
    let mut peer = program.connect();
    say(&mut peer, "one\r\ntw");
    assert_eq!(hear(&mut peer), "one\r\n");
    say(&mut peer, "o\r\n");
    assert_eq!(hear(&mut peer), "two\r\n");
    program.interrupt();
    assert_eq!(hear(&mut peer), "", "the open connection is closed too");
}

#[test]
fn chat() {
    let program = Program::start(env!("CARGO_BIN_EXE_chat"));
    let mut ann = program.connect();
    assert_eq!(hear(&mut ann), "your name?\r\n");
    say(&mut ann, "ann\r\n");
    assert_eq!(hear(&mut ann), "* with you: \r\n");
    let mut bob = program.connect();
    assert_eq!(hear(&mut bob), "your name?\r\n");
    say(&mut bob, "ann\r\n");
    assert_eq!(hear(&mut bob), "ann is taken: another one?\r\n");
    say(&mut bob, "bob\r\n");
    assert_eq!(hear(&mut bob), "* with you: ann\r\n");
    assert_eq!(hear(&mut ann), "* bob joined\r\n");
    say(&mut bob, "hi\r\n/quit\r\n");
    assert_eq!(hear(&mut ann), "<bob> hi\r\n");
    assert_eq!(hear(&mut ann), "* bob left\r\n");
    assert_eq!(hear(&mut bob), "");
    program.interrupt();
}
