//! Replies find their calls, each once, whatever is cancelled and whenever the connection goes.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use torsade_core::Disconnect;
use torsade_deferred::Failure;
use torsade_wire::redis::{Command, ErrorCode, RedisError, Value};

use crate::fake::{now, resp3, sent, wire};
use crate::random::Random;

#[test]
fn calls_are_sent_at_once_and_answered_in_order_in_every_split() {
    let replies = b"$1\r\nx\r\n:5\r\n*2\r\n$1\r\na\r\n_\r\n-WRONGTYPE no\r\n+OK\r\n";
    for first in 0..=replies.len() {
        for second in [first, (first + 3).min(replies.len()), replies.len()] {
            let (redis, mut server) = resp3();
            let get = redis.get("k");
            let incr = redis.incr("n");
            let range = redis.command(&["LRANGE", "l", "0", "-1"]);
            let wrong = redis.lpop("k");
            let set = redis.set("k", "v");
            assert_eq!(
                sent(&mut server),
                ["GET k", "INCR n", "LRANGE l 0 -1", "LPOP k", "SET k v"]
            );
            server.feed(&replies[..first]);
            server.feed(&replies[first..second]);
            server.feed(&replies[second..]);
            assert_eq!(now(get).unwrap().unwrap(), "x");
            assert_eq!(now(incr).unwrap(), 5);
            let range = now(range).unwrap();
            assert_eq!(range, Value::Array(vec![Value::from("a"), Value::Nil]));
            let Err(RedisError::Server(error)) = now(wrong) else {
                panic!("no error")
            };
            assert_eq!(error.code(), ErrorCode::WrongType);
            now(set).unwrap();
        }
    }
}

#[test]
fn a_cancelled_call_shifts_no_reply() {
    // Every subset of five calls is cancelled, before or between the replies.
    for cancelled in 0..32u32 {
        for when in 0..5 {
            let (redis, mut server) = resp3();
            let mut calls: Vec<_> = (0..5).map(|at| Some(redis.get(at))).collect();
            for at in 0..5 {
                if at == when {
                    for (bit, call) in calls.iter_mut().enumerate() {
                        if cancelled >> bit & 1 == 1
                            && let Some(call) = call.take()
                        {
                            call.cancel();
                        }
                    }
                }
                server.feed(format!("$1\r\n{at}\r\n"));
            }
            for (at, call) in calls.into_iter().enumerate() {
                if let Some(call) = call {
                    assert_eq!(now(call).unwrap().unwrap(), at.to_string());
                }
            }
            assert_eq!(redis.waiting(), 0);
        }
    }
}

