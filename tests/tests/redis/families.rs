//! Each family of commands, in both versions of the protocol.

use std::time::Duration;

use bytes::Bytes;
use torsade_wire::redis::{Command, ErrorCode, FromValue, Redis, SetOptions, Ttl, Value};

use crate::bench::{Bench, versions};

/// The same for a client of each version, on an empty database.
fn each(test: impl Fn(&mut Bench, &Redis)) {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    for settings in versions() {
        let redis = bench.connect(settings);
        bench.get(redis.flushdb());
        test(&mut bench, &redis);
    }
}

fn sorted(mut all: Vec<Bytes>) -> Vec<Bytes> {
    all.sort();
    all
}

#[test]
fn strings() {
    each(|bench, redis| {
        bench.get(redis.set("k", "value"));
        assert_eq!(bench.get(redis.get("k")).unwrap(), "value");
        assert_eq!(bench.get(redis.get("none")), None);
        assert_eq!(bench.get(redis.append("k", "!")), 6);
        assert_eq!(bench.get(redis.strlen("k")), 6);
        assert_eq!(bench.get(redis.get_range("k", 0, 2)), "val");
        assert_eq!(bench.get(redis.set_range("k", 5, "s")), 6);
        assert_eq!(bench.get(redis.get_del("k")).unwrap(), "values");
        assert!(bench.get(redis.set_nx("k", 1)));
        assert!(!bench.get(redis.set_nx("k", 2)));
        assert_eq!(bench.get(redis.incr("k")), 2);
        assert_eq!(bench.get(redis.incr_by("k", 40)), 42);
        assert_eq!(bench.get(redis.decr("k")), 41);
        assert_eq!(bench.get(redis.decr_by("k", 1)), 40);
        assert_eq!(bench.get(redis.incr_by_float("k", 0.5)), 40.5);
        bench.get(redis.mset(&[("a", "1"), ("b", "2")]));
        let several = bench.get(redis.mget(&["a", "none", "b"]));
        assert_eq!(several, [Some("1".into()), None, Some("2".into())]);
        let new = SetOptions::new().only_if_new();
        assert!(!bench.get(redis.set_with("a", "x", &new)));
        let minute = SetOptions::new().expires_in(Duration::from_secs(60));
        assert!(bench.get(redis.set_with("a", "x", &minute)));
        let keep = SetOptions::new().keeps_ttl().only_if_there();
        let before = bench.get(redis.set_and_get("a", "y", &keep));
        assert_eq!(before.unwrap(), "x");
        assert!(matches!(bench.get(redis.ttl("a")), Ttl::In(_)));
        bench.get(redis.set_ex("b", "z", Duration::from_secs(60)));
        let binary: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
        bench.get(redis.set([0u8, 13, 10, 255], &binary));
        assert!(bench.get(redis.get([0u8, 13, 10, 255])).unwrap() == binary);
        assert_eq!(bench.get(redis.get("")), None);
    });
}

