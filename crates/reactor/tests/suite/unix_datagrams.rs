//! Datagrams between Unix sockets, on every driver that there is.

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{
    DatagramError, DatagramProtocol, DatagramTransport, Limits, ListenError, UnixAddress,
    UnixListen,
};
use torsade_reactor::Reactor;

use crate::support::{drive, settle};
use crate::unix::{Folder, on_each_driver, on_each_driver_with};

/// What a port has been told.
#[derive(Clone, Default)]
struct Told(Rc<RefCell<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Notes what it is told, and sends everything back.
struct Answers(Told);

type Port = DatagramTransport<Answers, UnixAddress>;

impl DatagramProtocol<UnixAddress> for Answers {
    fn datagram_received(&mut self, port: &Port, data: &[u8], from: &UnixAddress) {
        let data_text = String::from_utf8_lossy(data);
        self.0.0.borrow_mut().push(format!("{from} {data_text}"));
        if !data.starts_with(b"quiet") {
            port.send_to(data, from);
        }
    }

    fn error_received(&mut self, _: &Port, error: &DatagramError) {
        let text = match error {
            DatagramError::Unsent { to, error } => format!("unsent {to:?} {:?}", error.kind()),
            DatagramError::Truncated {
                from,
                length,
                received,
            } => format!("cut {from} {length} {}", received.escape_ascii()),
            other => format!("{other:?}"),
        };
        self.0.0.borrow_mut().push(text);
    }
}

fn bind(reactor: &Reactor, at: impl Into<UnixListen>) -> (Port, Told) {
    let told = Told::default();
    let port = reactor.net().bind_unix(at, Answers(told.clone())).unwrap();
    (port, told)
}

fn kind(result: Result<Port, ListenError>) -> ErrorKind {
    match result {
        Err(ListenError::System { error, .. }) => error.kind(),
        other => panic!("{other:?}"),
    }
}

fn quiet(number: usize) -> String {
    format!("quiet {number}")
}

/// What waits at a socket of the test's.
fn read_all(socket: &UnixDatagram) -> Vec<String> {
    socket.set_nonblocking(true).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 100];
    while let Ok(length) = socket.recv(&mut buffer) {
        all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    all
}

#[test]
fn a_socket_with_a_name_is_answered_and_one_without_is_heard() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let (ours, theirs) = (folder.file("ours"), folder.file("theirs"));
        let (port, told) = bind(reactor, &*ours);
        assert_eq!(port.local(), UnixAddress::path(&*ours));

        let named = UnixDatagram::bind(&theirs).unwrap();
        named.send_to(b"hello", &ours).unwrap();
        named.send_to(b"", &ours).unwrap();
        let theirs = UnixAddress::path(theirs);
        drive(reactor, || told.len() == 2);
        settle(reactor);
        assert_eq!(
            told.take(),
            [format!("{theirs} hello"), format!("{theirs} ")]
        );
        assert_eq!(read_all(&named), ["hello", ""]);

        let unnamed = UnixDatagram::unbound().unwrap();
        unnamed.send_to(b"psst", &ours).unwrap();
        drive(reactor, || told.len() == 2);
        let nowhere = "unsent Some(Unix(Unnamed)) InvalidInput";
        assert_eq!(told.take(), ["unix: psst", nowhere]);
        assert!(port.is_open());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_are_addresses_in_both_directions() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    on_each_driver(|reactor| {
        let folder = Folder::new();
        let name = |end: &str| folder.file(end).into_os_string().into_encoded_bytes();
        let ours = SocketAddr::from_abstract_name(name("ours")).unwrap();
        let (_, told) = bind(reactor, UnixAddress::abstract_name(name("ours")));
        let theirs = SocketAddr::from_abstract_name(name("theirs")).unwrap();
        let socket = UnixDatagram::bind_addr(&theirs).unwrap();
        socket.send_to_addr(b"hello", &ours).unwrap();
        drive(reactor, || told.len() == 1);
        settle(reactor);
        let from = UnixAddress::abstract_name(name("theirs"));
        assert_eq!(told.take(), [format!("{from} hello")]);
        assert_eq!(read_all(&socket), ["hello"]);
    });
}

#[test]
fn who_is_connected_waits_for_a_full_queue_and_nothing_is_lost_or_spun_for() {
    const COUNT: usize = 2000;
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let slow = UnixDatagram::bind(folder.file("slow")).unwrap();
        let (port, told) = bind(reactor, UnixAddress::Unnamed);
        port.connect(UnixAddress::path(folder.file("slow")))
            .unwrap();
        assert_eq!(port.peer(), Some(UnixAddress::path(folder.file("slow"))));
        for number in 0..COUNT {
            port.write(quiet(number));
        }
        settle(reactor);
        assert!(port.buffered() > 0 && port.sent() > 0);

        // While there is no room, a poller says nothing.
        let before = reactor.counters().events;
        for _ in 0..10 {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(reactor.counters().events, before);

        let mut got = Vec::new();
        drive(reactor, || {
            got.extend(read_all(&slow));
            got.len() == COUNT
        });
        assert_eq!(got, (0..COUNT).map(quiet).collect::<Vec<_>>());
        assert_eq!((port.dropped(), port.buffered(), told.len()), (0, 0, 0));
    });
}

