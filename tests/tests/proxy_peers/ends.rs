//! Our ends.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use torsade::service::{ProxyCommand, ProxyHeader, client, server};
use torsade::tls::TlsExt;
use torsade::{Address, Deferred, Disconnect, Protocol, Reactor, Resolver, Transport, factory};

/// What connections said of themselves when they were made, in order.
pub(crate) type Seen = Rc<RefCell<Vec<String>>>;

/// Tells whoever connects as whom it is known, then sends back what it gets.
struct WhoAmI(Seen);

impl Protocol for WhoAmI {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let header = transport.fact::<ProxyHeader>();
        let how = match header.as_ref().map(|header| header.command()) {
            None => "plain",
            Some(ProxyCommand::Proxy) => "proxied",
            Some(_) => "local",
        };
        let tls = transport.tls().is_some();
        let ssl = header.as_ref().is_some_and(|it| it.find(SSL).is_some());
        let peer = transport.peer();
        let said = format!("{} {how} tls {tls} ssl {ssl}\n", peer.remote());
        transport.write(said.clone());
        self.0.borrow_mut().push(said);
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write(data);
    }
}

/// What a header of version 2 says of the proxy's TLS: `PP2_TYPE_SSL` of its specification.
const SSL: u8 = 0x20;

/// Listen where this text says. The port, and who comes.
pub(crate) fn serve(reactor: &Reactor, text: &str) -> (u16, Seen) {
    let seen = Seen::default();
    let here = server(text).unwrap_or_else(|error| panic!("{error}"));
    let told = Rc::clone(&seen);
    let listener = reactor
        .net()
        .listen(here, factory(move |_| WhoAmI(Rc::clone(&told))));
    let port = listener.unwrap().address().inet().unwrap().port();
    (port, seen)
}

/// Turn the reactor while a thread does something that needs it.
pub(crate) fn meanwhile<T: Send + 'static>(
    reactor: &mut Reactor,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let thread = std::thread::spawn(work);
    while !thread.is_finished() {
        assert!(reactor.turn(Some(Duration::from_millis(5))).unwrap());
    }
    thread.join().unwrap()
}

/// What was answered, and how it ended.
type Outcome = (String, Disconnect);

struct Asker {
    question: String,
    answer: Vec<u8>,
    done: Option<Resolver<Outcome, Infallible>>,
}

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        transport.write(self.question.clone());
    }

    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        self.answer.extend_from_slice(data);
        if self.answer.ends_with(b"done\n") {
            transport.close();
        }
    }

    fn connection_lost(&mut self, _: &Transport<Self>, reason: &Disconnect) {
        if let Some(done) = self.done.take() {
            let answer = String::from_utf8_lossy(&self.answer).into_owned();
            done.resolve((answer, reason.clone()));
        }
    }
}

/// Connect where this text says, say something, and hear what comes until `done` or the end.
pub(crate) fn ask(reactor: &mut Reactor, text: &str, question: &str) -> Outcome {
    ask_as(reactor, text, question).0
}

/// The same, and from which address that was asked.
pub(crate) fn ask_as(reactor: &mut Reactor, text: &str, question: &str) -> (Outcome, Address) {
    let there = client(text).unwrap_or_else(|error| panic!("{error}"));
    let (done, outcome) = Deferred::new();
    let asker = Asker {
        question: question.to_owned(),
        answer: Vec::new(),
        done: Some(done),
    };
    let connecting = reactor.net().connect(there, asker);
    let transport = reactor.run_until(connecting).unwrap();
    let transport = transport.unwrap_or_else(|error| panic!("{text}: {error}"));
    let own = transport.peer().local().clone();
    (reactor.run_until(outcome).unwrap().unwrap(), own)
}
