//! What a subject does, on torsade: orders, and what it was told to do in its callbacks.
//!
//! `tests/twisted/subject.py` is the same on Twisted.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use torsade_core::{AnyProtocol, Connection, Disconnect, Protocol, Transport};
use torsade_wire::{Consumer, Consuming, PushProducer};

/// How much a producer writes at once.
const PIECE: usize = 64 * 1024;
/// What a panic on order says.
pub(crate) const PLANTED: &str = "planted";

/// Said by a subject that is stopped.
pub(crate) const STOPPING: &str = "stopping";

/// Where a subject's events go.
pub(crate) type Say = Rc<dyn Fn(&str)>;

/// What subjects write, from this place on: 0, 1, 2, up to 250, and again.
pub(crate) fn stream(from: usize, count: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..=250).collect();
    let from = from % period.len();
    let mut stream = period.repeat(count / period.len() + 2);
    stream.truncate(from + count);
    stream.split_off(from)
}

/// One connection's part: what it is to do when, and how far it is.
pub(crate) struct Part {
    flags: Vec<String>,
    connection: OnceCell<Connection>,
    /// Where producers are registered, if they are.
    consumer: OnceCell<Consumer>,
    state: Cell<&'static str>,
    written: Cell<usize>,
    /// What a producer that is a loop has still to produce.
    left: Cell<usize>,
    /// Whether the end of our side waits for a registered producer, and is to be told of.
    ends_with_producer: Cell<bool>,
    say: Say,
}

impl Part {
    /// A part as these flags have it, and the protocol that plays it.
    pub(crate) fn new(flags: &str, say: &Say) -> (Rc<Self>, AnyProtocol) {
        let part = Rc::new(Self {
            flags: flags.split(';').map(str::to_owned).collect(),
            connection: OnceCell::new(),
            consumer: OnceCell::new(),
            state: Cell::new("none"),
            written: Cell::new(0),
            left: Cell::new(0),
            ends_with_producer: Cell::new(false),
            say: Rc::clone(say),
        });
        let has = |flag: &str| part.flags.iter().any(|it| it == flag);
        let with_consumer = |consumer: Consumer| {
            part.consumer.set(consumer).unwrap_or_default();
            Rc::clone(&part)
        };
        let played = Rc::clone(&part);
        let protocol = match (has("half"), has("consumer")) {
            (false, false) => AnyProtocol::new(Plain(played)),
            (true, false) => AnyProtocol::new(HalfCloseable(played)),
            (false, true) => AnyProtocol::new(Consuming::new(|it| Plain(with_consumer(it)))),
            (true, true) => AnyProtocol::new(Consuming::new(|it| HalfCloseable(with_consumer(it)))),
        };
        (part, protocol)
    }

    /// What the harness asks after each order: state, bytes written, bytes that wait.
    pub(crate) fn status(&self) -> String {
        let buffered = match (self.state.get(), self.connection.get()) {
            ("open", Some(connection)) => connection.buffered(),
            _ => 0,
        };
        format!("{} {} {buffered}", self.state.get(), self.written.get())
    }

    /// Do all of this, in one go.
    pub(crate) fn act(self: &Rc<Self>, ops: &str) {
        let Some(connection) = self.connection.get() else {
            return;
        };
        for op in ops.split(',').filter(|op| !op.is_empty()) {
            let (verb, count) = op.split_once(' ').unwrap_or((op, "0"));
            let count = count.parse().unwrap_or(0);
            match verb {
                "write" => self.write(count),
                "lose" => match self.consumer.get() {
                    Some(consumer) => consumer.close(),
                    None => connection.close(),
                },
                "abort" => connection.abort(),
                "half" => self.half_close(connection),
                "pause" => connection.pause_reading(),
                "resume" => connection.resume_reading(),
                "produce" => self.begin_to_produce(count),
                "raise" => panic!("{PLANTED}"),
                _ => self.say(&format!("failed: no such operation as {op:?}")),
            }
        }
    }

    fn say(&self, event: &str) {
        (self.say)(event);
    }

    /// Input is cut anywhere, so it is one byte of it that has its plan carried out.
    fn received(self: &Rc<Self>, data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        if data.contains(&b'!') {
            self.happened("data", &text);
        } else {
            self.say(&format!("data {text}"));
        }
    }

