//! What speaks TLS, with `openssl` at the other end.

use std::io::Write;
use std::process::{Command, Output, Stdio};

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
        "60",
        "openssl",
        "s_client",
        "-quiet",
        "-connect",
        &place,
        "-CAfile",
        file,
        "-verify_return_error",
        "-servername",
        "localhost",
    ];
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl");
        writeln!(std::io::stderr(), "SKIPPED: there is no openssl here").expect("said");
        program.interrupt();
        return None;
    }
    let mut client = Command::new("timeout")
        .args(usual)
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a client");
    let mut input = client.stdin.take().expect("its input");
    input.write_all(say.as_bytes()).expect("said");
    let mut output = client.stdout.take().expect("its output");
    let mut heard = String::new();
    while !heard.contains(until) {
        let mut byte = [0];
        let read = std::io::Read::read(&mut output, &mut byte).expect("an answer");
        if read == 0 {
            break;
        }
        heard.push(char::from(byte[0]));
    }
    program.interrupt();
    drop(input);
    let Output { stderr, .. } = client.wait_with_output().expect("its end");
    std::fs::remove_file(file).expect("the certificate was written");
    assert!(
        heard.contains(until),
        "{heard}\n{}",
        String::from_utf8_lossy(&stderr)
    );
    Some(heard)
}
