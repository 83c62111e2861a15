//! Exceptions: panics, and errors told with `fail`.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{Disconnect, Transport};
use torsade_reactor::Reactor;
use torsade_testing::StringTransport;

use crate::support::{Log, Script, dial, drive, read_to_end, serve};

#[test]
fn r38_an_error_is_told_with_fail_and_its_reply_leaves() {
    let log = Log::default();
    let mut t = StringTransport::serve(Script::new("server", &log).data(|transport, data| {
        if let Err(error) = std::str::from_utf8(data) {
            transport.write("speak UTF-8\n");
            transport.fail(Disconnect::protocol(error.to_string()));
        }
    }));
    t.feed([0xff]);
    assert_eq!(t.take_sent(), b"speak UTF-8\n");
    assert!(t.has_ended() && !t.has_reset());
    let reason = "invalid utf-8 sequence of 1 bytes from index 0";
    assert_eq!(t.lost(), Some(Disconnect::protocol(reason)));
}

#[test]
fn r39_a_panic_in_a_clients_connection_made_is_its_reason() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let served = log.clone();
    let listener = serve(reactor.net(), move || Script::new("server", &served));
    let client = Script::new("client", &log).made(|_| panic!("not today"));
    let made: Rc<RefCell<Option<Transport<Script>>>> = Rc::default();
    let place = Rc::clone(&made);
    reactor
        .net()
        .connect(listener.address(), client)
        .finish(move |result| drop(place.replace(result.ok())));
    let lost = "client lost: a callback panicked: not today";
    drive(&mut reactor, || log.has(lost));
    // It was made, so the attempt succeeded; what became of it, the transport tells.
    let transport = made.take().unwrap();
    let told = log.clone();
    transport
        .closed()
        .finish(move |reason| told.note(format!("closed: {}", reason.unwrap())));
    assert!(log.has("closed: a callback panicked: not today"));
    drive(&mut reactor, || log.has("server lost: reset by the peer"));
}

#[test]
fn r40_a_panic_in_a_servers_connection_made_ends_that_connection_only() {
    let mut reactor = Reactor::new().unwrap();
    let log = Log::default();
    let served = log.clone();
    let numbers = Rc::new(RefCell::new(0..));
    let listener = serve(reactor.net(), move || {
        let number = numbers.borrow_mut().next();
        Script::new("server", &served)
            .made(move |_| assert_ne!(number, Some(0), "the first always fails"))
            .data(|transport, data| {
                transport.write(data);
                transport.close();
            })
    });
    let mut first = dial(listener.address().inet().unwrap());
    let (heard, error) = read_to_end(&mut reactor, &mut first);
    assert_eq!(
        (heard.len(), error),
        (0, Some(std::io::ErrorKind::ConnectionReset))
    );
    assert!(listener.is_open());

    let mut second = dial(listener.address().inet().unwrap());
    std::io::Write::write_all(&mut second, b"you?").unwrap();
    assert_eq!(
        read_to_end(&mut reactor, &mut second),
        (b"you?".to_vec(), None)
    );
}
