//! Many seeds, and what is made of one that fails.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Protocol, Transport, factory};
use torsade_deferred::Deferred;
use torsade_testing::sim::{Faults, Replay, Seeds, Sim};

const SECOND: Duration = Duration::from_secs(1);

struct Echo;
impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

/// Sends something every second.
struct Ticking;
impl Protocol for Ticking {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("tick");
        transport.call_later(SECOND, |me, transport| me.connection_made(transport));
    }
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    /// The bug of these tests: it believes that connections are never reset.
    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        assert_ne!(*reason, Disconnect::Reset, "that never happens");
    }
}

fn ticking(seed: u64) -> Sim {
    let mut net = Sim::new(seed);
    net.host("server").boot(|net| {
        // It may fail when descriptors are short.
        let _ = net.listen("0.0.0.0:7", factory(|_| Echo));
    });
    net.host("client")
        .net()
        .connect("server:7", Ticking)
        .detach();
    net.swarm(Faults::all().about(20));
    net.advance(60 * SECOND);
    net
}

/// The message of the panic.
fn message(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
    payload.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_seed_that_fails_is_explained_and_can_be_repeated() {
    let said = message(|| {
        Seeds::run(1000, |seed| drop(ticking(seed)));
    });
    assert!(said.contains("that never happens"), "{said}");
    assert!(said.contains("a reset"), "the trace: {said}");
    // Of about twenty faults the fewest that do it are left.
    let with = said.lines().find(|line| line.starts_with("with ")).unwrap();
    assert!(
        with.starts_with("with 1 of its ") || with.starts_with("with 2 of its "),
        "{with}"
    );

    let again = said.lines().last().unwrap();
    let numbers: Vec<u64> = again
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    assert!(again.starts_with("again: Replay::seed("), "{again}");
    let only: Vec<usize> = numbers[1..].iter().map(|it| *it as usize).collect();
    let repeat = || {
        message(|| {
            Replay::seed(numbers[0])
                .faults(&only)
                .run(|seed| drop(ticking(seed)));
        })
    };
    assert_eq!(repeat(), repeat());
    assert!(repeat().contains("that never happens"));
    // Without them it does not fail.
    Replay::seed(numbers[0])
        .faults(&[])
        .run(|seed| drop(ticking(seed)));
}

#[test]
fn what_is_not_the_same_in_every_run_is_found() {
    let runs = Rc::new(Cell::new(0));
    let said = message(|| {
        Seeds::run(1, |seed| {
            // Such as ambient time would be.
            runs.set(runs.get() + 1);
            let mut net = Sim::new(seed);
            net.advance(Duration::from_nanos(runs.get()));
            net.say("hello");
        });
    });
    assert!(
        said.contains("two runs of seed 0 differ, first here"),
        "{said}"
    );
}

#[test]
fn one_seed_in_a_hundred_is_run_twice() {
    let runs = Cell::new(0);
    let tried = Seeds::range(50..350, |seed| {
        runs.set(runs.get() + 1);
        drop(Sim::new(seed));
    });
    assert_eq!((tried.seeds, tried.twice, runs.get()), (300, 3, 303));
}

#[test]
fn the_digest_is_of_everything_that_happens() {
    let digest = |seed| ticking(seed).trace().digest();
    let ok = |seed| catch_unwind(AssertUnwindSafe(|| digest(seed))).ok();
    let digests: Vec<_> = (0..20).filter_map(ok).collect();
    let again: Vec<_> = (0..20).filter_map(ok).collect();
    assert_eq!(digests, again);
    let mut different = digests.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), digests.len());
}

#[test]
fn a_failed_assertion_in_a_protocol_fails_the_test() {
    struct Strict;
    impl Protocol for Strict {
        fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
            assert_eq!(data, b"please");
        }
    }
    struct Rude;
    impl Protocol for Rude {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.write("now!");
        }
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    let run = |expected: bool| {
        let mut net = Sim::new(1);
        let server = net.host("server").net();
        server.listen("0.0.0.0:7", factory(|_| Strict)).unwrap();
        net.host("ann").net().connect("server:7", Rude).detach();
        if expected {
            net.expect_panic("assertion");
        }
        net.settle();
    };
    run(true);
    let said = message(|| run(false));
    assert!(said.contains("server: panic in data_received"), "{said}");
    assert!(said.contains("sim_seeds.rs"), "where: {said}");
    assert!(
        said.contains("ann     #1 connection_made"),
        "the trace: {said}"
    );
}

#[test]
fn what_is_expected_and_does_not_happen_fails_too() {
    let said = message(|| Sim::new(1).expect_panic("the sky falls"));
    assert!(
        said.contains("expected, and did not happen: the sky falls"),
        "{said}"
    );
}

#[test]
fn errors_that_nobody_takes_and_timers_that_are_left_fail_it() {
    let said = message(|| {
        let net = Sim::new(1);
        drop(Deferred::<(), &str>::fail("nobody cares"));
        let host = net.host("host").net();
        host.call_later(SECOND, |_| ());
    });
    assert!(said.contains("nobody cares"), "{said}");
    assert!(
        said.contains("host: a timer is still armed that was set at"),
        "{said}"
    );
    let mut net = Sim::new(1);
    net.expect_unhandled("nobody cares");
    drop(Deferred::<(), &str>::fail("nobody cares"));
    net.settle();
}

#[test]
fn two_networks_have_nothing_to_do_with_each_other() {
    let (mut one, mut other) = (Sim::new(1), Sim::new(1));
    let rang = Rc::new(RefCell::new(Vec::new()));
    for (net, name) in [(&one, "one"), (&other, "other")] {
        let bell = Rc::clone(&rang);
        net.host("host")
            .net()
            .call_later(SECOND, move |_| bell.borrow_mut().push(name));
    }
    one.advance(SECOND);
    assert_eq!(*rang.borrow(), ["one"]);
    other.advance(SECOND);
    assert_eq!(*rang.borrow(), ["one", "other"]);
}
