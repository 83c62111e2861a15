//! A framing of one's own, in layers and with continuations.

use std::cell::Cell;
use std::rc::Rc;

use torsade_core::{AnyProtocol, Disconnect, Layered, Pass, Protocol, Transport, Wrapper};
use torsade_deferred::{Deferred, Resolver};
use torsade_testing::StringTransport;
use torsade_wire::{
    Chat, ChatProtocol, Decoded, Decoder, Framed, Int8, MessageProtocol, MessageTransport, Records,
    State, Stateful, StatefulProtocol, Terminator,
};

/// A framing with settings, that counts what it looks at: messages end with a byte of one's choice.
struct EndsWith {
    end: u8,
    searched: usize,
    looked_at: Rc<Cell<usize>>,
}

impl Decoder for EndsWith {
    type Message<'a> = &'a [u8];

    const MAX_LENGTH: usize = 300_000;

    fn decode<'a>(&mut self, data: &'a [u8], _: usize) -> Decoded<&'a [u8]> {
        let found = data[self.searched..]
            .iter()
            .position(|byte| *byte == self.end);
        let looked_at = found.unwrap_or(data.len() - self.searched);
        self.looked_at.set(self.looked_at.get() + looked_at);
        match found {
            Some(at) => {
                let length = std::mem::take(&mut self.searched) + at;
                Decoded::Message {
                    message: &data[..length],
                    used: length + 1,
                }
            }
            None => {
                self.searched = data.len();
                Decoded::More
            }
        }
    }
}

struct Measure;

impl MessageProtocol for Measure {
    type Framing = EndsWith;

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        transport.write(message.len().to_string());
    }
}

/// After `More` the same bytes come again, so what is remembered of them holds.
#[test]
fn a_decoder_that_remembers_looks_at_each_byte_once() {
    const LENGTH: usize = 262_144;
    let looked_at = Rc::new(Cell::new(0));
    let framing = EndsWith {
        end: b'.',
        searched: 0,
        looked_at: Rc::clone(&looked_at),
    };
    let mut t = StringTransport::serve(Framed::with(framing, Measure));
    for piece in [&vec![b'x'; LENGTH], &b"."[..]].concat().chunks(7) {
        t.feed(piece);
    }
    assert_eq!(t.take_sent(), LENGTH.to_string().as_bytes());
    assert_eq!(looked_at.get(), LENGTH);
}

#[test]
fn a_decoder_that_uses_nothing_is_a_mistake_that_ends_its_connection() {
    #[derive(Default)]
    struct Stuck;
    impl Decoder for Stuck {
        type Message<'a> = ();
        fn decode(&mut self, data: &[u8], _: usize) -> Decoded<()> {
            let used = usize::from(data[0]);
            Decoded::Message { message: (), used }
        }
    }
    struct Nobody;
    impl MessageProtocol for Nobody {
        type Framing = Stuck;
        fn message_received(&mut self, _: &Transport<Self>, (): ()) {}
    }
    for (used, text) in [(0, "used 0 bytes of 2"), (3, "used 3 bytes of 2")] {
        let mut t = StringTransport::serve(Framed::new(Nobody));
        t.expect_panic(text);
        t.feed([used, 7]);
        assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    }
}

/// Asks somebody about each message, and answers in order.
#[derive(Default)]
struct Ask {
    asked: Vec<Resolver<&'static str, ()>>,
    answers: usize,
}

impl MessageProtocol for Ask {
    type Framing = Int8;

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        if message == b"switch" {
            return transport.switch(Shout);
        }
        let (resolver, answer) = Deferred::new();
        self.asked.push(resolver);
        transport.hold(answer, |me, transport, answer| {
            me.answers += 1;
            let answer = answer.unwrap_or("nobody knows");
            assert_eq!(transport.send_message(answer), Ok(()));
        });
    }

    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        transport.write_parts(&[b"<", rest, b">"]);
        transport.close();
    }
}

struct Shout;

impl Protocol for Shout {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}

/// Around any protocol, counts its bytes.
struct Counted(AnyProtocol, usize);

impl Layered for Counted {
    type Inner = AnyProtocol;

