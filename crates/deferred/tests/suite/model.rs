//! Chains of random shape against a plain function: what comes out does not depend on when.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use torsade_deferred::queue::Turn;
use torsade_deferred::{Deferred, Failure, Resolver};

use crate::support::{Reports, results};

type Number = Deferred<i64, i64>;
type End = Result<i64, Failure<i64>>;

/// One link of a chain.
#[derive(Clone, Copy, Debug)]
enum Link {
    Map(i64),
    MapErr(i64),
    /// Starts work that ends so; `true` for work that is pending at first.
    AndThen(Result<i64, i64>, bool),
    OrElse(Result<i64, i64>, bool),
    Panic,
    /// Takes a canceller, which must change nothing as long as nobody uses it.
    Watch,
}

fn link() -> impl Strategy<Value = Link> {
    let result = || prop_oneof![(0..9i64).prop_map(Ok), (0..9i64).prop_map(Err)];
    prop_oneof![
        (1..9i64).prop_map(Link::Map),
        (1..9i64).prop_map(Link::MapErr),
        (result(), any::<bool>()).prop_map(|(result, later)| Link::AndThen(result, later)),
        (result(), any::<bool>()).prop_map(|(result, later)| Link::OrElse(result, later)),
        Just(Link::Panic),
        Just(Link::Watch),
    ]
}

/// What comes out, by the words of the documentation.
fn expected(start: &End, links: &[Link]) -> End {
    links
        .iter()
        .fold(start.clone(), |end, link| match (*link, end) {
            (Link::Map(n), Ok(value)) => Ok(value + n),
            (Link::MapErr(n), Err(Failure::Error(error))) => Err(Failure::Error(error + n)),
            (Link::AndThen(result, _), Ok(_)) | (Link::OrElse(result, _), Err(_)) => {
                result.map_err(Failure::Error)
            }
            (Link::Panic, Ok(_)) => Err(Failure::Panicked(boom())),
            (_, end) => end,
        })
}

fn boom() -> torsade_deferred::Panic {
    torsade_deferred::Panic::from_payload(Box::new("boom"))
}

/// Work that was started and not ended yet.
type Pending = Rc<RefCell<Vec<(Resolver<i64, i64>, End)>>>;

fn work(result: Result<i64, i64>, later: bool, pending: &Pending) -> Number {
    let result = result.map_err(Failure::Error);
    if !later {
        return Deferred::settled(result);
    }
    let (resolver, deferred) = Deferred::new();
    pending.borrow_mut().push((resolver, result));
    deferred
}

fn attach(deferred: Number, link: Link, pending: &Pending) -> Number {
    let pending = Rc::clone(pending);
    match link {
        Link::Map(n) => deferred.map(move |value| value + n),
        Link::MapErr(n) => deferred.map_err(move |error| error + n),
        Link::AndThen(result, later) => deferred.and_then(move |_| work(result, later, &pending)),
        Link::OrElse(result, later) => deferred.or_else(move |_| work(result, later, &pending)),
        Link::Panic => deferred.map(|_| std::panic::resume_unwind(Box::new("boom"))),
        Link::Watch => {
            let _canceller = deferred.canceller();
            deferred
        }
    }
}

/// Ends whatever is pending, until nothing is.
fn settle_all(turn: Option<&Turn>, pending: &Pending) {
    loop {
        if let Some(turn) = turn {
            while turn.drain(3) {}
        }
        let next = pending.borrow_mut().pop();
        let Some((resolver, result)) = next else {
            return;
        };
        resolver.settle(result);
    }
}

proptest! {
    #[test]
    fn the_outcome_is_the_same_whenever_the_results_come(
        start in prop_oneof![(0..9i64).prop_map(Ok), (0..9i64).prop_map(|e| Err(Failure::Error(e))), Just(Err(Failure::TimedOut))],
        links in proptest::collection::vec(link(), 0..12),
        resolve_after in 0..14usize,
        in_a_turn in any::<bool>(),
        drain_between in any::<bool>(),
    ) {
        let _reports = Reports::collect();
        let turn = in_a_turn.then(|| Turn::enter().unwrap());
        let pending = Pending::default();
        let (resolver, mut deferred) = Deferred::new();
        let mut resolver = Some(resolver);
        for (index, link) in links.iter().enumerate() {
            if index == resolve_after {
                resolver.take().unwrap().settle(start.clone());
            }
            if drain_between && resolver.is_none() {
                settle_all(turn.as_ref(), &pending);
            }
            deferred = attach(deferred, *link, &pending);
        }
        let ends = results(deferred);
        if let Some(resolver) = resolver {
            resolver.settle(start.clone());
        }
        settle_all(turn.as_ref(), &pending);
        prop_assert_eq!(ends.take(), [expected(&start, &links)]);
    }

    /// However far a chain has come, a cancellation ends it, nothing hangs and nothing is reported
    /// but what had failed before.
    #[test]
    fn a_cancellation_ends_every_chain_at_once(
        links in proptest::collection::vec(link(), 0..12),
        progress in 0..8usize,
        in_a_turn in any::<bool>(),
        budget in 0..20usize,
    ) {
        let reports = Reports::collect();
        let turn = in_a_turn.then(|| Turn::enter().unwrap());
        let pending = Pending::default();
        let (resolver, mut deferred) = Deferred::new();
        for link in &links {
            deferred = attach(deferred, *link, &pending);
        }
        let canceller = deferred.canceller();
        let ends = results(deferred);
        pending.borrow_mut().push((resolver, Ok(1)));
        for _ in 0..progress {
            if let Some(turn) = &turn {
                turn.drain(budget);
            }
            let Some((resolver, result)) = pending.borrow_mut().pop() else { break };
            resolver.settle(result);
        }
        let over = ends.len() == 1;
        canceller.cancel();
        if let Some(turn) = &turn {
            while turn.drain(3) {}
        }
        let ends = ends.take();
        prop_assert_eq!(ends.len(), 1, "nothing is still waited for");
        if !over && !in_a_turn {
            prop_assert_eq!(&ends[0], &Err(Failure::Cancelled));
        }
        // Late results go in silence.
        settle_all(turn.as_ref(), &pending);
        drop(reports.take());
    }
}
