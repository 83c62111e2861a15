//! A client that reconnects, through an hour of outages, in virtual time.
//!
//! It sends numbered reports to a server, each until it was acknowledged, and between two attempts
//! to connect it waits twice as long as before, from a second to a minute. The server is cut off,
//! refuses, is killed and crashes, again and again for an hour.
#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Disconnect, Net, Protocol, Time, Transport, factory};
use torsade_testing::Leaks;
use torsade_testing::sim::{Fault, Seeds, Sim};

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// What client and server agree about in the end.
#[derive(Default)]
struct Book {
    /// Reports that the server has taken: each once, whatever was sent twice.
    taken: RefCell<Vec<u32>>,
    acknowledged: Cell<u32>,
    /// When it tried to connect, on its own clock.
    attempts: RefCell<Vec<Time>>,
    made: Cell<u32>,
    is_over: Cell<bool>,
}

/// Takes reports, and says which was the last.
struct Server {
    book: Rc<Book>,
    line: Vec<u8>,
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.line.extend_from_slice(data);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let number: u32 = String::from_utf8(line).unwrap().trim().parse().unwrap();
            let mut taken = self.book.taken.borrow_mut();
            let next = taken.last().map_or(1, |last| last + 1);
            assert!(number <= next, "{number} after {next}: one is missing");
            if number == next {
                taken.push(number);
            }
            transport.write(format!("{number}\n"));
        }
    }
}

struct Client {
    book: Rc<Book>,
    line: Vec<u8>,
    /// When it last heard of the server.
    heard: Time,
}

impl Client {
    /// Send the next report, or the last one again; and give up a server that is not heard of.
    fn report(&self, transport: &Transport<Self>) {
        if self.book.is_over.get() {
            return transport.close();
        }
        if transport.net().now() - self.heard > 20 * SECOND {
            return transport.abort();
        }
        transport.write(format!("{}\n", self.book.acknowledged.get() + 1));
        transport.call_later(5 * SECOND, |me, transport| me.report(transport));
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        self.book.made.set(self.book.made.get() + 1);
        self.heard = transport.net().now();
        self.report(transport);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.heard = transport.net().now();
        self.line.extend_from_slice(data);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let number = String::from_utf8(line).unwrap().trim().parse().unwrap();
            let known = self.book.acknowledged.get();
            self.book.acknowledged.set(known.max(number));
        }
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, _: &Disconnect) {
        // It was there: from the beginning.
        again(&transport.net(), &self.book, SECOND);
    }
}

fn again(net: &Net, book: &Rc<Book>, after: Duration) {
    if net.is_alive() && !book.is_over.get() {
        let book = Rc::clone(book);
        net.call_later(after, move |net| connect(net, &book, after));
    }
}

fn connect(net: &Net, book: &Rc<Book>, waited: Duration) {
    book.attempts.borrow_mut().push(net.now());
    let client = Client {
        book: Rc::clone(book),
        line: Vec::new(),
        heard: net.now(),
    };
    let (later, book) = (net.clone(), Rc::clone(book));
    net.connect("server:7", client).finish(move |made| {
        if made.is_err() {
            again(&later, &book, (2 * waited).min(LONGEST));
        }
    });
}

fn serve(net: &Net, book: &Rc<Book>) {
    let book = Rc::clone(book);
    let server = factory(move |_| Server {
        book: Rc::clone(&book),
        line: Vec::new(),
    });
    net.listen("0.0.0.0:7", server).unwrap();
}

/// The outages of a seed, one after the other.
fn outage(net: &Sim, which: u64) -> Fault {
    match which % 4 {
        0 => net.partition("server", "client"),
        1 => net.refuse("server"),
        2 => net.kill("server"),
        _ => net.crash("server"),
    }
}

fn an_hour(seed: u64) -> Rc<Book> {
    let _leaks = Leaks::check();
    let book = Rc::new(Book::default());
    let mut net = Sim::new(seed);
    let kept = Rc::clone(&book);
    net.host("server").boot(move |net| serve(net, &kept));
    connect(&net.host("client").net(), &book, SECOND);
    let mut outages = seed;
    while net.now() - Time::ZERO < 3600 * SECOND {
        // Between a second and ten minutes, and a little of daylight after it.
        let lasts = 1 + (outages * 97 + seed * 31) % 600;
        let fault = outage(&net, outages);
        net.advance(u32::try_from(lasts).unwrap() * SECOND);
        drop(fault);
        // However long it was: nobody waits for longer than the longest pause, and the time that an
        // attempt or a silence may take.
        let before = book.acknowledged.get();
        let soon = LONGEST + net.host("client").net().limits().connect_timeout + 25 * SECOND;
        let is_back = || book.acknowledged.get() > before;
        net.must_finish("it is back", soon, is_back);
        outages += 1;
    }
    book.is_over.set(true);
    net.advance(LONGEST + 30 * SECOND);
    assert_eq!(net.host("client").net().connections(), 0);
    book
}

#[test]
fn an_hour_of_outages_loses_and_doubles_no_report() {
    let (attempts, made) = (Cell::new(0), Cell::new(0));
    let tried = Seeds::run(20, |seed| {
        let book = an_hour(seed);
        let taken = book.taken.borrow();
        assert!(taken.iter().copied().eq(1..=taken.len() as u32));
        assert!(taken.len() >= book.acknowledged.get() as usize);
        attempts.set(attempts.get() + book.attempts.borrow().len());
        made.set(made.get() + book.made.get());
        // It has patience: a second, two, four and so on, and never more than a minute and what an
        // attempt takes.
        let attempts = book.attempts.borrow();
        let pauses = attempts.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(pauses.min().unwrap() >= SECOND);
        assert!(attempts.len() < 400, "{} attempts", attempts.len());
    });
    assert_eq!(tried.seeds, 20);
    // Outages are seen, and it is patient in them.
    assert!(made.get() > 20 * 5, "{}", made.get());
    assert!(attempts.get() > 20 * 20, "{}", attempts.get());
}
