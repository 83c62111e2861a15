//! A proxy: whoever connects talks to the upstream, through a [relay].
//!
//! Run `cargo run --bin proxy tcp:8007:interface=127.0.0.1 tcp:127.0.0.1:80`, with a web server of
//! yours as the second place, then `curl http://127.0.0.1:8007/`. Ctrl-C ends it.
//!
//! Both places are endpoints' texts, so the same program ends TLS, with `ssl:8443:privateKey=us.pem`
//! as the first, begins it, with `tls:example.org:443` as the second, and stands behind another
//! proxy, with `haproxy:tcp:8007` as the first. With `v1` or `v2` after them it tells the upstream
//! whose connection it passes on, as that other proxy does: by a PROXY header.
#![forbid(unsafe_code)]

mod relay;

use torsade::service::{ProxyHeader, ProxyVersion, SendProxy, client, server};
use torsade::{Disconnect, Endpoint, Peer, Protocol, Reactor, Transport, factory};

/// Where clients are passed on to.
#[derive(Clone)]
struct Upstream {
    place: Endpoint,
    /// How it is told whose connection it gets, if it wants to know.
    told: Option<ProxyVersion>,
}

impl Upstream {
    /// The way there for this client.
    fn for_client(&self, client: &Peer) -> Endpoint {
        let place = self.place.clone();
        let Some(version) = self.told else {
            return place;
        };
        let header = ProxyHeader::new(client.clone());
        place.filter(move |_| SendProxy::new(version, &header))
    }
}

/// A client whose upstream is not connected yet.
struct Client {
    upstream: Upstream,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        // Behind another proxy this is whom that one named.
        let place = self.upstream.for_client(&transport.peer());
        let upstream = relay::connect(transport, place);
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
    let here = arguments.next();
    let here = here.as_deref().unwrap_or("tcp:8007:interface=127.0.0.1");
    let place = arguments.next();
    let place = place.as_deref().unwrap_or("tcp:127.0.0.1:8080");
    let upstream = Upstream {
        place: client(place)?,
        told: match arguments.next().as_deref() {
            None => None,
            Some("v1") => Some(ProxyVersion::V1),
            Some("v2") => Some(ProxyVersion::V2),
            Some(other) => return Err(format!("{other:?} is neither v1 nor v2").into()),
        },
    };
    let mut reactor = Reactor::new()?;
    let clients = factory(move |_| Client {
        upstream: upstream.clone(),
    });
    let listener = reactor.net().listen(server(here)?, clients)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

/// Without headers.
#[cfg(test)]
impl From<Endpoint> for Upstream {
    fn from(place: Endpoint) -> Self {
        Self { place, told: None }
    }
}

#[cfg(test)]
#[path = "proxy/faults.rs"]
mod faults;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use torsade::ToEndpoint;
    use torsade_testing::{FarEnd, MemoryReactor, StringTransport};

    /// A reactor with a proxy on it, and a client of that.
    fn proxy() -> (MemoryReactor, FarEnd) {
        proxy_at("tcp:0:interface=127.0.0.1", None)
    }

    fn proxy_at(here: &str, told: Option<ProxyVersion>) -> (MemoryReactor, FarEnd) {
        let reactor = MemoryReactor::new();
        let place = client("tcp:192.0.2.1:80").unwrap();
        let upstream = Upstream { place, told };
        let clients = factory(move |_| Client {
            upstream: upstream.clone(),
        });
        let here = server(here).unwrap();
        let listener = reactor.net().listen(here, clients).unwrap();
        let near = reactor.dial(listener.address());
        (reactor, near)
    }

    #[test]
    fn the_upstream_is_told_whose_connection_it_gets() {
        let header = "PROXY TCP4 192.0.2.7 192.0.2.9 50000 443\r\n";
        let here = "haproxy:tcp:0:interface=127.0.0.1";
        let (reactor, mut near) = proxy_at(here, Some(ProxyVersion::V1));
        near.feed(header);
        near.feed("hello");
        let mut far = reactor.next_connect().succeed();
        assert_eq!(far.take_sent(), format!("{header}hello").as_bytes());

        let (reactor, mut near) = proxy_at(here, Some(ProxyVersion::V2));
        near.feed(header);
        let mut far = reactor.next_connect().succeed();
        let sent = far.take_sent();
        assert!(sent.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07"));

        let (reactor, mut near) = proxy_at(here, None);
        near.feed(header);
        near.feed("hello");
        let mut far = reactor.next_connect().succeed();
        assert_eq!(far.take_sent(), b"hello");
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
        let upstream = "127.0.0.1:9".to_endpoint().unwrap().into();
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