#[test]
fn keys_and_their_times() {
    each(|bench, redis| {
        for at in 0..100 {
            redis.set(format!("key:{at}"), at).detach();
        }
        assert_eq!(bench.get(redis.exists(&["key:1", "key:2", "none"])), 2);
        assert_eq!(bench.get(redis.touch(&["key:1"])), 1);
        assert_eq!(bench.get(redis.type_of("key:1")), "string");
        assert_eq!(bench.get(redis.type_of("none")), "none");
        assert_eq!(bench.get(redis.ttl("key:1")), Ttl::Forever);
        assert_eq!(bench.get(redis.ttl("none")), Ttl::Missing);
        assert!(bench.get(redis.expire("key:1", Duration::from_secs(100))));
        let Ttl::In(left) = bench.get(redis.ttl("key:1")) else {
            panic!("it does not go")
        };
        assert!(left <= Duration::from_secs(100));
        assert!(bench.get(redis.persist("key:1")));
        bench.get(redis.rename("key:1", "renamed"));
        assert!(!bench.get(redis.rename_nx("key:2", "key:3")));
        assert!(bench.get(redis.copy("key:2", "copied")));
        assert_eq!(bench.get(redis.keys("*ed")).len(), 2);
        assert!(bench.get(redis.random_key()).is_some());
        let mut seen = Vec::new();
        let mut cursor = 0;
        loop {
            let scanned = bench.get(redis.scan(cursor, "key:*", 10));
            seen.extend(scanned.items);
            cursor = scanned.cursor;
            if cursor == 0 {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 99);
        assert_eq!(bench.get(redis.del(&["renamed", "none"])), 1);
        assert_eq!(bench.get(redis.unlink(&["copied", "key:2"])), 2);
        assert_eq!(bench.get(redis.dbsize()), 98);
    });
}

#[test]
fn hashes() {
    each(|bench, redis| {
        assert_eq!(bench.get(redis.hset("h", "a", 1)), 1);
        assert_eq!(bench.get(redis.hset_all("h", &[("a", "2"), ("b", "3")])), 1);
        assert!(!bench.get(redis.hset_nx("h", "a", 9)));
        assert_eq!(bench.get(redis.hget("h", "a")).unwrap(), "2");
        let several = bench.get(redis.hmget("h", &["a", "none"]));
        assert_eq!(several, [Some("2".into()), None]);
        let all = bench.get(redis.hgetall("h"));
        assert_eq!(all, [("a".into(), "2".into()), ("b".into(), "3".into())]);
        assert_eq!(bench.get(redis.hkeys("h")), ["a", "b"]);
        assert_eq!(bench.get(redis.hvals("h")), ["2", "3"]);
        assert_eq!(bench.get(redis.hlen("h")), 2);
        assert!(bench.get(redis.hexists("h", "b")));
        assert_eq!(bench.get(redis.hincr_by("h", "a", 5)), 7);
        assert_eq!(bench.get(redis.hincr_by_float("h", "a", 0.25)), 7.25);
        let scanned = bench.get(redis.hscan("h", 0, "b*", 10));
        assert_eq!(scanned.items, [("b".into(), "3".into())]);
        assert_eq!(bench.get(redis.hdel("h", &["a", "b", "c"])), 2);
        assert!(bench.get(redis.hgetall("h")).is_empty());
    });
}

#[test]
fn lists() {
    each(|bench, redis| {
        assert_eq!(bench.get(redis.rpush("l", &["b", "c"])), 2);
        assert_eq!(bench.get(redis.lpush("l", &["a"])), 3);
        assert_eq!(bench.get(redis.llen("l")), 3);
        assert_eq!(bench.get(redis.lrange("l", 0, -1)), ["a", "b", "c"]);
        assert_eq!(bench.get(redis.lindex("l", -1)).unwrap(), "c");
        assert_eq!(bench.get(redis.lindex("l", 9)), None);
        bench.get(redis.lset("l", 0, "c"));
        assert_eq!(bench.get(redis.lrem("l", 1, "c")), 1);
        assert_eq!(bench.get(redis.rpop_lpush("l", "m")).unwrap(), "c");
        bench.get(redis.ltrim("l", 0, 0));
        assert_eq!(bench.get(redis.lpop("l")).unwrap(), "b");
        assert_eq!(bench.get(redis.rpop("l")), None);
        let popped = bench.get(redis.blpop(&["l", "m"], Duration::from_secs(60)));
        assert_eq!(popped.unwrap(), ("m".into(), "c".into()));
        let nothing = bench.get(redis.blpop(&["l"], Duration::from_millis(1)));
        assert_eq!(nothing, None);
    });
}

#[test]
fn sets() {
    each(|bench, redis| {
        assert_eq!(bench.get(redis.sadd("s", &["a", "b", "c"])), 3);
        assert_eq!(bench.get(redis.sadd("t", &["b", "c", "d"])), 3);
        assert_eq!(sorted(bench.get(redis.smembers("s"))), ["a", "b", "c"]);
        assert!(bench.get(redis.sismember("s", "a")));
        assert!(!bench.get(redis.sismember("s", "d")));
        assert_eq!(bench.get(redis.scard("s")), 3);
        assert_eq!(sorted(bench.get(redis.sinter(&["s", "t"]))), ["b", "c"]);
        assert_eq!(bench.get(redis.sunion(&["s", "t"])).len(), 4);
        assert_eq!(bench.get(redis.sdiff(&["s", "t"])), ["a"]);
        assert!(bench.get(redis.smove("s", "t", "a")));
        assert_eq!(bench.get(redis.sscan("t", 0, "a", 100)).items, ["a"]);
        assert_eq!(bench.get(redis.srem("t", &["a", "x"])), 1);
        assert!(bench.get(redis.spop("t")).is_some());
        assert_eq!(bench.get(redis.spop("none")), None);
    });
}

#[test]
fn sorted_sets() {
    each(|bench, redis| {
        assert_eq!(bench.get(redis.zadd("z", 1.5, "a")), 1);
        let more = [(2.0, "b"), (f64::INFINITY, "c"), (-1.0, "d")];
        assert_eq!(bench.get(redis.zadd_all("z", &more)), 3);
        assert_eq!(bench.get(redis.zscore("z", "a")), Some(1.5));
        assert_eq!(bench.get(redis.zscore("z", "c")), Some(f64::INFINITY));
        assert_eq!(bench.get(redis.zscore("z", "none")), None);
        assert_eq!(bench.get(redis.zincr_by("z", 0.25, "a")), 1.75);
        assert_eq!(bench.get(redis.zcard("z")), 4);
        assert_eq!(bench.get(redis.zcount("z", "(1.75", "+inf")), 2);
        assert_eq!(bench.get(redis.zrank("z", "d")), Some(0));
        assert_eq!(bench.get(redis.zrevrank("z", "d")), Some(3));
        assert_eq!(bench.get(redis.zrank("z", "none")), None);
        assert_eq!(bench.get(redis.zrange("z", 0, -1)), ["d", "a", "b", "c"]);
        assert_eq!(bench.get(redis.zrevrange("z", 0, 1)), ["c", "b"]);
        let scored = bench.get(redis.zrange_with_scores("z", 0, 1));
        assert_eq!(scored, [("d".into(), -1.0), ("a".into(), 1.75)]);
        assert_eq!(bench.get(redis.zrange_by_score("z", 0, 2)), ["a", "b"]);
        let scanned = bench.get(redis.zscan("z", 0, "a", 10));
        assert_eq!(scanned.items, [("a".into(), 1.75)]);
        assert_eq!(bench.get(redis.zpop_min("z")), [("d".into(), -1.0)]);
        assert_eq!(
            bench.get(redis.zpop_max("z")),
            [("c".into(), f64::INFINITY)]
        );
        assert_eq!(bench.get(redis.zrem_range_by_score("z", 2, 2)), 1);
        assert_eq!(bench.get(redis.zrem("z", &["a", "b"])), 1);
    });
}

#[test]
fn scripts() {
    each(|bench, redis| {
        let script = "return {KEYS[1], ARGV[1], 7, {false}}";
        let value = bench.get(redis.eval(script, &["k"], &["v"]));
        let (key, rest) = <(String, Value)>::from_value(match value {
            Value::Array(items) => Value::Array(vec![items[0].clone(), items[3].clone()]),
            other => panic!("{other:?}"),
        })
        .unwrap();
        assert_eq!((key.as_str(), rest), ("k", Value::Array(vec![Value::Nil])));
        let digest = bench.get(redis.script_load("return redis.call('INCR', KEYS[1])"));
        let none: [&str; 0] = [];
        assert_eq!(
            bench.get(redis.evalsha(&digest, &["n"], &none)),
            Value::Integer(1)
        );
        let unknown = bench.end(redis.evalsha("0".repeat(40), &["n"], &none));
        let error = unknown.unwrap_err();
        assert_eq!(error.server().unwrap().code(), ErrorCode::NoScript);
    });
}

#[test]
fn streams() {
    each(|bench, redis| {
        let first = bench.get(redis.xadd("s", &[("a", "1"), ("b", "2")]));
        let second = bench.get(redis.xadd("s", &[("a", "3")]));
        assert_eq!(bench.get(redis.xlen("s")), 2);
        let all = bench.get(redis.xrange("s", "-", "+"));
        assert_eq!((&all[0].id, &all[1].id), (&first, &second));
        assert_eq!(all[0].fields[1], ("b".into(), "2".into()));
        let read = bench.get(redis.xread(10, &[("s", first.as_str())])).0;
        assert_eq!((&read[0].0[..], read[0].1.len()), (&b"s"[..], 1));
        assert!(bench.get(redis.xread(10, &[("s", "$")])).0.is_empty());
        bench.get(redis.xgroup_create("s", "g", 0));
        let again = bench.end(redis.xgroup_create("s", "g", 0)).unwrap_err();
        assert_eq!(again.server().unwrap().code(), ErrorCode::BusyGroup);
        let read = bench.get(redis.xreadgroup("g", "ann", 10, &[("s", ">")])).0;
        assert_eq!(read[0].1.len(), 2);
        bench.get(redis.xdel("s", &[&second]));
        // One that was deleted and is not acknowledged yet is there without its fields.
        let pending = bench.get(redis.xreadgroup("g", "ann", 10, &[("s", "0")])).0;
        assert_eq!(pending[0].1[1].fields, []);
        assert_eq!(bench.get(redis.xack("s", "g", &[&first, &second])), 2);
        assert_eq!(bench.get(redis.xtrim("s", 0)), 1);
    });
}

#[test]
fn the_server_and_commands_by_name() {
    each(|bench, redis| {
        bench.get(redis.ping());
        assert_eq!(bench.get(redis.echo("hello")), "hello");
        assert!(bench.get(redis.info("server")).contains("redis_version:"));
        assert!(bench.get(redis.time()) > Duration::from_secs(1_600_000_000));
        assert!(bench.get(redis.client_id()) > 0);
        bench.get(redis.config_set("maxmemory", "100mb"));
        let settings = bench.get(redis.config_get("maxmemory"));
        assert_eq!(settings, [("maxmemory".to_owned(), "104857600".to_owned())]);
        bench.get(redis.select(1));
        bench.get(redis.set("only-here", 1));
        bench.get(redis.select(0));
        assert_eq!(bench.get(redis.exists(&["only-here"])), 0);
        let docs = bench.get(redis.command(&["COMMAND", "DOCS", "GET"]));
        assert!(matches!(docs, Value::Array(_) | Value::Map(_)));
        let number: u64 = bench.get(
            redis
                .call(&Command::new("OBJECT").arg("FREQ").arg("x"))
                .or_else(|_| torsade_deferred::Deferred::succeed(7)),
        );
        assert_eq!(number, 7);
        let wrong = bench.end(redis.command(&["NOSUCH"])).unwrap_err();
        assert_eq!(wrong.server().unwrap().code(), ErrorCode::Err);
        bench.get(redis.set("text", "x"));
        let wrong = bench.end(redis.incr("text")).unwrap_err();
        assert_eq!(wrong.server().unwrap().code(), ErrorCode::Err);
        let wrong = bench.end(redis.lpop("text")).unwrap_err();
        assert_eq!(wrong.server().unwrap().code(), ErrorCode::WrongType);
    });
}
