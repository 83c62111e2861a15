//! How streams end: said, half said, and cut off.

use torsade_core::Disconnect;
use torsade_tls::TlsVersion;

use crate::support::{Pair, VERSIONS, client, server};

fn shaken(version: TlsVersion) -> Pair {
    Pair::shaken(client().only(version), server())
}

#[test]
fn a_close_is_said_before_the_socket_ends() {
    for version in VERSIONS {
        let mut pair = shaken(version);
        pair.client.connection().write("bye");
        pair.client.connection().close();
        pair.run();
        assert_eq!(pair.client.lost(), Some(Disconnect::Closed));
        assert!(pair.client.has_ended());
        assert_eq!(pair.at_server.received(), b"bye");
        assert_eq!(pair.at_server.notes(), ["made", "eof"]);
        pair.server.end();
        assert_eq!(pair.server.lost(), None, "our side is still open");
        pair.server.connection().close();
        pair.run();
        assert_eq!(pair.server.lost(), Some(Disconnect::PeerClosed));
    }
}

/// Contract C5: "TLS `close_write` sends close_notify and no FIN".
#[test]
fn half_a_close_lets_the_other_half_go_on() {
    for version in VERSIONS {
        for starter in [true, false] {
            let mut pair = shaken(version);
            let (one, other) = match starter {
                true => (&mut pair.client, &mut pair.server),
                false => (&mut pair.server, &mut pair.client),
            };
            one.connection().write("the question");
            one.connection().close_write();
            other.feed(one.take_sent());
            assert!(!one.has_ended(), "no FIN");
            one.connection().write("too late");
            assert_eq!(one.take_sent(), b"");
            other.connection().write("the answer, ");
            one.feed(other.take_sent());
            other.connection().write("in two parts");
            one.feed(other.take_sent());
            other.connection().close_write();
            one.feed(other.take_sent());
            assert_eq!(other.lost(), Some(Disconnect::PeerClosed));
            assert_eq!(one.lost(), Some(Disconnect::PeerClosed));
            let (asked, answered) = match starter {
                true => (&pair.at_server, &pair.at_client),
                false => (&pair.at_client, &pair.at_server),
            };
            assert_eq!(asked.received(), b"the question");
            assert_eq!(answered.received(), b"the answer, in two parts");
            let ends = ["made", "eof", "closed by the peer"];
            assert_eq!(
                (asked.notes(), answered.notes()),
                (
                    ends.map(String::from).to_vec(),
                    ends.map(String::from).to_vec()
                )
            );
        }
    }
}

#[test]
fn nothing_is_written_or_delivered_after_a_close() {
    for version in VERSIONS {
        let mut pair = shaken(version);
        pair.server.set_window(0);
        pair.server.with_protocol(|_, transport| {
            transport.write("before");
            transport.close();
            transport.write("after");
        });
        pair.client.connection().write("under way");
        pair.server.feed(pair.client.take_sent());
        pair.server.set_window(usize::MAX);
        pair.client.feed(pair.server.take_sent());
        assert_eq!(pair.server.lost(), Some(Disconnect::Closed));
        assert_eq!(pair.at_client.received(), b"before");
        assert_eq!(pair.at_client.notes(), ["made", "eof"]);
        assert_eq!(pair.at_server.received(), b"");
        pair.server.connection().write("after the loss");
        assert_eq!(pair.server.connection().bytes_dropped(), 19);
        assert_eq!(pair.server.take_sent(), b"");
    }
}

#[test]
fn both_may_end_at_once() {
    for version in VERSIONS {
        let mut pair = shaken(version);
        pair.client.connection().close_write();
        pair.server.connection().close_write();
        pair.run();
        for notes in [pair.at_client.notes(), pair.at_server.notes()] {
            assert_eq!(notes, ["made", "eof", "closed by the peer"]);
        }
    }
}

