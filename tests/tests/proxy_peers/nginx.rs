//! nginx as a proxy with and without TLS, and as a web server.

use torsade::{Disconnect, Reactor};

use crate::ends::{ask, ask_as, meanwhile, serve};
use crate::peer::{Folder, Program, free_port, reach};

#[test]
fn nginx_ends_tls_for_us_or_passes_it_on() {
    let folder = Folder::new("nginx-stream");
    let mut reactor = Reactor::new().unwrap();
    let (clear, _) = serve(&reactor, "haproxy:tcp:0:interface=127.0.0.1");
    let secure = folder
        .endpoint(r"ssl:privateKey={both.pem}:endpoint=haproxy\:tcp\:0\:interface\=127.0.0.1");
    let (secure, _) = serve(&reactor, &secure);
    let [ends, passes] = [free_port(), free_port()];
    let settings = format!(
        "
stream {{
    server {{
        listen 127.0.0.1:{ends} ssl;
        ssl_certificate {{both.pem}};
        ssl_certificate_key {{both.pem}};
        proxy_pass 127.0.0.1:{clear};
        proxy_protocol on;
    }}
    server {{
        listen 127.0.0.1:{passes};
        proxy_pass 127.0.0.1:{secure};
        proxy_protocol on;
    }}
}}
"
    );
    let Some(_nginx) = Program::nginx(&folder, &settings) else {
        return;
    };
    drop(meanwhile(&mut reactor, move || reach(passes)));
    for (port, tls) in [(ends, false), (passes, true)] {
        let there = format!("tls:127.0.0.1:{port}:hostname=localhost:trustRoots={{ca.pem}}");
        let (answer, _) = ask(&mut reactor, &folder.endpoint(&there), "done\n");
        let expected = format!(" proxied tls {tls} ssl false\ndone\n");
        assert!(answer.ends_with(&expected), "{answer}");
    }
}

#[test]
fn nginx_answers_our_tls_client_and_believes_our_headers() {
    let folder = Folder::new("nginx-http");
    let mut reactor = Reactor::new().unwrap();
    let [secure, proxied] = [free_port(), free_port()];
    let settings = format!(
        "
http {{
    server {{
        listen 127.0.0.1:{secure} ssl;
        ssl_certificate {{both.pem}};
        ssl_certificate_key {{both.pem}};
        ssl_protocols TLSv1.3;
        location / {{ return 200 \"$ssl_protocol $ssl_server_name\"; }}
    }}
    map $remote_addr $from {{ default $proxy_protocol_addr:$proxy_protocol_port; }}
    map $remote_addr $to {{ default $proxy_protocol_server_addr:$proxy_protocol_server_port; }}
    server {{
        listen 127.0.0.1:{proxied} proxy_protocol;
        location / {{ return 200 \"$from at $to\"; }}
    }}
}}
"
    );
    let Some(_nginx) = Program::nginx(&folder, &settings) else {
        return;
    };
    drop(meanwhile(&mut reactor, move || reach(proxied)));
    let question = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let there = format!("tls:127.0.0.1:{secure}:hostname=localhost:trustRoots={{ca.pem}}");
    let (answer, reason) = ask(&mut reactor, &folder.endpoint(&there), question);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nTLSv1.3 localhost"), "{answer}");
    // It says that it ends, in the words of TLS.
    assert_eq!(reason, Disconnect::PeerClosed);
    for version in [1, 2] {
        let there = format!("haproxy:version={version}:tcp:127.0.0.1:{proxied}");
        let ((answer, _), own) = ask_as(&mut reactor, &there, question);
        let expected = format!("\r\n\r\n{own} at 127.0.0.1:{proxied}");
        assert!(answer.ends_with(&expected), "{own}: {answer}");
    }
}
