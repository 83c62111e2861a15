//! Who is believed, and what is said to those who are not.

use std::time::Duration;

use torsade_core::{CertificateFault, Disconnect, TlsFailure, factory};
use torsade_testing::MemoryReactor;
use torsade_tls::throw_away::Authority;
use torsade_tls::{Identity, Roots, TlsClient, TlsConfigError, TlsExt, TlsServer};

use crate::support::{Log, Pair, Talker, VERSIONS, authority, client, server};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the client says of a server, and the server of what it was told.
fn refusal(server: TlsServer, client: TlsClient) -> [String; 2] {
    let mut pair = Pair::of(&client, &server);
    let reasons = pair.reasons();
    assert_eq!(pair.at_client.notes(), [""; 0], "no connection was made");
    assert_eq!(pair.at_server.notes(), [""; 0], "no connection was made");
    reasons
}

#[test]
fn a_server_that_nobody_trusts_is_refused() {
    for version in VERSIONS {
        let stranger = Authority::new("Stranger").issue(["localhost"]);
        let server = TlsServer::builder().identity(stranger.identity());
        let client = client().only(version).build().unwrap();
        assert_eq!(
            refusal(server.build().unwrap(), client),
            [
                "no TLS: the peer's certificate \"CN=localhost\" is not good: \
                 nobody whom we trust vouches for it, but \"CN=Stranger\" does",
                "no TLS: the peer refuses: unknown_ca",
            ]
        );
    }
}

/// Without a word about trust it is the system's, which knows none of ours.
#[test]
fn by_default_the_system_says_who_is_trusted() {
    let server = server().build().unwrap();
    for builder in [TlsClient::new(), TlsClient::builder().build()] {
        match builder {
            Ok(client) => {
                assert!(refusal(server.clone(), client)[0].contains("nobody whom we trust"))
            }
            // Where the system has nobody there is no such client.
            Err(error) => assert!(matches!(error, TlsConfigError::PlatformRoots(_))),
        }
    }
}

#[test]
fn trust_can_be_added_up() {
    let [one, other] = ["One", "Other"].map(Authority::new);
    let both = one.roots().and(&other.roots());
    assert_eq!(both.len(), 2);
    for authority in [one, other] {
        let server = TlsServer::builder().identity(authority.issue(["localhost"]).identity());
        Pair::shaken(TlsClient::builder().roots(&both), server).expect_talk();
    }
}

