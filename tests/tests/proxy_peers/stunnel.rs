//! stunnel, which is TLS for those who have none, in both roles.

use std::io::{BufRead, BufReader, Read, Write};

use torsade::Reactor;

use crate::ends::{ask, meanwhile, serve};
use crate::peer::{Folder, Program, free_port, reach};

#[test]
fn stunnel_ends_tls_for_our_server_and_tells_whose_it_was() {
    let folder = Folder::new("stunnel-server");
    let mut reactor = Reactor::new().unwrap();
    let (port, _) = serve(&reactor, "haproxy:tcp:0:interface=127.0.0.1");
    let front = free_port();
    let settings = format!(
        "
[ends]
accept = 127.0.0.1:{front}
connect = 127.0.0.1:{port}
cert = {{both.pem}}
protocol = proxy
"
    );
    let Some(_stunnel) = Program::stunnel(&folder, &settings) else {
        return;
    };
    drop(meanwhile(&mut reactor, move || reach(front)));
    let there = format!("tls:127.0.0.1:{front}:hostname=localhost:trustRoots={{ca.pem}}");
    let (answer, _) = ask(&mut reactor, &folder.endpoint(&there), "done\n");
    assert!(
        answer.ends_with(" proxied tls false ssl false\ndone\n"),
        "{answer}"
    );
}

#[test]
fn stunnel_brings_a_client_without_tls_to_our_server_with_it() {
    let folder = Folder::new("stunnel-client");
    let mut reactor = Reactor::new().unwrap();
    let here = folder.endpoint("ssl:0:interface=127.0.0.1:privateKey={both.pem}");
    let (port, _) = serve(&reactor, &here);
    let front = free_port();
    let settings = format!(
        "
[begins]
client = yes
accept = 127.0.0.1:{front}
connect = 127.0.0.1:{port}
CAfile = {{ca.pem}}
verifyChain = yes
checkHost = localhost
sni = localhost
"
    );
    let Some(_stunnel) = Program::stunnel(&folder, &settings) else {
        return;
    };
    let (first, rest) = meanwhile(&mut reactor, move || {
        let mut client = BufReader::new(reach(front));
        let mut first = String::new();
        client.read_line(&mut first).unwrap();
        client.get_mut().write_all(b"hello\n").unwrap();
        client
            .get_mut()
            .shutdown(std::net::Shutdown::Write)
            .unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        (first, rest)
    });
    assert!(first.ends_with(" plain tls true ssl false\n"), "{first}");
    assert_eq!(rest, "hello\n");
}
