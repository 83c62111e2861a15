//! Unix sockets, on every driver that there is.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use torsade_core::{
    Address, ConnectError, DescriptorError, Disconnect, EndpointError, Limit, Limits, ListenError,
    Net, Peer, ToEndpoint, UnixAddress, UnixListen, factory,
};
use torsade_deferred::Failure;
use torsade_reactor::{Driver, Reactor};

use crate::support::{Echo, Log, Script, drive, pattern, settle};

/// A reactor of each driver.
pub(crate) fn on_each_driver(test: impl Fn(&mut Reactor)) {
    on_each_driver_with(Limits::default(), test);
}

pub(crate) fn on_each_driver_with(limits: Limits, test: impl Fn(&mut Reactor)) {
    let drivers = [
        Driver::Polling,
        #[cfg(target_os = "linux")]
        Driver::Epoll,
        #[cfg(all(target_os = "linux", feature = "io-uring"))]
        Driver::IoUring,
    ];
    for driver in drivers {
        let builder = Reactor::builder().driver(driver).limits(limits.clone());
        test(&mut builder.build().unwrap());
    }
}

/// A folder of its own, which goes with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
        COUNT.set(COUNT.get() + 1);
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("torsade-{}-{number}-{}", std::process::id(), COUNT.get());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A socket that a server has left behind.
fn leave_a_dead_one(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

fn kind(result: Result<torsade_core::Listener, ListenError>) -> ErrorKind {
    match result {
        Err(ListenError::System { error, .. }) => error.kind(),
        other => panic!("{other:?}"),
    }
}

/// Connect a script there, and see that it is made.
fn connect(
    reactor: &mut Reactor,
    to: impl ToEndpoint,
    script: Script,
) -> torsade_core::Transport<Script> {
    let connected = reactor.net().connect(to, script);
    reactor.run_until(connected).unwrap().unwrap()
}

fn echoes(reactor: &mut Reactor, at: &UnixAddress) {
    let listener = reactor.net().listen(at.clone(), factory(|_| Echo)).unwrap();
    assert_eq!(listener.address(), Address::from(at.clone()));
    let (log, answer) = (Log::default(), Rc::new(RefCell::new(Vec::new())));
    let bytes = pattern(0..300_000);
    let (sent, got) = (bytes.clone(), Rc::clone(&answer));
    let script = Script::new("client", &log)
        .made(move |t| t.write(&sent))
        .data(move |_, data| got.borrow_mut().extend_from_slice(data));
    let transport = connect(reactor, at.clone(), script);
    let ends = Peer::new(at.clone(), UnixAddress::Unnamed);
    assert_eq!(transport.peer().remote(), ends.remote());
    assert_eq!(transport.peer().local(), ends.local());
    drive(reactor, || answer.borrow().len() == bytes.len());
    assert!(*answer.borrow() == bytes);
    transport.close();
    drive(reactor, || log.has("client lost: closed here"));
    listener.close();
}

#[test]
fn a_path_is_as_good_as_a_port() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("echo");
        echoes(reactor, &UnixAddress::path(&path));
        assert!(!path.exists(), "the file goes with the listener");
        echoes(reactor, &UnixAddress::path(&path));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_is_as_good_as_a_port() {
    on_each_driver(|reactor| {
        let name = format!("torsade {} \0 {:?}", std::process::id(), reactor.driver());
        let at = UnixAddress::abstract_name(&name);
        echoes(reactor, &at);
        let first = reactor.net().listen(at.clone(), factory(|_| Echo)).unwrap();
        let second = reactor.net().listen(at, factory(|_| Echo));
        assert_eq!(kind(second), ErrorKind::AddrInUse);
        first.close();
    });
}

#[test]
fn the_file_goes_with_the_reactor() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let mut builder = Reactor::builder().driver(reactor.driver()).build().unwrap();
        let at = UnixAddress::path(&path);
        builder.net().listen(at, factory(|_| Echo)).unwrap();
        settle(&mut builder);
        drop(builder);
        assert!(!path.exists());
    });
}

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask_says() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        for mode in [0o600, 0o660, 0o666, 0o777] {
            let path = folder.file("a");
            let at = UnixListen::at(path.as_path()).mode(mode);
            let listener = reactor.net().listen(at, factory(|_| Echo)).unwrap();
            let found = fs::symlink_metadata(&path).unwrap();
            assert_eq!(found.permissions().mode() & 0o7777, mode);
            listener.close();
        }
    });
}

