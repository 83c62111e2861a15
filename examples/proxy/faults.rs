//! The proxy on a simulated network, under faults: whatever breaks, a connection that ended in good
//! order has carried every byte once.
//!
//! Clients ask an origin through the proxy, again until they were served. A request says who asks,
//! and has a body in which every byte says where it belongs; so has the answer. A host that dies
//! without a word is among the faults, and a killed program is not: its kernel ends its connections
//! in good order, in the middle of what it was saying, which no relay of bytes can tell from an end.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use torsade::{Disconnect, Net, Protocol, ToEndpoint, Transport, factory};
use torsade_testing::sim::{FaultKind, Faults, Seeds, Sim};

const SECOND: Duration = Duration::from_secs(1);

/// How long bodies are.
const ASKS: usize = 40_000;
const ANSWERS: usize = 80_000;

/// What happened in a run.
#[derive(Default)]
struct Book {
    /// Requests that came whole, and answers.
    asked: Cell<u64>,
    answered: Cell<u64>,
    /// Connections of clients that broke.
    broken: Cell<u64>,
    /// Those that were closed before anything came.
    refused: Cell<u64>,
}

fn add(cell: &Cell<u64>) {
    cell.set(cell.get() + 1);
}

/// A stream whose bytes say where they belong.
fn body(session: u64, len: usize) -> impl Iterator<Item = u8> {
    let salt = session.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let words = (0_u64..).flat_map(move |place| (place.wrapping_mul(31) ^ salt).to_be_bytes());
    words.take(len)
}

/// A stream that is compared as it comes.
struct Checked {
    rest: Box<dyn Iterator<Item = u8>>,
    came: usize,
}

impl Checked {
    fn new(session: u64, len: usize) -> Self {
        Self {
            rest: Box::new(body(session, len)),
            came: 0,
        }
    }

    fn take(&mut self, data: &[u8]) {
        for byte in data {
            let right = self.rest.next();
            assert_eq!(right, Some(*byte), "byte {} of the stream", self.came);
            self.came += 1;
        }
    }
}

/// Answers when the whole request has come.
struct Origin {
    book: Rc<Book>,
    session: Vec<u8>,
    request: Option<Checked>,
}

impl Protocol for Origin {
    fn data_received(&mut self, _: &Transport<Self>, mut data: &[u8]) {
        if self.request.is_none() {
            let wanted = (8 - self.session.len()).min(data.len());
            self.session.extend_from_slice(&data[..wanted]);
            data = &data[wanted..];
            if let Ok(session) = self.session[..].try_into() {
                self.request = Some(Checked::new(u64::from_be_bytes(session), ASKS));
            }
        }
        if let Some(request) = &mut self.request {
            request.take(data);
        }
    }

    fn eof_received(&mut self, transport: &Transport<Self>) {
        let came = self.request.as_ref().map_or(0, |request| request.came);
        assert_eq!(came, ASKS, "an end in good order is the end of all");
        add(&self.book.asked);
        let session = self.session[..].try_into().map_or(0, u64::from_be_bytes);
        transport.write(body(!session, ANSWERS).collect::<Vec<u8>>());
        transport.close();
    }
}

/// Asks once.
struct Asking {
    client: Rc<Client>,
    session: u64,
    answer: Checked,
}

/// Asks until it was answered so many times.
struct Client {
    book: Rc<Book>,
    number: u64,
    sessions: Cell<u64>,
    wants: Cell<u32>,
}

impl Protocol for Asking {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.throttle_input(false);
        transport.write(self.session.to_be_bytes());
        transport.write(body(self.session, ASKS).collect::<Vec<u8>>());
        transport.close_write();
        // Who is gone without a word is not heard of any more.
        transport.call_later(60 * SECOND, |_, transport| transport.abort());
    }

    fn data_received(&mut self, _: &Transport<Self>, data: &[u8]) {
        self.answer.take(data);
    }

    fn connection_lost(&mut self, transport: &Transport<Self>, reason: &Disconnect) {
        let book = &self.client.book;
        match (reason.is_clean(), self.answer.came) {
            (true, 0) => add(&book.refused),
            (true, came) => {
                assert_eq!(came, ANSWERS, "an end in good order is the end of all");
                add(&book.answered);
                self.client.wants.set(self.client.wants.get() - 1);
            }
            (false, _) => add(&book.broken),
        }
        // Often enough that faults find somebody, and not at once.
        let pause = if reason.is_clean() { 10 } else { 1 };
        later(&transport.net(), &self.client, pause * SECOND);
    }
}

