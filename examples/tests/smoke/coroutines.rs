//! The programs that are coroutines, and those that live with other runtimes.

use std::process::Command;

use crate::curl::{assert_page, curl};
use crate::program::{Program, hear, say};

/// What a program says that ends by itself.
fn output(path: &str, arguments: &[&str]) -> String {
    let output = Command::new(path).args(arguments).output();
    let output = output.expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn both_clients_of_the_echo_hear_its_answer() {
    let server = Program::start(env!("CARGO_BIN_EXE_stream_echo_server"));
    let address = server.address.to_string();
    let said = output(env!("CARGO_BIN_EXE_stream_echo_client"), &[&address, "hi"]);
    assert_eq!(said, "send: hi\nreceived: hi\n");
    let said = output(
        env!("CARGO_BIN_EXE_protocol_echo_client"),
        &[&address, "hi"],
    );
    let want = "data sent: hi\ndata received: hi\nthe connection ended: ";
    assert!(said.starts_with(want), "{said}");
    server.interrupt();
}

#[test]
fn hyper_serves_curl() {
    let server = Program::start(env!("CARGO_BIN_EXE_http_server"));
    let url = |path: &str| format!("http://{}{path}", server.address);
    // Twice, on one connection.
    if let Some(output) = curl(&[&url("/hello"), &url("/hello")]) {
        assert_page(&output, b"hello from torsade\nhello from torsade\n");
    }
    if let Some(output) = curl(&[&url("/big")]) {
        assert_page(&output, &[b'x'; 3_000_000]);
    }
    if let Some(output) = curl(&["--data", "a question", &url("/echo")]) {
        assert_page(&output, b"a question");
    }
    if let Some(output) = curl(&[&url("/nothing")]) {
        assert_eq!(output.status.code(), Some(22), "a 404 is an error to it");
    }
    server.interrupt();
}

#[test]
fn hyper_and_reqwest_are_served_by_hyper() {
    let server = Program::start(env!("CARGO_BIN_EXE_http_server"));
    let address = server.address.to_string();
    let said = output(env!("CARGO_BIN_EXE_http_client"), &[&address, "/hello"]);
    assert_eq!(said, "200 OK, 19 bytes\nhello from torsade\n");

    let bridge = Program::start(env!("CARGO_BIN_EXE_tokio_bridge"));
    let mut peer = bridge.connect();
    for (path, answer) in [
        ("/hello", "200 OK, 19 bytes\n"),
        ("/big", "200 OK, 3000000 bytes\n"),
        ("/nothing", "404 Not Found, 22 bytes\n"),
    ] {
        say(&mut peer, format!("http://{address}{path}\n"));
        assert_eq!(hear(&mut peer), answer);
    }
    say(&mut peer, "nonsense\n");
    assert!(hear(&mut peer).starts_with("error: "));
    bridge.interrupt();
    server.interrupt();
}
