//! Producers that are objects: what Twisted's rules say of them.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use torsade_core::{Disconnect, Protocol, Transport};
use torsade_deferred::{Deferred, Failure};
use torsade_testing::StringTransport;
use torsade_wire::{
    AlreadyRegistered, Consumer, Consuming, FileSender, PullProducer, PushProducer, TransferError,
    Transferred,
};

type Told = Rc<RefCell<Vec<&'static str>>>;

/// Notes what it is told, the loss too.
struct Recorder {
    consumer: Consumer,
    told: Told,
}

impl Protocol for Recorder {
    fn data_received(&mut self, _: &Transport<Self>, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport<Self>, _: &Disconnect) {
        self.told.borrow_mut().push("lost");
        self.consumer.unregister_producer();
    }
}

fn recorder() -> (Consuming<Recorder>, Consumer, Told) {
    let told = Told::default();
    let protocol = Consuming::new(|consumer| Recorder {
        consumer,
        told: Rc::clone(&told),
    });
    let consumer = protocol.consumer().clone();
    (protocol, consumer, told)
}

/// Pushes what it is given, or nothing, when it is resumed.
struct Push(Told, usize);

impl PushProducer for Push {
    fn pause_producing(&mut self, _: &Consumer) {
        self.0.borrow_mut().push("pause");
    }

    fn resume_producing(&mut self, consumer: &Consumer) {
        self.0.borrow_mut().push("resume");
        consumer.write(vec![b'r'; self.1]);
        assert_eq!(self.0.borrow().last(), Some(&"resume"), "not from inside");
    }

    fn stop_producing(&mut self) {
        self.0.borrow_mut().push("stop");
    }
}

/// So many pieces of so many bytes, and then it is through; or never, with `usize::MAX`.
struct Pull(Told, usize, usize);

impl PullProducer for Pull {
    fn resume_producing(&mut self, consumer: &Consumer) {
        self.0.borrow_mut().push("resume");
        if self.1 == 0 {
            consumer.unregister_producer();
            return;
        }
        self.1 -= 1;
        consumer.write(vec![b'p'; self.2]);
    }

    fn stop_producing(&mut self) {
        self.0.borrow_mut().push("stop");
    }
}

#[test]
fn r03_a_producer_is_stopped_once_before_the_loss() {
    for kind in ["push", "pull"] {
        let (protocol, consumer, told) = recorder();
        let mut t = StringTransport::builder().window(0).serve(protocol);
        match kind {
            "push" => consumer.register_producer(Push(Rc::clone(&told), 0)),
            _ => consumer.register_pull_producer(Pull(Rc::clone(&told), usize::MAX, 1)),
        }
        .unwrap();
        t.reset();
        assert!(t.lost().is_some());
        told.borrow_mut().retain(|what| *what != "resume");
        assert_eq!(*told.borrow(), ["stop", "lost"], "{kind}");
    }
}

#[test]
fn r26_there_is_one_producer_at_a_time() {
    let (protocol, consumer, told) = recorder();
    let _t = StringTransport::serve(protocol);
    let push = || Push(Rc::clone(&told), 0);
    consumer.register_producer(push()).unwrap();
    assert_eq!(consumer.register_producer(push()), Err(AlreadyRegistered));
    let pull = Pull(Rc::clone(&told), 0, 0);
    assert_eq!(
        consumer.register_pull_producer(pull),
        Err(AlreadyRegistered)
    );
    assert!(consumer.unregister_producer());
    assert!(!consumer.unregister_producer());
    consumer.register_producer(push()).unwrap();
    assert!(told.borrow().is_empty()); // and nobody was stopped
    consumer.unregister_producer();
}

#[test]
fn r27_a_producer_that_comes_too_late_is_stopped_at_once() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    t.connection().write("x");
    t.connection().close();
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    assert_eq!(*told.borrow(), ["stop"]); // it could not write any more
    t.set_window(1);
    assert!(t.lost().is_some());
    let pull = Pull(Rc::clone(&told), 0, 0);
    consumer.register_pull_producer(pull).unwrap();
    assert_eq!(*told.borrow(), ["stop", "lost", "stop"]);
    assert!(!consumer.has_producer());
}

