//! The two examples that relay, between sockets of the test.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use torsade::service::quote;
use torsade::tls::throw_away::Authority;

use crate::program::{Program, hear, hear_all, patient, say};
use crate::secure::s_client;

/// Only so that a broken example fails the test instead of hanging it.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// Where the test waits to be connected to.
struct Upstream(TcpListener);

impl Upstream {
    fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    fn accept(&self) -> BufReader<TcpStream> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let comes = poll(&mut fds, Some(&PATIENCE)).expect("waited") > 0;
        assert!(comes, "nobody connects");
        let (stream, _) = self.0.accept().expect("somebody connects");
        BufReader::new(patient(stream))
    }
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    Upstream::listen().address()
}

fn proxy(upstream: SocketAddr) -> Program {
    proxy_at("tcp:0:interface=127.0.0.1", upstream, &[])
}

fn proxy_at(here: &str, upstream: SocketAddr, more: &[&str]) -> Program {
    let upstream = format!("tcp:{upstream}");
    let arguments = [&[upstream.as_str()], more].concat();
    Program::start_at(env!("CARGO_BIN_EXE_proxy"), here, &arguments)
}

fn socks() -> Program {
    Program::start(env!("CARGO_BIN_EXE_socks"))
}

/// The request of version 5 for this address.
fn connect_5(address: SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(address) = address else {
        panic!("{address} is not of version 4");
    };
    let (host, port) = (address.ip().octets(), address.port().to_be_bytes());
    [&[5, 1, 0, 1], host.as_slice(), &port].concat()
}

fn take<const N: usize>(peer: &mut BufReader<TcpStream>) -> [u8; N] {
    let mut bytes = [0; N];
    peer.read_exact(&mut bytes).expect("answered");
    bytes
}

fn end(peer: &BufReader<TcpStream>) {
    peer.get_ref()
        .shutdown(Shutdown::Write)
        .expect("half-closed");
}

