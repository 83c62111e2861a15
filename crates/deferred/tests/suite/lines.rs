//! Waiting in a line: lock, semaphore and queue.

use std::cell::Cell;
use std::rc::Rc;

use torsade_deferred::queue::Turn;
use torsade_deferred::{
    Deferred, DeferredLock, DeferredQueue, DeferredSemaphore, Failure, QueueOverflow,
    QueueUnderflow,
};

use crate::depth::on_a_small_stack;
use crate::support::{Log, Reports, now, results};

#[test]
fn r79_a_lock_goes_round_in_the_order_of_asking() {
    let lock = DeferredLock::new();
    let log = Log::new();
    let first = now(lock.acquire()).unwrap();
    for name in ["ann", "bob", "eve"] {
        let log = log.clone();
        lock.acquire().finish(move |permit| {
            log.push(name);
            drop(permit);
        });
    }
    assert_eq!(lock.waiting(), 3);
    assert!(lock.try_acquire().is_none());
    drop(first);
    assert_eq!(log.take(), ["ann", "bob", "eve"]);
    assert!(!lock.is_locked());
}

#[test]
fn r79_who_cancels_leaves_the_line_and_after_the_grant_it_is_too_late() {
    let lock = DeferredLock::new();
    let held = now(lock.acquire()).unwrap();
    let (ann, bob) = (lock.acquire(), lock.acquire());
    ann.cancel();
    assert_eq!(lock.waiting(), 1);
    drop(held);
    bob.canceller().cancel(); // has it already
    let permit = now(bob).unwrap();
    assert!(lock.is_locked());
    drop(permit);
    assert!(!lock.is_locked());
}

#[test]
fn a_cancellation_and_a_release_in_one_turn_lose_no_permit() {
    let lock = DeferredLock::new();
    let held = now(lock.acquire()).unwrap();
    let turn = Turn::enter().unwrap();
    let (ann, bob) = (lock.acquire(), lock.acquire());
    ann.cancel(); // the hook that takes it out of the line is queued
    drop(held);
    assert!(!turn.drain(100));
    drop(turn);
    assert!(now(bob).is_ok());
    assert!(!lock.is_locked());
}

#[test]
fn a_permit_for_a_deferred_that_was_dropped_goes_to_the_next() {
    let lock = DeferredLock::new();
    let held = now(lock.acquire()).unwrap();
    lock.acquire().detach();
    let next = lock.acquire();
    drop(held);
    assert!(next.is_settled());
}

#[test]
fn nobody_overtakes_those_in_the_line() {
    let lock = DeferredLock::new();
    let held = now(lock.acquire()).unwrap();
    let log = Log::new();
    let (first, inner, lock2) = (log.clone(), log.clone(), lock.clone());
    lock.acquire().finish(move |permit| {
        // Asked for while the lock is handed on: behind Bob.
        lock2.acquire().finish(move |_| inner.push("ann again"));
        first.push("ann");
        drop(permit);
    });
    let second = log.clone();
    lock.acquire().finish(move |_| second.push("bob"));
    drop(held);
    assert_eq!(log.take(), ["ann", "bob", "ann again"]);
}

#[test]
fn run_gives_the_permit_back_however_the_work_ends() {
    let _reports = Reports::collect();
    let one = DeferredSemaphore::new(1);
    assert_eq!(now(one.run(|| Deferred::<_, ()>::succeed(1))), Ok(1));
    let failed = one.run(|| Deferred::<(), _>::fail("no"));
    assert_eq!(now(failed), Err(Failure::Error("no")));
    let panicked = now(one.run(|| -> Deferred<(), ()> { panic!("bang") }));
    assert!(matches!(panicked, Err(Failure::Panicked(_))));
    let (resolver, work) = Deferred::<(), ()>::new();
    one.run(move || work).cancel();
    assert!(resolver.is_cancelled());
    let (resolver, work) = Deferred::<(), ()>::new();
    let abandoned = one.run(move || work);
    drop(resolver);
    assert_eq!(now(abandoned), Err(Failure::Abandoned));
    assert_eq!(one.available(), 1);
}

#[test]
fn run_that_is_cancelled_in_the_line_never_begins() {
    let lock = DeferredLock::new();
    let held = now(lock.acquire()).unwrap();
    let begun = Rc::new(Cell::new(false));
    let flag = Rc::clone(&begun);
    let work = lock.run(move || {
        flag.set(true);
        Deferred::<(), ()>::succeed(())
    });
    work.cancel();
    drop(held);
    assert!(!begun.get() && !lock.is_locked());
}

