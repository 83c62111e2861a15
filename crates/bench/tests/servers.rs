//! Every server that is measured answers what the load expects, so that a
//! figure is never the price of a wrong answer.
#![expect(
    clippy::unwrap_used,
    reason = "what fails while a test is set up fails the test"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use torsade_bench::load::{self, Message, Session};
use torsade_bench::{deferred, feeds, servers};

/// A server process that ends with the test.
struct Server {
    process: Child,
    addr: SocketAddr,
}

impl Server {
    fn start(name: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_server"))
            .arg(name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let addr = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            addr: addr.parse().unwrap(),
            process,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn every_server_answers_under_every_load() {
    for name in servers::NAMES {
        let message = if name.ends_with("-echo") {
            Message::Block
        } else {
            Message::Line
        };
        let server = Server::start(name);
        let mut session = Session::open(server.addr, message, 3, 40).unwrap();
        session.play(5).unwrap();
        load::visits(server.addr, message, 5).unwrap();
        assert_eq!(load::idle(server.addr, message, 7).unwrap().len(), 7);
    }
}

#[test]
fn a_wrong_answer_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let liar = listener.local_addr().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut heard = [0; 64];
        socket.read_exact(&mut heard).unwrap();
        heard[63] ^= 1;
        socket.write_all(&heard).unwrap();
    });
    let error = load::visits(liar, Message::Block, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    answering.join().unwrap();
}

#[test]
fn every_feed_gives_the_line_back() {
    for name in feeds::NAMES {
        let feed = feeds::by_name(name).unwrap();
        assert_eq!(feed(0).unwrap(), 0);
        assert_eq!(feed(100_000).unwrap(), 100_000);
    }
}

#[test]
fn every_deferred_gives_its_result() {
    assert_eq!(deferred::through_two_maps(4), 2 + 4 + 6 + 8);
}
