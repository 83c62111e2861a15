//! Descriptors of others in the reactor.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use torsade_core::{Limits, Net, Transport};
use torsade_reactor::{Driver, Reactor, Watch};

use crate::support::{Client, Log, Script, drive, is_readable, serve, settle};

fn pair() -> (Rc<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (Rc::new(ours), theirs)
}

/// What a callback does that reads one byte and notes it.
fn read_one(stream: &Rc<UnixStream>, log: &Log) -> impl FnMut(&Net) + use<> {
    let (stream, log) = (Rc::clone(stream), log.clone());
    move |_| {
        let mut byte = [0];
        let read = (&*stream).read(&mut byte);
        log.note(match read {
            Ok(1) => format!("read {}", byte.escape_ascii()),
            Ok(_) => "end".into(),
            Err(error) => error.kind().to_string(),
        });
    }
}

/// Turns that do not wait.
fn turn(reactor: &mut Reactor, times: usize) {
    for _ in 0..times {
        assert!(reactor.turn(Some(Duration::ZERO)).unwrap());
    }
}

/// Nothing more comes of a watch. A ring says once that it was taken out.
fn rests(reactor: &mut Reactor) {
    if reactor.driver() == Driver::IoUring {
        turn(reactor, 1);
    }
    assert!(!is_readable(reactor));
}

#[test]
fn a_readable_descriptor_is_told_once_a_turn_until_it_is_read() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, mut theirs) = pair();
    let watcher = reactor.watcher().clone();
    let watch = watcher.add_reader(&*ours, read_one(&ours, &log)).unwrap();
    settle(&mut reactor);
    assert_eq!(log.lines(), [""; 0]);
    theirs.write_all(b"abc").unwrap();
    assert!(is_readable(&reactor), "it wakes a host loop");
    turn(&mut reactor, 1);
    assert_eq!(log.lines(), ["read a"]);
    turn(&mut reactor, 1);
    assert_eq!(log.lines(), ["read a", "read b"]);
    settle(&mut reactor);
    assert_eq!(log.lines(), ["read a", "read b", "read c"]);
    // An end is something to read, until the watch is removed.
    drop(theirs);
    turn(&mut reactor, 2);
    assert_eq!(log.lines()[3..], ["end", "end"]);
    watch.remove();
    settle(&mut reactor);
    assert_eq!(log.lines().len(), 5);
}

#[test]
fn a_writable_descriptor_is_told_until_it_is_full() {
    let mut reactor = Reactor::new().unwrap();
    let (ours, mut theirs) = pair();
    let (stream, written) = (Rc::clone(&ours), Rc::new(Cell::new(0)));
    let count = Rc::clone(&written);
    let watch = reactor.watcher().add_writer(&*ours, move |_| {
        let more = (&*stream).write(&[7; 1000]).unwrap_or(0);
        count.set(count.get() + more);
    });
    let watch = watch.unwrap();
    for _ in 0..100_000 {
        if !is_readable(&reactor) {
            break;
        }
        turn(&mut reactor, 1);
    }
    let full = written.get();
    assert!(full > 0 && !is_readable(&reactor), "{full}");
    let mut read = 0;
    while let Ok(n) = theirs.read(&mut [0; 4096]) {
        read += n;
    }
    assert_eq!(read, full);
    assert!(is_readable(&reactor), "there is room again");
    turn(&mut reactor, 1);
    assert!(written.get() > full);
    drop(watch);
    rests(&mut reactor);
}

/// That it does is no room. Who is told so again and again spins.
#[test]
fn a_full_descriptor_is_not_writable_when_the_peer_ends_its_side() {
    let mut reactor = Reactor::new().unwrap();
    let (ours, mut theirs) = pair();
    let (stream, calls) = (Rc::clone(&ours), Rc::new(Cell::new(0)));
    let count = Rc::clone(&calls);
    let watch = reactor.watcher().add_writer(&*ours, move |_| {
        while (&*stream).write(&[7; 1000]).is_ok() {}
        count.set(count.get() + 1);
    });
    let _watch = watch.unwrap();
    settle(&mut reactor);
    assert!(calls.get() > 0);
    for _ in 0..3 {
        theirs.shutdown(Shutdown::Write).unwrap();
        let before = calls.get();
        turn(&mut reactor, 10);
        assert_eq!(calls.get(), before);
        assert!(!is_readable(&reactor));
        while theirs.read(&mut [0; 4096]).is_ok() {}
        turn(&mut reactor, 1);
        assert!(calls.get() > before, "there is room");
        settle(&mut reactor);
    }
}

