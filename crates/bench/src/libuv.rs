//! The servers on libuv: C, compiled with the system's compiler when they are measured.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const SOURCE: &str = include_str!("../peers/libuv_peer.c");

/// What the program can be told to be.
pub const SUBJECTS: &[&str] = &["echo", "constant", "patient", "lines", "close", "fanout"];

/// Compiles the servers into that file.
///
/// # Errors
/// In words, what this machine lacks.
pub fn build(file: &Path) -> Result<(), String> {
    let lacks = |what: &str| format!("the servers on libuv are not built: {what}");
    let mut compiler = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o"])
        .arg(file)
        .args(["-x", "c", "-", "-x", "none", "-luv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| lacks("there is no C compiler, `cc`"))?;
    // A compiler that ends before it has read says why on its other output.
    let told = compiler.stdin.take().map_or_else(
        || Err(io::ErrorKind::BrokenPipe.into()),
        |mut stdin| stdin.write_all(SOURCE.as_bytes()),
    );
    let output = compiler
        .wait_with_output()
        .map_err(|error| lacks(&error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && told.is_ok() {
        Ok(())
    } else if said.contains("uv.h") || said.contains("-luv") {
        Err(lacks("libuv is not installed, Debian's libuv1-dev"))
    } else {
        Err(lacks(&format!("the compiler says\n{said}")))
    }
}
