//! Half-close.

use torsade_core::Disconnect;
use torsade_testing::StringTransport;

use crate::support::{Log, Script};

#[test]
fn r22_whoever_wants_to_know_of_the_half_close_asks_for_the_flush() {
    let log = Log::default();
    let told = log.clone();
    let server = Script::new("server", &log).data(move |transport, _| {
        let told = told.clone();
        transport.write("reply");
        transport.close_write();
        transport.then(transport.flushed(), move |_, transport, flushed| {
            told.note(format!("flushed {}", flushed.is_ok()));
            transport.write("too late");
        });
    });
    let mut t = StringTransport::builder().window(0).serve(server);
    t.feed("question");
    log.take();
    assert!(!t.has_ended());
    t.set_window(usize::MAX);
    assert_eq!(log.take(), ["flushed true"]);
    assert!(t.has_ended());
    assert_eq!(t.take_sent(), b"reply");
    // Input goes on until the peer has ended too.
    t.feed("more");
    assert_eq!(log.take()[0], "server data more");
    assert_eq!(t.lost(), None);
}

#[test]
fn r23_without_a_word_on_half_closes_the_peers_end_closes_after_the_flush() {
    let log = Log::default();
    let mut t = StringTransport::builder()
        .window(0)
        .serve(Script::new("server", &log).data(|transport, data| transport.write(data)));
    t.feed("echo");
    t.end();
    // Twisted would drop the connection here, and the reply with it.
    assert_eq!(t.lost(), None);
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent(), b"echo");
    assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
}

#[test]
fn r25_a_close_when_the_half_close_is_through_closes() {
    let log = Log::default();
    let server = Script::new("server", &log).made(|transport| {
        transport.write("all I have");
        transport.close_write();
        transport.then(transport.flushed(), |_, transport, _| transport.close());
    });
    let mut t = StringTransport::serve(server);
    assert_eq!(t.take_sent(), b"all I have");
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}
