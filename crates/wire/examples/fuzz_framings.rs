//! Compares the framings with plain models of them on as many inputs as are asked for:
//! `cargo run --release -p torsade-wire --example fuzz_framings -- 1000000 [seed [name]]`.

use std::env;
use std::num::ParseIntError;

use torsade_wire::{Int8, Int16, Int16Le, Int32, Int32Le, Netstring, Records};

use self::framed::{Escaped, In, Tagged};
use self::subject::Subject;
use self::unframed::{InChat, InStates};

#[path = "../tests/framings/framed.rs"]
mod framed;
#[path = "../tests/framings/fuzz.rs"]
mod fuzz;
#[path = "../tests/framings/random.rs"]
mod random;
#[path = "../tests/framings/subject.rs"]
mod subject;
#[path = "../tests/framings/unframed.rs"]
mod unframed;

#[expect(clippy::disallowed_methods, reason = "a command, which has arguments")]
fn main() -> Result<(), ParseIntError> {
    let mut arguments = env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse());
    let (inputs, seed) = (number(1_000_000)?, number(1)?);
    let only = arguments.next();
    let mut all = 0;
    all += fuzz::<In<Int8>>(&only, seed, inputs);
    all += fuzz::<In<Int16>>(&only, seed, inputs);
    all += fuzz::<In<Int16Le>>(&only, seed, inputs);
    all += fuzz::<In<Int32>>(&only, seed, inputs);
    all += fuzz::<In<Int32Le>>(&only, seed, inputs);
    all += fuzz::<In<Netstring>>(&only, seed, inputs);
    all += fuzz::<In<Records<4>>>(&only, seed, inputs);
    all += fuzz::<In<Tagged>>(&only, seed, inputs);
    all += fuzz::<In<Escaped>>(&only, seed, inputs);
    all += fuzz::<InStates>(&only, seed, inputs);
    all += fuzz::<InChat>(&only, seed, inputs);
    say(&format!(
        "{all} inputs in all, from seed {seed}: no panic, no difference"
    ));
    Ok(())
}

fn fuzz<S: Subject>(only: &Option<String>, seed: u64, inputs: u64) -> u64 {
    if only.as_ref().is_some_and(|only| only != S::NAME) {
        return 0;
    }
    let tally = fuzz::run::<S>(seed, inputs);
    say(&format!("{}: {tally:?}", S::NAME));
    tally.inputs
}

#[expect(clippy::print_stdout, reason = "a command, which says what it did")]
fn say(what: &str) {
    println!("{what}");
}
