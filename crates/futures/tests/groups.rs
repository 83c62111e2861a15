//! Groups, waits, timeouts, and the future of asyncio.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use torsade_core::Net;
use torsade_deferred::{Deferred, Failure};
use torsade_futures::asyncio::{self, InvalidState};
use torsade_futures::{
    AllCompleted, Elapsed, FirstCompleted, FirstException, Task, TaskGroup, as_completed, gather,
    sleep, sleep_until, spawn, task_count, task_group, timeout, wait, yield_now,
};
use torsade_testing::MemoryReactor;

type Log = Rc<RefCell<Vec<String>>>;

/// Ends after so many seconds, with `end`; says so, and says if it was dropped before.
fn job<R: 'static>(net: &Net, log: &Log, seconds: u64, end: R) -> impl Future<Output = R> + use<R> {
    struct Noted(Log, String);
    impl Noted {
        fn say(&mut self, words: String) {
            self.1 = words;
        }
    }
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1.clone());
        }
    }
    let nap = sleep(net, Duration::from_secs(seconds));
    let mut noted = Noted(Rc::clone(log), format!("{seconds} dropped"));
    async move {
        nap.await;
        noted.say(format!("{seconds} ended"));
        end
    }
}

#[test]
fn the_first_failure_cancels_the_siblings_and_all_have_ended_when_it_is_known() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let (noted, start) = (Rc::clone(&log), net.now());
    let error = reactor.block_on(async move {
        let group = TaskGroup::new(&net);
        group.spawn(job(&net, &noted, 1, Ok(())));
        group.spawn(job(&net, &noted, 2, Err::<(), _>("two")));
        group.spawn(job(&net, &noted, 3, Ok(())));
        let error = group.join().await.unwrap_err();
        noted.borrow_mut().push("joined".to_owned());
        error
    });
    assert!(matches!(error.failures(), [Failure::Error("two")]));
    assert_eq!(*log.borrow(), ["1 ended", "2 ended", "3 dropped", "joined"]);
    assert_eq!(reactor.net().now() - start, Duration::from_secs(2));
}

#[test]
fn a_panic_of_a_member_is_a_failure_of_the_group() {
    let mut reactor = MemoryReactor::new();
    let group = TaskGroup::<Infallible>::new(reactor.net());
    group.spawn(async { if true { panic!("no tea") } else { Ok(()) } });
    group.spawn(pending::<Result<(), _>>());
    let error = reactor.block_on(group.join()).unwrap_err();
    assert!(matches!(error.failures(), [Failure::Panicked(panic)] if panic.message() == "no tea"));
}

#[test]
fn dropping_a_group_cancels_its_members_and_it_takes_no_more() {
    let reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let group = TaskGroup::<Infallible>::new(&net);
    let nursery = group.nursery();
    group.spawn(job(&net, &log, 5, Ok(())));
    reactor.settle();
    drop(group);
    nursery.spawn(job(&net, &log, 6, Ok(())));
    reactor.settle();
    assert_eq!(*log.borrow(), ["6 dropped", "5 dropped"]);
    assert_eq!(task_count(&net), 0);
}

#[test]
fn a_member_gives_its_value_or_nothing_and_who_asks_may_go() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let group = TaskGroup::<Infallible>::new(&net);
    let value = group.spawn(async { Ok(1) });
    let nap = sleep(&net, Duration::from_secs(2));
    let slow = group.spawn(async move {
        nap.await;
        Ok(2)
    });
    let cancelled = group.spawn(pending::<Result<u8, _>>());
    assert_eq!(reactor.block_on(value), Some(1));
    let short = timeout(&net, Duration::from_secs(1), slow);
    assert_eq!(reactor.block_on(short), Err(Elapsed)); // which leaves the task alone
    assert_eq!(group.len(), 2);
    reactor.advance(Duration::from_secs(1));
    assert_eq!(group.len(), 1);
    group.cancel();
    assert_eq!(reactor.block_on(cancelled), None);
    assert!(reactor.block_on(group.join()).is_ok()); // to be cancelled is no failure
    let went_on = reactor.block_on(async move {
        task_group(&net, async |group| {
            group.spawn(pending::<Result<u8, _>>());
            group.cancel();
            yield_now().await;
            Ok::<_, Infallible>("went on")
        })
        .await
    });
    assert_eq!(went_on.unwrap(), "went on");
}