#[test]
fn a_semaphore_lets_in_so_many() {
    let two = DeferredSemaphore::new(2);
    let work: Vec<_> = (0..3).map(|_| Deferred::<(), ()>::new()).collect();
    let begun = Rc::new(Cell::new(0));
    let mut resolvers = Vec::new();
    for (resolver, deferred) in work {
        resolvers.push(resolver);
        let begun = Rc::clone(&begun);
        two.run(move || {
            begun.set(begun.get() + 1);
            deferred
        })
        .finish(|_| ());
    }
    assert_eq!((begun.get(), two.available(), two.waiting()), (2, 0, 1));
    resolvers.pop().unwrap().resolve(()); // of the third, whose turn has not come
    assert_eq!(begun.get(), 2);
    resolvers.pop().unwrap().resolve(());
    assert_eq!((begun.get(), two.available()), (3, 1));
}

#[test]
fn a_million_wait_for_a_lock_and_need_no_stack() {
    const MANY: usize = 1_000_000;
    on_a_small_stack(|| {
        let lock = DeferredLock::new();
        let held = now(lock.acquire()).unwrap();
        let served = Rc::new(Cell::new(0));
        for _ in 0..MANY {
            let served = Rc::clone(&served);
            lock.acquire().finish(move |permit| {
                served.set(served.get() + 1);
                drop(permit);
            });
        }
        drop(held);
        assert_eq!(served.get(), MANY);

        // Nobody is left to take the permits: they still go round.
        let held = now(lock.acquire()).unwrap();
        (0..MANY).for_each(|_| lock.acquire().detach());
        drop(held);
        assert_eq!((lock.waiting(), lock.is_locked()), (0, false));

        let held = now(lock.acquire()).unwrap();
        let waiting: Vec<_> = (0..MANY).map(|_| lock.acquire()).collect();
        waiting.into_iter().for_each(Deferred::cancel);
        assert_eq!(lock.waiting(), 0);
        drop(held);

        // Permits that go with what holds them, one in the other.
        let held = now(lock.acquire()).unwrap();
        let waiting: Vec<_> = (0..MANY).map(|_| lock.acquire()).collect();
        drop(held);
        drop(waiting);
        assert!(!lock.is_locked());
    });
}

#[test]
fn a_queue_is_first_in_first_out_on_both_sides() {
    let queue = DeferredQueue::new(3, 3);
    let log = Log::new();
    for name in ["ann", "bob"] {
        let log = log.clone();
        queue
            .get()
            .finish(move |item| log.push((name, item.unwrap())));
    }
    for item in 1..=5 {
        queue.put(item).unwrap();
    }
    assert_eq!(log.take(), [("ann", 1), ("bob", 2)]);
    assert_eq!(queue.put(6), Err(QueueOverflow(6)));
    assert_eq!([queue.try_get(), queue.try_get()], [Some(3), Some(4)]);
    assert_eq!(now(queue.get()), Ok(5));
}

#[test]
fn r79_who_waits_at_a_queue_and_cancels_takes_no_item() {
    let queue = DeferredQueue::new(1, 2);
    let (ann, bob) = (queue.get(), queue.get());
    let third = now(queue.get());
    assert_eq!(third, Err(Failure::Error(QueueUnderflow)));
    ann.cancel();
    queue.get().detach(); // there is a place again; and it wants nothing
    queue.put("tea").unwrap();
    bob.canceller().cancel(); // too late
    assert_eq!(now(bob), Ok("tea"));
    queue.put("milk").unwrap();
    assert_eq!((queue.len(), queue.waiting()), (1, 0));
}

#[test]
fn readers_of_a_queue_that_is_gone_are_abandoned() {
    let queue = DeferredQueue::<u32>::new(1, 1);
    let reader = results(queue.get());
    drop(queue);
    assert_eq!(reader.take(), [Err(Failure::Abandoned)]);
}

#[test]
fn a_reader_runs_after_put_has_returned_in_a_turn_and_may_put_again() {
    let queue = DeferredQueue::new(10, 10);
    let log = Log::new();
    let (again, seen) = (queue.clone(), log.clone());
    queue.get().finish(move |item| {
        seen.push(item.unwrap());
        again.put(2).unwrap();
    });
    queue.put(1).unwrap();
    assert_eq!(log.take(), [1]);
    assert_eq!(queue.try_get(), Some(2));
}
