//! Endpoints as text: Twisted's syntax, errors that point, round trips, any text at all.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use torsade_core::{
    Address, ChildFd, Endpoint, EndpointError, ListenOptions, Place, Protocol, Stdio, ToEndpoint,
    Transport, UnixAddress,
};

#[cfg(unix)]
use torsade_core::Adopted;
#[cfg(unix)]
use torsade_service::PassedSocket;
use torsade_service::{
    Endpoints, ProcessClientEndpoint, TcpClientEndpoint, TcpServerEndpoint, TextFault,
    UnixClientEndpoint, UnixServerEndpoint, client, quote, server,
};
use torsade_testing::MemoryReactor;

fn shown(endpoint: &Endpoint) -> Vec<String> {
    let addresses = endpoint.places().iter();
    addresses.map(ToString::to_string).collect()
}

#[track_caller]
fn listens(text: &str) -> String {
    shown(&server(text).unwrap()).join(" ")
}

#[track_caller]
fn connects(text: &str) -> String {
    shown(&client(text).unwrap()).join(" ")
}

#[test]
fn servers_in_twisteds_words() {
    assert_eq!(listens("tcp:8007"), "0.0.0.0:8007");
    assert_eq!(listens("tcp:port=8007"), "0.0.0.0:8007");
    assert_eq!(listens("tcp:interface=127.0.0.1:8007"), "127.0.0.1:8007");
    assert_eq!(listens("tcp:8007:interface="), "0.0.0.0:8007");
    assert_eq!(listens(r"tcp:0:interface=\:\:1"), "[::1]:0");
    assert_eq!(listens("tcp6:8007"), "[::]:8007");
    assert_eq!(listens(r"tcp6:8007:interface=\:\:1"), "[::1]:8007");
    assert_eq!(listens("unix:/run/a"), "unix:/run/a");
    assert_eq!(
        listens(r"unix:address=/run/a\:b\\c=d"),
        r"unix:/run/a:b\c=d"
    );
    assert_eq!(listens("unix:@a"), "unix:@a");
    assert_eq!(listens("haproxy:tcp:8007"), "0.0.0.0:8007");
    assert_eq!(listens("haproxy:unix:/run/a"), "unix:/run/a");
    assert_eq!(
        listens("haproxy:trust=10.0.0.0/8,192.0.2.1:tcp:1"),
        "0.0.0.0:1"
    );
}

#[test]
fn clients_in_twisteds_words() {
    assert_eq!(connects("tcp:127.0.0.1:80"), "127.0.0.1:80");
    assert_eq!(connects("tcp:host=127.0.0.1:port=80"), "127.0.0.1:80");
    assert_eq!(connects("tcp:port=80:127.0.0.1"), "127.0.0.1:80");
    assert_eq!(connects(r"tcp:\:\:1:80"), "[::1]:80");
    assert_eq!(connects(r"tcp:host=\:\:1:port=80"), "[::1]:80");
    assert_eq!(connects("tcp:example.org:80:timeout=5"), "example.org:80");
    assert_eq!(connects("tcp:localhost:80"), "127.0.0.1:80 [::1]:80");
    assert_eq!(connects("tcp:a.b:bindAddress=127.0.0.1:80"), "a.b:80");
    assert_eq!(connects("unix:/run/a"), "unix:/run/a");
    assert_eq!(connects("unix:path=/run/a"), "unix:/run/a");
    assert_eq!(
        connects("haproxy:version=1:tcp:127.0.0.1:80"),
        "127.0.0.1:80"
    );
}

/// What is wrong with a server's text, and the part of it that is meant.
#[track_caller]
fn wrong(text: &str) -> (TextFault, &str) {
    let error = server(text).unwrap_err();
    assert_eq!(error.position(), error.range().start);
    assert_eq!(error.text(), text);
    let part = &text[error.range()];
    (error.fault().clone(), part)
}