#[test]
fn r28_a_pull_producer_is_asked_once_and_then_for_each_drain() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    let pull = Pull(Rc::clone(&told), usize::MAX, 100);
    consumer.register_pull_producer(pull).unwrap();
    t.take_sent(); // the thread comes to rest
    assert_eq!(*told.borrow(), ["resume"]);
    t.set_window(99);
    assert_eq!(told.borrow().len(), 1);
    t.set_window(1);
    assert_eq!(told.borrow().len(), 2);
    t.connection().write([b'x'; 70_000]); // far above the mark
    t.set_window(100);
    assert_eq!(told.borrow().len(), 2, "everybody's output counts");
    t.set_window(70_000);
    assert_eq!(*told.borrow(), ["resume"; 3], "and it is never paused");
    t.connection().abort();
}

#[test]
fn r28_a_pull_producer_with_nothing_to_say_is_asked_after_its_next_write() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    let pull = Pull(Rc::clone(&told), 2, 0);
    consumer.register_pull_producer(pull).unwrap();
    t.take_sent();
    assert_eq!(told.borrow().len(), 1);
    consumer.write("something at last");
    t.take_sent();
    assert_eq!(told.borrow().len(), 2);
    consumer.unregister_producer();
}

#[test]
fn r28_a_producer_that_replaces_another_is_asked_for_itself() {
    /// Has something the first time.
    struct Fading(Told, usize);
    impl PullProducer for Fading {
        fn resume_producing(&mut self, consumer: &Consumer) {
            self.0.borrow_mut().push("resume");
            consumer.write(vec![b'f'; std::mem::take(&mut self.1)]);
        }
    }
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    let first = Pull(Rc::clone(&told), usize::MAX, 10);
    consumer.register_pull_producer(first).unwrap();
    t.take_sent();
    consumer.unregister_producer();
    let second = Fading(Rc::clone(&told), 10);
    consumer.register_pull_producer(second).unwrap();
    t.take_sent();
    assert_eq!(told.borrow().len(), 2);
    t.set_window(20); // both pieces drain at once: that is one drain for the one who is there
    assert_eq!(told.borrow().len(), 3);
    consumer.unregister_producer();
}

#[test]
fn r29_a_push_producer_is_paused_above_the_mark_and_resumed_when_it_drained() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    t.connection().set_write_limits(0, 65_536); // as Twisted does it
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    consumer.write([b'x'; 65_536]);
    t.take_sent();
    assert!(told.borrow().is_empty());
    consumer.write("x");
    assert!(told.borrow().is_empty(), "not from inside the write");
    t.take_sent();
    assert_eq!(*told.borrow(), ["pause"]);
    t.set_window(65_536);
    assert_eq!(*told.borrow(), ["pause"]);
    t.set_window(1);
    assert_eq!(*told.borrow(), ["pause", "resume"]);
    consumer.unregister_producer();
}

#[test]
fn r29_a_push_producer_that_comes_while_output_waits_is_paused_first() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    t.connection().write([b'x'; 70_000]);
    t.take_sent();
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    t.take_sent();
    assert_eq!(*told.borrow(), ["pause"]);
    t.set_window(usize::MAX);
    assert_eq!(*told.borrow(), ["pause", "resume"]);
    consumer.unregister_producer();
}

#[test]
fn r30_a_producer_that_writes_too_much_while_it_is_resumed_is_paused_again() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    consumer
        .register_producer(Push(Rc::clone(&told), 100_000))
        .unwrap();
    consumer.write([b'x'; 70_000]);
    t.take_sent();
    for round in 1..5 {
        let waits = t.connection().buffered();
        t.set_window(waits);
        assert_eq!(told.borrow().len(), 2 * round + 1);
    }
    let strict = ["pause", "resume"].into_iter().cycle();
    assert!(told.borrow().iter().copied().eq(strict.take(9)));
    t.connection().abort();
}

#[test]
fn r32_a_producer_holds_a_close_open_until_it_is_through() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    let pull = Pull(Rc::clone(&told), 3, 10);
    consumer.register_pull_producer(pull).unwrap();
    consumer.close();
    assert_eq!(t.take_sent().len(), 30);
    assert_eq!(t.lost(), Some(Disconnect::Closed));
    assert_eq!(
        *told.borrow(),
        ["resume", "resume", "resume", "resume", "lost"]
    );

    let (protocol, consumer, _) = recorder();
    let t = StringTransport::serve(protocol);
    consumer.close(); // nobody to wait for
    assert!(t.lost().is_some());
}

