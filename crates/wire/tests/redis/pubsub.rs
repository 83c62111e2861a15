//! Publish and subscribe, in both versions.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::Disconnect;
use torsade_wire::redis::{
    Invalidated, Message, Redis, RedisError, RedisLimits, RedisSettings, Subscription,
};

use crate::fake::{Server, now, push, resp2, resp3, sent, with};

fn both() -> [(char, Redis, Server); 2] {
    let (two, three) = (resp2(), resp3());
    [('*', two.0, two.1), ('>', three.0, three.1)]
}

fn subscribed(sign: char, redis: &Redis, server: &mut Server, name: &str) -> Subscription {
    let subscription = redis.subscribe(&[name]);
    server.feed(push(sign, &["subscribe", name, "1"]));
    now(subscription).expect("subscribed")
}

fn next(subscription: &Subscription) -> Message {
    now(subscription.next()).expect("no error").expect("no end")
}

#[test]
fn channels_and_patterns_in_every_split() {
    let length = {
        let sign = '>';
        [
            push(sign, &["subscribe", "a", "1"]),
            push(sign, &["subscribe", "b", "2"]),
            push(sign, &["psubscribe", "n*", "3"]),
            push(sign, &["message", "b", "hello"]),
            push(sign, &["pmessage", "n*", "news", "world"]),
        ]
        .concat()
        .len()
    };
    for cut in 0..length {
        for (sign, redis, mut server) in both() {
            let channels = redis.subscribe(&["a", "b"]);
            let patterns = redis.psubscribe(&["n*"]);
            assert_eq!(sent(&mut server), ["SUBSCRIBE a b", "PSUBSCRIBE n*"]);
            let wire = [
                push(sign, &["subscribe", "a", "1"]),
                push(sign, &["subscribe", "b", "2"]),
                push(sign, &["psubscribe", "n*", "3"]),
                push(sign, &["message", "b", "hello"]),
                push(sign, &["pmessage", "n*", "news", "world"]),
            ]
            .concat();
            server.feed(&wire[..cut]);
            server.feed(&wire[cut..]);
            let message = next(&now(channels).unwrap());
            assert_eq!(
                (&message.channel[..], &message.payload[..]),
                (&b"b"[..], &b"hello"[..])
            );
            assert_eq!(message.pattern, None);
            let message = next(&now(patterns).unwrap());
            assert_eq!(
                (&message.channel[..], &message.payload[..]),
                (&b"news"[..], &b"world"[..])
            );
            assert_eq!(message.pattern.unwrap(), "n*");
        }
    }
}