#[test]
fn members_add_members_and_are_waited_for() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let noted = Rc::clone(&log);
    reactor.block_on(async move {
        let group = TaskGroup::<Infallible>::new(&net);
        let nursery = group.nursery();
        let inner = job(&net, &noted, 2, Ok(()));
        group.spawn(async move {
            nursery.spawn(inner);
            Ok(())
        });
        group.join().await.unwrap();
        noted.borrow_mut().push("joined".to_owned());
    });
    assert_eq!(*log.borrow(), ["2 ended", "joined"]);
}

#[test]
fn a_failing_member_ends_the_body_and_a_failing_body_ends_the_members() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let noted = Rc::clone(&log);
    let ended = reactor.block_on(async move {
        let member = task_group(&net, async |group| {
            group.spawn(job(&net, &noted, 1, Err::<(), _>("member")));
            job(&net, &noted, 9, Ok(())).await
        })
        .await;
        let body = task_group(&net, async |group| {
            group.spawn(job(&net, &noted, 8, Ok(())));
            job(&net, &noted, 2, Err::<(), _>("body")).await
        })
        .await;
        [member, body].map(|result| result.unwrap_err().into_failures())
    });
    assert_eq!(
        ended,
        [[Failure::Error("member")], [Failure::Error("body")]]
    );
    assert_eq!(
        *log.borrow(),
        ["1 ended", "9 dropped", "2 ended", "8 dropped"]
    );
}

#[test]
fn a_timeout_drops_what_it_waited_for_before_it_says_so() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let slow = timeout(&net, Duration::from_secs(1), job(&net, &log, 2, ()));
    assert_eq!(reactor.block_on(slow), Err(Elapsed));
    assert_eq!(*log.borrow(), ["2 dropped"]);
    assert!(net.free_timers().is_empty());
}

#[test]
fn what_is_there_at_the_deadline_counts_and_no_timer_is_left() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let nap = job(&net, &log, 1, "tea");
    assert_eq!(
        reactor.block_on(timeout(&net, Duration::from_secs(1), nap)),
        Ok("tea")
    );
    let quick = job(&net, &log, 1, "tea");
    assert_eq!(
        reactor.block_on(timeout(&net, Duration::from_secs(60), quick)),
        Ok("tea")
    );
    assert!(net.free_timers().is_empty());
    // It was there before the time was over, and told nobody.
    let there = Rc::new(Cell::new(false));
    let brought = Rc::clone(&there);
    net.call_later(Duration::from_secs(1), move |_| brought.set(true));
    let silent = poll_fn(move |_| match there.get() {
        true => Poll::Ready("tea"),
        false => Poll::Pending,
    });
    let silent = timeout(&net, Duration::from_secs(1), silent);
    assert_eq!(reactor.block_on(silent), Ok("tea"));
}

#[test]
fn a_sleep_until_a_moment_ends_then_and_one_of_a_reactor_that_is_gone_never() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    let moment = net.now() + Duration::from_secs(5);
    for _ in 0..2 {
        reactor.block_on(sleep_until(&net, moment));
        assert_eq!(net.now(), moment); // and a moment that is past is not waited for
    }
    let real = torsade_reactor::Reactor::new().unwrap();
    let mut nap = pin!(sleep(real.net(), Duration::ZERO));
    let mut context = Context::from_waker(Waker::noop());
    assert!(nap.as_mut().poll(&mut context).is_pending());
    drop(real);
    assert!(nap.as_mut().poll(&mut context).is_pending());
}

#[test]
fn sleeping_for_nothing_waits_for_one_turn_and_ties_wake_in_order() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    for name in ["a", "b", "c"] {
        let (nap, log) = (sleep(&net, Duration::ZERO), Rc::clone(&log));
        let napping = async move {
            nap.await;
            log.borrow_mut().push(name.to_owned());
        };
        spawn(&net, napping).detach();
    }
    reactor.advance(Duration::ZERO);
    assert_eq!(*log.borrow(), ["a", "b", "c"]);
}