fn later(net: &Net, client: &Rc<Client>, pause: Duration) {
    if net.is_alive() && client.wants.get() > 0 {
        let client = Rc::clone(client);
        net.call_later(pause, move |net| ask(net, &client));
    }
}

fn ask(net: &Net, client: &Rc<Client>) {
    let session = client.number << 32 | client.sessions.get();
    client.sessions.set(client.sessions.get() + 1);
    let asking = Asking {
        client: Rc::clone(client),
        session,
        answer: Checked::new(!session, ANSWERS),
    };
    let (again, client) = (net.clone(), Rc::clone(client));
    net.connect("proxy:8007", asking).finish(move |made| {
        if made.is_err() {
            later(&again, &client, SECOND);
        }
    });
}

/// Listen, and if that is not possible now, then later.
fn serve_origin(net: &Net, book: Rc<Book>) {
    let kept = Rc::clone(&book);
    let listening = net.listen(
        "0.0.0.0:80",
        factory(move |_| Origin {
            book: Rc::clone(&book),
            session: Vec::new(),
            request: None,
        }),
    );
    if listening.is_err() {
        net.call_later(SECOND, move |net| serve_origin(net, kept));
    }
}

fn serve_proxy(net: &Net, origin: IpAddr) {
    let upstream = SocketAddr::from((origin, 80)).to_endpoint();
    let clients = factory(move |_| {
        upstream.clone().ok().map(|upstream| super::Client {
            upstream: upstream.into(),
        })
    });
    if net.listen("0.0.0.0:8007", clients).is_err() {
        net.call_later(SECOND, move |net| serve_proxy(net, origin));
    }
}

/// Six clients, each of whom wants to be served six times.
fn run(seed: u64, faults: Option<Faults>) -> Rc<Book> {
    let mut net = Sim::new(seed);
    let book = Rc::new(Book::default());
    let origin = net.host("origin");
    let kept = Rc::clone(&book);
    origin.boot(move |net| serve_origin(net, Rc::clone(&kept)));
    let address = origin.address();
    net.host("proxy").boot(move |net| serve_proxy(net, address));
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let client = Rc::new(Client {
                book: Rc::clone(&book),
                number,
                sessions: Cell::new(0),
                wants: Cell::new(6),
            });
            let asks = Rc::clone(&client);
            let host = net.host(&format!("c{number}"));
            host.boot(move |net| later(net, &asks, SECOND));
            client
        })
        .collect();
    if let Some(faults) = faults {
        net.swarm(faults.within(60 * SECOND));
        net.advance(60 * SECOND);
        net.calm();
    }
    let served = || clients.iter().all(|client| client.wants.get() == 0);
    net.must_finish("everybody is served", 3600 * SECOND, served);
    book
}

#[test]
fn without_faults_everybody_is_served_at_once() {
    let book = run(1, None);
    assert_eq!((book.asked.get(), book.answered.get()), (36, 36));
    assert_eq!((book.broken.get(), book.refused.get()), (0, 0));
}

#[test]
fn under_faults_what_ended_in_good_order_is_whole_and_once() {
    let sums: [Cell<u64>; 3] = Default::default();
    let faults = || Faults::all().without(FaultKind::Kill).about(60);
    let tried = Seeds::run(20, |seed| {
        let book = run(seed, Some(faults()));
        assert_eq!(book.answered.get(), 36);
        for (sum, of) in sums
            .iter()
            .zip([&book.answered, &book.broken, &book.refused])
        {
            sum.set(sum.get() + of.get());
        }
    });
    let [answered, broken, refused] = sums.each_ref().map(Cell::get);
    println!("answered {answered}, broken {broken}, refused {refused}, {tried:?}");
    // They did something.
    assert!(broken > 20 && refused > 5, "{broken} {refused}");
}
