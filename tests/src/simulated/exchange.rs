//! Clients that ask much at once and end their side, and a server that answers some of it later.
//!
//! Whatever happens: answers come in the order of their questions and are what was asked for, the
//! halts of output alternate with its resumptions, no timer is early, none that was cancelled
//! runs, nothing happens on a connection after its one loss, and calls that were posted keep their
//! order. When the faults are over: every client has all its answers on one connection, and
//! every connection that was made has been lost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Net, Transport, factory};
use torsade_deferred::Deferred;
use torsade_testing::sim::{Faults, Sim};
use torsade_wire::{Framed, Int32, MessageProtocol, MessageTransport, Replies};

/// What a run has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Answers that were the right ones.
    pub answers: u64,
    /// Connections that were made, counted at both ends.
    pub made: u64,
    /// How often a fault did harm.
    pub harm: u64,
}

/// Questions of a client.
const QUESTIONS: u32 = 40;

/// So many of them without waiting.
const AT_ONCE: u32 = 10;

/// Connections on which nothing is said.
const GUESTS: u32 = 3;

/// Run it, with so many clients.
///
/// # Panics
/// If something happens that must not.
pub fn run(seed: u64, clients: u32, faults: Option<Faults>) -> Outcome {
    let counts = Rc::new(Counts::default());
    let mut net = Sim::new(seed);
    let is_calm = faults.is_none();
    let served = Rc::clone(&counts);
    net.host("server").boot(move |net| serve(net, &served));
    for number in 0..clients {
        let (counts, is_done) = (Rc::clone(&counts), Rc::new(Cell::new(false)));
        let host = net.host(&format!("c{number}"));
        host.boot(move |net| ask(net, &counts, &is_done));
    }
    let counted = Rc::clone(&counts);
    net.host("guests").boot(move |net| {
        for _ in 0..GUESTS {
            let guest = Framed::new(Guest(Life::new(&counted)));
            // Who does not get in stays away.
            net.connect("server:9", guest).finish(|_| ());
        }
    });
    if let Some(faults) = faults {
        net.swarm(faults);
        net.advance(Duration::from_secs(60));
        net.calm();
    }
    let all = || counts.finished.get() == u64::from(clients);
    net.must_finish("everybody is answered", Duration::from_secs(3600), all);
    if is_calm {
        let pairs = u64::from(clients + GUESTS);
        assert_eq!(counts.made.get(), 2 * pairs, "connections");
    }
    if seed % 2 == 1 {
        net.host("server").net().stop();
        net.advance(Duration::from_secs(60));
    }
    // If the server did not stop, the guests' connections go with the network.
    let harm = net.harm();
    drop(net);
    assert_eq!(
        counts.lost.get(),
        counts.made.get(),
        "losses of connections"
    );
    Outcome {
        answers: counts.answers.get(),
        made: counts.made.get(),
        harm,
    }
}

#[derive(Default)]
struct Counts {
    made: Cell<u64>,
    lost: Cell<u64>,
    answers: Cell<u64>,
    finished: Cell<u64>,
}

fn count(of: &Cell<u64>) {
    of.set(of.get() + 1);
}

/// What both ends know of their connection's life.
struct Life {
    counts: Rc<Counts>,
    is_lost: bool,
    is_paused: bool,
}

impl Life {
    fn new(counts: &Rc<Counts>) -> Self {
        Self {
            counts: Rc::clone(counts),
            is_lost: false,
            is_paused: false,
        }
    }

    fn made<P: MessageProtocol + HasLife>(&self, transport: &Transport<P>) {
        count(&self.counts.made);
        let (begin, wait) = (transport.net().now(), Duration::from_micros(2700));
        transport.call_later(wait, move |me, transport| {
            me.life().goes_on();
            assert!(transport.net().now() >= begin + wait, "a timer is early");
        });
        let never = transport.call_later(wait, |_, _| panic!("a timer runs that was cancelled"));
        never.cancel();
        let remote = transport.net().remote();
        for number in 0..3 {
            let post = remote.post(move |_| {
                let before = POSTED.replace(number);
                let follows = before + 1 == number || number == 0;
                assert!(follows, "posted call {number} runs after {before}");
            });
            // Nobody posts to a network that is gone, and this one is not.
            assert!(post.is_ok(), "a call cannot be posted");
        }
    }

    fn goes_on(&self) {
        assert!(!self.is_lost, "something happens after the loss");
    }

    fn halts(&mut self, halts: bool) {
        self.goes_on();
        assert_ne!(self.is_paused, halts, "halts of output alternate");
        self.is_paused = halts;
    }

    fn lost(&mut self) {
        self.goes_on();
        self.is_lost = true;
        count(&self.counts.lost);
    }
}

thread_local! {
    /// The posted call that ran last.
    static POSTED: Cell<u32> = const { Cell::new(0) };
}

trait HasLife: 'static {
    fn life(&mut self) -> &mut Life;
}

/// What is asked with this number. Some of it is large.
fn question(number: u32) -> Vec<u8> {
    let len = match number % 7 {
        3 => 40_000,
        _ => number * 37 % 300,
    };
    (0..len).map(|at| (number + at) as u8).collect()
}

fn answer(question: &[u8]) -> Vec<u8> {
    question.iter().rev().map(|byte| byte ^ 0xFF).collect()
}

