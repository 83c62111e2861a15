//! Raw mode and back, from anywhere.

use torsade_core::{Layered, Protocol, Transport};
use torsade_deferred::{Deferred, Resolver};
use torsade_testing::StringTransport;
use torsade_wire::{LineProtocol, LineTransport, Lines};

/// Writes down what it is told; what it does about it is given to it.
struct Told {
    told: Vec<String>,
    act: Act,
    asked: Asked,
}

type Asked = Option<Resolver<(), ()>>;
type Act = Box<dyn FnMut(&mut Asked, &Transport<Told>, &str)>;

impl Told {
    fn new(act: impl FnMut(&mut Asked, &Transport<Self>, &str) + 'static) -> Lines<Self> {
        Lines::new(Self {
            told: Vec::new(),
            act: Box::new(act),
            asked: None,
        })
    }

    fn tell(&mut self, transport: &Transport<Self>, what: &str, data: &[u8]) {
        let told = format!("{what} {}", data.escape_ascii());
        (self.act)(&mut self.asked, transport, &told);
        self.told.push(told);
    }
}

impl LineProtocol for Told {
    const DELIMITER: &'static [u8] = b"\n";

    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.tell(transport, "made", b"");
    }
    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.tell(transport, "line", line);
    }
    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.tell(transport, "raw", data);
    }
    fn eof_received(&mut self, transport: &Transport<Self>, rest: &[u8]) {
        self.tell(transport, "eof", rest);
    }
}

/// What was told since this was last asked.
macro_rules! told {
    ($t:expr) => {
        $t.protocol(|lines| std::mem::take(&mut lines.get_mut().told))
    };
}

#[test]
fn within_one_chunk_raw_mode_begins_after_the_line_and_ends_where_it_is_said() {
    let mut t = StringTransport::serve(Told::new(|_, transport, told| match told {
        "line raw" => transport.set_raw_mode(),
        "raw 12\\na\\n" => transport.set_line_mode(2),
        "raw 3" => transport.set_line_mode(0),
        _ => {}
    }));
    t.feed(b"a\nraw\n12\na\n");
    assert_eq!(
        told!(t)[1..],
        ["line a", "line raw", "raw 12\\na\\n", "line a"]
    );
    t.feed(b"raw\n3");
    t.feed(b"a\nb\n");
    assert_eq!(told!(t), ["line raw", "raw 3", "line a", "line b"]);
}

#[test]
fn the_first_bytes_may_be_raw() {
    let mut t = StringTransport::serve(Told::new(|_, transport, told| match told {
        "made " => transport.set_raw_mode(),
        "raw a\\nb\\n" => transport.set_line_mode(1),
        _ => {}
    }));
    t.feed(b"a\nb\n");
    assert_eq!(told!(t), ["made ", "raw a\\nb\\n", "line "]);
}

#[test]
fn more_than_there_was_cannot_be_handed_back() {
    let mut t = StringTransport::serve(Told::new(|_, transport, told| match told {
        "made " => transport.set_raw_mode(),
        "raw a\\n" => transport.set_line_mode(usize::MAX),
        _ => {}
    }));
    t.feed(b"a\n");
    assert_eq!(told!(t), ["made ", "raw a\\n", "line a"]);
}

#[test]
fn the_last_mode_that_is_set_counts() {
    let mut t = StringTransport::serve(Told::new(|_, transport, told| match told {
        "line a" => {
            transport.set_raw_mode();
            transport.set_line_mode(3);
        }
        "line b" => {
            transport.set_line_mode(3);
            transport.set_raw_mode();
        }
        _ => {}
    }));
    t.feed(b"a\nb\nc\n");
    assert_eq!(told!(t)[1..], ["line a", "line b", "raw c\\n"]);
}

#[test]
fn raw_data_can_be_left_unread() {
    let mut t = StringTransport::serve(Told::new(|_, transport, told| match told {
        "made " => transport.set_raw_mode(),
        "raw abc" => transport.unread(2),
        "raw bcd" => transport.unread(1),
        _ => {}
    }));
    t.feed(b"abc");
    t.feed(b"d");
    t.end();
    assert_eq!(told!(t), ["made ", "raw abc", "raw bcd", "eof d"]);
}

#[test]
fn what_is_unfinished_is_passed_on_at_the_end() {
    for (input, eof) in [
        (&b"a\n"[..], "eof "),
        (b"a\nb", "eof b"),
        (b"a\nb\xff", "eof b\\xff"),
    ] {
        let mut t = StringTransport::serve(Told::new(|_, transport, told| {
            if told.starts_with("eof") {
                assert_eq!(transport.with_unread(<[u8]>::len), 0, "it is passed once");
            }
        }));
        t.feed(input);
        t.end();
        assert_eq!(told!(t).last().map(String::as_str), Some(eof));
        assert!(t.connection().is_open(), "our side is its own");
    }
}

