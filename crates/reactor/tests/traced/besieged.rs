//! Calls that fail, as kernels let them fail and as they never do: whatever it is, the reactor goes
//! on, serves those whose connection is not hit, and neither hangs nor spins.

use std::env;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use torsade_core::{Disconnect, Limits, Net, Protocol, Transport, factory};
use torsade_reactor::{Driver, Reactor};

use crate::strace::{Traced, start};

/// Where the test waits to hear from its scene, and where nobody listens.
const ADDRESSES: &str = "TORSADE_ADDRESSES";

/// Every so manyth call fails: more than one message needs of any.
const OFTEN: usize = 5;

/// A test that cannot go on at a peak of failures tries again; so often at most.
const TRIES: usize = 300;

/// What does not come within this time never will.
const PATIENCE: Duration = Duration::from_secs(20);

const SHORTLY: Duration = Duration::from_millis(1);

/// The server of the scene, which is told about its own end by the client.
struct Besieged(Net);

impl Protocol for Besieged {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        if data == b"!" {
            self.0.stop();
            return;
        }
        // In two pieces of different kinds, which go together.
        let (copied, shared) = data.split_at(data.len() / 2);
        transport.write(copied);
        transport.write_bytes(shared.to_vec().into());
        if data.ends_with(b".") {
            transport.close();
        }
    }
}

/// Tells the test where the server is, until that has heard it.
struct Announcing {
    own: SocketAddr,
    test: SocketAddr,
    net: Net,
}

impl Protocol for Announcing {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(format!("{}\n", self.own));
    }

    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        announce(&self.net, self.own, self.test, self.test);
    }
}

/// Connect to `to`, and then, or instead if that fails, to the test.
fn announce(net: &Net, own: SocketAddr, test: SocketAddr, to: SocketAddr) {
    let again = net.clone();
    let net_of_it = net.clone();
    let announcing = Announcing {
        own,
        test,
        net: net_of_it,
    };
    net.connect(to, announcing).finish(move |outcome| {
        if outcome.is_err() {
            again.call_later(SHORTLY, move |net| announce(net, own, test, test));
        }
    });
}

pub(crate) fn play() {
    let addresses = env::var(ADDRESSES).unwrap();
    let (test, nobody) = addresses.split_once(' ').unwrap();
    let (test, nobody) = (test.parse().unwrap(), nobody.parse().unwrap());
    let mut limits = Limits::default();
    limits.accept_rest = SHORTLY;
    limits.connect_timeout = Duration::from_secs(1);
    let build = || Reactor::builder().limits(limits.clone()).build();
    let mut reactor = retry(build);
    let net = reactor.net().clone();
    let server = net.clone();
    let listen = || {
        let server = server.clone();
        net.listen("127.0.0.1:0", factory(move |_| Besieged(server.clone())))
    };
    let own = retry(listen).address().inet().unwrap();
    let remote = reactor.remote();
    let other = thread::spawn(move || remote.post(move |net| announce(net, own, test, nobody)));
    // The end of a scene that the test has given up, which leaves it without its tracer.
    // (A timer of the reactor would change how it waits.)
    let (over, is_over) = mpsc::channel::<()>();
    thread::spawn(move || {
        if is_over.recv_timeout(2 * PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            std::process::exit(1);
        }
    });
    retry(|| reactor.run());
    drop(over);
    other.join().unwrap().unwrap();
}

fn retry<T, E: std::fmt::Debug>(mut f: impl FnMut() -> Result<T, E>) -> T {
    for _ in 0..TRIES {
        if let Ok(done) = f() {
            return done;
        }
    }
    f().unwrap()
}

/// The test's side.
struct Siege {
    door: TcpListener,
    scene: Traced,
    /// A port that is taken, and nobody listens.
    _nobody: Socket,
}

impl Siege {
    /// None where there is no strace.
    fn begin(driver: &str, call: &str, error: &str) -> Option<Self> {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        nobody.bind(&any.into()).unwrap();
        let closed = nobody.local_addr().unwrap().as_socket().unwrap();
        let addresses = format!("{} {closed}", door.local_addr().unwrap());
        // Without a first few reads no program starts.
        let first = if call == "read" { 10 } else { 1 };
        let inject = format!("inject={call}:error={error}:when={first}+{OFTEN}");
        let options = [
            "-e".to_owned(),
            "trace=%network,%desc,%file".to_owned(),
            "-e".to_owned(),
            inject,
        ];
        let scene = start("besieged", driver, &options[2..], (ADDRESSES, &addresses))?;
        Some(Self {
            door,
            scene,
            _nobody: nobody,
        })
    }

    /// Where the server is.
    fn address(&self) -> SocketAddr {
        for _ in 0..TRIES {
            let mut fds = [PollFd::new(&self.door, PollFlags::IN)];
            let patience = Timespec::try_from(PATIENCE).unwrap();
            assert!(
                poll(&mut fds, Some(&patience)).unwrap() > 0,
                "it does not connect"
            );
            let (stream, _) = self.door.accept().unwrap();
            let mut line = String::new();
            // What does not come whole comes again.
            let _ = BufReader::new(patient(stream)).read_line(&mut line);
            if let Some(address) = line.strip_suffix('\n') {
                return address.parse().unwrap();
            }
        }
        panic!("it does not say where it is");
    }