#[test]
fn wait_takes_out_what_has_ended_in_that_order_and_cancels_nothing() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let mut tasks: Vec<_> = [4, 2, 1, 3]
        .map(|seconds| {
            let end = if seconds == 2 {
                Err("two")
            } else {
                Ok(seconds)
            };
            spawn(&net, job(&net, &log, seconds, end))
        })
        .into();
    let seen = reactor.block_on(async move {
        let mut seen = Vec::new();
        let first = wait(&mut tasks, FirstCompleted).await;
        seen.push((first.len(), tasks.len()));
        let failed = wait(&mut tasks, FirstException).await;
        seen.push((failed.len(), tasks.len()));
        assert!(
            timeout(&net, Duration::ZERO, wait(&mut tasks, AllCompleted))
                .await
                .is_err()
        );
        let mut order = Vec::new();
        for task in wait(&mut tasks, AllCompleted).await {
            order.push(task.await.unwrap().unwrap());
        }
        assert_eq!(order, [3, 4]);
        seen.push((order.len(), tasks.len()));
        assert!(wait(&mut tasks, AllCompleted).await.is_empty());
        seen
    });
    assert_eq!(seen, [(1, 3), (1, 2), (2, 0)]);
    assert_eq!(*log.borrow(), ["1 ended", "2 ended", "3 ended", "4 ended"]);
}

#[test]
fn a_panic_that_was_waited_for_and_not_looked_at_is_reported() {
    let mut reactor = MemoryReactor::new();
    reactor.expect_unhandled("no tea");
    let mut tasks = vec![spawn(reactor.net(), async { panic!("no tea") })];
    let done: Vec<Task<()>> = reactor.block_on(async move { wait(&mut tasks, AllCompleted).await });
    assert_eq!(done.len(), 1);
    drop(done);
}

#[test]
fn results_come_as_they_complete_also_those_that_ended_together_before() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let tasks = [3, 1, 2].map(|seconds| spawn(&net, job(&net, &log, seconds, seconds)));
    reactor.advance(Duration::from_secs(3));
    let order = reactor.block_on(async move {
        let (mut results, mut order) = (as_completed(tasks), Vec::new());
        while let Some(result) = results.next().await {
            order.push(result.unwrap());
        }
        order
    });
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn the_first_error_of_a_gather_cancels_the_rest_and_so_does_dropping_it() {
    let mut reactor = MemoryReactor::new();
    let (net, log) = (reactor.net().clone(), Log::default());
    let jobs = |ends: [Result<u64, &'static str>; 3]| {
        let jobs = ends.into_iter().zip(1..);
        jobs.map(|(end, seconds)| job(&net, &log, seconds, end))
            .collect::<Vec<_>>()
    };
    let failing = gather(&net, jobs([Ok(1), Err("two"), Ok(3)]));
    assert_eq!(reactor.block_on(failing), Err(Failure::Error("two")));
    reactor.settle();
    drop(gather(&net, jobs([Ok(1), Ok(2), Ok(3)])));
    reactor.settle();
    assert_eq!(
        *log.borrow(),
        [
            "1 ended",
            "2 ended",
            "3 dropped",
            "1 dropped",
            "2 dropped",
            "3 dropped"
        ]
    );
}

#[test]
fn what_was_never_polled_is_cancelled_too_and_the_first_error_is_that_which_came_first() {
    let mut reactor = MemoryReactor::new();
    let net = reactor.net().clone();
    drop(as_completed([spawn(&net, pending::<()>())]));
    reactor.settle();
    assert_eq!(task_count(&net), 0);
    let failing = [3, 1, 2].map(|seconds| {
        let nap = sleep(&net, Duration::from_secs(seconds));
        async move {
            nap.await;
            Err::<(), _>(seconds)
        }
    });
    let all = gather(&net, failing);
    reactor.advance(Duration::from_secs(5));
    assert_eq!(reactor.block_on(all), Err(Failure::Error(1)));
}

#[test]
fn callbacks_of_asyncio_wait_for_the_turn() {
    let reactor = MemoryReactor::new();
    let future = asyncio::Future::<u32, &str>::new(reactor.net());
    let called = Rc::new(Cell::new(false));
    let flag = Rc::clone(&called);
    future.add_done_callback(move |_| flag.set(true));
    future.set_result(1).unwrap();
    // Outside of a turn this runs the thread's queue.
    Deferred::<_, Infallible>::succeed(1).finish(|_| ());
    assert!(!called.get());
    reactor.settle();
    assert!(called.get());
}

