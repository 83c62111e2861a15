//! A port forwarder: whoever connects talks to the upstream, through a [relay].
//!
//! Run `cargo run --bin proxy 127.0.0.1:8007 127.0.0.1:80`, with a web server of yours as the
//! second address, then `curl http://127.0.0.1:8007/`. Ctrl-C ends it.
#![forbid(unsafe_code)]

mod relay;

use torsade::{Disconnect, Endpoint, Protocol, Reactor, ToEndpoint, Transport, factory};

/// A client whose upstream is not connected yet.
struct Client {
    upstream: Endpoint,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let upstream = relay::connect(transport, &self.upstream);
        transport.hold(upstream, |_, transport, upstream| match upstream {
            Ok(upstream) => relay::join(transport, &upstream),
            Err(error) => transport.fail(Disconnect::application(error.to_string())),
        });
    }

    /// Not called: input is held until the relay takes over.
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8007");
    let upstream = arguments.next();
    let upstream = upstream.as_deref().unwrap_or("127.0.0.1:8080");
    let upstream = upstream.to_endpoint()?;
    let mut reactor = Reactor::new()?;
    let clients = factory(move |_| Client {
        upstream: upstream.clone(),
    });
    let listener = reactor.net().listen(address, clients)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
#[path = "proxy/faults.rs"]
mod faults;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use torsade_testing::{FarEnd, MemoryReactor, StringTransport};

    /// A reactor with a proxy on it, and a client of that.
    fn proxy() -> (MemoryReactor, FarEnd) {
        let reactor = MemoryReactor::new();
        let upstream = "192.0.2.1:80".to_endpoint().unwrap();
        let clients = factory(move |_| Client {
            upstream: upstream.clone(),
        });
        let listener = reactor.net().listen("127.0.0.1:0", clients).unwrap();
        let near = reactor.dial(listener.address());
        (reactor, near)
    }

    #[test]
    fn a_client_is_not_read_before_the_upstream_is_there_and_loses_nothing() {
        let (reactor, mut near) = proxy();
        near.feed("early");
        near.end();
        assert!(!near.is_reading());
        let mut far = reactor.next_connect().succeed();
        assert_eq!(reactor.connects()[0].to_string(), "192.0.2.1:80");
        assert_eq!(far.take_sent(), b"early");
        assert!(far.has_ended());
        far.feed("an answer after that");
        assert_eq!(near.take_sent(), b"an answer after that");
        far.end();
        assert!(near.has_ended());
        assert_eq!(reactor.net().connections(), 0);
    }

    #[test]
    fn a_client_whose_upstream_refuses_is_closed_and_told_nothing() {
        let (reactor, mut near) = proxy();
        reactor.next_connect().fail(ErrorKind::ConnectionRefused);
        assert_eq!(near.take_sent(), b"");
        assert!(near.has_ended());
        assert_eq!(reactor.net().connections(), 0);

        // The same where the reason can be seen: nobody listens in the world of this one.
        let upstream = "127.0.0.1:9".to_endpoint().unwrap();
        let t = StringTransport::serve(Client { upstream });
        let Some(Disconnect::Application(why)) = t.lost() else {
            panic!("lost with {:?}", t.lost());
        };
        assert!(why.starts_with("cannot connect to 127.0.0.1:9: "), "{why}");
    }

    #[test]
    fn a_client_whose_upstream_does_not_answer_is_closed_in_time() {
        let (mut reactor, near) = proxy();
        reactor.advance(reactor.net().limits().connect_timeout);
        assert!(near.has_ended());
        assert_eq!(reactor.net().connections(), 0);
    }

    #[test]
    fn a_client_that_goes_meanwhile_takes_its_upstream_with_it() {
        let (reactor, mut near) = proxy();
        near.reset();
        let far = reactor.next_connect().succeed();
        assert!(far.has_reset());
        assert_eq!(reactor.net().connections(), 0);
    }

    #[test]
    fn one_clients_trouble_is_not_anothers() {
        let (reactor, mut near) = proxy();
        let mut far = reactor.next_connect().succeed();
        let mut others = Vec::new();
        for _ in 0..10 {
            let mut other = reactor.dial(&reactor.listening()[0]);
            let mut upstream = reactor.next_connect().succeed();
            other.set_window(0);
            upstream.feed(vec![b'x'; 1_000_000]);
            others.push(other);
        }
        near.feed("ping");
        assert_eq!(far.take_sent(), b"ping");
        assert!(reactor.net().buffered() <= 10 * 2 * 64 * 1024);
        for mut other in others {
            other.reset();
        }
        far.feed("pong");
        assert_eq!(near.take_sent(), b"pong");
        assert_eq!(reactor.net().connections(), 2);
    }
}
