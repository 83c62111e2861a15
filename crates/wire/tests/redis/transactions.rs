//! `MULTI`, `EXEC`, and what can come of them.

use torsade_core::Disconnect;
use torsade_deferred::Failure;
use torsade_wire::redis::{Command, ErrorCode, RedisError, Value};

use crate::fake::{now, resp2, resp3, sent};

#[test]
fn it_goes_in_one_piece_and_its_results_are_typed() {
    for (redis, mut server) in [resp2(), resp3()] {
        let before = redis.get("k");
        let transaction = redis.transaction();
        let count = transaction.incr("n");
        let between = redis.get("k");
        let field = transaction.hget("h", "f");
        transaction.add(&Command::new("PING"));
        let all = transaction.exec();
        let after = redis.get("k");
        assert_eq!(
            sent(&mut server),
            [
                "GET k", "GET k", "MULTI", "INCR n", "HGET h f", "PING", "EXEC", "GET k"
            ]
        );
        server.feed_bytewise(
            "$1\r\n1\r\n$1\r\n2\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n\
             *3\r\n:5\r\n$1\r\nx\r\n+PONG\r\n$1\r\n3\r\n",
        );
        assert_eq!(now(count).unwrap(), 5);
        assert_eq!(now(field).unwrap().unwrap(), "x");
        let all = now(all).unwrap();
        assert_eq!(all[..2], [Value::Integer(5), Value::from("x")]);
        for (call, value) in [(before, "1"), (between, "2"), (after, "3")] {
            assert_eq!(now(call).unwrap().unwrap(), value);
        }
    }
}

#[test]
fn a_watched_key_that_changed_aborts_it() {
    for nil in ["_\r\n", "*-1\r\n"] {
        let (redis, mut server) = resp3();
        let watch = redis.watch(&["a", "b"]);
        let transaction = redis.transaction();
        let set = transaction.set("a", 1);
        let all = transaction.exec();
        assert_eq!(sent(&mut server), ["WATCH a b", "MULTI", "SET a 1", "EXEC"]);
        server.feed(format!("+OK\r\n+OK\r\n+QUEUED\r\n{nil}"));
        assert!(now(watch).is_ok());
        assert!(matches!(now(set), Err(RedisError::Aborted)));
        assert!(matches!(now(all), Err(RedisError::Aborted)));
    }
}

#[test]
fn an_error_when_carried_out_is_one_commands_alone() {
    let (redis, mut server) = resp3();
    let transaction = redis.transaction();
    let (good, bad) = (transaction.incr("n"), transaction.lpop("n"));
    let all = transaction.exec();
    server.feed("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n-WRONGTYPE no\r\n");
    assert_eq!(now(good).unwrap(), 1);
    let Err(RedisError::Server(error)) = now(bad) else {
        panic!("no error")
    };
    assert_eq!(error.code(), ErrorCode::WrongType);
    assert_eq!(now(all).unwrap(), [Value::Integer(1), Value::Error(error)]);
}

#[test]
fn an_error_when_queued_discards_all_and_the_culprit_has_its_own() {
    let (redis, mut server) = resp3();
    let transaction = redis.transaction();
    let good = transaction.incr("n");
    let bad = transaction.command(&["NOSUCH"]);
    let all = transaction.exec();
    server.feed("+OK\r\n+QUEUED\r\n-ERR unknown command\r\n-EXECABORT discarded\r\n");
    let code = |error: RedisError| error.server().map(|error| error.code());
    assert_eq!(code(now(good).unwrap_err()), Some(ErrorCode::ExecAbort));
    assert_eq!(code(now(bad).unwrap_err()), Some(ErrorCode::Err));
    assert_eq!(code(now(all).unwrap_err()), Some(ErrorCode::ExecAbort));
    let next = redis.get("k");
    server.feed("_\r\n");
    assert_eq!(now(next).unwrap(), None);
}

#[test]
fn a_refused_multi_is_the_reason_of_all() {
    let (redis, mut server) = resp3();
    let transaction = redis.transaction();
    let call = transaction.incr("n");
    let all = transaction.exec();
    server.feed("-NOPERM no multi\r\n:1\r\n-ERR EXEC without MULTI\r\n");
    for error in [now(call).unwrap_err(), now(all).unwrap_err()] {
        assert_eq!(error.server().unwrap().code(), ErrorCode::NoPerm);
    }
    assert_eq!(server.lost(), None);
}

#[test]
fn a_loss_in_the_middle_ends_all_of_it_once_wherever_it_comes() {
    let replies = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n";
    for cut in 0..replies.len() {
        let (redis, mut server) = resp3();
        let transaction = redis.transaction();
        let calls = [transaction.incr("n"), transaction.incr("n")];
        let all = transaction.exec();
        server.feed(&replies[..cut]);
        server.reset();
        for call in calls {
            assert!(matches!(
                now(call),
                Err(RedisError::Lost(Disconnect::Reset))
            ));
        }
        assert!(matches!(now(all), Err(RedisError::Lost(Disconnect::Reset))));
    }
}

#[test]
fn cancelled_commands_and_results_shift_nothing() {
    let (redis, mut server) = resp3();
    let transaction = redis.transaction();
    let (one, two) = (transaction.incr("n"), transaction.incr("n"));
    one.cancel();
    transaction.exec().cancel();
    let next = redis.get("k");
    server.feed("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n");
    assert_eq!(now(two).unwrap(), 2);
    assert_eq!(now(next).unwrap().unwrap(), "x");
}

#[test]
fn discarding_sends_nothing_of_it() {
    let (redis, mut server) = resp3();
    let transaction = redis.transaction();
    let call = transaction.incr("n");
    let done = transaction.discard();
    assert_eq!(sent(&mut server), ["UNWATCH"]);
    assert!(matches!(call.try_take().unwrap(), Err(Failure::Abandoned)));
    server.feed("+OK\r\n");
    assert!(now(done).is_ok());
}

#[test]
fn answers_of_another_form_end_the_connection() {
    for wire in [
        "+OK\r\n:1\r\n",
        "+OK\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n",
        "+OK\r\n+QUEUED\r\n+OK\r\n",
    ] {
        let (redis, mut server) = resp3();
        let transaction = redis.transaction();
        let call = transaction.incr("n");
        let all = transaction.exec();
        server.feed(wire);
        assert!(
            matches!(server.lost(), Some(Disconnect::Protocol(_))),
            "{wire:?}"
        );
        assert!(matches!(now(call), Err(RedisError::Lost(_))));
        assert!(matches!(now(all), Err(RedisError::Lost(_))));
    }
}
