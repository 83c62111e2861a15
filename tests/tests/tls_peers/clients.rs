//! Their clients, and our server.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Output;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use torsade_core::{Disconnect, Protocol, Remote, Transport, factory};
use torsade_reactor::Reactor;
use torsade_tls::{TlsExt, TlsServer, TlsServerBuilder, TlsVersion};

use crate::peer::{Files, start};

/// Answers a line with what was agreed upon, and closes. `GET` is answered as HTTP wants it.
struct Greeter {
    tls: Option<TlsServer>,
    reasons: mpsc::Sender<Disconnect>,
}

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        if self.tls.is_some() {
            transport.write("220 localhost ESMTP\r\n");
        }
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if let Some(tls) = &self.tls
            && transport.tls().is_none()
        {
            match data.to_ascii_uppercase() {
                hello if hello.starts_with(b"EHLO") => {
                    transport.write("250-localhost\r\n250 STARTTLS\r\n");
                }
                command => {
                    assert_eq!(command, b"STARTTLS\r\n");
                    transport.write("220 go ahead\r\n");
                    transport.start_tls(tls);
                }
            }
            return;
        }
        let tls = transport.tls().unwrap();
        let alpn = String::from_utf8_lossy(tls.alpn().unwrap_or(b"none")).into_owned();
        let who = tls.certificates().first().map(|it| it.names().join(","));
        let text = format!(
            "{} for {} as {alpn} by {}\n",
            tls.version(),
            tls.server_name().unwrap_or("nobody"),
            who.as_deref().unwrap_or("somebody"),
        );
        if data.starts_with(b"GET") {
            let length = text.len();
            transport.write(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            ));
        }
        transport.write(text);
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.reasons.send(reason.clone()).unwrap_or_default();
    }
}

/// A reactor on a thread of its own.
struct Serving {
    address: SocketAddr,
    remote: Remote,
    reasons: Receiver<Disconnect>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// With TLS from the beginning, or when the client wants it.
    fn new(tls: TlsServerBuilder, from_the_beginning: bool) -> Self {
        let (here, there) = mpsc::channel();
        let (reasons, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            let tls = tls.build().unwrap();
            let mut reactor = Reactor::new().unwrap();
            let place = match from_the_beginning {
                true => tls.endpoint("127.0.0.1:0").unwrap(),
                false => torsade_core::ToEndpoint::to_endpoint("127.0.0.1:0").unwrap(),
            };
            let upgrade = (!from_the_beginning).then_some(tls);
            let greeter = factory(move |_| Greeter {
                tls: upgrade.clone(),
                reasons: reasons.clone(),
            });
            let listener = reactor.net().listen(place, greeter).unwrap();
            let address = listener.address().inet().unwrap();
            here.send((address, reactor.remote())).unwrap();
            reactor.run().unwrap();
        });
        let (address, remote) = there.recv().unwrap();
        Self {
            address,
            remote,
            reasons: told,
            thread: Some(thread),
        }
    }

    fn port(&self) -> String {
        self.address.port().to_string()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.remote.post(torsade_core::Net::stop).unwrap();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_some_and(|it| it.is_ok()) || thread::panicking());
    }
}

/// Let a client say a line, and wait for its end. Its input stays open until then.
fn talk(program: &str, arguments: &[&str]) -> Option<Output> {
    let mut child = start(program, arguments)?;
    let mut input = child.stdin.take().unwrap();
    // One that refuses us may be gone already.
    input.write_all(b"hello\n").unwrap_or_default();
    let output = child.wait_with_output().unwrap();
    drop(input);
    Some(output)
}

#[track_caller]
fn expect(output: &Output, text: &str) {
    let [said, complained] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    assert!(said.contains(text), "no {text:?} in {said}\n{complained}");
}

fn server(files: &Files) -> TlsServerBuilder {
    TlsServer::builder()
        .identity(files.made.identity())
        .alpn(["h2", "http/1.1"])
}

const OPENSSL: [(&str, TlsVersion); 2] = [
    ("-tls1_2", TlsVersion::Tls12),
    ("-tls1_3", TlsVersion::Tls13),
];

#[test]
fn openssl_talks_to_our_server() {
    let files = Files::new("s_client");
    let serving = Serving::new(server(&files).ask_clients(&files.authority.roots()), true);
    let (ca, chain, key) = (
        files.path("ca.pem"),
        files.path("chain.pem"),
        files.path("key.pem"),
    );
    for (flag, version) in OPENSSL {
        let place = serving.address.to_string();
        let usual = [
            "s_client",
            "-connect",
            &place,
            "-CAfile",
            &ca,
            "-verify_return_error",
            "-quiet",
            flag,
            "-verify_hostname",
            "localhost",
            "-servername",
            "localhost",
        ];
        let Some(output) = talk("openssl", &usual) else {
            return;
        };
        expect(
            &output,
            &format!("{version} for localhost as none by somebody"),
        );
        assert!(output.status.success(), "a clean end");
        assert_eq!(serving.reasons.recv().unwrap(), Disconnect::Closed);
        let more = ["-alpn", "imap,h2", "-cert", &chain, "-key", &key];
        let output = talk("openssl", &[&usual[..], &more].concat()).unwrap();
        expect(
            &output,
            &format!("{version} for localhost as h2 by localhost,127.0.0.1"),
        );
        assert_eq!(serving.reasons.recv().unwrap(), Disconnect::Closed);
    }
}

