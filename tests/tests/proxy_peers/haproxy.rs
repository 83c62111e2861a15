//! haproxy in front of us, and behind us.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr};

use torsade::Reactor;

use crate::ends::{ask, ask_as, meanwhile, serve};
use crate::peer::{Folder, Program, free_port, reach};

/// The line that a client gets through a proxy, and an echo; and who the client is.
fn talk(port: u16) -> (SocketAddr, String, String) {
    let client = reach(port);
    let own = client.local_addr().unwrap();
    let mut client = BufReader::new(client);
    let (mut first, mut second) = (String::new(), String::new());
    client.read_line(&mut first).unwrap();
    client.get_mut().write_all(b"hello\n").unwrap();
    client.get_mut().shutdown(Shutdown::Write).unwrap();
    client.read_line(&mut second).unwrap();
    let mut rest = String::new();
    assert_eq!(client.read_line(&mut rest).unwrap(), 0, "{rest}");
    (own, first, second)
}

#[test]
fn haproxy_tells_us_whose_connection_it_is_in_both_versions() {
    let folder = Folder::new("haproxy");
    let mut reactor = Reactor::new().unwrap();
    let here = "haproxy:trust=127.0.0.1:tcp:0:interface=127.0.0.1";
    let (port, _) = serve(&reactor, here);
    let fronts = [free_port(), free_port()];
    let settings = format!(
        "
listen v1
    bind 127.0.0.1:{}
    server us 127.0.0.1:{port} send-proxy
listen v2
    bind 127.0.0.1:{}
    server us 127.0.0.1:{port} send-proxy-v2 proxy-v2-options crc32c,unique-id
",
        fronts[0], fronts[1]
    );
    let Some(_haproxy) = Program::haproxy(&folder, &settings) else {
        return;
    };
    for front in fronts {
        let (own, first, second) = meanwhile(&mut reactor, move || talk(front));
        assert_eq!(first, format!("{own} proxied tls false ssl false\n"));
        assert_eq!(second, "hello\n");
    }
}

#[test]
fn haproxys_health_checks_are_its_own_connections() {
    let folder = Folder::new("checks");
    let mut reactor = Reactor::new().unwrap();
    let (port, seen) = serve(&reactor, "haproxy:tcp:0:interface=127.0.0.1");
    let settings = format!(
        "
listen checked
    bind 127.0.0.1:{}
    server us 127.0.0.1:{port} send-proxy-v2 check check-send-proxy inter 20ms
",
        free_port()
    );
    let Some(_haproxy) = Program::haproxy(&folder, &settings) else {
        return;
    };
    let mut turns = 0;
    while seen.borrow().len() < 3 {
        let patience = Some(std::time::Duration::from_millis(100));
        assert!(reactor.turn(patience).unwrap());
        turns += 1;
        assert!(turns < 10_000, "nobody looks after us");
    }
    for seen in seen.borrow().iter() {
        assert!(seen.starts_with("127.0.0.1:"), "{seen}");
        assert!(seen.ends_with(" local tls false ssl false\n"), "{seen}");
    }
}

#[test]
fn haproxy_ends_tls_and_says_so_or_begins_it_behind_a_header() {
    let folder = Folder::new("haproxy-tls");
    let mut reactor = Reactor::new().unwrap();
    let (clear, _) = serve(&reactor, "haproxy:tcp:0:interface=127.0.0.1");
    let secure = folder
        .endpoint(r"ssl:privateKey={both.pem}:endpoint=haproxy\:tcp\:0\:interface\=127.0.0.1");
    let (secure, _) = serve(&reactor, &secure);
    let [ends, begins] = [free_port(), free_port()];
    let settings = format!(
        "
listen ends
    bind 127.0.0.1:{ends} ssl crt {{both.pem}}
    server us 127.0.0.1:{clear} send-proxy-v2-ssl
listen begins
    bind 127.0.0.1:{begins}
    server us 127.0.0.1:{secure} send-proxy-v2 ssl ca-file {{ca.pem}} verify required verifyhost localhost sni str(localhost)
"
    );
    let Some(_haproxy) = Program::haproxy(&folder, &settings) else {
        return;
    };
    drop(meanwhile(&mut reactor, move || reach(ends)));
    let there = folder.endpoint("tls:127.0.0.1:PORT:trustRoots={ca.pem}");
    let there = there.replace("PORT", &ends.to_string());
    let (answer, _) = ask(&mut reactor, &there, "done\n");
    assert!(
        answer.ends_with(" proxied tls false ssl true\ndone\n"),
        "{answer}"
    );

    let (own, first, second) = meanwhile(&mut reactor, move || talk(begins));
    assert_eq!(first, format!("{own} proxied tls true ssl false\n"));
    assert_eq!(second, "hello\n");
}

#[test]
fn haproxy_believes_our_headers() {
    let folder = Folder::new("accepts");
    let mut reactor = Reactor::new().unwrap();
    let (port, seen) = serve(&reactor, "haproxy:tcp:0:interface=127.0.0.1");
    let front = free_port();
    // What it is told it passes on, as of who it was told.
    let settings = format!(
        "
listen front
    bind 127.0.0.1:{front} accept-proxy
    server us 127.0.0.1:{port} send-proxy-v2
"
    );
    let Some(_haproxy) = Program::haproxy(&folder, &settings) else {
        return;
    };
    drop(meanwhile(&mut reactor, move || reach(front)));
    for version in [1, 2] {
        let there = format!("haproxy:version={version}:tcp:127.0.0.1:{front}");
        let ((answer, _), own) = ask_as(&mut reactor, &there, "done\n");
        let expected = format!("{own} proxied tls false ssl false\ndone\n");
        assert_eq!(answer, expected);
    }
    assert_eq!(seen.borrow().len(), 2);
}
