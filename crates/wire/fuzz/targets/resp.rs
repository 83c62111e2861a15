//! The reader of RESP against its model: `input.rs` says how an input is read.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/redis/input.rs"]
mod input;
#[path = "../../tests/redis/model.rs"]
mod model;

fuzz_target!(|data: &[u8]| input::check(data));
