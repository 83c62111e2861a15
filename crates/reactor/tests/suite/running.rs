use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use torsade_core::{Limits, Time, factory};
use torsade_deferred::{Deferred, Failure};
use torsade_reactor::Reactor;

use crate::support::{Client, Echo, Log, Script, drive, echo, serve, settle};

#[test]
fn a_stopped_reactor_can_be_run_again() {
    let mut reactor = Reactor::new().unwrap();
    for _ in 0..3 {
        let log = Log::default();
        let server = log.clone();
        let address = serve(reactor.net(), move || {
            Script::new("server", &server).data(|transport, data| {
                transport.write(data);
                transport.net().stop();
            })
        });
        let mut client = Client::connect(address);
        client.write(b"stop");
        reactor.run().unwrap();
        assert_eq!(client.try_read(10).unwrap().as_deref(), Some(&b"stop"[..]));
        assert_eq!(client.try_read(10).unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(log.lines(), ["server made", "server lost: closed here"]);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

#[test]
fn callbacks_are_slow_that_take_long_and_waits_are_not() {
    let hand = Rc::new(Cell::new(Time::ZERO));
    let pass = {
        let hand = Rc::clone(&hand);
        move |millis| hand.set(hand.get() + Duration::from_millis(millis))
    };
    let mut limits = Limits::default();
    limits.slow_callback = Some(Duration::from_millis(100));
    let builder = Reactor::builder().limits(limits).clock(move || hand.get());
    let mut reactor = builder.build().unwrap();
    let stalls = pass.clone();
    let address = serve(reactor.net(), move || {
        let stalls = stalls.clone();
        Script::new("server", &Log::default()).data(move |transport, data| {
            stalls(data.len() as u64);
            transport.write("done");
        })
    });
    let mut client = Client::connect(address);
    for (millis, slow) in [(100, 0), (101, 1), (5, 1), (200, 2)] {
        client.write(&vec![b'x'; millis]);
        let mut answer = Vec::new();
        drive(&mut reactor, || {
            answer.extend(client.try_read(10).unwrap().unwrap_or_default());
            answer == b"done"
        });
        assert_eq!(reactor.counters().slow_callbacks, slow, "{millis} ms");
        pass(1000); // nobody's
    }
}

#[test]
fn a_server_that_comes_back_gets_its_port_at_once() {
    // Somebody else may take the port in between, but hardly five times.
    let came_back = (0..5).any(|_| {
        let mut reactor = Reactor::new().unwrap();
        let address = serve(reactor.net(), || {
            Script::new("server", &Log::default()).data(|transport, _| transport.close())
        });
        // The side that ends first keeps the port busy for a minute: the server, here.
        let mut client = Client::connect(address);
        client.write(b"x");
        assert_eq!(client.read_to_end(&mut reactor), (vec![], None));
        drop(client);
        settle(&mut reactor);
        drop(reactor);
        let again = Reactor::new().unwrap();
        again.net().listen(address, factory(|_| Echo)).is_ok()
    });
    assert!(came_back);
}

#[test]
fn connections_that_outlive_a_stop_are_aborted_in_time() {
    struct Stubborn(Log);
    impl torsade_core::Protocol for Stubborn {
        fn data_received(&mut self, _: &torsade_core::Transport<Self>, _: &[u8]) {}
        fn stopping(&mut self, transport: &torsade_core::Transport<Self>) {
            self.0.note("stopping");
            transport.write(b"never mind");
        }
        fn connection_lost(
            &mut self,
            _: &torsade_core::Transport<Self>,
            reason: &torsade_core::Disconnect,
        ) {
            self.0.note(format!("lost: {reason}"));
        }
    }
    let hand = Rc::new(Cell::new(Time::ZERO));
    let read = Rc::clone(&hand);
    let mut reactor = Reactor::builder()
        .clock(move || read.get())
        .build()
        .unwrap();
    let log = Log::default();
    let server = log.clone();
    let listener = reactor
        .net()
        .listen("127.0.0.1:0", factory(move |_| Stubborn(server.clone())))
        .unwrap();
    let _client = Client::connect(listener.address().inet().unwrap());
    let net = reactor.net().clone();
    drive(&mut reactor, || net.connections() == 1);
    reactor.stop();
    assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
    assert_eq!(log.lines(), ["stopping"]);
    hand.set(Time::ZERO + Duration::from_secs(5));
    reactor.run().unwrap();
    assert_eq!(
        log.lines()[1],
        "lost: timed out: still open when the reactor had to stop"
    );
}

#[test]
fn run_until_returns_what_the_deferred_brings_and_leaves_the_rest_running() {
    let mut reactor = Reactor::new().unwrap();
    let listener = echo(reactor.net());
    let (resolver, answer) = Deferred::<Vec<u8>, ()>::new();
    let resolver = Cell::new(Some(resolver));
    let asks = Script::new("client", &Log::default())
        .made(|transport| transport.write(b"ping"))
        .data(move |_, data| {
            if let Some(resolver) = resolver.take() {
                resolver.resolve(data.to_vec());
            }
        });
    reactor
        .net()
        .connect(listener.address().inet().unwrap(), asks)
        .detach();
    assert_eq!(reactor.run_until(answer).unwrap(), Ok(b"ping".to_vec()));
    assert!(listener.is_open());
    assert_eq!(reactor.net().connections(), 2);

    let known = Deferred::<_, ()>::succeed(7);
    assert_eq!(reactor.run_until(known).unwrap(), Ok(7));
}

#[test]
fn run_until_ends_with_the_reactor() {
    let mut reactor = Reactor::new().unwrap();
    let (resolver, never) = Deferred::<(), ()>::new();
    reactor.net().call_later(Duration::ZERO, |net| net.stop());
    assert_eq!(reactor.run_until(never).unwrap(), Err(Failure::Abandoned));
    resolver.resolve(());
}

#[test]
fn a_posted_call_wakes_a_reactor_that_sleeps() {
    let mut reactor = Reactor::new().unwrap();
    let remote = reactor.remote();
    let (asleep, told) = mpsc::channel();
    let other = std::thread::spawn(move || {
        told.recv().unwrap();
        for number in 0..100 {
            let last = number == 99;
            let call = move |net: &torsade_core::Net| {
                if last {
                    net.stop();
                }
            };
            remote.post(call).unwrap();
        }
        remote
    });
    // Nothing but the post is there to wake it after this.
    reactor
        .net()
        .call_later(Duration::ZERO, move |_| asleep.send(()).unwrap());
    reactor.run().unwrap();
    let remote = other.join().unwrap();
    drop(reactor);
    assert!(remote.post(|_| ()).is_err());
}

#[test]
fn timers_are_not_early_and_are_slept_for() {
    let mut reactor = Reactor::new().unwrap();
    let fired: Rc<RefCell<Vec<(u64, Duration)>>> = Rc::default();
    let start = Instant::now();
    for millis in [30, 1, 7, 20] {
        let fired = Rc::clone(&fired);
        reactor
            .net()
            .call_later(Duration::from_millis(millis), move |_| {
                fired.borrow_mut().push((millis, start.elapsed()));
            });
    }
    let mut turns = 0;
    while fired.borrow().len() < 4 {
        reactor.turn(None).unwrap();
        turns += 1;
    }
    let fired = fired.borrow();
    let order: Vec<_> = fired.iter().map(|(millis, _)| *millis).collect();
    assert_eq!(order, [1, 7, 20, 30]);
    for (millis, after) in fired.iter() {
        assert!(
            *after >= Duration::from_millis(*millis),
            "{millis}: {after:?}"
        );
    }
    // One for what was made outside a turn, one for each timer, and a few that a coarse clock
    // may cost: a loop that spins takes thousands.
    assert!(turns < 20, "{turns}");
}

#[test]
fn a_run_inside_a_callback_is_refused() {
    let mut outer = Reactor::new().unwrap();
    let inner = RefCell::new(Reactor::new().unwrap());
    let refused = Rc::new(Cell::new(0));
    let count = Rc::clone(&refused);
    outer.net().call_later(Duration::ZERO, move |net| {
        let mut inner = inner.borrow_mut();
        let (_resolver, never) = Deferred::<(), ()>::new();
        let refuses = |result: std::thread::Result<()>| {
            if result.is_err() {
                count.set(count.get() + 1);
            }
        };
        refuses(catch_unwind(AssertUnwindSafe(|| {
            drop(inner.run());
        })));
        refuses(catch_unwind(AssertUnwindSafe(|| {
            drop(inner.turn(None));
        })));
        refuses(catch_unwind(AssertUnwindSafe(|| {
            drop(inner.run_until(never));
        })));
        net.stop();
    });
    outer.run().unwrap();
    assert_eq!(refused.get(), 3);
}

#[test]
fn reactors_live_side_by_side_in_threads() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut reactor = Reactor::new().unwrap();
                let listener = reactor.net().listen("127.0.0.1:0", factory(|_| Echo));
                let mut client = Client::connect(listener.unwrap().address().inet().unwrap());
                client.write(b"hello");
                assert_eq!(client.read_exactly(&mut reactor, 5), b"hello");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
