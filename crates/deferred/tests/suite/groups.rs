//! Several Deferreds as one, and one for several readers.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::queue::Turn;
use torsade_deferred::{AllFailed, Deferred, Failure, FirstError, Group, Resolver};
use torsade_deferred::{gather, list, race};

use crate::depth::on_a_small_stack;
use crate::support::{Bomb, Log, Reports, Tell, now, results};

type Pending = (
    Vec<Resolver<u32, &'static str>>,
    Vec<Deferred<u32, &'static str>>,
);

fn pending(count: usize) -> Pending {
    (0..count).map(|_| Deferred::new()).unzip()
}

#[test]
fn r76_a_list_keeps_the_order_and_takes_what_is_there_already() {
    let reports = Reports::collect();
    let (mut resolvers, mut members) = pending(2);
    members.insert(1, Deferred::fail("no"));
    members.push(Deferred::succeed(3));
    let all = list(members);
    resolvers.pop().unwrap().resolve(2);
    assert!(!all.is_settled());
    resolvers.pop().unwrap().resolve(0);
    let expected = vec![Ok(0), Err(Failure::Error("no")), Ok(2), Ok(3)];
    assert_eq!(now(all), Ok(expected));
    reports.none(); // the error was handed out with the list
}

#[test]
fn r76_a_list_holds_every_kind_of_end() {
    let _reports = Reports::collect();
    let (abandoned, first) = Deferred::<u32, ()>::new();
    let (_resolver, second) = Deferred::<u32, ()>::new();
    let canceller = second.canceller();
    let panicked = Deferred::<_, ()>::succeed(1).map(|_| -> u32 { panic!("bang") });
    let all = list([first, second, panicked]);
    drop(abandoned);
    canceller.cancel();
    let [first, second, third] = now(all).unwrap();
    assert_eq!(first, Err(Failure::Abandoned));
    assert_eq!(second, Err(Failure::Cancelled));
    assert!(matches!(third, Err(Failure::Panicked(panic)) if panic.message() == "bang"));
}

#[test]
fn groups_of_nobody_are_there_at_once() {
    assert_eq!(now(list(Vec::<Deferred<u8, u8>>::new())), Ok(vec![]));
    assert_eq!(now(gather(Vec::<Deferred<u8, u8>>::new())), Ok(vec![]));
    assert_eq!(
        now(gather([(); 0].map(|()| Deferred::<u8, u8>::succeed(1)))),
        Ok([])
    );
    let nobody = AllFailed::<u8> { failures: vec![] };
    assert_eq!(nobody.to_string(), "there was nobody to succeed");
    assert_eq!(
        now(race(Vec::<Deferred<u8, u8>>::new())),
        Err(Failure::Error(nobody))
    );
}

#[test]
fn a_gathering_ends_with_the_first_error_and_cancels_the_rest() {
    let reports = Reports::collect();
    let (resolvers, members) = pending(3);
    let mut resolvers = resolvers.into_iter();
    let (first, second, third) = (
        resolvers.next().unwrap(),
        resolvers.next().unwrap(),
        resolvers.next().unwrap(),
    );
    let told = Rc::new(Cell::new(false));
    let hook = Rc::clone(&told);
    third.on_cancel(move || hook.set(true));
    let all = gather(members);
    let seen = Rc::clone(&told);
    let all = all.map_err(move |error| (error, seen.get()));
    first.resolve(1);
    second.reject("no");
    // Who hears of the end finds the rest told.
    assert_eq!(now(all), Err(Failure::Error(("no", true))));
    third.resolve(3);
    reports.none();
}

#[test]
fn twisteds_way_leaves_the_rest_running_and_reports_each_later_error_once() {
    let reports = Reports::collect();
    let (mut resolvers, members) = pending(3);
    let all = Group::of(members).let_rest_run().first_error();
    resolvers.remove(1).reject("no");
    let error = FirstError {
        index: 1,
        failure: Failure::Error("no"),
    };
    assert_eq!(now(all), Err(Failure::Error(error)));
    assert!(!resolvers[0].is_cancelled());
    resolvers.pop().unwrap().reject("nor here");
    assert!(reports.one().starts_with("unhandled error: nor here"));
    resolvers.pop().unwrap().resolve(1);
    reports.none();

    let (resolvers, members) = pending(3);
    let all = Group::of(members).let_rest_run().consume_errors().gather();
    resolvers
        .into_iter()
        .for_each(|resolver| resolver.reject("lost"));
    assert_eq!(now(all), Err(Failure::Error("lost")));
    reports.none();
}