    /// Have the server stop, and look at what strace has written.
    fn end(mut self, address: SocketAddr) -> String {
        while self.scene.child.try_wait().unwrap().is_none() {
            if let Ok(stream) = TcpStream::connect(address) {
                let mut stream = patient(stream);
                let _ = stream.write_all(b"!");
                let _ = read(&mut stream, 1);
            }
        }
        self.scene.finish()
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Read so much. That nothing comes, no end either, is never right.
fn read(stream: &mut TcpStream, len: usize) -> io::Result<Vec<u8>> {
    let mut data = vec![0; len];
    match stream.read_exact(&mut data) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it hangs"),
        outcome => outcome.map(|()| data),
    }
}

/// One message, and the answer.
fn trip(address: SocketAddr, message: &[u8]) -> io::Result<()> {
    let mut stream = patient(TcpStream::connect(address)?);
    stream.write_all(message)?;
    assert_eq!(read(&mut stream, message.len())?, message);
    Ok(())
}

const ERRORS: [&str; 6] = [
    "EINTR",
    "EAGAIN",
    "ENOBUFS",
    "ECONNRESET",
    "EMFILE",
    "ENOMEM",
];

/// Calls about sockets, which all readiness drivers make.
const OF_SOCKETS: [&str; 12] = [
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
];

/// Calls that the epoll driver makes itself.
const OF_EPOLL: [&str; 6] = [
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "read",
];

/// What else networks and kernels say, by the call that they say it to.
const OF_NETWORKS: [(&str, &[&str]); 3] = [
    ("accept4", &["ECONNABORTED", "EPROTO", "EPERM", "ENFILE"]),
    (
        "connect",
        &["ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL"],
    ),
    ("sendto", &["EPIPE", "ETIMEDOUT", "EHOSTUNREACH"]),
];

/// Make some of these calls fail, with each of the errors.
fn besiege(driver: &str, call: &str, errors: &[&str]) {
    /// Enough for the shared piece of the answer to be sent from where it is.
    const SIZE: usize = 10_000;
    /// A turn or two for each thing that happens, and no more.
    const MOST_CALLS: usize = 5000;
    for error in errors {
        let Some(siege) = Siege::begin(driver, call, error) else {
            return;
        };
        println!("{driver}, {call}, {error}"); // what a failure is about
        let address = siege.address();
        let messages = ["question".repeat(SIZE), "question".repeat(SIZE) + "."];
        for message in messages.iter().cycle().take(6) {
            retry(|| trip(address, message.as_bytes()));
        }
        let report = siege.end(address);
        let calls = report.lines().count();
        assert!(calls < MOST_CALLS, "{calls} calls");
        assert!(report.contains("INJECTED"), "nothing has failed");
    }
}

/// A kernel that has no buffers just now has them soon: no connection ends, and no byte is missing.
#[test]
fn a_kernel_without_buffers_ends_no_connection() {
    const SIZE: usize = 1000;
    for (driver, call) in [
        ("epoll", "sendto"),
        ("epoll", "sendmsg"),
        ("polling", "sendto"),
    ] {
        let Some(siege) = Siege::begin(driver, call, "ENOBUFS") else {
            return;
        };
        println!("{driver}, {call}"); // what a failure is about
        let address = siege.address();
        for message in ["?".to_owned(), "question".repeat(SIZE)]
            .iter()
            .cycle()
            .take(12)
        {
            trip(address, message.as_bytes()).unwrap();
        }
        assert!(
            siege.end(address).contains("INJECTED"),
            "nothing has failed"
        );
    }
}

/// What `polling` does for itself, to register and to wake, is its own affair.
#[test]
fn on_polling_whatever_fails_is_survived() {
    for call in OF_SOCKETS.into_iter().chain(["epoll_pwait"]) {
        besiege("polling", call, &ERRORS);
    }
}

#[test]
fn on_epoll_whatever_fails_about_sockets_is_survived() {
    for call in OF_SOCKETS {
        besiege("epoll", call, &ERRORS);
    }
}

#[test]
fn whatever_networks_say_is_survived() {
    for driver in ["epoll", "polling"] {
        for (call, errors) in OF_NETWORKS {
            besiege(driver, call, errors);
        }
    }
    // What `polling` reads for itself would fail, too, and there is more of that.
    besiege("epoll", "read", &["ETIMEDOUT", "EHOSTUNREACH", "EPIPE"]);
}

#[test]
fn on_epoll_whatever_fails_about_waiting_is_survived() {
    for call in OF_EPOLL {
        besiege("epoll", call, &ERRORS);
    }
    // A kernel has no other reasons to refuse to ring.
    besiege("epoll", "write", &["EINTR"]);
    besiege("epoll", "epoll_pwait2", &["ENOSYS", "EPERM"]);
}

#[cfg(feature = "io-uring")]
#[test]
fn on_io_uring_whatever_fails_is_survived() {
    besiege("io_uring", "io_uring_enter", &["EINTR", "EAGAIN", "EBUSY"]);
    // Who comes, and a close: all else is said by the ring.
    besiege("io_uring", "getsockopt", &["ENOTCONN", "ENOBUFS"]);
}

/// A kernel, or who guards it, that has no ring for us.
#[cfg(feature = "io-uring")]
#[test]
fn without_io_uring_another_driver_serves() {
    besiege("io_uring", "io_uring_setup", &["ENOSYS", "EPERM", "ENOMEM"]);
}

/// Whoever names it is not served by another, and reads why.
#[cfg(feature = "io-uring")]
#[test]
fn io_uring_that_is_named_and_forbidden_is_an_error_that_says_so() {
    let options = ["-e", "inject=io_uring_setup:error=EPERM"].map(str::to_owned);
    if let Some(scene) = start("named", "epoll", &options, (ADDRESSES, "")) {
        assert!(scene.finish().contains("INJECTED"), "nothing has failed");
    }
}

/// The scene of that test.
pub(crate) fn name_io_uring() {
    let error = Reactor::builder().driver(Driver::IoUring).build();
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    assert!(text.starts_with("io_uring cannot be had: "), "{text}");
    assert!(text.contains("forbidden"), "{text}");
    assert!(text.contains("kernel.io_uring_disabled"), "{text}");
}
