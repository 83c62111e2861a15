//! Every server that is measured answers what the load expects, so that a
//! figure is never the price of a wrong answer.
#![expect(
    clippy::unwrap_used,
    reason = "what fails while a test is set up fails the test"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use torsade_bench::load::{self, Ends, Message, Room, Session};
use torsade_bench::{feeds, servers, tasks};

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
    for (name, _) in servers::ALL {
        let server = Server::start(name);
        let (_, subject) = name.split_once('-').unwrap();
        answers(server.addr, subject);
    }
}

fn answers(server: SocketAddr, subject: &str) {
    let message = match subject {
        "echo" => Message::Block,
        "lines" => Message::Line,
        "fanout" => {
            Room::enter(server, 20).unwrap().play(5).unwrap();
            return load::visits(server, Message::Line, Ends::Load, 5).unwrap();
        }
        "close" => return load::visits(server, Message::Block, Ends::Server, 5).unwrap(),
        other => panic!("no load is known for {other}"),
    };
    let mut session = Session::open(server, message, 3, 40).unwrap();
    session.play(5).unwrap();
    load::visits(server, message, Ends::Load, 5).unwrap();
    assert_eq!(load::idle(server, message, 7).unwrap().len(), 7);
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
    let error = load::visits(liar, Message::Block, Ends::Load, 1).unwrap_err();
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
fn every_task_is_done_as_often_as_it_is_told() {
    // A million timers are no test but a measurement.
    for (name, task) in tasks::ALL
        .iter()
        .filter(|(name, _)| !name.ends_with("-million"))
    {
        assert_eq!(task(120).unwrap(), 120, "{name}");
    }
}
