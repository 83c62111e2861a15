//! Two Redis subscribers side by side on one connection, each at its own pace: every one waits for
//! the next message of its channel, says it, and goes on until the message is `STOP`.
//!
//! Run `cargo run --bin redis_subscribers 127.0.0.1:6379`, then in another terminal `redis-cli
//! publish chan:1 hello`, `publish chan:2 hello`, and `publish` of `STOP` to each.
#![forbid(unsafe_code)]

use std::rc::Rc;

use torsade::wire::redis::{Redis, RedisError, RedisSettings, Subscription};
use torsade::{Deferred, Reactor};

/// Where messages are said.
type Say = Rc<dyn Fn(String)>;

/// Says what comes by a channel, until it is `STOP`.
fn subscriber(redis: &Redis, channel: &'static str, say: Say) -> Deferred<(), RedisError> {
    let subscription = redis.subscribe(&[channel]);
    subscription.and_then(move |subscription| {
        say(format!("subscribed to {channel}"));
        read(subscription, channel, say)
    })
}

/// One message after the other: a loop that waits is a function that calls itself. It uses no
/// stack.
fn read(subscription: Subscription, channel: &'static str, say: Say) -> Deferred<(), RedisError> {
    subscription.next().and_then(move |message| {
        let Some(message) = message else {
            return Deferred::succeed(());
        };
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        say(format!("({channel}) {text}"));
        match text.as_str() {
            "STOP" => subscription.unsubscribe(),
            _ => read(subscription, channel, say),
        }
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:6379");
    let mut reactor = Reactor::new()?;
    let redis = Redis::connect(reactor.net(), address, RedisSettings::new());
    let redis = reactor.run_until(redis)??;
    let say: Say = Rc::new(|line| println!("{line}"));
    let one = subscriber(&redis, "chan:1", Rc::clone(&say));
    let two = subscriber(&redis, "chan:2", say);
    // Both run; this only waits for the one, then for the other.
    reactor.run_until(one)??;
    reactor.run_until(two)??;
    redis.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use torsade_testing::StringTransport;

    fn push(word: &str, channel: &str, last: &str) -> String {
        format!(">3\r\n+{word}\r\n$6\r\n{channel}\r\n{last}\r\n")
    }

    #[test]
    fn each_hears_its_channel_until_it_is_told_to_stop() {
        let (redis, protocol) = Redis::new(RedisSettings::new());
        let mut server = StringTransport::connect(protocol);
        server.feed("%0\r\n");
        let said = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&said);
        let say: Say = Rc::new(move |line| lines.borrow_mut().push(line));
        let one = subscriber(&redis, "chan:1", Rc::clone(&say));
        let two = subscriber(&redis, "chan:2", say);
        server.feed(push("subscribe", "chan:1", ":1") + &push("subscribe", "chan:2", ":2"));
        server.feed(push("message", "chan:2", "$1\r\na"));
        server.feed(push("message", "chan:1", "$1\r\nb"));
        server.feed(push("message", "chan:1", "$4\r\nSTOP"));
        assert!(!one.is_settled(), "not confirmed yet");
        server.feed(push("unsubscribe", "chan:1", ":1"));
        assert!(one.try_take().unwrap().is_ok());
        server.feed(push("message", "chan:2", "$1\r\nc"));
        let heard = ["(chan:2) a", "(chan:1) b", "(chan:1) STOP", "(chan:2) c"];
        assert_eq!(said.borrow()[2..], heard);
        server.reset();
        assert!(two.try_take().unwrap().is_err());
    }
}