/// The peer is told that the connection broke, not that it ended.
fn is_reset(peer: &mut BufReader<TcpStream>) -> bool {
    let outcome = peer.read_to_end(&mut Vec::new());
    outcome.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn proxy_relays_both_ways_and_each_end_by_itself() {
    let upstream = Upstream::listen();
    let program = proxy(upstream.address());
    let mut near = program.connect();
    say(&mut near, "question, sent before anybody was connected\n");
    let mut far = upstream.accept();
    assert_eq!(
        hear(&mut far),
        "question, sent before anybody was connected\n"
    );
    end(&near);
    assert_eq!(hear_all(&mut far), b"");
    say(&mut far, "an answer after that\n");
    assert_eq!(hear(&mut near), "an answer after that\n");
    end(&far);
    assert_eq!(hear_all(&mut near), b"");

    // And the other way round.
    let mut near = program.connect();
    let mut far = upstream.accept();
    say(&mut far, "220 hello\n");
    end(&far);
    assert_eq!(hear_all(&mut near), b"220 hello\n");
    say(&mut near, "thank you");
    end(&near);
    assert_eq!(hear_all(&mut far), b"thank you");
    program.interrupt();
}

#[test]
fn proxy_takes_the_socket_that_a_service_manager_made() {
    // Passed as the standard input, and put to its place by a shell, which the example replaces.
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    let upstream = Upstream::listen();
    let pass = r#"exec 3<&0; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@""#;
    let program = Program::spawn(
        Command::new("sh")
            .args(["-c", pass, "sh", env!("CARGO_BIN_EXE_proxy")])
            .arg("systemd:domain=INET:name=web")
            .arg(format!("tcp:{}", upstream.address()))
            .stdin(OwnedFd::from(socket)),
    );
    assert_eq!(program.address, address);
    let mut near = program.connect();
    say(&mut near, "hello\n");
    assert_eq!(hear(&mut upstream.accept()), "hello\n");
    program.interrupt();
}

#[test]
fn proxy_passes_on_whose_connection_it_is() {
    let upstream = Upstream::listen();
    let program = proxy_at(
        "haproxy:trust=127.0.0.1:tcp:0:interface=127.0.0.1",
        upstream.address(),
        &["v1"],
    );
    let mut near = program.connect();
    let header = "PROXY TCP4 192.0.2.7 192.0.2.9 50000 443\r\n";
    say(&mut near, format!("{header}hello\n"));
    let mut far = upstream.accept();
    assert_eq!(hear(&mut far), header);
    assert_eq!(hear(&mut far), "hello\n");
    program.interrupt();
}

#[test]
fn proxy_ends_tls_and_passes_on_whose_connection_it_was() {
    let made = Authority::new("proxy").issue(["localhost"]);
    let file = std::env::temp_dir().join(format!("torsade-proxy-{}.pem", std::process::id()));
    let pem = [made.chain_pem(), made.key_pem()].concat();
    std::fs::write(&file, pem).expect("a certificate");
    let path = file.to_str().expect("a path");
    let upstream = Upstream::listen();
    let here = format!("ssl:0:interface=127.0.0.1:privateKey={}", quote(path));
    let program = proxy_at(&here, upstream.address(), &["v1"]);
    let place = program.address.to_string();
    // The certificate vouches for itself by the one behind it.
    let arguments = [
        "-quiet",
        "-connect",
        &place,
        "-CAfile",
        path,
        "-verify_return_error",
    ];
    let Some(mut openssl) = s_client(&arguments) else {
        std::fs::remove_file(file).expect("it was written");
        return;
    };
    let mut far = upstream.accept();
    let header = hear(&mut far);
    assert!(
        header.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "),
        "{header}"
    );
    let (mut input, output) = openssl.pipes();
    input.write_all(b"hello\n").expect("said");
    assert_eq!(hear(&mut far), "hello\n");
    say(&mut far, "to you, too\n");
    let mut answer = String::new();
    BufReader::new(output)
        .read_line(&mut answer)
        .expect("answered");
    assert_eq!(answer, "to you, too\n");
    program.interrupt();
    drop(openssl);
    std::fs::remove_file(file).expect("it was written");
}

#[test]
fn proxy_closes_a_client_whose_upstream_refuses() {
    let program = proxy(nobody());
    assert_eq!(hear_all(&mut program.connect()), b"");
    program.interrupt();
}

#[test]
fn proxy_resets_one_side_when_the_other_is_reset_and_leaves_others_alone() {
    let upstream = Upstream::listen();
    let program = proxy(upstream.address());
    let mut other = program.connect();
    let mut other_far = upstream.accept();

    // A socket that is closed with input unread is reset.
    let mut near = program.connect();
    let far = upstream.accept();
    say(&mut near, "never read");
    far.get_ref().peek(&mut [0]).expect("there");
    drop(far);
    assert!(is_reset(&mut near));

    let near = program.connect();
    let mut far = upstream.accept();
    say(&mut far, "never read");
    near.get_ref().peek(&mut [0]).expect("there");
    drop(near);
    assert!(is_reset(&mut far));

    say(&mut other, "still here\n");
    assert_eq!(hear(&mut other_far), "still here\n");
    program.interrupt();
    assert_eq!(hear(&mut other), "", "ended by the stop");
    assert_eq!(hear(&mut other_far), "");
}

/// Writes all of `out` and reads all of `wanted`, but neither blocks nor reads more than asked.
struct Slow {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    wanted: Vec<u8>,
    read: usize,
}

impl Slow {
    fn new(stream: TcpStream, out: &[u8], wanted: &[u8]) -> Self {
        stream.set_nonblocking(true).expect("set");
        // So that what nobody reads does not hide in the kernel.
        set_socket_recv_buffer_size(&stream, 64 * 1024).expect("set");
        Self {
            stream,
            out: out.to_vec(),
            written: 0,
            wanted: wanted.to_vec(),
            read: 0,
        }
    }

    /// Write what the kernel takes, and end after the last. Whether it took any.
    fn write(&mut self) -> bool {
        let before = self.written;
        while self.written < self.out.len() {
            match (&self.stream).write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("not written: {error}"),
            }
            if self.written == self.out.len() {
                self.stream.shutdown(Shutdown::Write).expect("half-closed");
            }
        }
        self.written > before
    }

    /// Read one piece. Whether there was one.
    fn read(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        let n = match (&self.stream).read(&mut piece) {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("not read: {error}"),
        };
        let wanted = &self.wanted[self.read..];
        assert!(
            wanted.starts_with(&piece[..n]),
            "changed after {}",
            self.read
        );
        self.read += n;
        n > 0
    }

    fn is_done(&self) -> bool {
        self.written == self.out.len() && self.read == self.wanted.len()
    }
}

/// Wait until one of them can be written to, or read from if that is what is meant.
fn wait([near, far]: [&Slow; 2], readable: bool, patience: &Timespec) -> bool {
    let flags = |slow: &Slow| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::OUT, slow.written < slow.out.len());
        flags.set(PollFlags::IN, readable && slow.read < slow.wanted.len());
        flags
    };
    let mut fds = [
        PollFd::new(&near.stream, flags(near)),
        PollFd::new(&far.stream, flags(far)),
    ];
    poll(&mut fds, Some(patience)).expect("waited") > 0
}