#[test]
fn a_dead_socket_is_replaced_if_that_was_asked_for() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        leave_a_dead_one(&path);
        let at = UnixListen::at(path.as_path());
        let refused = reactor.net().listen(at.clone(), factory(|_| Echo));
        assert_eq!(kind(refused), ErrorKind::AddrInUse);
        let listener = reactor.net().listen(at.replace_stale(), factory(|_| Echo));
        assert!(UnixStream::connect(&path).is_ok());
        listener.unwrap().close();
        assert!(!path.exists());
    });
}

#[test]
fn a_socket_that_answers_is_in_use() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let other = UnixListener::bind(&path).unwrap();
        let at = UnixListen::at(path.as_path()).replace_stale();
        assert_eq!(
            kind(reactor.net().listen(at, factory(|_| Echo))),
            ErrorKind::AddrInUse
        );
        assert!(UnixStream::connect(&path).is_ok(), "it is still there");
        drop(other);
    });
}

#[test]
fn what_is_no_socket_stays() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("diary");
        fs::write(&path, "dear diary").unwrap();
        let link = folder.file("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for path in [&path, &link, &folder.0] {
            let at = UnixListen::at(path.as_path()).replace_stale().mode(0o777);
            let refused = kind(reactor.net().listen(at, factory(|_| Echo)));
            assert_eq!(refused, ErrorKind::AddrInUse);
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "dear diary");
    });
}

#[test]
fn the_file_of_another_stays() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("a");
        let at = UnixAddress::path(&path);
        let listener = reactor.net().listen(at, factory(|_| Echo)).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        listener.close();
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    });
}

#[test]
fn a_name_that_does_not_fit_is_an_error_that_says_so() {
    on_each_driver(|reactor| {
        let long = UnixAddress::path(format!("/run/{}", "x".repeat(200)));
        let refused = reactor.net().listen(long.clone(), factory(|_| Echo));
        let Err(ListenError::Endpoint(error)) = refused else {
            panic!("{refused:?}");
        };
        assert!(matches!(error, EndpointError::UnixName { length: 205, .. }));
        let log = Log::default();
        for name in [long, UnixAddress::path(""), UnixAddress::path("a\0b")] {
            let connected = reactor.net().connect(name, Script::new("client", &log));
            let result = reactor.run_until(connected).unwrap();
            assert!(matches!(
                result,
                Err(Failure::Error(ConnectError::Endpoint(
                    EndpointError::UnixName { .. }
                )))
            ));
        }
    });
}

