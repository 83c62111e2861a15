//! Every server that is measured answers what the load expects, so that a
//! figure is never the price of a wrong answer.
#![expect(
    clippy::unwrap_used,
    reason = "what fails while a test is set up fails the test"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use torsade_bench::datagrams::Volley;
use torsade_bench::load::{self, Ends, Message, Room, Session};
use torsade_bench::secure::{self, Greeting, SecureSession};
use torsade_bench::servers::driver;
use torsade_bench::{feeds, libuv, servers, tasks};

/// A server process that ends with the test.
struct Server {
    process: Child,
    addr: SocketAddr,
}

impl Server {
    /// One of the servers of this package.
    fn start(name: &str) -> Self {
        Self::run(Command::new(env!("CARGO_BIN_EXE_server")).arg(name))
    }

    /// Any program that says where it listens.
    fn run(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
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

#[test]
fn the_bare_ring_answers_under_every_load() {
    for subject in ["echo", "constant", "close"] {
        let server = Server::run(Command::new(env!("CARGO_BIN_EXE_ring")).arg(subject));
        answers(server.addr, subject);
    }
}

#[test]
fn every_server_on_libuv_answers_under_every_load() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libuv_peer");
    if let Err(why) = libuv::build(&file) {
        let is_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!is_ci, "{why}");
        println!("SKIPPED: {why}");
        return;
    }
    for subject in libuv::SUBJECTS {
        let server = Server::run(Command::new(&file).arg(subject));
        answers(server.addr, subject);
    }
}

#[test]
fn a_server_on_torsade_runs_on_the_driver_that_is_asked_for_or_not_at_all() {
    for wanted in driver::ALL.iter().chain(&["no such driver"]) {
        let run = |name: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
            command.arg(name).env(driver::VARIABLE, wanted);
            command
        };
        let output = run("driver").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        if output.status.success() {
            assert_eq!(said.trim(), format!("driver {wanted}"));
            answers(Server::run(&mut run("torsade-echo")).addr, "echo");
        } else {
            assert_eq!(said, "");
            let output = run("torsade-echo").output().unwrap();
            assert!(
                !output.status.success() && output.stdout.is_empty(),
                "{wanted}"
            );
        }
    }
    // The portable one is there on every machine.
    let mut portable = Command::new(env!("CARGO_BIN_EXE_server"));
    portable.arg("driver").env(driver::VARIABLE, "polling");
    assert!(portable.status().unwrap().success());
}

fn answers(server: SocketAddr, subject: &str) {
    let message = match subject {
        "echo" | "patient" | "streams" | "threads1" | "threads2" | "works1" | "works2" => {
            Message::Block
        }
        "constant" => {
            // Several messages in one chunk have one answer.
            let mut session = Session::open(server, Message::Constant, 3, 1).unwrap();
            session.play(5).unwrap();
            return load::visits(server, Message::Constant, Ends::Load, 5).unwrap();
        }
        "datagrams" => {
            let mut volley = Volley::open(server, 3, 20).unwrap();
            return volley.play(5).unwrap();
        }
        "tls" => return answers_securely(server),
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

fn answers_securely(server: SocketAddr) {
    SecureSession::open(server, 3, 2).unwrap().play(5).unwrap();
    for greeting in [Greeting::Stranger, Greeting::Acquaintance] {
        secure::visits(server, greeting, 5).unwrap();
    }
    assert_eq!(secure::idle(server, 3).unwrap().len(), 3);
    assert_eq!(secure::stalled(server, 3).unwrap().len(), 3);
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
        let is_here = || {
            Command::new("redis-server")
                .arg("--version")
                .output()
                .is_ok()
        };
        if name.contains("redis") && std::env::var_os("CI").is_none() && !is_here() {
            eprintln!("SKIPPED: no redis-server here for {name}");
            continue;
        }
        assert_eq!(task(120).unwrap(), 120, "{name}");
    }
}
