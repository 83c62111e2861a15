//! `Limits::slow_callback`: who kept everybody else waiting is named in the log.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Once;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use torsade_core::{
    DatagramProtocol, DatagramTransport, Disconnect, Limits, Net, Protocol, Transport, factory,
};
use torsade_testing::{Clock, FakeDatagrams, MemoryReactor, StringTransport};

thread_local! {
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Warnings;
impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            WARNINGS.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Limits under which a tenth of a second is as long as a callback may take.
fn limits() -> Limits {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        log::set_logger(&Warnings).unwrap();
        log::set_max_level(LevelFilter::Warn);
    });
    let mut limits = Limits::default();
    limits.slow_callback = Some(Duration::from_millis(100));
    limits
}

/// What was logged, of which each line must end as all do.
fn warnings() -> Vec<String> {
    let lines = WARNINGS.take();
    let end = "; everybody else on this reactor waited for it";
    lines
        .into_iter()
        .map(|line| line.strip_suffix(end).unwrap().to_owned())
        .collect()
}

fn stall(millis: u64) {
    Clock::stall(Duration::from_millis(millis));
}

/// Thinks for as many milliseconds as it was sent, whenever it is called.
#[derive(Default)]
struct Thinker(u64);
impl Protocol for Thinker {
    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0 = std::str::from_utf8(data).unwrap().parse().unwrap();
        stall(self.0);
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        stall(self.0);
        transport.close();
    }

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        stall(self.0);
    }
}

#[test]
fn the_callback_its_connection_and_its_type_are_named() {
    let mut t = StringTransport::builder()
        .limits(limits())
        .serve(Thinker::default());
    t.feed("100");
    assert_eq!(warnings(), [""; 0]); // just quick enough
    t.feed("101");
    let id = t.connection().id();
    let name = std::any::type_name::<Thinker>();
    let line = |place| format!("{place} of connection {id}, a {name}, took 101ms");
    assert_eq!(warnings(), [line("data_received")]);
    t.end();
    assert_eq!(warnings(), [line("eof_received"), line("connection_lost")]);
    assert_eq!(t.net().slow_callbacks(), 3);
}

#[test]
fn a_timer_and_a_factory_are_named_by_their_lines() {
    let mut reactor = MemoryReactor::with_limits(limits());
    reactor
        .net()
        .call_later(Duration::from_secs(1), |_| stall(200));
    let timer = line!() - 1;
    let slow = factory(|_| {
        stall(300);
        Thinker::default()
    });
    reactor.net().listen("127.0.0.1:80", slow).unwrap();
    let listener = line!() - 1;
    reactor.advance(Duration::from_secs(1));
    let _end = reactor.dial("127.0.0.1:80");
    let found = warnings();
    let starts = [
        format!("a timer, asked for at {}:{timer}:", file!()),
        format!("a factory's build, asked for at {}:{listener}:", file!()),
    ];
    assert_eq!(found.len(), 2, "{found:?}");
    for (found, start) in found.iter().zip(&starts) {
        assert!(found.starts_with(start), "{found} {start}");
    }
    assert!(found[0].ends_with(" took 200ms"));
}

#[test]
fn a_port_a_posted_call_and_a_continuation_are_named() {
    struct Port;
    impl DatagramProtocol for Port {
        fn datagram_received(&mut self, _: &DatagramTransport<Self>, _: &[u8], _: &SocketAddr) {
            stall(150);
        }
    }
    let mut port = FakeDatagrams::with_limits(limits(), Port);
    port.feed("192.0.2.1:9".parse().unwrap(), "?");
    let lines = warnings();
    assert!(
        lines[0].starts_with("datagram_received of port "),
        "{lines:?}"
    );

    let reactor = MemoryReactor::with_limits(limits());
    reactor.net().remote().post(|_: &Net| stall(150)).unwrap();
    reactor.settle();
    assert_eq!(warnings(), ["a posted call took 150ms"]);

    let mut t = StringTransport::builder()
        .limits(limits())
        .serve(Thinker::default());
    t.with_protocol(|_, transport| transport.call(|_, _| stall(150)));
    t.advance(Duration::ZERO);
    let lines = warnings();
    assert!(
        lines[0].starts_with("a continuation of connection "),
        "{lines:?}"
    );
}

#[test]
fn what_passes_between_turns_is_nobodys() {
    let mut t = StringTransport::builder()
        .limits(limits())
        .serve(Thinker::default());
    t.feed("1");
    t.advance(Duration::from_secs(3600));
    t.feed("1");
    assert_eq!(warnings(), [""; 0]);
    assert_eq!(t.net().slow_callbacks(), 0);
}

#[test]
fn nobody_looks_unless_asked() {
    limits();
    let mut t = StringTransport::serve(Thinker::default());
    t.feed("5000");
    assert_eq!(warnings(), [""; 0]);
}
