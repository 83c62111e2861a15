//! What replies are turned into.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use torsade_wire::redis::{
    Entry, ErrorCode, FromValue, RedisError, ServerError, SetOptions, Ttl, Value,
};

use crate::fake::{now, resp2, resp3, sent};

fn array(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| Value::from(*item)).collect())
}

#[test]
fn both_versions_give_the_same() {
    let map = Value::Map(vec![("a".into(), "1".into()), ("b".into(), "2".into())]);
    let nested = Value::Array(vec![array(&["a", "1"]), array(&["b", "2"])]);
    for value in [map, array(&["a", "1", "b", "2"]), nested] {
        let pairs = Vec::<(String, u32)>::from_value(value.clone()).unwrap();
        assert_eq!(pairs, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let map = BTreeMap::<String, i64>::from_value(value).unwrap();
        assert_eq!(map["b"], 2);
    }
    let set = BTreeSet::<String>::from_value(Value::Set(vec!["a".into()])).unwrap();
    assert!(set.contains("a"));
    for value in [Value::from("1.5"), Value::Double(1.5)] {
        assert_eq!(f64::from_value(value).unwrap(), 1.5);
    }
    for value in [
        Value::Integer(1),
        Value::Boolean(true),
        Value::Status("OK".into()),
    ] {
        assert!(bool::from_value(value).unwrap());
    }
    assert!(!bool::from_value(Value::Nil).unwrap());
    assert_eq!(Option::<u64>::from_value(Value::Nil).unwrap(), None);
    assert_eq!(Bytes::from_value(Value::Integer(-7)).unwrap(), "-7");
    assert_eq!(Vec::<u8>::from_value(Value::from("ab")).unwrap(), b"ab");
}

#[test]
fn what_does_not_fit_says_what_was_wanted_and_what_came() {
    let cases: [(Result<(), RedisError>, &str); 6] = [
        (
            i64::from_value(Value::from("x")).map(drop),
            "bytes where an integer was expected",
        ),
        (
            u64::from_value(Value::Integer(-1)).map(drop),
            "an integer where an integer that fits",
        ),
        (
            Bytes::from_value(Value::Nil).map(drop),
            "nil where bytes was expected",
        ),
        (
            Vec::<i64>::from_value(Value::Nil).map(drop),
            "nil where an array was expected",
        ),
        (
            Vec::<(i64, i64)>::from_value(array(&["1", "2", "3"])).map(drop),
            "an array of another length where an array of two",
        ),
        (
            String::from_value(Value::Bulk(Bytes::from_static(b"\xff"))).map(drop),
            "bytes that are no UTF-8 where text",
        ),
    ];
    for (result, text) in cases {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let inside = Value::Array(vec![Value::Error(ServerError::new("ERR no"))]);
    let error = Vec::<i64>::from_value(inside).unwrap_err();
    assert!(matches!(error, RedisError::Server(_)));

    let (redis, mut server) = resp3();
    let (call, next) = (redis.incr("n"), redis.incr("n"));
    server.feed("*0\r\n:2\r\n");
    assert!(matches!(now(call), Err(RedisError::Unexpected { .. })));
    assert_eq!(now(next).unwrap(), 2);
}

#[test]
fn errors_are_known_by_their_word() {
    let error = |text: &str| ServerError::new(text);
    assert_eq!(error("NOAUTH please").code(), ErrorCode::NoAuth);
    assert_eq!(error("EXECABORT").code(), ErrorCode::ExecAbort);
    assert_eq!(error("EXECABORT").message(), "");
    assert_eq!(error("MYMODULE x").code(), ErrorCode::Other);
    assert_eq!(error("MYMODULE x").word(), "MYMODULE");
    assert_eq!(error("ASK 7 :6380").redirection().unwrap().address, ":6380");
    for none in ["ERR 7 :6380", "MOVED", "MOVED x y", "MOVED 70000 a:1"] {
        assert_eq!(error(none).redirection(), None, "{none}");
    }
    assert_eq!(error("ERR a\r\nb").to_string(), "ERR a  b");
}

#[test]
fn commands_have_the_words_that_redis_wants() {
    let (redis, mut server) = resp2();
    let lock = SetOptions::new()
        .only_if_new()
        .expires_in(Duration::from_secs(2));
    redis.set_with("k", "v", &lock).finish(|_| ());
    redis
        .set_and_get("k", "v", &SetOptions::new().keeps_ttl().only_if_there())
        .finish(|_| ());
    redis
        .set_ex("k", "v", Duration::from_micros(3))
        .finish(|_| ());
    redis
        .zadd_all("z", &[(1.0, "a"), (f64::INFINITY, "b")])
        .finish(|_| ());
    redis
        .eval("return 1", &["k1", "k2"], &[7, 8])
        .finish(|_| ());
    redis
        .xreadgroup("g", "c", 5, &[("s1", ">"), ("s2", "0")])
        .finish(|_| ());
    redis.xack("s", "g", &["1-0", "2-0"]).finish(|_| ());
    redis.hscan("h", 3, "f*", 10).finish(|_| ());
    redis
        .blpop(&["a", "b"], Duration::from_millis(1500))
        .finish(|_| ());
    redis.rpop_lpush("a", "b").finish(|_| ());
    assert_eq!(
        sent(&mut server),
        [
            "SET k v NX PX 2000",
            "SET k v XX KEEPTTL GET",
            "SET k v PX 1",
            "ZADD z 1 a inf b",
            "EVAL return 1 2 k1 k2 7 8",
            "XREADGROUP GROUP g c COUNT 5 STREAMS s1 s2 > 0",
            "XACK s g 1-0 2-0",
            "HSCAN h 3 MATCH f* COUNT 10",
            "BLPOP a b 1.5",
            "LMOVE a b RIGHT LEFT",
        ]
    );
}

#[test]
fn replies_of_the_families_are_what_they_say() {
    let (redis, mut server) = resp2();
    let (ttl, never, gone) = (redis.ttl("k"), redis.ttl("k"), redis.ttl("k"));
    let (scanned, time) = (redis.hscan("h", 0, "*", 10), redis.time());
    let (entries, nothing) = (redis.xread(1, &[("s", "0")]), redis.xread(1, &[("s", "0")]));
    server.feed(":1500\r\n:-1\r\n:-2\r\n*2\r\n$1\r\n7\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    server.feed("*2\r\n$2\r\n10\r\n$1\r\n5\r\n");
    server.feed(
        "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*-1\r\n",
    );
    assert_eq!(now(ttl).unwrap(), Ttl::In(Duration::from_millis(1500)));
    assert_eq!(now(never).unwrap(), Ttl::Forever);
    assert_eq!(now(gone).unwrap(), Ttl::Missing);
    let scanned = now(scanned).unwrap();
    assert_eq!((scanned.cursor, scanned.items.len()), (7, 1));
    assert_eq!(now(time).unwrap(), Duration::new(10, 5000));
    let entries = now(entries).unwrap().0;
    let entry = Entry {
        id: "1-0".to_owned(),
        fields: vec![("f".into(), "v".into())],
    };
    assert_eq!(entries, [("s".into(), vec![entry])]);
    assert!(now(nothing).unwrap().0.is_empty());
}