/// 30 MB each way at once. Nobody reads before nothing more can be written, and then one piece at a
/// time, each only when nothing more can be written again.
#[test]
fn proxy_holds_little_of_thirty_megabytes_each_way_for_slow_readers() {
    const ALL: u32 = 30_000_000;
    // No two pieces alike, so that one lost or twice is noticed.
    let numbers = |salt: u32| (0..ALL / 4).flat_map(move |n| (n ^ salt).to_be_bytes());
    let (there, back): (Vec<u8>, Vec<u8>) = (numbers(0).collect(), numbers(!0).collect());
    let upstream = Upstream::listen();
    let program = proxy(upstream.address());
    let near = program.connect().into_inner();
    let far = upstream.accept().into_inner();
    let mut near = Slow::new(near, &there, &back);
    let mut far = Slow::new(far, &back, &there);

    // So long they try to write before they read; nothing is expected of how long that is.
    let stubborn = Timespec {
        tv_sec: 0,
        tv_nsec: 300_000_000,
    };
    while near.write() | far.write() || wait([&near, &far], false, &stubborn) {}
    let stuck = [near.written, far.written];
    while !(near.is_done() && far.is_done()) {
        if near.write() | far.write() {
            continue;
        }
        if !(near.read() | far.read()) {
            assert!(wait([&near, &far], true, &PATIENCE), "it moves no more");
        }
    }
    let most = program.most_memory();
    let mut report = std::io::stderr();
    writeln!(
        report,
        "proxy: 30 MB each way, stuck after {stuck:?} bytes, most memory {most:?} kB"
    )
    .expect("said");
    if let Some(most) = most {
        assert!(most < 10_000, "{most} kB");
    }
    // Each has sent its end and had all of the other's.
    assert_eq!(hear_all(&mut blocking(near.stream)), b"");
    assert_eq!(hear_all(&mut blocking(far.stream)), b"");
    program.interrupt();
}

fn blocking(stream: TcpStream) -> BufReader<TcpStream> {
    stream.set_nonblocking(false).expect("set");
    BufReader::new(patient(stream))
}

#[test]
fn socks_grants_and_says_where_it_connected_from() {
    let upstream = Upstream::listen();
    let program = socks();
    let mut near = program.connect();
    say(&mut near, [5, 1, 0]);
    assert_eq!(take(&mut near), [5, 0]);
    say(&mut near, connect_5(upstream.address()));
    let mut far = upstream.accept();
    let [5, 0, 0, 1, ip @ .., high, low] = take::<10>(&mut near) else {
        panic!("not granted");
    };
    let bound = SocketAddr::from((ip, u16::from_be_bytes([high, low])));
    assert_eq!(bound, far.get_ref().peer_addr().expect("an address"));
    say(&mut near, "hello\n");
    assert_eq!(hear(&mut far), "hello\n");
    say(&mut far, "and hello\n");
    end(&far);
    assert_eq!(hear_all(&mut near), b"and hello\n");

    // Nobody waits for an answer here, and nobody loses a byte.
    let port = upstream.address().port().to_be_bytes();
    let request = [b"\x04\x01", port.as_slice(), b"\0\0\0\x01me\0localhost\0"].concat();
    let mut near = program.connect();
    say(
        &mut near,
        [request.as_slice(), b"all in one piece\n"].concat(),
    );
    let mut far = upstream.accept();
    assert_eq!(hear(&mut far), "all in one piece\n");
    assert_eq!(take(&mut near), [0, 90, 0, 0, 0, 0, 0, 0]);
    program.interrupt();
}

#[test]
fn socks_says_no_and_survives_all_sorts() {
    let upstream = Upstream::listen();
    let program = socks();
    let greeting = [5, 1, 0];
    let mut near = program.connect();
    say(
        &mut near,
        [&greeting, connect_5(nobody()).as_slice()].concat(),
    );
    let refused = [5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0];
    assert_eq!(hear_all(&mut near), refused);

    // Many who begin and stay, who talk nonsense, and who hang up.
    let request = connect_5(upstream.address());
    let mut silent = Vec::new();
    for number in 0..100 {
        let mut near = program.connect();
        let cut = number % (request.len() - 1);
        say(&mut near, [&greeting, &request[..cut]].concat());
        silent.push(near);
        let mut near = program.connect();
        say(&mut near, "GET / HTTP/1.1\r\n\r\n");
        assert_eq!(hear_all(&mut near), b"");
    }
    for (number, near) in silent.into_iter().enumerate() {
        if number % 2 == 0 {
            end(&near);
        }
    }
    let mut near = program.connect();
    say(&mut near, [&greeting, request.as_slice()].concat());
    let mut far = upstream.accept();
    say(&mut far, "220 hello\n");
    assert_eq!(take::<12>(&mut near)[..4], [5, 0, 5, 0]);
    assert_eq!(hear(&mut near), "220 hello\n");
    program.interrupt();
}
