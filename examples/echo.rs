//! Sends back whatever it receives, chunk by chunk. A peer that does not read is not read either.
//!
//! Run `cargo run --bin echo`, then `nc 127.0.0.1 8007` in another terminal. Ctrl-C ends it.
#![forbid(unsafe_code)]

use torsade::{Protocol, Reactor, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let listener = reactor.net().listen(address, factory(|_| Echo))?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::Disconnect;
    use torsade_testing::StringTransport;

    #[test]
    fn sends_back_what_it_gets() {
        let mut t = StringTransport::serve(Echo);
        t.feed(b"hello");
        t.feed_bytewise(b" there");
        assert_eq!(t.take_sent(), b"hello there");
        t.end();
        assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
    }

    #[test]
    fn does_not_read_from_a_peer_that_does_not_read() {
        let mut t = StringTransport::builder().window(0).serve(Echo);
        t.feed(vec![b'x'; 1_000_000]);
        assert!(!t.is_reading());
        assert!(t.connection().buffered() <= 2 * 64 * 1024);
        t.set_window(usize::MAX);
        assert_eq!(t.take_sent().len(), 1_000_000);
    }
}
