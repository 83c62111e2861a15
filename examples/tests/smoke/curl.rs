//! The two examples that relay, with curl as their client.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;

use crate::program::{Program, patient};

/// A web server whose every page is the same. It ends with the test's process.
fn web_server(page: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // One that curl gives up is no concern of the others.
            let _ = answer(patient(client), page);
        }
    });
    address
}

fn answer(client: TcpStream, page: &[u8]) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut line = String::new();
    while client.read_line(&mut line)? > 2 {
        line.clear();
    }
    let length = page.len();
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
    client.get_mut().write_all(head.as_bytes())?;
    client.get_mut().write_all(page)
}

/// What curl does with these arguments. `None` if there is no curl on this machine, which is only
/// allowed at a developer's desk.
pub(crate) fn curl(arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new("curl");
    // Its settings are ours: no file of the user's, and no proxy from the environment.
    command.args(["--disable", "--silent", "--show-error", "--fail"]);
    command.args(["--max-time", "60"]).args(arguments);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "no curl: {error}");
            // Not through `eprintln!`, which a test that passes keeps to itself.
            let said = writeln!(std::io::stderr(), "SKIPPED: no curl here: {error}");
            said.expect("said");
            None
        }
    }
}

#[track_caller]
pub(crate) fn assert_page(output: &Output, page: &[u8]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert!(output.stdout == page, "{} bytes", output.stdout.len());
}

const PAGE: &[u8] = &[b'x'; 3_000_000];

#[test]
fn proxy_forwards_curl() {
    let upstream = format!("tcp:{}", web_server(PAGE));
    let here = "tcp:0:interface=127.0.0.1";
    let program = Program::start_at(env!("CARGO_BIN_EXE_proxy"), here, &[&upstream]);
    let url = format!("http://{}/", program.address);
    if let Some(output) = curl(&[&url]) {
        assert_page(&output, PAGE);
    }
    program.interrupt();
}

#[test]
fn socks_serves_curl_in_every_version() {
    let port = web_server(PAGE).port();
    let program = Program::start(env!("CARGO_BIN_EXE_socks"));
    let socks = program.address.to_string();
    let ways = [
        ("--socks4", "127.0.0.1"),
        ("--socks4a", "localhost"),
        ("--socks4a", "127.0.0.1"),
        ("--socks5", "127.0.0.1"),
        ("--socks5-hostname", "localhost"),
        ("--socks5-hostname", "127.0.0.1"),
    ];
    for (version, host) in ways {
        let url = format!("http://{host}:{port}/");
        if let Some(output) = curl(&[version, &socks, &url]) {
            assert_page(&output, PAGE);
        }
    }
    program.interrupt();
}

#[test]
fn socks_refuses_curl_what_it_cannot_reach() {
    /// What curl ends with when a proxy refuses.
    const REFUSED: i32 = 97;
    let program = Program::start(env!("CARGO_BIN_EXE_socks"));
    let socks = program.address.to_string();
    for version in ["--socks4a", "--socks5-hostname"] {
        // The name is reserved for being nobody's.
        if let Some(output) = curl(&[version, &socks, "http://name.invalid/"]) {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(REFUSED), "{version}: {errors}");
        }
    }
    program.interrupt();
}
