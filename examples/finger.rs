//! Tells about users, as RFC 1288 has it: a line asks for one, the answer follows, and the server
//! closes.
//!
//! Run `cargo run --bin finger`, then `echo ann | nc -C 127.0.0.1 8007` in another terminal.
//! Ctrl-C ends it. Where it listens is said by endpoints, several if need be: `tcp:79`,
//! `unix:/run/finger.socket`, `haproxy:tcp:8008` behind a proxy.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::convert::Infallible;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use torsade::service::{self, MultiService, ServerService, Service, ServiceError, TextError};
use torsade::wire::{LineProtocol, LineTransport, Lines};
use torsade::{Deferred, Disconnect, Net, Timeout, Timer, Transport, factory};

/// Where users are looked up. It takes its time, so what it gives is a [`Deferred`].
type Directory = Rc<dyn Fn(&str) -> Deferred<String, NoSuchUser>>;

#[derive(Debug)]
struct NoSuchUser;

struct Finger {
    directory: Directory,
    /// What ends the connection if no line comes.
    patience: Option<Timer>,
}

impl Finger {
    fn new(directory: &Directory) -> Lines<Self> {
        let directory = Rc::clone(directory);
        let patience = None;
        let finger = Self {
            directory,
            patience,
        };
        Lines::new(finger).max_length(512)
    }

    fn answer(&mut self, transport: &Transport<Self>, text: &str) {
        transport.send_line(text);
        // An answer ends the connection, but a timer lets go first what is there already: who
        // has asked several things at once is answered them all.
        let timer = transport.call_later(Duration::ZERO, |_, transport| transport.close());
        self.patience = Some(timer);
    }
}

impl LineProtocol for Finger {
    fn connection_made(&mut self, transport: &Transport<Self>) {
        let timer = transport.call_later(Duration::from_secs(30), |_, transport| {
            transport.fail(Disconnect::TimedOut(Timeout::Idle));
        });
        self.patience = Some(timer);
    }

    fn line_received(&mut self, transport: &Transport<Self>, line: &[u8]) {
        if let Some(timer) = self.patience.take() {
            timer.cancel();
        }
        let query = String::from_utf8_lossy(line);
        let query = query.trim();
        // Asks for more than usual. We say all we know in any case.
        let user = query.strip_prefix("/W").unwrap_or(query).trim_start();
        if user.is_empty() {
            self.answer(transport, "Whom? There is no list of users to be had here.");
        } else if user.contains('@') {
            self.answer(transport, "Finger forwarding service denied.");
        } else {
            // Nothing more is read until this is answered: replies keep the order of the
            // questions, and one who ends its side after a question is answered all the same.
            let found = (self.directory)(user);
            transport.hold(found, |me, transport, found| match found {
                Ok(text) => me.answer(transport, &text),
                Err(_) => me.answer(transport, "There is no such user."),
            });
        }
    }
}

/// Stands for a database on another machine.
fn directory(net: &Net) -> Directory {
    let net = net.clone();
    Rc::new(move |user| {
        let found = match user {
            "ann" => Ok("Ann, in her office. Plan: a walk."),
            "bob" => Ok("Bob, not logged in. No plan."),
            _ => Err(NoSuchUser.into()),
        };
        let (resolver, answer) = Deferred::new();
        net.call_later(Duration::from_millis(100), move |_| {
            resolver.settle(found.map(str::to_owned));
        });
        answer
    })
}

/// The directory as a service: it is there before a server asks it, and until the last has stopped.
#[derive(Clone, Default)]
struct DirectoryService(Rc<RefCell<Option<Directory>>>);

impl DirectoryService {
    /// A handle for those who ask: what is not running knows nobody.
    fn handle(&self) -> Directory {
        let service = self.clone();
        Rc::new(move |user| {
            let directory = service.0.borrow().clone();
            match directory {
                Some(directory) => directory(user),
                None => Deferred::fail(NoSuchUser),
            }
        })
    }
}