#[test]
fn a_continuation_changes_what_has_not_been_delivered() {
    let mut t = StringTransport::serve(Told::new(|asked, transport, told| {
        let (resolver, answer) = Deferred::new();
        match told {
            "line ask" => transport.then(answer, |_, transport, _| transport.set_raw_mode()),
            "raw b\\nc" => {
                transport.unread(3);
                transport.then(answer, |_, transport, _| transport.set_line_mode(0));
            }
            _ => return resolver.resolve(()),
        }
        *asked = Some(resolver);
    }));
    t.feed(b"ask\na\nlong");
    assert_eq!(told!(t)[1..], ["line ask", "line a"]);
    let resolver = t.protocol(|lines| lines.get_mut().asked.take()).unwrap();
    resolver.resolve(());
    assert_eq!(told!(t), ["raw long"], "at once, though nothing new came");
    t.feed(b"b\nc");
    assert_eq!(told!(t), ["raw b\\nc"]);
    let resolver = t.protocol(|lines| lines.get_mut().asked.take()).unwrap();
    resolver.resolve(());
    assert_eq!(told!(t), ["line b"]);
    t.feed(b"d\n");
    assert_eq!(told!(t), ["line cd"]);
}

#[test]
fn a_stored_transport_changes_it_too() {
    let mut t = StringTransport::serve(Told::new(|_, _, _| ()));
    t.feed(b"a\nb");
    let stored = t.with_protocol(|_, transport| transport.inner());
    stored.set_raw_mode();
    assert_eq!(told!(t)[1..], ["line a", "raw b"]);
    stored.set_line_mode(7);
    t.feed(b"c\n");
    assert_eq!(
        told!(t),
        ["line c"],
        "outside of a delivery there is nothing to hand back"
    );
}

#[test]
fn a_stack_that_was_switched_away_changes_nothing() {
    let mut t = StringTransport::serve(Told::new(|_, old, told| {
        if told == "line switch" {
            let stored = old.clone();
            old.call(|_, old| {
                old.set_raw_mode();
                old.switch(Told::new(move |_, transport, told| {
                    stored.set_raw_mode();
                    transport.write_parts(&[told, ","]);
                }));
            });
            old.pause_reading();
        }
    }));
    t.feed(b"switch\nc\nd\n");
    t.feed(b"e\n");
    assert_eq!(t.take_sent(), b"made ,line c,line d,line e,");
}

/// A framing inside a framing: each line carries a piece of another conversation, whose lines end
/// with a semicolon.
struct Tunnel {
    inside: Lines<Inside>,
    told: Vec<String>,
}

impl LineProtocol for Tunnel {
    const DELIMITER: &'static [u8] = b"\n";

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.told.push(format!("line {}", line.escape_ascii()));
        if line.starts_with(b"raw") {
            transport.set_raw_mode();
        }
        self.inside.data_received(&transport.inner(), line);
    }

    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.told.push(format!("raw {}", data.escape_ascii()));
        self.inside.data_received(&transport.inner(), &data[..2]);
        transport.set_line_mode(data.len() - 2);
    }
}

impl Layered for Tunnel {
    type Inner = Lines<Inside>;

    fn inner_mut(&mut self) -> &mut Lines<Inside> {
        &mut self.inside
    }
}

#[derive(Default)]
struct Inside {
    told: Vec<String>,
}

impl LineProtocol for Inside {
    const DELIMITER: &'static [u8] = b";";

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        self.told.push(format!("line {}", line.escape_ascii()));
        match line {
            b"in" => transport.set_raw_mode(),
            b"later" => transport.call(|_, transport| transport.set_raw_mode()),
            _ => {}
        }
    }

    fn raw_data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.told.push(format!("raw {}", data.escape_ascii()));
        transport.set_line_mode(data.len() - 1);
    }
}

#[test]
fn two_framings_of_one_stack_keep_their_modes_apart() {
    let mut t = StringTransport::serve(Lines::new(Tunnel {
        inside: Lines::new(Inside::default()),
        told: Vec::new(),
    }));
    t.feed(b"a;in;;b;\nraw;c;\nd;in;\n;e;\nlater;\n");
    t.feed(b"xf;\n");
    let (outside, inside) = t.protocol(|lines| {
        let tunnel = lines.get_mut();
        (tunnel.told.clone(), tunnel.inside.get_ref().told.clone())
    });
    assert_eq!(
        outside,
        [
            "line a;in;;b;",
            "line raw;c;",
            "raw d;in;\\n;e;\\nlater;\\n",
            "line in;",
            "line ;e;",
            "line later;",
            "line xf;",
        ],
    );
    assert_eq!(
        inside,
        [
            "line a",
            "line in",
            "raw ;b;",
            "line b",
            "line raw",
            "line c",
            "line d",
            "line in",
            "raw ;e;",
            "line e",
            "line later",
            "raw xf;",
            "line f",
        ],
    );
}