    fn inner_mut(&mut self) -> &mut AnyProtocol {
        &mut self.0
    }
}

impl Wrapper for Counted {
    fn data(&mut self, _: &Transport<Self>, data: &[u8]) -> Pass {
        self.1 += data.len();
        Pass::On
    }
}

fn answer(t: &mut StringTransport<Counted>, text: &'static str) {
    let asked = t.protocol(|counted| {
        let framed = counted.0.downcast_mut::<Framed<Ask>>();
        framed.and_then(|framed| framed.get_mut().asked.pop())
    });
    match asked {
        Some(resolver) => resolver.resolve(text),
        None => panic!("nobody asked"),
    }
}

#[test]
fn continuations_come_back_to_the_innermost_of_three_layers() {
    let framed = AnyProtocol::new(Framed::new(Ask::default()));
    let mut t = StringTransport::serve(Counted(framed, 0));
    t.feed(b"\x01a\x01b\x02c");
    t.end();
    assert_eq!(t.take_sent(), b"", "the second waits for the first answer");
    answer(&mut t, "one");
    assert_eq!(t.take_sent(), b"\x03one");
    answer(&mut t, "two");
    assert_eq!(t.take_sent(), b"\x03two<\x02c>");
}

#[test]
fn a_framing_inside_another_protocol_is_switched_alone_and_leaves_the_rest() {
    let framed = AnyProtocol::new(Framed::new(Ask::default()));
    let mut t = StringTransport::serve(Counted(framed, 0));
    t.feed(b"\x06switch\x01rest");
    t.feed(b" and more");
    assert_eq!(t.take_sent(), b"\x01REST AND MORE");
    assert!(t.protocol(|counted| counted.1) >= 9 + 9, "it still counts");
}

#[test]
fn the_other_callbacks_are_passed_on() {
    #[derive(Default)]
    struct Producer(usize);
    impl MessageProtocol for Producer {
        type Framing = Records<2>;
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.send_message(b"hi").unwrap();
        }
        fn message_received(&mut self, transport: &Transport<Self>, message: &[u8; 2]) {
            transport.send_message(message).unwrap();
        }
        fn pause_writing(&mut self, _: &Transport<Self>) {
            self.0 += 1;
        }
        fn resume_writing(&mut self, _: &Transport<Self>) {
            self.0 += 10;
        }
        fn stopping(&mut self, transport: &Transport<Self>) {
            transport.send_message(*b"by").unwrap();
            transport.close();
        }
    }
    let producer = Framed::new(Producer::default());
    let mut t = StringTransport::builder().window(2).serve(producer);
    t.with_protocol(|_, transport| transport.set_write_limits(1, 3));
    t.feed(b"onetwo");
    assert_eq!(t.protocol(|framed| framed.get_ref().0), 1);
    t.set_window(usize::MAX);
    assert_eq!(t.protocol(|framed| framed.get_ref().0), 11);
    assert_eq!(t.take_sent(), b"hionetwo");
    t.net().stop();
    assert_eq!(t.take_sent(), b"by");
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}

