//! Their servers, and our client.

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::Child;

use torsade_core::{ConnectError, Disconnect, Protocol, Transport};
use torsade_deferred::{Deferred, Failure, Resolver};
use torsade_reactor::Reactor;
use torsade_tls::{TlsClient, TlsClientBuilder, TlsExt, TlsVersion};

use crate::peer::{Files, start};

/// What was answered, what was agreed upon, and how it ended.
type Outcome = (Vec<u8>, String, Disconnect);

/// Says a line, waits for as long an answer, half-closes, and waits for the end.
struct Asker {
    answer: Vec<u8>,
    done: Option<Resolver<Outcome, Infallible>>,
    agreed: String,
}

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let tls = transport.tls().unwrap();
        self.agreed = format!("{} resumed {}", tls.version(), tls.is_resumed());
        transport.write("hello\n");
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.answer.extend_from_slice(data);
        if self.answer.len() == 6 {
            transport.close_write();
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if let Some(done) = self.done.take() {
            let answer = std::mem::take(&mut self.answer);
            done.resolve((answer, self.agreed.clone(), reason.clone()));
        }
    }
}

/// Ask a server that answers `olleh`, or the same.
fn ask(tls: &TlsClient, port: u16) -> Outcome {
    let mut reactor = Reactor::new().unwrap();
    let (done, outcome) = Deferred::new();
    let asker = Asker {
        answer: Vec::new(),
        done: Some(done),
        agreed: String::new(),
    };
    let place = tls.to("localhost").unwrap();
    let place = place.endpoint(format!("127.0.0.1:{port}")).unwrap();
    reactor.net().connect(place, asker).detach();
    reactor.run_until(outcome).unwrap().unwrap()
}

fn refused(tls: &TlsClient, port: u16) -> String {
    let mut reactor = Reactor::new().unwrap();
    let asker = Asker {
        answer: Vec::new(),
        done: None,
        agreed: String::new(),
    };
    let place = tls.to("localhost").unwrap();
    let place = place.endpoint(format!("127.0.0.1:{port}")).unwrap();
    let connecting = reactor.net().connect(place, asker);
    match reactor.run_until(connecting).unwrap() {
        Err(Failure::Error(ConnectError::Handshake { reason, .. })) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

fn client(files: &Files) -> TlsClientBuilder {
    TlsClient::builder().roots(&files.authority.roots())
}

/// An `openssl s_server` that sends every line back, reversed. It ends with the value.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn openssl(files: &Files, more: &[&str]) -> Option<Self> {
        let (chain, key) = (files.path("chain.pem"), files.path("key.pem"));
        let usual = [
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-rev",
            "-cert",
            &chain,
            "-cert_chain",
            &chain,
            "-key",
            &key,
        ];
        let child = start("openssl", &[&usual[..], more].concat())?;
        Some(Self::listening(child, "ACCEPT"))
    }

    /// It says its port at the end of a line with this word.
    fn listening(mut child: Child, word: &str) -> Self {
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with(word) {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it does not listen");
        }
        let port = line.trim().rsplit(':').next().unwrap();
        let port = port.parse().unwrap();
        // It would be stopped by a pipe that nobody reads.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // `timeout` passes it on.
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap_or_default();
        self.child.wait().unwrap();
    }
}

#[test]
fn our_client_talks_to_openssl() {
    let files = Files::new("s_server");
    for (flag, version) in [
        ("-tls1_2", TlsVersion::Tls12),
        ("-tls1_3", TlsVersion::Tls13),
    ] {
        let Some(server) = Server::openssl(&files, &[flag]) else {
            return;
        };
        let tls = client(&files).build().unwrap();
        for resumed in [false, true] {
            let (answer, agreed, reason) = ask(&tls, server.port);
            assert_eq!(answer, b"olleh\n");
            assert_eq!(agreed, format!("{version} resumed {resumed}"));
            // It says that it is over when we have, and hangs up.
            assert_eq!(reason, Disconnect::PeerClosed);
        }
        let stranger = torsade_tls::throw_away::Authority::new("Stranger");
        let distrustful = TlsClient::builder()
            .roots(&stranger.roots())
            .build()
            .unwrap();
        assert!(refused(&distrustful, server.port).contains("nobody whom we trust"));
    }
}

#[test]
fn our_client_shows_openssl_who_it_is() {
    let files = Files::new("s_server-verify");
    let ca = files.path("ca.pem");
    for flag in ["-tls1_2", "-tls1_3"] {
        let demanding = ["-Verify", "1", "-verify_return_error", "-CAfile", &ca, flag];
        let Some(server) = Server::openssl(&files, &demanding) else {
            return;
        };
        let known = client(&files)
            .identity(files.made.identity())
            .build()
            .unwrap();
        assert_eq!(ask(&known, server.port).0, b"olleh\n");
        let unknown = client(&files).build().unwrap();
        if flag == "-tls1_2" {
            assert!(refused(&unknown, server.port).contains("the peer refuses"));
        } else {
            // The client's part of the handshake is over before it is read.
            let reason = ask(&unknown, server.port).2.to_string();
            assert_eq!(reason, "no TLS: the peer refuses: certificate_required");
        }
    }
}

const PYTHON: &str = r#"
import socket, ssl, sys
chain, key = sys.argv[1], sys.argv[2]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(chain, key)
listener = socket.create_server(("127.0.0.1", 0))
print("PORT:%d" % listener.getsockname()[1], flush=True)
for clean in (True, False):
    raw, _ = listener.accept()
    tls = context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)
    tls.sendall(bytes(reversed(tls.recv(5))) + tls.recv(1))
    if clean:
        assert tls.recv(1) == b""
        tls.unwrap().close()
    else:
        assert tls.recv(1) == b""
        tls.close()  # without a word
"#;

#[test]
fn our_client_talks_to_python_and_knows_when_it_is_cut_off() {
    let files = Files::new("python-server");
    let (chain, key) = (files.path("chain.pem"), files.path("key.pem"));
    let Some(child) = start("python3", &["-c", PYTHON, &chain, &key]) else {
        return;
    };
    let server = Server::listening(child, "PORT");
    let tls = client(&files).build().unwrap();
    let (answer, _, reason) = ask(&tls, server.port);
    assert_eq!(
        (&answer[..], reason),
        (&b"olleh\n"[..], Disconnect::PeerClosed)
    );
    // The second time it leaves without a word.
    let (answer, _, reason) = ask(&tls, server.port);
    assert_eq!(
        (&answer[..], reason),
        (&b"olleh\n"[..], Disconnect::TruncatedTls)
    );
}
