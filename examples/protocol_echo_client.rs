//! A client of the echo as a protocol: says one thing when it is connected, prints what comes, and
//! ends the program when the connection is lost.
//!
//! Run `cargo run --bin stream_echo_server` in another terminal, then
//! `cargo run --bin protocol_echo_client [ADDRESS [MESSAGE]]`.
#![forbid(unsafe_code)]

use torsade::{Disconnect, Protocol, Reactor, Transport};

struct EchoClient {
    message: String,
    say: fn(&str),
}

impl Protocol for EchoClient {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(&self.message);
        (self.say)(&format!("data sent: {}", self.message));
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        (self.say)(&format!("data received: {}", String::from_utf8_lossy(data)));
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        (self.say)(&format!("the connection ended: {reason}"));
        transport.net().stop();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8888".into());
    let message = arguments.next().unwrap_or_else(|| "Hello World!".into());
    let mut reactor = Reactor::new()?;
    let client = EchoClient {
        message,
        say: |line| println!("{line}"),
    };
    let connected = reactor.net().connect(address.as_str(), client);
    reactor.run_until(connected)??;
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use torsade_testing::StringTransport;

    thread_local! {
        static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    #[test]
    fn says_its_message_and_what_comes_and_stops_at_the_end() {
        let mut t = StringTransport::connect(EchoClient {
            message: "hi".into(),
            say: |line| SAID.with_borrow_mut(|said| said.push(line.into())),
        });
        assert_eq!(t.take_sent(), b"hi");
        t.feed("hi");
        t.end();
        let said = SAID.take();
        assert_eq!(said[..2], ["data sent: hi", "data received: hi"]);
        assert!(said[2].starts_with("the connection ended: "));
    }
}
