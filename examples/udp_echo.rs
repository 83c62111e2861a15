//! Sends back every datagram that it receives to whoever sent it. One port serves everybody: there
//! are no connections, and nobody says goodbye.
//!
//! Run `cargo run --bin udp_echo`, then `nc -u 127.0.0.1 8007` in another terminal. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::net::SocketAddr;

use torsade::{DatagramError, DatagramProtocol, DatagramTransport, Reactor};

struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(
        &mut self,
        transport: &DatagramTransport<Self>,
        data: &[u8],
        from: &SocketAddr,
    ) {
        transport.send_to(data, from);
    }

    fn error_received(&mut self, _: &DatagramTransport<Self>, error: &DatagramError) {
        log::warn!("{error}"); // one datagram is lost, and the port lives
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let mut reactor = Reactor::new()?;
    let port = reactor.net().bind(address, Echo)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", port.local());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use torsade_testing::FakeDatagrams;

    #[test]
    fn sends_back_to_whoever_sent() {
        let ann = "192.0.2.1:4000".parse().unwrap();
        let bob = "[2001:db8::1%3]:4000".parse().unwrap();
        let mut port = FakeDatagrams::bind(Echo);
        port.feed(ann, b"hello");
        port.feed(ann, b"");
        assert_eq!(port.take_sent(), [(ann, b"hello".to_vec()), (ann, vec![])]);
        // A port speaks the family of its own address, and lives with who does not.
        port.feed(bob, b"hello");
        assert_eq!(port.take_sent(), []);
        port.refuse_next(ErrorKind::HostUnreachable);
        port.feed_all(ann, &["lost", "found"]);
        assert_eq!(port.take_sent(), [(ann, b"found".to_vec())]);
    }
}
