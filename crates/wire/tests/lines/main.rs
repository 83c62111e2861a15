//! The line framing, through its public face.

mod flow;
mod fuzz;
mod limits;
mod modes;
mod recorder;
mod splits;

/// The same inputs each time; `cargo run --release --example fuzz_lines` tries others and more.
#[test]
fn random_inputs_are_framed_as_the_model_says() {
    let tally = fuzz::run(0x5eed, 20_000);
    println!("{tally:?}");
    assert!(tally.lines > tally.inputs && tally.too_long > 0 && tally.raw > 0);
}