#[test]
fn whom_nobody_answers_is_told_why() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let (dead, none) = (folder.file("dead"), folder.file("none"));
        leave_a_dead_one(&dead);
        for (path, expected) in [
            (dead, ErrorKind::ConnectionRefused),
            (none, ErrorKind::NotFound),
        ] {
            let to = UnixAddress::path(path);
            let connected = reactor
                .net()
                .connect(to, Script::new("client", &Log::default()));
            match reactor.run_until(connected).unwrap() {
                Err(Failure::Error(error @ ConnectError::Failed { .. })) => {
                    assert_eq!(error.kind(), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn each_end_knows_who_the_other_is() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let at = UnixAddress::path(folder.file("a"));
        let seen = Rc::new(Cell::new(None));
        let noted = Rc::clone(&seen);
        let factory = factory(move |peer: &Peer| {
            noted.set(peer.credentials());
            Echo
        });
        reactor.net().listen(at.clone(), factory).unwrap();
        let client = connect(reactor, at, Script::new("client", &Log::default()));
        drive(reactor, || seen.get().is_some());
        for credentials in [seen.get(), client.peer().credentials()] {
            let credentials = credentials.unwrap();
            assert_eq!(credentials.uid, rustix::process::getuid().as_raw());
            assert_eq!(credentials.gid, rustix::process::getgid().as_raw());
            assert_eq!(credentials.pid, Some(std::process::id()));
        }
    });
}

/// A server at a path whose connections do what `script` says.
fn serve(net: &Net, folder: &Folder, mut script: impl FnMut() -> Script + 'static) -> UnixAddress {
    let at = UnixAddress::path(folder.file("socket"));
    let factory = factory(move |_: &Peer| script());
    net.listen(at.clone(), factory).unwrap();
    at
}

#[test]
fn descriptors_come_with_the_bytes_that_they_were_sent_with() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let (log, got) = (Log::default(), Rc::new(RefCell::new(Vec::new())));
        // Of each delivery: its bytes, and the descriptors that were there with it.
        let deliveries = Rc::new(RefCell::new(Vec::new()));
        let (taken, heard, logged) = (Rc::clone(&got), Rc::clone(&deliveries), log.clone());
        let at = serve(reactor.net(), &folder, move || {
            let (taken, heard) = (Rc::clone(&taken), Rc::clone(&heard));
            Script::new("server", &logged)
                .made(|t| t.receive_descriptors(true))
                .data(move |t, data| {
                    let descriptors = t.take_descriptors();
                    heard.borrow_mut().push((data.to_vec(), descriptors.len()));
                    taken.borrow_mut().extend(descriptors);
                })
        });
        let pairs: Vec<_> = (0..3).map(|_| UnixStream::pair().unwrap()).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let mut theirs = theirs.into_iter();
        let script = Script::new("client", &log).made(move |t| {
            t.write("plain ");
            let first = theirs.by_ref().take(1);
            t.write_with_descriptors("one ", first).unwrap();
            t.write("plain again ");
            t.write_with_descriptors("two", theirs.by_ref()).unwrap();
            t.write(".");
        });
        let client = connect(reactor, at, script);
        drive(reactor, || {
            let deliveries = deliveries.borrow();
            deliveries.iter().map(|it| it.0.len()).sum::<usize>() == 26
        });
        drop(client);
        let mut before = (Vec::new(), 0);
        for (data, descriptors) in deliveries.take() {
            before.0.extend(data);
            before.1 += descriptors;
            // Never later than the first of its bytes.
            if before.0.len() > 6 {
                assert!(before.1 >= 1, "{before:?}");
            }
            if before.0.len() > 22 {
                assert_eq!(before.1, 3, "{before:?}");
            }
        }
        assert_eq!(before.0, b"plain one plain again two.");
        // They are what they were, in order, and are closed on `exec`.
        for (number, (descriptor, mut ours)) in got.take().into_iter().zip(ours).enumerate() {
            let flags = rustix::io::fcntl_getfd(descriptor.as_fd()).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            let mut received = UnixStream::from(descriptor);
            received.write_all(&[number as u8]).unwrap();
            drop(received);
            let mut all = Vec::new();
            // To the end: ours were closed when they had gone.
            ours.read_to_end(&mut all).unwrap();
            assert_eq!(all, [number as u8]);
        }
    });
}

/// Send a descriptor to a server, and wait until nobody has it any more.
fn is_closed_by(reactor: &mut Reactor, script: impl FnMut() -> Script + 'static) {
    let folder = Folder::new();
    let at = serve(reactor.net(), &folder, script);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let theirs = Cell::new(Some(theirs));
    let script = Script::new("client", &Log::default()).made(move |t| {
        t.write_with_descriptors("x", theirs.take()).unwrap();
    });
    let client = connect(reactor, at, script);
    let mut ended = false;
    drive(reactor, || {
        ended = ended || matches!(ours.read(&mut [0]), Ok(0));
        ended
    });
    client.abort();
    settle(reactor);
}

#[test]
fn descriptors_that_nobody_wants_are_closed() {
    on_each_driver(|reactor| {
        let log = Log::default();
        is_closed_by(reactor, move || Script::new("server", &log));
    });
}

#[test]
fn descriptors_that_nobody_took_are_closed_at_the_loss() {
    on_each_driver(|reactor| {
        let log = Log::default();
        is_closed_by(reactor, move || {
            Script::new("server", &log)
                .made(|t| t.receive_descriptors(true))
                .data(|t, _| t.close())
        });
    });
}

#[test]
fn descriptors_that_are_not_wanted_any_more_are_closed() {
    on_each_driver(|reactor| {
        let log = Log::default();
        is_closed_by(reactor, move || {
            Script::new("server", &log)
                .made(|t| t.receive_descriptors(true))
                .data(|t, data| {
                    t.receive_descriptors(false);
                    t.write(data);
                })
        });
    });
}