#[test]
fn openssl_comes_back_to_our_server() {
    let files = Files::new("resumed");
    let serving = Serving::new(server(&files), true);
    let (ca, session) = (files.path("ca.pem"), files.path("session.pem"));
    for (flag, version) in OPENSSL {
        let place = serving.address.to_string();
        let usual = [
            "s_client", "-connect", &place, "-CAfile", &ca, "-ign_eof", flag,
        ];
        let first = [&usual[..], &["-sess_out", &session]].concat();
        let Some(output) = talk("openssl", &first) else {
            return;
        };
        expect(&output, &format!("New, {}", protocol(version)));
        let again = [&usual[..], &["-sess_in", &session]].concat();
        let output = talk("openssl", &again).unwrap();
        expect(&output, &format!("Reused, {}", protocol(version)));
    }
}

fn protocol(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::Tls12 => "TLSv1.2",
        _ => "TLSv1.3",
    }
}

#[test]
fn openssl_starts_tls_as_mail_does() {
    let files = Files::new("starttls");
    let serving = Serving::new(server(&files), false);
    let ca = files.path("ca.pem");
    for (flag, version) in OPENSSL {
        let place = serving.address.to_string();
        let arguments = [
            "s_client",
            "-starttls",
            "smtp",
            "-connect",
            &place,
            "-CAfile",
            &ca,
            "-quiet",
            flag,
            "-verify_return_error",
            "-servername",
            "localhost",
        ];
        let Some(output) = talk("openssl", &arguments) else {
            return;
        };
        expect(
            &output,
            &format!("{version} for localhost as none by somebody"),
        );
    }
}

/// The command `R` of `s_client` asks to renegotiate.
#[test]
fn openssl_is_refused_when_it_wants_to_renegotiate() {
    let files = Files::new("renegotiation");
    let serving = Serving::new(server(&files), true);
    let (ca, place) = (files.path("ca.pem"), serving.address.to_string());
    let arguments = ["s_client", "-connect", &place, "-CAfile", &ca, "-tls1_2"];
    let Some(mut child) = start("openssl", &arguments) else {
        return;
    };
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"R\n").unwrap();
    let reason = serving.reasons.recv().unwrap();
    assert!(
        matches!(reason, Disconnect::Tls(_) | Disconnect::PeerClosed),
        "{reason}"
    );
    drop(input);
    child.wait_with_output().unwrap();
}

#[test]
fn a_stranger_is_refused_by_openssl_and_says_why() {
    let files = Files::new("stranger");
    let stranger = torsade_tls::throw_away::Authority::new("Stranger").issue(["localhost"]);
    let serving = Serving::new(TlsServer::builder().identity(stranger.identity()), true);
    let (ca, place) = (files.path("ca.pem"), serving.address.to_string());
    let arguments = [
        "s_client",
        "-connect",
        &place,
        "-CAfile",
        &ca,
        "-verify_return_error",
        "-quiet",
        "-tls1_2",
    ];
    let Some(output) = talk("openssl", &arguments) else {
        return;
    };
    assert!(!output.status.success());
}

#[test]
fn gnutls_talks_to_our_server() {
    let files = Files::new("gnutls");
    let serving = Serving::new(server(&files), true);
    let (ca, port) = (files.path("ca.pem"), serving.port());
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let number = protocol(version).trim_start_matches("TLSv");
        let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{number}");
        let arguments = [
            "--x509cafile",
            &ca,
            "--port",
            &port,
            "--sni-hostname",
            "localhost",
            "--verify-hostname",
            "localhost",
            "--alpn",
            "h2",
            "--priority",
            &priority,
            "127.0.0.1",
        ];
        let Some(output) = talk("gnutls-cli", &arguments) else {
            return;
        };
        expect(
            &output,
            &format!("{version} for localhost as h2 by somebody"),
        );
        expect(&output, "Peer has closed the GnuTLS connection");
        assert_eq!(serving.reasons.recv().unwrap(), Disconnect::Closed);
    }
}

#[test]
fn curl_talks_to_our_server() {
    let files = Files::new("curl");
    let serving = Serving::new(server(&files), true);
    let ca = files.path("ca.pem");
    let port = serving.port();
    let (resolve, url) = (
        format!("localhost:{port}:127.0.0.1"),
        format!("https://localhost:{port}/"),
    );
    for (most, version) in [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)] {
        let arguments = [
            "--silent",
            "--show-error",
            "--fail",
            "--http1.1",
            "--cacert",
            &ca,
            "--tls-max",
            most,
            "--resolve",
            &resolve,
            &url,
        ];
        let Some(output) = talk("curl", &arguments) else {
            return;
        };
        expect(
            &output,
            &format!("{version} for localhost as http/1.1 by somebody"),
        );
        assert!(output.status.success());
    }
}

const PYTHON: &str = r#"
import socket, ssl, sys
port, ca, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=ca)
context.maximum_version = context.minimum_version = getattr(ssl.TLSVersion, version)
context.set_alpn_protocols(["h2"])
raw = socket.create_connection(("127.0.0.1", port))
tls = context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False)
tls.sendall(b"hello")
text = b""
while piece := tls.recv(1000):
    text += piece
tls.unwrap()
print(text.decode())
"#;

#[test]
fn python_talks_to_our_server() {
    let files = Files::new("python");
    let serving = Serving::new(server(&files), true);
    let (ca, port) = (files.path("ca.pem"), serving.port());
    for (name, version) in [
        ("TLSv1_2", TlsVersion::Tls12),
        ("TLSv1_3", TlsVersion::Tls13),
    ] {
        let Some(output) = talk("python3", &["-c", PYTHON, &port, &ca, name]) else {
            return;
        };
        expect(
            &output,
            &format!("{version} for localhost as h2 by somebody"),
        );
        assert!(output.status.success(), "a clean end: {output:?}");
    }
}
