//! Runs that once found something, or do much, again: see the files for how they grow.

use std::rc::Rc;
use std::time::Duration;

use torsade_testing::sim::{Faults, Seeds};
use torsade_tests::fuzz::{self, Counts};
use torsade_tests::simulated::{chat, exchange};

fn lines(corpus: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = corpus.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(' ').collect())
}

#[test]
fn engines_keep_their_contracts_in_every_run_of_the_corpus() {
    let counts = Rc::new(Counts::default());
    for line in lines(include_str!("../corpus/engine.txt")) {
        let seed = line[0].strip_prefix("0x").unwrap_or(line[0]);
        let (Ok(seed), Ok(len)) = (u64::from_str_radix(seed, 16), line[1].parse()) else {
            panic!("a line begins with a seed and a number of operations: {line:?}");
        };
        if let Some(failure) = fuzz::one(seed, len, &counts) {
            panic!("{failure}");
        }
    }
    assert!(counts.checks() > 100_000, "{} checks", counts.checks());
}

#[test]
fn programs_keep_their_promises_with_every_seed_of_the_corpus() {
    for line in lines(include_str!("../corpus/simulator.txt")) {
        let (Ok(seed), Ok(clients)) = (line[1].parse::<u64>(), line[2].parse()) else {
            panic!("a line is a program, a seed, and a number of clients: {line:?}");
        };
        // By way of `Seeds`, so that a failure is shrunk and told.
        Seeds::range(seed..seed + 1, |seed| match line[0] {
            "chat" => {
                chat::run(seed, clients, Some(Faults::all()));
            }
            "exchange" => {
                exchange::run(
                    seed,
                    clients,
                    Some(Faults::all().within(Duration::from_secs(8))),
                );
            }
            other => panic!("there is no program {other}"),
        });
    }
}
