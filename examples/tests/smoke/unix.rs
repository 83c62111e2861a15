use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_unix_fd_pass");

#[test]
fn unix_fd_pass() {
    let folder = std::env::temp_dir().join(format!("torsade-example-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    let socket = folder.join("socket");
    let path = socket.to_str().expect("a plain path");
    let here = env!("CARGO_MANIFEST_DIR");
    let mut server = Command::new(PROGRAM)
        .args(["serve", path, here])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example starts");
    let mut said = BufReader::new(server.stdout.take().expect("its output is piped"));
    let mut hear = || {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        line
    };
    assert_eq!(hear(), format!("listening on unix:{path}\n"));
    let mode = fs::symlink_metadata(&socket).expect("it is there");
    assert!(mode.file_type().is_socket());
    assert_eq!(mode.permissions().mode() & 0o777, 0o660);

    let get = |name: &str| -> Output {
        let got = Command::new(PROGRAM).args(["get", path, name]).output();
        got.expect("the example runs")
    };
    let got = get("echo.rs");
    assert!(got.status.success(), "{got:?}");
    assert_eq!(got.stdout, include_bytes!("../../echo.rs"));
    let user = rustix::process::getuid().as_raw();
    assert_eq!(hear(), format!("user {user} has come\n"));
    let none = get("../README.md");
    assert!(!none.status.success() && none.stdout.is_empty(), "{none:?}");

    let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a number"), Signal::INT).expect("it runs");
    assert!(server.wait().expect("it ends").success());
    assert!(!socket.exists(), "the file goes with the server");
    fs::remove_dir(&folder).expect("nothing else is in it");
}
