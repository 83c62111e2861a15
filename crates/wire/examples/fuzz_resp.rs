//! Compares the reader of RESP with a plain model of it on as many inputs as are asked for:
//! `cargo run --release -p torsade-wire --example fuzz_resp -- 1000000 [seed]`.

use std::env;
use std::num::ParseIntError;

#[path = "../tests/redis/fuzz.rs"]
mod fuzz;
#[path = "../tests/redis/model.rs"]
#[expect(clippy::unwrap_used, reason = "that is how a comparison fails")]
mod model;
#[path = "../tests/redis/random.rs"]
mod random;

#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command, which has arguments and says what it did"
)]
fn main() -> Result<(), ParseIntError> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse());
    let inputs = arguments.next().unwrap_or(Ok(1_000_000))?;
    let seed = arguments.next().unwrap_or(Ok(1))?;
    println!("{inputs} inputs from seed {seed}");
    println!("{:#?}", fuzz::run(seed, inputs));
    Ok(())
}