impl Service for DirectoryService {
    fn start(&self, net: &Net) -> Deferred<(), ServiceError> {
        self.0.replace(Some(directory(net)));
        Deferred::succeed(())
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        self.0.replace(None);
        Deferred::succeed(())
    }
}

/// Says where the servers listen, once they do.
struct Announcement(Vec<ServerService>);

impl Service for Announcement {
    fn start(&self, _: &Net) -> Deferred<(), ServiceError> {
        for address in self.0.iter().filter_map(ServerService::address) {
            println!("listening on {address}");
        }
        Deferred::succeed(())
    }

    fn stop(&self) -> Deferred<(), Infallible> {
        Deferred::succeed(())
    }
}

/// The whole program: the directory, and a server at each of these endpoints.
fn program(listen: &[String]) -> Result<MultiService, TextError> {
    let program = MultiService::new();
    let users = DirectoryService::default();
    program.add(users.clone()).detach();
    let mut servers = Vec::new();
    for text in listen {
        let directory = users.handle();
        let fingers = factory(move |_| Finger::new(&directory));
        let server = ServerService::new(service::server(text)?, fingers);
        program.add(server.clone()).detach();
        servers.push(server);
    }
    program.add(Announcement(servers)).detach();
    Ok(program)
}

fn main() -> ExitCode {
    env_logger::init();
    let listen: Vec<String> = std::env::args().skip(1).collect();
    let listen = match listen.is_empty() {
        true => vec!["tcp:8007:interface=127.0.0.1".to_owned()],
        false => listen,
    };
    match program(&listen) {
        Ok(program) => service::run_service(program),
        Err(error) => {
            eprintln!("{}", error.pointed());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torsade::{Limit, Resolver};
    use torsade_testing::{MemoryReactor, StringTransport};

    type Test = StringTransport<Lines<Finger>>;
    type Asked = Rc<RefCell<Vec<(String, Resolver<String, NoSuchUser>)>>>;

    /// A client of a server whose directory is the test: what was asked, to be answered by hand.
    fn client() -> (Test, Asked) {
        let asked = Asked::default();
        let book = Rc::clone(&asked);
        let directory: Directory = Rc::new(move |user| {
            let (resolver, answer) = Deferred::new();
            book.borrow_mut().push((user.to_owned(), resolver));
            answer
        });
        (StringTransport::serve(Finger::new(&directory)), asked)
    }

    /// Answer what is being asked of the directory, and say what that was.
    fn resolve(t: &Test, asked: &Asked, text: &str) -> String {
        let (user, resolver) = next(t, asked);
        resolver.resolve(text.to_owned());
        user
    }

    fn next(t: &Test, asked: &Asked) -> (String, Resolver<String, NoSuchUser>) {
        assert_eq!(t.lost(), None); // and everything has come to rest
        assert_eq!(asked.borrow().len(), 1, "one at a time");
        asked.borrow_mut().remove(0)
    }

    #[test]
    fn answers_when_the_answer_is_there_and_closes() {
        let (mut t, asked) = client();
        t.feed_bytewise("ann\r\n");
        t.advance(Duration::from_secs(3600));
        assert_eq!((t.take_sent(), t.lost()), (vec![], None));
        assert_eq!(resolve(&t, &asked, "here"), "ann");
        assert_eq!(t.take_sent(), b"here\r\n");
        assert_eq!(t.lost(), Some(Disconnect::Closed));
    }

    #[test]
    fn several_questions_are_answered_one_after_the_other() {
        let (mut t, asked) = client();
        t.feed("ann\r\n/W bob\r\n\r\n");
        t.feed("eve@there\r\nzoe\r\n");
        for (user, text) in [("ann", "1"), ("bob", "2"), ("zoe", "3")] {
            assert_eq!(resolve(&t, &asked, text), user);
        }
        let sent = String::from_utf8(t.take_sent()).unwrap();
        let sent: Vec<_> = sent.lines().collect();
        assert_eq!((sent[0], sent[1], sent[4]), ("1", "2", "3"));
        assert!(sent[2].starts_with("Whom?"), "{}", sent[2]);
        assert_eq!(sent[3], "Finger forwarding service denied.");
        assert_eq!(t.lost(), Some(Disconnect::Closed));
    }

    #[test]
    fn a_client_that_half_closes_after_its_questions_is_answered() {
        let (mut t, asked) = client();
        t.feed("ann\r\nbob\r\nunfinis");
        t.end();
        resolve(&t, &asked, "1");
        resolve(&t, &asked, "2");
        assert_eq!(t.take_sent(), b"1\r\n2\r\n");
        assert_eq!(t.lost(), Some(Disconnect::PeerClosed));
    }

    #[test]
    fn somebody_unknown_and_a_directory_that_fails_are_answered_too() {
        let (mut t, asked) = client();
        t.feed("nobody\r\nann\r\n");
        let (_, resolver) = next(&t, &asked);
        resolver.reject(NoSuchUser);
        drop(next(&t, &asked)); // the directory forgot about it
        assert_eq!(
            t.take_sent(),
            b"There is no such user.\r\nThere is no such user.\r\n"
        );
    }

    #[test]
    fn a_client_that_goes_takes_its_question_with_it() {
        let (mut t, asked) = client();
        t.feed("ann\r\n");
        t.connection().abort();
        assert_eq!(t.lost(), Some(Disconnect::Aborted));
        let (_, resolver) = asked.borrow_mut().remove(0);
        assert!(resolver.is_cancelled());
        resolver.resolve("too late".to_owned());
        assert_eq!(t.take_sent(), b"");
    }

    #[test]
    fn silence_floods_and_lines_without_end_have_their_reasons() {
        let (mut t, _asked) = client();
        t.feed("ann"); // and no end of it
        t.advance(Duration::from_secs(30));
        assert_eq!(t.lost(), Some(Disconnect::TimedOut(Timeout::Idle)));

        let (mut t, _asked) = client();
        t.feed([b'x'; 1000]);
        assert_eq!(t.lost(), Some(Disconnect::LimitPassed(Limit::Message)));

        let (mut t, asked) = client();
        t.feed("ann\r\n".repeat(100_000));
        assert!(!t.is_reading());
        assert_eq!(asked.borrow().len(), 1);

        let (mut t, _asked) = client();
        t.set_window(0);
        t.feed("\r\n".repeat(100_000));
        assert!(!t.is_reading());
        assert!(t.connection().buffered() <= 2 * 64 * 1024);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_user_nobody_knows() {
        let (mut t, asked) = client();
        t.feed(b"\xff\x00\x1b[2J\r\n");
        let (user, resolver) = next(&t, &asked);
        assert_eq!(user, "\u{fffd}\0\u{1b}[2J");
        resolver.reject(NoSuchUser);
        assert_eq!(
            t.take_sent(),
            b"There is no such user.\r\n",
            "nothing of it is said back"
        );
    }

    #[test]
    fn the_program_drains_its_servers_before_its_directory_goes() {
        let mut reactor = MemoryReactor::new();
        let listen = ["tcp:7:interface=127.0.0.1", "unix:/run/finger"].map(str::to_owned);
        let program = program(&listen).unwrap();
        program.start(reactor.net()).detach();
        assert_eq!(reactor.listening().len(), 2);
        let mut ann = reactor.dial("127.0.0.1:7");
        ann.feed("ann\r\n");
        reactor.settle();
        let stopped = program.stop();
        assert!(ann.has_ended() && reactor.listening().is_empty());
        assert!(stopped.is_settled());

        program.start(reactor.net()).detach();
        let mut bob = reactor.dial("127.0.0.1:7");
        bob.feed("bob\r\n");
        reactor.advance(Duration::from_millis(100));
        assert_eq!(bob.take_sent(), b"Bob, not logged in. No plan.\r\n");
        program.stop().detach();
    }
}