#[test]
fn an_end_in_the_middle_of_the_handshake_waits_for_it() {
    for version in VERSIONS {
        let mut pair = Pair::new(client().only(version), server());
        pair.server.feed(pair.client.take_sent());
        let half = pair.server.connection().clone();
        half.close_write();
        pair.client.feed(pair.server.take_sent());
        pair.run();
        assert_eq!(pair.at_client.notes(), ["made", "eof"]);
        pair.client.connection().write("heard");
        pair.run();
        assert_eq!(pair.at_server.received(), b"heard");
    }
}

/// Contract C5: "an end without close_notify is `TruncatedTls`, never `eof_received`": after every
/// byte of a whole conversation.
#[test]
fn a_stream_that_is_cut_off_never_seems_whole() {
    for version in VERSIONS {
        let tls = server().without_resumption().build().unwrap();
        let ends = client().only(version).build().unwrap();
        let mut whole = Pair::of(&ends, &tls);
        whole.run();
        whole.expect_talk();
        // All but what says that it is over.
        let limits = [whole.from_client.len(), whole.from_server.len()];
        let mut cuts = 0;
        for (end, limit) in limits.into_iter().enumerate() {
            for cut in 0..=limit {
                let mut pair = Pair::of(&ends, &tls);
                cut_after(&mut pair, end, cut);
                let (log, lost) = match end {
                    0 => (pair.at_server.clone(), pair.server.lost()),
                    _ => (pair.at_client.clone(), pair.client.lost()),
                };
                assert_eq!(
                    lost,
                    Some(Disconnect::TruncatedTls),
                    "after {cut} of {limit}"
                );
                assert!(
                    !log.notes().contains(&"eof".to_owned()),
                    "after {cut} of {limit}"
                );
                if end == 1 && log.notes().is_empty() {
                    pair.client.expect_unhandled("cut off");
                }
                cuts += 1;
            }
        }
        println!("{version}: {cuts} cuts, 0 seen as clean");
        assert!(cuts > 1000);
    }
}

/// Let a conversation go on until so many bytes of this end (0: the client) were carried, and cut.
fn cut_after(pair: &mut Pair, end: usize, cut: usize) {
    let mut left = cut;
    let mut said = 0;
    loop {
        let mut there = pair.client.take_sent();
        let mut back = pair.server.take_sent();
        if there.is_empty() && back.is_empty() {
            said += 1;
            match said {
                1 => pair.client.connection().write("?there"),
                2 => pair.server.connection().write("?back"),
                _ => {}
            }
            there = pair.client.take_sent();
            back = pair.server.take_sent();
        }
        let counted = match end {
            0 => &mut there,
            _ => &mut back,
        };
        counted.truncate(left);
        left -= counted.len();
        // Signatures differ in length, so a conversation may be shorter than the first was.
        let is_over = left == 0 || said > 2;
        pair.server.feed(&there);
        pair.client.feed(&back);
        if is_over {
            break;
        }
    }
    match end {
        0 => pair.server.end(),
        _ => pair.client.end(),
    }
}

#[test]
fn what_comes_after_the_end_is_nobodys() {
    for version in VERSIONS {
        let mut pair = shaken(version);
        pair.server.connection().close_write();
        let end = pair.server.take_sent();
        pair.client
            .feed([&end[..], b"and more, in clear, which may be anybody's"].concat());
        for _ in 0..1000 {
            pair.client.feed([0; 4096]);
        }
        assert_eq!(pair.at_client.notes(), ["made", "eof"]);
        assert_eq!(pair.at_client.received(), b"");
        pair.client.connection().write("still here");
        pair.run();
        assert_eq!(pair.at_server.received(), b"still here");
    }
}

#[test]
fn a_reset_is_a_reset() {
    let mut pair = shaken(TlsVersion::Tls13);
    pair.client.reset();
    assert_eq!(pair.client.lost(), Some(Disconnect::Reset));
    pair.server.connection().abort();
    assert_eq!(pair.server.take_sent(), b"");
    assert!(pair.server.has_reset());
}
