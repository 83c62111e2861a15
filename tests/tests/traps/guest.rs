//! A reactor that is a guest in somebody else's loop.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use torsade_core::Transport;
use torsade_deferred::{Deferred, Resolver};
use torsade_reactor::Driver;

use crate::support::{Door, Lab, Peer, Script, Seen};

/// Work that is made while the host loop is not in a turn, and whether it was done.
type Work = fn(&mut Scene) -> Box<dyn FnMut(&mut Scene) -> bool>;

/// A connection to a peer, and the handles that a program outside of it has kept.
struct Scene {
    lab: Lab,
    peer: Peer,
    transport: Transport<Script>,
    heard: Rc<RefCell<Vec<u8>>>,
    asked: Option<Resolver<u8, ()>>,
}

impl Scene {
    fn new() -> Self {
        let mut lab = Lab::with(|limits| limits.turn_posts = 1);
        let (place, heard) = (Rc::new(RefCell::new(None)), Rc::default());
        let (made, data) = (Rc::clone(&place), Rc::clone(&heard));
        let address = lab.serve(move || {
            let (made, data) = (Rc::clone(&made), Rc::clone(&data));
            Script::new()
                .made(move |transport| *made.borrow_mut() = Some(transport.clone()))
                .data(move |_, bytes| {
                    let data: &RefCell<Vec<u8>> = &data;
                    data.borrow_mut().extend_from_slice(bytes);
                })
        });
        let peer = Peer::connect(address);
        lab.settle();
        let transport = place.take().unwrap();
        let (resolver, answer) = Deferred::new();
        transport.then(answer, |_, transport, answer: Result<u8, _>| {
            transport.write([answer.unwrap()]);
        });
        lab.settle();
        Self {
            lab,
            peer,
            transport,
            heard,
            asked: Some(resolver),
        }
    }

    fn peer_heard(&mut self, text: &[u8]) -> bool {
        self.peer.read();
        self.peer.received == text
    }
}

/// Every kind of work that is made outside a turn wakes a loop that sleeps on the reactor's
/// descriptor, is done in the turns it then takes, and wakes it no longer.
pub(crate) fn work_made_outside_a_turn() {
    let works: [(&str, Work); 12] = [
        ("a write", |scene| {
            scene.transport.write("hi");
            Box::new(|scene| scene.peer_heard(b"hi"))
        }),
        ("a close", |scene| {
            scene.transport.close();
            Box::new(|scene| scene.peer_heard(b"") && scene.peer.seen == Seen::Ended)
        }),
        ("an abort", |scene| {
            scene.transport.abort();
            Box::new(|scene| scene.peer_heard(b"") && scene.peer.seen == Seen::Cut)
        }),
        ("a half-close", |scene| {
            scene.transport.close_write();
            Box::new(|scene| scene.peer_heard(b"") && scene.peer.seen == Seen::Ended)
        }),
        ("a call", |scene| {
            scene.transport.call(|_, transport| transport.write("hi"));
            Box::new(|scene| scene.peer_heard(b"hi"))
        }),
        ("a result", |scene| {
            scene.asked.take().unwrap().resolve(b'x');
            Box::new(|scene| scene.peer_heard(b"x"))
        }),
        ("a timer", |scene| {
            let transport = scene.transport.clone();
            let ring = move |_: &_| transport.write("ring");
            scene.lab.net.call_later(Duration::ZERO, ring);
            Box::new(|scene| scene.peer_heard(b"ring"))
        }),
        ("a connection's timer", |scene| {
            let ring = |_: &mut Script, transport: &Transport<Script>| transport.write("ring");
            scene.transport.call_later(Duration::ZERO, ring);
            Box::new(|scene| scene.peer_heard(b"ring"))
        }),
        ("posted calls", |scene| {
            thread_local!(static DONE: Cell<u32> = const { Cell::new(0) });
            DONE.set(0);
            for _ in 0..3 {
                // One a turn.
                let remote = scene.lab.net.remote();
                remote.post(|_| DONE.set(DONE.get() + 1)).unwrap();
            }
            Box::new(|_| DONE.get() == 3)
        }),
        ("reading on", |scene| {
            scene.transport.pause_reading();
            scene.lab.settle();
            scene.peer.write("held");
            if scene.lab.reactor.driver() == Driver::IoUring {
                // It takes what it had asked for, and asks no more.
                scene.lab.settle();
            }
            assert!(!scene.lab.is_ready());
            scene.transport.resume_reading();
            Box::new(|scene| *scene.heard.borrow() == b"held")
        }),
        ("a connect", |scene| {
            let door = Door::open();
            let hello = Script::new().made(|transport| transport.write("hello"));
            scene.lab.net.connect(door.address(), hello).detach();
            let mut peer = None;
            Box::new(move |_| {
                let peer = peer.get_or_insert_with(|| door.accept());
                peer.wait_readable();
                peer.read();
                peer.received == b"hello"
            })
        }),
        ("a listener", |scene| {
            let echo = scene.lab.serve(Script::echo);
            let mut peer = Peer::connect(echo);
            peer.write("hello");
            Box::new(move |_| {
                peer.read();
                peer.received == b"hello"
            })
        }),
    ];
    for (name, work) in works {
        let mut scene = Scene::new();
        assert!(!scene.lab.is_ready(), "{name}");
        let mut is_done = work(&mut scene);
        assert!(scene.lab.is_ready(), "{name} does not wake the host");
        // What a turn leaves over wakes it again; no deadline is looked at.
        for _ in 0..100 {
            if scene.lab.is_ready() {
                scene.lab.turn();
            }
        }
        assert!(is_done(&mut scene), "{name} was not done");
        assert!(!scene.lab.is_ready(), "{name} wakes the host for ever");
    }
}

/// A host loop that is asleep on the descriptor, with nothing else to wake it, is woken by a call
/// that another thread posts, every time.
pub(crate) fn a_call_posted_while_the_host_sleeps() {
    const CALLS: u32 = 500;
    let mut scene = Scene::new();
    let remote = scene.lab.net.remote();
    thread_local!(static DONE: Cell<u32> = const { Cell::new(0) });
    let (said, heard) = std::sync::mpsc::channel();
    let other = thread::spawn(move || {
        for call in 1..=CALLS {
            let posted = said.clone();
            let letter = move |_: &_| {
                DONE.set(call);
                let _ = posted.send(call);
            };
            remote.post(letter).unwrap();
            // The next is posted when this one was done: the host sleeps, or is about to.
            assert_eq!(heard.recv(), Ok(call));
        }
    });
    while DONE.get() < CALLS {
        let mut fds = [PollFd::new(&scene.lab.reactor, PollFlags::IN)];
        const PATIENCE: Timespec = Timespec {
            tv_sec: 20,
            tv_nsec: 0,
        };
        assert!(poll(&mut fds, Some(&PATIENCE)).unwrap() > 0, "not woken");
        scene.lab.turn();
    }
    other.join().unwrap();
}
