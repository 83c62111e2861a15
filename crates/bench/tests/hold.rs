//! More connections than descriptors, as `hold` holds them.
#![cfg(target_os = "linux")]

use std::process::Command;

#[test]
fn a_process_holds_more_connections_than_it_may_have_descriptors() {
    let output = Command::new(env!("CARGO_BIN_EXE_hold"))
        .args(["2500", "500"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // An answer that did not come, or another's, would have ended it.
    assert!(output.status.success(), "{said}{errors}");
    assert!(
        said.starts_with("2500 connections in one process"),
        "{said}"
    );
    let (_, open) = said.split_once("with ").unwrap();
    let (open, allowed) = open.split_once(" descriptors of ").unwrap();
    assert!(allowed.starts_with("500 allowed"), "{said}");
    // Those of the reactors themselves.
    assert!(open.parse::<usize>().unwrap() < 100, "{said}");
}