/// The name that is checked is the host of the place, with or without brackets.
#[test]
fn who_a_server_should_be_is_said_by_where_it_is() {
    let made = authority().issue(["::1", "127.0.0.1"]).identity();
    let server = TlsServer::builder().identity(made).build().unwrap();
    let client = client().build().unwrap();
    for place in ["[::1]:8443", "127.0.0.1:8443", "127.0.0.2:8443"] {
        let mut reactor = MemoryReactor::new();
        let listening = server.endpoint(place).unwrap();
        reactor
            .net()
            .listen(listening, factory(|_| Talker(Log::default())))
            .unwrap();
        reactor.join();
        let connecting = client.endpoint(place).unwrap();
        let connecting = reactor.net().connect(connecting, Talker(Log::default()));
        reactor.settle();
        let is_fine = connecting.try_take().unwrap().is_ok();
        assert_eq!(is_fine, place != "127.0.0.2:8443", "{place}");
        reactor.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_certificate_has_its_time() {
    let made = authority().issue_valid(["localhost"], DAY * 100, DAY * 200);
    for version in VERSIONS {
        let refused = |today: u32| {
            let server = TlsServer::builder().identity(made.identity());
            let client = client().only(version).wall_clock(move || DAY * today);
            refusal(server.build().unwrap(), client.build().unwrap())
        };
        assert_eq!(
            refused(203),
            [
                "no TLS: the peer's certificate \"CN=localhost\" is not good: it expired 3 days ago",
                "no TLS: the peer refuses: certificate_expired",
            ]
        );
        assert_eq!(
            refused(99)[0],
            "no TLS: the peer's certificate \"CN=localhost\" is not good: it will be valid in a day",
        );
        let server = TlsServer::builder().identity(made.identity());
        let client = client().only(version).wall_clock(|| DAY * 150);
        Pair::shaken(client, server).expect_talk();
    }
}

#[test]
fn of_a_chain_the_one_that_expired_is_named() {
    let root = Authority::new("Root");
    let middle = root.delegate("Middle");
    let made = middle.issue(["localhost"]);
    let server = TlsServer::builder().identity(made.identity());
    let client = TlsClient::builder().roots(&root.roots());
    Pair::shaken(client, server).expect_talk();

    let short = root.delegate_valid("Short", DAY, DAY * 10);
    let server =
        TlsServer::builder().identity(short.issue_valid(["localhost"], DAY, DAY * 100).identity());
    let client = TlsClient::builder()
        .roots(&root.roots())
        .wall_clock(|| DAY * 11);
    let [at_client, _] = refusal(server.build().unwrap(), client.build().unwrap());
    assert_eq!(
        at_client,
        "no TLS: the peer's certificate \"CN=Short\" is not good: it expired a day ago"
    );
}

#[test]
fn a_certificate_is_for_its_names() {
    for version in VERSIONS {
        let server = server().build().unwrap();
        let client = client().only(version).build().unwrap();
        for name in ["127.0.0.1", "localhost", "LOCALHOST"] {
            let mut pair = Pair::to(name, &client, &server);
            pair.run();
            pair.expect_talk();
        }
        for name in ["localhost.example", "127.0.0.2", "::1"] {
            let mut pair = Pair::to(name, &client, &server);
            pair.run();
            let lost = pair.client.lost();
            let Some(Disconnect::Tls(failure)) = lost else {
                panic!("{lost:?}");
            };
            let why = CertificateFault::WrongName {
                wanted: name.to_owned(),
                names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            };
            let certificate = "CN=localhost".to_owned();
            assert_eq!(*failure, TlsFailure::Certificate { certificate, why });
            pair.client.expect_unhandled("cannot connect");
        }
    }
}

#[test]
fn only_so_many_words_turn_the_check_off() {
    for version in VERSIONS {
        let made = Authority::new("Stranger").issue_valid(["elsewhere"], DAY, DAY * 2);
        let server = TlsServer::builder().identity(made.identity());
        let client = TlsClient::builder()
            .only(version)
            .dangerously_trust_every_server();
        let mut pair = Pair::shaken(client, server);
        pair.expect_talk();
        let seen = pair.client.connection().tls().unwrap();
        assert_eq!(seen.certificates()[0].names(), ["elsewhere"]);
    }
}

#[test]
fn clients_show_who_they_are() {
    let clients = Authority::new("Clients");
    let known = clients.issue(["ann"]).identity();
    let stranger = Authority::new("Stranger").issue(["bob"]).identity();
    for version in VERSIONS {
        let client = || client().only(version);
        let strict = || server().require_clients(&clients.roots());
        let lax = || server().ask_clients(&clients.roots());
        for server in [strict(), lax()] {
            let mut pair = Pair::shaken(client().identity(known.clone()), server);
            pair.expect_talk();
            let seen = pair.server.connection().tls().unwrap();
            assert_eq!(seen.certificates()[0].names(), ["ann"]);
            assert_eq!(seen.certificates()[0].issuer(), "CN=Clients");
        }
        let mut pair = Pair::shaken(client(), lax());
        assert_eq!(pair.server.connection().tls().unwrap().certificates(), []);
        pair.expect_talk();

        let mut pair = Pair::new(client(), strict());
        assert_eq!(
            pair.reasons(),
            [
                "no TLS: the peer refuses: certificate_required",
                "no TLS: the peer showed no certificate",
            ]
        );
        assert_eq!(pair.at_server.notes(), [""; 0]);
        for server in [strict(), lax()] {
            let mut pair = Pair::new(client().identity(stranger.clone()), server);
            assert_eq!(
                pair.reasons(),
                [
                    "no TLS: the peer refuses: unknown_ca",
                    "no TLS: the peer's certificate \"CN=bob\" is not good: \
                     nobody whom we trust vouches for it, but \"CN=Stranger\" does",
                ]
            );
        }
    }
}

#[test]
fn what_is_no_identity_is_said() {
    let made = authority().issue(["localhost"]);
    let other = authority().issue(["localhost"]);
    let refused = |chain: &str, key: &str| Identity::from_pem(chain, key).unwrap_err();
    assert_eq!(
        refused(made.chain_pem(), other.key_pem()),
        TlsConfigError::WrongKey
    );
    assert_eq!(
        refused("nothing", made.key_pem()).to_string(),
        "not a certificate: there is none in the text"
    );
    assert_eq!(
        refused(made.chain_pem(), "nothing").to_string(),
        "not a private key: there is none in the text"
    );
    let cut = made.chain_pem().replacen("MII", "MIJ", 1);
    assert!(matches!(
        refused(&cut, made.key_pem()),
        TlsConfigError::Certificate(_)
    ));
    assert!(Roots::from_pem("nothing").is_err());
    let nobody = Roots::from_der([]).unwrap();
    assert!(matches!(
        TlsClient::builder().roots(&nobody).build(),
        Err(TlsConfigError::NoRoots)
    ));
    assert!(matches!(
        server().require_clients(&nobody).build(),
        Err(TlsConfigError::NoRoots)
    ));
    assert_eq!(
        client().alpn([""]).build().unwrap_err(),
        TlsConfigError::Alpn
    );
    let client = client().build().unwrap();
    assert!(matches!(client.to("no name"), Err(TlsConfigError::Name(_))));
    assert!(matches!(
        client.endpoint("localhost"),
        Err(TlsConfigError::Endpoint(_))
    ));
}

#[test]
fn the_key_is_not_shown() {
    let identity = authority().issue(["localhost"]).identity();
    assert_eq!(
        format!("{identity:?}"),
        "Identity { names: [\"localhost\"], .. }"
    );
}
