//! Programs on the simulated network, under faults, with a few seeds: `cargo run --release -p
//! torsade-tests --bin simulate` tries many.

use std::cell::Cell;
use std::time::Duration;

use torsade_testing::sim::{Faults, Seeds};
use torsade_tests::simulated::{chat, exchange};

#[test]
fn a_chat_without_faults_has_every_line_heard_by_everybody() {
    let outcome = chat::run(1, 10, None);
    // Three quick lines and a slow one of each to nine others: until the last has heard the last,
    // some have said one more.
    assert!(outcome.heard >= 10 * 9 * 4, "{outcome:?}");
    assert_eq!((outcome.lost, outcome.faults, outcome.harm), (0, 0, 0));
}

#[test]
fn a_chat_under_faults_has_no_gap_and_comes_together_again() {
    let (lost, harm) = (Cell::new(0), Cell::new(0));
    let tried = Seeds::run(40, |seed| {
        let outcome = chat::run(seed, 8, Some(Faults::all()));
        lost.set(lost.get() + outcome.lost);
        harm.set(harm.get() + outcome.harm);
    });
    assert_eq!((tried.seeds, tried.twice), (40, 1));
    // They did something.
    assert!(tried.faults > 200 && lost.get() > 20 && harm.get() > 200);
}

#[test]
fn questions_are_answered_in_order_without_faults_and_under_them() {
    let calm = exchange::run(1, 4, None);
    assert_eq!((calm.answers, calm.harm), (4 * 34, 0), "{calm:?}");
    let harm = Cell::new(0);
    let tried = Seeds::run(20, |seed| {
        let outcome = exchange::run(seed, 4, Some(Faults::all().within(Duration::from_secs(8))));
        assert!(outcome.answers >= 4 * 34, "{outcome:?}");
        harm.set(harm.get() + outcome.harm);
    });
    assert_eq!((tried.seeds, tried.twice), (20, 1));
    assert!(tried.faults > 100 && harm.get() > 50);
}

#[test]
fn a_chat_of_a_thousand_survives_partitions() {
    let tried = Seeds::range(1..3, |seed| {
        let outcome = chat::run_partitioned(seed, 1000, 3);
        // A third of them was given up, and came back.
        assert!(outcome.lost >= 300, "{outcome:?}");
        assert!(outcome.heard > 1000 * 3 * 4, "{outcome:?}");
        assert!(outcome.harm > 1000, "{outcome:?}");
    });
    assert!(tried.faults > 100, "{tried:?}");
}
