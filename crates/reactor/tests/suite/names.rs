use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use torsade_core::{ConnectError, Endpoint, Limits, ResolveError};
use torsade_deferred::Failure;
use torsade_reactor::Reactor;

use crate::support::{Client, Log, Script, drive, echo, nobody, settle};

const LOOPBACK: &str = "127.0.0.1";

fn found(name: &str) -> Result<Vec<IpAddr>, ResolveError> {
    match name {
        "www" => Ok(vec![LOOPBACK.parse().unwrap()]),
        other => Err(ResolveError::NotFound { name: other.into() }),
    }
}

#[test]
fn a_name_is_looked_up_in_a_thread_and_connected_to() {
    let here = std::thread::current().id();
    let mut reactor = Reactor::builder()
        .look_up(move |name| {
            assert_ne!(std::thread::current().id(), here);
            found(name)
        })
        .build()
        .unwrap();
    let port = echo(reactor.net()).address().port().unwrap();
    let log = Log::default();
    let connecting = reactor
        .net()
        .connect(("www", port), Script::new("client", &log));
    let transport = reactor.run_until(connecting).unwrap().unwrap();
    assert_eq!(transport.peer().remote().port(), Some(port));
    assert_eq!(log.lines(), ["client made"]);
    let lost = reactor.net().connect("ftp:21", Script::new("lost", &log));
    let Err(Failure::Error(error)) = reactor.run_until(lost).unwrap() else {
        panic!("connected");
    };
    assert_eq!(
        error.to_string(),
        "cannot connect to ftp:21: no address is known for \"ftp\""
    );
}

#[test]
fn the_systems_own_look_up_answers_and_says_why_not() {
    let mut reactor = Reactor::new().unwrap();
    // RFC 6761: no resolver may know it. Whether one is asked, and what it says, is the machine's.
    let asked = reactor.net().resolve("name.invalid");
    let Err(Failure::Error(error)) = reactor.run_until(asked).unwrap() else {
        panic!("found");
    };
    assert!(matches!(error, ResolveError::Failed { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("cannot look up \"name.invalid\": ")
    );
}

/// A look-up that hangs until the test lets go of the sender.
fn black_hole(limits: Limits) -> (Reactor, Arc<AtomicUsize>, mpsc::Sender<()>) {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let reactor = Reactor::builder()
        .limits(limits)
        .look_up(move |name| {
            count.fetch_add(1, Ordering::SeqCst);
            // Ends when the sender is dropped.
            let _ = held.lock().map(|held| held.recv());
            found(name)
        })
        .build()
        .unwrap();
    (reactor, begun, hold)
}

/// Nobody answers for any name, and a thousand are asked for: connections are served, threads are
/// to be had, and what is cancelled or stopped leaves nothing.
#[test]
fn a_black_hole_keeps_nobody_else_waiting() {
    let mut limits = Limits::default();
    limits.lookup_threads = 3;
    limits.max_threads = 1;
    let (mut reactor, begun, hold) = black_hole(limits);
    let net = reactor.net().clone();
    let asked: Vec<_> = (0..1000).map(|n| net.resolve(&format!("n{n}"))).collect();
    let many = Rc::new(asked);
    drive(&mut reactor, || begun.load(Ordering::SeqCst) == 3);

    let mut client = Client::connect(echo(&net).address().inet().unwrap());
    for _ in 0..100 {
        client.write(b"ping");
        assert_eq!(client.read_exactly(&mut reactor, 4), b"ping");
    }
    let six = net.defer_to_thread(|| 2 * 3);
    assert_eq!(reactor.run_until(six).unwrap().unwrap(), 6);
    assert!(many.iter().all(|it| !it.is_settled()));
    assert_eq!(begun.load(Ordering::SeqCst), 3, "and no more threads");

    // Of those that are cancelled no thread hears any more.
    assert!(
        format!("{reactor:?}").contains("waiting: 997"),
        "{reactor:?}"
    );
    drop(client);
    for asked in Rc::try_unwrap(many).unwrap() {
        asked.cancel();
    }
    settle(&mut reactor);
    assert!(format!("{reactor:?}").contains("waiting: 0"), "{reactor:?}");
    // The stop does not wait for those that hang, or this test would not end.
    net.stop();
    reactor.run().unwrap();
    // A new run has threads of its own; those that come back find nobody.
    let again = reactor.net().resolve("www");
    drive(&mut reactor, || begun.load(Ordering::SeqCst) == 4);
    drop(hold);
    assert!(reactor.run_until(again).unwrap().is_ok());
}

#[test]
fn localhost_is_tried_in_both_families() {
    let mut reactor = Reactor::new().unwrap();
    let Ok(six) = TcpListener::bind("[::1]:0") else {
        assert!(std::env::var_os("CI").is_none(), "no IPv6 here");
        println!("skipped: no IPv6 here");
        return;
    };
    // Nobody listens there with IPv4, unless another test has just been given the same port.
    let port = six.local_addr().unwrap().port();
    let to = format!("localhost:{port}");
    let connecting = reactor
        .net()
        .connect(to, Script::new("client", &Log::default()));
    let transport = reactor.run_until(connecting).unwrap().unwrap();
    assert_eq!(transport.peer().remote().port(), Some(port));
    // An interface by its name.
    let zone = reactor.net().connect(
        format!("[::1%lo]:{port}"),
        Script::new("client", &Log::default()),
    );
    if cfg!(target_os = "linux") {
        assert!(reactor.run_until(zone).unwrap().is_ok());
    }
    let none = reactor.net().connect(
        "[fe80::1%nosuchnic]:80",
        Script::new("client", &Log::default()),
    );
    let Err(Failure::Error(error)) = reactor.run_until(none).unwrap() else {
        panic!("connected");
    };
    assert!(
        error.to_string().contains("no interface \"nosuchnic\""),
        "{error}"
    );
}

#[test]
fn one_connects_from_the_address_that_was_said() {
    let mut reactor = Reactor::new().unwrap();
    let to = echo(reactor.net()).address();
    let from: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let log = Log::default();
    let endpoint = Endpoint::new([to.clone()]).bind(from);
    let connecting = reactor.net().connect(endpoint, Script::new("client", &log));
    let transport = reactor.run_until(connecting).unwrap().unwrap();
    assert_eq!(transport.peer().local().ip(), Some(from.ip()));
    // No machine has this one: RFC 5737.
    let from: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let endpoint = Endpoint::new([to]).bind(from);
    let connecting = reactor.net().connect(endpoint, Script::new("client", &log));
    let Err(Failure::Error(error)) = reactor.run_until(connecting).unwrap() else {
        panic!("connected");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::AddrNotAvailable);
}

#[test]
fn a_refusal_does_not_wait_for_the_delay() {
    let mut reactor = Reactor::new().unwrap();
    let to = Endpoint::new([nobody(), nobody(), nobody()]).attempt_delay(Duration::MAX);
    let connecting = reactor
        .net()
        .connect(to, Script::new("client", &Log::default()));
    let Err(Failure::Error(error)) = reactor.run_until(connecting).unwrap() else {
        panic!("connected");
    };
    assert!(matches!(error, ConnectError::Failed { .. }));
    assert_eq!(error.attempts().len(), 3);
}