#[test]
fn a_connection_may_want_descriptors_later_and_for_a_while() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let log = Log::default();
        let server_log = log.clone();
        let at = serve(reactor.net(), &folder, move || {
            Script::new("server", &server_log).data(|t, data| {
                t.write(format!("{} ", t.take_descriptors().len()));
                t.receive_descriptors(data == b"on");
            })
        });
        let answers = Rc::new(RefCell::new(String::new()));
        let heard = Rc::clone(&answers);
        let script = Script::new("client", &log).data(move |_, data| {
            heard
                .borrow_mut()
                .push_str(std::str::from_utf8(data).unwrap())
        });
        let client = connect(reactor, at, script);
        for (say, all) in [
            ("on", "0 "),
            ("on", "0 1 "),
            ("off", "0 1 1 "),
            ("off", "0 1 1 0 "),
        ] {
            let (_, theirs) = UnixStream::pair().unwrap();
            client.write_with_descriptors(say, [theirs]).unwrap();
            drive(reactor, || *answers.borrow() == all);
        }
    });
}

#[test]
fn more_descriptors_than_are_held_end_the_connection() {
    let mut limits = Limits::default();
    limits.descriptors = 2;
    on_each_driver_with(limits, |reactor| {
        let folder = Folder::new();
        let log = Log::default();
        let server_log = log.clone();
        let at = serve(reactor.net(), &folder, move || {
            Script::new("server", &server_log).made(|t| t.receive_descriptors(true))
        });
        let client = connect(reactor, at, Script::new("client", &log));
        for _ in 0..3 {
            let (_, theirs) = UnixStream::pair().unwrap();
            client.write_with_descriptors("x", [theirs]).unwrap();
            settle(reactor);
        }
        let reason = Disconnect::LimitPassed(Limit::Descriptors);
        drive(reactor, || log.has(&format!("server lost: {reason}")));
    });
}

#[test]
fn descriptors_that_cannot_go_are_refused() {
    let mut limits = Limits::default();
    limits.descriptors = 2;
    on_each_driver_with(limits, |reactor| {
        let folder = Folder::new();
        let log = Log::default();
        let pair = || UnixStream::pair().unwrap().0;
        let tcp = crate::support::echo(reactor.net()).address();
        let client = connect(reactor, tcp, Script::new("tcp", &log));
        let refused = client.write_with_descriptors("x", [pair()]);
        assert_eq!(refused, Err(DescriptorError::NotCarried));

        let at = serve(reactor.net(), &folder, {
            let log = log.clone();
            move || Script::new("server", &log)
        });
        let client = connect(reactor, at, Script::new("client", &log));
        let refused = client.write_with_descriptors("", [pair()]);
        assert_eq!(refused, Err(DescriptorError::NoBytes));
        let refused = client.write_with_descriptors("x", [pair(), pair(), pair()]);
        assert_eq!(refused, Err(DescriptorError::TooMany { most: 2 }));
        client.close();
        let refused = client.write_with_descriptors("x", [pair()]);
        assert_eq!(refused, Err(DescriptorError::Closed));
        assert_eq!(client.buffered(), 0, "nothing of it was written");
    });
}

#[test]
fn more_than_the_kernel_has_room_for_goes_on_when_there_is_room() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let log = Log::default();
        let (count, bytes) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (counted, read, server_log) = (Rc::clone(&count), Rc::clone(&bytes), log.clone());
        let at = serve(reactor.net(), &folder, move || {
            let (counted, read) = (Rc::clone(&counted), Rc::clone(&read));
            Script::new("server", &server_log)
                .made(|t| t.receive_descriptors(true))
                .data(move |t, data| {
                    counted.set(counted.get() + t.take_descriptors().len());
                    read.set(read.get() + data.len());
                })
        });
        let client = connect(reactor, at, Script::new("client", &log));
        for _ in 0..50 {
            let (one, other) = UnixStream::pair().unwrap();
            client.write(pattern(0..100_000));
            client
                .write_with_descriptors(pattern(0..20_000), [one, other])
                .unwrap();
        }
        drive(reactor, || bytes.get() == 50 * 120_000);
        assert_eq!(count.get(), 100);
    });
}
