//! A server that is killed in the middle of its replies, again and again.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::Disconnect;
use torsade_deferred::Failure;
use torsade_wire::redis::{Redis, RedisError, RedisSettings};

use crate::bench::Bench;
use crate::random::Random;

const ROUNDS: usize = 50;
const CALLS: usize = 60;

/// Which call, and the length of its value or why there is none.
type End = (usize, Result<usize, Failure<RedisError>>);

#[derive(Clone, Default)]
struct Ends(Rc<RefCell<Vec<End>>>);

#[test]
fn every_call_ends_once_when_the_server_is_killed_mid_reply_fifty_times() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let seed = std::env::var("TORSADE_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let mut random = Random(seed);
    let (redis, first) = Redis::new(RedisSettings::new());
    let mut protocol = Some(first);
    let mut inside = 0;
    for round in 0..ROUNDS {
        let protocol = protocol.take().unwrap_or_else(|| redis.protocol());
        let connecting = bench.reactor.net().connect(bench.server.address, protocol);
        bench.reactor.run_until(connecting).unwrap().unwrap();
        bench.get(redis.ready());
        let ends = Ends::default();
        call(&mut bench, &redis, &mut random, &ends);
        let answered = 1 + random.below(CALLS / 2);
        while ends.0.borrow().len() < answered {
            bench.reactor.turn(None).unwrap();
        }
        bench.server.kill();
        bench.reactor.run_until(redis.closed()).unwrap().unwrap();
        inside += check(&ends);
        assert_eq!(redis.connections(), round as u64 + 1);
        assert!(matches!(bench.end(redis.ping()), Err(RedisError::Lost(_))));
        bench.server.restart();
    }
    println!("{inside} of {ROUNDS} connections ended inside a reply");
    assert!(inside > 0);
}

/// Values that are too large for a socket's buffers, so that the kill meets one half-way.
fn call(bench: &mut Bench, redis: &Redis, random: &mut Random, ends: &Ends) {
    for at in 0..4 {
        let value = vec![b'x'; 300_000 + at];
        bench.get(redis.set(at, value));
    }
    for at in 0..CALLS {
        let key = random.below(4);
        let ends = Ends(Rc::clone(&ends.0));
        let call = redis.get(key);
        if random.below(5) == 0 {
            call.canceller().cancel();
        }
        call.finish(move |result| {
            let length = result.map(|value| value.map_or(0, |value| value.len()));
            if let Ok(length) = length {
                assert_eq!(length, 300_000 + key);
            }
            ends.0.borrow_mut().push((at, length));
        });
    }
}

/// Each ended once: with its value, or with a reason. Says whether a reply was cut.
fn check(ends: &Ends) -> usize {
    let mut ends = ends.0.take();
    ends.sort_by_key(|(at, _)| *at);
    let order: Vec<usize> = ends.iter().map(|(at, _)| *at).collect();
    assert_eq!(order, (0..CALLS).collect::<Vec<_>>());
    let mut lost = false;
    let mut cut = 0;
    for (at, end) in ends {
        match end {
            Ok(_) => assert!(!lost, "call {at} was answered after the loss"),
            Err(Failure::Cancelled) => {}
            Err(Failure::Error(RedisError::Lost(reason))) => {
                lost = true;
                cut = usize::from(reason == Disconnect::protocol("the end came inside a reply"));
            }
            Err(other) => panic!("call {at}: {other}"),
        }
    }
    assert!(lost);
    cut
}
