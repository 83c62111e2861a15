//! A server of lines that becomes secure when it is told to, as mail servers do: `EHLO` says that it
//! can, `STARTTLS` does it, `WHOAMI` answers only then, `QUIT` ends.
//!
//! Run `cargo run --bin starttls`. It writes its authority's certificate to a file; then, in another
//! terminal, `openssl s_client -starttls smtp -quiet -connect 127.0.0.1:8025 -CAfile starttls.pem`.
//! Ctrl-C ends it.
#![forbid(unsafe_code)]

use std::fs;

use torsade::tls::throw_away::Authority;
use torsade::tls::{TlsExt, TlsServer};
use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Reactor, Transport, factory};

struct Mail {
    tls: TlsServer,
}

impl LineProtocol for Mail {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.send_line("220 localhost ESMTP");
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let line = String::from_utf8_lossy(line).to_ascii_uppercase();
        let secure = transport.tls();
        match (line.split(' ').next(), secure) {
            (Some("EHLO"), None) => transport.send_line("250-localhost\r\n250 STARTTLS"),
            (Some("EHLO"), Some(_)) => transport.send_line("250 localhost"),
            (Some("STARTTLS"), None) => {
                transport.send_line("220 go ahead");
                // What came in clear behind the command is not listened to any more.
                transport.start_tls(&self.tls);
            }
            (Some("WHOAMI"), Some(tls)) => {
                let name = tls.server_name().unwrap_or("nobody");
                transport.send_line(format!("250 you asked for {name} in {}", tls.version()));
            }
            (Some("WHOAMI"), None) => transport.send_line("530 first STARTTLS"),
            (Some("QUIT"), _) => {
                transport.send_line("221 bye");
                transport.close();
            }
            _ => transport.send_line("500 what?"),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::init();
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next();
    let address = address.as_deref().unwrap_or("127.0.0.1:8025");
    let file = arguments.next();
    let authority = Authority::new("starttls");
    let made = authority.issue(["localhost", "127.0.0.1"]);
    fs::write(
        file.as_deref().unwrap_or("starttls.pem"),
        authority.certificate_pem(),
    )?;
    let tls = TlsServer::builder().identity(made.identity()).build()?;
    let mut reactor = Reactor::new()?;
    let mail = factory(move |_| Lines::new(Mail { tls: tls.clone() }));
    let listener = reactor.net().listen(address, mail)?;
    reactor.stop_on_signals()?;
    println!("listening on {}", listener.address());
    Ok(reactor.run()?)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use torsade::Disconnect;
    use torsade::tls::{TlsClient, TlsConnector};
    use torsade_testing::{Pump, StringTransport};

    fn mail(authority: &Authority) -> Lines<Mail> {
        let made = authority.issue(["localhost"]);
        let tls = TlsServer::builder().identity(made.identity()).build();
        Lines::new(Mail { tls: tls.unwrap() })
    }

    /// Goes through the conversation, a line for each answer.
    struct Client {
        tls: TlsConnector,
        heard: Rc<RefCell<Vec<String>>>,
    }

    impl LineProtocol for Client {
        fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
            let line = String::from_utf8_lossy(line).into_owned();
            match &line[..] {
                "220 localhost ESMTP" => transport.send_line("WHOAMI"),
                "530 first STARTTLS" => transport.send_line("STARTTLS"),
                "220 go ahead" => {
                    transport.start_tls(&self.tls);
                    transport.send_line("WHOAMI");
                }
                _ => transport.send_line("QUIT"),
            }
            self.heard.borrow_mut().push(line);
        }
    }

    #[test]
    fn becomes_secure_in_the_middle() {
        let authority = Authority::new("Test");
        let tls = TlsClient::builder().roots(&authority.roots()).build();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let client = Lines::new(Client {
            tls: tls.unwrap().to("localhost").unwrap(),
            heard: Rc::clone(&heard),
        });
        let mut pump = Pump::new(client, mail(&authority)).segment(11);
        pump.run();
        assert_eq!(
            *heard.borrow(),
            [
                "220 localhost ESMTP",
                "530 first STARTTLS",
                "220 go ahead",
                "250 you asked for localhost in TLS 1.3",
                "221 bye",
            ]
        );
        assert_eq!(pump.server_lost(), Some(Disconnect::Closed));
    }

    #[test]
    fn does_not_listen_to_what_was_smuggled_in() {
        let mut t = StringTransport::serve(mail(&Authority::new("Test")));
        t.take_sent();
        t.feed("STARTTLS\r\nQUIT\r\n");
        assert!(matches!(t.lost(), Some(Disconnect::Tls(_))));
        let sent = t.take_sent();
        assert!(sent.starts_with(b"220 go ahead\r\n\x15"), "and an alert");
        assert!(!sent.windows(3).any(|window| window == b"221"));
    }
}
