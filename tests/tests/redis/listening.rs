//! Publish and subscribe, and what a server says unasked.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_wire::redis::{Invalidated, RedisError, RedisLimits, RedisSettings};

use crate::bench::{Bench, versions};

#[test]
fn channels_patterns_and_shards() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let speaker = bench.connect(RedisSettings::new());
    for settings in versions() {
        let redis = bench.connect(settings);
        let channels = bench.get(redis.subscribe(&["a", "b"]));
        let patterns = bench.get(redis.psubscribe(&["b*"]));
        let shard = bench.get(redis.ssubscribe(&["s"]));
        assert_eq!(bench.get(speaker.publish("a", "1")), 1);
        assert_eq!(bench.get(speaker.publish("b", "2")), 2);
        assert_eq!(bench.get(speaker.spublish("s", "3")), 1);
        assert_eq!(bench.get(channels.next()).unwrap().payload, "1");
        assert_eq!(bench.get(channels.next()).unwrap().payload, "2");
        let message = bench.get(patterns.next()).unwrap();
        assert_eq!(message.pattern.unwrap(), "b*");
        assert_eq!(
            (&message.channel[..], &message.payload[..]),
            (&b"b"[..], &b"2"[..])
        );
        assert_eq!(bench.get(shard.next()).unwrap().payload, "3");
        bench.get(redis.ping());
        bench.get(channels.unsubscribe());
        bench.get(patterns.unsubscribe());
        bench.get(shard.unsubscribe());
        assert_eq!(bench.get(speaker.publish("b", "4")), 0);
        assert_eq!(
            bench.get(redis.echo("an ordinary connection")),
            "an ordinary connection"
        );
    }
}

#[test]
fn ten_thousand_messages_to_a_slow_consumer_and_a_callback() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let speaker = bench.connect(RedisSettings::new());
    for settings in versions() {
        let mut limits = RedisLimits::default();
        limits.messages = 10;
        let listener = bench.connect(settings.limits(limits));
        let slow = bench.get(listener.subscribe(&["news"]));
        let quick = bench.get(listener.psubscribe(&["n*"]));
        let heard = Rc::new(RefCell::new(Vec::new()));
        let hear = Rc::clone(&heard);
        quick.on_message(move |message| hear.borrow_mut().push(message.payload));
        let mut said = Vec::new();
        for at in 0..10_000 {
            said.push(speaker.publish("news", at));
        }
        for call in said {
            assert_eq!(bench.get(call), 2);
        }
        for at in 0..10_000 {
            assert_eq!(bench.get(slow.next()).unwrap().payload, at.to_string());
        }
        assert_eq!(heard.borrow().len(), 10_000);
        listener.close();
    }
}

#[test]
fn keys_that_changed_are_told() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let writer = bench.connect(RedisSettings::new());
    let redis = bench.connect(RedisSettings::new());
    let stale = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&stale);
    redis.on_push(move |push| notes.borrow_mut().extend(push.invalidated()));
    bench.get(redis.command(&["CLIENT", "TRACKING", "ON"]));
    bench.get(redis.get("k"));
    bench.get(writer.set("k", 1));
    bench.get(redis.ping());
    let keys = Invalidated::Keys(vec!["k".into()]);
    assert_eq!(*stale.borrow(), [keys]);
    bench.get(writer.flushdb());
    bench.get(redis.ping());
    assert_eq!(stale.borrow().last(), Some(&Invalidated::All));
}

#[test]
fn a_user_who_may_not_listen_is_told() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let admin = bench.connect(RedisSettings::new());
    let rules = [
        "ACL",
        "SETUSER",
        "deaf",
        "on",
        "nopass",
        "~*",
        "+@all",
        "resetchannels",
    ];
    bench.get(admin.command(&rules));
    for settings in versions() {
        let redis = bench.connect(settings.user("deaf").password("x"));
        let refused = bench.end(redis.subscribe(&["a", "b"])).unwrap_err();
        assert!(matches!(refused, RedisError::Server(_)), "{refused}");
        bench.get(redis.ping());
    }
}