#[test]
fn options_of_listeners_are_asked_for() {
    let asked = |text: &str| server(text).unwrap().options().clone();
    let plain = ListenOptions::default();
    assert_eq!(asked("tcp:80"), plain);
    assert_eq!(asked("tcp:80:backlog=7").backlog, Some(7));
    assert_eq!(asked("haproxy:tcp:80:backlog=7").backlog, Some(7));
    assert!(!asked("tcp6:80").dual_stack);
    assert!(!asked("tcp6:80:v6only=1").dual_stack);
    assert!(asked("tcp6:80:v6only=0").dual_stack);
    assert!(asked(r"tcp:80:v6only=no:interface=\:\:").dual_stack);
    let unix = asked("unix:/run/a");
    assert_eq!((unix.mode, unix.backlog), (None, None));
    assert!(unix.replace_stale);
    let unix = asked("unix:/run/a:mode=0660:backlog=5:lockfile=0");
    assert_eq!((unix.mode, unix.backlog), (Some(0o660), Some(5)));
    assert!(!unix.replace_stale);
    for said in ["1", "yes", "true"] {
        assert!(asked(&format!("unix:a:lockfile={said}")).replace_stale);
    }
    for said in ["0", "no", "false"] {
        assert!(!asked(&format!("unix:a:lockfile={said}")).replace_stale);
    }
    // Nothing is said that means nothing.
    let four = TcpServerEndpoint::new(1).only_v6(false);
    assert_eq!(four.to_string(), "tcp:1");
    let mode = UnixServerEndpoint::new("a").mode(0o170_660);
    assert_eq!(mode.to_string(), "unix:a:mode=660");
    for (text, part) in [
        ("tcp:80:backlog=-1", "-1"),
        ("tcp6:80:v6only=2", "2"),
        ("tcp:80:v6only=0", "v6only=0"),
        ("unix:a:mode=8", "8"),
        ("unix:a:mode=+7", "+7"),
        ("unix:a:mode=", ""),
        ("unix:a:mode=10000", "10000"),
        ("unix:a:lockfile=maybe", "maybe"),
        ("unix:@", "@"),
        ("unix::mode=660", ""),
        ("unix:a:backlog=x", "x"),
    ] {
        assert_eq!(wrong(text).1, part, "{text}");
    }
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

#[test]
fn what_a_clients_text_says_is_done() {
    let mut reactor = MemoryReactor::new();
    let there = client("tcp:localhost:80:timeout=0.5").unwrap();
    let slow = reactor.net().connect(there, Quiet);
    reactor.advance(Duration::from_millis(500));
    assert!(slow.try_take().unwrap().is_err());

    // From an IPv4 address, nobody goes to the other one of localhost's.
    let there = client("tcp:localhost:80:bindAddress=127.0.0.1").unwrap();
    let bound = reactor.net().connect(there, Quiet);
    reactor.next_connect().fail(ErrorKind::ConnectionRefused);
    assert!(bound.try_take().unwrap().is_err());

    for (version, start) in [
        ("", &b"\r\n\r\n\0\r\nQUIT\n"[..]),
        ("version=2:", b"\r\n\r\n\0\r\nQUIT\n"),
        ("version=1:", b"PROXY TCP4 127.0.0.1 127.0.0.1 "),
    ] {
        let there = client(&format!("haproxy:{version}tcp:127.0.0.1:80")).unwrap();
        let _connecting = reactor.net().connect(there, Quiet);
        let mut far = reactor.next_connect().succeed();
        assert!(far.take_sent().starts_with(start), "{version}");
    }
    let error = client("haproxy:version=3:tcp:127.0.0.1:80").unwrap_err();
    assert_eq!(error.position(), 16);
}

#[cfg(unix)]
#[test]
fn sockets_of_a_service_manager_are_named_or_counted() {
    let passed = ["web", "log"].map(|name| PassedSocket {
        name: Some(name.to_owned()),
        socket: Adopted::new(std::io::pipe().unwrap().0),
    });
    let endpoints = Endpoints::new().with_sockets(passed.clone());
    let is = |text: &str, which: usize| {
        let endpoint = endpoints.server(text).unwrap();
        endpoint.places() == [Place::from(passed[which].socket.clone())]
    };
    assert!(is("systemd:domain=INET:index=0", 0));
    assert!(is("systemd:domain=INET6:index=1", 1));
    assert!(is("systemd:UNIX:1", 1));
    assert!(is("systemd:domain=UNIX:name=web", 0));
    assert!(is("haproxy:systemd:domain=INET:name=log", 1));
    let wrong = |text: &str| {
        let error = endpoints.server(text).unwrap_err();
        (error.fault().clone(), text[error.range()].to_owned())
    };
    let missing = |name: &str| TextFault::Missing { name: name.into() };
    assert_eq!(wrong("systemd:").0, missing("domain"));
    assert_eq!(wrong("systemd:domain=INET").0, missing("index or name"));
    assert_eq!(wrong("systemd:domain=IP:index=0").1, "IP");
    assert_eq!(wrong("systemd:domain=INET:index=-1").1, "-1");
    let (fault, part) = wrong("systemd:domain=INET:index=2");
    assert!(matches!(fault, TextFault::Unusable { name, .. } if name == "index"));
    assert_eq!(part, "2");
    let (fault, part) = wrong("systemd:domain=INET:name=www");
    assert!(matches!(fault, TextFault::Unusable { name, .. } if name == "name"));
    assert_eq!(part, "www");
    let (fault, part) = wrong("systemd:domain=INET:name=web:index=0");
    assert!(matches!(fault, TextFault::Both { .. }));
    assert_eq!(part, "systemd");
}

#[test]
fn an_endpoint_may_stand_in_an_argument_of_another() {
    let endpoints = Endpoints::new()
        .with_server("on", |endpoints, arguments| {
            let inner = arguments.value("at", Some(0))?;
            let inner = inner.ok_or_else(|| arguments.missing("at"))?;
            endpoints.server_in(arguments, &inner)
        })
        .with_client("on", |endpoints, arguments| {
            let inner = arguments.value("at", Some(0))?;
            let inner = inner.ok_or_else(|| arguments.missing("at"))?;
            endpoints.client_in(arguments, &inner)
        });
    let here = endpoints
        .server(r"on:tcp\:80\:interface\=127.0.0.1")
        .unwrap();
    assert_eq!(shown(&here), ["127.0.0.1:80"]);
    let there = endpoints.client(r"on:at=tcp\:127.0.0.1\:80").unwrap();
    assert_eq!(shown(&there), ["127.0.0.1:80"]);
    let text = r"on:at=tcp\:x";
    let error = endpoints.server(text).unwrap_err();
    assert!(matches!(error.fault(), TextFault::Invalid { name, .. } if name == "port"));
    assert_eq!((error.text(), &text[error.range()]), (text, r"tcp\:x"));
    let error = endpoints.client("on:at=on").unwrap_err();
    assert_eq!(error.fault(), &TextFault::Missing { name: "at".into() });
    // No text nests for ever: each level doubles the backslashes, and they are counted, too.
    let mut text = "tcp:80".to_owned();
    for _ in 0..9 {
        text = format!("on:{}", quote(&text));
    }
    assert_eq!(
        endpoints.server(&text).unwrap_err().fault(),
        &TextFault::Depth
    );
}

#[test]
fn errors_say_what_and_point_at_it() {
    let name = |name: &str| name.to_owned();
    let (fault, part) = wrong("ftp:21");
    assert!(matches!(fault, TextFault::Prefix { prefix, .. } if prefix == "ftp"));
    assert_eq!(part, "ftp");
    let (fault, part) = wrong("tcp:80a");
    assert!(matches!(fault, TextFault::Invalid { name, .. } if name == "port"));
    assert_eq!(part, "80a");
    let (_, part) = wrong("tcp:port=65536");
    assert_eq!(part, "65536");
    assert_eq!(
        wrong("tcp:"),
        (TextFault::Missing { name: name("port") }, "")
    );
    assert_eq!(
        wrong("tcp"),
        (TextFault::Missing { name: name("port") }, "")
    );
    let twice = TextFault::Twice { name: name("port") };
    assert_eq!(wrong("tcp:80:port=81"), (twice.clone(), "port=81"));
    assert_eq!(wrong("tcp:port=80:port=81"), (twice, "port=81"));
    let unknown = TextFault::Unknown { name: name("prot") };
    assert_eq!(wrong("tcp:80:prot=1"), (unknown, "prot=1"));
    assert_eq!(wrong("tcp:80:81"), (TextFault::Surplus, "81"));
    assert_eq!(wrong("tcp:80:"), (TextFault::Surplus, ""));
    assert_eq!(wrong("tcp:80\\"), (TextFault::Backslash, "\\"));
    let (_, part) = wrong("tcp:80:interface=example.org");
    assert_eq!(part, "example.org");
    let (_, part) = wrong("tcp6:80:interface=127.0.0.1");
    assert_eq!(part, "127.0.0.1");
    let (_, part) = wrong("haproxy:tcp:x");
    assert_eq!(part, "x", "also within what is wrapped");
    let (_, part) = wrong("haproxy:trust=10.0.0.1/8:tcp:80");
    assert_eq!(part, "10.0.0.1/8");
    let (fault, _) = wrong("haproxy:");
    assert!(matches!(fault, TextFault::Missing { .. }));
    for (text, at) in [
        ("tcp:no host:80", 4),
        ("tcp:a.b:80:timeout=soon", 19),
        ("tcp:a.b:80:timeout=-1", 19),
        ("tcp:a.b:80:timeout=.5", 19),
        ("tcp:a.b:80:timeout=99999999999999999999", 19),
        ("tcp:a.b:80:bindAddress=a.b", 23),
    ] {
        assert_eq!(client(text).unwrap_err().position(), at, "{text}");
    }
    let error = client("tcp::80").unwrap_err();
    assert!(matches!(error.fault(), TextFault::Invalid { name, .. } if name == "host"));
    assert_eq!(error.position(), 4);
}

#[test]
fn the_standard_streams_have_no_arguments() {
    for parse in [server, client] {
        let streams = parse("stdio:").unwrap();
        assert_eq!(streams.places(), [Place::from(Stdio)]);
        assert_eq!(streams.places()[0].to_string(), "stdio:");
        assert_eq!(
            parse("stdio:8007").unwrap_err().fault(),
            &TextFault::Surplus
        );
        assert_eq!(parse("stdio:8007").unwrap_err().position(), 6);
    }
}

#[test]
fn what_is_known_but_not_there_is_told_from_what_is_unknown() {
    for prefix in ["tls", "ssl", "systemd", "fd"] {
        let text = format!("{prefix}:");
        let fault = server(&text).unwrap_err().fault().clone();
        assert!(matches!(fault, TextFault::NotSupported { .. }), "{prefix}");
        let fault = client(&text).unwrap_err().fault().clone();
        assert!(matches!(fault, TextFault::NotSupported { .. }), "{prefix}");
    }
    let fault = server("process:sort").unwrap_err().fault().clone();
    assert!(matches!(fault, TextFault::NotSupported { .. }));
}

#[test]
fn a_program_is_connected_to() {
    let sort = client(r"process:sort:-n:-t\=:directory=/srv:stderr=drop").unwrap();
    let Place::Process(command) = &sort.places()[0] else {
        panic!("{sort:?}");
    };
    assert_eq!(command.program(), "sort");
    assert_eq!(command.arguments(), ["-n", "-t="]);
    assert_eq!(command.directory(), Some(Path::new("/srv")));
    let stderr = command.descriptors().find(|(fd, _)| *fd == 2);
    assert!(matches!(stderr, Some((2, ChildFd::Null))));
    for (text, at) in [
        ("process:", 8),
        ("process::x", 8),
        ("process:a:stderr=no", 17),
        ("process:a:env=b", 10),
    ] {
        assert_eq!(client(text).unwrap_err().position(), at, "{text}");
    }
}

#[test]
fn the_caret_stands_below_the_place_whatever_is_in_front_of_it() {
    let error = server("tcp:8\u{7}é\n:x").unwrap_err();
    let pointed = error.pointed().to_string();
    let (text, below) = pointed.split_once('\n').unwrap();
    assert_eq!(text, "tcp:8\u{fffd}é\u{fffd}:x");
    assert!(below.starts_with("    ^^^^ `port`"), "{below}");
}

#[test]
fn wrapping_has_an_end() {
    let wrapped = |times: usize| format!("{}tcp:80", "haproxy:".repeat(times));
    assert!(server(&wrapped(8)).is_ok());
    let error = server(&wrapped(9)).unwrap_err();
    assert_eq!(error.fault(), &TextFault::Depth);
    assert!(server(&wrapped(100_000)).is_err());
}

#[test]
fn plug_ins_belong_to_a_value() {
    let endpoints = Endpoints::new()
        .with_server("mine", |_, arguments| {
            let name: String = arguments.parse("name", 0, "a name")?;
            let loud = arguments.parse_named::<bool>("loud", "true or false")?;
            let name = if loud == Some(true) {
                name.to_uppercase()
            } else {
                name
            };
            Ok(Endpoint::new([UnixAddress::path(name)]))
        })
        .with_client("twice", |endpoints, arguments| {
            let mut wrapped = arguments.take_wrapped()?;
            let inner = endpoints.wrapped_client(&mut wrapped)?;
            let both = [inner.places(), inner.places()].concat();
            Ok(inner.at(both))
        });
    assert_eq!(shown(&endpoints.server("mine:a").unwrap()), ["unix:a"]);
    assert_eq!(
        shown(&endpoints.server("mine:loud=true:a").unwrap()),
        ["unix:A"]
    );
    let error = endpoints.server("mine:a:loud=maybe").unwrap_err();
    assert_eq!(error.position(), 12);
    assert!(
        endpoints.server("mine:a:b").is_err(),
        "nobody took the last"
    );
    let both = endpoints.client("twice:tcp:127.0.0.1:1").unwrap();
    assert_eq!(shown(&both), ["127.0.0.1:1", "127.0.0.1:1"]);
    assert!(server("mine:a").is_err());

    let refused = Endpoints::new().with_client("no", |_, arguments| {
        Err(arguments.refused(EndpointError::Empty))
    });
    let error = refused.client("no:x").unwrap_err();
    assert_eq!(
        (error.fault(), error.position()),
        (&EndpointError::Empty.into(), 0)
    );
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
    ]
}

