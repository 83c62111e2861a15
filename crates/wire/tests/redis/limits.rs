//! Bounds of calls, of what waits, and of replies.

use torsade_core::{Disconnect, Limit, Limits};
use torsade_testing::StringTransport;
use torsade_wire::redis::{Redis, RedisError, RedisLimits, RedisSettings};

use crate::fake::{now, with};

fn limited(change: impl FnOnce(&mut RedisLimits)) -> RedisSettings {
    let mut limits = RedisLimits::default();
    change(&mut limits);
    RedisSettings::new().limits(limits)
}

#[test]
fn one_call_too_many_is_rejected_and_the_others_live() {
    let (redis, mut server) = with(limited(|limits| limits.calls = 3));
    let calls = [(); 3].map(|()| redis.get("k"));
    assert!(!redis.wants_calls());
    assert!(matches!(now(redis.get("k")), Err(RedisError::TooManyCalls)));
    let ready = redis.ready();
    server.feed("$1\r\nx\r\n");
    assert!(now(ready).is_ok() && redis.wants_calls());
    let one_more = redis.get("k");
    server.feed("$1\r\nx\r\n$1\r\nx\r\n$1\r\ny\r\n");
    for call in calls {
        assert_eq!(now(call).unwrap().unwrap(), "x");
    }
    assert_eq!(now(one_more).unwrap().unwrap(), "y");
}

#[test]
fn what_waits_for_the_login_is_bounded_in_bytes() {
    let (redis, protocol) = Redis::new(limited(|limits| limits.early = 100));
    let mut server = StringTransport::connect(protocol);
    let small = redis.get("k");
    assert!(matches!(
        now(redis.get("k".repeat(100))),
        Err(RedisError::TooManyCalls)
    ));
    server.feed("%0\r\n");
    server.feed("$1\r\nx\r\n");
    assert_eq!(now(small).unwrap().unwrap(), "x");
}

#[test]
fn output_that_piles_up_makes_calls_unwelcome_until_it_drains() {
    let (redis, protocol) = Redis::new(RedisSettings::new());
    let mut limits = Limits::default();
    limits.write_high = 1000;
    limits.write_low = 100;
    let mut server = StringTransport::builder().limits(limits).connect(protocol);
    server.feed("%0\r\n");
    server.take_sent();
    server.set_window(0);
    let mut sent = 0;
    while redis.wants_calls() {
        redis.set("k", "x".repeat(100)).finish(|_| ());
        sent += 1;
    }
    assert!((6..12).contains(&sent), "{sent}");
    let ready = redis.ready().try_take().expect_err("nothing has drained");
    server.set_window(usize::MAX);
    assert!(now(ready).is_ok() && redis.wants_calls());
}

#[test]
fn a_reply_beyond_the_bounds_ends_the_connection_at_its_header() {
    for header in ["$1001\r\n", "*101\r\n", "*1\r\n*1\r\n*1\r\n"] {
        let (redis, mut server) = with(limited(|limits| {
            limits.reply = 1000;
            limits.items = 100;
            limits.depth = 2;
        }));
        let call = redis.command(&["GET", "k"]);
        server.feed(header);
        let reason = Disconnect::LimitPassed(Limit::Message);
        assert_eq!(server.lost(), Some(reason.clone()));
        assert!(matches!(now(call), Err(RedisError::Lost(lost)) if lost == reason));
    }
}

#[test]
fn a_large_value_needs_no_room_in_the_connection() {
    let (redis, protocol) = Redis::new(RedisSettings::new());
    let mut limits = Limits::default();
    limits.unread = 1000;
    let mut server = StringTransport::builder().limits(limits).connect(protocol);
    server.feed("%0\r\n");
    let call = redis.get("k");
    server.feed("$3000000\r\n");
    for _ in 0..3000 {
        server.feed([b'x'; 1000]);
    }
    server.feed("\r\n");
    assert_eq!(now(call).unwrap().unwrap().len(), 3_000_000);
}
