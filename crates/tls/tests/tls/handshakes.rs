//! What two ends agree upon.

use std::sync::{Arc, Mutex};

use torsade_tls::{TlsExt, TlsServer, TlsVersion};

use crate::support::{Pair, VERSIONS, authority, client, server};

#[test]
fn both_versions_talk_however_the_stream_is_cut() {
    for version in VERSIONS {
        for segment in [usize::MAX, 1000, 7, 1] {
            let mut pair = Pair::new(client().only(version), server());
            pair.segment = segment;
            pair.run();
            pair.expect_open();
            pair.expect_talk();
            for connection in [pair.client.connection(), pair.server.connection()] {
                let tls = connection.tls().unwrap();
                assert_eq!(tls.version(), version);
                assert_eq!(tls.server_name(), Some("localhost"));
                assert!(!tls.is_resumed());
                assert_eq!(tls.alpn(), None);
                assert!(tls.cipher().contains("AES") || tls.cipher().contains("CHACHA"));
            }
            let seen = pair.client.connection().tls().unwrap();
            assert_eq!(seen.certificates()[0].names(), ["localhost", "127.0.0.1"]);
            assert_eq!(pair.server.connection().tls().unwrap().certificates(), []);
        }
    }
}

#[test]
fn nothing_of_what_is_said_can_be_read_on_the_wire() {
    let mut pair = Pair::shaken(client(), server());
    pair.client.connection().write("?a secret word");
    pair.run();
    for wire in [&pair.from_client, &pair.from_server] {
        assert!(!wire.windows(6).any(|window| window == b"secret"));
    }
}

#[test]
fn the_server_chooses_the_version_that_both_speak() {
    for version in VERSIONS {
        let pair = Pair::shaken(client(), server().only(version));
        assert_eq!(pair.client.connection().tls().unwrap().version(), version);
    }
    let mut pair = Pair::new(
        client().only(TlsVersion::Tls12),
        server().only(TlsVersion::Tls13),
    );
    let [at_client, at_server] = pair.reasons();
    assert_eq!(at_client, "no TLS: the peer refuses: protocol_version");
    assert_eq!(
        at_server,
        "no TLS: nothing in common: no version that both speak"
    );
}

#[test]
fn application_protocols_are_agreed_upon() {
    for version in VERSIONS {
        let client = || client().only(version);
        let pair = Pair::shaken(client().alpn(["http/1.1", "h2"]), server().alpn(["h2"]));
        assert_eq!(
            pair.client.connection().tls().unwrap().alpn(),
            Some(&b"h2"[..])
        );
        assert_eq!(
            pair.server.connection().tls().unwrap().alpn(),
            Some(&b"h2"[..])
        );
        // Of several the one that the server likes best.
        let offers = client().alpn(["http/1.1", "h2"]);
        let pair = Pair::shaken(offers, server().alpn(["h2", "http/1.1"]));
        assert_eq!(
            pair.client.connection().tls().unwrap().alpn(),
            Some(&b"h2"[..])
        );
        let pair = Pair::shaken(client(), server().alpn(["h2"]));
        assert_eq!(pair.server.connection().tls().unwrap().alpn(), None);
        let mut pair = Pair::new(client().alpn(["imap"]), server().alpn(["h2"]));
        let [at_client, at_server] = pair.reasons();
        assert_eq!(
            at_client,
            "no TLS: the peer refuses: no_application_protocol"
        );
        assert_eq!(
            at_server,
            "no TLS: nothing in common: no application protocol that both speak"
        );
    }
}

