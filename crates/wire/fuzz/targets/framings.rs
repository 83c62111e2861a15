//! Every framing against its model: `input.rs` says how an input is read.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/framings/framed.rs"]
#[allow(dead_code, reason = "what makes inputs is libFuzzer here")]
mod framed;
#[path = "../../tests/framings/input.rs"]
mod input;
#[path = "../../tests/framings/random.rs"]
#[expect(dead_code, reason = "as above")]
mod random;
#[path = "../../tests/framings/subject.rs"]
#[expect(dead_code, reason = "as above")]
mod subject;
#[path = "../../tests/framings/unframed.rs"]
mod unframed;

fuzz_target!(|data: &[u8]| input::check(data));
