//! Very many commands, one behind the other, some of them cancelled: each reply is its own.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_deferred::{Canceller, Deferred, Failure};
use torsade_wire::redis::{Command, Redis, RedisError, RedisSettings};

use crate::bench::{Bench, versions};
use crate::random::Random;

/// How many: 100,000 in each version, unless `TORSADE_REDIS_COMMANDS` says otherwise. A million of
/// each take a debug build half a minute.
fn commands() -> u64 {
    let asked = std::env::var("TORSADE_REDIS_COMMANDS");
    asked.map_or(100_000, |asked| asked.parse().unwrap())
}

#[derive(Default)]
struct Tally {
    right: u64,
    wrong: Vec<String>,
    cancelled: u64,
    open: u64,
}

/// Sends commands whose replies are known beforehand.
struct Sender {
    redis: Redis,
    random: Random,
    sent: u64,
    /// What the counter on the server is after the commands sent so far.
    count: i64,
    /// Calls to be cancelled later.
    doomed: Vec<Canceller>,
    tally: Rc<RefCell<Tally>>,
}

impl Sender {
    fn send(&mut self) {
        let at = self.sent;
        self.sent += 1;
        match self.random.below(6) {
            0 => {
                self.count += 1;
                let count = self.count;
                let call = self.redis.incr("count");
                self.expect(call, move |reply| reply == count);
            }
            1 => {
                let text = format!("{at}:{}", "x".repeat(self.random.below(300)));
                let call = self.redis.echo(&text);
                self.expect(call, move |reply| reply == text);
            }
            2 => {
                let call = self.redis.set("last", at);
                self.expect(call, |()| true);
                let call = self.redis.get("last");
                self.expect(call, move |reply| reply.unwrap() == at.to_string());
            }
            3 => {
                let script = Command::new("EVAL")
                    .arg("return {ARGV[1], {ARGV[1]}, false}")
                    .arg(0);
                let call = self.redis.call::<(u64, Vec<Option<u64>>)>(&script.arg(at));
                // An array of three is no pair: the error is this call's alone.
                self.expect_error(call);
            }
            4 => {
                let script = Command::new("EVAL")
                    .arg("return {ARGV[1], {ARGV[1]}}")
                    .arg(0);
                let call = self.redis.call::<(u64, Vec<u64>)>(&script.arg(at));
                self.expect(call, move |reply| reply == (at, vec![at]));
            }
            _ => {
                let call = self.redis.lpop("last");
                self.expect_error(call);
            }
        }
        if self.random.below(8) == 0 && !self.doomed.is_empty() {
            let which = self.random.below(self.doomed.len());
            self.doomed.swap_remove(which).cancel();
        }
    }

    fn expect<T>(
        &mut self,
        call: Deferred<T, RedisError>,
        is_right: impl FnOnce(T) -> bool + 'static,
    ) {
        self.watch(call, move |result| result.is_ok_and(is_right));
    }

    fn expect_error<T>(&mut self, call: Deferred<T, RedisError>) {
        let is_right = |result: Result<T, RedisError>| {
            matches!(
                result,
                Err(RedisError::Server(_) | RedisError::Unexpected { .. })
            )
        };
        self.watch(call, is_right);
    }

    fn watch<T>(
        &mut self,
        call: Deferred<T, RedisError>,
        is_right: impl FnOnce(Result<T, RedisError>) -> bool + 'static,
    ) {
        match self.random.below(10) {
            0 => self.doomed.push(call.canceller()),
            1 => call.canceller().cancel(),
            _ => {}
        }
        let (tally, at) = (Rc::clone(&self.tally), self.sent);
        tally.borrow_mut().open += 1;
        call.finish(move |result| {
            let mut tally = tally.borrow_mut();
            tally.open -= 1;
            let result = match result {
                Err(Failure::Cancelled) => {
                    tally.cancelled += 1;
                    return;
                }
                Err(Failure::Error(error)) => Err(error),
                Err(other) => return tally.wrong.push(format!("command {at}: {other}")),
                Ok(reply) => Ok(reply),
            };
            if is_right(result) {
                tally.right += 1;
            } else {
                tally.wrong.push(format!("command {at}"));
            }
        });
    }
}

#[test]
fn replies_of_a_million_pipelined_commands_are_their_own() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let seed = std::env::var("TORSADE_SEED").map_or(1, |seed| seed.parse().unwrap());
    for settings in versions() {
        run(&mut bench, settings, seed);
    }
}

fn run(bench: &mut Bench, settings: RedisSettings, seed: u64) {
    let redis = bench.connect(settings);
    bench.get(redis.flushdb());
    bench.get(redis.set("last", 0));
    let tally = Rc::new(RefCell::new(Tally::default()));
    let mut sender = Sender {
        redis: redis.clone(),
        random: Random(seed),
        sent: 0,
        count: 0,
        doomed: Vec::new(),
        tally: Rc::clone(&tally),
    };
    let (all, mut deepest) = (commands(), 0);
    while sender.sent < all {
        bench.get(redis.ready());
        while redis.wants_calls() && sender.sent < all {
            sender.send();
            deepest = deepest.max(redis.waiting());
        }
    }
    bench.get(redis.ping());
    let tally = tally.borrow();
    println!(
        "seed {seed}, {:?}: {all} commands, {} right, {} cancelled, {} wrong, {deepest} deep",
        redis.version(),
        tally.right,
        tally.cancelled,
        tally.wrong.len()
    );
    let few = &tally.wrong[..tally.wrong.len().min(10)];
    assert!(few.is_empty(), "seed {seed}: {few:?}");
    assert_eq!(tally.open, 0, "each has ended");
    assert!(tally.cancelled > all / 20 && deepest > 100);
}
