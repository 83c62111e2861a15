//! Messages are looked at where they lie, and cost no allocation.

use std::cell::Cell;
use std::rc::Rc;

use allocation_counter::measure;
use torsade_core::{Layered, Pass, Protocol, Transport, Wrapper};
use torsade_testing::StringTransport;
use torsade_wire::{
    Chat, ChatProtocol, Decoder, Encoder, Framed, Int8, Int16, Int16Le, Int32, Int32Le,
    MessageProtocol, MessageTransport, Netstring, Records, State, Stateful, StatefulProtocol,
    Terminator,
};

use crate::framed::{Modelled, Tagged};

/// Where the messages were.
#[derive(Clone, Default)]
struct Seen(Rc<SeenCells>);

#[derive(Default)]
struct SeenCells {
    messages: Cell<usize>,
    start: Cell<usize>,
    end: Cell<usize>,
    outside: Cell<usize>,
}

impl Seen {
    /// Messages should lie in these bytes.
    fn expect_in(&self, bytes: &[u8]) {
        let range = bytes.as_ptr_range();
        self.0.start.set(range.start.addr());
        self.0.end.set(range.end.addr());
    }

    fn see(&self, message: &[u8]) {
        let range = message.as_ptr_range();
        let inside =
            range.start.addr() >= self.0.start.get() && range.end.addr() <= self.0.end.get();
        self.0.messages.set(self.0.messages.get() + 1);
        self.0
            .outside
            .set(self.0.outside.get() + usize::from(!inside));
    }
}

struct Look<F> {
    seen: Seen,
    framing: F,
}

impl<F: Modelled> MessageProtocol for Look<F>
where
    for<'a> F::Message<'a>: AsRef<[u8]>,
{
    type Framing = F;

    fn message_received(&mut self, _: &Transport<Self>, message: F::Message<'_>) {
        let _ = &self.framing;
        self.seen.see(message.as_ref());
    }
}

struct Pairs(Seen);

impl Pairs {
    fn pair(&mut self, _: &Transport<Self>, pair: &[u8]) -> Option<State<Self>> {
        self.0.see(pair);
        None
    }
}

impl StatefulProtocol for Pairs {
    fn initial_state(&mut self) -> State<Self> {
        State::new(Self::pair, 2)
    }
}

struct Parts(Seen, Terminator);

impl ChatProtocol for Parts {
    fn terminator(&mut self) -> &mut Terminator {
        &mut self.1
    }
    fn collect_incoming_data(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.0.see(data);
    }
    fn found_terminator(&mut self, _: &Transport<Self>) {}
}

/// Sees the bytes as the engine delivers them.
struct Delivery<P> {
    protocol: P,
    seen: Seen,
}

impl<P: Protocol> Layered for Delivery<P> {
    type Inner = P;

    fn inner_mut(&mut self) -> &mut P {
        &mut self.protocol
    }
}

impl<P: Protocol> Wrapper for Delivery<P> {
    fn data(&mut self, _: &Transport<Self>, data: &[u8]) -> Pass {
        self.seen.expect_in(data);
        Pass::On
    }
}

const MESSAGES: usize = 1000;

/// Takes its bytes and does nothing, which is what a connection costs without a framing.
struct Nothing;

impl Protocol for Nothing {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
}

/// What it allocates when messages come, many in one chunk and many in two chunks each, once there
/// are buffers.
fn allocations<P: Protocol>(protocol: P, message: &[u8]) -> u64 {
    let mut t = StringTransport::serve(protocol);
    let whole = message.repeat(MESSAGES);
    let (front, back) = message.split_at(message.len() / 2);
    let mut feed = || {
        t.feed(&whole);
        for _ in 0..MESSAGES {
            t.feed(front);
            t.feed(back);
        }
    };
    feed();
    measure(feed).count_total
}

fn try_with<P: Protocol>(protocol: impl Fn(Seen) -> P, message: &[u8]) {
    let seen = Seen::default();
    let delivery = Delivery {
        protocol: protocol(seen.clone()),
        seen: seen.clone(),
    };
    let cost = allocations(delivery, message);
    assert!(seen.0.messages.get() >= 4 * MESSAGES);
    assert_eq!(seen.0.outside.get(), 0, "of {}", seen.0.messages.get());
    assert_eq!(cost, allocations(Nothing, message), "the fake's own");
}

fn try_framing<F: Modelled>()
where
    for<'a> F::Message<'a>: AsRef<[u8]>,
{
    let look = |seen| {
        let framing = F::default();
        Framed::new(Look { seen, framing })
    };
    try_with(look, &F::wire(b"1234"));
}

#[test]
fn messages_lie_in_the_bytes_that_came_and_cost_no_allocation() {
    try_framing::<Int8>();
    try_framing::<Int16>();
    try_framing::<Int16Le>();
    try_framing::<Int32>();
    try_framing::<Int32Le>();
    try_framing::<Netstring>();
    try_framing::<Records<4>>();
    try_framing::<Tagged>();
    try_with(|seen| Stateful::new(Pairs(seen)), b"1234");
    try_with(
        |seen| Chat::new(Parts(seen, Terminator::bytes(b"\r\n"))),
        b"1234\r\n",
    );
}

/// Against what the same bytes cost that are written plainly.
fn try_sending<F>(plain: &[u8])
where
    F: Default + Encoder<&'static [u8]>,
    F: for<'a> Decoder<Message<'a> = &'a [u8]>,
{
    struct Nobody<F>(F);
    impl<F: for<'a> Decoder<Message<'a> = &'a [u8]>> MessageProtocol for Nobody<F> {
        type Framing = F;
        fn message_received(&mut self, _: &Transport<Self>, _: &[u8]) {}
    }
    let mut t = StringTransport::serve(Framed::new(Nobody(F::default())));
    let mut count = |send: &dyn Fn(&Transport<Nobody<F>>)| {
        let mut last = 0;
        for _to_warm_up_and_to_count in 0..3 {
            let cost = measure(|| {
                t.with_protocol(|_, transport| {
                    let inner = transport.inner();
                    (0..MESSAGES).for_each(|_| send(&inner));
                });
            });
            last = cost.count_total;
            assert_eq!(t.take_sent(), plain.repeat(MESSAGES));
        }
        last
    };
    let plainly = count(&|transport| transport.write(plain));
    let framed = count(&|transport| assert_eq!(transport.send_message(&b"1234"[..]), Ok(())));
    assert_eq!(framed, plainly, "for {MESSAGES} messages");
    assert!(plainly < 30, "{plainly} is one for each");
}

#[test]
fn a_message_that_is_sent_costs_what_its_bytes_cost() {
    try_sending::<Int8>(b"\x041234");
    try_sending::<Int16>(b"\0\x041234");
    try_sending::<Int16Le>(b"\x04\x001234");
    try_sending::<Int32>(b"\0\0\0\x041234");
    try_sending::<Int32Le>(b"\x04\0\0\x001234");
    try_sending::<Netstring>(b"4:1234,");
}