#[test]
fn the_queue_before_a_slow_peer_is_bounded() {
    let mut limits = Limits::default();
    limits.datagram_queue = 1000;
    on_each_driver_with(limits, |reactor| {
        let folder = Folder::new();
        let _slow = UnixDatagram::bind(folder.file("slow")).unwrap();
        let (port, _) = bind(reactor, UnixAddress::Unnamed);
        port.connect(UnixAddress::path(folder.file("slow")))
            .unwrap();
        for number in 0..10_000 {
            port.write(quiet(number));
            if number % 10 == 0 {
                settle(reactor);
            }
        }
        settle(reactor);
        assert!(port.dropped() > 0 && port.buffered() <= 1000);
        port.close();
        drive(reactor, || reactor_is_empty(&port));
        assert_eq!(port.sent() + port.dropped(), 10_000);
    });
}

fn reactor_is_empty(port: &Port) -> bool {
    port.net().datagram_ports() == 0
}

#[test]
fn who_is_slow_costs_its_own_datagrams_and_nobody_elses() {
    const COUNT: usize = 1000;
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let (slow, fast) = (folder.file("slow"), folder.file("fast"));
        let slow_socket = UnixDatagram::bind(&slow).unwrap();
        let fast_socket = UnixDatagram::bind(&fast).unwrap();
        let (port, told) = bind(reactor, UnixAddress::Unnamed);
        let mut got = 0;
        for number in 0..COUNT {
            port.send_to(quiet(number), &UnixAddress::path(&*slow));
            port.send_to(quiet(number), &UnixAddress::path(&*fast));
            reactor.turn(Some(Duration::ZERO)).unwrap();
            got += read_all(&fast_socket).len();
        }
        settle(reactor);
        assert_eq!((got, port.buffered(), port.dropped()), (COUNT, 0, 0));
        let errors = told.take();
        assert!(errors.iter().all(|text| text.ends_with("WouldBlock")));
        let slowly = read_all(&slow_socket);
        assert_eq!(slowly.len() + errors.len(), COUNT);
        assert!(!slowly.is_empty() && !errors.is_empty());
    });
}

#[test]
fn one_that_is_too_long_is_told_as_cut_among_others_and_alone() {
    let mut limits = Limits::default();
    limits.datagram = 5;
    on_each_driver_with(limits, |reactor| {
        let folder = Folder::new();
        let (_, told) = bind(reactor, folder.file("ours"));
        let socket = UnixDatagram::bind(folder.file("theirs")).unwrap();
        let theirs = UnixAddress::path(folder.file("theirs"));
        let cut = format!("cut {theirs} 9 far t");
        let whole = format!("{theirs} quiet");
        let send = |texts: &[&str]| {
            for text in texts {
                socket
                    .send_to(text.as_bytes(), folder.file("ours"))
                    .unwrap();
            }
        };
        for _ in 0..3 {
            send(&["far too l"]);
            drive(reactor, || told.len() == 1);
            assert_eq!(told.take(), [cut.as_str()]);
        }
        send(&["quiet", "far too l", "quiet", "far too l"]);
        drive(reactor, || told.len() == 4);
        // An error waits for its turn, and what came behind it is kept behind it.
        assert_eq!(told.take(), [&*whole, &*cut, &*whole, &*cut]);
    });
}

#[test]
fn its_file_has_a_mode_replaces_a_dead_one_and_goes_with_the_port() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let path = folder.file("log");
        drop(UnixDatagram::bind(&path).unwrap());
        let net = reactor.net();
        let refused = net.bind_unix(&*path, Answers(Told::default()));
        assert_eq!(kind(refused), ErrorKind::AddrInUse);

        let (port, _) = bind(reactor, UnixListen::at(&*path).mode(0o622).replace_stale());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o622);

        // One that lives is not replaced.
        let again = UnixListen::at(&*path).replace_stale();
        let refused = reactor.net().bind_unix(again, Answers(Told::default()));
        assert_eq!(kind(refused), ErrorKind::AddrInUse);
        port.close();
        drive(reactor, || reactor_is_empty(&port));
        assert!(!path.exists());

        // Nor is one of the other kind.
        let _listener = UnixListener::bind(&path).unwrap();
        let again = UnixListen::at(&*path).replace_stale();
        let refused = reactor.net().bind_unix(again, Answers(Told::default()));
        assert_eq!(kind(refused), ErrorKind::AddrInUse);
    });
}

#[test]
fn that_nobody_is_there_is_an_error_of_each_datagram() {
    on_each_driver(|reactor| {
        let folder = Folder::new();
        let (missing, dead) = (folder.file("missing"), folder.file("dead"));
        drop(UnixDatagram::bind(&dead).unwrap());
        let (port, told) = bind(reactor, UnixAddress::Unnamed);
        for path in [&missing, &dead] {
            port.send_to("quiet", &UnixAddress::path(&**path));
        }
        drive(reactor, || told.len() == 2);
        settle(reactor);
        let unsent = |path, kind| {
            let to = torsade_core::Address::from(UnixAddress::path(path));
            format!("unsent {:?} {kind}", Some(to))
        };
        let expected = [
            unsent(&*missing, "NotFound"),
            unsent(&*dead, "ConnectionRefused"),
        ];
        assert_eq!(told.take(), expected);
        let refused = port.connect(UnixAddress::path(&*dead)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(port.peer(), None);

        let long = "a".repeat(200);
        let refused = reactor.net().bind_unix(&*long, Answers(Told::default()));
        assert!(matches!(refused, Err(ListenError::Endpoint(_))));
    });
}
