//! What says where TLS is spoken, and its text: the one can be had of the other.
#![cfg(feature = "tls")]

use std::fmt::{Debug, Display};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use torsade::service::{
    SslServerEndpoint, TcpClientEndpoint, TcpServerEndpoint, TextError, TextFault,
    TlsClientEndpoint, TlsServerEndpoint,
};
use torsade::tls::TlsVersion;

/// Words that have to be quoted, or nearly.
const WORDS: [&str; 10] = [
    "a",
    "",
    ":",
    "=",
    r"\",
    r"C:\keys=2",
    "a=b",
    "é",
    r"\:\=",
    "verify=no:",
];

/// It is what its text says, and so is every text that comes of it.
#[track_caller]
fn round<T: Display + Debug + Clone + PartialEq + FromStr<Err = TextError>>(it: &T) {
    let text = it.to_string();
    let read: T = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(&read, it, "{text}");
    assert_eq!(read.to_string(), text);
}

fn listened() -> Vec<TcpServerEndpoint> {
    let mut places = vec![TcpServerEndpoint::new(0), TcpServerEndpoint::v6(65535)];
    for interface in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
    ] {
        let place = TcpServerEndpoint::new(443).interface(interface);
        places.push(place.clone());
        places.push(place.clone().backlog(7));
        if interface.is_ipv6() {
            places.push(place.clone().only_v6(false));
            places.push(place.only_v6(false).backlog(7));
        }
    }
    places
}

#[test]
fn every_word_of_a_client_comes_back() {
    for word in WORDS {
        let mut places = vec![TlsClientEndpoint::inside(word, "tcp:a:1")];
        places.push(TlsClientEndpoint::inside("a", word));
        let tcp = TcpClientEndpoint::new("::1", 443);
        for tcp in [
            tcp.clone(),
            tcp.clone().timeout(Duration::from_millis(1500)),
            tcp.clone().bind(Ipv6Addr::LOCALHOST),
            tcp.bind(Ipv4Addr::LOCALHOST).timeout(Duration::MAX),
        ] {
            places.push(TlsClientEndpoint::over(tcp));
        }
        for place in places {
            for trusts in [
                place.clone(),
                place.clone().trust_roots(word),
                place.dangerously_trust_every_server(),
            ] {
                round(&trusts);
                round(&trusts.clone().hostname(word));
                round(&trusts.clone().certificate(word));
                round(&trusts.clone().private_key(word));
                let all = trusts.hostname(word).certificate(word);
                round(&all.private_key("other"));
            }
        }
    }
}

#[test]
fn every_word_of_a_server_comes_back() {
    for word in WORDS {
        for over in listened() {
            round(&TlsServerEndpoint::new(word).over(over.clone()));
            let ssl = SslServerEndpoint::new(1, word).over(over);
            for ssl in [
                ssl.clone(),
                ssl.clone().only(TlsVersion::Tls12),
                ssl.only(TlsVersion::Tls13),
            ] {
                round(&ssl);
                round(&ssl.clone().certificate(word));
                round(&ssl.clone().extra_chain(word));
                round(&ssl.certificate(word).extra_chain("other"));
            }
        }
        round(&TlsServerEndpoint::new("a").inside(word));
        round(&SslServerEndpoint::new(1, "a").inside(word));
    }
}

/// What is written in another way means the same, in this one.
#[test]
fn texts_in_other_words_come_back_in_these() {
    fn says<T: Display + FromStr<Err = TextError>>(texts: &[&str], this: &str) {
        for text in texts {
            assert_eq!(text.parse::<T>().unwrap().to_string(), this, "{text}");
        }
    }
    says::<TlsClientEndpoint>(
        &[
            "tls:port=443:host=a:trustRoots=r:privateKey=k:certificate=c:verify=yes",
            "ssl:a:443:certKey=c:privateKey=k:caCertsDir=r",
        ],
        "tls:a:443:certificate=c:privateKey=k:trustRoots=r",
    );
    says::<TlsClientEndpoint>(
        &["ssl:a:443:verify=0", "tls:verify=false:a:443"],
        "tls:a:443:verify=no",
    );
    says::<TlsClientEndpoint>(
        &[
            r"tls:a:9:endpoint=unix\:/b:hostname=c",
            r"tls:endpoint=unix\:/b:hostname=c:a",
        ],
        r"tls:a:endpoint=unix\:/b:hostname=c",
    );
    says::<TlsServerEndpoint>(
        &[
            "tls:/etc",
            "tls:port=443:path=/etc",
            "tls:/etc:443:interface=",
        ],
        "tls:/etc:443",
    );
    says::<TlsServerEndpoint>(&[r"tls:endpoint=tcp\:1:/etc"], r"tls:/etc:endpoint=tcp\:1");
    says::<SslServerEndpoint>(
        &[
            "ssl:1:privateKey=k:sslmethod=TLS_METHOD",
            "ssl:privateKey=k:port=1",
            "ssl:1:sslmethod=SSLv23_METHOD:privateKey=k",
        ],
        "ssl:1:privateKey=k",
    );
    says::<SslServerEndpoint>(
        &[r"ssl:endpoint=haproxy\:tcp\:1:privateKey=k:sslmethod=TLSv1_3_METHOD"],
        r"ssl:endpoint=haproxy\:tcp\:1:privateKey=k:sslmethod=TLSv1_3_METHOD",
    );
}

/// Each is of its own prefix, and takes no word of another.
#[test]
fn what_is_no_such_text_is_refused_at_its_place() {
    let at = |error: TextError| error.position();
    let prefix = "tcp:a:1".parse::<TlsClientEndpoint>().unwrap_err();
    assert!(matches!(prefix.fault(), TextFault::Prefix { .. }));
    assert_eq!(
        at("ssl:1:privateKey=k"
            .parse::<TlsServerEndpoint>()
            .unwrap_err()),
        0
    );
    assert_eq!(at("tls:/etc".parse::<SslServerEndpoint>().unwrap_err()), 0);
    assert_eq!(
        at("tls:a:1:certKey=c"
            .parse::<TlsClientEndpoint>()
            .unwrap_err()),
        8
    );
    assert_eq!(
        at("ssl:a:1:trustRoots=r"
            .parse::<TlsClientEndpoint>()
            .unwrap_err()),
        8
    );
    assert_eq!(
        at("tls:/etc:x".parse::<TlsServerEndpoint>().unwrap_err()),
        9
    );
    assert_eq!(
        at("ssl:1:privateKey=k:a"
            .parse::<SslServerEndpoint>()
            .unwrap_err()),
        19
    );
}

/// What a value opens is what its text opens, also what it cannot.
#[test]
fn a_value_opens_what_its_text_says() {
    let nowhere = SslServerEndpoint::new(1, "/no:where");
    let error = nowhere.endpoint().unwrap_err();
    assert_eq!(error.text(), nowhere.to_string());
    assert_eq!(&error.text()[error.range()], r"/no\:where");
    let error = TlsServerEndpoint::new("/no").endpoint().unwrap_err();
    assert_eq!(&error.text()[error.range()], "/no");
    let client = TlsClientEndpoint::new("127.0.0.1", 443).dangerously_trust_every_server();
    let there = client.endpoint().unwrap();
    assert_eq!(there.places()[0].to_string(), "127.0.0.1:443");
    let error = client.trust_roots("/no").endpoint().unwrap_err();
    assert_eq!(&error.text()[error.range()], "/no");
}
