//! What awaiting, waking and handing over allocate.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use torsade_deferred::Deferred;
use torsade_futures::sync::{Queue, Semaphore};
use torsade_futures::{spawn, yield_now};
use torsade_testing::MemoryReactor;

#[test]
fn awaiting_a_ready_deferred_allocates_nothing_more() {
    let mut reactor = MemoryReactor::new();
    let allocated = reactor.block_on(async {
        let deferred = Deferred::<_, Infallible>::succeed(7);
        let before = Rc::new(Cell::new(0));
        let mut deferred = Some(deferred.into_future());
        let info = {
            let before = Rc::clone(&before);
            poll_fn(move |context| {
                let mut future = deferred.take().unwrap();
                let info = measure(|| {
                    let ready = std::pin::Pin::new(&mut future).poll(context);
                    before.set(i32::from(ready == Poll::Ready(Ok(7))));
                });
                Poll::Ready(info)
            })
            .await
        };
        assert_eq!(before.get(), 1);
        info.count_total
    });
    assert_eq!(allocated, 0);
}

#[test]
fn a_wake_by_a_deferred_allocates_nothing() {
    let reactor = MemoryReactor::new();
    let wake = |count: usize| {
        let mut resolvers = Vec::new();
        for _ in 0..count {
            let (resolver, deferred) = Deferred::<(), Infallible>::new();
            resolvers.push(resolver);
            spawn(reactor.net(), deferred.into_future()).detach();
        }
        reactor.settle();
        // The queue has room from the round before.
        measure(|| {
            resolvers
                .into_iter()
                .for_each(|resolver| resolver.resolve(()))
        })
        .count_total
    };
    wake(64);
    reactor.settle();
    assert_eq!(wake(64), 0);
    reactor.settle();
}

#[test]
fn a_task_switch_and_a_hand_over_allocate_nothing() {
    let mut reactor = MemoryReactor::new();
    let queue = Queue::bounded(1);
    let (from, to) = (queue.clone(), queue);
    let net = reactor.net().clone();
    spawn(&net, async move {
        loop {
            to.put(1).await.unwrap();
        }
    })
    .detach();
    let allocated = reactor.block_on(async move {
        let total = Rc::new(Cell::new(0));
        for round in 0..100 {
            let mut get = Box::pin(from.get());
            let sum = Rc::clone(&total);
            poll_fn(move |context| {
                let mut polled = Poll::Pending;
                let info = measure(|| polled = get.as_mut().poll(context).map(drop));
                // The first rounds make room in the lists of those who wait.
                if round >= 10 {
                    sum.set(sum.get() + info.count_total);
                }
                polled
            })
            .await;
            yield_now().await;
        }
        total.get()
    });
    assert_eq!(allocated, 0);
}

#[test]
fn those_who_left_a_line_take_no_room_in_it() {
    let semaphore = Semaphore::new(0);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = pin!(semaphore.acquire());
    assert!(first.as_mut().poll(&mut context).is_pending());
    let held = measure(|| {
        for _ in 0..10_000 {
            let mut leaving = pin!(semaphore.acquire());
            assert!(leaving.as_mut().poll(&mut context).is_pending());
        }
    });
    assert!(held.bytes_max < 1000, "{} bytes", held.bytes_max);
    semaphore.release();
    assert!(first.as_mut().poll(&mut context).is_ready());
}
