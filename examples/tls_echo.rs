//! The echo server with TLS, for `localhost`, with a certificate that it makes for itself.
//!
//! Run `cargo run --bin tls_echo`. It writes its authority's certificate to a file; then, in another
//! terminal, `openssl s_client -quiet -connect 127.0.0.1:8443 -CAfile tls_echo.pem`. Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::fs;

use torsade::tls::throw_away::Authority;
use torsade::tls::{TlsExt, TlsServer};
use torsade::{Protocol, Reactor, Transport, factory};

struct Echo;

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        if let Some(tls) = transport.tls() {
            log::info!(
                "{}: {} with {}",
                transport.peer(),
                tls.version(),
                tls.cipher()
            );
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8443");
    let file = arguments.next();
    let authority = Authority::new("tls_echo");
    let made = authority.issue(["localhost", "127.0.0.1"]);
    fs::write(
        file.as_deref().unwrap_or("tls_echo.pem"),
        authority.certificate_pem(),
    )?;
    let tls = TlsServer::builder().identity(made.identity()).build()?;
    let mut reactor = Reactor::new()?;
    let listener = reactor
        .net()
        .listen(tls.endpoint(address)?, factory(|_| Echo))?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use torsade::tls::TlsClient;
    use torsade_testing::MemoryReactor;

    struct Hello(Rc<RefCell<Vec<u8>>>);

    impl Protocol for Hello {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.write("hello");
        }

        fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
            self.0.borrow_mut().extend_from_slice(data);
        }
    }

    #[test]
    fn sends_back_what_it_gets() {
        let authority = Authority::new("Test");
        let made = authority.issue(["localhost"]);
        let server = TlsServer::builder()
            .identity(made.identity())
            .build()
            .unwrap();
        let client = TlsClient::builder()
            .roots(&authority.roots())
            .build()
            .unwrap();
        let reactor = MemoryReactor::new();
        let place = server.endpoint("127.0.0.1:8443").unwrap();
        reactor.net().listen(place, factory(|_| Echo)).unwrap();
        reactor.join();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let hello = Hello(Rc::clone(&heard));
        let place = client.endpoint("localhost:8443").unwrap();
        reactor.net().connect(place, hello).detach();
        reactor.settle();
        assert_eq!(*heard.borrow(), b"hello");
    }
}
