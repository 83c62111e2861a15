//! The README shows code that is in the examples, and only that.

const README: &str = include_str!("../../README.md");
const ECHO: &str = include_str!("../echo.rs");

/// The lines of the README's Rust blocks, as they are indented nowhere.
fn shown() -> Vec<&'static str> {
    let mut shown = Vec::new();
    let mut inside = false;
    for line in README.lines() {
        match line.trim() {
            "```rust" => inside = true,
            "```" => inside = false,
            line if inside && !line.is_empty() => shown.push(line),
            _ => {}
        }
    }
    shown
}

#[test]
fn every_line_of_code_is_in_the_echo_example_in_the_same_order() {
    let shown = shown();
    assert!(shown.len() > 25, "the README shows a program and its test");
    let mut example = ECHO.lines().map(str::trim);
    for line in shown {
        assert!(
            example.any(|other| other == line),
            "the README shows a line that examples/echo.rs does not have there: {line}"
        );
    }
}