#[test]
fn r33_a_push_producer_holds_a_close_open_too() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    consumer.close();
    assert_eq!(t.lost(), None);
    consumer.write("the rest");
    consumer.unregister_producer();
    assert_eq!(t.take_sent(), b"the rest");
    assert_eq!(t.lost(), Some(Disconnect::Closed));
    assert_eq!(*told.borrow(), ["lost"], "unregistered, so not stopped");
}

#[test]
fn a_producer_holds_the_end_of_our_side_open_until_it_is_through() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    consumer.close_write();
    assert!(!t.has_ended());
    consumer.write("the rest");
    consumer.unregister_producer();
    assert_eq!(t.take_sent(), b"the rest");
    assert!(t.has_ended());
    assert_eq!(t.lost(), None, "the peer may go on");

    let (protocol, consumer, _) = recorder();
    let t = StringTransport::serve(protocol);
    consumer.close_write(); // nobody to wait for
    assert!(t.has_ended());

    let (protocol, consumer, told) = recorder();
    let t = StringTransport::serve(protocol);
    consumer.register_producer(Push(told, 0)).unwrap();
    consumer.close_write();
    consumer.close(); // more than that was asked
    assert!(!t.has_ended());
    consumer.unregister_producer();
    assert_eq!(t.lost(), Some(Disconnect::Closed));
}

#[test]
fn r34_unregistering_after_the_loss_does_nothing() {
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    consumer
        .register_producer(Push(Rc::clone(&told), 0))
        .unwrap();
    consumer.close();
    t.reset();
    assert_eq!(t.lost(), Some(Disconnect::Reset));
    assert!(!consumer.unregister_producer());
    consumer.write("into the void");
    consumer.close();
    assert_eq!((t.lost(), t.take_sent()), (Some(Disconnect::Reset), vec![]));
    assert_eq!(t.connection().bytes_dropped(), 13);
}

#[test]
fn a_producer_may_come_before_the_connection() {
    let (protocol, consumer, told) = recorder();
    let pull = Pull(Rc::clone(&told), 2, 10);
    consumer.register_pull_producer(pull).unwrap();
    consumer.write("dropped");
    assert!(told.borrow().is_empty() && consumer.connection().is_none());
    let mut t = StringTransport::serve(protocol);
    assert_eq!(t.take_sent().len(), 20);
}

#[test]
fn a_producer_that_panics_ends_its_connection() {
    struct Bad;
    impl PullProducer for Bad {
        fn resume_producing(&mut self, _: &Consumer) {
            panic!("as asked");
        }
    }
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    t.expect_panic("as asked");
    consumer.register_pull_producer(Bad).unwrap();
    t.take_sent();
    assert!(matches!(t.lost(), Some(Disconnect::Panicked(_))));
    assert_eq!(*told.borrow(), ["lost"]);
}

#[test]
fn a_producer_may_put_another_in_its_place() {
    struct Relay(Option<Pull>);
    impl PullProducer for Relay {
        fn resume_producing(&mut self, consumer: &Consumer) {
            consumer.write("first");
            consumer.unregister_producer();
            consumer
                .register_pull_producer(self.0.take().unwrap())
                .unwrap();
        }
    }
    let (protocol, consumer, told) = recorder();
    let mut t = StringTransport::serve(protocol);
    let second = Pull(Rc::clone(&told), 2, 1);
    consumer
        .register_pull_producer(Relay(Some(second)))
        .unwrap();
    assert_eq!(t.take_sent(), b"firstpp");
    assert_eq!(*told.borrow(), ["resume"; 3]);
}

/// Gives so many bytes, and counts how often it is asked.
struct Big {
    left: usize,
    reads: Rc<RefCell<usize>>,
}

impl Read for Big {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        *self.reads.borrow_mut() += 1;
        assert_eq!(into.len(), 16 * 1024);
        let len = into.len().min(self.left);
        into[..len].fill(self.left as u8);
        self.left -= len;
        Ok(len)
    }
}