#[test]
fn a_server_shows_the_certificate_for_the_name() {
    let builder = server()
        .identity(
            authority()
                .issue(["mail.example", "*.web.example"])
                .identity(),
        )
        .identity(authority().issue(["other.example"]).identity());
    for version in VERSIONS {
        let client = client().only(version).build().unwrap();
        let lax = builder.clone().build().unwrap();
        for (name, shown) in [
            ("mail.example", "mail.example"),
            ("MAIL.example", "mail.example"),
            ("www.web.example", "mail.example"),
            ("other.example", "other.example"),
            ("127.0.0.1", "localhost"),
        ] {
            let mut pair = Pair::to(name, &client, &lax);
            pair.run();
            let tls = pair.client.connection().tls().unwrap();
            assert_eq!(tls.certificates()[0].names()[0], shown, "{name}");
        }
        // A star is for one part of a name, and the first identity for whoever is left.
        let mut pair = Pair::to("a.www.web.example", &client, &lax);
        assert_eq!(
            pair.reasons()[0],
            "no TLS: the peer's certificate \"CN=localhost\" is not good: \
             it is for localhost, 127.0.0.1, not for a.www.web.example"
        );
        let strict = builder.clone().only_known_names().build().unwrap();
        let mut pair = Pair::to("a.www.web.example", &client, &strict);
        assert_eq!(
            pair.reasons()[1],
            "no TLS: there is no certificate for \"a.www.web.example\""
        );
        let mut pair = Pair::to("127.0.0.1", &client, &strict);
        assert_eq!(
            pair.reasons()[1],
            "no TLS: there is no certificate for a client that gives no name"
        );
    }
}

#[test]
fn those_who_know_each_other_shake_hands_faster() {
    for version in VERSIONS {
        let first = client().only(version).build().unwrap();
        let tls = server().build().unwrap();
        let forgetful = server().without_resumption().build().unwrap();
        let resumed = |server: &TlsServer| {
            let mut pair = Pair::of(&first, server);
            pair.run();
            pair.expect_talk();
            let [client, server] = [pair.client.connection(), pair.server.connection()]
                .map(|connection| connection.tls().unwrap());
            assert_eq!(client.is_resumed(), server.is_resumed());
            assert_eq!(client.certificates().len(), 2);
            assert_eq!(server.server_name(), Some("localhost"));
            client.is_resumed()
        };
        assert!(!resumed(&tls));
        assert!(resumed(&tls));
        // To the client it is the same server; it has forgotten, and gives nothing to remember.
        assert!(!resumed(&forgetful));
        let fresh = client().only(version).build().unwrap();
        for _ in 0..3 {
            let mut pair = Pair::of(&fresh, &forgetful);
            pair.run();
            assert!(!pair.client.connection().tls().unwrap().is_resumed());
        }
        let second = client().only(version).without_resumption().build().unwrap();
        for _ in 0..2 {
            let mut pair = Pair::of(&second, &tls);
            pair.run();
            assert!(!pair.client.connection().tls().unwrap().is_resumed());
        }
    }
}

#[test]
fn secrets_are_logged_for_who_asks() {
    for (version, label) in [
        (TlsVersion::Tls12, "CLIENT_RANDOM "),
        (TlsVersion::Tls13, "SERVER_TRAFFIC_SECRET_0 "),
    ] {
        let lines = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
        let sink = |end: usize| {
            let lines = Arc::clone(&lines);
            move |line: &str| lines.lock().unwrap()[end].push(line.to_owned())
        };
        let client = client().only(version).key_log(sink(0));
        Pair::shaken(client, server().key_log(sink(1)));
        let [mut client, mut server] = std::mem::take(&mut *lines.lock().unwrap());
        client.sort();
        server.sort();
        assert_eq!(client, server);
        let line = client.iter().find(|line| line.starts_with(label)).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!((words.len(), words[1].len()), (3, 64));
    }
}

#[test]
fn certificates_are_exchanged_while_connections_come() {
    let tls = server().build().unwrap();
    let client = client().build().unwrap();
    let mut before = Pair::of(&client, &tls);
    before.run();
    let renewed = authority().issue(["localhost", "new.example"]);
    tls.set_identities([renewed.identity()]).unwrap();
    let mut after = Pair::to("new.example", &client, &tls);
    after.run();
    after.expect_talk();
    before.expect_talk();
    assert!(tls.set_identities([]).is_err());
    let mut still = Pair::to("new.example", &client, &tls);
    still.run();
    still.expect_talk();
}