/// Texts in which much means something.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("tcp"),
        Just("tcp6"),
        Just("unix"),
        Just("haproxy"),
        Just("tls"),
        Just(":"),
        Just(":"),
        Just("="),
        Just("\\"),
        Just("port="),
        Just("host"),
        Just("interface="),
        Just("127.0.0.1"),
        Just("::1"),
        Just("80"),
        Just("é"),
        Just("\0"),
        Just("trust="),
        Just("/0"),
        Just(","),
        Just("@"),
        Just("localhost"),
        Just("version=2"),
    ];
    prop_oneof![
        any::<String>(),
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics_and_errors_point_inside(text in any_text()) {
        for outcome in [server(&text), client(&text)] {
            if let Err(error) = outcome {
                prop_assert!(text.get(error.range()).is_some());
                let pointed = error.pointed().to_string();
                prop_assert_eq!(pointed.lines().count(), 2);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn builders_and_their_texts_are_the_same(
        ip in any_ip(),
        port in any::<u16>(),
        host in "[^\0]{1,12}",
        path in "[^\0@][^\0]{0,12}",
        wait in (any::<u64>(), 0..1_000_000_000u32),
        backlog in any::<u32>(),
        mode in 0..0o10000_u32,
    ) {
        for server in [TcpServerEndpoint::new(port), TcpServerEndpoint::v6(port)] {
            prop_assert_eq!(server.to_string().parse(), Ok(server));
        }
        let tcp = TcpServerEndpoint::new(port).interface(ip).backlog(backlog);
        for tcp in [tcp.clone(), tcp.only_v6(!ip.is_ipv6())] {
            prop_assert_eq!(tcp.to_string().parse(), Ok(tcp.clone()));
            let listened = server(&tcp.to_string()).unwrap();
            let meant = tcp.to_endpoint().unwrap();
            prop_assert_eq!(listened.places(), meant.places());
            prop_assert_eq!(listened.options(), meant.options());
        }
        let unix = UnixServerEndpoint::new(path.clone());
        prop_assert_eq!(unix.to_string().parse(), Ok(unix.clone()));
        let unix = unix.mode(mode).backlog(backlog).lockfile(false);
        prop_assert_eq!(unix.to_string().parse(), Ok(unix.clone()));
        let listened = server(&unix.to_string()).unwrap();
        let meant = unix.to_endpoint().unwrap();
        prop_assert_eq!(listened.options(), meant.options());
        let unix = UnixClientEndpoint::new(path.clone());
        prop_assert_eq!(unix.to_string().parse(), Ok(unix));
        let process = ProcessClientEndpoint::new(host.clone()).arg(path.clone()).arg("");
        prop_assert_eq!(process.to_string().parse(), Ok(process.clone()));
        let process = process.directory(path.clone());
        prop_assert_eq!(process.to_string().parse(), Ok(process));
        let wait = Duration::new(wait.0, wait.1);
        let tcp = TcpClientEndpoint::new(ip.to_string(), port).bind(ip).timeout(wait);
        prop_assert_eq!(tcp.to_string().parse(), Ok(tcp));
        let tcp = TcpClientEndpoint::new(host, port);
        if tcp.to_endpoint().is_ok() {
            prop_assert_eq!(tcp.to_string().parse(), Ok(tcp));
        }
    }

    #[test]
    fn what_is_quoted_stands_for_itself(text in any::<String>()) {
        let endpoints = Endpoints::new().with_server("say", |_, arguments| {
            let said: String = arguments.parse("said", 0, "anything")?;
            Ok(Endpoint::new([UnixAddress::path(said)]))
        });
        let quoted = quote(&text);
        for said in [format!("say:{quoted}"), format!("say:said={quoted}")] {
            match endpoints.server(&said) {
                Ok(endpoint) => prop_assert_eq!(
                    endpoint.places()[0].address(),
                    Some(&Address::from(UnixAddress::path(text.as_str())))
                ),
                Err(_) => prop_assert!(text.is_empty()),
            }
        }
    }
}
