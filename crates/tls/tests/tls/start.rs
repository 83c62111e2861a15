//! TLS in the middle of a stream.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{Disconnect, Protocol, TlsFailure, Transport};
use torsade_testing::{Pump, StringTransport};
use torsade_tls::{TlsConnector, TlsExt, TlsServer, TlsVersion};
use torsade_wire::{LineProtocol, Lines};

use crate::support::{VERSIONS, client, server};

type Said = Rc<RefCell<Vec<String>>>;

/// A server with one command that matters.
struct Mail {
    tls: TlsServer,
    said: Said,
}

impl LineProtocol for Mail {
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let secure = if transport.tls().is_some() {
            "secure"
        } else {
            "clear"
        };
        let line = String::from_utf8_lossy(line).into_owned();
        self.said.borrow_mut().push(format!("{secure} {line}"));
        if line == "STARTTLS" {
            transport.write("220 go ahead\r\n");
            transport.start_tls(&self.tls);
            transport.write("250 welcome\r\n");
        } else {
            transport.write(format!("250 {line}\r\n"));
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.said.borrow_mut().push(reason.to_string());
    }
}

struct Sender {
    tls: TlsConnector,
    said: Said,
}

impl LineProtocol for Sender {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write("HELO\r\nSTARTTLS\r\n");
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        let secure = if transport.tls().is_some() {
            "secure"
        } else {
            "clear"
        };
        let line = String::from_utf8_lossy(line).into_owned();
        self.said.borrow_mut().push(format!("{secure} {line}"));
        if line == "220 go ahead" {
            transport.start_tls(&self.tls);
            transport.write("MAIL\r\n");
        }
    }
}

#[test]
fn what_comes_before_is_clear_and_what_comes_after_is_not() {
    for version in VERSIONS {
        for segment in [usize::MAX / 2, 100, 1] {
            let tls = server().build().unwrap();
            let to = client()
                .only(version)
                .build()
                .unwrap()
                .to("localhost")
                .unwrap();
            let [here, there] = [Said::default(), Said::default()];
            let sender = Sender {
                tls: to,
                said: here.clone(),
            };
            let mail = Mail {
                tls,
                said: there.clone(),
            };
            let mut pump = Pump::new(Lines::new(sender), Lines::new(mail)).segment(segment);
            pump.run();
            assert_eq!(
                *there.borrow(),
                ["clear HELO", "clear STARTTLS", "secure MAIL"],
                "{segment}"
            );
            assert_eq!(
                *here.borrow(),
                [
                    "clear 250 HELO",
                    "clear 220 go ahead",
                    "secure 250 welcome",
                    "secure 250 MAIL"
                ]
            );
            assert_eq!(pump.client_connection().tls().unwrap().version(), version);
        }
    }
}

/// CVE-2011-0411: somebody in between puts commands behind the one that is in clear.
#[test]
fn what_was_smuggled_in_behind_the_command_is_never_heard() {
    let smuggled = ["EVIL\r\n", "EVIL\r\nEVIL\r\n", "E", "\x16\x03\x01EVIL\r\n"];
    for text in smuggled {
        for bytewise in [false, true] {
            let said = Said::default();
            let mail = Mail {
                tls: server().build().unwrap(),
                said: said.clone(),
            };
            let mut t = StringTransport::serve(Lines::new(mail));
            let bytes = format!("STARTTLS\r\n{text}");
            match bytewise {
                false => t.feed(bytes),
                true => t.feed_bytewise(bytes),
            }
            t.end();
            assert!(t.take_sent().starts_with(b"220 go ahead\r\n"));
            assert_eq!(said.borrow()[0], "clear STARTTLS");
            assert!(
                !said.borrow().iter().any(|line| line.contains("EVIL")),
                "{said:?}"
            );
            let lost = t.lost().unwrap();
            let is_tls =
                matches!(&lost, Disconnect::Tls(why) if matches!(**why, TlsFailure::Broken(_)));
            assert!(is_tls || lost == Disconnect::TruncatedTls, "{lost}");
        }
    }
}

/// The same from the server's side.
#[test]
fn what_was_smuggled_in_behind_the_answer_is_never_heard() {
    let said = Said::default();
    let tls = client().build().unwrap().to("localhost").unwrap();
    let mut t = StringTransport::connect(Lines::new(Sender {
        tls,
        said: said.clone(),
    }));
    t.feed("220 go ahead\r\n250 EVIL\r\n");
    assert_eq!(*said.borrow(), ["clear 220 go ahead"]);
    assert!(matches!(t.lost(), Some(Disconnect::Tls(_))));
    // The command, a greeting, and an alert: nothing of the mail.
    let sent = t.take_sent();
    assert!(sent.starts_with(b"HELO\r\nSTARTTLS\r\n\x16\x03\x01"));
    assert!(!sent.windows(4).any(|window| window == b"MAIL"));
}

/// A protocol that goes on when hands are shaken.
struct Waits {
    tls: TlsConnector,
    said: Said,
}

impl Protocol for Waits {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.start_tls(&self.tls);
        transport.then(transport.filters_ready(), |me, transport, result| {
            let version = transport.tls().map(|tls| tls.version());
            me.said
                .borrow_mut()
                .push(format!("{:?} {version:?}", result.is_ok()));
            transport.write("hello");
        });
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

#[derive(Clone)]
struct Upgrades(TlsServer, Said);

impl Protocol for Upgrades {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.start_tls(&self.0);
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        let data = String::from_utf8_lossy(data).into_owned();
        self.1.borrow_mut().push(data);
    }
}

#[test]
fn who_asks_is_told_when_hands_are_shaken() {
    let said = Said::default();
    let tls = client().build().unwrap().to("localhost").unwrap();
    let waits = Waits {
        tls,
        said: said.clone(),
    };
    let mut pump = Pump::new(waits, Upgrades(server().build().unwrap(), said.clone()));
    pump.run();
    assert_eq!(*said.borrow(), ["true Some(Tls13)", "hello"]);

    let said = Said::default();
    let tls = client().build().unwrap().to("localhost").unwrap();
    let mut t = StringTransport::connect(Waits {
        tls,
        said: said.clone(),
    });
    let ready = t.connection().filters_ready();
    t.end();
    assert_eq!(t.lost(), Some(Disconnect::TruncatedTls));
    let outcome = ready.try_take().unwrap();
    assert!(outcome.is_err());
    assert_eq!(*said.borrow(), [""; 0]);
}

#[test]
fn tls_lies_within_tls() {
    let said = Said::default();
    let outer = client().build().unwrap().to("localhost").unwrap();
    let inner = client()
        .only(TlsVersion::Tls12)
        .build()
        .unwrap()
        .to("127.0.0.1")
        .unwrap();
    let tls = server().build().unwrap();
    struct Twice(TlsConnector, TlsConnector);
    impl Protocol for Twice {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.start_tls(&self.0);
            transport.start_tls(&self.1);
            transport.write("deep");
        }
        fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    struct Both(TlsServer, Said);
    impl Protocol for Both {
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.start_tls(&self.0);
            transport.start_tls(&self.0);
        }
        fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
            assert_eq!(transport.tls().unwrap().version(), TlsVersion::Tls12);
            self.1
                .borrow_mut()
                .push(String::from_utf8_lossy(data).into_owned());
        }
    }
    let mut pump = Pump::new(Twice(outer, inner), Both(tls, said.clone())).segment(50);
    pump.run();
    assert_eq!(*said.borrow(), ["deep"]);
}
