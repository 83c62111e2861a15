//! What speaks TLS, with `openssl` at the other end.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::program::Program;

#[test]
fn tls_echo() {
    let Some(output) = talk(
        env!("CARGO_BIN_EXE_tls_echo"),
        "tls_echo",
        &[],
        "hello\n",
        "hello\n",
    ) else {
        return;
    };
    assert_eq!(output, "hello\n");
}

#[test]
fn starttls() {
    let Some(output) = talk(
        env!("CARGO_BIN_EXE_starttls"),
        "starttls",
        &["-starttls", "smtp"],
        "WHOAMI\r\nQUIT\r\n",
        "bye",
    ) else {
        return;
    };
    assert!(
        output.contains("250 you asked for localhost in TLS 1.3\r\n221 bye"),
        "{output}"
    );
}

/// What the example answers to a client that says this, until it has said that.
fn talk(path: &str, name: &str, more: &[&str], say: &str, until: &str) -> Option<String> {
    let file = std::env::temp_dir().join(format!("{name}-{}.pem", std::process::id()));
    let file = file.to_str().expect("a path");
    let program = Program::start_with(path, &[file]);
    let place = program.address.to_string();
    let usual = [
        "-quiet",
        "-connect",
        &place,
        "-CAfile",
        file,
        "-verify_return_error",
        "-servername",
        "localhost",
    ];
    let Some(mut client) = s_client(&[&usual[..], more].concat()) else {
        program.interrupt();
        return None;
    };
    let (mut input, mut output) = client.pipes();
    input.write_all(say.as_bytes()).expect("said");
    let mut heard = String::new();
    while !heard.contains(until) {
        let mut byte = [0];
        let read = output.read(&mut byte).expect("an answer");
        if read == 0 {
            break;
        }
        heard.push(char::from(byte[0]));
    }
    program.interrupt();
    drop(input);
    let errors = client.errors();
    std::fs::remove_file(file).expect("the certificate was written");
    assert!(
        heard.contains(until),
        "{heard}\n{}",
        String::from_utf8_lossy(&errors)
    );
    Some(heard)
}

/// A running `openssl s_client`, which has a minute. It ends with the value.
pub(crate) struct Client(Child);

/// Start one, with these arguments; `None` where there is no openssl, which is said.
pub(crate) fn s_client(arguments: &[&str]) -> Option<Client> {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl");
        writeln!(std::io::stderr(), "SKIPPED: there is no openssl here").expect("said");
        return None;
    }
    let child = Command::new("timeout")
        .args(["60", "openssl", "s_client"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Some(Client(child.expect("a client")))
}

impl Client {
    /// Its input and output, once.
    pub(crate) fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        let input = self.0.stdin.take().expect("its input");
        (input, self.0.stdout.take().expect("its output"))
    }

    /// What it complained of, when it has ended.
    fn errors(&mut self) -> Vec<u8> {
        let mut errors = Vec::new();
        let pipe = self.0.stderr.take();
        let pipe = pipe.map(|mut pipe| pipe.read_to_end(&mut errors));
        pipe.expect("its complaints").expect("its end");
        errors
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Its input is closed by now, which it takes for the end.
        self.0.wait().expect("its end");
    }
}