#[test]
fn a_loss_ends_every_call_once_with_its_reason_wherever_it_comes() {
    let replies = b"$1\r\nx\r\n*2\r\n:1\r\n:2\r\n$5\r\nhello\r\n";
    type Leave = (fn(&mut crate::fake::Server), Disconnect);
    let ways: [Leave; 3] = [
        (|server| server.reset(), Disconnect::Reset),
        (|server| server.end(), Disconnect::PeerClosed),
        (|server| server.connection().abort(), Disconnect::Aborted),
    ];
    for cut in 0..replies.len() {
        for (leave, reason) in &ways {
            let (redis, mut server) = resp3();
            let ends = Rc::new(RefCell::new(Vec::new()));
            for at in 0..4 {
                let ends = Rc::clone(&ends);
                let call = redis.command(&["GET", "k"]);
                call.finish(move |result| ends.borrow_mut().push((at, result)));
            }
            server.feed(&replies[..cut]);
            leave(&mut server);
            assert!(server.lost().is_some());
            let ends = ends.take();
            let order: Vec<usize> = ends.iter().map(|(at, _)| *at).collect();
            assert_eq!(order, [0, 1, 2, 3], "each once, in order");
            let whole = [7, 19, 30].iter().filter(|end| **end <= cut).count();
            for (at, result) in ends {
                match result {
                    Ok(_) => assert!(at < whole),
                    Err(Failure::Error(RedisError::Lost(lost))) => {
                        assert!(at >= whole);
                        let inside =
                            ![0, 7, 19].contains(&cut) && *reason == Disconnect::PeerClosed;
                        if inside {
                            assert!(matches!(lost, Disconnect::Protocol(_)), "{cut}: {lost}");
                        } else {
                            assert_eq!(lost, *reason);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert!(matches!(now(redis.get("late")), Err(RedisError::Lost(_))));
        }
    }
}

#[test]
fn what_the_server_says_out_of_turn_ends_the_connection() {
    let wrong: [&[u8]; 6] = [
        b"+OK\r\n",
        b">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n",
        b">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n",
        b">1\r\n:1\r\n",
        b"?\r\n",
        b"*3000000\r\n",
    ];
    for wire in wrong {
        let (redis, mut server) = resp3();
        let call = redis.get("k");
        server.feed("$1\r\nx\r\n");
        assert!(now(call).is_ok());
        server.feed(wire);
        let lost = server.lost().expect("it is over");
        let expected = matches!(lost, Disconnect::Protocol(_) | Disconnect::LimitPassed(_));
        assert!(expected, "{wire:?}: {lost}");
        assert!(matches!(now(redis.get("k")), Err(RedisError::Lost(reason)) if reason == lost));
    }
}

#[test]
fn calls_from_inside_results_and_values_of_all_kinds() {
    let (redis, mut server) = resp3();
    let again = redis.clone();
    let (one, all) = (redis.get("a"), Rc::new(RefCell::new(None)));
    let slot = Rc::clone(&all);
    one.and_then(move |_| again.get("b"))
        .finish(move |result| *slot.borrow_mut() = Some(result));
    server.feed("$1\r\n1\r\n");
    server.feed("$1\r\n2\r\n");
    assert!(matches!(all.take(), Some(Ok(Some(two))) if two == "2"));

    server.take_sent();
    let large = Bytes::from(vec![b'x'; 100_000]);
    redis.set("k", &large).detach();
    redis.set("k", &large[..5000]).detach();
    redis.hset(b"\xff\r\n", -5, 0.25).detach();
    redis.mset(&[("a", 1u64), ("b", u64::MAX)]).detach();
    let sent = server.take_sent();
    let expected = [
        format!(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{}\r\n",
            "x".repeat(100_000)
        )
        .into_bytes(),
        format!(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n{}\r\n",
            "x".repeat(5000)
        )
        .into_bytes(),
        b"*4\r\n$4\r\nHSET\r\n$3\r\n\xff\r\n\r\n$2\r\n-5\r\n$4\r\n0.25\r\n".to_vec(),
        wire("MSET a 1 b 18446744073709551615").into_bytes(),
    ];
    assert!(sent == expected.concat());
    server.feed("+OK\r\n+OK\r\n:1\r\n+OK\r\n");
}

#[test]
fn commands_that_would_shift_replies_are_refused() {
    let (redis, mut server) = resp3();
    for words in [
        "subscribe a",
        "PSUBSCRIBE a",
        "SSUBSCRIBE a",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "SUNSUBSCRIBE",
        "MULTI",
        "EXEC",
        "DISCARD",
        "HELLO 3",
        "RESET",
        "QUIT",
        "MONITOR",
        "SYNC",
        "PSYNC",
        "client reply OFF",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(
            matches!(now(redis.command(&words)), Err(RedisError::Refused(_))),
            "{words:?}"
        );
        let command = Command::new(words[0]).args(&words[1..]);
        assert!(matches!(
            now(redis.call::<Value>(&command)),
            Err(RedisError::Refused(_))
        ));
    }
    let none: [&str; 0] = [];
    assert!(matches!(
        now(redis.command(&none)),
        Err(RedisError::Refused(_))
    ));
    assert!(server.take_sent().is_empty());
    let allowed = redis.command(&["CLIENT", "ID"]);
    server.feed(":1\r\n");
    assert!(now(allowed).is_ok());
}

#[test]
fn a_thousand_pipelined_calls_with_random_cancellations_and_splits() {
    let mut random = Random(7);
    let (redis, mut server) = resp3();
    let mut replies = Vec::new();
    let mut calls = Vec::new();
    for at in 0..1000 {
        calls.push((at, redis.get(at)));
        replies.extend(format!("$3\r\n{:03}\r\n", at % 1000).bytes());
    }
    let mut kept = Vec::new();
    for (at, call) in calls {
        if random.below(3) == 0 {
            call.cancel();
        } else {
            kept.push((at, call));
        }
    }
    for piece in random.pieces(&replies) {
        server.feed(piece);
    }
    for (at, call) in kept {
        assert_eq!(now(call).unwrap().unwrap(), format!("{at:03}"));
    }
}

#[test]
fn closing_and_quitting() {
    let (redis, mut server) = resp3();
    let call = redis.get("k");
    redis.close();
    assert!(matches!(
        now(call),
        Err(RedisError::Lost(Disconnect::Closed))
    ));
    assert!(matches!(
        now(redis.get("k")),
        Err(RedisError::Lost(Disconnect::Closed))
    ));
    assert_eq!(sent(&mut server), ["GET k"]);
    assert_eq!(server.lost(), Some(Disconnect::Closed));

    let (redis, mut server) = resp3();
    let (call, quit) = (redis.get("k"), redis.quit());
    server.feed("$1\r\nx\r\n+OK\r\n");
    assert_eq!(now(call).unwrap().unwrap(), "x");
    assert!(now(quit).is_ok());
    assert_eq!(server.lost(), Some(Disconnect::Closed));
    assert!(redis.closed().try_take().is_ok());
}
