//! Write, close, abort.

use std::cell::Cell;
use std::rc::Rc;

use torsade_core::Disconnect;
use torsade_testing::{Pump, StringTransport};

use crate::support::{Log, Script};

#[test]
fn r09_only_what_was_written_before_the_close_is_sent() {
    let log = Log::default();
    let server = Script::new("server", &log).data(|transport, _| {
        transport.write("one ");
        transport.close();
        transport.write("two ");
    });
    // The peer takes nothing yet: the flush is under way, and in Twisted all three would leave.
    let mut t = StringTransport::builder().window(0).serve(server);
    t.feed("go");
    t.connection().write("three");
    assert_eq!(t.lost(), None);
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent(), b"one ");
    assert_eq!(t.connection().bytes_dropped(), 9);
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}

#[test]
fn r14_writes_after_the_loss_are_ignored() {
    let log = Log::default();
    let mut t = StringTransport::serve(Script::new("server", &log).lost(|transport| {
        transport.write("in the loss");
    }));
    t.end();
    t.take_sent();
    let connection = t.connection().clone();
    connection.write("after the loss");
    connection.write_parts(&["piece", "by piece"]);
    assert_eq!(t.take_sent(), b"");
    assert_eq!(connection.bytes_dropped(), 11 + 14 + 13);
    assert_eq!(
        log.take().last().unwrap(),
        "server lost: closed by the peer ends"
    );
}

#[test]
fn r16_an_abort_in_data_received_calls_nobody_at_once() {
    let log = Log::default();
    let client = Script::new("client", &log).data(|transport, _| transport.abort());
    let server = Script::new("server", &log).made(|transport| transport.write("x"));
    let mut pump = Pump::new(client, server);
    pump.run();
    let lines: Vec<_> = log.take().into_iter().skip(3).collect();
    assert_eq!(
        lines,
        [
            "client data x",
            "client data ends",
            "client lost: aborted here",
            "server lost: reset by the peer"
        ]
    );
}

#[test]
fn r16_an_abort_in_resume_writing_calls_nobody_at_once() {
    let log = Log::default();
    let server = Script::new("server", &log)
        .made(|transport| {
            transport.set_write_limits(1, 2);
            transport.write("abc");
        })
        .resumed(|transport| transport.abort());
    let mut t = StringTransport::builder().window(0).serve(server);
    log.take();
    t.set_window(2);
    assert_eq!(
        log.take(),
        [
            "server resume",
            "server resume ends",
            "server lost: aborted here"
        ]
    );
    assert!(t.has_reset());
}

#[test]
fn r20_text_is_written_as_its_utf8_and_everything_or_nothing() {
    let log = Log::default();
    let mut t = StringTransport::serve(Script::new("server", &log));
    t.connection().write("Käse ");
    t.connection().write(String::from("☕ "));
    t.connection().write_parts(&["ab", "c"]);
    assert_eq!(t.take_sent(), "Käse ☕ abc".as_bytes());
}

#[test]
fn r21_two_that_answer_each_other_do_not_nest() {
    let log = Log::default();
    let depth = Rc::new(Cell::new(0));
    let answers = |name: &'static str| {
        let depth = Rc::clone(&depth);
        let mut left = 3;
        Script::new(name, &log).data(move |transport, data| {
            depth.set(depth.get() + 1);
            assert_eq!(depth.get(), 1, "a write called back");
            left -= 1;
            if left > 0 {
                transport.write(data);
            }
            depth.set(0);
        })
    };
    let client = answers("client").made(|transport| transport.write("."));
    let mut pump = Pump::new(client, answers("server"));
    pump.run();
    let is_data = |line: &&String| line.ends_with("data .");
    assert_eq!(log.take().iter().filter(is_data).count(), 5);
}
