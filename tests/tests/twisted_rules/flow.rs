//! Flow control: producers as a protocol's own loop.

use std::cell::Cell;
use std::rc::Rc;

use torsade_core::{Connection, Disconnect, Transport};
use torsade_testing::StringTransport;

use crate::support::{Log, Script};

const KIB: usize = 1024;

#[test]
fn r28_one_piece_for_each_flush_is_a_pull_producer() {
    fn next(transport: &Transport<Script>, log: &Log, left: usize) {
        if left == 0 {
            transport.close();
            return;
        }
        transport.write("piece ");
        let told = log.clone();
        transport.then(transport.flushed(), move |_, transport, _| {
            told.note(format!("wants {}", left - 1));
            next(transport, &told, left - 1);
        });
    }
    let log = Log::default();
    let pulls = log.clone();
    // The first piece is asked for at once, as a pull producer's is.
    let server = Script::new("server", &log).made(move |transport| next(transport, &pulls, 3));
    let mut t = StringTransport::builder().window(0).serve(server);
    assert_eq!(log.take(), ["server made", "server made ends"]);
    t.set_window(6);
    assert_eq!(log.take(), ["wants 2"]);
    assert_eq!(t.connection().buffered(), 6);
    t.set_window(3);
    assert_eq!(log.take(), Vec::<String>::new());
    t.set_window(3);
    assert_eq!(log.take(), ["wants 1"]);
    t.set_window(usize::MAX);
    assert_eq!(log.take(), ["wants 0", "server lost: closed here"]);
    assert_eq!(t.take_sent(), b"piece piece piece ");
}

#[test]
fn r29_a_low_mark_of_nothing_resumes_at_empty_as_twisted_does() {
    for (low, resumes_at) in [(None, 16 * KIB), (Some(0), 0)] {
        let log = Log::default();
        let server = Script::new("server", &log).made(move |transport| {
            if let Some(low) = low {
                transport.set_write_limits(low, 64 * KIB);
            }
        });
        let mut t = StringTransport::builder().window(0).serve(server);
        log.take();
        let connection = t.connection().clone();
        connection.write(vec![0; 64 * KIB]);
        t.take_sent();
        assert_eq!(log.take(), Vec::<String>::new(), "64 KiB are not too much");
        connection.write([0]);
        t.take_sent();
        assert_eq!(log.take(), ["server pause"]);
        t.set_window(64 * KIB + 1 - resumes_at - 1);
        assert_eq!(connection.buffered(), resumes_at + 1);
        assert_eq!(log.take(), Vec::<String>::new());
        t.set_window(1);
        assert_eq!(log.take(), ["server resume"]);
        t.set_window(usize::MAX);
        assert_eq!(log.take(), Vec::<String>::new(), "it was told already");
    }
}

#[test]
fn r30_writing_too_much_in_resume_writing_pauses_afterwards() {
    let log = Log::default();
    let told = log.clone();
    let mut rounds = 2;
    let server = Script::new("server", &log)
        .made(|transport| {
            transport.set_write_limits(0, 10);
            transport.write([b'.'; 11]);
        })
        .resumed(move |transport| {
            rounds -= 1;
            if rounds >= 0 {
                transport.write([b'.'; 11]);
                // Known at once, so that a loop ends; told when this callback has returned.
                told.note(format!("wants {}", transport.wants_output()));
            }
        });
    let mut t = StringTransport::builder().window(0).serve(server);
    log.take();
    let one_round = [
        "server resume",
        "wants false",
        "server resume ends",
        "server pause",
    ];
    t.set_window(11);
    assert_eq!(log.take(), one_round);
    t.set_window(11);
    assert_eq!(log.take(), one_round);
    t.set_window(11);
    assert_eq!(log.take(), ["server resume", "server resume ends"]);
    assert!(t.connection().wants_output());
    assert_eq!(t.take_sent().len(), 33);
}

/// Writes pieces while output is wanted, and closes when it has given all, as a producer should.
fn produce(connection: &Connection, left: &Cell<usize>) {
    while left.get() > 0 && connection.wants_output() {
        left.set(left.get() - 1);
        connection.write([b'.'; 100]);
    }
    if left.get() == 0 {
        connection.close();
    }
}

fn producer(log: &Log, left: &Rc<Cell<usize>>) -> Script {
    let (first, rest) = (Rc::clone(left), Rc::clone(left));
    Script::new("server", log)
        .made(move |transport| {
            transport.set_write_limits(0, 250);
            produce(transport, &first);
        })
        .resumed(move |transport| produce(transport, &rest))
}

#[test]
fn r32_a_close_waits_for_the_bytes_and_for_no_producer() {
    let (log, left) = (Log::default(), Rc::new(Cell::new(10)));
    let mut t = StringTransport::builder()
        .window(0)
        .serve(producer(&log, &left));
    // Three pieces, and seven that nobody will ask for: somebody else closes.
    assert_eq!(left.get(), 7);
    t.connection().close();
    assert!(!t.connection().wants_output());
    assert_eq!(t.lost(), None);
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent().len(), 300);
    assert_eq!(left.get(), 7);
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}

#[test]
fn r33_a_producer_that_closes_when_it_is_through_loses_nothing() {
    let (log, left) = (Log::default(), Rc::new(Cell::new(10)));
    let mut t = StringTransport::builder()
        .window(0)
        .serve(producer(&log, &left));
    for _ in 0..3 {
        assert_eq!(t.lost(), None);
        t.set_window(300);
    }
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent().len(), 1000);
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}