#[test]
fn one_descriptor_is_watched_both_ways_and_twice() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, mut theirs) = pair();
    let note = |what: &'static str| {
        let log = log.clone();
        move |_: &Net| log.note(what)
    };
    let watcher = reactor.watcher();
    let reader = watcher.add_reader(&*ours, note("readable")).unwrap();
    let again = watcher.add_reader(&*ours, note("again")).unwrap();
    let writer = watcher.add_writer(&*ours, note("writable")).unwrap();
    theirs.write_all(b"x").unwrap();
    turn(&mut reactor, 1);
    let mut told = log.lines();
    told.sort();
    assert_eq!(told, ["again", "readable", "writable"]);
    drop((again, writer));
    turn(&mut reactor, 1);
    assert_eq!(log.lines()[3..], ["readable"]);
    drop(reader);
}

/// A descriptor that is removed is not called although its event is there already.
#[test]
fn who_is_removed_by_another_one_is_not_called() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let watches: Rc<RefCell<Vec<Watch>>> = Rc::default();
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        let (all, log) = (Rc::clone(&watches), log.clone());
        let watch = reactor.watcher().add_reader(&*ours, move |_| {
            log.note("told");
            // The first one that is called removes all, itself as well.
            all.take();
        });
        watches.borrow_mut().push(watch.unwrap());
        ends.push((ours, theirs));
    }
    turn(&mut reactor, 3);
    assert_eq!(log.lines(), ["told"]);
    assert!(!is_readable(&reactor));
}

/// Its number may be given to the next thing that is opened, which is another thing.
#[test]
fn a_number_that_is_used_again_is_not_confused() {
    // Another test of this process may have got the number: then it is tried with another one.
    assert!(
        (0..100).any(|_| uses_a_number_again()),
        "no number comes up again"
    );
}

/// Returns whether the number came up.
fn uses_a_number_again() -> bool {
    let mut reactor = Reactor::new().unwrap();
    let (first, second) = (Log::default(), Log::default());
    let (ours, mut theirs) = pair();
    let number = ours.as_raw_fd();
    let watch = reactor
        .watcher()
        .add_reader(&*ours, read_one(&ours, &first));
    let watch = watch.unwrap();
    theirs.write_all(b"x").unwrap();
    // The event is waiting; now everything that it is about goes.
    watch.remove();
    drop((ours, theirs));
    turn(&mut reactor, 1);
    // Take numbers until the old one comes up.
    let mut taken = Vec::new();
    let reused = loop {
        let (ours, theirs) = pair();
        let found = ours.as_raw_fd() == number || theirs.as_raw_fd() == number;
        taken.push((ours, theirs));
        if found {
            break taken.pop().unwrap();
        }
        if taken.len() > 50 {
            return false;
        }
    };
    let (ours, mut theirs) = reused;
    theirs.write_all(b"y").unwrap();
    turn(&mut reactor, 2);
    assert_eq!(first.lines(), [""; 0]);
    let watch = reactor
        .watcher()
        .add_reader(&*ours, read_one(&ours, &second));
    let watch = watch.unwrap();
    settle(&mut reactor);
    assert_eq!(second.lines(), ["read y"]);
    // Closing the caller's descriptor does not matter: the watch has its own.
    let own = ours.as_fd().try_clone_to_owned().unwrap();
    let next = reactor.watcher().add_writer(&own, |_| ()).unwrap();
    drop(own);
    turn(&mut reactor, 1);
    assert!(next.is_watching());
    drop((watch, next));
    rests(&mut reactor);
    true
}

#[test]
fn a_panic_removes_the_watch_and_nothing_else() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, mut theirs) = pair();
    let held = Rc::new(());
    let holds = Rc::clone(&held);
    let bad = reactor.watcher().add_reader(&*ours, move |_| {
        let _held = &holds;
        panic!("that hurt");
    });
    let bad = bad.unwrap();
    let good = reactor.watcher().add_reader(&*ours, read_one(&ours, &log));
    let good = good.unwrap();
    theirs.write_all(b"ab").unwrap();
    settle(&mut reactor);
    assert_eq!(log.lines(), ["read a", "read b"]);
    assert!(!bad.is_watching() && good.is_watching());
    assert_eq!(Rc::strong_count(&held), 1, "what it held is dropped");
}

