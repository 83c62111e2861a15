//! The life of a connection.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::factory;
use torsade_reactor::Reactor;
use torsade_testing::StringTransport;

use crate::support::{Log, Script, dial, drive, nobody, read_to_end, serve};

#[test]
fn r01_build_and_made_come_in_one_go_with_the_transport() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let notes = log.clone();
    let net = reactor.net().clone();
    let listener = reactor.net().listen(
        "127.0.0.1:0",
        factory(move |_| {
            notes.note("build");
            // What could come in between.
            let others = notes.clone();
            net.call_later(Duration::ZERO, move |_| others.note("others"));
            Script::new("server", &notes).made(|transport| {
                transport.write("welcome");
                transport.close();
            })
        }),
    );
    let mut client = dial(listener.unwrap().address().inet().unwrap());
    drive(&mut reactor, || log.has("others"));
    let lines = log.take();
    assert_eq!(lines[..3], ["build", "server made", "server made ends"]);
    assert_eq!(read_to_end(&mut reactor, &mut client).0, b"welcome");
}

#[test]
fn r04_the_protocol_hears_of_its_loss_before_whoever_waits_for_it() {
    let log = Log::default();
    let mut t = StringTransport::connect(Script::new("client", &log));
    let waits = log.clone();
    t.connection().closed().finish(move |reason| {
        waits.note(format!("closed: {}", reason.unwrap()));
    });
    t.end();
    assert_eq!(
        log.take(),
        [
            "client made",
            "client lost: closed by the peer",
            "closed: closed by the peer"
        ]
    );
}

#[test]
fn r05_a_loss_may_begin_the_next_attempt() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let served = log.clone();
    let listener = serve(reactor.net(), move || {
        Script::new("server", &served).made(|transport| transport.close())
    });
    let address = listener.address().inet().unwrap();
    let again = Script::new("second", &log);
    let again = RefCell::new(Some(again));
    let first = Script::new("first", &log).lost(move |transport| {
        if let Some(again) = again.take() {
            transport.net().connect(address, again).detach();
        }
    });
    reactor.net().connect(address, first).detach();
    drive(&mut reactor, || log.has("second lost: closed by the peer"));
    let lines = log.take();
    let place = |line: &str| lines.iter().position(|known| known == line).unwrap();
    assert!(place("first lost: closed by the peer ends") < place("second made"));
    assert!(listener.is_open());
}

#[test]
fn r05_a_failed_attempt_may_begin_the_next_one() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let served = log.clone();
    let listener = serve(reactor.net(), move || Script::new("server", &served));
    let (refuses, _kept) = nobody();
    let (net, address) = (reactor.net().clone(), listener.address().inet().unwrap());
    let (lost, won) = (Script::new("first", &log), Script::new("second", &log));
    let told = log.clone();
    reactor.net().connect(refuses, lost).finish(move |refused| {
        told.note(format!("refused {}", refused.is_err()));
        net.connect(address, won).detach();
    });
    drive(&mut reactor, || log.has("second made"));
    let mine = |line: &String| !line.starts_with("server");
    let lines: Vec<_> = log.take().into_iter().filter(mine).collect();
    // The first protocol was never called at all.
    assert_eq!(lines, ["refused true", "second made"]);
}

#[test]
fn r08_what_was_not_connected_is_dropped_unmade() {
    let mut reactor = Reactor::new().unwrap();
    let (refuses, _kept) = nobody();
    let log = Log::default();
    let alive = Rc::new(());
    let held = Rc::clone(&alive);
    let client = Script::new("client", &log).lost(move |_| assert_eq!(*held, ()));
    let attempt = reactor.net().connect(refuses, client);
    assert_eq!(Rc::strong_count(&alive), 2);
    let told = log.clone();
    attempt.finish(move |refused| told.note(format!("refused {}", refused.is_err())));
    drive(&mut reactor, || log.has("refused true"));
    assert_eq!(Rc::strong_count(&alive), 1);
    assert_eq!(log.take(), ["refused true"]);
}