#[test]
fn an_end_inside_a_message_is_a_broken_protocol_by_default() {
    struct Nobody;
    impl MessageProtocol for Nobody {
        type Framing = Int8;
        fn message_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    for (input, reason) in [
        (&b"\x01a"[..], Disconnect::PeerClosed),
        (b"", Disconnect::PeerClosed),
        (
            b"\x01",
            Disconnect::protocol("the end came inside a message"),
        ),
    ] {
        let mut t = StringTransport::serve(Framed::new(Nobody));
        t.feed(input);
        t.end();
        assert_eq!(t.lost(), Some(reason));
    }
}

/// Length, then value; a value may be empty.
#[derive(Default)]
struct Values(Vec<&'static str>);

impl StatefulProtocol for Values {
    fn initial_state(&mut self) -> State<Self> {
        self.0.push("asked");
        State::new(Self::start, 0)
    }

    fn connection_made(&mut self, _: &Transport<Self>) {
        self.0.push("made");
    }
}

impl Values {
    fn start(&mut self, _: &Transport<Self>, nothing: &[u8]) -> Option<State<Self>> {
        assert!(nothing.is_empty());
        self.0.push("start");
        Some(State::new(Self::length, 1))
    }

    fn length(&mut self, transport: &Transport<Self>, length: &[u8]) -> Option<State<Self>> {
        self.0.push("length");
        match length[0] {
            b'p' => transport.pause_reading(),
            b'c' => transport.close(),
            _ => {}
        }
        Some(State::new(Self::start, 0))
    }
}

#[test]
fn a_state_of_no_bytes_comes_at_once_but_not_after_the_close() {
    let mut t = StringTransport::serve(Stateful::new(Values::default()));
    let told = |t: &mut StringTransport<Stateful<Values>>| {
        t.protocol(|stateful| std::mem::take(&mut stateful.get_mut().0))
    };
    assert_eq!(told(&mut t), ["asked", "made", "start"]);
    t.feed("a");
    assert_eq!(told(&mut t), ["length", "start"]);
    t.feed("pa");
    assert_eq!(
        told(&mut t),
        ["length", "start"],
        "of no bytes, nothing is held"
    );
    let inner = t.with_protocol(|_, transport| transport.inner());
    inner.resume_reading();
    assert_eq!(told(&mut t), ["length", "start"]);
    let log = Rc::new(Cell::new(0));
    inner.call(move |me, _| {
        me.0.push("last");
        log.set(1);
    });
    assert_eq!(told(&mut t), ["last"]);
    t.set_window(0);
    inner.write("something to flush, so that the protocol can be looked at");
    t.feed("ca");
    assert_eq!(told(&mut t), ["length"]);
}

/// Three bytes, then everything; ends or pauses when it collects.
struct Three {
    terminator: Terminator,
    found: Rc<Cell<bool>>,
    end: fn(&Transport<Self>),
}

impl ChatProtocol for Three {
    fn terminator(&mut self) -> &mut Terminator {
        &mut self.terminator
    }

    fn collect_incoming_data(&mut self, transport: &Transport<Self>, _: &[u8]) {
        (self.end)(transport);
    }

    fn found_terminator(&mut self, _: &Transport<Self>) {
        self.found.set(true);
        assert_eq!(self.terminator, Terminator::None, "it was counted down");
    }
}

#[test]
fn a_count_that_is_complete_is_found_unless_its_last_bytes_brought_the_end() {
    type End = fn(&Transport<Three>);
    let ends: [(End, bool); 4] = [
        (|_| (), true),
        (|transport| transport.pause_reading(), true),
        (|transport| transport.close(), false),
        (|transport| transport.abort(), false),
    ];
    for (end, expected) in ends {
        let found = Rc::new(Cell::new(false));
        let mut t = StringTransport::serve(Chat::new(Three {
            terminator: Terminator::Count(3),
            found: Rc::clone(&found),
            end,
        }));
        t.feed(b"abc");
        assert_eq!(found.get(), expected);
    }
}

#[test]
fn the_machines_for_ports_pass_the_other_callbacks_on() {
    struct Loud(Vec<&'static str>);
    impl ChatProtocol for Loud {
        fn terminator(&mut self) -> &mut Terminator {
            unreachable!("nothing comes")
        }
        fn collect_incoming_data(&mut self, _: &Transport<Self>, _: &[u8]) {}
        fn found_terminator(&mut self, _: &Transport<Self>) {}
        fn connection_made(&mut self, transport: &Transport<Self>) {
            transport.write("made ");
        }
        fn pause_writing(&mut self, _: &Transport<Self>) {
            self.0.push("paused");
        }
        fn resume_writing(&mut self, _: &Transport<Self>) {
            self.0.push("resumed");
        }
        fn stopping(&mut self, transport: &Transport<Self>) {
            transport.write(self.0.join(" "));
            transport.close();
        }
    }
    let mut t = StringTransport::builder()
        .window(0)
        .serve(Chat::new(Loud(Vec::new())));
    t.with_protocol(|_, transport| {
        transport.set_write_limits(1, 3);
        transport.write("x ");
    });
    t.set_window(usize::MAX);
    t.net().stop();
    assert_eq!(t.take_sent(), b"made x paused resumed");
}
