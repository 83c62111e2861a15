//! Four hundred thousand random operations on engines, with every contract checked after each.
//!
//! The same ones every time. `cargo run --release -p torsade-tests --bin fuzz_engine` does more of
//! them, from a new seed each time.

use torsade_tests::fuzz;

#[test]
fn the_engine_keeps_its_contracts_whatever_is_done_with_it() {
    for seed in [1, 2, 3, 4] {
        let outcome = fuzz::fuzz(100_000, seed);
        println!(
            "seed {seed}: {} operations on {} engines, {} invariants checked",
            outcome.operations,
            outcome.runs,
            outcome.counts.checks()
        );
        if let Some(failure) = outcome.failure {
            panic!("seed {seed}, {failure}");
        }
        for kind in ["write of what is delivered", "panic", "switch", "stop"] {
            let kind = format!("user: {kind}");
            assert!(outcome.counts.of(&kind) > 0, "seed {seed} has no {kind}");
        }
    }
}