#[test]
fn several_subscriptions_to_one_name_each_get_all_and_the_last_one_ends_it() {
    for (sign, redis, mut server) in both() {
        let one = subscribed(sign, &redis, &mut server, "a");
        let two = subscribed(sign, &redis, &mut server, "a");
        server.take_sent();
        server.feed(push(sign, &["message", "a", "m1"]));
        assert_eq!(next(&one), next(&two));
        assert!(now(one.unsubscribe()).is_ok(), "at once: another is left");
        assert!(sent(&mut server).is_empty());
        server.feed(push(sign, &["message", "a", "m2"]));
        assert_eq!(next(&two).payload, "m2");
        let done = two.unsubscribe();
        assert_eq!(sent(&mut server), ["UNSUBSCRIBE a"]);
        // One that was on its way is for nobody.
        server.feed(push(sign, &["message", "a", "m3"]));
        server.feed(push(sign, &["unsubscribe", "a", "0"]));
        assert!(now(done).is_ok());
        // And the connection is an ordinary one again, in which an array is a reply.
        let call = redis.lrange("l", 0, -1);
        server.feed("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
        assert_eq!(now(call).unwrap(), ["message", "a", "b"]);
    }
}

#[test]
fn replies_before_the_subscription_are_replies() {
    for (sign, redis, mut server) in both() {
        let range = redis.lrange("l", 0, -1);
        let subscription = redis.subscribe(&["a"]);
        server.feed("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
        server.feed(push(sign, &["subscribe", "a", "1"]));
        server.feed(push(sign, &["message", "a", "m"]));
        assert_eq!(now(range).unwrap(), ["message", "a", "b"]);
        assert_eq!(next(&now(subscription).unwrap()).payload, "m");
    }
}

#[test]
fn in_resp2_a_listening_connection_takes_no_commands_but_ping() {
    let (redis, mut server) = resp2();
    let subscription = redis.subscribe(&["a"]);
    assert!(matches!(now(redis.get("k")), Err(RedisError::Refused(_))));
    let transaction = redis.transaction();
    assert!(matches!(
        now(transaction.exec()),
        Err(RedisError::Refused(_))
    ));
    server.feed(push('*', &["subscribe", "a", "1"]));
    let subscription = now(subscription).unwrap();
    let ping = redis.ping();
    server.feed(push('*', &["message", "a", "m"]));
    server.feed("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert!(now(ping).is_ok());
    assert_eq!(next(&subscription).payload, "m");

    let (redis, mut server) = resp3();
    let _subscription = subscribed('>', &redis, &mut server, "a");
    let call = redis.get("k");
    server.feed(push('>', &["message", "a", "m"]));
    server.feed("$1\r\nx\r\n");
    assert_eq!(now(call).unwrap().unwrap(), "x");
}

#[test]
fn a_call_made_too_early_for_resp2_is_told_so_by_the_server_and_nothing_shifts() {
    let (redis, protocol) = Redis::new(RedisSettings::new());
    let mut server = torsade_testing::StringTransport::connect(protocol);
    let (one, subscription, two) = (redis.get("k"), redis.subscribe(&["a"]), redis.get("k"));
    server.feed("-ERR unknown command `HELLO`\r\n");
    server.feed("$1\r\nx\r\n");
    server.feed(push('*', &["subscribe", "a", "1"]));
    server.feed(push('*', &["message", "a", "m"]));
    server.feed("-ERR only (P)SUBSCRIBE\r\n");
    assert_eq!(now(one).unwrap().unwrap(), "x");
    assert!(matches!(now(two), Err(RedisError::Server(_))));
    assert_eq!(next(&now(subscription).unwrap()).payload, "m");
}

#[test]
fn a_refused_subscription_fails_alone() {
    for (_, redis, mut server) in both() {
        let refused = redis.subscribe(&["a", "b"]);
        server.feed("-NOPERM no\r\n");
        assert!(matches!(now(refused), Err(RedisError::Server(_))));
        assert_eq!(server.lost(), None);
    }
}

#[test]
fn callbacks_get_what_waited_first_and_may_do_anything() {
    for (sign, redis, mut server) in both() {
        let subscription = Rc::new(subscribed(sign, &redis, &mut server, "a"));
        server.feed(push(sign, &["message", "a", "m1"]));
        server.feed(push(sign, &["message", "a", "m2"]));
        let heard = Rc::new(RefCell::new(Vec::new()));
        let (hear, again, same) = (
            Rc::clone(&heard),
            Rc::clone(&heard),
            Rc::clone(&subscription),
        );
        subscription.on_message(move |message| {
            hear.borrow_mut().push(message.payload);
            if hear.borrow().len() == 3 {
                let again = Rc::clone(&again);
                same.on_message(move |message| {
                    again
                        .borrow_mut()
                        .push([b"2:", &message.payload[..]].concat().into());
                });
            }
        });
        server.feed(push(sign, &["message", "a", "m3"]));
        server.feed(push(sign, &["message", "a", "m4"]));
        assert_eq!(*heard.borrow(), ["m1", "m2", "m3", "2:m4"]);
        assert!(matches!(
            now(subscription.next()),
            Err(RedisError::Refused(_))
        ));
        // Dropped with a callback, it goes on.
        server.take_sent();
        drop(subscription);
        server.feed(push(sign, &["message", "a", "m5"]));
        assert_eq!(heard.borrow().len(), 5);
        assert!(sent(&mut server).is_empty());
    }
}

#[test]
fn a_cancelled_consumer_loses_no_message() {
    let (redis, mut server) = resp3();
    let subscription = subscribed('>', &redis, &mut server, "a");
    let (one, two) = (subscription.next(), subscription.next());
    one.cancel();
    server.feed(push('>', &["message", "a", "m"]));
    assert_eq!(now(two).unwrap().unwrap().payload, "m");
}

#[test]
fn dropping_unsubscribes_and_a_loss_ends_after_what_had_come() {
    for (sign, redis, mut server) in both() {
        drop(subscribed(sign, &redis, &mut server, "a"));
        assert_eq!(sent(&mut server), ["SUBSCRIBE a", "UNSUBSCRIBE a"]);
        server.feed(push(sign, &["unsubscribe", "a", "0"]));
        let subscription = subscribed(sign, &redis, &mut server, "b");
        server.feed(push(sign, &["message", "b", "m"]));
        server.reset();
        assert_eq!(next(&subscription).payload, "m");
        for _ in 0..2 {
            let end = now(subscription.next());
            assert!(matches!(end, Err(RedisError::Lost(Disconnect::Reset))));
        }
        let late = redis.subscribe(&["c"]);
        assert!(matches!(
            now(late),
            Err(RedisError::Lost(Disconnect::Reset))
        ));
    }
}

#[test]
fn a_slow_consumer_pauses_the_peer_until_half_is_taken() {
    let mut limits = RedisLimits::default();
    limits.messages = 4;
    let (redis, mut server) = with(RedisSettings::new().limits(limits));
    let slow = subscribed('>', &redis, &mut server, "a");
    let other = subscribed('>', &redis, &mut server, "b");
    for at in 0..10 {
        server.feed(push('>', &["message", "a", &format!("m{at}")]));
    }
    server.feed(push('>', &["message", "b", "x"]));
    assert!(!server.is_reading());
    let waits = other
        .next()
        .try_take()
        .expect_err("behind those of the slow one");
    for at in 0..10 {
        assert_eq!(next(&slow).payload, format!("m{at}"));
        server.advance(Duration::ZERO);
    }
    assert!(server.is_reading());
    assert_eq!(now(waits).unwrap().unwrap().payload, "x");
    // Whoever leaves lets go of the connection, too.
    for _ in 0..4 {
        server.feed(push('>', &["message", "a", "m"]));
    }
    assert!(!server.is_reading());
    drop(slow);
    assert!(server.is_reading());
}

#[test]
fn pushes_and_invalidations_of_both_kinds() {
    let (redis, mut server) = resp3();
    let pushes = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&pushes);
    redis.on_push(move |push| notes.borrow_mut().push(push));
    let call = redis.get("k");
    server.feed(">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    server.feed(">2\r\n$10\r\ninvalidate\r\n_\r\n");
    server.feed(">2\r\n+other\r\n:1\r\n");
    server.feed("$1\r\nx\r\n");
    assert!(now(call).is_ok());
    let told: Vec<_> = pushes
        .take()
        .iter()
        .map(|push| push.invalidated())
        .collect();
    let keys = Invalidated::Keys(vec!["a".into(), "b".into()]);
    assert_eq!(told, [Some(keys.clone()), Some(Invalidated::All), None]);

    // RESP2 has them told on a channel of a connection of its own.
    let (redis, mut server) = resp2();
    let notes = Rc::clone(&pushes);
    redis.on_push(move |push| notes.borrow_mut().push(push));
    let _channel = subscribed('*', &redis, &mut server, "__redis__:invalidate");
    server
        .feed("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assert_eq!(pushes.take()[0].invalidated(), Some(keys));
}

#[test]
fn a_sharded_channel_that_moves_away_ends() {
    let (redis, mut server) = resp3();
    let subscription = redis.ssubscribe(&["a"]);
    server.feed(push('>', &["ssubscribe", "a", "1"]));
    let subscription = now(subscription).unwrap();
    server.feed(push('>', &["smessage", "a", "m"]));
    server.feed(push('>', &["sunsubscribe", "a", "0"]));
    assert_eq!(next(&subscription).payload, "m");
    assert_eq!(now(subscription.next()).unwrap(), None);
    assert_eq!(server.lost(), None);
}
