//! The beginning of a connection.

use torsade_core::Disconnect;
use torsade_testing::StringTransport;
use torsade_wire::redis::{ErrorCode, Redis, RedisError, RedisSettings, Resp};

use crate::fake::{HELLO, now, sent};

#[test]
fn hello_says_all_at_once() {
    let settings = RedisSettings::new()
        .user("ann")
        .password("pw")
        .name("worker")
        .database(3);
    let (redis, protocol) = Redis::new(settings);
    let mut server = StringTransport::connect(protocol);
    assert_eq!(sent(&mut server), ["HELLO 3 AUTH ann pw SETNAME worker"]);
    let (ready, early) = (redis.ready(), redis.get("k"));
    server.feed("%1\r\n+server\r\n+redis\r\n");
    assert_eq!(sent(&mut server), ["SELECT 3"]);
    let ready = ready.try_take().expect_err("not selected yet");
    server.feed("+OK\r\n");
    assert!(now(ready).is_ok());
    assert_eq!(redis.version(), Resp::Three);
    assert_eq!(
        sent(&mut server),
        ["GET k"],
        "what was early comes behind the login"
    );
    server.feed("$1\r\nx\r\n");
    assert_eq!(now(early).unwrap().unwrap(), "x");
}

#[test]
fn an_old_server_is_spoken_to_in_resp2() {
    for error in [
        "-ERR unknown command `HELLO`, with args\r\n",
        "-NOPROTO no\r\n",
    ] {
        let settings = RedisSettings::new()
            .password("pw")
            .name("worker")
            .database(1);
        let (redis, protocol) = Redis::new(settings);
        let mut server = StringTransport::connect(protocol);
        server.take_sent();
        server.feed(error);
        assert_eq!(
            sent(&mut server),
            ["AUTH pw", "CLIENT SETNAME worker", "SELECT 1"]
        );
        let ready = redis.ready();
        server.feed_bytewise("+OK\r\n-ERR unknown command\r\n+OK\r\n");
        assert!(now(ready).is_ok());
        assert_eq!(redis.version(), Resp::Two);
    }
}

#[test]
fn a_refused_login_ends_everything_with_the_servers_error() {
    let cases = [
        (
            RedisSettings::new().password("x"),
            "-WRONGPASS no\r\n",
            ErrorCode::WrongPass,
        ),
        (
            RedisSettings::new(),
            "-NOAUTH please\r\n",
            ErrorCode::NoAuth,
        ),
        (
            RedisSettings::new(),
            "-ERR max number of clients reached\r\n",
            ErrorCode::Err,
        ),
        (
            RedisSettings::new().resp(Resp::Two).database(99),
            "-ERR DB index is out of range\r\n",
            ErrorCode::Err,
        ),
    ];
    for (settings, reply, code) in cases {
        let (redis, protocol) = Redis::new(settings);
        let mut server = StringTransport::connect(protocol);
        let (ready, early) = (redis.ready(), redis.get("k"));
        let subscription = redis.subscribe(&["news"]);
        server.feed(reply);
        for error in [now(ready).err(), now(early).err(), now(subscription).err()] {
            let Some(RedisError::Server(error)) = error else {
                panic!("{error:?}")
            };
            assert_eq!(error.code(), code);
        }
        assert!(matches!(server.lost(), Some(Disconnect::Application(_))));
        assert!(matches!(now(redis.get("k")), Err(RedisError::Server(_))));
    }
}

#[test]
fn a_loss_during_the_login_ends_what_waited() {
    let (redis, protocol) = Redis::new(RedisSettings::new());
    let mut server = StringTransport::connect(protocol);
    let (ready, early) = (redis.ready(), redis.get("k"));
    assert_eq!(server.take_sent(), HELLO);
    server.feed("%1\r\n");
    server.reset();
    assert!(matches!(
        now(ready),
        Err(RedisError::Lost(Disconnect::Reset))
    ));
    assert!(matches!(
        now(early),
        Err(RedisError::Lost(Disconnect::Reset))
    ));
}

#[test]
fn a_protocol_that_is_never_connected_lets_nobody_wait() {
    let (redis, protocol) = Redis::new(RedisSettings::new());
    let early = redis.get("k");
    drop(protocol);
    assert!(matches!(
        now(early),
        Err(RedisError::Lost(Disconnect::Application(_)))
    ));
}

#[test]
fn a_second_connection_at_the_same_time_is_closed() {
    let (redis, mut server) = crate::fake::resp3();
    let second = StringTransport::connect(redis.protocol());
    assert_eq!(second.lost(), Some(Disconnect::Closed));
    let call = redis.get("k");
    server.feed("_\r\n");
    assert_eq!(now(call).unwrap(), None);
}
