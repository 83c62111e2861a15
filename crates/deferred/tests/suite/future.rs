//! A Deferred that is awaited.

use std::cell::RefCell;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use torsade_deferred::queue::Turn;
use torsade_deferred::{Deferred, DeferredFuture, Failure};

use crate::support::{Log, Reports};

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn an_await_is_woken_once_from_the_queue_and_gets_the_result() {
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let (resolver, deferred) = Deferred::<u32, ()>::new();
    let mut future = deferred.map(|n| n + 1).into_future();
    assert!(poll(&mut future, &waker).is_pending());
    assert!(poll(&mut future, &waker).is_pending());
    {
        let turn = Turn::enter().unwrap();
        resolver.resolve(6);
        assert_eq!(count.get(), 0);
        turn.drain(100);
    }
    assert_eq!(count.get(), 1);
    assert_eq!(poll(&mut future, &waker), Poll::Ready(Ok(7)));
    drop(future);
    assert_eq!(count.get(), 1);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1, "no waker is kept");
}

#[test]
fn a_waker_is_never_called_inside_resolve() {
    let turn = Turn::enter().unwrap();
    let count = Arc::new(Count::default());
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let mut future = deferred.into_future();
    assert!(poll(&mut future, &count.clone().into()).is_pending());
    resolver.resolve(());
    assert_eq!(count.get(), 0);
    assert!(!turn.drain(100));
    assert_eq!(count.get(), 1);
    assert!(poll(&mut future, Waker::noop()).is_ready());
}

#[test]
fn the_last_waker_counts() {
    let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (resolver, deferred) = Deferred::<(), ()>::new();
    let mut future = deferred.into_future();
    assert!(poll(&mut future, &old.clone().into()).is_pending());
    assert!(poll(&mut future, &new.clone().into()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1);
    resolver.resolve(());
    assert_eq!((old.get(), new.get()), (0, 1));
    assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Ok(())));
}

#[test]
fn a_result_that_is_there_is_ready_at_once() {
    let mut future = Deferred::<(), _>::fail("no").into_future();
    assert_eq!(
        poll(&mut future, Waker::noop()),
        Poll::Ready(Err(Failure::Error("no")))
    );
}

#[test]
fn dropping_an_await_cancels_and_wakes_nobody() {
    let _reports = Reports::collect();
    let count = Arc::new(Count::default());
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let hooks = Log::new();
    let hook = hooks.clone();
    resolver.on_cancel(move || hook.push(()));
    let mut future = deferred.map(|()| 7).into_future();
    assert!(poll(&mut future, &count.clone().into()).is_pending());
    drop(future);
    assert!(resolver.is_cancelled());
    assert_eq!((hooks.len(), count.get()), (1, 0));
    resolver.reject("late");

    // The same without a step between.
    let (resolver, deferred) = Deferred::<(), &str>::new();
    let mut future = deferred.into_future();
    assert!(poll(&mut future, &count.clone().into()).is_pending());
    drop(future);
    assert!(resolver.is_cancelled());
    assert_eq!(count.get(), 0);
}

#[test]
fn dropping_an_await_that_was_never_polled_cancels() {
    let (resolver, deferred) = Deferred::<(), ()>::new();
    drop(async move { deferred.await });
    // The block was not started, so the Deferred was dropped: that detaches.
    assert!(!resolver.is_cancelled());

    let (resolver, deferred) = Deferred::<(), ()>::new();
    drop(deferred.into_future());
    assert!(resolver.is_cancelled());
}

#[test]
fn dropping_an_await_with_an_error_in_it_reports() {
    let reports = Reports::collect();
    drop(Deferred::<(), _>::fail("unseen").into_future());
    assert!(reports.one().starts_with("unhandled error: unseen"));
}

#[test]
fn a_cancelled_await_ends() {
    let (_resolver, deferred) = Deferred::<(), ()>::new();
    let canceller = deferred.canceller();
    let count = Arc::new(Count::default());
    let mut future = deferred.into_future();
    assert!(poll(&mut future, &count.clone().into()).is_pending());
    canceller.cancel();
    assert_eq!(count.get(), 1);
    assert_eq!(
        poll(&mut future, Waker::noop()),
        Poll::Ready(Err(Failure::Cancelled))
    );
}

#[test]
fn an_await_gets_the_result_of_an_inner_deferred() {
    let count = Arc::new(Count::default());
    let (outer, deferred) = Deferred::<(), ()>::new();
    let (inner, work) = Deferred::<u32, ()>::new();
    let mut future = deferred.and_then(move |()| work).into_future();
    assert!(poll(&mut future, &count.clone().into()).is_pending());
    outer.resolve(());
    assert_eq!(count.get(), 0);
    inner.resolve(7);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(&mut future, Waker::noop()), Poll::Ready(Ok(7)));
}

#[test]
fn async_code_reads_like_any_other() {
    let (resolver, name) = Deferred::<&str, ()>::new();
    let mut greeting = pin!(async { Ok::<_, Failure<()>>(format!("hello, {}", name.await?)) });
    let mut context = Context::from_waker(Waker::noop());
    assert!(greeting.as_mut().poll(&mut context).is_pending());
    resolver.resolve("Ada");
    assert_eq!(
        greeting.as_mut().poll(&mut context),
        Poll::Ready(Ok("hello, Ada".to_owned()))
    );
}

type Slot = Rc<RefCell<Option<DeferredFuture<u32, ()>>>>;

thread_local! {
    static TASK: Slot = Slot::default();
}

/// An executor that polls inside `wake`, as a naive one does.
struct Inline(AtomicUsize);

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let task = TASK.with(Rc::clone);
        let mut future = task.borrow_mut().take().unwrap();
        if let Poll::Ready(result) = poll(&mut future, Waker::noop()) {
            self.0.store(result.unwrap() as usize, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_waker_may_poll_at_once() {
    let inline = Arc::new(Inline(AtomicUsize::new(0)));
    let (resolver, deferred) = Deferred::<u32, ()>::new();
    let mut future = deferred.into_future();
    assert!(poll(&mut future, &inline.clone().into()).is_pending());
    TASK.with(|task| task.replace(Some(future)));
    resolver.resolve(7);
    assert_eq!(inline.0.load(Ordering::Relaxed), 7);
}

#[test]
#[should_panic(expected = "polled after it had been ready")]
fn polling_again_panics() {
    let mut future = Deferred::<_, ()>::succeed(1).into_future();
    assert!(poll(&mut future, Waker::noop()).is_ready());
    let _ = poll(&mut future, Waker::noop());
}
