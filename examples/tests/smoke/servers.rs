use std::io::Read;
use std::net::{Shutdown, UdpSocket};
use std::process::Command;
use std::time::Duration;

use crate::program::{Program, hear, hear_all, say};

/// What does not come within this time never will.
const PATIENCE: Duration = Duration::from_secs(60);

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
fn udp_echo() {
    let program = Program::start(env!("CARGO_BIN_EXE_udp_echo"));
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    peer.set_read_timeout(Some(PATIENCE)).expect("a socket");
    for said in ["hello", "", "there"] {
        peer.send_to(said.as_bytes(), program.address)
            .expect("sent");
        let mut heard = [0; 100];
        let (length, from) = peer.recv_from(&mut heard).expect("an answer");
        assert_eq!(&heard[..length], said.as_bytes());
        assert_eq!(from, program.address);
    }
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
fn cores() {
    let program = Program::start(env!("CARGO_BIN_EXE_cores"));
    let (mut ann, mut bob) = (program.connect(), program.connect());
    for peer in [&mut ann, &mut bob] {
        let greeting = hear(peer);
        assert!(greeting.starts_with("reactor-"), "{greeting:?}");
    }
    say(&mut ann, "one\r\n");
    assert_eq!(hear(&mut ann), "1\r\n");
    say(&mut bob, "two\r\n");
    assert_eq!(hear(&mut bob), "2\r\n");
    program.interrupt();
    assert_eq!(hear(&mut ann) + &hear(&mut bob), "", "both are closed too");
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

/// Clients in a pipeline: what is typed comes from a program, what is shown goes to one.
#[test]
fn stdio_clients() {
    let client = env!("CARGO_BIN_EXE_stdio_client");
    let server = Program::start(env!("CARGO_BIN_EXE_line_echo"));
    let heard = shell(&format!(
        "{{ printf 'one\\ntwo\\n' | {client} {} || echo failed; }} | wc -l",
        server.address
    ));
    assert_eq!(heard.trim(), "2");
    server.interrupt();

    let path = env!("CARGO_BIN_EXE_chat");
    let room = Program::start(path);
    let said = format!(
        "printf 'ann\\nhello\\n/quit\\n' | {path} client {}",
        room.address
    );
    assert_eq!(shell(&said), "your name?\r\n* with you: \r\n");
    room.interrupt();
    for client in [client.to_owned(), format!("{path} client")] {
        let script = format!("{client} 127.0.0.1:1 2>&1 < /dev/null; echo exits with $?");
        let nobody = shell(&script);
        let lines: Vec<&str> = nobody.lines().collect();
        assert_eq!(lines.len(), 2, "{nobody}");
        assert!(
            lines[0].starts_with("cannot connect to 127.0.0.1:1: "),
            "{nobody}"
        );
        assert_eq!(lines[1], "exits with 1");
    }
}

fn shell(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).output();
    let output = output.expect("there is a shell");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn pubsub() {
    let program = Program::start(env!("CARGO_BIN_EXE_pubsub"));
    let mut ann = program.connect();
    say(&mut ann, "alone\r\n");
    assert_eq!(hear(&mut ann), "alone\r\n");
    let mut bob = program.connect();
    say(&mut bob, "two of us\r\n");
    assert_eq!(hear(&mut bob), "two of us\r\n");
    assert_eq!(hear(&mut ann), "two of us\r\n");
    // Long enough to be shared instead of copied.
    let long = format!("{}\r\n", "x".repeat(10_000));
    say(&mut ann, &long);
    assert_eq!(hear(&mut ann), long);
    assert_eq!(hear(&mut bob), long);
    drop(ann);
    say(&mut bob, "alone again\r\n");
    assert_eq!(hear(&mut bob), "alone again\r\n");
    program.interrupt();
}

#[test]
fn finger() {
    let program = Program::start_at(
        env!("CARGO_BIN_EXE_finger"),
        "tcp:0:interface=127.0.0.1",
        &[],
    );
    let mut peer = program.connect();
    say(&mut peer, "ann\r\nnobody\r\n/W bob\r\n");
    let answers = "Ann, in her office. Plan: a walk.\r\n\
                   There is no such user.\r\n\
                   Bob, not logged in. No plan.\r\n";
    assert_eq!(hear_all(&mut peer), answers.as_bytes());

    let mut peer = program.connect();
    say(&mut peer, "ann\r\n");
    peer.get_mut()
        .shutdown(Shutdown::Write)
        .expect("half-closed");
    assert_eq!(
        hear_all(&mut peer),
        b"Ann, in her office. Plan: a walk.\r\n"
    );

    let mut waiting = program.connect();
    say(&mut waiting, "\r\n");
    assert!(hear(&mut waiting).starts_with("Whom?"));
    program.interrupt();
}