/// What a callback writes leaves in the same turn, and nobody is called inside anybody.
#[test]
fn a_callback_runs_as_others_do() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let seat: Rc<RefCell<Option<Transport<Script>>>> = Rc::default();
    let address = serve(reactor.net(), {
        let (seat, log) = (Rc::clone(&seat), log.clone());
        move || {
            let seat = Rc::clone(&seat);
            Script::new("a", &log).made(move |t| *seat.borrow_mut() = Some(t.clone()))
        }
    });
    let mut client = Client::connect(address);
    drive(&mut reactor, || log.has("a made"));
    let transport = seat.take().unwrap();
    let (ours, mut theirs) = pair();
    let (stream, notes) = (Rc::clone(&ours), log.clone());
    let watch = reactor.watcher().add_reader(&*ours, move |_| {
        let _ = (&*stream).read(&mut [0; 10]);
        let inner = notes.clone();
        transport.call(move |_, _| inner.note("called"));
        transport.write("from the pipe");
        notes.note("callback ends");
    });
    theirs.write_all(b"x").unwrap();
    turn(&mut reactor, 1);
    assert_eq!(log.lines(), ["a made", "callback ends", "called"]);
    assert_eq!(client.read_exactly(&mut reactor, 13), b"from the pipe");
    drop(watch);
}

#[test]
fn what_a_removed_callback_holds_is_dropped_after_the_one_that_runs() {
    struct Bell(Log);
    impl Drop for Bell {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, mut theirs) = pair();
    let bell = Bell(log.clone());
    let other = reactor.watcher().add_reader(&*ours, move |_| {
        let _held = &bell;
    });
    let (mut other, notes) = (Some(other.unwrap()), log.clone());
    reactor.net().call_later(Duration::ZERO, move |_| {
        other.take();
        notes.note("timer ends");
    });
    theirs.write_all(b"x").unwrap();
    drive(&mut reactor, || log.has("dropped"));
    assert_eq!(log.lines(), ["timer ends", "dropped"]);
}

#[test]
fn a_reactor_that_goes_watches_nothing() {
    let (reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, _theirs) = pair();
    let watcher = reactor.watcher().clone();
    let own = watcher.clone();
    // A callback may hold what would keep the reactor alive.
    let mut callback = read_one(&ours, &log);
    let watch = watcher.add_reader(&*ours, move |net| {
        let _ = &own;
        callback(net);
    });
    let watch = watch.unwrap();
    let before = Rc::strong_count(&ours);
    drop(reactor);
    assert!(!watch.is_watching());
    assert_eq!(Rc::strong_count(&ours), before - 1);
    let late = watcher.add_reader(&*ours, |_| ());
    assert_eq!(late.unwrap_err().kind(), ErrorKind::NotConnected);
}

/// C8 holds for what a callback holds, too: a `Drop` that panics does not leave the reactor's.
#[test]
fn a_drop_that_panics_stays_in_the_reactor() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            panic!("that hurt");
        }
    }
    let reactor = Reactor::new().unwrap();
    let (ours, _theirs) = pair();
    let sore = Sore;
    let watch = reactor.watcher().add_reader(&*ours, move |_| {
        let _held = &sore;
    });
    drop(reactor);
    assert!(!watch.unwrap().is_watching());
}

/// A budget defers callbacks, and what is ready all the time does not pile up behind it.
#[test]
fn deferred_callbacks_do_not_pile_up() {
    let mut limits = Limits::default();
    limits.turn_continuations = 1;
    let mut reactor = Reactor::builder().limits(limits).build().unwrap();
    let calls = Rc::new(Cell::new(0));
    let mut ends = Vec::new();
    for _ in 0..3 {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"x").unwrap();
        let count = Rc::clone(&calls);
        let watch = reactor
            .watcher()
            .add_reader(&*ours, move |_| count.set(count.get() + 1));
        ends.push((ours, theirs, watch.unwrap()));
    }
    turn(&mut reactor, 30);
    assert_eq!(calls.get(), 30, "one a turn");
    for (ours, ..) in &ends {
        assert_eq!((&**ours).read(&mut [0; 2]).unwrap(), 1);
    }
    settle(&mut reactor);
    // A ring may have found each of them ready just before.
    let late = match reactor.driver() {
        Driver::IoUring => 3,
        _ => 0,
    };
    assert!(calls.get() <= 33 + late, "{}", calls.get());
}

#[test]
fn a_stop_leaves_watches_alone_and_a_detached_one_stays() {
    let (mut reactor, log) = (Reactor::new().unwrap(), Log::default());
    let (ours, mut theirs) = pair();
    let watch = reactor.watcher().add_reader(&*ours, read_one(&ours, &log));
    watch.unwrap().detach();
    reactor.stop();
    reactor.run().unwrap();
    theirs.write_all(b"x").unwrap();
    settle(&mut reactor);
    assert_eq!(log.lines(), ["read x"]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_waited_for_is_refused() {
    let reactor = Reactor::new().unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let watch = reactor.watcher().add_reader(&file, |_| ());
    assert_eq!(watch.unwrap_err().kind(), ErrorKind::PermissionDenied);
}
