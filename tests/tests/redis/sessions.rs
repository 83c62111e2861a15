//! Logging in, transactions, and the end.

use std::time::Duration;
use torsade_wire::redis::{Command, Redis};
use torsade_wire::redis::{ErrorCode, RedisError, RedisSettings, Resp, Retry, Value};

use crate::bench::{Bench, versions};

#[test]
fn logging_in() {
    let Some(mut bench) = Bench::with(&["--requirepass", "secret"]) else {
        return;
    };
    for settings in versions() {
        let redis = settings
            .clone()
            .password("secret")
            .name("worker")
            .database(5);
        let redis = bench.connect(redis);
        let name = bench.get(redis.command(&["CLIENT", "GETNAME"]));
        assert_eq!(name, Value::from("worker"));
        let info = bench.get(redis.call::<String>(&Command::new("CLIENT").arg("INFO")));
        assert!(info.contains(" db=5 "), "{info}");
        for (settings, code) in [
            (settings.clone().password("wrong"), ErrorCode::WrongPass),
            (
                settings.clone().user("nobody").password("secret"),
                ErrorCode::WrongPass,
            ),
        ] {
            let refused = Redis::connect(bench.reactor.net(), bench.server.address, settings);
            let error = bench.end(refused).unwrap_err();
            assert_eq!(error.server().unwrap().code(), code);
        }
        bench.get(redis.command(&["ACL", "SETUSER", "ann", "on", ">pw", "~*", "+get"]));
        let ann = bench.connect(settings.user("ann").password("pw"));
        let error = bench.end(ann.set("k", 1)).unwrap_err();
        assert_eq!(error.server().unwrap().code(), ErrorCode::NoPerm);
    }
    let refused = RedisSettings::new();
    let refused = Redis::connect(bench.reactor.net(), bench.server.address, refused);
    let error = bench.end(refused).unwrap_err();
    assert_eq!(error.server().unwrap().code(), ErrorCode::NoAuth);
    // In RESP2 nothing is said at the beginning; the first command is told.
    let silent = bench.connect(RedisSettings::new().resp(Resp::Two));
    let error = bench.end(silent.get("k")).unwrap_err();
    assert_eq!(error.server().unwrap().code(), ErrorCode::NoAuth);
    bench.get(silent.auth("default", "secret"));
    assert_eq!(bench.get(silent.get("k")), None);
}

#[test]
fn transactions() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    for settings in versions() {
        let (redis, other) = (bench.connect(settings.clone()), bench.connect(settings));
        bench.get(redis.set("n", 1));
        let transaction = redis.transaction();
        let (count, text) = (transaction.incr("n"), transaction.get("n"));
        let wrong = transaction.lpop("n");
        let all = bench.get(transaction.exec());
        assert_eq!((all.len(), bench.get(count)), (3, 2));
        assert_eq!(bench.get(text).unwrap(), "2");
        let error = bench.end(wrong).unwrap_err();
        assert_eq!(error.server().unwrap().code(), ErrorCode::WrongType);

        bench.get(redis.watch(&["n"]));
        bench.get(other.set("n", "changed"));
        let transaction = redis.transaction();
        transaction.add(&Command::new("DEL").arg("n"));
        let aborted = bench.end(transaction.exec()).unwrap_err();
        assert!(matches!(aborted, RedisError::Aborted));
        assert_eq!(bench.get(redis.get("n")).unwrap(), "changed");

        bench.get(redis.watch(&["n"]));
        bench.get(other.set("n", "again"));
        bench.get(redis.transaction().discard());
        let transaction = redis.transaction();
        let bad = transaction.command(&["NOSUCH"]);
        let discarded = bench.end(transaction.exec()).unwrap_err();
        assert_eq!(discarded.server().unwrap().code(), ErrorCode::ExecAbort);
        assert!(bench.end(bad).is_err());
        assert!(bench.get(redis.transaction().exec()).is_empty());
    }
}

#[test]
fn quitting_and_keeping_connected() {
    let Some(mut bench) = Bench::start() else {
        return;
    };
    let redis = bench.connect(RedisSettings::new());
    let before = redis.set("k", "v");
    bench.get(redis.quit());
    bench.get(before);

    let retry = Retry {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(20),
    };
    let net = bench.reactor.net().clone();
    let redis = Redis::keep_connected(&net, bench.server.address, RedisSettings::new(), retry);
    let redis = redis.unwrap();
    let news = bench.get(redis.subscribe(&["news"]));
    let closed = redis.closed();
    bench.server.kill();
    bench.reactor.run_until(closed).unwrap().unwrap();
    bench.server.restart();
    // Until the client is there again, each call says that it is not.
    while redis.connections() < 2 {
        bench.reactor.turn(None).unwrap();
    }
    while bench.get(redis.publish("news", "again")) == 0 {}
    assert_eq!(bench.get(news.next()).unwrap().payload, "again");
    redis.close();
}
