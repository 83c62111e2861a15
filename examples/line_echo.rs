//! Answers every line with the line.
//!
//! Run `cargo run --bin line_echo`, then `nc -C 127.0.0.1 8007` in another terminal. Ctrl-C ends
//! it.
#![forbid(unsafe_code)]

use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Reactor, Transport, factory};

struct LineEcho;

impl LineProtocol for LineEcho {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        transport.send_line(line);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let listener = reactor
        .net()
        .listen(address, factory(|_| Lines::new(LineEcho)))?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::{Disconnect, Limit};
    use torsade_testing::StringTransport;

    #[test]
    fn answers_each_line_with_the_line() {
        let mut t = StringTransport::serve(Lines::new(LineEcho));
        t.feed(b"one\r\ntw");
        assert_eq!(t.take_sent(), b"one\r\n");
        t.feed_bytewise(b"o\r\n\r\n\xff\n\r\n");
        assert_eq!(t.take_sent(), b"two\r\n\r\n\xff\n\r\n");
    }

    #[test]
    fn answers_a_client_that_half_closes_and_not_what_it_left_unfinished() {
        let mut t = StringTransport::serve(Lines::new(LineEcho));
        t.feed(b"one\r\ntw");
        t.end();
        assert_eq!(t.take_sent(), b"one\r\n");
        assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
    }

    #[test]
    fn ends_with_who_sends_a_line_without_end() {
        let mut t = StringTransport::serve(Lines::new(LineEcho));
        t.feed(b"one\r\n");
        t.feed([b'x'; 20_000]);
        assert_eq!(t.take_sent(), b"one\r\n");
        assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));
    }

    #[test]
    fn does_not_read_from_a_peer_that_does_not_read() {
        let mut t = StringTransport::builder()
            .window(0)
            .serve(Lines::new(LineEcho));
        let lines = b"a line of twenty-five byte\r\n".repeat(40_000);
        t.feed(&lines);
        assert!(!t.is_reading());
        assert!(t.connection().buffered() <= 2 * 64 * 1024);
        t.set_window(usize::MAX);
        assert!(t.take_sent() == lines, "all of it, in order");
    }
}
