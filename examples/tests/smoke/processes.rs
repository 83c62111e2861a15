use std::io::{Read, Write};
use std::net::Shutdown;

use crate::program::Program;

#[test]
fn process_filter() {
    let path = env!("CARGO_BIN_EXE_process_filter");
    let program = Program::start_with(path, &["tr", "a-z", "A-Z"]);
    // More than the pipes and the sockets hold, and the client reads none of it before the end.
    let much = b"abcdefg\n".repeat(200_000);
    let mut client = program.connect();
    let mut writer = client.get_ref().try_clone().expect("another handle");
    let sent = much.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent)?;
        writer.shutdown(Shutdown::Write)
    });
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("it answers");
    writing.join().expect("no panic").expect("it takes all");
    assert!(answer == much.to_ascii_uppercase());
    program.interrupt();

    let sort = Program::start_with(path, &["sort"]);
    let mut client = sort.connect();
    client.get_mut().write_all(b"b\na\n").expect("it reads");
    client.get_ref().shutdown(Shutdown::Write).expect("an end");
    let mut sorted = String::new();
    client.read_to_string(&mut sorted).expect("it answers");
    assert_eq!(sorted, "a\nb\n");
    sort.interrupt();
}