type Outcome = Rc<RefCell<Option<Result<Transferred, Failure<TransferError>>>>>;

fn watch(deferred: Deferred<Transferred, TransferError>) -> Outcome {
    let outcome = Outcome::default();
    let seat = Rc::clone(&outcome);
    deferred.finish(move |result| *seat.borrow_mut() = Some(result));
    outcome
}

#[test]
fn a_file_of_100_mb_goes_to_a_slow_peer_in_constant_memory() {
    const SIZE: usize = 100_000_000;
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    let reads = Rc::new(RefCell::new(0));
    let big = Big {
        left: SIZE,
        reads: Rc::clone(&reads),
    };
    let outcome = watch(FileSender::begin_file_transfer(big, &consumer).unwrap());
    let mut received = 0;
    let mut highest = 0;
    let peak = allocation_counter::measure(|| {
        while received < SIZE {
            assert!(outcome.borrow().is_none());
            t.set_window(10_000); // slow
            received += t.take_sent().len();
            highest = highest.max(t.connection().buffered());
        }
    });
    assert_eq!(received, SIZE);
    assert_eq!(highest, 16 * 1024);
    assert!(peak.bytes_max < 150_000, "{} bytes", peak.bytes_max);
    assert_eq!(*reads.borrow(), SIZE.div_ceil(16 * 1024) + 1);
    let sent = outcome.take().unwrap().unwrap();
    assert_eq!(sent.bytes, SIZE as u64);
    assert_eq!(sent.last, Some((SIZE % (16 * 1024)) as u8));
    assert!(!consumer.has_producer());
}

#[test]
fn a_transfer_resolves_with_the_last_byte_and_not_before() {
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::builder().window(9).serve(protocol);
    let outcome = watch(FileSender::begin_file_transfer(&b"0123456789"[..], &consumer).unwrap());
    assert_eq!(t.take_sent(), b"012345678");
    assert!(outcome.borrow().is_none());
    t.set_window(1);
    let sent = outcome.take().unwrap().unwrap();
    assert_eq!((sent.bytes, sent.last), (10, Some(b'9')));
}

#[test]
fn a_transfer_that_is_cut_short_says_so() {
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::builder().window(9).serve(protocol);
    let outcome = watch(FileSender::begin_file_transfer(&b"0123456789"[..], &consumer).unwrap());
    t.reset();
    assert!(t.lost().is_some());
    match outcome.take() {
        Some(Err(Failure::Error(TransferError::Stopped(sent)))) => assert_eq!(sent.bytes, 10),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reader_that_fails_is_told_and_the_connection_lives() {
    struct Torn(u32);
    impl Read for Torn {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()), // which is no failure
                2 => (&b"half"[..]).read(into),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::serve(protocol);
    let outcome = watch(FileSender::begin_file_transfer(Torn(0), &consumer).unwrap());
    assert_eq!(t.take_sent(), b"half");
    match outcome.take() {
        Some(Err(Failure::Error(TransferError::Read { sent, source }))) => {
            assert_eq!(
                (sent.bytes, source.kind()),
                (4, io::ErrorKind::UnexpectedEof)
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(!consumer.has_producer() && t.lost().is_none());
}

#[test]
fn a_transfer_that_is_cancelled_reads_no_more() {
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    let reads = Rc::new(RefCell::new(0));
    let big = Big {
        left: 1_000_000,
        reads: Rc::clone(&reads),
    };
    let transfer = FileSender::begin_file_transfer(big, &consumer).unwrap();
    t.take_sent();
    transfer.cancel();
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent().len(), 16 * 1024);
    assert_eq!((*reads.borrow(), consumer.has_producer()), (1, false));
}

#[test]
fn a_second_transfer_is_refused_and_reads_nothing() {
    let (protocol, consumer, _) = recorder();
    let mut t = StringTransport::builder().window(0).serve(protocol);
    let first = FileSender::begin_file_transfer(&b"first"[..], &consumer).unwrap();
    let second = FileSender::begin_file_transfer(&b"second"[..], &consumer);
    assert!(matches!(second, Err(AlreadyRegistered)));
    first.detach();
    t.set_window(usize::MAX);
    assert_eq!(t.take_sent(), b"first");
}
