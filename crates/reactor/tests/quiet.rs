//! Messages that come and go turn after turn, while something else comes up.
#![expect(
    clippy::unwrap_used,
    reason = "the tests' own helper functions are not marked as tests"
)]

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use torsade_core::{Protocol, Remote, Time, Transport, factory};
use torsade_deferred::{Deferred, Resolver};
use torsade_reactor::{Counters, Driver, Reactor};

const MESSAGES: usize = 20;

/// Answers each message with what has happened so far, and resolves when it is told to end.
struct Tells {
    so_far: Rc<Cell<u8>>,
    end: Rc<Cell<Option<Resolver<(), ()>>>>,
}

impl Protocol for Tells {
    fn data_received(&mut self, transport: &Transport<Self>, data: &[u8]) {
        transport.write([self.so_far.get()]);
        if data == b"end"
            && let Some(end) = self.end.take()
        {
            end.resolve(());
        }
    }
}

/// Asks once more and gets the answer.
fn ask(stream: &mut TcpStream) -> u8 {
    stream.write_all(b"?").unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    answer[0]
}

/// Serve a client that runs `script`, until it is over. Returns what that gave, and what the
/// reactor has done.
fn serve<R: Send + 'static>(
    driver: Driver,
    prepare: impl FnOnce(&Reactor, &Rc<Cell<u8>>),
    script: impl FnOnce(&mut TcpStream, Remote, &AtomicU64) -> R + Send + 'static,
) -> (R, Counters) {
    let clock = Arc::new(AtomicU64::new(0));
    let hand = Arc::clone(&clock);
    let read = move || Time::from_nanos(hand.load(Ordering::SeqCst));
    let builder = Reactor::builder().driver(driver).clock(read);
    let mut reactor = builder.build().unwrap();
    let so_far = Rc::new(Cell::new(b'0'));
    prepare(&reactor, &so_far);
    let (end, ended) = Deferred::new();
    let end = Rc::new(Cell::new(Some(end)));
    let tells = factory(move |_| Tells {
        so_far: Rc::clone(&so_far),
        end: Rc::clone(&end),
    });
    let listener = reactor.net().listen("127.0.0.1:0", tells).unwrap();
    let address: SocketAddr = listener.address().inet().unwrap();
    let remote = reactor.remote();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let result = script(&mut stream, remote, &clock);
        stream.write_all(b"end").unwrap();
        result
    });
    reactor.run_until(ended).unwrap().unwrap();
    (client.join().unwrap(), reactor.counters())
}

fn on_each_driver(test: impl Fn(Driver)) {
    test(Driver::Polling);
    if cfg!(target_os = "linux") {
        test(Driver::Epoll);
    }
}

#[test]
fn each_is_a_turn_and_the_last_one_ends_the_run() {
    on_each_driver(|driver| {
        let (answers, counters) = serve(
            driver,
            |_, _| (),
            |stream, _, _| (0..MESSAGES).map(|_| ask(stream)).collect::<Vec<u8>>(),
        );
        assert_eq!(answers, [b'0'; MESSAGES], "{driver}");
        assert!(counters.turns > MESSAGES as u64, "{driver}: {counters:?}");
        assert!(counters.events > MESSAGES as u64, "{driver}: {counters:?}");
    });
}

#[test]
fn a_posted_call_runs_before_the_messages_that_come_after_it() {
    on_each_driver(|driver| {
        let (answers, _) = serve(
            driver,
            |reactor, so_far| {
                let so_far = Rc::clone(so_far);
                SO_FAR.set(Some(so_far));
                let _ = reactor;
            },
            |stream, remote, _| {
                let mut answers = Vec::new();
                for number in b'1'..=b'9' {
                    let post = remote.post(move |_| {
                        SO_FAR.with(|place| {
                            let so_far = place.take().unwrap();
                            so_far.set(number);
                            place.set(Some(so_far));
                        });
                    });
                    post.unwrap();
                    answers.push(ask(stream));
                    answers.push(ask(stream));
                }
                answers
            },
        );
        assert_eq!(answers, b"112233445566778899", "{driver}");
    });
}

thread_local! {
    /// For calls that come from other threads.
    static SO_FAR: Cell<Option<Rc<Cell<u8>>>> = const { Cell::new(None) };
}

#[test]
fn a_timer_runs_in_the_turn_in_which_it_is_due_behind_the_messages() {
    on_each_driver(|driver| {
        let (answers, _) = serve(
            driver,
            |reactor, so_far| {
                for (number, seconds) in (b'1'..).zip([100, 200]) {
                    let so_far = Rc::clone(so_far);
                    let ring = move |_: &torsade_core::Net| so_far.set(number);
                    reactor.net().call_later(Duration::from_secs(seconds), ring);
                }
            },
            |stream, _, clock| {
                let mut answers = Vec::new();
                for seconds in [0, 99, 100, 199, 200, 300] {
                    let time = Duration::from_secs(seconds).as_nanos();
                    clock.store(time.try_into().unwrap(), Ordering::SeqCst);
                    answers.extend([ask(stream), ask(stream)]);
                }
                answers
            },
        );
        assert_eq!(answers, b"000001111222", "{driver}");
    });
}