    fn happened(self: &Rc<Self>, name: &str, detail: &str) {
        self.say(format!("{name} {detail}").trim_end());
        let plan = self.flags.iter().find_map(|flag| {
            let (when, ops) = flag.split_once('=')?;
            (when == name).then(|| ops.to_owned())
        });
        self.act(&plan.unwrap_or_default());
    }

    fn write(&self, count: usize) {
        let from = self.written.get();
        self.written.set(from + count);
        if let Some(connection) = self.connection.get() {
            connection.write(stream(from, count));
        }
    }

    /// Twisted tells `writeConnectionLost` when the end has left; here, whoever asks is told.
    fn half_close(self: &Rc<Self>, connection: &Connection) {
        match self.consumer.get() {
            Some(consumer) => consumer.close_write(),
            None => connection.close_write(),
        }
        if self.flags.iter().any(|flag| flag == "half") {
            match self.consumer.get() {
                Some(consumer) if consumer.has_producer() => self.ends_with_producer.set(true),
                _ => self.tell_of_the_end(connection),
            }
        }
    }

    fn tell_of_the_end(self: &Rc<Self>, connection: &Connection) {
        let me = Rc::clone(self);
        connection.flushed().finish(move |flushed| {
            if flushed.is_ok() {
                me.happened("write-ended", "");
            }
        });
    }

    fn begin_to_produce(self: &Rc<Self>, count: usize) {
        self.left.set(count);
        if let Some(consumer) = self.consumer.get() {
            let registered = consumer.register_producer(Producer(Rc::clone(self)));
            if let Err(error) = registered {
                self.say(&format!("failed: {error}"));
            }
        }
        self.produce();
    }

    /// What a producer does when it may go on: a loop.
    fn produce(self: &Rc<Self>) {
        let Some(connection) = self.connection.get() else {
            return;
        };
        while self.left.get() > 0 && connection.wants_output() {
            self.left.set(self.left.get() - PIECE);
            self.write(PIECE);
            if self.left.get() == 0 {
                self.say("produced");
                if let Some(consumer) = self.consumer.get() {
                    consumer.unregister_producer();
                }
                if self.ends_with_producer.take() {
                    self.tell_of_the_end(connection);
                }
            }
        }
    }

    fn made(self: &Rc<Self>, connection: Connection) {
        if self.flags.iter().any(|flag| flag == "unthrottled") {
            connection.throttle_input(false);
        }
        self.connection.set(connection).unwrap_or_default();
        self.state.set("open");
        self.happened("made", "");
    }

    fn is_loop(&self) -> bool {
        self.left.get() > 0 && self.consumer.get().is_none()
    }

    fn paused(&self) {
        if self.is_loop() {
            self.say("pause");
        }
    }

    fn resumed(self: &Rc<Self>) {
        if self.is_loop() {
            self.say("resume");
            self.produce();
        }
    }

    /// Not an event to be compared: it says when the peer may go on.
    fn stopping(&self) {
        (self.say)(STOPPING);
    }

    fn lost(self: &Rc<Self>, reason: &Disconnect) {
        self.state.set("lost");
        let told = format!("{reason:?}");
        let end = told.find(|c: char| !c.is_alphanumeric());
        self.happened("lost", &told[..end.unwrap_or(told.len())]);
    }
}

struct Producer(Rc<Part>);

impl PushProducer for Producer {
    fn pause_producing(&mut self, _: &Consumer) {
        self.0.say("pause");
    }

    fn resume_producing(&mut self, _: &Consumer) {
        self.0.say("resume");
        self.0.produce();
    }

    fn stop_producing(&mut self) {
        self.0.say("stop");
        self.0.left.set(0);
    }
}

/// A protocol that leaves the peer's end to the default.
struct Plain(Rc<Part>);

impl Protocol for Plain {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.0.made(transport.connection());
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.received(data);
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.0.paused();
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.0.resumed();
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        self.0.stopping();
        transport.close(); // the default
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.lost(reason);
    }
}

/// One that knows of half-closes.
struct HalfCloseable(Rc<Part>);

impl Protocol for HalfCloseable {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.0.made(transport.connection());
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.received(data);
    }

    fn eof_received(&mut self, _: &Transport<Self>) {
        self.0.happened("eof", "");
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.0.paused();
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.0.resumed();
    }

    fn stopping(&mut self, transport: &Transport<Self>) {
        self.0.stopping();
        transport.close(); // the default
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        self.0.lost(reason);
    }
}