#[test]
fn errors_that_come_together_are_reported_but_the_first() {
    let reports = Reports::collect();
    let (resolvers, members) = pending(3);
    let all = gather(members);
    let turn = Turn::enter().unwrap();
    resolvers
        .into_iter()
        .for_each(|resolver| resolver.reject("lost"));
    assert!(!turn.drain(100));
    drop(turn);
    assert_eq!(now(all), Err(Failure::Error("lost")));
    assert_eq!(reports.take().len(), 2);
}

#[test]
fn the_error_of_a_gathering_that_nobody_takes_is_reported_once_with_its_origin() {
    let reports = Reports::collect();
    let (resolver, member) = Deferred::<u32, &str>::new();
    gather([member]).detach();
    let line = line!() + 1;
    resolver.reject("no");
    let report = reports.one();
    assert!(report.contains("unhandled error: no"), "{report}");
    assert!(
        report.contains(&format!(
            "rejected at crates/deferred/tests/suite/groups.rs:{line}"
        )),
        "{report}"
    );
}

#[test]
fn errors_in_a_list_that_nobody_takes_are_reported_once() {
    let reports = Reports::collect();
    let (resolver, member) = Deferred::<u32, &str>::new();
    list((member, Deferred::<(), _>::fail("there"))).detach();
    reports.none(); // the list is not complete
    resolver.reject("later");
    let mut lines = reports.take();
    lines.sort();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].contains("later") && lines[1].contains("there"),
        "{lines:?}"
    );

    let (_resolver, member) = Deferred::<u32, &str>::new();
    list((member, Deferred::<(), _>::fail("there"))).cancel();
    assert!(reports.one().contains("there"));
}

#[test]
fn r77_cancelling_a_group_cancels_all_and_a_panic_in_a_hook_stops_nobody() {
    let reports = Reports::collect();
    for how in 0..3 {
        let (resolvers, members) = pending(3);
        let called = Log::new();
        for (index, resolver) in resolvers.iter().enumerate() {
            let log = called.clone();
            resolver.on_cancel(move || {
                log.push(index);
                assert_ne!(index, 0, "the first hook panics");
            });
        }
        match how {
            0 => list(members).cancel(),
            1 => gather(members).cancel(),
            _ => race(members).cancel(),
        }
        assert_eq!(called.take(), [0, 1, 2]);
        assert!(reports.one().contains("the first hook panics"));
        assert!(resolvers.iter().all(Resolver::is_cancelled));
    }
}

#[test]
fn r77_cancelling_a_group_that_has_ended_does_nothing() {
    let _reports = Reports::collect();
    let (resolver, member) = Deferred::<u32, &str>::new();
    let all = Group::of([member, Deferred::fail("no")])
        .let_rest_run()
        .gather();
    assert!(all.is_settled());
    all.canceller().cancel();
    assert!(!resolver.is_cancelled());
    assert_eq!(now(all), Err(Failure::Error("no")));
    resolver.resolve(1);
}

#[test]
fn r78_a_race_cancels_the_losers_and_their_late_results_vanish() {
    let reports = Reports::collect();
    let (resolvers, mut members) = pending(3);
    members.insert(0, Deferred::fail("early"));
    let first = race(members);
    let mut resolvers = resolvers.into_iter();
    let (loser, winner, late) = (
        resolvers.next().unwrap(),
        resolvers.next().unwrap(),
        resolvers.next().unwrap(),
    );
    winner.resolve(7);
    assert_eq!(now(first), Ok((2, 7)));
    assert!(loser.is_cancelled() && late.is_cancelled());
    loser.reject("late");
    late.resolve(8);
    reports.none();
}

#[test]
fn r78_a_race_that_nobody_wins_gives_all_failures_in_order() {
    let _reports = Reports::collect();
    let (mut resolvers, members) = pending(3);
    let first = race(members);
    resolvers.pop().unwrap().reject("third");
    resolvers.pop().unwrap().reject("second");
    drop(resolvers);
    let Err(Failure::Error(all)) = now(first) else {
        panic!("nobody won")
    };
    let expected = [
        Failure::Abandoned,
        Failure::Error("second"),
        Failure::Error("third"),
    ];
    assert_eq!(all.failures, expected);
    assert_eq!(
        all.to_string(),
        "all failed: abandoned: the resolver was dropped; second; third"
    );
}