#[test]
fn a_future_of_asyncio_ends_once() {
    let reactor = MemoryReactor::new();
    let future = asyncio::Future::<u32, &str>::new(reactor.net());
    assert_eq!(future.result(), Err(InvalidState));
    assert_eq!(future.exception(), Err(InvalidState));
    assert!(!future.done());
    future.set_result(1).unwrap();
    assert_eq!(future.set_result(2), Err(InvalidState));
    assert_eq!(future.set_exception("no"), Err(InvalidState));
    assert!(!future.cancel() && !future.cancelled() && future.done());
    assert_eq!(future.result(), Ok(Ok(1)));
    assert_eq!(future.exception(), Ok(None));
    let cancelled = asyncio::Future::<u32, &str>::new(reactor.net());
    assert!(cancelled.cancel() && cancelled.cancelled());
    assert_eq!(cancelled.result(), Ok(Err(Failure::Cancelled)));
}

#[test]
fn its_callbacks_run_in_order_also_late_ones_and_a_panic_stops_no_other() {
    let mut reactor = MemoryReactor::new();
    reactor.expect_panic("first");
    let (log, future) = (
        Log::default(),
        asyncio::Future::<u32, &str>::new(reactor.net()),
    );
    future.add_done_callback(|_| panic!("first"));
    let note = |name: &str| {
        let (log, name) = (Rc::clone(&log), name.to_owned());
        move |future: &asyncio::Future<u32, &str>| {
            log.borrow_mut()
                .push(format!("{name} {:?}", future.result()));
        }
    };
    future.add_done_callback(note("second"));
    let removed = future.add_done_callback(note("removed"));
    assert!(future.remove_done_callback(removed) && !future.remove_done_callback(removed));
    future.set_result(5).unwrap();
    future.add_done_callback(note("late"));
    assert!(log.borrow().is_empty());
    reactor.settle();
    assert_eq!(*log.borrow(), ["second Ok(Ok(5))", "late Ok(Ok(5))"]);
}

#[test]
fn an_exception_that_nobody_asked_for_is_reported() {
    let mut reactor = MemoryReactor::new();
    reactor.expect_unhandled("no tea");
    let future = asyncio::Future::<u32, &str>::new(reactor.net());
    future.set_exception("no tea").unwrap();
    drop(future);
    let asked = asyncio::Future::<u32, &str>::new(reactor.net());
    asked.set_exception("seen").unwrap();
    assert!(asked.exception().is_ok());
    reactor.expect_unhandled("no milk");
    let panicked = Deferred::<u32, &str>::succeed(1).map(|_| panic!("no milk"));
    drop(asyncio::Future::wrap(reactor.net(), panicked));
}

/// A value whose copies ask the future that they come from, and fail when they are told to.
#[derive(Debug)]
struct Curious(Rc<RefCell<Option<asyncio::Future<Self, ()>>>>, bool);

impl Clone for Curious {
    fn clone(&self) -> Self {
        let asks = self.0.borrow();
        assert!(asks.as_ref().is_some_and(asyncio::Future::done));
        assert!(!self.1, "this cannot be copied");
        Self(Rc::clone(&self.0), self.1)
    }
}

#[test]
fn a_result_that_asks_for_itself_or_panics_while_it_is_copied_is_still_there() {
    let reactor = MemoryReactor::new();
    for panics in [false, true] {
        let future = asyncio::Future::new(reactor.net());
        let asks = Rc::new(RefCell::new(Some(future.clone())));
        future
            .set_result(Curious(Rc::clone(&asks), panics))
            .unwrap();
        let copied = catch_unwind(AssertUnwindSafe(|| future.result().is_ok()));
        assert_eq!(copied.is_err(), panics);
        assert!(future.done());
        asks.take();
    }
}

#[test]
fn a_future_of_asyncio_and_a_deferred_turn_into_each_other() {
    let mut reactor = MemoryReactor::new();
    let (resolver, deferred) = Deferred::<u32, &str>::new();
    let future = asyncio::Future::wrap(reactor.net(), deferred);
    let back = future.deferred();
    let seen = Rc::new(Cell::new(None));
    let slot = Rc::clone(&seen);
    back.finish(move |result| slot.set(Some(result)));
    resolver.resolve(3);
    assert_eq!(reactor.block_on(future.into_future()), Ok(3));
    reactor.settle();
    assert_eq!(seen.take(), Some(Ok(3)));
}
