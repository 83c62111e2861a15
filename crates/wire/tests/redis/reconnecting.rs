//! A client outlives its connections.

use std::io::ErrorKind;
use std::time::Duration;

use torsade_core::Disconnect;
use torsade_testing::{MemoryReactor, StringTransport};
use torsade_wire::redis::{Redis, RedisError, RedisSettings, Retry};

use crate::fake::{now, push};

const SERVER: &str = "127.0.0.1:6379";
const GREETED: &str = "%0\r\n";

#[test]
fn a_client_connects_again_with_longer_and_longer_waits_and_subscribes_again() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let retry = Retry {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(4),
    };
    let redis = Redis::keep_connected(&net, SERVER, RedisSettings::new(), retry).unwrap();
    let (early, news) = (redis.get("k"), redis.subscribe(&["news"]));
    let mut server = reactor.next_connect().succeed();
    server.feed(GREETED);
    let sent = String::from_utf8(server.take_sent()).unwrap();
    assert_eq!(sent.matches("SUBSCRIBE").count(), 1, "{sent}");
    server.feed("$1\r\nx\r\n");
    server.feed(push('>', &["subscribe", "news", "1"]));
    assert_eq!(now(early).unwrap().unwrap(), "x");
    let news = now(news).unwrap();
    let waits = redis.get("k");
    server.reset();
    assert!(matches!(
        now(waits),
        Err(RedisError::Lost(Disconnect::Reset))
    ));
    assert!(matches!(now(redis.get("k")), Err(RedisError::Lost(_))));

    for wait in [1, 2, 4, 4] {
        reactor.advance(Duration::from_millis(wait * 1000 - 1));
        assert!(reactor.pending_connects().is_empty());
        reactor.advance(Duration::from_millis(1));
        reactor.next_connect().fail(ErrorKind::ConnectionRefused);
        assert!(matches!(
            now(redis.get("k")),
            Err(RedisError::Connect(_) | RedisError::Lost(_))
        ));
    }
    reactor.advance(Duration::from_secs(4));
    let mut server = reactor.next_connect().succeed();
    server.take_sent();
    server.feed(GREETED);
    assert_eq!(
        server.take_sent(),
        b"*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n"
    );
    server.feed(push('>', &["subscribe", "news", "1"]));
    server.feed(push('>', &["message", "news", "again"]));
    assert_eq!(now(news.next()).unwrap().unwrap().payload, "again");
    assert_eq!(redis.connections(), 2);

    // After a success the waits begin anew; after `close` there are none.
    server.reset();
    reactor.advance(Duration::from_secs(1));
    let mut server = reactor.next_connect().succeed();
    server.feed(GREETED);
    redis.close();
    reactor.advance(Duration::from_secs(100));
    assert!(reactor.pending_connects().is_empty());
    assert!(matches!(
        now(news.next()),
        Err(RedisError::Lost(Disconnect::Closed))
    ));
}

#[test]
fn calls_made_before_a_first_connection_that_fails_are_told_why() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let redis = Redis::keep_connected(&net, SERVER, RedisSettings::new(), Retry::default());
    let redis = redis.unwrap();
    let early = redis.get("k");
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert!(matches!(now(early), Err(RedisError::Connect(_))));
    redis.close();
    reactor.advance(Duration::from_secs(1));
    assert!(reactor.pending_connects().is_empty());
}

#[test]
fn connect_tells_what_went_wrong() {
    let reactor = MemoryReactor::new();
    let refused = Redis::connect(reactor.net(), SERVER, RedisSettings::new());
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert!(matches!(now(refused), Err(RedisError::Connect(_))));
    let unwelcome = Redis::connect(reactor.net(), SERVER, RedisSettings::new());
    reactor.next_connect().succeed().feed("-NOAUTH please\r\n");
    assert!(matches!(now(unwelcome), Err(RedisError::Server(_))));
    let silent = Redis::connect(reactor.net(), SERVER, RedisSettings::new());
    reactor.next_connect().succeed().reset();
    assert!(matches!(
        now(silent),
        Err(RedisError::Lost(Disconnect::Reset))
    ));
    let misspelt = Redis::connect(reactor.net(), "nowhere", RedisSettings::new());
    assert!(matches!(now(misspelt), Err(RedisError::Connect(_))));
}

#[test]
fn the_next_protocol_of_a_client_begins_where_it_is_clean() {
    let (redis, mut server) = crate::fake::with(RedisSettings::new().resubscribe(true));
    let subscription = redis.psubscribe(&["n*"]);
    server.feed(push('>', &["psubscribe", "n*", "1"]));
    let subscription = now(subscription).unwrap();
    let cut = redis.get("k");
    server.feed("$100\r\nonly a part");
    server.reset();
    assert!(matches!(now(cut), Err(RedisError::Lost(Disconnect::Reset))));

    let mut server = StringTransport::connect(redis.protocol());
    let early = redis.get("k");
    server.take_sent();
    server.feed(GREETED);
    server.feed(push('>', &["psubscribe", "n*", "1"]));
    server.feed("$1\r\nx\r\n");
    server.feed(push('>', &["pmessage", "n*", "news", "m"]));
    assert_eq!(now(early).unwrap().unwrap(), "x");
    assert_eq!(now(subscription.next()).unwrap().unwrap().payload, "m");
}
