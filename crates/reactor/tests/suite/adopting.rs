//! Sockets that the program has already, and those that a service manager passes.

use std::env;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use torsade_core::{Adopted, ConnectError, ListenError, UnixAddress, factory};
use torsade_deferred::Failure;
use torsade_reactor::{Reactor, activated_sockets};

use crate::support::{Client, Echo, Log, Script, drive, settle};
use crate::unix::{Folder, on_each_driver};

#[test]
fn a_listener_of_std_is_listened_on() {
    on_each_driver(|reactor| {
        let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = theirs.local_addr().unwrap();
        let adopted = Adopted::new(theirs);
        let listener = reactor.net().listen(adopted, factory(|_| Echo)).unwrap();
        assert_eq!(listener.address(), address);
        let mut client = Client::connect(address);
        client.write(b"hello");
        assert_eq!(client.read_exactly(reactor, 5), b"hello");
        listener.close();
        drive(reactor, || TcpStream::connect(address).is_err());
    });
}

#[test]
fn a_unix_listener_of_std_is_listened_on_and_its_file_stays() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let adopted = Adopted::new(UnixListener::bind(&path).unwrap());
        let listener = reactor.net().listen(adopted, factory(|_| Echo)).unwrap();
        assert_eq!(
            listener.address(),
            torsade_core::Address::from(UnixAddress::path(&path))
        );
        let mut client = UnixStream::connect(&path).unwrap();
        client.write_all(b"hello").unwrap();
        client.set_nonblocking(true).unwrap();
        let mut answer = [0; 5];
        drive(reactor, || client.read_exact(&mut answer).is_ok());
        assert_eq!(&answer, b"hello");
        listener.close();
        drive(reactor, || UnixStream::connect(&path).is_err());
        assert!(path.exists(), "who made it removes it");
    });
}

fn streams() -> [(OwnedFd, OwnedFd); 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (other, _) = listener.accept().unwrap();
    let (left, right) = UnixStream::pair().unwrap();
    [(one.into(), other.into()), (left.into(), right.into())]
}

#[test]
fn a_connected_stream_becomes_a_connection() {
    on_each_driver(|reactor| {
        for (ours, theirs) in streams() {
            let log = Log::default();
            let script = Script::new("ours", &log).data(|t, data| t.write(data));
            let adopted = Adopted::new(ours);
            let made = reactor.net().connect(adopted.clone(), script);
            let transport = reactor.run_until(made).unwrap().unwrap();
            assert!(adopted.take().is_none());
            // Whatever it is: they talk as any socket does.
            let mut theirs = Client::new(TcpStream::from(theirs));
            theirs.write(b"hello");
            assert_eq!(theirs.read_exactly(reactor, 5), b"hello");
            transport.close();
            assert_eq!(theirs.read_to_end(reactor), (vec![], None));
        }
    });
}

/// The open file lives on, and so would what a loop knows of it.
#[test]
fn who_keeps_a_copy_of_what_was_adopted_keeps_nobody_awake() {
    on_each_driver(|reactor| {
        for (ours, theirs) in streams() {
            let _copy = ours.try_clone().unwrap();
            let made = reactor
                .net()
                .connect(Adopted::new(ours), Script::new("ours", &Log::default()));
            let transport = reactor.run_until(made).unwrap().unwrap();
            transport.abort();
            let mut theirs = Client::new(TcpStream::from(theirs));
            theirs.write(b"hello");
            settle(reactor);
            assert_eq!(reactor.net().connections(), 0);
        }
        let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = theirs.local_addr().unwrap();
        let adopted = Adopted::new(theirs.try_clone().unwrap());
        let listener = reactor.net().listen(adopted, factory(|_| Echo)).unwrap();
        listener.close();
        let _waits = TcpStream::connect(address).unwrap();
        settle(reactor);
        theirs.accept().unwrap();
    });
}

#[test]
fn a_socket_is_adopted_once() {
    on_each_driver(|reactor| {
        let adopted = Adopted::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let first = reactor.net().listen(adopted.clone(), factory(|_| Echo));
        let second = reactor.net().listen(adopted, factory(|_| Echo));
        assert!(first.is_ok());
        let Err(ListenError::System { error, .. }) = second else {
            panic!("{second:?}");
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn what_cannot_be_adopted_is_refused() {
    on_each_driver(|reactor| {
        let (stream, _other) = UnixStream::pair().unwrap();
        let refused = reactor
            .net()
            .listen(Adopted::new(stream), factory(|_| Echo));
        assert!(matches!(refused, Err(ListenError::System { .. })));
        let file: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let refused = reactor.net().listen(Adopted::new(file), factory(|_| Echo));
        assert!(matches!(refused, Err(ListenError::System { .. })));
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for adopted in [Adopted::new(datagrams), Adopted::new(listener)] {
            let script = Script::new("none", &Log::default());
            let refused = reactor.net().connect(adopted, script);
            assert!(matches!(
                reactor.run_until(refused).unwrap(),
                Err(Failure::Error(ConnectError::Failed { .. }))
            ));
        }
    });
}

/// What the environment says to the test below that it is the child.
const CHILD: &str = "TORSADE_TEST_ACTIVATED";

/// As systemd does it: a socket that listens is descriptor 3, and the environment names the process.
#[test]
fn a_service_manager_passes_sockets() {
    if env::var_os(CHILD).is_some() {
        return activated();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let name = "adopting::a_service_manager_passes_sockets";
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ exec \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "web")
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"hello").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"hello");
    assert!(child.wait().unwrap().success());
}

fn activated() {
    let mut passed = activated_sockets().unwrap();
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].name.as_deref(), Some("web"));
    assert!(
        activated_sockets().unwrap().is_empty(),
        "they are given once"
    );
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let noted = log.clone();
    let factory = factory(move |_| {
        Script::new("server", &noted).data(|t, data| {
            t.write(data);
            t.close();
        })
    });
    let socket = passed.remove(0).socket;
    reactor.net().listen(socket, factory).unwrap();
    drive(&mut reactor, || log.has("server lost: closed here"));
}

#[test]
fn whom_no_service_manager_started_has_no_sockets() {
    if env::var_os(CHILD).is_none() {
        assert!(activated_sockets().unwrap().is_empty());
    }
}