#[test]
fn tuples_are_of_any_types() {
    let all = gather((
        Deferred::<_, ()>::succeed(1),
        Deferred::succeed("two"),
        Deferred::succeed(3.0),
        Deferred::succeed(vec![4]),
    ));
    assert_eq!(now(all), Ok((1, "two", 3.0, vec![4])));
    let (resolver, slow) = Deferred::<u8, &str>::new();
    let none = gather((slow, Deferred::<u32, _>::fail("no")));
    assert_eq!(now(none), Err(Failure::Error("no")));
    assert!(resolver.is_cancelled());
    let both = list((
        Deferred::<u8, u8>::fail(1),
        Deferred::<(), &str>::fail("no"),
    ));
    let expected = (Err(Failure::Error(1)), Err(Failure::Error("no")));
    assert_eq!(now(both), Ok(expected));
}

#[test]
fn values_of_a_group_that_ended_are_dropped_and_a_panic_in_that_goes_nowhere() {
    let reports = Reports::collect();
    let dropped = Log::new();
    let (resolver, last) = Deferred::<(), &str>::new();
    let tell = Tell("the value", dropped.clone());
    let all = gather((Deferred::succeed(Bomb), Deferred::succeed(tell), last));
    resolver.reject("no");
    assert_eq!(now(all.map(|_| ())), Err(Failure::Error("no")));
    assert_eq!(dropped.take(), ["the value"]);
    assert!(reports.one().contains("the bomb"));
}

#[test]
fn groups_of_a_million_and_groups_in_groups_need_no_stack() {
    on_a_small_stack(|| {
        const MANY: usize = 1_000_000;
        let (resolvers, members) = pending(MANY);
        let all = gather(members);
        for (number, resolver) in (0..).zip(resolvers) {
            resolver.resolve(number);
        }
        assert_eq!(now(all).unwrap()[MANY - 1], MANY as u32 - 1);

        let (resolvers, members) = pending(MANY);
        list(members).cancel();
        assert!(resolvers.iter().all(Resolver::is_cancelled));

        let (resolver, mut nested) = Deferred::<u32, ()>::new();
        for _ in 0..100_000 {
            nested = gather([nested]).map(|[value]| value);
        }
        resolver.resolve(7);
        assert_eq!(now(nested), Ok(7));

        let (resolver, mut nested) = Deferred::<u32, ()>::new();
        for _ in 0..100_000 {
            nested = gather([nested]).map(|[value]| value);
        }
        nested.cancel();
        assert!(resolver.is_cancelled());
    });
}

#[test]
fn every_reader_has_a_shared_result_and_none_can_take_it_from_the_others() {
    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let shared = deferred.share();
    let (ann, bob, eve) = (shared.get(), shared.clone().get(), shared.get());
    eve.cancel();
    assert!(!resolver.is_cancelled());
    let ann = results(ann);
    resolver.resolve(7);
    assert_eq!(ann.take(), [Ok(7)]);
    assert_eq!(now(bob), Ok(7));
    assert_eq!(now(shared.get()), Ok(7));
}

#[test]
fn a_shared_error_is_reported_once_however_many_read_it() {
    let reports = Reports::collect();
    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let shared = deferred.share();
    let (ann, bob) = (shared.get(), shared.get());
    resolver.reject("no");
    drop((ann, bob, shared.get(), shared));
    assert!(reports.one().contains("no"));

    let unread = Deferred::<u32, &str>::fail("unread").share();
    reports.none();
    drop(unread);
    assert!(reports.one().contains("unread"));

    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let shared = deferred.share();
    let taken = results(shared.get());
    let other = shared.get();
    resolver.reject("taken");
    assert_eq!(taken.take(), [Err(Failure::Error("taken"))]);
    drop((other, shared));
}

#[test]
fn a_clone_that_panics_is_its_readers_failure() {
    #[derive(Debug)]
    struct Odd;
    impl Clone for Odd {
        fn clone(&self) -> Self {
            panic!("no copies")
        }
    }
    let shared = Deferred::<_, ()>::succeed(Odd).share();
    assert!(matches!(now(shared.get()), Err(Failure::Panicked(_))));
}
