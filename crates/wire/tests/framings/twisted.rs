//! The rules of Twisted's framings, by their numbers in the list of its tests. R89 (every split),
//! R90 (nothing after the close) and R93 (a pause in the middle) are bodies that every framing here
//! is run through, and tests of the lines; R91 is among the limits. These are the others.

use std::cell::RefCell;
use std::rc::Rc;

use torsade_core::{Connection, Disconnect, Transport};
use torsade_testing::StringTransport;
use torsade_wire::{Framed, Int16, MessageProtocol, MessageTransport, Netstring};

#[derive(Default)]
struct Keep(Vec<Vec<u8>>);

impl MessageProtocol for Keep {
    type Framing = Netstring;

    fn message_received(&mut self, _: &Transport<Self>, message: &[u8]) {
        self.0.push(message.to_vec());
    }
}

#[test]
fn r92_a_netstring_that_is_none_ends_the_connection_at_its_first_wrong_byte() {
    let no_length = "a netstring without a length";
    let zero = "a netstring's length with a zero in front";
    let no_colon = "a netstring's length without its colon";
    let no_comma = "a netstring without its comma";
    for (right, wrong, what) in [
        ("", ":", no_length),
        ("", "abc", no_length),
        ("", "-1:", no_length),
        ("", " 1:", no_length),
        ("0", "0", zero),
        ("0", "1:a,", zero),
        ("1", "a,", no_colon),
        ("12", ",", no_colon),
        ("1", " :", no_colon),
        ("0:", "a", no_comma),
        ("3:abc", "d,", no_comma),
        ("3:abc", "3:abc,", no_comma),
    ] {
        let mut t = StringTransport::serve(Framed::new(Keep::default()));
        t.feed("2:ok,");
        t.feed(right);
        let kept = t.protocol(|framed| framed.get_ref().0.concat());
        assert_eq!((kept, t.lost()), (b"ok".to_vec(), None), "{right}");
        t.feed(wrong);
        let reason = Disconnect::protocol(what);
        assert_eq!(t.lost(), Some(reason), "{right} {wrong}");
    }
}

#[test]
fn r92_what_the_specification_gives_as_an_example_is_read() {
    let mut t = StringTransport::serve(Framed::new(Keep::default()));
    t.feed_bytewise("12:hello world!,0:,5:1:a,,,");
    let kept = t.protocol(|framed| framed.get_ref().0.clone());
    assert_eq!(kept, [&b"hello world!"[..], b"", b"1:a,,"]);
}

/// What two halves of a forwarder know of each other.
type Other = Rc<RefCell<Option<Connection>>>;

/// Passes messages on, as netstrings on one side and with two bytes of length on the other.
struct Half<F> {
    other: Other,
    me: Other,
    send: fn(&Connection, &[u8]),
    framing: F,
}

macro_rules! half {
    ($framing:ty) => {
        impl MessageProtocol for Half<$framing> {
            type Framing = $framing;

            fn connection_made(&mut self, transport: &Transport<Self>) {
                let _ = &self.framing;
                *self.me.borrow_mut() = Some(transport.connection());
            }

            fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
                if let Some(other) = &*self.other.borrow() {
                    (self.send)(other, message);
                    if !other.wants_output() {
                        // Of the other's making, so that it can let go of it.
                        transport.connection().pause_reading();
                    }
                }
            }

            fn resume_writing(&mut self, _: &Transport<Self>) {
                if let Some(other) = &*self.other.borrow() {
                    other.resume_reading();
                }
            }

            fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
                self.me.borrow_mut().take();
                if let Some(other) = &*self.other.borrow() {
                    other.close();
                }
            }
        }
    };
}

half!(Netstring);
half!(Int16);

fn as_int16(to: &Connection, message: &[u8]) {
    let length = message.len() as u16;
    to.write_parts(&[&length.to_be_bytes(), message]);
}

fn as_netstring(to: &Connection, message: &[u8]) {
    let length = message.len().to_string();
    to.write_parts(&[length.as_bytes(), b":", message, b","]);
}

type Forwarder = (
    StringTransport<Framed<Half<Netstring>>>,
    StringTransport<Framed<Half<Int16>>>,
);

/// A forwarder whose second side takes nothing until its window is opened.
fn forwarder() -> Forwarder {
    let (one, two) = (Other::default(), Other::default());
    let first = StringTransport::serve(Framed::new(Half {
        other: Rc::clone(&two),
        me: Rc::clone(&one),
        send: as_int16,
        framing: Netstring::default(),
    }));
    let second = Framed::new(Half {
        other: one,
        me: two,
        send: as_netstring,
        framing: Int16::default(),
    });
    (first, StringTransport::builder().window(0).serve(second))
}

#[test]
fn r97_a_slow_side_pauses_the_fast_one_and_loses_nothing() {
    const MESSAGES: usize = 20_000;
    let (mut fast, mut slow) = forwarder();
    let high = fast.net().limits().write_high;
    fast.feed("8:12345678,".repeat(MESSAGES));
    assert!(slow.connection().buffered() <= high + 10, "it is bounded");
    assert!(!fast.is_reading(), "what is more stays with the peer");
    slow.set_window(usize::MAX);
    assert!(fast.is_reading());
    assert_eq!(slow.take_sent(), b"\0\x0812345678".repeat(MESSAGES));
    slow.feed(b"\0\x04back");
    assert_eq!(fast.take_sent(), b"4:back,");
}

#[test]
fn r97_losing_one_side_closes_the_other_after_a_flush() {
    let (mut fast, mut slow) = forwarder();
    fast.feed("4:last,");
    fast.reset();
    assert!(slow.lost().is_none(), "there is something to flush");
    slow.set_window(usize::MAX);
    assert_eq!(slow.take_sent(), b"\0\x04last");
    assert!(slow.has_ended(), "of our making");
    slow.end();
    assert_eq!(slow.lost(), Some(Disconnect::Closed));
}

#[test]
fn what_is_sent_is_what_the_other_end_reads() {
    struct Echo;
    impl MessageProtocol for Echo {
        type Framing = Netstring;
        fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
            transport.send_message(message).unwrap();
        }
    }
    let mut t = StringTransport::serve(Framed::new(Echo));
    for length in [0, 1, 9, 10, 11, 99, 100, 999, 1000, 99_999] {
        let netstring = format!("{length}:{},", "x".repeat(length));
        t.feed(&netstring);
        assert_eq!(t.take_sent(), netstring.as_bytes());
    }
}
