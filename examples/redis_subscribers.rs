//! Two Redis subscribers side by side as tasks, on one connection, each at its own pace: every one waits for
//! the next message of its channel, says it, and goes on until the message is `STOP`.
//!
//! Run `cargo run --bin redis_subscribers 127.0.0.1:6379`, then in another terminal `redis-cli
//! publish chan:1 hello`, `publish chan:2 hello`, and `publish` of `STOP` to each.
#![forbid(unsafe_code)]

use std::rc::Rc;

use futures_util::StreamExt;
use torsade::futures::{deferred_stream, spawn};
use torsade::wire::redis::{Redis, RedisError, RedisSettings};
use torsade::{Disconnect, Failure, Net, Reactor};

/// Where messages are said.
type Say = Rc<dyn Fn(String)>;

/// Says what comes by a channel, until it is `STOP`.
async fn subscriber(redis: Redis, channel: &'static str, say: Say) -> Result<(), RedisError> {
    let subscription = redis.subscribe(&[channel]).await.map_err(reason)?;
    say(format!("subscribed to {channel}"));
    let mut messages = deferred_stream(move || subscription.next());
    while let Some(message) = messages.next().await {
        let message = message.map_err(reason)?;
        let text = String::from_utf8_lossy(&message.payload);
        say(format!("({channel}) {text}"));
        if text == "STOP" {
            break; // the subscription is dropped, and so given up
        }
    }
    Ok(())
}

/// What Redis said, or that nothing will come any more.
fn reason(failure: Failure<RedisError>) -> RedisError {
    failure
        .error()
        .unwrap_or(RedisError::Lost(Disconnect::ReactorGone))
}

/// Both, side by side, until the last has ended.
async fn both(net: Net, redis: Redis, say: Say) -> Result<(), RedisError> {
    let one = spawn(&net, subscriber(redis.clone(), "chan:1", Rc::clone(&say)));
    let two = spawn(&net, subscriber(redis, "chan:2", say));
    let (one, two) = (one.await, two.await);
    one.unwrap_or(Ok(())).and(two.unwrap_or(Ok(())))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:6379");
    let mut reactor = Reactor::new()?;
    let redis = Redis::connect(reactor.net(), address, RedisSettings::new());
    let redis = reactor.run_until(redis)??;
    let say: Say = Rc::new(|line| println!("{line}"));
    reactor.block_on(both(reactor.net().clone(), redis.clone(), say))??;
    redis.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::time::Duration;
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
        let net = server.net();
        let one = spawn(net, subscriber(redis.clone(), "chan:1", Rc::clone(&say)));
        let two = spawn(net, subscriber(redis, "chan:2", say));
        server.advance(Duration::ZERO);
        server.feed(push("subscribe", "chan:1", ":1") + &push("subscribe", "chan:2", ":2"));
        server.feed(push("message", "chan:2", "$1\r\na"));
        server.feed(push("message", "chan:1", "$1\r\nb"));
        server.feed(push("message", "chan:1", "$4\r\nSTOP"));
        assert!(one.is_finished() && !two.is_finished());
        let left = server.take_sent();
        assert!(left.ends_with(b"$6\r\nchan:1\r\n"), "unsubscribed");
        server.feed(push("unsubscribe", "chan:1", ":1"));
        server.feed(push("message", "chan:2", "$1\r\nc"));
        let heard = ["(chan:2) a", "(chan:1) b", "(chan:1) STOP", "(chan:2) c"];
        assert_eq!(said.borrow()[2..], heard);
        server.reset();
        let ended = two.into_deferred().try_take().unwrap();
        assert!(matches!(ended, Ok(Err(_))));
    }
}