fn serve(net: &Net, counts: &Rc<Counts>) {
    let counts = Rc::clone(counts);
    let made = Rc::clone(&counts);
    let build = move |_: &_| Framed::new(Server(Life::new(&made)));
    if net.listen("0.0.0.0:9", factory(build)).is_err() {
        // Descriptors are short: later.
        net.call_later(Duration::from_secs(1), move |net| serve(net, &counts));
    }
}

struct Server(Life);

impl HasLife for Server {
    fn life(&mut self) -> &mut Life {
        &mut self.0
    }
}

impl MessageProtocol for Server {
    type Framing = Int32;

    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.0.made(transport);
    }

    fn message_received(&mut self, transport: &Transport<Self>, message: &[u8]) {
        self.0.goes_on();
        let said = answer(message);
        if message.len() % 5 != 2 {
            let _ = transport.send_message(said);
            return;
        }
        let (resolver, later) = Deferred::<(), ()>::new();
        let wait = Duration::from_millis(30);
        transport.net().call_later(wait, |_| resolver.resolve(()));
        transport.hold(later, move |me, transport, _| {
            me.0.goes_on();
            let _ = transport.send_message(said);
        });
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.0.halts(true);
    }

    fn resume_writing(&mut self, _: &Transport<Self>) {
        self.0.halts(false);
    }

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        self.0.lost();
    }
}

struct Guest(Life);

impl HasLife for Guest {
    fn life(&mut self) -> &mut Life {
        &mut self.0
    }
}

impl MessageProtocol for Guest {
    type Framing = Int32;

    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.0.made(transport);
    }

    fn message_received(&mut self, _: &Transport<Self>, _: &[u8]) {
        panic!("a guest is told what it did not ask for");
    }

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        self.0.lost();
    }
}

/// Ask, and again after every loss, until there are all answers.
fn ask(net: &Net, counts: &Rc<Counts>, is_done: &Rc<Cell<bool>>) {
    if is_done.get() {
        // The host has died after that.
        return;
    }
    let client = Client {
        life: Life::new(counts),
        replies: Replies::new(),
        asked: 0,
        may_ask: 0,
        answered: 0,
        is_done: Rc::clone(is_done),
    };
    let (again, counts, is_done) = (net.clone(), Rc::clone(counts), Rc::clone(is_done));
    let attempt = net.connect("server:9", Framed::new(client));
    attempt.finish(move |result| {
        if result.is_err() && again.is_alive() {
            again.call_later(Duration::from_secs(1), move |net| {
                ask(net, &counts, &is_done);
            });
        }
    });
}

struct Client {
    life: Life,
    replies: Replies<Vec<u8>>,
    asked: u32,
    may_ask: u32,
    /// The number of the question that was answered last, and one more.
    answered: u32,
    is_done: Rc<Cell<bool>>,
}

impl HasLife for Client {
    fn life(&mut self) -> &mut Life {
        &mut self.life
    }
}

impl Client {
    /// A server that crashed says nothing any more, and nobody here says anything to it.
    fn watch(&self, transport: &Transport<Self>) {
        self.life.goes_on();
        let before = transport.bytes_received();
        transport.call_later(Duration::from_secs(30), move |me, transport| {
            if transport.bytes_received() == before {
                transport.abort();
            } else {
                me.watch(transport);
            }
        });
    }

    fn ask_more(&mut self, transport: &Transport<Self>) {
        self.life.goes_on();
        self.may_ask += AT_ONCE;
        self.go_on(transport);
        if self.may_ask < QUESTIONS {
            let wait = Duration::from_secs(1);
            transport.call_later(wait, Self::ask_more);
        }
    }

    /// Ask as long as there is room, some now and some a second later; then end this side.
    fn go_on(&mut self, transport: &Transport<Self>) {
        while self.asked < self.may_ask && transport.wants_output() {
            let number = self.asked;
            self.asked += 1;
            let _ = transport.send_message(question(number));
            let reply = self.replies.expect();
            if number % 6 == 4 {
                // Its place stays: the answer comes all the same.
                reply.cancel();
                continue;
            }
            transport.then(reply, move |me, _, result| {
                me.life.goes_on();
                if let Ok(said) = result {
                    assert!(me.answered <= number, "answers change places");
                    assert!(
                        said == answer(&question(number)),
                        "the answer to another question"
                    );
                    me.answered = number + 1;
                    count(&me.life.counts.answers);
                }
            });
        }
        if self.asked == QUESTIONS {
            transport.close_write();
        }
    }
}

impl MessageProtocol for Client {
    type Framing = Int32;

    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.life.made(transport);
        self.watch(transport);
        self.ask_more(transport);
    }

    fn message_received(&mut self, _: &Transport<Self>, message: &[u8]) {
        self.life.goes_on();
        let answered = self.replies.resolve(message.to_vec());
        assert!(answered.is_ok(), "an answer that nobody asked for");
    }

    fn pause_writing(&mut self, _: &Transport<Self>) {
        self.life.halts(true);
    }

    fn resume_writing(&mut self, transport: &Transport<Self>) {
        self.life.halts(false);
        self.go_on(transport);
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        self.life.lost();
        self.replies.lost(reason);
        let net = transport.net();
        if self.answered == QUESTIONS {
            if !self.is_done.replace(true) {
                count(&self.life.counts.finished);
            }
        } else if net.is_alive() {
            let (counts, is_done) = (Rc::clone(&self.life.counts), Rc::clone(&self.is_done));
            net.call_later(Duration::from_secs(1), move |net| {
                ask(net, &counts, &is_done);
            });
        }
    }
}
