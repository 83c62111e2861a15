//! Unix listeners whose queue is full, on every driver.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use torsade_core::{ConnectError, ToEndpoint, UnixAddress, UnixListen, factory};
use torsade_deferred::Failure;

use crate::support::{Echo, Log, Script};
use crate::unix::{Folder, on_each_driver};

/// A listener that accepts nobody by itself, and those who fill its queue.
fn full(path: &Path) -> (UnixListener, Vec<UnixStream>) {
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
    listener.listen(1).unwrap();
    let mut waiting = Vec::new();
    while let Some(socket) = join(path) {
        waiting.push(socket);
    }
    (listener.into(), waiting)
}

/// One more in the queue, if there is room.
fn join(path: &Path) -> Option<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    match socket.connect(&SockAddr::unix(path).unwrap()) {
        Ok(()) => Some(socket.into()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            None
        }
    }
}

#[test]
fn who_finds_the_queue_full_waits_for_room_in_it() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let (listener, waiting) = full(&path);
        let log = Log::default();
        let script = Script::new("client", &log);
        let connecting = reactor.net().connect(UnixAddress::path(&path), script);
        for _ in 0..5 {
            reactor.turn(Some(Duration::from_millis(2))).unwrap();
        }
        let Err(connecting) = connecting.try_take() else {
            panic!("it did not wait");
        };
        for _ in &waiting {
            listener.accept().unwrap();
        }
        reactor.run_until(connecting).unwrap().unwrap();
        assert!(log.has("client made"));
        listener.accept().unwrap();
    });
}

#[test]
fn the_deadline_of_a_connect_bounds_its_wait_for_room() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let (_listener, _waiting) = full(&path);
        let there = UnixAddress::path(&path).to_endpoint().unwrap();
        let there = there.timeout(Duration::from_millis(5));
        let connecting = reactor
            .net()
            .connect(there, Script::new("client", &Log::default()));
        match reactor.run_until(connecting).unwrap() {
            Err(Failure::Error(ConnectError::TimedOut { attempts })) => {
                assert_eq!(attempts.len(), 1);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_listener_has_the_backlog_that_was_asked_for() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let counts = [1, 7].map(|backlog| {
            let path = folder.file("a");
            let at = UnixListen::at(path.as_path()).backlog(backlog);
            let listener = reactor.net().listen(at, factory(|_| Echo)).unwrap();
            // The reactor does not turn, so that nobody is accepted but by the kernel itself.
            let mut waiting = Vec::new();
            while let Some(socket) = join(&path) {
                waiting.push(socket);
                assert!(
                    waiting.len() < 1000,
                    "the backlog is not the one that was asked for"
                );
            }
            listener.close();
            waiting.len()
        });
        assert_eq!(
            counts[1] - counts[0],
            6,
            "{counts:?} on {:?}",
            reactor.driver()
        );
    });
}
