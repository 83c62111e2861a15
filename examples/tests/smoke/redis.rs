//! The two examples that speak to Redis, with a real server.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::program::{Program, hear, say};
use crate::redis_server::Server;

#[test]
fn a_room_of_two_processes() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let redis = server.address.to_string();
    let path = env!("CARGO_BIN_EXE_redis_chat");
    let programs = [(); 2].map(|()| Program::start_with(path, &[&redis]));
    let mut members = programs.each_ref().map(|program| {
        let mut member = program.connect();
        assert_eq!(hear(&mut member), "which room?\r\n");
        say(&mut member, "tea\r\n");
        assert_eq!(hear(&mut member), "* this is tea\r\n");
        member
    });
    let [ann, bob] = &mut members;
    say(ann, "hello\r\n");
    assert_eq!([hear(ann), hear(bob)], ["hello\r\n"; 2]);
    say(bob, "hi\r\n");
    assert_eq!([hear(ann), hear(bob)], ["hi\r\n"; 2]);
    drop(members);
    programs.into_iter().for_each(Program::interrupt);
}

/// A process that is ended if the test fails before it ends.
struct Subscribers(Child);

impl Drop for Subscribers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).expect("it says something");
    line.trim_end().to_owned()
}

/// Through a client of the server's own protocol, written by hand.
fn publish(server: &Server, channel: &str, text: &str) {
    let stream = std::net::TcpStream::connect(server.address).expect("it listens");
    let mut stream = BufReader::new(crate::program::patient(stream));
    let (channels, texts) = (channel.len(), text.len());
    say(
        &mut stream,
        format!("*3\r\n$7\r\nPUBLISH\r\n${channels}\r\n{channel}\r\n${texts}\r\n{text}\r\n"),
    );
    assert_eq!(hear(&mut stream), ":1\r\n");
}

#[test]
fn two_subscribers_side_by_side() {
    let Some(server) = Server::start(&[]) else {
        return;
    };
    let child = Command::new(env!("CARGO_BIN_EXE_redis_subscribers"))
        .arg(server.address.to_string())
        .stdout(Stdio::piped())
        .spawn();
    let mut subscribers = Subscribers(child.expect("it starts"));
    let stdout = subscribers.0.stdout.take().expect("its output is piped");
    let mut lines = BufReader::new(stdout);
    assert_eq!(line(&mut lines), "subscribed to chan:1");
    assert_eq!(line(&mut lines), "subscribed to chan:2");
    for (channel, text) in [
        ("chan:2", "a"),
        ("chan:1", "STOP"),
        ("chan:2", "b"),
        ("chan:2", "STOP"),
    ] {
        publish(&server, channel, text);
        assert_eq!(line(&mut lines), format!("({channel}) {text}"));
    }
    let status = subscribers.0.wait().expect("it ends");
    assert!(status.success(), "{status}");
}
