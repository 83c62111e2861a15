//! A client whose server is the test.

use torsade_deferred::{Deferred, Failure};
use torsade_testing::StringTransport;
use torsade_wire::redis::{Redis, RedisError, RedisProtocol, RedisSettings, Resp};

pub(crate) type Server = StringTransport<RedisProtocol>;

pub(crate) const HELLO: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n";

/// Logged in, in RESP3.
pub(crate) fn resp3() -> (Redis, Server) {
    with(RedisSettings::new())
}

pub(crate) fn with(settings: RedisSettings) -> (Redis, Server) {
    let (redis, protocol) = Redis::new(settings);
    let mut server = StringTransport::connect(protocol);
    server.feed("%1\r\n+server\r\n+redis\r\n");
    server.take_sent();
    (redis, server)
}

/// Logged in, in RESP2, which takes no word.
pub(crate) fn resp2() -> (Redis, Server) {
    let (redis, protocol) = Redis::new(RedisSettings::new().resp(Resp::Two));
    (redis, StringTransport::connect(protocol))
}

/// A result that is there.
#[track_caller]
pub(crate) fn now<T>(deferred: Deferred<T, RedisError>) -> Result<T, RedisError> {
    deferred
        .try_take()
        .expect("it has ended")
        .map_err(|failure| match failure {
            Failure::Error(error) => error,
            other => panic!("{other:?}"),
        })
}

/// A command as it is sent.
pub(crate) fn wire(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    let mut wire = format!("*{}\r\n", words.len());
    for word in words {
        wire += &format!("${}\r\n{word}\r\n", word.len());
    }
    wire
}

/// What was sent, readable: a command a line.
pub(crate) fn sent(server: &mut Server) -> Vec<String> {
    let sent = server.take_sent();
    let mut reader = torsade_wire::redis::Reader::new(Default::default());
    let mut data = &sent[..];
    let mut commands = Vec::new();
    while let Some(command) = reader.read(&mut data).expect("it is RESP") {
        let torsade_wire::redis::Value::Array(words) = command else {
            panic!("{command:?}")
        };
        let words = words.iter().map(|word| {
            let bytes = word.as_bytes().expect("a word");
            String::from_utf8_lossy(bytes).into_owned()
        });
        commands.push(words.collect::<Vec<_>>().join(" "));
    }
    assert!(data.is_empty() && reader.is_between());
    commands
}

/// Something sent as an array or a push.
pub(crate) fn push(sign: char, words: &[&str]) -> String {
    let mut wire = format!("{sign}{}\r\n", words.len());
    for word in words {
        wire += &match word.parse::<i64>() {
            Ok(number) => format!(":{number}\r\n"),
            Err(_) => format!("${}\r\n{word}\r\n", word.len()),
        };
    }
    wire
}
